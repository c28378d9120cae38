"""Trace taps: what the co-simulation compares (observation only, docs/interface.md)."""

from myhdl import ConcatSignal, Signal, always_comb, block, intbv

from radit.accel.interfaces.tile_command import KIND_H, KIND_SCORE
from radit.model.formats import INT8_BITS, WIDE_BITS


@block
def sign_extend(word, index, lane):
    """``lane`` = int8 number ``index`` of ``word``, as 16 bits."""
    HIGH, LOW = (index + 1) * INT8_BITS, index * INT8_BITS
    BITS = WIDE_BITS
    value = Signal(intbv(0, min=-(1 << (WIDE_BITS - 1)), max=1 << (WIDE_BITS - 1)))

    @always_comb
    def extend():
        value.next = word[HIGH:LOW].signed()

    @always_comb
    def cast():
        lane.next = value[BITS:]

    return extend, cast


@block
def trace_taps(drained, numerators, ports, decision, progress, trace, config):
    """Connect the taps. numerators: WritePort of the probability memory. ports: PassPorts."""
    ROWS = config.rows
    int8_word = Signal(intbv(0)[ROWS * INT8_BITS :])
    lanes = [Signal(intbv(0)[WIDE_BITS:]) for _ in range(ROWS)]
    extended = [sign_extend(word=int8_word, index=r, lane=lanes[r]) for r in range(ROWS)]
    wide = ConcatSignal(*reversed(lanes))

    @always_comb
    def choose_word():
        if drained.gelu_valid:
            int8_word.next = drained.gelu
        else:
            int8_word.next = drained.narrow

    @always_comb
    def show_drained():
        trace.drain.valid.next = drained.valid or drained.gelu_valid
        trace.drain.kind.next = drained.kind
        trace.drain.data.next = wide
        if drained.gelu_valid:
            trace.drain.kind.next = KIND_H
        elif drained.kind == KIND_SCORE:
            trace.drain.data.next = drained.wide

    @always_comb
    def show_words():
        trace.prob.valid.next = numerators.enable
        trace.prob.data.next = numerators.data
        trace.x.valid.next = ports.events.x_made
        trace.x.data.next = ports.memories.x_write.data
        trace.act.valid.next = ports.memories.a_write.enable
        trace.act.data.next = ports.memories.a_write.data

    @always_comb
    def show_decisions():
        trace.decide.valid.next = decision.valid
        trace.decide.index.next = decision.index
        trace.decide.count.next = decision.counted
        trace.decide.reuse.next = decision.reuse
        trace.decide.slope.next = decision.slope
        trace.advance.valid.next = progress.advances
        trace.advance.sub_block.next = progress.sub_block

    return extended, choose_word, show_drained, show_words, show_decisions
