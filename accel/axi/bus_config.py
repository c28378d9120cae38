"""Build-time parameters of the wrapper's AXI4 master, and which external memory every port uses."""

from __future__ import annotations

from dataclasses import dataclass

from radit.accel.config import BuildConfig, is_power_of_two, log2_exact
from radit.accel.interfaces.top_ports import memory_ports
from radit.model.errors import UserError
from radit.model.formats import X_BITS

BYTE_BITS = 8
FEWEST_DATA_BITS, MOST_DATA_BITS = 64, 512
FEWEST_ADDRESS_BITS, MOST_ADDRESS_BITS = 32, 64
MOST_BEATS = 256  # of a burst, AXI4
BOUNDARY_BYTES = 4096  # that no burst crosses, AXI4
PAGE_BYTES = 256  # memories begin at multiples: the widest word of a port has as many, and no bus is wider
MOST_LATENCY = 1024

# The external memories in the order of their base registers; ports not named here use a memory of their own name.
MEMORY_OF = {
    "cache_rd": "cache", "prev_rd": "cache", "cache_wr": "cache",
    "hist_rd": "history", "hist_wr": "history",
}  # fmt: skip
X_IN, X_OUT = "x_in", "x_out"
LAST_SERVED = "weight"  # reads ahead the furthest


@dataclass(frozen=True)
class BusConfig:
    """One build of the AXI4 master.

    Fields:
        data_bits: of a beat, 64 to 512.
        address_bits: of a byte address, 32 to 64.
        burst: beats of the longest burst; a power of two from 2 to 256. Bursts end at multiples of their length.
        latency: cycles from a read's address to its data that the read buffers bridge at full speed.

    Raises:
        UserError: a value that no build can have.
    """

    data_bits: int = 256
    address_bits: int = 40
    burst: int = 16
    latency: int = 128

    def __post_init__(self) -> None:
        if not is_power_of_two(self.data_bits) or not FEWEST_DATA_BITS <= self.data_bits <= MOST_DATA_BITS:
            raise UserError(f"AXI data_bits is {self.data_bits}; use 64, 128, 256 or 512.")
        if not FEWEST_ADDRESS_BITS <= self.address_bits <= MOST_ADDRESS_BITS:
            raise UserError(f"AXI address_bits is {self.address_bits}; give a number from 32 to 64.")
        if not is_power_of_two(self.burst) or not 2 <= self.burst <= MOST_BEATS:
            raise UserError(f"AXI burst is {self.burst}; use a power of two from 2 to 256 beats.")
        if not 1 <= self.latency <= MOST_LATENCY:
            raise UserError(f"AXI latency is {self.latency}; give 1 to {MOST_LATENCY} cycles.")

    @property
    def data_bytes(self) -> int:
        """Bytes of a beat."""
        return self.data_bits // BYTE_BITS

    @property
    def log_bytes(self) -> int:
        """Bits of a byte address that lie inside a beat."""
        return log2_exact(self.data_bytes)

    @property
    def beat_bits(self) -> int:
        """Width of an address in beats."""
        return self.address_bits - self.log_bytes

    @property
    def page_bits(self) -> int:
        """Width of an address in pages."""
        return self.address_bits - log2_exact(PAGE_BYTES)

    @property
    def burst_beats(self) -> int:
        """Beats of the longest burst: aligned to its length, none crosses 4 KiB."""
        return min(self.burst, BOUNDARY_BYTES // self.data_bytes)

    def read_room(self, word_bytes: int) -> int:
        """Beats of a read buffer: what a port takes during the latency, one word per cycle, and two bursts."""
        taken = -(-self.latency * min(word_bytes, self.data_bytes) // self.data_bytes)
        return 1 << (taken + 2 * self.burst_beats - 1).bit_length()

    @property
    def write_room(self) -> int:
        """Beats of a write buffer: the burst that leaves and the one that comes together."""
        return 2 * self.burst_beats


@dataclass(frozen=True)
class BridgedPort:
    """A port of the accelerator behind the master.

    Fields:
        name: of the port; its signals are ``m_<name>_cmd`` and ``s_<name>`` or ``m_<name>``, of x the streams alone.
        memory: that it reads or writes, which has a base register.
        word_bytes: a power of two.
        number: AXI ID, among reads or among writes; the lower is served first.
    """

    name: str
    memory: str
    word_bytes: int
    number: int


def bridged_ports(config: BuildConfig, is_write: bool) -> tuple[BridgedPort, ...]:
    """The ports that read, or those that write, in the order in which they are served; x first."""
    words = {port.name: port.word_bytes for port in memory_ports(config) if port.is_write == is_write}
    names = sorted(words, key=lambda name: name == LAST_SERVED)
    x_name, x_bytes = X_OUT if is_write else X_IN, config.rows * X_BITS // BYTE_BITS
    found = {x_name: x_bytes} | {name: words[name] for name in names}
    return tuple(
        BridgedPort(name, MEMORY_OF.get(name, name), size, number) for number, (name, size) in enumerate(found.items())
    )


def memories(config: BuildConfig) -> tuple[str, ...]:
    """The external memories, each with a base address."""
    ports = [*bridged_ports(config, is_write=False), *bridged_ports(config, is_write=True)]
    return tuple(dict.fromkeys(port.memory for port in ports))
