"""Golden integer operations: the bit-exact specification of every arithmetic unit.

One file per unit, of the same stem as ``accel/units/<unit>.py``. All functions take and return
``torch.int64`` tensors (any leading shape) and are free of floating point, except for the exact
GEMM that uses float as a wide integer (see ``matmul``) and the tables built once at import.
"""
