"""Registers and counters as the host sees them (``accel/control/registers.py`` is the map)."""

from typing import Any

from myhdl import ConcatSignal, Signal, always, always_comb, always_seq, block, intbv

from accel.config import log2_exact
from accel.control.cycle_accounts import cycle_accounts
from accel.control.registers import ACCOUNT_BASE, ADDRESS, EVENTS, REGISTERS
from accel.interfaces.tile_command import flag
from model.formats import ERROR_BITS, SLOPE_BITS

REGISTER_BITS = {
    **dict.fromkeys(REGISTERS, 16),
    **dict.fromkeys("sub_block_words attention_words mlp_words".split(), 24),
    **dict.fromkeys("weight_base mod_base param_base cache_base cache_base_other history_base".split(), 32),
    **dict.fromkeys([f"log_{what}_{parity}" for what in ("frames", "interleave") for parity in ("even", "odd")], 4),
    "policy": 1,
    "whole": 1,
    "streak_step": 9,
    "tight": 8,
    "loose": 8,
    "max_streak": 6,
    "slope_max": SLOPE_BITS,
    "error_max": ERROR_BITS,
    "codes_total": 24,
}
WORD_BITS = 32
COUNTER_BITS = 2 * WORD_BITS
STORED = [name for name in REGISTERS if name not in ("control", "status", "error")]


class RegisterValues:
    """One signal per stored register."""

    def __init__(self) -> None:
        for name in STORED:
            bits = REGISTER_BITS[name]
            setattr(self, name, flag() if bits == 1 else Signal(intbv(0)[bits:]))

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
    WORD, TOP = WORD_BITS, COUNTER_BITS
    clear, high, of_account, of_counter = (flag() for _ in range(4))
    position = Signal(intbv(0)[EVENT_BITS:])
    event_count, cycle_count = (Signal(intbv(0)[COUNTER_BITS:]) for _ in range(2))
    state = Signal(intbv(0)[WORD_BITS:])
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
            start.next = reg_wdata[0]
            new_image.next = reg_wdata[1]
            clear.next = reg_wdata[2]

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
