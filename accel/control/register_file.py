"""Registers and counters as the host sees them (``accel/control/registers.py`` is the map)."""

from typing import Any

from myhdl import ConcatSignal, Signal, always, always_comb, always_seq, block, intbv

from radit.accel.config import log2_exact
from radit.accel.control.check_registers import check_registers
from radit.accel.control.cycle_accounts import cycle_accounts
from radit.accel.control.registers import (
    ACCOUNT_BASE,
    ADDRESS,
    CONSTANTS,
    COUNTER_BITS,
    EVENTS,
    REGISTERS,
    build_constants,
    built_events,
    stored_registers,
)
from radit.accel.control.run_guard import (
    RunGuard,
    keep_status,
    reset_core,
    sort_writes,
    start_runs,
    watch_progress,
)
from radit.accel.interfaces.signals import flag, word
from radit.accel.interfaces.top_ports import REGISTER_ADDRESS_BITS, REGISTER_DATA_BITS
from radit.accel.units.lanes import signal_list


class RegisterValues:
    """One signal per register that the build keeps."""

    def __init__(self, config) -> None:
        for name in stored_registers(config):
            setattr(self, name, word(REGISTERS[name].bits))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no register {name}")


class Events:
    """One flag per event: high in every cycle that counts."""

    def __init__(self) -> None:
        for name in EVENTS:
            setattr(self, name, flag())


@block
def stored_register(clk, aresetn, reg, value, number):
    """One register, written at its address ``number``."""
    NUMBER = number
    BITS = len(value) or 1
    if BITS == 1:

        @always_seq(clk.posedge, reset=aresetn)
        def keep_bit():
            if reg.write:
                if reg.addr == NUMBER:
                    value.next = reg.wdata[0]

        return keep_bit

    @always_seq(clk.posedge, reset=aresetn)
    def keep_bits():
        if reg.write:
            if reg.addr == NUMBER:
                value.next = reg.wdata[BITS:]

    return keep_bits


@block
def event_counters(clk, clear, happens, position, shown):
    """One count per bit of ``happens``, of the cycles in which it is high, a cycle after them; ``shown`` is the one at
    ``position``, one cycle later."""
    COUNT = len(happens)
    counts = [Signal(intbv(0)[len(shown) :]) for _ in range(COUNT)]
    happened = word(COUNT)

    @always(clk.posedge)
    def keep():
        happened.next = 0
        if not clear:
            happened.next = happens

    @always(clk.posedge)
    def count():
        if clear:
            for i in range(COUNT):
                counts[i].next = 0
        else:
            for i in range(COUNT):
                if happened[i]:
                    counts[i].next = counts[i] + 1

    @always(clk.posedge)
    def show():
        if position < COUNT:
            shown.next = counts[position]

    return keep, count, show


@block
def close_gap(position, place, first, missing):
    """``place`` of the count at ``position`` among those that are built, where ``missing`` from number ``first`` on are
    not: for these a place that no count has. Combinational."""
    FIRST, BEHIND, MISSING, NOWHERE = first, first + missing, missing, (1 << len(place)) - 1

    @always_comb
    def shift():
        place.next = position
        if position >= BEHIND:
            place.next = position - MISSING
        elif position >= FIRST:
            place.next = NOWHERE

    return shift


@block
def read_counters(clk, reg, position, event_count, cycle_count, counted):
    """Half of one of the counts, which are those at ``position`` one cycle later; 0 where no counter is read. Counts of
    one word have no upper half: it reads as 0."""
    LAST = log2_exact(ACCOUNT_BASE) + 1  # of the address bits that number an event or an account, above the word's bit
    ACCOUNT_BIT, COUNTER_BIT = LAST, LAST + 1
    WORD, TOP = REGISTER_DATA_BITS, COUNTER_BITS
    high, of_account, of_counter = flag(), flag(), flag()

    @always_comb
    def locate_counter():
        position.next = reg.addr[LAST:1]

    @always(clk.posedge)
    def keep_address():
        high.next = reg.addr[0]
        of_account.next = reg.addr[ACCOUNT_BIT]
        of_counter.next = reg.addr[COUNTER_BIT]

    if len(event_count) <= REGISTER_DATA_BITS:

        @always_comb
        def answer_narrow():
            counted.next = 0
            if of_counter and not high:
                if of_account:
                    counted.next = cycle_count
                else:
                    counted.next = event_count

        return locate_counter, keep_address, answer_narrow

    @always_comb
    def answer_wide():
        counted.next = 0
        if of_counter and of_account:
            if high:
                counted.next = cycle_count[TOP:WORD]
            else:
                counted.next = cycle_count[WORD:]
        elif of_counter:
            if high:
                counted.next = event_count[TOP:WORD]
            else:
                counted.next = event_count[WORD:]

    return locate_counter, keep_address, answer_wide


