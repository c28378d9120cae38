"""Registers and counters as the host sees them (``accel/control/registers.py`` is the map)."""

from typing import Any

from myhdl import ConcatSignal, Signal, always, always_comb, always_seq, block, intbv

from accel.config import log2_exact
from accel.control.cycle_accounts import cycle_accounts
from accel.control.registers import (
    ACCOUNT_BASE,
    ADDRESS,
    CLEAR_BIT,
    COUNTER_BITS,
    EVENTS,
    NEW_IMAGE_BIT,
    REGISTERS,
    START_BIT,
    STORED,
)
from accel.interfaces.signals import flag, word
from accel.interfaces.top_ports import REGISTER_DATA_BITS


class RegisterValues:
    """One signal per stored register."""

    def __init__(self) -> None:
        for name in STORED:
            setattr(self, name, word(REGISTERS[name].bits))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no register {name}")


class Events:
    """One flag per event: high in every cycle that counts."""

    def __init__(self) -> None:
        for name in EVENTS:
            setattr(self, name, flag())


@block
def stored_register(clk, aresetn, write, addr, wdata, value, number):
    """One register, written at its address."""
    NUMBER = number
    BITS = len(value) or 1
    if BITS == 1:

        @always_seq(clk.posedge, reset=aresetn)
        def keep_bit():
            if write:
                if addr == NUMBER:
                    value.next = wdata[0]

        return keep_bit

    @always_seq(clk.posedge, reset=aresetn)
    def keep():
        if write:
            if addr == NUMBER:
                value.next = wdata[BITS:]

    return keep


@block
def event_counters(clk, clear, happens, position, shown):
    """One count per bit of ``happens``, of the cycles in which it is high; ``shown`` is the one at ``position``,
    one cycle later."""
    COUNT = len(happens)
    counts = [Signal(intbv(0)[len(shown) :]) for _ in range(COUNT)]

    @always(clk.posedge)
    def count():
        if clear:
            for i in range(COUNT):
                counts[i].next = 0
        else:
            for i in range(COUNT):
                if happens[i]:
                    counts[i].next = counts[i] + 1

    @always(clk.posedge)
    def show():
        if position < COUNT:
            shown.next = counts[position]

    return count, show


@block
def register_file(
    clk, aresetn, reg_write, reg_addr, reg_wdata, reg_rdata, values, events, account, running, error, start,
    new_image,
):  # fmt: skip
    """Write registers, read back status and counters; START, NEW_IMAGE and CLEAR are pulses of the control register.

    account: where the cycle is booked while ``running`` (``accel/control/cycle_accounts.py``). error: of the error
        meter.
    """
    CONTROL, STATUS, ERROR = ADDRESS["control"], ADDRESS["status"], ADDRESS["error"]
    EVENT_BITS = log2_exact(ACCOUNT_BASE)
    LAST = EVENT_BITS + 1  # of the address bits that number an event or an account, above the word's bit
    ACCOUNT_BIT, COUNTER_BIT = LAST, LAST + 1
    WORD, TOP = REGISTER_DATA_BITS, COUNTER_BITS
    clear, high, of_account, of_counter = (flag() for _ in range(4))
    position = word(EVENT_BITS)
    event_count, cycle_count = word(COUNTER_BITS), word(COUNTER_BITS)
    state = word(WORD)
    happens = ConcatSignal(*(getattr(events, name) for name in reversed(EVENTS)))
    registers = [
        stored_register(clk, aresetn, reg_write, reg_addr, reg_wdata, getattr(values, name), ADDRESS[name])
        for name in STORED
    ]
    counters = event_counters(clk, clear, happens, position, event_count)
    accounts = cycle_accounts(clk, clear, running, account, position, cycle_count)

    @always_seq(clk.posedge, reset=aresetn)
    def control():
        start.next = 0
        new_image.next = 0
        clear.next = 0
        if reg_write and reg_addr == CONTROL:
            start.next = reg_wdata[START_BIT]
            new_image.next = reg_wdata[NEW_IMAGE_BIT]
            clear.next = reg_wdata[CLEAR_BIT]

    @always_comb
    def locate():
        position.next = reg_addr[LAST:1]

    @always_seq(clk.posedge, reset=aresetn)
    def read():
        state.next = 0
        if reg_addr == STATUS:
            state.next = running
        elif reg_addr == ERROR:
            state.next = error
        high.next = reg_addr[0]
        of_account.next = reg_addr[ACCOUNT_BIT]
        of_counter.next = reg_addr[COUNTER_BIT]

    @always_comb
    def show():
        reg_rdata.next = 0
        if not of_counter:
            reg_rdata.next = state
        elif of_account:
            if high:
                reg_rdata.next = cycle_count[TOP:WORD]
            else:
                reg_rdata.next = cycle_count[WORD:]
        elif high:
            reg_rdata.next = event_count[TOP:WORD]
        else:
            reg_rdata.next = event_count[WORD:]

    return registers, counters, accounts, control, locate, read, show
