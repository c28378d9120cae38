"""The tile command: what a sequencer asks of the MAC array, and what becomes of the drained columns.

One command is one tile of a matrix product: ``k_len`` cycles of row and column operands, then ``col_count`` drained
columns. ``TILE_FIELDS`` is the one list of its fields; every interface below is made from it. Addresses are in words
of the memory they belong to.
"""

from typing import Any, NamedTuple

from myhdl import always_comb, block

from radit.accel.interfaces.signals import ADDRESS_BITS, DIM_BITS, flag, word

# Where operands come from.
FROM_A, FROM_HIDDEN, FROM_PROB, FROM_WEIGHT = range(4)  # row operands
FROM_K, FROM_V = 1, 2  # column operands, with FROM_A = 0 and FROM_WEIGHT = 3
SOURCE_BITS = 2

# What a drained word is (also the kind of the trace tap, docs/interface.md).
KIND_Q, KIND_K, KIND_V, KIND_SCORE, KIND_O, KIND_BRANCH, KIND_H = range(7)
KIND_BITS = 4

# Who reads a field after the tile was accepted: the array's front while it runs, the drain and the branch cache once
# it is finished.
FRONT, DRAIN, CACHE = "front", "drain", "cache"


class TileField(NamedTuple):
    """One field: width, who reads it, what it means."""

    bits: int
    readers: tuple[str, ...]
    meaning: str


TILE_FIELDS = {
    "row_source": TileField(SOURCE_BITS, (FRONT,), "memory of the row operands"),
    "row_base": TileField(ADDRESS_BITS, (FRONT,), "row operands: address of k = 0; weights need none"),
    "row_step": TileField(DIM_BITS, (FRONT,), "row operands: addresses from one k to the next"),
    "row_part": TileField(DIM_BITS, (FRONT,), "row operands: which R lanes of a wide word"),
    "col_source": TileField(SOURCE_BITS, (FRONT,), "memory of the column operands"),
    "col_base": TileField(ADDRESS_BITS, (FRONT,), "column operands: address of k = 0; weights need none"),
    "col_step": TileField(DIM_BITS, (FRONT,), "column operands: addresses from one k to the next"),
    "col_part": TileField(DIM_BITS, (FRONT,), "column operands: which C lanes of a wide word"),
    "k_len": TileField(DIM_BITS, (FRONT,), "K, cycles of operands"),
    "last_use": TileField(1, (FRONT,), "of the weight tile, whose words are released"),
    "a_tile": TileField(DIM_BITS, (FRONT, DRAIN), "supertile in the context; its lanes may lie in several frames"),
    "kind": TileField(KIND_BITS, (DRAIN, CACHE), "what the drained words are, KIND_*"),
    "dst_base": TileField(ADDRESS_BITS, (DRAIN,), "destination of column col_first"),
    "dst_step": TileField(DIM_BITS, (DRAIN,), "destination: addresses from one column to the next"),
    "dst_part": TileField(DIM_BITS, (DRAIN,), "destination: which R lanes of a wide word"),
    "col_first": TileField(DIM_BITS, (DRAIN,), "first column that is drained"),
    "col_count": TileField(DIM_BITS, (DRAIN, CACHE), "columns that are drained"),
    "param_base": TileField(DIM_BITS, (DRAIN,), "requantization parameter of column col_first"),
    "key_first": TileField(DIM_BITS, (DRAIN,), "scores: key slot of column 0 within the group"),
    "job_first": TileField(1, (DRAIN,), "scores: first tile of a row of scores"),
    "job_last": TileField(1, (DRAIN,), "scores: last tile of a row of scores"),
    "parity": TileField(1, (DRAIN,), "values: which half of the probability memory"),
    "cache_address": TileField(ADDRESS_BITS, (CACHE,), "branch: offset in a slot of the branch cache"),
    "cache_other": TileField(1, (CACHE,), "branch: goes to the other slot"),
}


def fields_of(*readers: str) -> tuple[str, ...]:
    """Names of the fields that any of the readers uses."""
    return tuple(name for name, field in TILE_FIELDS.items() if set(readers) & set(field.readers))


class TileFields:
    """Signals of the named fields; see ``TILE_FIELDS`` for width and meaning."""

    def __init__(self, *names: str) -> None:
        for name in names:
            setattr(self, name, word(TILE_FIELDS[name].bits))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a tile has no field {name}, or nobody here reads it")


class TileCommand(TileFields):
    """A command on its way from a sequencer to the array's front.

    Signals:
        valid: 1 bit, from the sequencer, which holds it and the fields until the front is ready.
        ready: 1 bit, from the front; the command is accepted in the cycle in which both are high.
        every field of ``TILE_FIELDS``: from the sequencer.
    """

    def __init__(self) -> None:
        super().__init__(*TILE_FIELDS)
        self.valid = flag()
        self.ready = flag()


class TileFinish(TileFields):
    """What the drain and the branch cache get to know of a tile.

    Signals, all of them from the array's front:
        valid: 1 bit, pulse with the tile's last k.
        the fields that drain or cache read: stable from the tile's start to the next one's, at ``valid`` or later.
    """

    def __init__(self) -> None:
        super().__init__(*fields_of(DRAIN, CACHE))
        self.valid = flag()


class DrainingTile(TileFields):
    """The drain's own copy of the fields that it reads: from ``TileFinish.valid`` to the next one, all of the drain."""

    def __init__(self) -> None:
        super().__init__(*fields_of(DRAIN))


@block
def command_mux(use_one, zero, one, dst):
    """Connect command ``one`` to ``dst`` while ``use_one`` is high, else ``zero``. Combinational."""
    muxes = [
        field_mux(use_one=use_one, zero=getattr(zero, name), one=getattr(one, name), dst=getattr(dst, name))
        for name in ("valid", *TILE_FIELDS)
    ]

    @always_comb
    def drive_ready():
        zero.ready.next = dst.ready and not use_one
        one.ready.next = dst.ready and use_one

    return muxes, drive_ready


@block
def field_mux(use_one, zero, one, dst):
    """One field of ``command_mux``."""

    @always_comb
    def drive_field():
        if use_one:
            dst.next = one
        else:
            dst.next = zero

    return drive_field
