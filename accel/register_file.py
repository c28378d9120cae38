"""Registers and counters as the host sees them (``accel/registers.py`` is the map)."""

from typing import Any

from myhdl import Signal, always, always_comb, always_seq, block, intbv

from accel.command import flag
from accel.registers import ADDRESS, COUNTER_BASE, COUNTERS, REGISTERS

REGISTER_BITS = {
    **dict.fromkeys(REGISTERS, 16),
    **dict.fromkeys("sub_block_words attention_words mlp_words".split(), 24),
    **dict.fromkeys("weight_base mod_base param_base cache_base history_base".split(), 32),
    **dict.fromkeys([f"log_{what}_{parity}" for what in ("frames", "interleave") for parity in ("even", "odd")], 4),
    "policy": 1,
    "streak_step": 9,
    "tight": 8,
    "loose": 8,
    "max_streak": 6,
    "codes_total": 24,
}
WORD_BITS = 32
COUNTER_BITS = 2 * WORD_BITS
POSITION_BITS = 7  # of a counter behind COUNTER_BASE
STORED = [name for name in REGISTERS if name not in ("control", "status")]


class RegisterValues:
    """One signal per stored register."""

    def __init__(self) -> None:
        for name in STORED:
            bits = REGISTER_BITS[name]
            setattr(self, name, flag() if bits == 1 else Signal(intbv(0)[bits:]))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no register {name}")


class Events:
    """One flag per counter: high in every cycle that counts."""

    def __init__(self) -> None:
        for name in COUNTERS:
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
def event_counter(clk, clear, happens, position, high, number, earlier, shown):
    """64-bit count of the cycles in which ``happens`` is high; at ``position`` it shows a word, else ``earlier``."""
    NUMBER = number
    WORD, TOP = WORD_BITS, COUNTER_BITS
    value = Signal(intbv(0)[COUNTER_BITS:])
    half = Signal(intbv(0)[WORD_BITS:])

    @always(clk.posedge)
    def count():
        if clear:
            value.next = 0
        elif happens:
            value.next = value + 1

    @always_comb
    def choose_half():
        if high:
            half.next = value[TOP:WORD]
        else:
            half.next = value[WORD:]

    @always_comb
    def show():
        if position == NUMBER:
            shown.next = half
        else:
            shown.next = earlier

    return count, choose_half, show


@block
def register_file(
    clk, aresetn, reg_write, reg_addr, reg_wdata, reg_rdata, values, events, running, start, new_image
):  # fmt: skip
    """Write registers, read back status and counters; START, NEW_IMAGE and CLEAR are pulses of the control register."""
    CONTROL, STATUS, BASE = ADDRESS["control"], ADDRESS["status"], COUNTER_BASE
    COUNT = len(COUNTERS)
    clear = flag()
    position = Signal(intbv(0)[POSITION_BITS:])
    # A chain of multiplexers: one link per counter.
    chain = [Signal(intbv(0)[WORD_BITS:]) for _ in range(COUNT + 1)]
    nothing, chosen = chain[0], chain[-1]
    high = flag()
    registers = [
        stored_register(clk, aresetn, reg_write, reg_addr, reg_wdata, getattr(values, name), ADDRESS[name])
        for name in STORED
    ]
    counters = [
        event_counter(clk, clear, getattr(events, name), position, high, i, chain[i], chain[i + 1])
        for i, name in enumerate(COUNTERS)
    ]

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
        nothing.next = 0
        high.next = reg_addr[0]
        position.next = (reg_addr & (BASE - 1)) >> 1

    @always_seq(clk.posedge, reset=aresetn)
    def read():
        reg_rdata.next = 0
        if reg_addr == STATUS:
            reg_rdata.next = running
        elif reg_addr >= BASE:
            reg_rdata.next = chosen

    return registers, counters, control, locate, read
