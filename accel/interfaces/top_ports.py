"""Every signal at the accelerator's boundary, in one place.

``memory_ports``, ``tap_fields`` and the constants say what exists; ``TopPorts`` makes the signals, and its ``table``
lists them as the converted HDL names them. The top, the C++ harness and the MyHDL engine derive from here.
The contract in words is ``docs/interface.md``.
"""

from dataclasses import dataclass

from myhdl import ResetSignal, Signal

from radit.accel.config import BuildConfig
from radit.accel.interfaces.conditioning import BEAT_BITS
from radit.accel.interfaces.signals import DIM_BITS, word
from radit.accel.interfaces.streams import Command, ReadChannel, Stream, Tap, Taps, WriteChannel
from radit.accel.interfaces.tile_command import KIND_BITS
from radit.model.formats import CODE_BITS, COUNT_BITS, INT8_BITS, PARAM_BITS, SLOPE_BITS, WIDE_BITS, X_BITS

REGISTER_ADDRESS_BITS = 9
REGISTER_DATA_BITS = 32
HOST_INPUTS = ("clk", "aresetn", "reg_write", "reg_addr", "reg_wdata")
STREAM_WORDS = (
    X_BITS // INT8_BITS
)  # words of a cache port to a word of the residual stream; the hardware takes it for two
RESET_CYCLES = 32  # aresetn stays low so long: the pipelines have no reset, they run empty meanwhile


