"""The drain's walk through the columns of a finished tile, one per cycle, while the array works on the next tile."""

from myhdl import always_comb, always_seq, block

from radit.accel.array.array_front import OPERAND_LATENCY
from radit.accel.interfaces.signals import DIM_BITS, address, dim, flag, word
from radit.accel.interfaces.tile_command import DRAIN, KIND_BITS, DrainingTile, fields_of
from radit.accel.units.delay_lines import gated_register
from radit.accel.units.mac_array import FINISH_TO_DRAIN

START_DELAY = OPERAND_LATENCY + FINISH_TO_DRAIN  # from a tile's last issue to its first column
FREE_WHILE_ACTIVE = 5  # columns left when the next tile may finish
FREE_AT_START = 4
QUIET_BITS = 8


class DrainColumn:
    """The column that the drain takes from the array.

    Signals, all of them from ``column_walk``:
        active: 1 bit, there is one.
        number: ``DIM_BITS``, of the array's column. left: ``DIM_BITS``, columns from it on.
        kind: ``KIND_BITS``, KIND_*. addr: ``ADDRESS_BITS``. part: ``DIM_BITS``. a_tile: ``DIM_BITS``. Its destination.
        param_addr: ``DIM_BITS``, of its requantization parameters. parity: 1 bit, of values, which token scales count.
        key: ``DIM_BITS``, of scores, its key slot. job_first, job_last: 1 bit, it is a job's first or last score.
    """

    def __init__(self) -> None:
        self.active, self.parity, self.job_first, self.job_last = (flag() for _ in range(4))
        self.number, self.left, self.part, self.a_tile, self.param_addr, self.key = (dim() for _ in range(6))
        self.kind = word(KIND_BITS)
        self.addr = address()


@block
def column_walk(clk, aresetn, finish, columns, column, idle, cycles, products):
    """Drive ``column`` for every tile that ``finish`` announces.

    finish: TileFinish. columns: ColumnPort. idle: no column was there or coming for ``cycles``.
    products: of a cell; with two, words lie in pairs.
    """
    COLUMN_BITS = len(columns.index)
    pending_1, pending_2, load, coming, busy = (flag() for _ in range(5))
    tile = DrainingTile()
    # The front overwrites finish's fields when it accepts the next tile: keep them from the last k on.
    keep = [
        gated_register(clk=clk, enable=finish.valid, src=getattr(finish, name), dst=getattr(tile, name))
        for name in fields_of(DRAIN)
    ]
    places = column_addresses if products == 1 else pair_places
    walk = (
        column_steps(clk=clk, aresetn=aresetn, load=load, tile=tile, column=column),
        places(clk=clk, aresetn=aresetn, load=load, tile=tile, addr=column.addr, active=column.active),
        column_tags(clk=clk, aresetn=aresetn, load=load, tile=tile, column=column),
        quiet_timer(clk=clk, aresetn=aresetn, busy=busy, cycles=cycles, idle=idle),
    )

    @always_seq(clk.posedge, reset=aresetn)
    def wait_for_sums():
        pending_1.next = finish.valid
        pending_2.next = pending_1
        load.next = pending_2

    @always_comb
    def drive_coming():
        # A tile shorter than its drain has finished while the one before it still drains: that one frees nothing.
        coming.next = pending_1 or pending_2 or load

    @always_seq(clk.posedge, reset=aresetn)
    def mark_owned():
        if finish.valid:
            columns.owned.next = 1
        elif load and tile.col_count <= FREE_AT_START:
            columns.owned.next = 0
        elif column.active and column.left <= FREE_WHILE_ACTIVE and not coming:
            columns.owned.next = 0

    @always_comb
    def drive_index():
        columns.index.next = column.number[COLUMN_BITS:]

    @always_comb
    def drive_busy():
        busy.next = finish.valid or pending_1 or pending_2 or load or column.active

    return keep, walk, wait_for_sums, drive_coming, mark_owned, drive_index, drive_busy


@block
def column_steps(clk, aresetn, load, tile, column):
    """What changes from column to column. load: pulse, the sums of ``tile``, a DrainingTile, are there."""

    @always_seq(clk.posedge, reset=aresetn)
    def count_columns():
        if load:
            column.active.next = 1
            column.number.next = tile.col_first
            column.left.next = tile.col_count
        elif column.active:
            column.left.next = column.left - 1
            if column.left == 1:
                column.active.next = 0
            else:
                column.number.next = column.number + 1

    @always_seq(clk.posedge, reset=aresetn)
    def advance_entries():
        if load:
            column.param_addr.next = tile.param_base
            column.key.next = tile.key_first
        elif column.active:
            column.param_addr.next = column.param_addr + 1
            column.key.next = column.key + 1

    return count_columns, advance_entries


@block
def column_addresses(clk, aresetn, load, tile, addr, active):
    """Where the columns go. addr: of the column at hand. active: there is one."""
    step = dim()

    @always_seq(clk.posedge, reset=aresetn)
    def advance_addresses():
        if load:
            step.next = tile.dst_step
            addr.next = tile.dst_base
        elif active:
            addr.next = addr + step

    return advance_addresses


@block
def pair_places(clk, aresetn, load, tile, addr, active):
    """Where the columns go if words lie in pairs (``pair_steps``): the arguments are those of ``column_addresses``."""
    step = word(DIM_BITS + 1)

    @always_seq(clk.posedge, reset=aresetn)
    def advance_addresses():
        if load:
            step.next = tile.dst_step + tile.dst_step
            addr.next = tile.dst_base
        elif active:
            if addr[0]:
                addr.next = addr + step - 1
            else:
                addr.next = addr + 1

    return advance_addresses


@block
def column_tags(clk, aresetn, load, tile, column):
    """What the columns of ``tile``, a DrainingTile, have in common, and the ends of its job. load: as above."""
    ends_job = flag()

    @always_seq(clk.posedge, reset=aresetn)
    def keep_fields():
        if load:
            column.kind.next = tile.kind
            column.part.next = tile.dst_part
            column.a_tile.next = tile.a_tile
            column.parity.next = tile.parity
            ends_job.next = tile.job_last

    @always_seq(clk.posedge, reset=aresetn)
    def mark_first():
        if load:
            column.job_first.next = tile.job_first
        elif column.active:
            column.job_first.next = 0

    @always_comb
    def drive_job_last():
        column.job_last.next = ends_job and column.left == 1

    return keep_fields, mark_first, drive_job_last


@block
def quiet_timer(clk, aresetn, busy, cycles, idle):
    """``idle`` when ``busy`` was low for ``cycles``."""
    CYCLES = cycles
    left = word(QUIET_BITS)

    @always_seq(clk.posedge, reset=aresetn)
    def count_left():
        if busy:
            left.next = CYCLES
        elif left != 0:
            left.next = left - 1

    @always_comb
    def drive_idle():
        idle.next = left == 0

    return count_left, drive_idle
