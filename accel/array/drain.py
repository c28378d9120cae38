"""The drain: columns of a finished tile -> requantize -> (GELU | softmax) -> memory, one column per cycle.

``column c (R sums) and its parameters -> requant_unit -> wide (scores, GELU inputs) | narrow (int8) -> destination``.
Runs beside the array's next tile and never stalls; ``owned`` tells the front how long the drain registers matter.
Sources of (bias, mult, shift): per channel from the parameter memory (Q, K, branch, H), one for the sub-block (V,
scores), per token from the softmax's reciprocals (O). H's multiplier after GELU comes with its other parameters.
"""

from myhdl import always_comb, always_seq, block

from radit.accel.array.column_walk import DrainColumn, column_walk
from radit.accel.interfaces.signals import flag, signed, word
from radit.accel.interfaces.tile_command import KIND_BITS, KIND_H, KIND_O, KIND_SCORE, KIND_V
from radit.accel.units.delay_lines import delay_chain, gated_delay
from radit.accel.units.gelu import LATENCY as GELU_LATENCY
from radit.accel.units.gelu import gelu_unit
from radit.accel.units.requant import LATENCY as REQUANT_LATENCY
from radit.accel.units.requant import requant_unit
from radit.model.formats import AFTER_BITS, BIAS_BITS, MULT_BITS, SHIFT_BITS

QUIET_CYCLES = REQUANT_LATENCY + GELU_LATENCY + 4  # from the last column to its write


class ColumnScale:
    """What a column is requantized with.

    Signals, all of them from ``column_scale``:
        bias: ``BIAS_BITS``, signed. mult: ``MULT_BITS``. shift: ``SHIFT_BITS``. One for all R tokens.
        per_token: 1 bit; ``token_mult`` and ``token_shift``, R each, count instead.
        after: ``AFTER_BITS``, multiplier after GELU.
    """

    def __init__(self, config) -> None:
        self.bias, self.mult, self.shift = signed(BIAS_BITS), word(MULT_BITS), word(SHIFT_BITS)
        self.per_token = flag()
        self.token_mult, self.token_shift = word(config.rows * MULT_BITS), word(config.rows * SHIFT_BITS)
        self.after = word(AFTER_BITS)


@block
def drain_unit(clk, aresetn, finish, columns, params, idle, header, scales, drained, config):
    """Drain finished tiles.

    finish: TileFinish. columns: ColumnPort. params: ReadPort of parameters. idle: nothing is on its way. header:
    SubBlockHeader. scales: TokenScales. drained: DrainedWord.
    """
    column, scale = DrainColumn(), ColumnScale(config)
    src_valid, requantized = flag(), flag()
    walk = column_walk(
        clk=clk, aresetn=aresetn, finish=finish, columns=columns, column=column, idle=idle, cycles=QUIET_CYCLES,
        products=config.products,
    )  # fmt: skip
    scaling = column_scale(
        clk=clk, aresetn=aresetn, column=column, params=params, header=header, scales=scales, scale=scale
    )
    requantize = requant_unit(
        clk=clk, src_valid=src_valid, acc=columns.sums, bias=scale.bias, mult=scale.mult, shift=scale.shift,
        per_token=scale.per_token, token_mult=scale.token_mult, token_shift=scale.token_shift, dst_valid=requantized,
        wide=drained.wide, narrow=drained.narrow, saturated=drained.saturated, lanes=config.rows,
    )  # fmt: skip
    valids = [column.active, src_valid, *(flag() for _ in range(REQUANT_LATENCY - 1))]
    tags = (
        delay_chain(clk=clk, chain=valids[1:]),
        gated_delay(clk=clk, valids=valids, src=column.kind, dst=drained.kind),
        gated_delay(clk=clk, valids=valids, src=column.addr, dst=drained.addr),
        gated_delay(clk=clk, valids=valids, src=column.part, dst=drained.part),
        gated_delay(clk=clk, valids=valids, src=column.a_tile, dst=drained.a_tile),
        gated_delay(clk=clk, valids=valids, src=column.key, dst=drained.key),
        gated_delay(clk=clk, valids=valids, src=column.job_first, dst=drained.job_first),
        gated_delay(clk=clk, valids=valids, src=column.job_last, dst=drained.job_last),
    )
    activate = drain_gelu(
        clk=clk, valids=valids[1:], requantized=requantized, after=scale.after, shift=header.h_shift, drained=drained,
        config=config,
    )  # fmt: skip

    @always_seq(clk.posedge, reset=aresetn)
    def advance_valid():
        src_valid.next = column.active

    return walk, scaling, requantize, tags, activate, advance_valid


