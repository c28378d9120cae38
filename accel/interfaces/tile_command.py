"""The tile command: what a sequencer asks of the MAC array, and what becomes of the drained columns.

One command is one GEMM tile: ``k_len`` cycles of row and column operands, then ``col_count`` drained columns. The
handshake is valid / ready; addresses are in words of the memory they belong to.
"""

from myhdl import Signal, always_comb, block, intbv

from accel.interfaces.signals import address, dim, flag

# Where operands come from.
FROM_A, FROM_HIDDEN, FROM_PROB, FROM_WEIGHT = range(4)  # row operands
FROM_K, FROM_V = 1, 2  # column operands, with FROM_A = 0 and FROM_WEIGHT = 3

# What a drained word is (also the kind of the trace tap, docs/interface.md).
KIND_Q, KIND_K, KIND_V, KIND_SCORE, KIND_O, KIND_BRANCH, KIND_H = range(7)
KIND_BITS = 4


class TileCommand:
    """Operands, length and drain of one tile (see the module's docstring)."""

    def __init__(self) -> None:
        self.valid = flag()
        self.ready = flag()
        # Operands: address of k = 0, step per k, part of the wide word; a_tile places the supertile of A.
        self.row_source = Signal(intbv(0)[2:])
        self.row_base = address()
        self.row_step = dim()
        self.row_part = dim()
        self.col_source = Signal(intbv(0)[2:])
        self.col_base = address()
        self.col_step = dim()
        self.col_part = dim()
        self.a_tile = dim()  # supertile within the context; its lanes may lie in several frames
        self.k_len = dim()
        self.last_use = flag()  # of the weight tile
        # Drain: destination of column col_first, step per column.
        self.kind = Signal(intbv(0)[KIND_BITS:])
        self.dst_base = address()
        self.dst_step = dim()
        self.dst_part = dim()
        self.col_first = dim()
        self.col_count = dim()
        self.param_base = dim()
        self.key_first = dim()  # score: key slot of column 0 within the group
        self.job_first = flag()  # score: first and last tile of a row of scores
        self.job_last = flag()
        self.parity = flag()  # values: which half of the probability memory
        self.cache_address = address()  # branch: offset in a slot of the branch cache
        self.cache_other = flag()  # branch: goes to the other slot


COPIED = (
    "valid row_source row_base row_step row_part col_source col_base col_step col_part a_tile k_len last_use kind "
    "dst_base dst_step dst_part col_first col_count param_base key_first job_first job_last parity cache_address "
    "cache_other"
).split()


@block
def command_mux(use_one, zero, one, dst):
    """Connect command ``one`` to ``dst`` while ``use_one`` is high, else ``zero``. Combinational."""
    muxes = [field_mux(use_one, getattr(zero, name), getattr(one, name), getattr(dst, name)) for name in COPIED]

    @always_comb
    def answer():
        zero.ready.next = dst.ready and not use_one
        one.ready.next = dst.ready and use_one

    return muxes, answer


@block
def field_mux(use_one, zero, one, dst):
    """One field of ``command_mux``."""

    @always_comb
    def choose():
        if use_one:
            dst.next = one
        else:
            dst.next = zero

    return choose
