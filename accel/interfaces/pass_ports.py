"""What the streaming pass touches: on-chip memories, streams from and to outside, events."""

from radit.accel.config import BuildConfig
from radit.accel.interfaces.conditioning import ConditioningReads
from radit.accel.interfaces.memory_ports import ReadPort, WritePort
from radit.accel.interfaces.signals import flag, word
from radit.accel.interfaces.streams import Stream
from radit.model.formats import CODE_BITS, INT8_BITS, LN_BITS, X_BITS


class PassMemories:
    """The on-chip memories that the pass reads and writes; it drives every side but the data of reads.

    x_read, x_write: ports of x memory, R x 16 bit.
    a_read: ReadPort of A memory, W int8: the branch. a_write: WritePort of A memory, R int8: the modulated input.
    code_write: WritePort of the code buffer, R x 4 bit.
    """

    def __init__(self, config: BuildConfig) -> None:
        self.x_read = ReadPort(config.rows * X_BITS)
        self.x_write = WritePort(config.rows * X_BITS)
        self.a_read = ReadPort(config.wide * INT8_BITS)
        self.a_write = WritePort(config.rows * INT8_BITS)
        self.code_write = WritePort(config.rows * CODE_BITS)


class PassStreams:
    """The streams that meet in the pass.

    x_in: Stream of R x 16 bit from the host, in the first pass. x_out: Stream of R x 16 bit to the host, in the last
    pass, by way of ``cache_writer``; driven by the pass. x_aside: flag, what x_out offers is a difference, for the
    cache alone; driven by ``cache_writer``.
    latest, before: Streams of R x 16 bit from the cache: the latest results of reused contexts, and those before them
    where they are forecast; driven by ``cache_reader``. history: Stream of R x 4 bit from the code history.
    """

    def __init__(self, config: BuildConfig, x_in: Stream, history: Stream) -> None:
        self.x_in = x_in
        self.x_out = Stream(config.rows * X_BITS)
        self.x_aside = flag()
        self.latest = Stream(config.rows * X_BITS)
        self.before = Stream(config.rows * X_BITS)
        self.history = history


class PassEvents:
    """What the pass does in a cycle, one flag each, for the counters; driven by the pass.

    x_in_word, history_word: it takes a word of x from the host, or of stored codes. x_out_word: it gives one of x.
    added: a word left the residual add. add_saturated: some of its sums saturated. x_made: it is one of x, not of a
    difference.
    fifo_read, fifo_write: a word leaves, or enters, the FIFO between the halves.
    tile_normalized: a row tile's statistics are ready. norm_saturated: some LayerNorm output of a word saturated.
    modulate_saturated: some modulated value of a word saturated. compared: a word is encoded and compared.
    """

    def __init__(self) -> None:
        self.x_in_word = flag()
        self.history_word = flag()
        self.x_out_word = flag()
        self.added = flag()
        self.add_saturated = flag()
        self.x_made = flag()
        self.fifo_read = flag()
        self.fifo_write = flag()
        self.tile_normalized = flag()
        self.norm_saturated = flag()
        self.modulate_saturated = flag()
        self.compared = flag()


class PassPorts:
    """Everything of the pass but its control.

    memories: PassMemories. conditioning: ConditioningReads. streams: PassStreams. events: PassEvents. Drivers are named
    in each part.
    """

    def __init__(self, config: BuildConfig, x_in: Stream, history: Stream) -> None:
        self.memories = PassMemories(config)
        self.conditioning = ConditioningReads()
        self.streams = PassStreams(config, x_in, history)
        self.events = PassEvents()


class Handover:
    """What the halves of the pass tell each other.

    summed: Stream of R x 16 bit, the new words of x; driven by the front half, which counts the room ahead of it
    (``tready`` is not used). tile_ends: flag, the word is the last of its row tile. takes_word: flag, a word starts
    its way. lacks_words: flag, it waits for the host or the cache. Driven by the front half.
    popped: flag, a word left the FIFO between the halves. normalizes: flag, the words of this pass are normalized.
    Driven by ``residual_pass``.
    """

    def __init__(self, config: BuildConfig) -> None:
        self.summed = Stream(config.rows * X_BITS)
        self.tile_ends = flag()
        self.takes_word = flag()
        self.lacks_words = flag()
        self.popped = flag()
        self.normalizes = flag()


class NormStream:
    """The normalizing side of the LayerNorm.

    tile_ready: flag, a row tile's statistics are complete; driven by the LayerNorm.
    take: flag, a word of the FIFO enters; last: flag, it is the last of its tile. Driven by the back half.
    valid: flag, a normalized word leaves. data: R x 16 bit, the word. Driven by the LayerNorm.
    """

    def __init__(self, config: BuildConfig) -> None:
        self.tile_ready = flag()
        self.take = flag()
        self.last = flag()
        self.valid = flag()
        self.data = word(config.rows * LN_BITS)
