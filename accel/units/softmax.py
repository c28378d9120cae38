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

from myhdl import Signal, always, always_comb, always_seq, block, concat, intbv

from accel.config import bits_for
from accel.units.lanes import pack, signal_list, signed, unpack, unsigned
from accel.units.ram import word_ram
from accel.units.recip import LATENCY as RECIP_LATENCY
from accel.units.recip import recip_unit
from model.formats import (
    EXP_ROM_BITS,
    EXP_ROM_FRAC,
    INT8_BITS,
    MULT_BITS,
    PROB_SUM_BITS,
    SCORE_FRAC,
    SHIFT_BITS,
    WIDE_BITS,
)
from model.roms import EXP_ROM

FIRST_LATENCY = 10
EXP_STAGES = 6
MAX_EXPONENT = 15
EXPONENT_BITS = MAX_EXPONENT.bit_length()


def done_latency(keys: int, lanes: int) -> int:
    """Cycles from src_last to done of an idle unit."""
    return FIRST_LATENCY + keys + lanes + RECIP_LATENCY + 2


@block
def score_pass(
    clk, aresetn, src_valid, src_first, src_last, src, mask, restart, parity, write, waddr, wdata, complete, last_slot,
    running, max_keys,
):  # fmt: skip
    """Pass 1: mask, store and compare. ``complete`` pulses when ``running`` holds the job's maxima."""
    LANES = len(running)
    HALF = max_keys
    MASKED = -(1 << (WIDE_BITS - 1))
    first = Signal(bool(0))
    last = Signal(bool(0))
    half, half_1 = [Signal(bool(0)) for _ in range(2)]  # of the job that streams in
    slot = unsigned(len(last_slot))
    src_in, score = [signal_list(signed, WIDE_BITS, LANES) for _ in range(2)]
    words = unpack(src, src_in, signed=True), pack(score, wdata)

    @always_seq(clk.posedge, reset=aresetn)
    def accept():
        write.next = src_valid
        complete.next = write and last
        if restart:
            half.next = 0
        elif src_valid and src_last:
            half.next = not half

    @always(clk.posedge)
    def store():
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
            for i in range(LANES):
                if not mask[i]:
                    score[i].next = MASKED
                elif src_in[i] == MASKED:
                    score[i].next = MASKED + 1
                else:
                    score[i].next = src_in[i]
        if write and last:
            last_slot.next = slot
            parity.next = half_1

    @always(clk.posedge)
    def compare():
        if write:
            for i in range(LANES):
                if first or score[i] > running[i]:
                    running[i].next = score[i]

    return words, accept, store, compare


@block
def exponential(clk, read_valid, rdata, maximum, dst_valid, numerator):
    """Scores read back -> numerators; ``EXP_STAGES`` cycles after the word is on ``rdata``."""
    LANES = len(maximum)
    TOP = EXP_STAGES - 1
    MASKED = -(1 << (WIDE_BITS - 1))
    FRAC = SCORE_FRAC
    MOST = MAX_EXPONENT
    HALF_DOWN = EXP_ROM_FRAC - 1
    valid = Signal(intbv(0)[EXP_STAGES:])
    score = signal_list(signed, WIDE_BITS, LANES)
    distance = signal_list(unsigned, WIDE_BITS, LANES)
    frac = signal_list(unsigned, SCORE_FRAC, LANES)
    down_2, down_3 = [signal_list(unsigned, EXPONENT_BITS, LANES) for _ in range(2)]
    power, shifted = [signal_list(unsigned, EXP_ROM_BITS, LANES) for _ in range(2)]
    half = signal_list(unsigned, INT8_BITS, LANES)
    seen_1, seen_2, seen_3, seen_4, seen_5 = [unsigned(LANES) for _ in range(5)]
    words = unpack(rdata, score, signed=True)

    @always(clk.posedge)
    def advance():
        valid.next = concat(valid[TOP:], read_valid)

    @always_comb
    def leave():
        dst_valid.next = valid[TOP]

    @always(clk.posedge)
    def subtract():
        if read_valid:
            for i in range(LANES):
                seen_1.next[i] = score[i] != MASKED
                distance[i].next = maximum[i] - score[i]

    @always(clk.posedge)
    def split():
        if valid[0]:
            seen_2.next = seen_1
            for i in range(LANES):
                frac[i].next = distance[i][FRAC:]
                if (distance[i] >> FRAC) > MOST:
                    down_2[i].next = MOST
                else:
                    down_2[i].next = distance[i] >> FRAC

    @always(clk.posedge)
    def look_up():
        if valid[1]:
            seen_3.next = seen_2
            for i in range(LANES):
                down_3[i].next = down_2[i]
                power[i].next = EXP_ROM[frac[i]]

    @always(clk.posedge)
    def shift_and_round():
        if valid[2]:
            seen_4.next = seen_3
            for i in range(LANES):
                shifted[i].next = power[i] >> down_3[i]
        if valid[3]:
            seen_5.next = seen_4
            for i in range(LANES):
                half[i].next = (shifted[i] >> HALF_DOWN) + 1
        if valid[4]:
            for i in range(LANES):
                if seen_5[i]:
                    numerator[i].next = half[i] >> 1
                else:
                    numerator[i].next = 0

    return words, advance, leave, subtract, split, look_up, shift_and_round