@block
def drain_gelu(clk, valids, requantized, after, shift, drained, config):
    """Words of H go through GELU, all others leave as they are.

    valids: of the requantizer's stages. requantized: a word leaves it. after, shift: of H after GELU; ``after`` belongs
    to the column that enters the requantizer.
    """
    mult = word(AFTER_BITS)
    gelu_valids = [drained.gelu_enters, *(flag() for _ in range(GELU_LATENCY - 1))]

    @always_comb
    def drive_valids():
        drained.valid.next = requantized and drained.kind != KIND_H
        drained.gelu_enters.next = requantized and drained.kind == KIND_H

    return (
        drive_valids,
        delay_chain(clk=clk, chain=gelu_valids),
        gated_delay(clk=clk, valids=valids, src=after, dst=mult),
        gated_delay(clk=clk, valids=gelu_valids, src=drained.addr, dst=drained.gelu_addr),
        gelu_unit(
            clk=clk, src_valid=drained.gelu_enters, u=drained.wide, mult=mult, shift=shift,
            dst_valid=drained.gelu_valid, dst=drained.gelu, lanes=config.rows,
        ),
    )  # fmt: skip


@block
def column_scale(clk, aresetn, column, params, header, scales, scale):
    """Read the parameters of a column, and choose what it is requantized with one cycle later, when its sums come."""
    MULT_LOW, MULT_HIGH = BIAS_BITS, BIAS_BITS + MULT_BITS
    SHIFT_HIGH = MULT_HIGH + SHIFT_BITS
    AFTER_HIGH = SHIFT_HIGH + AFTER_BITS
    kind, parity = word(KIND_BITS), flag()

    @always_comb
    def drive_read():
        params.enable.next = (
            column.active and column.kind != KIND_V and column.kind != KIND_SCORE and column.kind != KIND_O
        )
        params.addr.next = column.param_addr

    @always_seq(clk.posedge, reset=aresetn)
    def keep_kind():
        if column.active:
            kind.next = column.kind
            parity.next = column.parity

    @always_comb
    def drive_token_scale():
        scale.per_token.next = kind == KIND_O
        if parity:
            scale.token_mult.next = scales.mult_odd
            scale.token_shift.next = scales.shift_odd
        else:
            scale.token_mult.next = scales.mult_even
            scale.token_shift.next = scales.shift_even

    @always_comb
    def drive_scale():
        if kind == KIND_V:
            scale.bias.next = 0
            scale.mult.next = header.v_mult
            scale.shift.next = header.v_shift[SHIFT_BITS:]
        elif kind == KIND_SCORE:
            scale.bias.next = 0
            scale.mult.next = header.score_mult
            scale.shift.next = header.score_shift[SHIFT_BITS:]
        else:
            scale.bias.next = params.data[BIAS_BITS:].signed()
            scale.mult.next = params.data[MULT_HIGH:MULT_LOW]
            scale.shift.next = params.data[SHIFT_HIGH:MULT_HIGH]

    @always_comb
    def drive_after():
        scale.after.next = params.data[AFTER_HIGH:SHIFT_HIGH]

    return drive_read, keep_kind, drive_token_scale, drive_scale, drive_after
