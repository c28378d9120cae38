"""Who starts whom: the host the timestep, the timestep's sequencer everything else."""

from radit.accel.interfaces.signals import address, dim, flag


class HostControl:
    """The host and the accelerator as a whole.

    start: flag, a pulse, run a timestep. new_image: flag, a pulse, forget cached results. Driven by the register file.
    running: flag, from the start until everything is written; driven by the timestep sequencer.
    """

    def __init__(self) -> None:
        self.start = flag()
        self.new_image = flag()
        self.running = flag()


class Progress:
    """Where the timestep stands; driven by the timestep sequencer, stable during a pass and an engine's run.

    sub_block: dim, the current one; ``regs.sub_blocks`` in the last pass. odd_block: flag, its block's number is odd.
    attention: flag, it is attention; crosses: flag, it is cross-attention, in builds with text; else it is MLP.
    first_pass: flag, x comes from the host. last_pass: flag, x goes to the host.
    follows: flag, it is decided before its pass, without codes. adds_only: flag, no context computes it: its pass adds
    the branch of the one before, and no more.
    offset: address of its context 0 in a slot of the cache and in the history. offset_before: the same, of the
    sub-block before.
    advances: flag, a pulse, it is over: nothing of it is on its way any more.
    """

    def __init__(self) -> None:
        self.sub_block = dim()
        self.odd_block = flag()
        self.attention = flag()
        self.crosses = flag()
        self.first_pass = flag()
        self.last_pass = flag()
        self.follows = flag()
        self.adds_only = flag()
        self.offset = address()
        self.offset_before = address()
        self.advances = flag()


class StepMode:
    """What the policy makes of this timestep and pass; driven by ``step_mode``.

    first_step: flag, the first timestep of an image: there is no history yet.
    stream_scope: flag, the first sub-block decides for its context's timestep; the residual stream is cached.
    differs: flag, with it: odd contexts cache and forecast their difference to the context before.
    compares: flag, the pass encodes and compares. with_history: flag, it compares with codes of an earlier timestep.
    """

    def __init__(self) -> None:
        self.first_step = flag()
        self.stream_scope = flag()
        self.differs = flag()
        self.compares = flag()
        self.with_history = flag()


class PassControl:
    """The streaming pass.

    begin: flag, a pulse: the decisions of the sub-block before become those that the pass reuses.
    start: flag, a pulse, one cycle later or more: words may move. Driven by the timestep sequencer.
    done: flag, a pulse, the last word has left the pass; driven by the pass.
    running: flag, from ``begin`` to ``done``: A memory is the pass's; driven by ``step_mode``.
    """

    def __init__(self) -> None:
        self.begin = flag()
        self.start = flag()
        self.done = flag()
        self.running = flag()


class FollowControl:
    """The decisions of a sub-block that follows the one before it: before its pass, all contexts in turn.

    start: flag, a pulse, decide; driven by the timestep sequencer. done: flag, a pulse; driven by the skip controller.
    """

    def __init__(self) -> None:
        self.start = flag()
        self.done = flag()


class ConditioningControl:
    """The conditioning, fetched one sub-block ahead.

    fetch: flag, a pulse, load from ``base`` into ``half``. base: address in the port's memory. half: flag, the half of
    the conditioning memories that is to be loaded. current_half: flag, the half that belongs to this pass.
    take: flag, a pulse, the loaded header becomes current. Driven by the timestep sequencer.
    loaded: flag, from the end of a load to the next fetch; driven by ``conditioning``.
    """

    def __init__(self) -> None:
        self.fetch = flag()
        self.base = address()
        self.half = flag()
        self.current_half = flag()
        self.take = flag()
        self.loaded = flag()


class OperandFetch:
    """What a computing sub-block fetches: weights and requantization parameters; driven by the timestep sequencer.

    start: flag, a pulse. weight_addr: address of the sub-block's first word; weight_words: address, how many.
    param_addr: address of its first entry; param_entries: dim, how many. They stand still from the start to the next.
    """

    def __init__(self) -> None:
        self.start = flag()
        self.weight_addr = address()
        self.weight_words = address()
        self.param_addr = address()
        self.param_entries = dim()


class PromptFetch:
    """Keys and values of the prompt, which come while the cross-attention's q is computed.

    start: flag, a pulse, with the engine's. base: address of context 0's first word. Driven by the timestep sequencer.
    busy: flag, from the cycle behind the start until all words are in memory; driven by ``prompt_loader``.
    """

    def __init__(self) -> None:
        self.start = flag()
        self.base = address()
        self.busy = flag()


class EngineControl:
    """The engine of a sub-block.

    start: flag, a pulse; driven by the timestep sequencer. done: flag, a pulse; driven by the engines.
    """

    def __init__(self) -> None:
        self.start = flag()
        self.done = flag()


class WriteBack:
    """What leaves for the external memories beside the engine's work.

    start_history: flag, a pulse, write the codes of the contexts that compute; driven by the timestep sequencer.
    history_idle: flag, all codes are written; driven by ``history_ports``.
    cache_idle: flag, all results are written. cache_room: flag, one more branch tile fits. Driven by ``cache_writer``.
    """

    def __init__(self) -> None:
        self.start_history = flag()
        self.history_idle = flag()
        self.cache_idle = flag()
        self.cache_room = flag()


class TimestepControl:
    """Everything that the timestep sequencer starts and waits for; drivers are named in each part.

    conditioning: ConditioningControl. streaming_pass: PassControl. follow: FollowControl. fetch: OperandFetch.
    engine: EngineControl. write_back: WriteBack. prompt: PromptFetch, in builds with text.
    """

    def __init__(self) -> None:
        self.conditioning = ConditioningControl()
        self.streaming_pass = PassControl()
        self.follow = FollowControl()
        self.fetch = OperandFetch()
        self.engine = EngineControl()
        self.write_back = WriteBack()
        self.prompt = PromptFetch()
