"""What connects the sequencers of a sub-block, the array with its drain, and the memories around them."""

from radit.accel.config import BuildConfig, log2_exact
from radit.accel.interfaces.memory_ports import ReadPort, WritePort
from radit.accel.interfaces.signals import LOG_BITS, address, dim, flag, word
from radit.accel.interfaces.tile_command import KIND_BITS, TileCommand, TileFinish
from radit.model.formats import ACC_BITS, INT8_BITS, MULT_BITS, PARAM_BITS, SHIFT_BITS, WIDE_BITS

PRODUCT_BITS = 3  # of the number of a product (``accel/sequencers/product_table.py``)


class AttentionGroup:
    """The attention group of the current block: which tiles and keys belong together, and where frames lie.

    Signals, all of them from ``select_group``, which copies registers of the even or odd blocks; in a cross-attention a
    context is one group:
        row_tiles: ``DIM_BITS``, row tiles of a group.
        col_tiles: ``DIM_BITS``, column tiles of a group; of no use in a cross-attention.
        keys: ``DIM_BITS``, valid keys of a group; all of them in a cross-attention, whose other keys are not drained.
        log_frames: ``LOG_BITS``, logarithm of the frames of a temporal group; 0: spatial.
        log_interleave: ``LOG_BITS``, logarithm of the groups interleaved in a supertile.
        frame_stride: ``DIM_BITS``, supertiles from one frame to the next.
    Signals of builds with text, from ``select_keys``:
        key_supers, key_supers_all: ``DIM_BITS``, supertiles of the keys of a context, and of all contexts.
        key_tokens_all: ``DIM_BITS``, keys of all contexts, padded.
    """

    def __init__(self) -> None:
        self.row_tiles = dim()
        self.col_tiles = dim()
        self.keys = dim()
        self.log_frames = word(LOG_BITS)
        self.log_interleave = word(LOG_BITS)
        self.frame_stride = dim()
        self.key_supers, self.key_supers_all, self.key_tokens_all = dim(), dim(), dim()


class LinearPort:
    """The sequencer of a sub-block asks the product sequencer for one product with weights.

    Signals:
        start: 1 bit, pulse from the sub-block's sequencer.
        product: ``PRODUCT_BITS``, from the sub-block's sequencer; stable from ``start`` to ``done``.
        done: 1 bit, pulse from the product sequencer: the last command is accepted.
        cmd: TileCommand, from the product sequencer.
    """

    def __init__(self) -> None:
        self.start = flag()
        self.product = word(PRODUCT_BITS)
        self.done = flag()
        self.cmd = TileCommand()


class AttendPort:
    """The sequencer of a sub-block asks the attention sequencer for scores and values.

    Signals:
        start: 1 bit, pulse from the sub-block's sequencer.
        done: 1 bit, pulse from the attention sequencer: the last command is accepted.
        cmd: TileCommand, from the attention sequencer.
    """

    def __init__(self) -> None:
        self.start = flag()
        self.done = flag()
        self.cmd = TileCommand()


class CoreControl:
    """What the sequencers and the compute core tell each other besides commands.

    Signals:
        attending: 1 bit, pulse from the sub-block's sequencer: attention proper begins, jobs are numbered from here.
        softmax_done: 1 bit, pulse from the core: the numerators of one more job are in the probability memory.
        quiet: 1 bit, from the core: nothing runs, nothing is on its way to a memory.
    """

    def __init__(self) -> None:
        self.attending = flag()
        self.softmax_done = flag()
        self.quiet = flag()


class WeightRing:
    """The ring of weight words between the weight streamer and the array's front.

    With two products the words of an even and an odd channel are one entry.

    Signals:
        head: ``ADDRESS_BITS``, from the streamer; words written since the timestep began, modulo 2^32.
        tail: ``ADDRESS_BITS``, from the front; words released since then.
        read: ReadPort of W int8 of each product, addressed by entry; the front reads, the streamer's memory answers.
    """

    def __init__(self, config: BuildConfig) -> None:
        self.head = address()
        self.tail = address()
        self.read = ReadPort(config.products * config.wide * INT8_BITS)


class ParameterStore:
    """The requantization parameters of the current sub-block.

    Signals:
        loaded: ``DIM_BITS``, from the parameter loader; entries that have arrived.
        read: ReadPort of ``PARAM_BITS``; the drain reads, the loader's memory answers.
    """

    def __init__(self) -> None:
        self.loaded = dim()
        self.read = ReadPort(PARAM_BITS)


