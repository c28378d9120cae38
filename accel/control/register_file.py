"""Registers and counters as the host sees them (``accel/control/registers.py`` is the map)."""

from typing import Any

from myhdl import ConcatSignal, Signal, always, always_comb, always_seq, block, intbv

from radit.accel.config import log2_exact
from radit.accel.control.cycle_accounts import cycle_accounts
from radit.accel.control.registers import (
    ACCOUNT_BASE,
    ADDRESS,
    CLEAR_BIT,
    COUNTER_BITS,
    EVENTS,
    NEW_IMAGE_BIT,
    REGISTERS,
    START_BIT,
    built_events,
    stored_registers,
)
from radit.accel.interfaces.signals import flag, word
from radit.accel.interfaces.top_ports import REGISTER_DATA_BITS


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
def read_registers(clk, aresetn, reg, host, position, event_count, cycle_count):
    """Answer a read: the state, or a half of one of the counts, which are those at ``position`` one cycle later. Counts
    of one word have no upper half: it reads as 0."""
    STATUS = ADDRESS["status"]
    LAST = log2_exact(ACCOUNT_BASE) + 1  # of the address bits that number an event or an account, above the word's bit
    ACCOUNT_BIT, COUNTER_BIT = LAST, LAST + 1
    WORD, TOP = REGISTER_DATA_BITS, COUNTER_BITS
    high, of_account, of_counter, state = flag(), flag(), flag(), flag()

    @always_comb
    def locate_counter():
        position.next = reg.addr[LAST:1]

    @always_seq(clk.posedge, reset=aresetn)
    def read_state():
        state.next = reg.addr == STATUS and host.running
        high.next = reg.addr[0]
        of_account.next = reg.addr[ACCOUNT_BIT]
        of_counter.next = reg.addr[COUNTER_BIT]

    if len(event_count) <= REGISTER_DATA_BITS:

        @always_comb
        def answer_narrow():
            reg.rdata.next = 0
            if not of_counter:
                reg.rdata.next = state
            elif not high and of_account:
                reg.rdata.next = cycle_count
            elif not high:
                reg.rdata.next = event_count

        return locate_counter, read_state, answer_narrow

    @always_comb
    def answer_read():
        reg.rdata.next = 0
        if not of_counter:
            reg.rdata.next = state
        elif of_account:
            if high:
                reg.rdata.next = cycle_count[TOP:WORD]
            else:
                reg.rdata.next = cycle_count[WORD:]
        elif high:
            reg.rdata.next = event_count[TOP:WORD]
        else:
            reg.rdata.next = event_count[WORD:]

    return locate_counter, read_state, answer_read


@block
def read_state_alone(clk, aresetn, reg, host):
    """Answer a read where there are no counters: the state; everything else reads as 0."""
    STATUS = ADDRESS["status"]
    state = flag()

    @always_seq(clk.posedge, reset=aresetn)
    def read_state():
        state.next = reg.addr == STATUS and host.running

    @always_comb
    def answer_read():
        reg.rdata.next = state

    return read_state, answer_read


@block
def counters(clk, aresetn, clear, reg, host, events, account, config):
    """Counters of events and of cycles by account, and what the host reads; none where their width is 0."""
    bits = config.counters
    if bits == 0:
        return read_state_alone(clk=clk, aresetn=aresetn, reg=reg, host=host)
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
    reading = read_registers(
        clk=clk, aresetn=aresetn, reg=reg, host=host, position=position, event_count=event_count,
        cycle_count=cycle_count,
    )  # fmt: skip
    return gap, counting, accounts, reading


@block
def register_file(clk, aresetn, reg, busy, host, regs, events, account, config):
    """Write registers, read back status and counters.

    reg: RegisterPort. busy: high from the write of START on until the counters are final. account: where a cycle is
    booked while ``host.running`` (``accel/control/cycle_accounts.py``).
    """
    CONTROL = ADDRESS["control"]
    clear, settles = flag(), flag()
    registers = [
        stored_register(clk=clk, aresetn=aresetn, reg=reg, value=getattr(regs, name), number=ADDRESS[name])
        for name in stored_registers(config)
    ]
    counting = counters(
        clk=clk, aresetn=aresetn, clear=clear, reg=reg, host=host, events=events, account=account, config=config
    )

    @always_seq(clk.posedge, reset=aresetn)
    def pulse_control():
        host.start.next = 0
        host.new_image.next = 0
        clear.next = 0
        if reg.write and reg.addr == CONTROL:
            host.start.next = reg.wdata[START_BIT]
            host.new_image.next = reg.wdata[NEW_IMAGE_BIT]
            clear.next = reg.wdata[CLEAR_BIT]

    @always_seq(clk.posedge, reset=aresetn)
    def count_last_cycle():
        settles.next = host.running

    @always_comb
    def report_busy():
        busy.next = host.running or host.start or settles

    return registers, counting, pulse_control, count_last_cycle, report_busy