@dataclass(frozen=True)
class MemoryPort:
    """A port that speaks (address, length) -> stream, counted in words of ``bits``."""

    name: str
    is_write: bool
    bits: int

    @property
    def word_bytes(self) -> int:
        return -(-self.bits // 8)


@dataclass(frozen=True)
class Field:
    """A field of a trace tap: ``lanes`` values of ``lane_bits``, lane 0 lowest."""

    name: str
    lanes: int
    lane_bits: int
    is_signed: bool

    @property
    def bits(self) -> int:
        return self.lanes * self.lane_bits


@dataclass(frozen=True)
class Port:
    """One signal of the converted top; ``direction`` ("in" or "out") as the accelerator sees it."""

    name: str
    direction: str
    bits: int


def memory_ports(config: BuildConfig) -> tuple[MemoryPort, ...]:
    """The external memories, in the order in which engines number them."""
    ports = (
        MemoryPort("weight", False, INT8_BITS * config.wide * config.products),
        MemoryPort("mod", False, BEAT_BITS),
        MemoryPort("param", False, PARAM_BITS),
        MemoryPort("cache_rd", False, INT8_BITS * config.rows),
        MemoryPort("prev_rd", False, INT8_BITS * config.rows),
        MemoryPort("hist_rd", False, CODE_BITS * config.rows),
        MemoryPort("cache_wr", True, INT8_BITS * config.rows),
        MemoryPort("hist_wr", True, CODE_BITS * config.rows),
    )
    return (*ports, MemoryPort("prompt", False, INT8_BITS * config.rows)) if config.max_text else ports


def tap_fields(config: BuildConfig) -> dict[str, tuple[Field, ...]]:
    """The trace taps and their fields."""
    rows = config.rows
    return {
        "drain": (Field("kind", 1, KIND_BITS, False), Field("data", rows, WIDE_BITS, True)),
        "prob": (Field("data", rows, INT8_BITS, False),),
        "x": (Field("data", rows, X_BITS, True),),
        "act": (Field("data", rows, INT8_BITS, True),),
        "decide": (
            Field("index", 1, DIM_BITS, False),
            Field("count", 1, COUNT_BITS, False),
            Field("reuse", 1, 1, False),
            Field("slope", 1, SLOPE_BITS, False),
        ),
        "advance": (Field("sub_block", 1, DIM_BITS, False),),
    }


class RegisterPort:
    """The host's access to the registers.

    write: flag, write ``wdata`` (32 bit) to ``addr`` (9 bit); without it, read. Driven by the host.
    rdata: 32 bit, what was read, one cycle after ``addr``; driven by the register file.
    """

    def __init__(self) -> None:
        self.write = word(1)
        self.addr = word(REGISTER_ADDRESS_BITS)
        self.wdata = word(REGISTER_DATA_BITS)
        self.rdata = word(REGISTER_DATA_BITS)


class RunPort:
    """What happens to timesteps, besides ``busy``; driven by the accelerator.

    starts: flag, a pulse, one begins: x is wanted. fails: flag, a pulse, ``status`` has something to tell. aborts:
    flag, one is being ended: the accelerator is in reset and leaves its ports alone.
    """

    def __init__(self) -> None:
        self.starts = word(1)
        self.fails = word(1)
        self.aborts = word(1)


class MasterPorts:
    """The streams that the accelerator produces: it drives all but ``tready``.

    weight_cmd, mod_cmd, param_cmd, cache_rd_cmd, prev_rd_cmd, hist_rd_cmd: Commands of the ports that read.
    cache_wr_cmd, hist_wr_cmd: Commands of the ports that write; cache_wr, hist_wr: Streams, their words.
    x: Stream of R x 16 bit, to the host. prompt_cmd: Command of a port that reads, in builds with text.
    """

    def __init__(self, config: BuildConfig) -> None:
        bits = {port.name: port.bits for port in memory_ports(config)}
        self.weight_cmd = Command()
        self.mod_cmd = Command()
        self.param_cmd = Command()
        self.cache_rd_cmd = Command()
        self.prev_rd_cmd = Command()
        self.hist_rd_cmd = Command()
        self.cache_wr_cmd = Command()
        self.cache_wr = Stream(bits["cache_wr"])
        self.hist_wr_cmd = Command()
        self.hist_wr = Stream(bits["hist_wr"])
        self.x = Stream(config.rows * X_BITS)
        if config.max_text:
            self.prompt_cmd = Command()


class SlavePorts:
    """The streams that the accelerator consumes: it drives ``tready`` only.

    weight, mod, param, cache_rd, prev_rd, hist_rd, and prompt in builds with text: Streams, the words of the ports that
    read. x: Stream of R x 16 bit, from the host.
    """

    def __init__(self, config: BuildConfig) -> None:
        bits = {port.name: port.bits for port in memory_ports(config)}
        self.weight = Stream(bits["weight"])
        self.mod = Stream(bits["mod"])
        self.param = Stream(bits["param"])
        self.cache_rd = Stream(bits["cache_rd"])
        self.prev_rd = Stream(bits["prev_rd"])
        self.hist_rd = Stream(bits["hist_rd"])
        self.x = Stream(config.rows * X_BITS)
        if config.max_text:
            self.prompt = Stream(bits["prompt"])


class MemoryChannels:
    """The same ports by what they are for, commands and words together; drivers are named in each part.

    weight, conditioning, params: ReadChannels of weights, of header and vectors, of requantization parameters.
    cache_latest, cache_before: ReadChannels of the cache: latest results, and those before them. cache_write:
    WriteChannel of the cache. history_read: ReadChannel, history_write: WriteChannel of the code history.
    x_in, x_out: Streams from and to the host. prompt: ReadChannel of keys and values, in builds with text.
    """

    def __init__(self, m: MasterPorts, s: SlavePorts, config: BuildConfig) -> None:
        self.weight = ReadChannel(m.weight_cmd, s.weight)
        self.conditioning = ReadChannel(m.mod_cmd, s.mod)
        self.params = ReadChannel(m.param_cmd, s.param)
        self.cache_latest = ReadChannel(m.cache_rd_cmd, s.cache_rd)
        self.cache_before = ReadChannel(m.prev_rd_cmd, s.prev_rd)
        self.cache_write = WriteChannel(m.cache_wr_cmd, m.cache_wr)
        self.history_read = ReadChannel(m.hist_rd_cmd, s.hist_rd)
        self.history_write = WriteChannel(m.hist_wr_cmd, m.hist_wr)
        self.x_in = s.x
        self.x_out = m.x
        if config.max_text:
            self.prompt = ReadChannel(m.prompt_cmd, s.prompt)


class TopPorts:
    """All signals of the top for one build; ``radit_top(config, **ports.arguments())`` connects them.

    clk: flag. aresetn: reset, active low. Driven by the host.
    reg: RegisterPort. busy: flag, from the write of START to the end of the timestep; driven by the accelerator.
    run: RunPort. m: MasterPorts. s: SlavePorts. trace: Taps, observation only, driven by the accelerator.
    The converted HDL joins the names: ``reg_write``, ``m_weight_cmd_taddr``, ``s_weight_tdata``, ``trace_x_valid``.
    """

    def __init__(self, config: BuildConfig) -> None:
        self.clk = word(1)
        self.aresetn = ResetSignal(0, active=0, isasync=False)
        self.reg = RegisterPort()
        self.busy = word(1)
        self.run = RunPort()
        self.m = MasterPorts(config)
        self.s = SlavePorts(config)
        taps = tap_fields(config)
        self.trace = Taps({name: Tap({f.name: f.bits for f in fields}) for name, fields in taps.items()})

    def arguments(self) -> dict[str, object]:
        """The top's arguments by name, without the config."""
        return vars(self)

    def signals(self) -> dict[str, Signal]:
        """Every signal by the name it has in the converted HDL."""
        return dict(flattened(self.arguments()))

    def table(self) -> tuple[Port, ...]:
        """Name, direction and width of every signal of the converted top."""
        return tuple(Port(name, _direction(name), len(signal) or 1) for name, signal in self.signals().items())


def _direction(name: str) -> str:
    """Of a signal, by its converted name."""
    is_ready = name.endswith("_tready")
    is_input = name in HOST_INPUTS or (name.startswith("m_") and is_ready) or (name.startswith("s_") and not is_ready)
    return "in" if is_input else "out"


def flattened(members, prefix=""):
    """Every signal in the ports of a top, with the name that it has in the converted HDL."""
    for name, member in members.items():
        if hasattr(member, "val"):  # a signal; an interface has no value of its own
            yield prefix + name, member
        else:
            yield from flattened(vars(member), f"{prefix}{name}_")
