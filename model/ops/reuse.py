"""What a skipped sub-block gives to the residual add: order 0, the cached branch itself.

``cached int8 -> int8``. A forecast (``F + k * (F - F_prev) / gap``) takes this function's place; the data
path (``accel/units/reuse.py``) stands between branch cache and gate for it.
"""

import torch


def reuse(cached: torch.Tensor) -> torch.Tensor:
    """cached branch (.., T, D) int8 -> branch used in this timestep (.., T, D) int8."""
    return cached
