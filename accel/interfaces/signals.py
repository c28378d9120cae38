"""The sized signals that interfaces and blocks are made of."""

from myhdl import Signal, intbv

ADDRESS_BITS = 32
DIM_BITS = 16
LOG_BITS = 4  # of a logarithm of lanes or frames


def flag() -> Signal:
    """One bit, low at first."""
    return Signal(bool(0))


def word(bits: int) -> Signal:
    """An unsigned signal of ``bits``; one bit is a bool."""
    return flag() if bits == 1 else Signal(intbv(0)[bits:])


def bit_set(count: int) -> Signal:
    """A bit per member, which blocks index: a vector, of a single member as well, where ``word`` is a bool."""
    return Signal(intbv(0)[count:])


def signed(bits: int) -> Signal:
    """A two's-complement signal of ``bits``."""
    return Signal(intbv(0, min=-(1 << (bits - 1)), max=1 << (bits - 1)))


def dim() -> Signal:
    """A model dimension, or a number below one."""
    return word(DIM_BITS)


def address() -> Signal:
    """An address, or a length, in words of a memory."""
    return word(ADDRESS_BITS)
