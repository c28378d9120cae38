"""From the running tile to operands at the array: reads, and the registers behind the memories."""

from myhdl import ConcatSignal, always, always_comb, always_seq, block

from radit.accel.config import log2_exact
from radit.accel.interfaces.array_ports import ArrayInputs
from radit.accel.interfaces.signals import dim, flag, word
from radit.accel.interfaces.tile_command import FROM_A, FROM_HIDDEN, FROM_K, FROM_PROB, FROM_V, FROM_WEIGHT, SOURCE_BITS
from radit.accel.units.delay_lines import gated_register
from radit.accel.units.lanes import part_mux, slice_piece
from radit.model.formats import INT8_BITS


@block
def operand_reads(tile, inputs, config):
    """Read the operands of the k that ``tile``, a RunningTile, issues. inputs: ArrayInputs. Combinational."""
    RING_BITS, LOW = log2_exact(config.weight_depth), log2_exact(config.products)
    operands, weights = inputs.operands, inputs.weights.read
    row_is_a, row_is_weight = flag(), flag()

    @always_comb
    def drive_enables():
        operands.a.enable.next = tile.issue and (tile.row_source == FROM_A or tile.col_source == FROM_A)
        operands.hidden.enable.next = tile.issue and tile.row_source == FROM_HIDDEN
        operands.prob.enable.next = tile.issue and tile.row_source == FROM_PROB
        operands.k.enable.next = tile.issue and tile.col_source == FROM_K
        operands.v.enable.next = tile.issue and tile.col_source == FROM_V
        weights.enable.next = tile.issue and (tile.row_source == FROM_WEIGHT or tile.col_source == FROM_WEIGHT)
        row_is_a.next = tile.row_source == FROM_A
        row_is_weight.next = tile.row_source == FROM_WEIGHT

    @always_comb
    def drive_addresses():
        operands.a_tile.next = tile.a_tile
        operands.a_as_col.next = not row_is_a
        operands.hidden.addr.next = tile.row_addr
        operands.prob.addr.next = tile.row_addr
        operands.k.addr.next = tile.col_addr
        operands.v.addr.next = tile.col_addr
        if row_is_a:
            operands.a.addr.next = tile.row_addr
        else:
            operands.a.addr.next = tile.col_addr
        if row_is_weight:
            weights.addr.next = tile.row_addr[RING_BITS:LOW]
        else:
            weights.addr.next = tile.col_addr[RING_BITS:LOW]

    return drive_enables, drive_addresses


@block
def operand_registers(clk, aresetn, tile, inputs, operands, config):
    """Load the operands that the memories answer with.

    tile: RunningTile. inputs: ArrayInputs. operands: ArrayOperands; they are at the array two cycles after the issue.
    """
    first, last = flag(), flag()
    row_source, col_source = word(SOURCE_BITS), word(SOURCE_BITS)
    row_part, col_part = dim(), dim()
    sides = {
        "row_source": row_source, "row_part": row_part, "col_source": col_source, "col_part": col_part, "clk": clk,
        "enable": operands.coming,
    }  # fmt: skip
    if config.products == 1:
        loads = side_registers(inputs=inputs, rows=operands.rows, cols=operands.cols, config=config, **sides)
    else:
        loads = pair_registers(tile=tile, inputs=inputs, operands=operands, config=config, **sides)

    @always_seq(clk.posedge, reset=aresetn)
    def advance_stages():
        operands.coming.next = tile.issue
        first.next = tile.first
        last.next = tile.finishing
        operands.enable.next = operands.coming
        operands.first.next = first
        operands.last.next = last
        if tile.issue:
            row_source.next = tile.row_source
            col_source.next = tile.col_source
            row_part.next = tile.row_part
            col_part.next = tile.col_part

    return loads, advance_stages


@block
def side_registers(clk, enable, row_source, row_part, col_source, col_part, inputs, rows, cols, config):
    """The operands of both sides of the array."""
    return (
        row_register(
            clk=clk, enable=enable, source=row_source, part=row_part, inputs=inputs, dst=rows, config=config
        ),
        col_register(
            clk=clk, enable=enable, source=col_source, part=col_part, inputs=inputs, dst=cols, config=config
        ),
    )  # fmt: skip


