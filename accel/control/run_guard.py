"""What may start, stop and end a run, and what the host is told of it.

While ``busy`` only ``control``, ``status`` and ``watchdog`` take writes, and of control's bits only those that clear
the counters and that abort. START waits for a check of the registers that is under way. An abort, or a watchdog that
ran out, resets everything but the registers and counters for as long as the pipelines need to run empty; then a new
image begins.
"""

from myhdl import ConcatSignal, always, always_comb, always_seq, block

from radit.accel.config import bits_for
from radit.accel.control.check_registers import checked_registers
from radit.accel.control.check_work import Verdict
from radit.accel.control.registers import (
    ABORT_BIT,
    ADDRESS,
    CLEAR_BIT,
    CODE,
    CODE_BITS,
    DONE_BIT,
    ERROR_BIT,
    NEW_IMAGE_BIT,
    PROGRESS,
    REGISTERS,
    START_BIT,
    built_events,
)
from radit.accel.interfaces.signals import flag, word
from radit.accel.interfaces.top_ports import REGISTER_ADDRESS_BITS, REGISTER_DATA_BITS, RESET_CYCLES

PLACES = 1 << bits_for(len(REGISTERS))  # of addresses that a register may have


class RegisterWrites:
    """Writes of registers, as ``stored_register`` takes them.

    write: flag, ``wdata`` goes to ``addr``; 32 and 9 bit. Driven by ``sort_writes``.
    """

    def __init__(self) -> None:
        self.write = flag()
        self.addr = word(REGISTER_ADDRESS_BITS)
        self.wdata = word(REGISTER_DATA_BITS)


class RunGuard:
    """What the parts of the guard tell each other.

    accepted: RegisterWrites that are allowed. start, new_image, clear, abort: flags, asked for in this cycle; they may
    be. refused: flag, a write is left out. changes: flag, a register that rules name is written. clears_done,
    clears_error: flags, the host clears them. Driven by ``sort_writes``.
    busy: flag, the accelerator is. waits: flag, START waits for the check. denied: flag, START comes to nothing.
    settles: flag, the cycle after a run. Driven by ``start_runs``.
    expires: flag, the watchdog has run out; driven by ``watch_progress``.
    resets: flag, the core is being reset; driven by ``reset_core``.
    done, error: flags; code: ``CODE_BITS``; place: register address; as in ``status``. Driven by ``keep_status``.
    verdict: Verdict.
    """

    def __init__(self) -> None:
        self.accepted = RegisterWrites()
        self.start, self.new_image, self.clear, self.abort, self.refused = (flag() for _ in range(5))
        self.changes, self.clears_done, self.clears_error = (flag() for _ in range(3))
        self.busy, self.waits, self.denied, self.settles = (flag() for _ in range(4))
        self.expires, self.resets = flag(), flag()
        self.done, self.error = flag(), flag()
        self.code, self.place = word(CODE_BITS), word(REGISTER_ADDRESS_BITS)
        self.verdict = Verdict()


@block
def sort_writes(reg, guard, config):
    """Which writes are allowed, and what they ask for. Combinational."""
    checked, FREE_END = checked_registers(config), PLACES
    CHECKED = tuple(int(name in checked) for name in REGISTERS) + (0,) * (PLACES - len(REGISTERS))
    FREE = tuple(int(each.while_busy) for each in REGISTERS.values()) + (0,) * (PLACES - len(REGISTERS))
    CONTROL, STATUS = ADDRESS["control"], ADDRESS["status"]
    START, NEW_IMAGE, CLEAR, ABORT, DONE, ERROR = (
        START_BIT, NEW_IMAGE_BIT, CLEAR_BIT, ABORT_BIT, DONE_BIT, ERROR_BIT
    )  # fmt: skip
    LOW = bits_for(PLACES)
    position, counts, is_free = word(LOW), flag(), flag()
    begins, commands, allowed = flag(), flag(), flag()

    @always_comb
    def locate():
        position.next = reg.addr[LOW:]

    @always_comb
    def look_up_checked():
        counts.next = CHECKED[position]

    @always_comb
    def look_up_free():
        is_free.next = FREE[position]

    @always_comb
    def judge():
        commands.next = reg.write and reg.addr == CONTROL
        begins.next = (reg.wdata[START] or reg.wdata[NEW_IMAGE]) and not reg.wdata[ABORT]
        allowed.next = not guard.busy or (is_free and reg.addr < FREE_END)

    @always_comb
    def sort():
        guard.accepted.write.next = reg.write and allowed
        guard.accepted.addr.next = reg.addr
        guard.accepted.wdata.next = reg.wdata
        guard.changes.next = reg.write and allowed and counts and reg.addr < FREE_END
        guard.refused.next = reg.write and (not allowed or (guard.busy and commands and begins))

    @always_comb
    def ask():
        guard.start.next = commands and begins and reg.wdata[START] and not guard.busy
        guard.new_image.next = commands and begins and reg.wdata[NEW_IMAGE] and not guard.busy
        guard.clear.next = commands and reg.wdata[CLEAR] and not reg.wdata[ABORT] and not (guard.busy and begins)
        guard.abort.next = commands and reg.wdata[ABORT]
        guard.clears_done.next = reg.write and reg.addr == STATUS and reg.wdata[DONE]
        guard.clears_error.next = reg.write and reg.addr == STATUS and reg.wdata[ERROR]

    return locate, look_up_checked, look_up_free, judge, sort, ask