@block
def counters(clk, clear, reg, host, events, account, counted, config):
    """Counters of events and of cycles by account, and ``counted``, what the host reads of them; a width above 0."""
    bits = config.counters
    position = word(log2_exact(ACCOUNT_BASE))
    event_count, cycle_count = word(bits), word(bits)
    built, place, gap = built_events(config), position, ()
    numbers = [tuple(EVENTS).index(name) for name in built]
    if numbers[-1] >= len(built):  # of two optional groups the first is missing
        first = next(place for place, number in enumerate(numbers) if place != number)
        place = word(len(position))
        gap = close_gap(position=position, place=place, first=first, missing=numbers[-1] + 1 - len(built))
    happens = ConcatSignal(*(getattr(events, name) for name in reversed(built)))
    counting = event_counters(clk=clk, clear=clear, happens=happens, position=place, shown=event_count)
    accounts = cycle_accounts(
        clk=clk, clear=clear, running=host.running, account=account, position=position, shown=cycle_count
    )
    reading = read_counters(
        clk=clk, reg=reg, position=position, event_count=event_count, cycle_count=cycle_count, counted=counted
    )
    return gap, counting, accounts, reading


@block
def show_register(reg, value, shown, number):
    """``value`` where the register of this number is read, else 0. Combinational."""
    NUMBER = number

    @always_comb
    def show():
        shown.next = 0
        if reg.addr == NUMBER:
            shown.next = value

    return show


@block
def show_status(reg, guard, shown):
    """The same of ``status``."""
    STATUS = ADDRESS["status"]
    verdict = guard.verdict
    joined = ConcatSignal(guard.place, guard.code, verdict.pending, guard.error, guard.done, guard.busy)

    @always_comb
    def show():
        shown.next = 0
        if reg.addr == STATUS:
            shown.next = joined

    return show


@block
def show_constants(reg, shown, config):
    """The same of the registers that tell what the build is, which are the last ones."""
    VALUES, FIRST = tuple(build_constants(config).values()), ADDRESS[CONSTANTS[0]]
    END = FIRST + len(VALUES)
    position, fixed = word(REGISTER_ADDRESS_BITS), word(REGISTER_DATA_BITS)

    @always_comb
    def locate():
        position.next = 0
        if FIRST <= reg.addr and reg.addr < END:
            position.next = reg.addr - FIRST

    @always_comb
    def look_up():
        fixed.next = VALUES[position]

    @always_comb
    def show():
        shown.next = 0
        if FIRST <= reg.addr and reg.addr < END:
            shown.next = fixed

    return locate, look_up, show


@block
def read_back(clk, reg, regs, guard, kept, config):
    """``kept``, what the host reads of registers, one cycle after the address; 0 elsewhere."""
    names = stored_registers(config)
    shown = signal_list(word, REGISTER_DATA_BITS, len(("status", "constants", *names)))
    COUNT, RANGE = len(shown), 1 << REGISTER_DATA_BITS
    status_shown, constant_shown, *others = shown
    status = show_status(reg=reg, guard=guard, shown=status_shown)
    constants = show_constants(reg=reg, shown=constant_shown, config=config)
    stored = [
        show_register(reg=reg, value=getattr(regs, name), shown=each, number=ADDRESS[name])
        for name, each in zip(names, others, strict=True)
    ]

    @always(clk.posedge)
    def look_up():
        found = intbv(0, min=0, max=RANGE)
        found[:] = 0
        for i in range(COUNT):
            found[:] = found | shown[i]
        kept.next = found

    return stored, status, constants, look_up


@block
def register_file(clk, aresetn, core_resetn, reg, busy, run, host, regs, events, account, config):
    """Write registers, read them back, status and counters; start timesteps, and end those that hang.

    core_resetn: reset of everything else. reg: RegisterPort. busy: flag, high from the write of START on until the
    counters are final. run: RunPort. account: where a cycle is booked while ``host.running``
    (``accel/control/cycle_accounts.py``).
    """
    guard, clear, kept, counted = RunGuard(), flag(), word(REGISTER_DATA_BITS), word(REGISTER_DATA_BITS)
    registers = [
        stored_register(
            clk=clk, aresetn=aresetn, reg=guard.accepted, value=getattr(regs, name), number=ADDRESS[name]
        )
        for name in stored_registers(config)
    ]  # fmt: skip
    sorting = sort_writes(reg=reg, guard=guard, config=config)
    starting = start_runs(clk=clk, aresetn=aresetn, guard=guard, clear=clear, host=host, busy=busy, run=run)
    resetting = reset_core(clk=clk, aresetn=aresetn, core_resetn=core_resetn, guard=guard)
    watching = watch_progress(
        clk=clk, aresetn=aresetn, guard=guard, host=host, events=events, limit=regs.watchdog, config=config
    )
    status = keep_status(clk=clk, aresetn=aresetn, reg=reg, guard=guard, host=host, run=run)
    checking = check_registers(
        clk=clk, aresetn=aresetn, restart=guard.changes, regs=regs, verdict=guard.verdict, config=config
    )
    reading = read_back(clk=clk, reg=reg, regs=regs, guard=guard, kept=kept, config=config)
    parts = registers, sorting, starting, resetting, watching, status, checking, reading
    if config.counters == 0:

        @always_comb
        def answer_kept():
            reg.rdata.next = kept

        return parts, answer_kept

    counting = counters(
        clk=clk, clear=clear, reg=reg, host=host, events=events, account=account, counted=counted, config=config
    )

    @always_comb
    def answer():
        reg.rdata.next = kept | counted

    return parts, counting, answer
