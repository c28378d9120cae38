"""Every signal at the accelerator's boundary, in one place.

``memory_ports``, ``trace_taps`` and the constants say what exists; ``TopPorts`` makes the signals, and ``table``
lists them as the converted HDL names them. The top, the C++ harness and the MyHDL engine derive from here.
The contract in words is ``docs/interface.md``.
"""

from dataclasses import dataclass

from myhdl import ResetSignal, Signal

from accel.config import BuildConfig
from accel.interfaces.conditioning import BEAT_BITS
from accel.interfaces.signals import DIM_BITS, word
from accel.interfaces.streams import Command, Stream, Tap, Taps
from accel.interfaces.tile_command import KIND_BITS
from model.formats import CODE_BITS, COUNT_BITS, ERROR_BITS, INT8_BITS, PARAM_BITS, SLOPE_BITS, WIDE_BITS, X_BITS

REGISTER_ADDRESS_BITS = 9
REGISTER_DATA_BITS = 32
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
    return (
        MemoryPort("weight", False, INT8_BITS * config.wide),
        MemoryPort("mod", False, BEAT_BITS),
        MemoryPort("param", False, PARAM_BITS),
        MemoryPort("cache_rd", False, INT8_BITS * config.rows),
        MemoryPort("prev_rd", False, INT8_BITS * config.rows),
        MemoryPort("hist_rd", False, CODE_BITS * config.rows),
        MemoryPort("cache_wr", True, INT8_BITS * config.rows),
        MemoryPort("hist_wr", True, CODE_BITS * config.rows),
    )


def trace_taps(config: BuildConfig) -> dict[str, tuple[Field, ...]]:
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
            Field("spent", 1, ERROR_BITS, False),
        ),
        "advance": (Field("sub_block", 1, DIM_BITS, False),),
    }


class TopPorts:
    """All signals of the top for one build.

    Attributes: ``clk``, ``aresetn``, ``reg_*``, ``busy``, for each read port ``m_<port>_cmd`` and ``s_<port>``, for
    each write port ``m_<port>_cmd`` and ``m_<port>``, the host's ``s_x`` and ``m_x``, and ``trace``.
    ``radit_top(config, **ports.arguments())`` connects them; the top names each argument explicitly, because
    MyHDL names the converted ports after the arguments.
    """

    s_x: Stream
    m_x: Stream

    def __init__(self, config: BuildConfig) -> None:
        self.config = config
        self.clk = word(1)
        self.aresetn = ResetSignal(0, active=0, isasync=False)
        self.reg_write = word(1)
        self.reg_addr = word(REGISTER_ADDRESS_BITS)
        self.reg_wdata = word(REGISTER_DATA_BITS)
        self.reg_rdata = word(REGISTER_DATA_BITS)
        self.busy = word(1)
        self._inputs = {"clk", "aresetn", "reg_write", "reg_addr", "reg_wdata"}
        for port in memory_ports(config):
            self._add_producer(f"m_{port.name}_cmd", Command())
            if port.is_write:
                self._add_producer(f"m_{port.name}", Stream(port.bits))
            else:
                self._add_consumer(f"s_{port.name}", Stream(port.bits))
        self._add_consumer("s_x", Stream(config.rows * X_BITS))
        self._add_producer("m_x", Stream(config.rows * X_BITS))
        taps = trace_taps(config)
        self.trace = Taps({name: Tap({f.name: f.bits for f in fields}) for name, fields in taps.items()})

    def _add_producer(self, name: str, stream: Stream | Command) -> None:
        setattr(self, name, stream)
        self._inputs.add(f"{name}_tready")

    def _add_consumer(self, name: str, stream: Stream) -> None:
        setattr(self, name, stream)
        self._inputs.update((f"{name}_tdata", f"{name}_tvalid"))

    def arguments(self) -> dict[str, object]:
        """The top's arguments by name, without the config."""
        return {name: value for name, value in vars(self).items() if name != "config" and not name.startswith("_")}

    def signals(self) -> dict[str, Signal]:
        """Every signal by the name it has in the converted HDL."""
        return dict(_flatten("", self.arguments()))

    def table(self) -> tuple[Port, ...]:
        """Name, direction and width of every signal of the converted top."""
        return tuple(
            Port(name, "in" if name in self._inputs else "out", len(signal) or 1)
            for name, signal in self.signals().items()
        )


def _flatten(prefix, members):
    for name, member in members.items():
        if hasattr(member, "val"):  # a signal; an interface has no value of its own
            yield prefix + name, member
        else:
            yield from _flatten(f"{prefix}{name}_", vars(member))
