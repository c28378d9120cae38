"""The compute core: tile commands in, words in the on-chip memories out.

``gemm_front`` (array) -> ``drain_unit`` (requantize, GELU) -> hidden | K | V | A memory, or the softmax unit, whose
numerators return through the probability memory. Wiring, write routing and the score mask.
"""

from myhdl import Signal, always_comb, block, intbv

from accel.array.array_front import gemm_front
from accel.array.drain import TokenScales, drain_unit
from accel.config import bits_for, log2_exact
from accel.interfaces.memory_ports import WritePort
from accel.interfaces.signals import dim, flag
from accel.interfaces.tile_command import KIND_BRANCH, KIND_K, KIND_O, KIND_Q, KIND_SCORE, KIND_V
from accel.memory.on_chip import hidden_memory, narrow_memory, wide_memory
from accel.units.lanes import pack
from accel.units.softmax import softmax_unit
from model.formats import ACC_BITS, INT8_BITS


@block
def score_mask(key, part, group, mask, config):
    """Which of the R queries may see the key of slot ``key``: valid keys, and in temporal groups the same position."""
    ROWS = config.rows
    LOG_ROWS = log2_exact(ROWS)
    BITS = log2_exact(config.wide)
    interleave, first_lane = dim(), dim()
    is_valid = flag()
    visible = [flag() for _ in range(ROWS)]

    @always_comb
    def prepare():
        is_valid.next = key < group.keys
        first_lane.next = part << LOG_ROWS
        interleave.next = 0
        if group.log_frames != 0:
            for i in range(BITS):
                if group.log_interleave > i:
                    interleave.next[i] = 1

    judges = [judge_lane(is_valid, key, first_lane, interleave, visible[r], r) for r in range(ROWS)]
    return prepare, judges, pack(visible, mask)


@block
def judge_lane(is_valid, key, first_lane, interleave, visible, index):
    """Whether query ``index`` of the row tile may see the key."""
    INDEX = index

    @always_comb
    def judge():
        visible.next = is_valid and ((key ^ (first_lane | INDEX)) & interleave) == 0

    return judge


@block
def route_writes(drained, hidden, keys, values, branch, placed):
    """Send each requantized word to its memory."""

    @always_comb
    def hidden_port():
        placed.next = drained.kind == KIND_O and drained.valid
        hidden.enable.next = drained.gelu_valid or (
            drained.valid and (drained.kind == KIND_Q or drained.kind == KIND_O)
        )
        hidden.part.next = drained.part
        if drained.gelu_valid:
            hidden.addr.next = drained.gelu_addr
            hidden.data.next = drained.gelu
        else:
            hidden.addr.next = drained.addr
            hidden.data.next = drained.narrow

    @always_comb
    def other_ports():
        keys.enable.next = drained.valid and drained.kind == KIND_K
        keys.addr.next = drained.addr
        keys.part.next = drained.part
        keys.data.next = drained.narrow
        values.enable.next = drained.valid and drained.kind == KIND_V
        values.addr.next = drained.addr
        values.part.next = drained.part
        values.data.next = drained.narrow
        branch.enable.next = drained.valid and drained.kind == KIND_BRANCH
        branch.addr.next = drained.addr
        branch.part.next = drained.part
        branch.data.next = drained.narrow

    return hidden_port, other_ports


