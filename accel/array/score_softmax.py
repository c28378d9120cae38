"""Scores on their way through the softmax unit: which keys a query may see, and where the numerators go."""

from myhdl import always_comb, block

from radit.accel.config import bits_for, log2_exact
from radit.accel.interfaces.signals import dim, flag, word
from radit.accel.interfaces.tile_command import KIND_SCORE
from radit.accel.units.lanes import pack
from radit.accel.units.softmax import softmax_unit
from radit.model.formats import INT8_BITS


@block
def score_softmax(clk, aresetn, control, drained, numerators, scales, header, group, events, config):
    """Softmax: scores stream in as they drain, numerators and per-token multipliers come out per job.

    control: CoreControl. drained: DrainedWord. numerators: WritePort of the probability memory. scales: TokenScales.
    header: SubBlockHeader. group: AttentionGroup. events: Events.
    """
    KEY_DEPTH = config.padded_keys
    score_valid, dst_valid, dst_last, is_odd, busy, recip_op = (flag() for _ in range(6))
    mask, slot = word(config.rows), word(bits_for(KEY_DEPTH))
    clamped = word(config.rows)
    dst = word(config.rows * INT8_BITS)
    masking = score_mask(key=drained.key, part=drained.part, group=group, mask=mask, config=config)
    softmax = softmax_unit(
        clk=clk, aresetn=aresetn, src_valid=score_valid, src_first=drained.job_first, src_last=drained.job_last,
        src=drained.wide, mask=mask, restart=control.attending, gain=header.gain, gain_shift=header.gain_shift,
        dst_valid=dst_valid, dst=dst, dst_slot=slot, dst_last=dst_last, dst_parity=is_odd, done=control.softmax_done,
        busy=busy, mult_even=scales.mult_even, shift_even=scales.shift_even, mult_odd=scales.mult_odd,
        shift_odd=scales.shift_odd, score_write=events.score_writes, score_read=events.score_reads,
        recip_valid=recip_op, lanes=config.rows, max_keys=KEY_DEPTH,
    )  # fmt: skip

    @always_comb
    def drive_source():
        score_valid.next = drained.valid and drained.kind == KIND_SCORE
        clamped.next = drained.saturated & mask

    @always_comb
    def drive_numerators():
        numerators.enable.next = dst_valid
        numerators.data.next = dst
        if is_odd:
            numerators.addr.next = slot + KEY_DEPTH
        else:
            numerators.addr.next = slot

    @always_comb
    def drive_events():
        events.exp_words.next = dst_valid
        events.prob_writes.next = dst_valid
        events.recip_ops.next = recip_op
        events.score_saturations.next = score_valid and clamped > 0

    return masking, softmax, drive_source, drive_numerators, drive_events


@block
def score_mask(key, part, group, mask, config):
    """Which of the R queries may see the key of slot ``key``: valid keys, and in temporal groups the same position."""
    LOG_ROWS, LANE_BITS = log2_exact(config.rows), log2_exact(config.wide)
    interleave, first_lane = dim(), dim()
    is_valid = flag()
    visible = [flag() for _ in range(config.rows)]

    @always_comb
    def drive_common():
        is_valid.next = key < group.keys
        first_lane.next = part << LOG_ROWS
        interleave.next = 0
        for i in range(LANE_BITS):
            if group.log_frames != 0 and group.log_interleave > i:
                interleave.next[i] = 1

    lanes = [
        visible_lane(
            is_valid=is_valid, key=key, first_lane=first_lane, interleave=interleave, visible=visible[r], index=r
        )
        for r in range(config.rows)
    ]
    return drive_common, lanes, pack(lanes=visible, joined=mask)


@block
def visible_lane(is_valid, key, first_lane, interleave, visible, index):
    """Whether query ``index`` of the row tile may see the key."""
    INDEX = index

    @always_comb
    def drive_visible():
        visible.next = is_valid and ((key ^ (first_lane | INDEX)) & interleave) == 0

    return drive_visible
