"""The front of the MAC array: turns tile commands into operand reads, one k per cycle.

``tile_gate`` (may the next tile start?) -> ``tile_run`` (k = 0 .. k_len-1, addresses step) -> ``operand_reads``
(memories answer one cycle later) -> ``operand_registers`` -> ``mac_array``. Tiles follow each other without a gap. A
tile may start when its weights are in the ring and its parameters loaded (and the branch writer has room); its last k
waits until the drain registers are free. Operands hold when idle.

With two products a cycle takes a pair, the k of an even channel and of the odd one behind it (``pair_steps``).
"""

from myhdl import Signal, always_comb, always_seq, block, modbv

from radit.accel.array.operand_reads import operand_reads, operand_registers
from radit.accel.array.pair_steps import pair_addresses, pair_counter
from radit.accel.interfaces.signals import ADDRESS_BITS, address, dim, flag, word
from radit.accel.interfaces.tile_command import (
    CACHE,
    DRAIN,
    FROM_WEIGHT,
    KIND_BRANCH,
    KIND_O,
    KIND_SCORE,
    KIND_V,
    SOURCE_BITS,
    fields_of,
)
from radit.accel.units.delay_lines import gated_register
from radit.accel.units.mac_array import mac_array
from radit.model.formats import INT8_BITS

OPERAND_LATENCY = 2  # issue -> enable at the array


class TileGate:
    """Whether the command that waits may start.

    Signals, 1 bit each, all of them from ``tile_gate``:
        fetched: its weights and parameters are there.
        has_room: the branch writer can take its columns.
    """

    def __init__(self) -> None:
        self.fetched, self.has_room = flag(), flag()


class RunningTile:
    """The tile whose operands are being read.

    Signals, all of them from ``tile_run``:
        busy: 1 bit, there is one.
        issue: 1 bit, a k is read in this cycle. first: 1 bit, the next k is the tile's first.
        finishing: 1 bit, the k of this cycle is the tile's last. held: 1 bit, it waits for the drain registers.
        row_source, col_source: ``SOURCE_BITS``. row_addr, col_addr: ``ADDRESS_BITS``. row_part, col_part: ``DIM_BITS``.
        The operands of this k.
        a_tile: ``DIM_BITS``, supertile of A in the context.
        released: ``ADDRESS_BITS``, weight words released with this cycle, modulo 2^32.
        lacks_even, lacks_odd: 1 bit, the pair's even, or odd, channel is not the tile's. Two products only.
    """

    def __init__(self) -> None:
        self.busy, self.issue, self.first, self.finishing, self.held = (flag() for _ in range(5))
        self.lacks_even, self.lacks_odd = flag(), flag()
        self.row_source, self.col_source = word(SOURCE_BITS), word(SOURCE_BITS)
        self.row_addr, self.col_addr = address(), address()
        self.row_part, self.col_part, self.a_tile = (dim() for _ in range(3))
        self.released = Signal(modbv(0)[ADDRESS_BITS:])


class ArrayOperands:
    """The operands of one k, at the array.

    Signals, all of them from ``operand_registers``:
        coming: 1 bit, they are there in the next cycle.
        enable: 1 bit, they are to be multiplied. first, last: 1 bit, of their tile.
        rows: R int8 of each product. cols: C int8 of each.
    """

    def __init__(self, config) -> None:
        self.coming, self.enable, self.first, self.last = (flag() for _ in range(4))
        bits = config.products * INT8_BITS
        self.rows, self.cols = word(config.rows * bits), word(config.cols * bits)


@block
def array_front(clk, aresetn, restart, cmd, inputs, cache_room, finish, columns, busy, monitor, config):
    """Run tile commands.

    restart: pulse at the start of a timestep. cmd: TileCommand. inputs: ArrayInputs. cache_room: the branch writer can
    take a whole tile. finish: TileFinish. columns: ColumnPort. busy: a tile is running or on its way into the array.
    monitor: Monitor.
    """
    gate, tile, operands, accept = TileGate(), RunningTile(), ArrayOperands(config), flag()
    gating = tile_gate(
        cmd=cmd, head=inputs.weights.head, released=tile.released, loaded=inputs.params.loaded, cache_room=cache_room,
        gate=gate,
    )  # fmt: skip
    run = tile_run(
        clk=clk, aresetn=aresetn, restart=restart, cmd=cmd, gate=gate, owned=columns.owned, tail=inputs.weights.tail,
        accept=accept, tile=tile, products=config.products,
    )  # fmt: skip
    fields = [
        gated_register(clk=clk, enable=accept, src=getattr(cmd, name), dst=getattr(finish, name))
        for name in fields_of(DRAIN, CACHE)
    ]
    reads = operand_reads(tile=tile, inputs=inputs, config=config)
    registers = operand_registers(clk=clk, aresetn=aresetn, tile=tile, inputs=inputs, operands=operands, config=config)
    array = mac_array(
        clk=clk, enable=operands.enable, first=operands.first, finish=operands.last, rows_word=operands.rows,
        cols_word=operands.cols, drain_col=columns.index, drained=columns.sums, rows=config.rows, cols=config.cols,
        products=config.products,
    )  # fmt: skip

    @always_comb
    def drive_status():
        finish.valid.next = tile.finishing
        busy.next = tile.busy or operands.coming or operands.enable
        monitor.events.array_cycles.next = operands.enable

    @always_comb
    def drive_activity():
        monitor.activity.issues.next = tile.issue
        monitor.activity.held.next = tile.held
        monitor.activity.starved.next = cmd.valid and not gate.fetched
        monitor.activity.crowded.next = cmd.valid and gate.fetched and not gate.has_room
        monitor.activity.fills.next = operands.coming or operands.enable

    return gating, run, fields, reads, registers, array, drive_status, drive_activity


