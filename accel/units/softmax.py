"""Two-pass softmax: int8 numerators relative to the row's maximum, and per-row multipliers that divide by their sum.

``score Q9.6 (log2 units) -> clamp >= -32767 (-32768 marks a masked key) -> z = max - score Q10.6 -> 127 * 2**-frac(z)
Q7.8 (ROM) -> >> min(int(z), 15) -half up >> 8-> 0 .. 127 -+-> sum Q20.0 -recip-> mant, shift ~ gain / sum``.

A *job* is R queries (lanes) against its keys. ``src``: one word of R scores (16 bit) per key in ascending key order,
marked by ``src_first`` and ``src_last``, gaps allowed; ``mask``: bit r set when query r may see this key. Pass 1
stores the scores (two halves of ``max_keys`` words, one per parity) and tracks the maxima; after ``src_last`` pass 2
reads them back, one key per cycle: ``dst`` R x 8 bit numerators (0 where masked), ``dst_slot`` the key number from 0,
``dst_parity`` the job's. Then one ``recip_unit`` serves the lanes one per cycle. A lane that sees no key has only
zeros and takes the reciprocal of 1 (``max(sum, 1)``).

``done`` pulses when numerators and multipliers of a job are complete. Multipliers are double-buffered by parity: the
first job after ``aresetn`` or ``restart`` is even, the next odd, and so on. Those of job i are valid from its ``done``
until job i+2 starts pass 2.
Contract: job i+1 may stream in, wholly, while job i is in pass 2 (its own pass 2 then waits); ``src_first`` of job i+2
must not come before the ``done`` of job i; ``restart`` only when not ``busy`` and no job is half in; ``gain`` and
``gain_shift`` hold while ``busy``. ``busy``: some job's scores are complete and it is not done.
Latency: ``FIRST_LATENCY`` from ``src_last`` to the first ``dst_valid``; ``done_latency(keys, lanes)`` from ``src_last``
to ``done`` when the unit was idle. Throughput: one key per cycle in each pass, no back-pressure.
Pulses to count: ``score_write``, ``score_read`` (words of R scores), ``recip_valid`` (reciprocals).
Rounding: half up for numerators; reciprocals see ``recip``. Valid range: 1 .. ``max_keys`` keys, below 2**13.
Source: golden ``model/ops/softmax.py`` and ``model/ops/recip.py``.
"""

from myhdl import always, always_comb, always_seq, block

from radit.accel.config import bits_for
from radit.accel.interfaces.signals import flag, signed, word
from radit.accel.units.delay_lines import delay_chain
from radit.accel.units.lanes import pack, signal_list
from radit.accel.units.ram import word_ram
from radit.accel.units.recip import LATENCY as RECIP_LATENCY
from radit.accel.units.recip import recip_unit
from radit.model.formats import (
    EXP_ROM_BITS,
    EXP_ROM_FRAC,
    INT8_BITS,
    MAX_EXPONENT,
    MULT_BITS,
    PROB_SUM_BITS,
    SCORE_FRAC,
    SHIFT_BITS,
    WIDE_BITS,
)
from radit.model.roms import EXP_ROM

FIRST_LATENCY = 10
EXP_STAGES = 6
EXPONENT_BITS = MAX_EXPONENT.bit_length()


def done_latency(keys: int, lanes: int) -> int:
    """Cycles from src_last to done of an idle unit."""
    return FIRST_LATENCY + keys + lanes + RECIP_LATENCY + 2


@block
def score_pass(
    clk, aresetn, src_valid, src_first, src_last, restart, parity, write, waddr, complete, last_slot, first, max_keys
):  # fmt: skip
    """Pass 1: number and store. ``complete`` pulses when the lanes hold the job's maxima."""
    HALF = max_keys
    last = flag()
    half, half_1 = flag(), flag()  # of the job that streams in
    slot = word(len(last_slot))

    @always_seq(clk.posedge, reset=aresetn)
    def accept():
        write.next = src_valid
        complete.next = write and last
        if restart:
            half.next = 0
        elif src_valid and src_last:
            half.next = not half

    @always(clk.posedge)
    def number():
        if src_valid:
            first.next = src_first
            last.next = src_last
            if src_first:
                slot.next = 0
                waddr.next = 0
                if half:
                    waddr.next = HALF
            else:
                slot.next = slot + 1
                waddr.next = waddr + 1
            half_1.next = half
        if write and last:
            last_slot.next = slot
            parity.next = half_1

    return accept, number