@block
def compute_core(
    clk,
    aresetn,
    restart,
    attending,
    cmd,
    ring_head,
    ring_tail,
    param_count,
    cache_room,
    finish,
    reads,
    param_read,
    branch,
    drained,
    numerators,
    softmax_done,
    quiet,
    header,
    group,
    events,
    activity,
    config,
):
    """Array, drain, softmax and the memories between them.

    attending: pulse at the start of attention proper (jobs are numbered from it). reads: OperandPorts, of which A
    and the weight ring live outside. branch: WritePort of A memory. numerators: WritePort of the probability
    memory (observed by the trace). quiet: nothing is running or on its way.
    """
    ROWS, COLS = config.rows, config.cols
    KEY_DEPTH = config.padded_tokens
    col_bits = max(1, log2_exact(COLS))
    drain_col = Signal(intbv(0)[col_bits:])
    column = Signal(intbv(0)[ROWS * ACC_BITS :])
    owned, drain_idle, array_active, placed, front_busy = (flag() for _ in range(5))
    scales = TokenScales(ROWS)
    hidden, keys, values = (WritePort(ROWS * INT8_BITS) for _ in range(3))

    front = gemm_front(
        clk, aresetn, restart, cmd, ring_head, ring_tail, param_count, cache_room, owned, finish, reads, array_active,
        front_busy, drain_col, column, activity, config,
    )  # fmt: skip
    drain = drain_unit(
        clk, aresetn, finish, owned, drain_idle, drain_col, column, param_read, header, scales, drained, config
    )
    routes = route_writes(drained, hidden, keys, values, branch, placed)

    # Softmax: scores stream in as they drain, numerators and per-token multipliers come out per job.
    score_valid, dst_valid, dst_last, dst_odd, busy, score_write, score_read, recip_op = (flag() for _ in range(8))
    mask = Signal(intbv(0)[ROWS:])
    slot = Signal(intbv(0)[bits_for(KEY_DEPTH) :])
    dst = Signal(intbv(0)[ROWS * INT8_BITS :])
    masking = score_mask(drained.key, drained.part, group, mask, config)
    softmax = softmax_unit(
        clk=clk, aresetn=aresetn, src_valid=score_valid, src_first=drained.job_first, src_last=drained.job_last,
        src=drained.wide, mask=mask, restart=attending, gain=header.gain, gain_shift=header.gain_shift,
        dst_valid=dst_valid, dst=dst, dst_slot=slot, dst_last=dst_last, dst_parity=dst_odd, done=softmax_done,
        busy=busy, mult_even=scales.mult_even, shift_even=scales.shift_even, mult_odd=scales.mult_odd,
        shift_odd=scales.shift_odd, score_write=score_write, score_read=score_read, recip_valid=recip_op,
        lanes=ROWS, max_keys=KEY_DEPTH,
    )  # fmt: skip

    @always_comb
    def wire_softmax():
        score_valid.next = drained.valid and drained.kind == KIND_SCORE
        numerators.enable.next = dst_valid
        numerators.data.next = dst
        if dst_odd:
            numerators.addr.next = slot + KEY_DEPTH
        else:
            numerators.addr.next = slot

    k_raddr = Signal(intbv(0)[bits_for(config.a_depth) :])
    v_raddr = Signal(intbv(0)[bits_for(config.v_depth) :])
    K_BITS, V_BITS = len(k_raddr), len(v_raddr)

    @always_comb
    def cut():
        k_raddr.next = reads.k.addr[K_BITS:]
        v_raddr.next = reads.v.addr[V_BITS:]

    part = config.part
    memories = (
        hidden_memory(clk, hidden, placed, drained.a_tile, group, reads.hidden, config),
        wide_memory(clk, keys, reads.k.enable, k_raddr, reads.k.data, config.a_depth, part, config),
        wide_memory(clk, values, reads.v.enable, v_raddr, reads.v.data, config.v_depth, part, config),
        narrow_memory(clk, numerators, reads.prob, 2 * KEY_DEPTH),
    )

    @always_comb
    def observe():
        quiet.next = drain_idle and not front_busy
        events.array_cycles.next = array_active
        events.requant_words.next = drained.valid or drained.gelu_valid
        events.gelu_words.next = drained.gelu_valid
        events.exp_words.next = dst_valid
        events.recip_ops.next = recip_op
        events.hidden_reads.next = reads.hidden.enable
        events.hidden_writes.next = hidden.enable
        events.k_reads.next = reads.k.enable
        events.k_writes.next = keys.enable
        events.v_reads.next = reads.v.enable
        events.v_writes.next = values.enable
        events.prob_reads.next = reads.prob.enable
        events.prob_writes.next = dst_valid
        events.score_reads.next = score_read
        events.score_writes.next = score_write
        events.weight_reads.next = reads.weight.enable
        events.param_reads.next = param_read.enable

    return (
        front, drain, routes, masking, softmax, wire_softmax, cut, memories, observe,
    )  # fmt: skip
