"""The wrapper's registers, and the way through to the accelerator's (``bus_registers.py`` is the list)."""

from myhdl import ConcatSignal, Signal, always_comb, always_seq, block

from radit.accel.axi.bus_config import memories
from radit.accel.axi.bus_registers import (
    CODE,
    DONE_BIT,
    ERROR_BITS,
    FAULT_BIT,
    INTERRUPTS,
    PAGE_SHIFT,
    PORT_PLACE,
    WRITE_PLACE,
    bus_registers,
    constant_values,
)
from radit.accel.control.register_file import stored_register
from radit.accel.control.registers import ABORT_BIT, ADDRESS
from radit.accel.interfaces.signals import bit_set, flag, word
from radit.accel.interfaces.top_ports import REGISTER_ADDRESS_BITS, REGISTER_DATA_BITS
from radit.accel.units.lanes import signal_list


class RunState:
    """What the registers and the rest of the wrapper tell each other.

    busy: flag, until everything is written; ended: pulse, busy has fallen after a timestep. Driven by the top.
    """

    def __init__(self) -> None:
        self.busy = flag()
        self.ended = flag()


class Places:
    """Numbers of the wrapper's registers, of one build.

    Fields:
        constants: values of the first ones.
        number: of every register by name.
        first_base: number of the first base address; only base addresses follow.
    """

    def __init__(self, config, bus) -> None:
        self.constants = constant_values(config, bus)
        self.number = {name: position for position, name in enumerate(bus_registers(config))}
        self.first_base = self.number[low_name(memories(config)[0])]
        self.values = signal_list(word, REGISTER_DATA_BITS, len(self.number) - len(self.constants))

    def value(self, name: str) -> Signal:
        """What a register reads as."""
        return self.values[self.number[name] - len(self.constants)]


def low_name(memory: str) -> str:
    """The register with the lower half of a memory's base address."""
    return f"{memory}_base_low"


def high_name(memory: str) -> str:
    """The register with the upper half."""
    return f"{memory}_base_high"


@block
def host_registers(clk, aresetn, host, reg, run, fails, shape, faults, pages, irq, config, bus):
    """Answer the host.

    host: HostAccess. reg: RegisterPort of the accelerator; fails: flag, it has something to tell. run: RunState.
    shape: XShape. faults: Fault of the reads and of the writes. pages: by memory, where it begins. irq: flag, an
    enabled interrupt is pending.
    """
    places = Places(config, bus)
    ours, misplaced = flag(), flag()
    passing = pass_registers(
        clk=clk, aresetn=aresetn, host=host, reg=reg, run=run, shape=shape, ours=ours, misplaced=misplaced,
        places=places,
    )  # fmt: skip
    bases = [
        memory_base(
            clk=clk, aresetn=aresetn, host=host, ours=ours, page=page, low=places.value(low_name(memory)),
            high=places.value(high_name(memory)), number=places.number[low_name(memory)],
        )
        for memory, page in pages.items()
    ]  # fmt: skip
    interrupting = interrupts(
        clk=clk, aresetn=aresetn, host=host, ours=ours, run=run, fails=fails, misplaced=misplaced, faults=faults,
        irq=irq, places=places,
    )  # fmt: skip
    reading = read_back(clk=clk, aresetn=aresetn, host=host, reg=reg, ours=ours, places=places)
    return passing, bases, interrupting, reading


@block
def pass_registers(clk, aresetn, host, reg, run, shape, ours, misplaced, places):
    """The accelerator's registers, which cannot be written while busy, nor can base addresses; but an abort can, and
    so can status and watchdog.

    ours: flag, the register is the wrapper's. misplaced: flag, a base address would not be a page's.
    """
    OURS, ADDRESS_END, ABORT = REGISTER_ADDRESS_BITS, REGISTER_ADDRESS_BITS, ABORT_BIT
    CONTROL, STATUS, WATCHDOG = (ADDRESS[name] for name in ("control", "status", "watchdog"))
    FIRST_BASE, PAGE = places.first_base, PAGE_SHIFT
    is_base, is_free = flag(), flag()
    contexts = stored_register(clk=clk, aresetn=aresetn, reg=reg, value=shape.contexts, number=ADDRESS["contexts"])
    words = stored_register(clk=clk, aresetn=aresetn, reg=reg, value=shape.words, number=ADDRESS["sub_block_words"])

    @always_comb
    def locate():
        ours.next = host.addr[OURS]
        is_base.next = host.addr[OURS] and host.addr[ADDRESS_END:] >= FIRST_BASE
        is_free.next = host.addr == STATUS or host.addr == WATCHDOG or (host.addr == CONTROL and host.wdata[ABORT])

    @always_comb
    def judge():
        misplaced.next = is_base and not host.addr[0] and host.wdata[PAGE:] != 0
        host.refused.next = (run.busy and (is_base or not ours) and not is_free) or misplaced

    @always_comb
    def forward():
        reg.addr.next = host.addr[ADDRESS_END:]
        reg.wdata.next = host.wdata
        reg.write.next = host.write and not ours and not host.refused

    return contexts, words, locate, judge, forward


