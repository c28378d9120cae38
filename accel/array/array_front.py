"""The front of the MAC array: turns tile commands into operand reads, one k per cycle.

``accept`` a command -> ``issue`` k = 0 .. k_len-1 (addresses step, memories answer one cycle later) -> operand
registers -> ``mac_array``. Tiles follow each other without a gap. A tile may start when its weights are in the ring
and its parameters loaded (and the branch writer has room); its last k waits until the drain registers are free.
Operands hold when idle.
"""

from myhdl import Signal, always, always_comb, always_seq, block, intbv, modbv

from accel.config import log2_exact
from accel.interfaces.memory_ports import ReadPort
from accel.interfaces.signals import address, dim, flag
from accel.interfaces.tile_command import (
    FROM_A,
    FROM_HIDDEN,
    FROM_K,
    FROM_PROB,
    FROM_V,
    FROM_WEIGHT,
    KIND_BRANCH,
    KIND_O,
    KIND_SCORE,
    KIND_V,
)
from accel.units.delay_lines import gated_register
from accel.units.mac_array import mac_array
from model.formats import INT8_BITS

OPERAND_LATENCY = 2  # issue -> enable at the array


class OperandPorts:
    """The memories that feed the array."""

    def __init__(self, config) -> None:
        lane = INT8_BITS
        self.a = ReadPort(lane * config.wide)
        self.a_tile = dim()  # supertile of the context whose lanes a.addr reaches (see accel/memory/on_chip.py)
        self.a_as_col = flag()
        self.hidden = ReadPort(lane * config.rows)
        self.prob = ReadPort(lane * config.rows)
        self.k = ReadPort(lane * config.wide)
        self.v = ReadPort(lane * config.wide)
        self.weight = ReadPort(lane * config.wide)


class Finish:
    """What the drain gets to know of a tile: ``valid`` pulses with its last k, the fields hold from its start."""

    FIELDS = (
        "kind dst_base dst_step dst_part a_tile col_first col_count param_base key_first job_first job_last parity "
        "cache_address cache_other"
    ).split()

    def __init__(self, cmd) -> None:
        self.valid = flag()
        for name in self.FIELDS:
            setattr(self, name, Signal(getattr(cmd, name).val))


@block
def part_mux(word, part, dst, parts, bits):
    """``dst = word[part * bits +: bits]``, combinational; parts is a build constant."""
    if parts == 1:

        @always_comb
        def low():
            dst.next = word[bits:]

        return low
    pieces = [Signal(intbv(0)[bits:]) for _ in range(parts)]
    split = [slice_piece(word, pieces[i], i * bits, bits) for i in range(parts)]

    @always_comb
    def choose():
        dst.next = pieces[0]
        for i in range(1, parts):
            if part == i:
                dst.next = pieces[i]

    return split, choose


@block
def slice_piece(word, piece, low, bits):
    """``piece = word[low +: bits]`` with constant bounds."""
    HIGH = low + bits
    LOW = low

    @always_comb
    def cut():
        piece.next = word[HIGH:LOW]

    return cut


