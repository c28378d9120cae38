"""The ports of on-chip memories."""

from radit.accel.interfaces.signals import address, dim, flag, word


class ReadPort:
    """Read side of a memory.

    enable: flag. addr: address. Both driven by the reader.
    data: ``bits``; driven by the memory, one cycle after ``enable``, held until the next read.
    """

    def __init__(self, bits: int) -> None:
        self.enable = flag()
        self.addr = address()
        self.data = word(bits)


class WritePort:
    """Write side of a memory, driven by the writer: R lanes into ``part`` of the wide word at ``addr``.

    enable: flag. addr: address. part: dim. data: ``bits``.
    """

    def __init__(self, bits: int) -> None:
        self.enable = flag()
        self.addr = address()
        self.part = dim()
        self.data = word(bits)