@block
def start_runs(clk, aresetn, guard, clear, host, busy, run):
    """Start a timestep when its registers are checked, begin an image. clear: flag, a pulse, of the counters."""
    verdict = guard.verdict
    renews = flag()  # a reset of the core is over

    @always_seq(clk.posedge, reset=aresetn)
    def pulse():
        renews.next = guard.resets
        host.start.next = 0
        host.new_image.next = guard.new_image or (renews and not guard.resets)
        clear.next = guard.clear
        if guard.abort or guard.resets:
            guard.waits.next = 0
        elif guard.start or guard.waits:
            guard.waits.next = verdict.pending
            host.start.next = not verdict.pending and verdict.passes

    @always_seq(clk.posedge, reset=aresetn)
    def count_last_cycle():
        guard.settles.next = host.running

    @always_comb
    def deny():
        guard.denied.next = (
            (guard.start or guard.waits) and not verdict.pending and not verdict.passes and not guard.abort
        )

    @always_comb
    def be_busy():
        guard.busy.next = host.running or host.start or guard.settles or guard.waits or guard.resets

    @always_comb
    def report_busy():
        busy.next = guard.busy
        run.starts.next = host.start
        run.aborts.next = guard.resets

    return pulse, count_last_cycle, deny, be_busy, report_busy


@block
def reset_core(clk, aresetn, core_resetn, guard):
    """Keep the core in reset with ``aresetn``, and as long as its pipelines need after an abort or an expiry."""
    CYCLES = RESET_CYCLES + 1
    left = word(bits_for(CYCLES + 1))
    released = flag()

    @always_comb
    def join_resets():
        core_resetn.next = aresetn and released

    @always_seq(clk.posedge, reset=aresetn)
    def count():
        released.next = not guard.resets or left == 1
        if guard.resets:
            left.next = left - 1
            if left == 1:
                guard.resets.next = 0
        elif guard.abort or guard.expires:
            left.next = CYCLES
            guard.resets.next = 1

    return join_resets, count


@block
def watch_progress(clk, aresetn, guard, host, events, limit, config):
    """Tell when nothing has moved for ``limit`` cycles of a timestep; 0: never."""
    signs = ConcatSignal(*(getattr(events, name) for name in PROGRESS if name in built_events(config)))
    moves, still, armed = flag(), word(REGISTER_DATA_BITS), flag()

    @always(clk.posedge)
    def look():
        moves.next = signs != 0

    @always_comb
    def arm():
        armed.next = host.running and limit != 0 and not guard.resets

    @always_seq(clk.posedge, reset=aresetn)
    def count():
        guard.expires.next = 0
        if moves or not armed:
            still.next = 0
        elif still < limit:
            still.next = still + 1
        else:
            guard.expires.next = 1
            still.next = 0

    return look, arm, count


@block
def keep_status(clk, aresetn, reg, guard, host, run):
    """Whether a timestep has ended, and the first error since it was cleared."""
    BUSY, WATCHDOG, ABORTED = CODE["BUSY"], CODE["WATCHDOG"], CODE["ABORTED"]
    CONTROL, LIMIT = ADDRESS["control"], ADDRESS["watchdog"]
    verdict = guard.verdict
    fails = flag()
    code, place = word(CODE_BITS), word(REGISTER_ADDRESS_BITS)

    @always_comb
    def find():
        fails.next = 1
        code.next = ABORTED
        place.next = CONTROL
        if guard.denied:
            code.next = verdict.code
            place.next = verdict.place
        elif guard.expires and not guard.resets:
            code.next = WATCHDOG
            place.next = LIMIT
        elif guard.refused:
            code.next = BUSY
            place.next = reg.addr
        elif not (guard.abort and guard.busy and not guard.resets):
            fails.next = 0

    @always_seq(clk.posedge, reset=aresetn)
    def keep():
        run.fails.next = fails
        if guard.clears_done or host.start:
            guard.done.next = 0
        elif guard.settles and not host.running and not guard.resets:
            guard.done.next = 1
        if guard.clears_error:
            guard.error.next = 0
            guard.code.next = 0
            guard.place.next = 0
        if fails and (guard.clears_error or not guard.error):
            guard.error.next = 1
            guard.code.next = code
            guard.place.next = place

    return find, keep
