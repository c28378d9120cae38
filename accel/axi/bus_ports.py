"""Signals of the wrapper: its AXI4 master, its AXI4-Lite subordinate, and what the parts inside agree on."""

from myhdl import ResetSignal

from radit.accel.axi.bus_config import BYTE_BITS, MOST_BEATS, BusConfig
from radit.accel.config import BuildConfig
from radit.accel.interfaces.signals import dim, flag, word
from radit.accel.interfaces.streams import LENGTH_BITS
from radit.accel.interfaces.top_ports import REGISTER_ADDRESS_BITS, REGISTER_DATA_BITS, Port, TopPorts, flattened

LENGTH_FIELD, SIZE_FIELD, KIND_FIELD, CACHE_FIELD, PROTECT_FIELD, RESPONSE_FIELD = 8, 3, 2, 4, 3, 2  # bits, AXI4
INCREMENT = 1  # arburst, awburst
BUFFERABLE = 3  # arcache, awcache: normal memory, not cached
ERROR_BIT, DECODE_BIT = 1, 0  # of a response: SLVERR is 2, DECERR 3
COUNT_BITS = MOST_BEATS.bit_length()
PORT_BITS = 4  # AXI ID
HOST_BITS = REGISTER_ADDRESS_BITS + 1  # register address with the wrapper's own
BYTE_ADDRESS_BITS = HOST_BITS + 2
STROBE_BITS = REGISTER_DATA_BITS // BYTE_BITS


# Signals that the wrapper does not drive.
INPUTS = {
    "m_axi": "awready wready bid bresp bvalid arready rid rdata rresp rlast rvalid".split(),
    "s_axil": "awaddr awvalid wdata wstrb wvalid bready araddr arvalid rready".split(),
}


class AxiMaster:
    """AXI4 to the memories.

    awid, awaddr, awlen, awsize, awburst, awcache, awprot, awvalid, wdata, wstrb, wlast, wvalid, bready; arid, araddr,
    arlen, arsize, arburst, arcache, arprot, arvalid, rready: driven by the wrapper.
    awready, wready, bid, bresp, bvalid; arready, rid, rdata, rresp, rlast, rvalid: driven by the memory.
    """

    def __init__(self, bus: BusConfig) -> None:
        for channel in ("aw", "ar"):
            setattr(self, f"{channel}id", word(PORT_BITS))
            setattr(self, f"{channel}addr", word(bus.address_bits))
            setattr(self, f"{channel}len", word(LENGTH_FIELD))
            setattr(self, f"{channel}size", word(SIZE_FIELD))
            setattr(self, f"{channel}burst", word(KIND_FIELD))
            setattr(self, f"{channel}cache", word(CACHE_FIELD))
            setattr(self, f"{channel}prot", word(PROTECT_FIELD))
            setattr(self, f"{channel}valid", flag())
            setattr(self, f"{channel}ready", flag())
        self.wdata = word(bus.data_bits)
        self.wstrb = word(bus.data_bytes)
        self.wlast, self.wvalid, self.wready = flag(), flag(), flag()
        self.bid, self.bresp = word(PORT_BITS), word(RESPONSE_FIELD)
        self.bvalid, self.bready = flag(), flag()
        self.rid, self.rdata, self.rresp = word(PORT_BITS), word(bus.data_bits), word(RESPONSE_FIELD)
        self.rlast, self.rvalid, self.rready = flag(), flag(), flag()


class AxiLite:
    """AXI4-Lite from the host, 32 bit.

    awaddr, awvalid, wdata, wstrb, wvalid, bready, araddr, arvalid, rready: driven by the host.
    awready, wready, bresp, bvalid, arready, rdata, rresp, rvalid: driven by the wrapper.
    """

    def __init__(self) -> None:
        self.awaddr, self.awvalid, self.awready = word(BYTE_ADDRESS_BITS), flag(), flag()
        self.wdata, self.wstrb = word(REGISTER_DATA_BITS), word(STROBE_BITS)
        self.wvalid, self.wready = flag(), flag()
        self.bresp, self.bvalid, self.bready = word(RESPONSE_FIELD), flag(), flag()
        self.araddr, self.arvalid, self.arready = word(BYTE_ADDRESS_BITS), flag(), flag()
        self.rdata, self.rresp = word(REGISTER_DATA_BITS), word(RESPONSE_FIELD)
        self.rvalid, self.rready = flag(), flag()


class Burst:
    """A burst that a bridge asks for.

    beat: address in beats; count: beats, 1 .. 256; valid: flag, held until ready. Driven by the bridge.
    ready: flag, driven by the channel that all bridges share.
    """

    def __init__(self, bus: BusConfig) -> None:
        self.beat = word(bus.beat_bits)
        self.count = word(COUNT_BITS)
        self.valid = flag()
        self.ready = flag()


class HostAccess:
    """An access of the host to a register.

    write: pulse, write ``wdata`` to ``addr``; without it, read. addr: word address, the wrapper's own in the upper
    half; wdata: 32 bit. Driven by the AXI4-Lite side.
    rdata: 32 bit, one cycle after ``addr``; refused: flag, this write would be left out. Driven by the registers.
    """

    def __init__(self) -> None:
        self.write = flag()
        self.addr = word(HOST_BITS)
        self.wdata = word(REGISTER_DATA_BITS)
        self.rdata = word(REGISTER_DATA_BITS)
        self.refused = flag()


class Fault:
    """A response that is an error.

    valid: pulse; port: AXI ID; decode: flag, DECERR, else SLVERR. Driven by the channels.
    """

    def __init__(self) -> None:
        self.valid = flag()
        self.port = word(PORT_BITS)
        self.decode = flag()


class Drain:
    """What the memory side does when a timestep is ended early.

    holds: flag, no burst is to be asked for any more; driven by the wrapper. quiet: flag, all that were asked for have
    come, or were answered; driven by the memory side, and of use while it holds.
    """

    def __init__(self) -> None:
        self.holds = flag()
        self.quiet = flag()


class XShape:
    """How much x is; the host's registers of the accelerator say so.

    contexts: how many; words: of each. Driven by the registers.
    """

    def __init__(self) -> None:
        self.contexts = dim()
        self.words = word(LENGTH_BITS)


class AxiTopPorts:
    """All signals of the wrapper for one build; ``radit_axi(config, bus, **ports.arguments())`` connects them.

    clk: flag. aresetn: reset, active low. s_axil: AxiLite. m_axi: AxiMaster. irq: flag, high while an enabled
    interrupt is pending, driven by the wrapper. trace: Taps of the accelerator inside.
    """

    def __init__(self, config: BuildConfig, bus: BusConfig) -> None:
        self.clk = flag()
        self.aresetn = ResetSignal(0, active=0, isasync=False)
        self.s_axil = AxiLite()
        self.m_axi = AxiMaster(bus)
        self.irq = flag()
        self.trace = TopPorts(config).trace

    def arguments(self) -> dict[str, object]:
        """The top's arguments by name, without the configurations."""
        return vars(self)

    def table(self) -> tuple[Port, ...]:
        """Name, direction and width of every signal of the converted top."""
        found = []
        for name, signal in flattened(self.arguments()):
            side, _, part = name.rpartition("_")
            is_input = name in ("clk", "aresetn") or part in INPUTS.get(side, ())
            found.append(Port(name, "in" if is_input else "out", len(signal) or 1))
        return tuple(found)