@block
def memory_base(clk, aresetn, host, ours, page, low, high, number):
    """A memory's base address: two registers from ``number`` on, and the page that it is."""
    LOW, HIGH, ADDRESS_END = number, number + 1, REGISTER_ADDRESS_BITS
    PAGE, WORD = PAGE_SHIFT, REGISTER_DATA_BITS
    LOW_BITS = WORD - PAGE
    HIGH_BITS = len(page) - LOW_BITS
    lower = word(LOW_BITS)

    @always_seq(clk.posedge, reset=aresetn)
    def keep_low():
        if host.write and ours and not host.refused and host.addr[ADDRESS_END:] == LOW:
            lower.next = host.wdata[WORD:PAGE]

    @always_comb
    def show_low():
        low.next = lower << PAGE

    if HIGH_BITS == 0:

        @always_comb
        def join_low():
            page.next = lower

        @always_seq(clk.posedge, reset=aresetn)
        def show_nothing():
            high.next = 0

        return keep_low, show_low, join_low, show_nothing

    upper = bit_set(HIGH_BITS)
    joined = ConcatSignal(upper, lower)

    @always_seq(clk.posedge, reset=aresetn)
    def keep_high():
        if host.write and ours and not host.refused and host.addr[ADDRESS_END:] == HIGH:
            upper.next = host.wdata[HIGH_BITS:]

    @always_comb
    def join_both():
        page.next = joined
        high.next = upper

    return keep_low, show_low, keep_high, join_both


@block
def interrupts(clk, aresetn, host, ours, run, fails, misplaced, faults, irq, places):
    """The first error since its interrupt was cleared, and what is pending. fails: flag, the accelerator has one."""
    ADDRESS_END, WAYS = REGISTER_ADDRESS_BITS, INTERRUPTS
    ENABLE, STATUS = places.number["irq_enable"], places.number["irq_status"]
    DONE, FAULT = DONE_BIT, FAULT_BIT
    enable, pending, clears = word(INTERRUPTS), word(INTERRUPTS), word(INTERRUPTS)
    error, found = word(ERROR_BITS), word(ERROR_BITS)
    wrong, enables = flag(), flag()
    busy_value, enable_value = places.value("run_status"), places.value("irq_enable")
    status_value, error_value = places.value("irq_status"), places.value("error")

    finding = find_error(host=host, misplaced=misplaced, faults=faults, fails=fails, wrong=wrong, found=found)

    @always_comb
    def address():
        enables.next = host.write and ours and host.addr[ADDRESS_END:] == ENABLE
        clears.next = 0
        if host.write and ours and host.addr[ADDRESS_END:] == STATUS:
            clears.next = host.wdata[WAYS:]

    @always_seq(clk.posedge, reset=aresetn)
    def keep():
        if enables:
            enable.next = host.wdata[WAYS:]
        pending.next = pending & ~clears
        if clears[FAULT]:
            error.next = 0
        if run.ended:
            pending.next[DONE] = 1
        if wrong:
            pending.next[FAULT] = 1
            if clears[FAULT] or not pending[FAULT]:
                error.next = found

    @always_comb
    def show():
        irq.next = (pending & enable) != 0
        busy_value.next = run.busy
        enable_value.next = enable
        status_value.next = pending
        error_value.next = error

    return finding, address, keep, show


@block
def find_error(host, misplaced, faults, fails, wrong, found):
    """Whether something goes wrong in this cycle, and its code; of several, one. Combinational."""
    reads, writes = faults
    SLVERR, DECERR, BUSY, BASE, INSIDE = (CODE[name] for name in ("SLVERR", "DECERR", "BUSY", "BASE", "INSIDE"))
    WRITTEN, PORT = 1 << WRITE_PLACE, PORT_PLACE

    @always_comb
    def find():
        wrong.next = 1
        found.next = 0
        if reads.valid:
            found.next = (reads.port << PORT) | SLVERR
            if reads.decode:
                found.next = (reads.port << PORT) | DECERR
        elif writes.valid:
            found.next = (writes.port << PORT) | WRITTEN | SLVERR
            if writes.decode:
                found.next = (writes.port << PORT) | WRITTEN | DECERR
        elif host.write and misplaced:
            found.next = WRITTEN | BASE
        elif host.write and host.refused:
            found.next = WRITTEN | BUSY
        elif fails:
            found.next = INSIDE
        else:
            wrong.next = 0

    return find


@block
def read_back(clk, aresetn, host, reg, ours, places):
    """What the host reads, one cycle after the address."""
    ADDRESS_END, CONSTANTS = REGISTER_ADDRESS_BITS, places.constants
    FIRST, COUNT = len(places.constants), len(places.values)
    values = places.values
    position, fixed = word(REGISTER_ADDRESS_BITS), word(REGISTER_DATA_BITS)
    own, was_ours = word(REGISTER_DATA_BITS), flag()

    @always_comb
    def find_constant():
        position.next = 0
        if host.addr[ADDRESS_END:] < FIRST:
            position.next = host.addr[ADDRESS_END:]

    @always_comb
    def read_constant():
        fixed.next = CONSTANTS[position]

    @always_seq(clk.posedge, reset=aresetn)
    def look_up():
        was_ours.next = ours
        own.next = 0
        if host.addr[ADDRESS_END:] < FIRST:
            own.next = fixed
        for i in range(COUNT):
            if host.addr[ADDRESS_END:] == FIRST + i:
                own.next = values[i]

    @always_comb
    def answer():
        if was_ours:
            host.rdata.next = own
        else:
            host.rdata.next = reg.rdata

    return find_constant, read_constant, look_up, answer
