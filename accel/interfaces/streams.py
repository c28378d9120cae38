"""The house's handshakes as MyHDL interfaces.

The producer holds ``tvalid`` and the payload until the transfer, the edge at which ``tvalid`` and ``tready`` are
both high; ``tvalid`` never waits for ``tready``. An interface handed to a block as ``s_axis`` converts to
``s_axis_tdata, s_axis_tvalid, s_axis_tready``; nested interfaces join their names with ``_`` alike.
"""

from radit.accel.interfaces.signals import ADDRESS_BITS, flag, word

LENGTH_BITS = 24


class Stream:
    """Words, one per transfer.

    tdata: ``bits``, the word; tvalid: flag. Both driven by the producer.
    tready: flag, driven by the consumer.
    """

    def __init__(self, bits: int) -> None:
        self.tdata = word(bits)
        self.tvalid = word(1)
        self.tready = word(1)


class Command:
    """Requests of ``tlen`` words (at least 1) from word address ``taddr`` of an external memory.

    taddr: address; tlen: 24 bit; tvalid: flag. Driven by the accelerator.
    tready: flag, driven by the memory.
    """

    def __init__(self) -> None:
        self.taddr = word(ADDRESS_BITS)
        self.tlen = word(LENGTH_BITS)
        self.tvalid = word(1)
        self.tready = word(1)


class ReadChannel:
    """A port that reads an external memory; the words come in the order of the commands.

    cmd: Command, driven by the accelerator. data: Stream, driven by the memory.
    moves: flag, a word is transferred in this cycle; driven by the reader, because it cannot be read off a port.
    """

    def __init__(self, cmd: Command, data: Stream) -> None:
        self.cmd = cmd
        self.data = data
        self.moves = flag()


class WriteChannel:
    """A port that writes an external memory; the words go where the commands say, in their order.

    cmd: Command, data: Stream, driven by the accelerator.
    moves: flag, a word is transferred in this cycle; driven by the writer.
    """

    def __init__(self, cmd: Command, data: Stream) -> None:
        self.cmd = cmd
        self.data = data
        self.moves = flag()


class Tap:
    """Observation only, driven by the accelerator: the named fields, of the given bits, in cycles with ``valid``.

    valid: flag. No ready: nothing waits for an observer.
    """

    def __init__(self, fields: dict[str, int]) -> None:
        self.valid = word(1)
        for name, bits in fields.items():
            setattr(self, name, word(bits))


class Taps:
    """The taps of a block, by name."""

    def __init__(self, taps: dict[str, Tap]) -> None:
        for name, tap in taps.items():
            setattr(self, name, tap)
