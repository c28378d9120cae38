"""Exact int8 matrix product with int32 accumulation.

``int8 (.., M, K) x int8 (.., K, N) -*+-> Q31.0 (.., M, N)``. Through float32 while every partial sum
stays below 2**24 (K <= 1040), float64 beyond: both exact, and far faster than integer kernels.
Valid range: K <= 2**17 keeps the int32 accumulator from overflowing.
"""

import torch

from radit.model.formats import INT8_MAX

FLOAT32_EXACT_K = (1 << 24) // (INT8_MAX * INT8_MAX)


def matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """``a @ b`` for int8-valued tensors; returns int64 holding int32 values."""
    dtype = torch.float32 if a.shape[-1] <= FLOAT32_EXACT_K else torch.float64
    return torch.matmul(a.to(dtype), b.to(dtype)).to(torch.int64)