@block
def gemm_front(
    clk, aresetn, restart, cmd, ring_head, ring_tail, param_count, cache_room, drain_owned, finish, reads, array_active,
    front_busy, drain_col, drained, activity, config,
):  # fmt: skip
    """Run tile commands.

    restart: pulse at the start of a timestep. ring_head, ring_tail: free-running word counters of the weight ring
    (written words, released words). param_count: requantization parameters loaded. cache_room: the branch writer can
    take a whole tile. drain_owned: the drain registers still hold columns that matter. finish: the drain's copy of a
    tile (pulse at its last k). reads: OperandPorts. array_active: high in each cycle that multiplies; front_busy: a
    tile is running or on its way into the array. drain_col -> drained: the array's output. activity: for
    ``accel/control/cycle_accounts.py``.
    """
    ROWS, COLS = config.rows, config.cols
    ROW_BITS, COL_BITS = ROWS * INT8_BITS, COLS * INT8_BITS
    ROW_PARTS, COL_PARTS = config.wide // ROWS, config.wide // COLS
    RING_BITS = log2_exact(config.weight_depth)

    busy, issue, last_k, finishing, accept, startable, fetched, has_room = (flag() for _ in range(8))
    k_left = dim()
    row_addr, col_addr = address(), address()
    row_step, col_step, row_part, col_part, a_tile, k_len = (dim() for _ in range(6))
    row_source, col_source = Signal(intbv(0)[2:]), Signal(intbv(0)[2:])
    last_use, first, needs_weights, no_params, enable_1, enable_2 = (flag() for _ in range(6))
    params_needed = dim()
    tail_next, available = Signal(modbv(0)[32:]), Signal(modbv(0)[32:])

    @always_comb
    def control():
        last_k.next = k_left == 1
        needs_weights.next = cmd.row_source == FROM_WEIGHT or cmd.col_source == FROM_WEIGHT
        no_params.next = cmd.kind == KIND_V or cmd.kind == KIND_SCORE or cmd.kind == KIND_O
        params_needed.next = cmd.param_base + cmd.col_count

    @always_comb
    def decide_issue():
        issue.next = busy and not (last_k and drain_owned)
        finishing.next = busy and last_k and not drain_owned

    @always_comb
    def release_weights():
        if finishing and last_use:
            tail_next.next = ring_tail + k_len
        else:
            tail_next.next = ring_tail

    @always_comb
    def count_available():
        available.next = ring_head - tail_next

    @always_comb
    def look_at_inputs():
        fetched.next = (not needs_weights or available >= cmd.k_len) and (no_params or params_needed <= param_count)
        has_room.next = cmd.kind != KIND_BRANCH or cache_room

    @always_comb
    def decide_start():
        startable.next = (not busy or finishing) and fetched and has_room

    @always_comb
    def answer():
        cmd.ready.next = startable
        accept.next = startable and cmd.valid

    @always_comb
    def report():
        activity.issues.next = issue
        activity.held.next = busy and last_k and drain_owned
        activity.starved.next = cmd.valid and not fetched
        activity.crowded.next = cmd.valid and fetched and not has_room
        activity.fills.next = enable_1 or enable_2

    @always_seq(clk.posedge, reset=aresetn)
    def step():
        if restart:
            ring_tail.next = 0
        else:
            ring_tail.next = tail_next
        if accept:
            busy.next = 1
            first.next = 1
            k_left.next = cmd.k_len
            k_len.next = cmd.k_len
            row_source.next = cmd.row_source
            col_source.next = cmd.col_source
            row_part.next = cmd.row_part
            col_part.next = cmd.col_part
            row_step.next = cmd.row_step
            col_step.next = cmd.col_step
            a_tile.next = cmd.a_tile
            last_use.next = cmd.last_use
            row_addr.next = cmd.row_base
            col_addr.next = cmd.col_base
            if cmd.row_source == FROM_WEIGHT:
                row_addr.next = tail_next
            if cmd.col_source == FROM_WEIGHT:
                col_addr.next = tail_next
        elif finishing:
            busy.next = 0
        elif issue:
            first.next = 0
            k_left.next = k_left - 1
            row_addr.next = row_addr + row_step
            col_addr.next = col_addr + col_step

    fields = [gated_register(clk, accept, getattr(cmd, name), getattr(finish, name)) for name in Finish.FIELDS]

    @always_comb
    def tell():
        finish.valid.next = finishing

    # Reads: the memories answer in the next cycle.
    row_is_a, row_is_weight = flag(), flag()

    @always_comb
    def read():
        reads.a.enable.next = issue and (row_source == FROM_A or col_source == FROM_A)
        reads.hidden.enable.next = issue and row_source == FROM_HIDDEN
        reads.prob.enable.next = issue and row_source == FROM_PROB
        reads.weight.enable.next = issue and (row_source == FROM_WEIGHT or col_source == FROM_WEIGHT)
        reads.k.enable.next = issue and col_source == FROM_K
        reads.v.enable.next = issue and col_source == FROM_V
        row_is_a.next = row_source == FROM_A
        row_is_weight.next = row_source == FROM_WEIGHT

    @always_comb
    def route():
        reads.a_tile.next = a_tile
        reads.a_as_col.next = not row_is_a
        reads.hidden.addr.next = row_addr
        reads.prob.addr.next = row_addr
        reads.k.addr.next = col_addr
        reads.v.addr.next = col_addr
        if row_is_a:
            reads.a.addr.next = row_addr
        else:
            reads.a.addr.next = col_addr
        if row_is_weight:
            reads.weight.addr.next = row_addr[RING_BITS:]
        else:
            reads.weight.addr.next = col_addr[RING_BITS:]

    # Operand registers, one cycle after the memories.
    row_source_1, col_source_1 = Signal(intbv(0)[2:]), Signal(intbv(0)[2:])
    row_part_1, col_part_1 = dim(), dim()
    first_1, finish_1, first_2, finish_2 = (flag() for _ in range(4))
    row_a, col_a = Signal(intbv(0)[ROW_BITS:]), Signal(intbv(0)[COL_BITS:])
    col_k, col_v = Signal(intbv(0)[COL_BITS:]), Signal(intbv(0)[COL_BITS:])
    row_word, col_word = Signal(intbv(0)[ROW_BITS:]), Signal(intbv(0)[COL_BITS:])
    parts = (
        part_mux(reads.a.data, row_part_1, row_a, ROW_PARTS, ROW_BITS),
        part_mux(reads.a.data, col_part_1, col_a, COL_PARTS, COL_BITS),
        part_mux(reads.k.data, col_part_1, col_k, COL_PARTS, COL_BITS),
        part_mux(reads.v.data, col_part_1, col_v, COL_PARTS, COL_BITS),
    )

    @always_seq(clk.posedge, reset=aresetn)
    def pipeline():
        enable_1.next = issue
        first_1.next = first
        finish_1.next = finishing
        enable_2.next = enable_1
        first_2.next = first_1
        finish_2.next = finish_1
        if issue:
            row_source_1.next = row_source
            col_source_1.next = col_source
            row_part_1.next = row_part
            col_part_1.next = col_part

    @always(clk.posedge)
    def load_operands():
        if enable_1:
            if row_source_1 == FROM_A:
                row_word.next = row_a
            elif row_source_1 == FROM_HIDDEN:
                row_word.next = reads.hidden.data
            elif row_source_1 == FROM_PROB:
                row_word.next = reads.prob.data
            else:
                row_word.next = reads.weight.data[ROW_BITS:]
            if col_source_1 == FROM_A:
                col_word.next = col_a
            elif col_source_1 == FROM_K:
                col_word.next = col_k
            elif col_source_1 == FROM_V:
                col_word.next = col_v
            else:
                col_word.next = reads.weight.data[COL_BITS:]

    array = mac_array(clk, enable_2, first_2, finish_2, row_word, col_word, drain_col, drained, rows=ROWS, cols=COLS)

    @always_comb
    def observe():
        array_active.next = enable_2
        front_busy.next = busy or enable_1 or enable_2

    return (
        control, decide_issue, release_weights, count_available, look_at_inputs, decide_start, answer, report, step,
        fields, tell, read, route, parts, pipeline, load_operands, array, observe,
    )  # fmt: skip
