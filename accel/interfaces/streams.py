"""The house's handshakes as MyHDL interfaces.

The producer holds ``tvalid`` and the payload until the transfer, the edge at which ``tvalid`` and ``tready`` are
both high; ``tvalid`` never waits for ``tready``. An interface handed to a block as ``s_axis`` converts to
``s_axis_tdata, s_axis_tvalid, s_axis_tready``; nested interfaces join their names with ``_`` alike.
"""

from accel.interfaces.signals import ADDRESS_BITS, word

LENGTH_BITS = 24


class Stream:
    """Words of ``bits``: ``tdata, tvalid, tready``."""

    def __init__(self, bits: int) -> None:
        self.tdata = word(bits)
        self.tvalid = word(1)
        self.tready = word(1)


class Command:
    """Requests of ``tlen`` words (at least 1) from word address ``taddr`` of a memory port."""

    def __init__(self) -> None:
        self.taddr = word(ADDRESS_BITS)
        self.tlen = word(LENGTH_BITS)
        self.tvalid = word(1)
        self.tready = word(1)


class Tap:
    """Observation only: ``valid`` and the named fields, no ready."""

    def __init__(self, fields: dict[str, int]) -> None:
        self.valid = word(1)
        for name, bits in fields.items():
            setattr(self, name, word(bits))


class Taps:
    """The taps of a block, by name."""

    def __init__(self, taps: dict[str, Tap]) -> None:
        for name, tap in taps.items():
            setattr(self, name, tap)