@block
def pair_registers(clk, enable, row_source, row_part, col_source, col_part, tile, inputs, operands, config):
    """The operands of two products: those of even channels in the lower halves."""
    lacks = flag(), flag()
    rows, cols = ([word(lanes * INT8_BITS) for _ in lacks] for lanes in (config.rows, config.cols))
    both_rows, both_cols = ConcatSignal(rows[1], rows[0]), ConcatSignal(cols[1], cols[0])
    stages = [
        gated_register(clk=clk, enable=tile.issue, src=src, dst=dst)
        for src, dst in zip((tile.lacks_even, tile.lacks_odd), lacks, strict=True)
    ]
    views = [ArrayInputs(config.half) for _ in lacks]
    answers = [half_answers(inputs=inputs, lacks=lacks[i], view=views[i], index=i, config=config) for i in range(2)]
    loads = [
        side_registers(
            clk=clk, enable=enable, row_source=row_source, row_part=row_part, col_source=col_source, col_part=col_part,
            inputs=views[i], rows=rows[i], cols=cols[i], config=config.half,
        )
        for i in range(2)
    ]  # fmt: skip

    @always_comb
    def join():
        operands.rows.next = both_rows
        operands.cols.next = both_cols

    return stages, answers, loads, join


@block
def half_answers(inputs, lacks, view, index, config):
    """``view``, ArrayInputs of one product: half ``index`` of what the memories answer. Combinational.

    lacks: flag, the tile does not have this channel, or in builds with text this key, of the pair: it counts as zero.
    """
    whole, half = inputs.operands, view.operands
    hidden = word(len(half.hidden.data))
    numerators = word(len(half.prob.data)) if config.max_text else half.prob.data
    pieces = [(getattr(whole, name).data, getattr(half, name).data) for name in ("a", "k", "v")]
    pieces += [(whole.prob.data, numerators), (whole.hidden.data, hidden)]
    pieces += [(inputs.weights.read.data, view.weights.read.data)]
    slices = [
        slice_piece(joined=joined, piece=piece, low=index * len(piece), bits=len(piece)) for joined, piece in pieces
    ]
    absent = [where_there(lacks=lacks, src=hidden, dst=half.hidden.data)]
    if config.max_text:
        absent.append(where_there(lacks=lacks, src=numerators, dst=half.prob.data))
    return slices, absent


@block
def where_there(lacks, src, dst):
    """``dst`` is ``src``, or 0 where it ``lacks``. Combinational."""

    @always_comb
    def drive_dst():
        dst.next = src
        if lacks:
            dst.next = 0

    return drive_dst


@block
def row_register(clk, enable, source, part, inputs, dst, config):
    """``dst``: the row operands of the memory ``source``."""
    BITS = config.rows * INT8_BITS
    a, hidden, prob, weights = inputs.operands.a, inputs.operands.hidden, inputs.operands.prob, inputs.weights.read
    a_rows = word(BITS)
    select = part_mux(joined=a.data, part=part, dst=a_rows, parts=config.wide // config.rows, bits=BITS)

    @always(clk.posedge)
    def load_rows():
        if enable:
            if source == FROM_A:
                dst.next = a_rows
            elif source == FROM_HIDDEN:
                dst.next = hidden.data
            elif source == FROM_PROB:
                dst.next = prob.data
            else:
                dst.next = weights.data[BITS:]

    return select, load_rows


@block
def col_register(clk, enable, source, part, inputs, dst, config):
    """``dst``: the column operands of the memory ``source``."""
    BITS = config.cols * INT8_BITS
    weights = inputs.weights.read
    a_cols, k_cols, v_cols = (word(BITS) for _ in range(3))
    wide_words = (inputs.operands.a, a_cols), (inputs.operands.k, k_cols), (inputs.operands.v, v_cols)
    selects = [
        part_mux(joined=read.data, part=part, dst=cols, parts=config.wide // config.cols, bits=BITS)
        for read, cols in wide_words
    ]

    @always(clk.posedge)
    def load_cols():
        if enable:
            if source == FROM_A:
                dst.next = a_cols
            elif source == FROM_K:
                dst.next = k_cols
            elif source == FROM_V:
                dst.next = v_cols
            else:
                dst.next = weights.data[BITS:]

    return selects, load_cols