@block
def divide(
    clk, aresetn, summed, sums, parity, gain, gain_shift, recip_valid, finished,
    mult_even, shift_even, mult_odd, shift_odd,
):  # fmt: skip
    """After the pulse ``summed``: one reciprocal per lane into the multipliers of ``parity``, then ``finished``."""
    LANES = len(sums)
    LAST = LANES - 1
    serving = Signal(bool(0))
    lane, lane_out = [unsigned(bits_for(LANES)) for _ in range(2)]
    chosen = unsigned(PROB_SUM_BITS)
    result_valid = Signal(bool(0))
    mant = unsigned(MULT_BITS)
    shift = unsigned(SHIFT_BITS)
    mults_even, mults_odd = [signal_list(unsigned, MULT_BITS, LANES) for _ in range(2)]
    shifts_even, shifts_odd = [signal_list(unsigned, SHIFT_BITS, LANES) for _ in range(2)]
    recip = recip_unit(clk, recip_valid, chosen, gain, gain_shift, result_valid, mant, shift)
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

    @always(clk.posedge)
    def keep():
        if result_valid:
            if parity:
                mults_odd[lane_out].next = mant
                shifts_odd[lane_out].next = shift
            else:
                mults_even[lane_out].next = mant
                shifts_even[lane_out].next = shift

    return recip, words, serve, choose, keep


@block
def softmax_unit(
    clk, aresetn, src_valid, src_first, src_last, src, mask, restart, gain, gain_shift, dst_valid, dst, dst_slot,
    dst_last, dst_parity, done, busy, mult_even, shift_even, mult_odd, shift_odd, score_write, score_read, recip_valid,
    lanes, max_keys,
):  # fmt: skip
    """Both passes and the reciprocals of one job after the other."""
    LANES, HALF = lanes, max_keys
    slot_bits = bits_for(max_keys)
    arrived_parity, complete, waiting, working, reading, read_valid = [Signal(bool(0)) for _ in range(6)]
    parity, summed, finished, recip_start = [Signal(bool(0)) for _ in range(4)]
    arrived_last, job_last, read_slot = [unsigned(slot_bits) for _ in range(3)]
    waddr, raddr = [unsigned(bits_for(2 * max_keys)) for _ in range(2)]
    wdata, rdata = [unsigned(lanes * WIDE_BITS) for _ in range(2)]
    running, maximum = [signal_list(signed, WIDE_BITS, lanes) for _ in range(2)]
    numerator = signal_list(unsigned, INT8_BITS, lanes)
    sums = signal_list(unsigned, PROB_SUM_BITS, lanes)
    write = Signal(bool(0))
    out_slot = unsigned(slot_bits)
    out_valid = Signal(bool(0))

    first_pass = score_pass(
        clk, aresetn, src_valid, src_first, src_last, src, mask, restart, arrived_parity, write, waddr, wdata, complete,
        arrived_last, running, max_keys,
    )  # fmt: skip
    scores = word_ram(clk, write, waddr, wdata, reading, raddr, rdata, 2 * max_keys)
    second_pass = exponential(clk, read_valid, rdata, maximum, out_valid, numerator)
    join = pack(numerator, dst)
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
        dst_parity.next = parity
        dst_last.next = out_valid and out_slot == job_last
        done.next = finished
        busy.next = complete or waiting or working

    @always_seq(clk.posedge, reset=aresetn)
    def control():
        read_valid.next = reading
        summed.next = out_valid and out_slot == job_last
        if complete and working:
            waiting.next = 1
        if (complete or waiting) and not working:
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
        if (complete or waiting) and not working:
            parity.next = arrived_parity
            job_last.next = arrived_last
            read_slot.next = 0
            raddr.next = 0
            if arrived_parity:
                raddr.next = HALF
            for i in range(LANES):
                maximum[i].next = running[i]
        elif reading:
            if read_slot != job_last:
                read_slot.next = read_slot + 1
                raddr.next = raddr + 1

    @always(clk.posedge)
    def add_up():
        if out_valid:
            for i in range(LANES):
                if out_slot == 0:
                    sums[i].next = numerator[i]
                else:
                    sums[i].next = sums[i] + numerator[i]

    return first_pass, scores, second_pass, join, reciprocals, observe, control, start_and_read, add_up