@block
def softmax_lane(clk, src_valid, src, mask, first, write, score, move, valids, rdata, numerator, index):
    """Lane ``index``: mask a score and track the maximum; then the numerators of the scores read back.

    ``move`` hands the maximum over to pass 2, whose stage k works when ``valids[k]`` is high.
    """
    LOW, HIGH = index * WIDE_BITS, (index + 1) * WIDE_BITS
    INDEX = index
    MASKED = -(1 << (WIDE_BITS - 1))
    FRAC = SCORE_FRAC
    MOST = MAX_EXPONENT
    HALF_DOWN = EXP_ROM_FRAC - 1
    valid_0, valid_1, valid_2, valid_3, valid_4, valid_5, _ = valids
    running, maximum, kept = [signed(WIDE_BITS) for _ in range(3)]
    distance = word(WIDE_BITS)
    seen = flag()
    frac = word(SCORE_FRAC)
    down_2, down_3 = word(EXPONENT_BITS), word(EXPONENT_BITS)
    power, shifted = word(EXP_ROM_BITS), word(EXP_ROM_BITS)
    half = word(INT8_BITS)

    @always(clk.posedge)
    def keep():
        if src_valid:
            if not mask[INDEX]:
                score.next = MASKED
            elif src[HIGH:LOW].signed() == MASKED:
                score.next = MASKED + 1
            else:
                score.next = src[HIGH:LOW].signed()

    @always(clk.posedge)
    def compare():
        if write:
            if first or score > running:
                running.next = score
        if move:
            maximum.next = running

    @always_comb
    def read_back():
        kept.next = rdata[HIGH:LOW].signed()

    @always(clk.posedge)
    def subtract():
        if valid_0:
            seen.next = kept != MASKED
            distance.next = maximum - kept

    @always(clk.posedge)
    def split():
        if valid_1:
            frac.next = distance[FRAC:]
            # The largest exponent shifts every power to 0, which is what a masked key counts.
            if not seen or (distance >> FRAC) > MOST:
                down_2.next = MOST
            else:
                down_2.next = distance >> FRAC

    @always(clk.posedge)
    def look_up():
        if valid_2:
            down_3.next = down_2
            power.next = EXP_ROM[frac]

    @always(clk.posedge)
    def shift_and_round():
        if valid_3:
            shifted.next = power >> down_3
        if valid_4:
            half.next = (shifted >> HALF_DOWN) + 1
        if valid_5:
            numerator.next = half >> 1

    return keep, compare, read_back, subtract, split, look_up, shift_and_round


assert max(EXP_ROM) >> MAX_EXPONENT == 0, "The largest exponent must shift every power to 0."


@block
def multiplier_lane(
    clk, result_valid, lane_out, parity, mant, shift, mult_even, shift_even, mult_odd, shift_odd, index
):
    """The multipliers of lane ``index``, one set per parity of the job."""
    INDEX = index

    @always(clk.posedge)
    def keep():
        if result_valid:
            if lane_out == INDEX:
                if parity:
                    mult_odd.next = mant
                    shift_odd.next = shift
                else:
                    mult_even.next = mant
                    shift_even.next = shift

    return keep


@block
def divide(
    clk, aresetn, summed, sums, parity, gain, gain_shift, recip_valid, finished,
    mult_even, shift_even, mult_odd, shift_odd,
):  # fmt: skip
    """After the pulse ``summed``: one reciprocal per lane into the multipliers of ``parity``, then ``finished``."""
    LANES = len(sums)
    LAST = LANES - 1
    serving = flag()
    lane, lane_out = [word(bits_for(LANES)) for _ in range(2)]
    chosen = word(PROB_SUM_BITS)
    result_valid = flag()
    mant = word(MULT_BITS)
    shift = word(SHIFT_BITS)
    mults_even, mults_odd = [signal_list(word, MULT_BITS, LANES) for _ in range(2)]
    shifts_even, shifts_odd = [signal_list(word, SHIFT_BITS, LANES) for _ in range(2)]
    recip = recip_unit(clk, recip_valid, chosen, gain, gain_shift, result_valid, mant, shift)
    keeps = [
        multiplier_lane(
            *(clk, result_valid, lane_out, parity, mant, shift),
            *(mults_even[i], shifts_even[i], mults_odd[i], shifts_odd[i], i),
        )
        for i in range(LANES)
    ]
    words = (
        *(pack(mults_even, mult_even), pack(shifts_even, shift_even)),
        *(pack(mults_odd, mult_odd), pack(shifts_odd, shift_odd)),
    )

    @always_seq(clk.posedge, reset=aresetn)
    def serve():
        recip_valid.next = serving
        finished.next = result_valid and lane_out == LAST
        if summed:
            serving.next = 1
            lane.next = 0
            lane_out.next = 0
        elif serving:
            if lane == LAST:
                serving.next = 0
            else:
                lane.next = lane + 1
        if result_valid and lane_out != LAST:
            lane_out.next = lane_out + 1

    @always(clk.posedge)
    def choose():
        if serving:
            chosen.next = sums[lane]
            if sums[lane] == 0:
                chosen.next = 1

    return recip, keeps, words, serve, choose