@block
def tile_gate(cmd, head, released, loaded, cache_room, gate):
    """Compare what the waiting command needs with what is there. Combinational.

    head, released: weight words written to the ring, and released from it. loaded: parameters in their memory.
    """
    needs_weights, needs_no_params = flag(), flag()
    params_needed = dim()
    available = Signal(modbv(0)[ADDRESS_BITS:])

    @always_comb
    def drive_needs():
        needs_weights.next = cmd.row_source == FROM_WEIGHT or cmd.col_source == FROM_WEIGHT
        needs_no_params.next = cmd.kind == KIND_V or cmd.kind == KIND_SCORE or cmd.kind == KIND_O
        params_needed.next = cmd.param_base + cmd.col_count

    @always_comb
    def drive_available():
        available.next = head - released

    @always_comb
    def drive_gate():
        gate.fetched.next = (not needs_weights or available >= cmd.k_len) and (
            needs_no_params or params_needed <= loaded
        )
        gate.has_room.next = cmd.kind != KIND_BRANCH or cache_room

    return drive_needs, drive_available, drive_gate


@block
def tile_run(clk, aresetn, restart, cmd, gate, owned, tail, accept, tile, products):
    """Accept commands and step through the k of each.

    owned: the drain registers still hold columns that matter. tail: weight words released. accept: flag, this cycle
    takes the command.
    """
    last_k, last_use, startable = flag(), flag(), flag()
    k_left, k_len = dim(), dim()
    counter, addresses = (tile_counter, tile_addresses) if products == 1 else (pair_counter, pair_addresses)
    counting = counter(
        clk=clk, aresetn=aresetn, accept=accept, cmd=cmd, tile=tile, k_left=k_left, k_len=k_len, last_k=last_k,
        last_use=last_use,
    )  # fmt: skip
    stepping = addresses(clk=clk, aresetn=aresetn, accept=accept, cmd=cmd, tile=tile)

    @always_comb
    def drive_issue():
        tile.issue.next = tile.busy and not (last_k and owned)
        tile.finishing.next = tile.busy and last_k and not owned
        tile.held.next = tile.busy and last_k and owned

    @always_comb
    def drive_released():
        if tile.finishing and last_use:
            tile.released.next = tail + k_len
        else:
            tile.released.next = tail

    @always_comb
    def drive_startable():
        startable.next = (not tile.busy or tile.finishing) and gate.fetched and gate.has_room

    @always_comb
    def drive_accept():
        cmd.ready.next = startable
        accept.next = startable and cmd.valid

    @always_seq(clk.posedge, reset=aresetn)
    def release():
        if restart:
            tail.next = 0
        else:
            tail.next = tile.released

    return counting, stepping, drive_issue, drive_released, drive_startable, drive_accept, release


@block
def tile_counter(clk, aresetn, accept, cmd, tile, k_left, k_len, last_k, last_use):
    """How much of the tile is left. last_k: flag, this cycle's is the last. last_use: of its weights."""

    @always_comb
    def drive_last():
        last_k.next = k_left == 1

    @always_seq(clk.posedge, reset=aresetn)
    def count_k():
        if accept:
            tile.busy.next = 1
            tile.first.next = 1
            k_left.next = cmd.k_len
            k_len.next = cmd.k_len
            last_use.next = cmd.last_use
        elif tile.finishing:
            tile.busy.next = 0
        elif tile.issue:
            tile.first.next = 0
            k_left.next = k_left - 1

    return drive_last, count_k


@block
def tile_addresses(clk, aresetn, accept, cmd, tile):
    """The operands' addresses; those of weights count words since the timestep began."""
    row_step, col_step = dim(), dim()

    @always_seq(clk.posedge, reset=aresetn)
    def keep_fields():
        if accept:
            tile.row_source.next = cmd.row_source
            tile.col_source.next = cmd.col_source
            tile.row_part.next = cmd.row_part
            tile.col_part.next = cmd.col_part
            tile.a_tile.next = cmd.a_tile
            row_step.next = cmd.row_step
            col_step.next = cmd.col_step

    @always_seq(clk.posedge, reset=aresetn)
    def step_addresses():
        if accept:
            tile.row_addr.next = cmd.row_base
            tile.col_addr.next = cmd.col_base
            if cmd.row_source == FROM_WEIGHT:
                tile.row_addr.next = tile.released
            if cmd.col_source == FROM_WEIGHT:
                tile.col_addr.next = tile.released
        elif tile.issue and not tile.finishing:
            tile.row_addr.next = tile.row_addr + row_step
            tile.col_addr.next = tile.col_addr + col_step

    return keep_fields, step_addresses