class OperandPorts:
    """The memories that feed the array: the front reads, each memory answers.

    With two products a read answers with two words, that of an even channel in the lower half.

    Signals:
        a: ReadPort of W int8. a_tile: ``DIM_BITS``, from the front, the supertile of the context whose lanes ``a.addr``
        reaches (``accel/memory/on_chip.py``). a_as_col: 1 bit, from the front, A feeds the columns.
        hidden: ReadPort of R int8, for the rows.
        prob: ReadPort of R int8, for the rows.
        k, v: ReadPorts of W int8, for the columns.
    """

    def __init__(self, config: BuildConfig) -> None:
        bits = config.products * INT8_BITS
        rows, wide = config.rows * bits, config.wide * bits
        self.a = ReadPort(wide)
        self.a_tile = dim()
        self.a_as_col = flag()
        self.hidden = ReadPort(rows)
        self.prob = ReadPort(rows)
        self.k = ReadPort(wide)
        self.v = ReadPort(wide)


class ArrayInputs:
    """What enters the compute core besides commands.

    Signals:
        operands: OperandPorts. weights: WeightRing. params: ParameterStore.
        keys, values: WritePorts of R int8, from ``prompt_loader`` to K and V memory; builds with text.
    """

    def __init__(self, config: BuildConfig) -> None:
        self.operands = OperandPorts(config)
        self.weights = WeightRing(config)
        self.params = ParameterStore()
        self.keys, self.values = (WritePort(config.rows * INT8_BITS) for _ in range(2))


class DrainedWord:
    """A requantized word on its way to a memory, the softmax unit or the cache.

    Signals, all of them from the drain:
        valid: 1 bit; a word of any kind but H.
        kind: ``KIND_BITS``, KIND_*.
        addr: ``ADDRESS_BITS``. part: ``DIM_BITS``. The destination.
        a_tile: ``DIM_BITS``, supertile in the context.
        key: ``DIM_BITS``, of a score, its key slot.
        job_first, job_last: 1 bit, first and last score of a job.
        wide: R x ``WIDE_BITS``, scores. narrow: R x int8, everything else.
        saturated: R x 1 bit, lanes of ``wide`` that were clamped.
        gelu_enters: 1 bit; ``wide`` goes to GELU.
        gelu_valid: 1 bit; a word of H, after GELU. gelu_addr: ``ADDRESS_BITS``. gelu: R x int8.
    """

    def __init__(self, config: BuildConfig) -> None:
        rows = config.rows
        self.valid = flag()
        self.kind = word(KIND_BITS)
        self.addr = address()
        self.part = dim()
        self.a_tile = dim()
        self.key = dim()
        self.job_first = flag()
        self.job_last = flag()
        self.wide = word(rows * WIDE_BITS)
        self.narrow = word(rows * INT8_BITS)
        self.saturated = word(rows)
        self.gelu_enters = flag()
        self.gelu_valid = flag()
        self.gelu_addr = address()
        self.gelu = word(rows * INT8_BITS)


class ColumnPort:
    """The drain registers of the array, from which the drain takes a column per cycle.

    Signals:
        owned: 1 bit, from the drain; they still hold columns that matter, no other tile may finish.
        index: the column, from the drain.
        sums: R x ``ACC_BITS``, from the array, one cycle later.
    """

    def __init__(self, config: BuildConfig) -> None:
        self.owned = flag()
        self.index = word(log2_exact(config.cols))
        self.sums = word(config.rows * ACC_BITS)


class TokenScales:
    """Multipliers of the value product, one per token and one set per parity of the job.

    Signals, all of them from the softmax unit:
        mult_even, mult_odd: R x ``MULT_BITS``.
        shift_even, shift_odd: R x ``SHIFT_BITS``.
    """

    def __init__(self, config: BuildConfig) -> None:
        self.mult_even, self.mult_odd = word(config.rows * MULT_BITS), word(config.rows * MULT_BITS)
        self.shift_even, self.shift_odd = word(config.rows * SHIFT_BITS), word(config.rows * SHIFT_BITS)


class ArrayResults:
    """What leaves the compute core.

    Signals:
        finish: TileFinish, from the array's front.
        drained: DrainedWord, from the drain.
        numerators: WritePort of R int8, from the softmax unit to the probability memory; the trace observes it.
        branch: WritePort of R int8, from the drain to A memory.
    """

    def __init__(self, config: BuildConfig) -> None:
        self.finish = TileFinish()
        self.drained = DrainedWord(config)
        self.numerators = WritePort(config.rows * INT8_BITS)
        self.branch = WritePort(config.rows * INT8_BITS)