@block
def softmax_unit(
    clk, aresetn, src_valid, src_first, src_last, src, mask, restart, gain, gain_shift, dst_valid, dst, dst_slot,
    dst_last, dst_parity, done, busy, mult_even, shift_even, mult_odd, shift_odd, score_write, score_read, recip_valid,
    lanes, max_keys,
):  # fmt: skip
    """Both passes and the reciprocals of one job after the other."""
    HALF = max_keys
    slot_bits = bits_for(max_keys)
    arrived_parity, complete, waiting, working, reading, read_valid = [flag() for _ in range(6)]
    parity, summed, finished, recip_start = [flag() for _ in range(4)]
    arrived_last, job_last, read_slot = [word(slot_bits) for _ in range(3)]
    waddr, raddr = [word(bits_for(2 * max_keys)) for _ in range(2)]
    wdata, rdata = [word(lanes * WIDE_BITS) for _ in range(2)]
    score = signal_list(signed, WIDE_BITS, lanes)
    numerator = signal_list(word, INT8_BITS, lanes)
    sums = signal_list(word, PROB_SUM_BITS, lanes)
    write, first, move, out_valid, first_out = [flag() for _ in range(5)]
    out_slot = word(slot_bits)
    valids = [read_valid, *(flag() for _ in range(EXP_STAGES - 1)), out_valid]

    first_pass = score_pass(
        clk, aresetn, src_valid, src_first, src_last, restart, arrived_parity, write, waddr, complete, arrived_last,
        first, max_keys,
    )  # fmt: skip
    scores = word_ram(clk, write, waddr, wdata, reading, raddr, rdata, 2 * max_keys)
    works = [
        softmax_lane(clk, src_valid, src, mask, first, write, score[i], move, valids, rdata, numerator[i], i)
        for i in range(lanes)
    ]
    advance = delay_chain(clk, valids)
    words = pack(score, wdata), pack(numerator, dst)
    reciprocals = divide(
        clk, aresetn, summed, sums, parity, gain, gain_shift, recip_start, finished,
        mult_even, shift_even, mult_odd, shift_odd,
    )  # fmt: skip

    @always_comb
    def observe():
        score_write.next = write
        score_read.next = reading
        recip_valid.next = recip_start
        dst_valid.next = out_valid
        dst_slot.next = out_slot
        first_out.next = out_slot == 0
        dst_parity.next = parity
        dst_last.next = out_valid and out_slot == job_last
        done.next = finished
        busy.next = complete or waiting or working
        move.next = (complete or waiting) and not working

    @always_seq(clk.posedge, reset=aresetn)
    def control():
        read_valid.next = reading
        summed.next = out_valid and out_slot == job_last
        if complete and working:
            waiting.next = 1
        if move:
            waiting.next = 0
            working.next = 1
            reading.next = 1
        if reading and read_slot == job_last:
            reading.next = 0
        if finished:
            working.next = 0
        if out_valid:
            if out_slot == job_last:
                out_slot.next = 0
            else:
                out_slot.next = out_slot + 1

    @always(clk.posedge)
    def start_and_read():
        if move:
            parity.next = arrived_parity
            job_last.next = arrived_last
            read_slot.next = 0
            raddr.next = 0
            if arrived_parity:
                raddr.next = HALF
        elif reading:
            if read_slot != job_last:
                read_slot.next = read_slot + 1
                raddr.next = raddr + 1

    adders = [sum_lane(clk, out_valid, first_out, numerator[i], sums[i]) for i in range(lanes)]
    return first_pass, scores, works, advance, words, reciprocals, observe, control, start_and_read, adders


@block
def sum_lane(clk, valid, first, numerator, total):
    """The sum of a lane's numerators."""

    @always(clk.posedge)
    def add_up():
        if valid:
            if first:
                total.next = numerator
            else:
                total.next = total + numerator

    return add_up
