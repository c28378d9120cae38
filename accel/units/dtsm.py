"""Dynamic Threshold Scaling Module: decides whether a sub-block's branch of one context is reused.

``theta = ((threshold * (256 - streak * streak_step) >> 8) * factor) >> 7`` (Q0.16, saturated); reuse iff
``count << 16 < theta * total``, a result is cached, nothing forces a computation and ``streak < max_streak``. factor is
``tight`` while the distance to the last computed input grows by more than its running average per step, else ``loose``.
A sub-block that ``follows`` takes ``lead``, the decision of the one before it, instead of the comparison.

A reused branch is a forecast from the last two computed ones (``accel/units/reuse.py``): with k reuses since the last
computation, this one included, and ``gap`` timesteps between the last two, ``slope = gain * k / gap`` (Q3.8, cut, at
most the register slope_max). It is 0 where nothing is reused, gain is 0, or one branch was computed at most. ``slot``
says in which of its two slots of the cache the latest branch lies, or is to be written when it is computed now: the
first one of an image in slot 0, every other in the slot that the one before did not take.

One multiplier makes every product in turn; the upper bits of ``total`` have a small one beside it, so that neither
needs an adder before its register.

Per entry (sub-block and context) a memory keeps streak, last count, average, gap and slot; ``new_image`` forgets all
entries in one cycle. Shapes: scalars; index below ``entries``. index, count, total, threshold, forced, follows,
lead and gain are stable from ``start`` through ``done``, the registers streak_step, tight, loose, max_streak and
slope_max always; the next start comes after done.
Latency: start to done ``LATENCY`` cycles; ``reuse``, ``slope`` and ``slot`` are valid with done and held until the next
one. Throughput: one decision per ``LATENCY + 1`` cycles. Rounding: all shifts cut (floor), also of a negative change.
Valid range: all values of the ports' widths. Source: golden ``model/ops/dtsm.py``, ``coefficient`` of
``model/ops/reuse.py``.
"""

from myhdl import always, always_comb, always_seq, block, concat, intbv

from radit.accel.interfaces.signals import flag, signed, word
from radit.accel.units.ram import word_ram
from radit.model.formats import (
    AVERAGE_SHIFT,
    COUNT_BITS,
    FACTOR_BITS,
    GAIN_BITS,
    INVERSE_BITS,
    SLOPE_BITS,
    SLOPE_CUT,
    STREAK_BITS,
    THRESHOLD_BITS,
)
from radit.model.roms import GAP_INVERSE

LATENCY = 9
STREAK_STEP_BITS = FACTOR_BITS + 1
SCALED_BITS = THRESHOLD_BITS + STREAK_STEP_BITS
FACTORED_BITS = SCALED_BITS  # 8 bits cut, 8 bits of factor
STEPS_BITS = STREAK_BITS + 1  # timesteps since the last computation, this one included
GAINED_BITS = STEPS_BITS + GAIN_BITS
SLOPED_BITS = GAINED_BITS + INVERSE_BITS
# Factors of the multiplier. Of a count the upper bits have a product of their own, which joins it afterwards.
WIDE_BITS = max(THRESHOLD_BITS, SCALED_BITS - FACTOR_BITS, GAINED_BITS)
NARROW_BITS = max(THRESHOLD_BITS, STREAK_STEP_BITS, GAIN_BITS, INVERSE_BITS)
PRODUCT_BITS = WIDE_BITS + NARROW_BITS
UPPER_BITS = COUNT_BITS - WIDE_BITS + THRESHOLD_BITS
STATE_BITS = 1 + 2 * STREAK_BITS + 2 * COUNT_BITS


@block
def dtsm_unit(
    clk, aresetn, start, index, count, total, threshold, forced, follows, lead, gain, streak_step, tight, loose,
    max_streak, slope_max, new_image, done, reuse, slope, slot, entries,
):  # fmt: skip
    """Read the entry, decide, write the entry back."""
    steps = [start, *(flag() for _ in range(LATENCY))]
    known, reused, written = flag(), flag(), steps[LATENCY]
    last_slot, at_slot = flag(), flag()
    streak, gap = word(STREAK_BITS), word(STREAK_BITS)
    since = word(STEPS_BITS)
    forecast, chosen = word(SLOPE_BITS), word(SLOPE_BITS)
    last_count = word(COUNT_BITS)
    average, delta, base, following = [signed(COUNT_BITS + 1) for _ in range(4)]
    growing = flag()
    left, theta = word(STREAK_STEP_BITS), word(THRESHOLD_BITS)
    gained, inverse = word(GAINED_BITS), word(INVERSE_BITS)
    made, upper = word(PRODUCT_BITS), word(UPPER_BITS)
    sequence = [follow(clk, aresetn, steps[i], steps[i + 1]) for i in range(LATENCY)]
    memory = state_memory(
        clk, aresetn, new_image, start, written, index, count, reused, following, since, at_slot,
        known, streak, last_count, average, gap, last_slot, entries,
    )  # fmt: skip
    fluctuation = measure(
        clk, steps[2], steps[3], steps[4], steps[5], count, last_count, average, delta, base, growing, following
    )
    multiplication = multiply(
        clk, steps[3], steps[4], steps[5], steps[6], steps[7], streak, streak_step, since, gain, threshold, left,
        growing, tight, loose, gained, inverse, total, theta, made, upper,
    )  # fmt: skip
    scaling = scale_threshold(clk, steps[3], steps[6], made, left, theta)
    extrapolation = extrapolate(
        clk, steps[2], steps[4], steps[7], streak, gap, slope_max, made, since, gained, inverse, forecast
    )
    decision = compare(
        clk, steps[7], steps[8], made, upper, count, known, streak, max_streak, forced, follows, lead, forecast,
        last_slot, reused, chosen, at_slot,
    )  # fmt: skip

    @always_comb
    def present():
        done.next = written
        reuse.next = reused
        slope.next = chosen
        slot.next = at_slot

    return sequence, memory, fluctuation, multiplication, scaling, extrapolation, decision, present


@block
def follow(clk, aresetn, src, dst):
    @always_seq(clk.posedge, reset=aresetn)
    def step():
        dst.next = src

    return step


@block
def state_memory(
    clk, aresetn, new_image, read, write, index, count, reused, following, since, at_slot,
    known, streak, last_count, average, gap, last_slot, entries,
):  # fmt: skip
    """What is remembered per entry; an entry that is not ``known`` reads as zeros."""
    SLOT = STATE_BITS - 1
    GAP_LOW = SLOT - STREAK_BITS
    STREAK_LOW = 2 * COUNT_BITS
    COUNT_LOW = COUNT_BITS
    LONGEST = (1 << STREAK_BITS) - 1
    known_bits = word(entries)
    state, next_state = word(STATE_BITS), word(STATE_BITS)
    next_streak, next_gap = word(STREAK_BITS), word(STREAK_BITS)
    next_count, next_average = word(COUNT_BITS), word(COUNT_BITS)
    ram = word_ram(clk, write, index, next_state, read, index, state, entries)

    @always_seq(clk.posedge, reset=aresetn)
    def remember():
        if new_image:
            known_bits.next = 0
        elif write:
            known_bits.next[index] = True

    @always(clk.posedge)
    def recall():
        if read:
            known.next = known_bits[index]

    @always_comb
    def unpack():
        streak.next = 0
        last_count.next = 0
        average.next = 0
        gap.next = 0
        last_slot.next = 0
        if known:
            last_slot.next = state[SLOT]
            gap.next = state[SLOT:GAP_LOW]
            streak.next = state[GAP_LOW:STREAK_LOW]
            last_count.next = state[STREAK_LOW:COUNT_LOW]
            average.next = state[COUNT_LOW:]

    @always_comb
    def update():
        next_streak.next = 0
        next_count.next = 0
        next_average.next = 0
        next_gap.next = 0
        if write:
            if reused:
                next_streak.next = streak + 1
                next_count.next = count
                next_gap.next = gap
            elif known:
                next_gap.next = LONGEST
                if since < LONGEST:
                    next_gap.next = since
            if known:
                next_average.next = following[COUNT_LOW:]

    @always_comb
    def join():
        next_state.next = concat(at_slot, next_gap, next_streak, next_count, next_average)

    return ram, remember, recall, unpack, update, join


@block
def multiply(
    clk, step_3, step_4, step_5, step_6, step_7, streak, streak_step, since, gain, threshold, left, growing, tight,
    loose, gained, inverse, total, theta, product, upper,
):  # fmt: skip
    """``product`` of two factors, in the step after: those of steps 3 to 7, else those of step 2, the streak's.

    upper: theta times the bits of total above the factor's, in the step after step 7.
    """
    wide, narrow = word(WIDE_BITS), word(NARROW_BITS)
    SCALED_TOP, CUT = SCALED_BITS, FACTOR_BITS
    WIDE, COUNT = WIDE_BITS, COUNT_BITS

    @always_comb
    def choose():
        wide.next = streak
        narrow.next = streak_step
        if step_3:
            wide.next = since
            narrow.next = gain
        elif step_4:
            wide.next = threshold
            narrow.next = left
        elif step_5:
            wide.next = product[SCALED_TOP:CUT]
            narrow.next = loose
            if growing:
                narrow.next = tight
        elif step_6:
            wide.next = gained
            narrow.next = inverse
        elif step_7:
            wide.next = total[WIDE:]
            narrow.next = theta

    @always(clk.posedge)
    def work():
        product.next = wide * narrow
        upper.next = total[COUNT:WIDE] * theta

    return choose, work


@block
def extrapolate(clk, step_2, step_4, step_7, streak, gap, slope_max, product, since, gained, inverse, forecast):
    """``forecast = gain * since / gap``, at most ``slope_max``; ``since``: timesteps since the last computation."""
    INVERSE = tuple(int(value) for value in GAP_INVERSE)
    LOW = SLOPE_CUT
    HIGH = LOW + SLOPE_BITS
    TOP = SLOPED_BITS
    GAINED = GAINED_BITS

    @always(clk.posedge)
    def look_up():
        if step_2:
            inverse.next = INVERSE[gap]

    @always(clk.posedge)
    def scale():
        if step_2:
            since.next = streak + 1
        if step_4:
            gained.next = product[GAINED:]
        if step_7:
            forecast.next = product[HIGH:LOW]
            if product[TOP:LOW] > slope_max:
                forecast.next = slope_max

    return look_up, scale


@block
def measure(clk, step_2, step_3, step_4, step_5, count, last_count, average, delta, base, growing, following):
    """The change of the distance in this step, against its running average."""
    SHIFT = AVERAGE_SHIFT
    gap = signed(COUNT_BITS + 1)

    @always(clk.posedge)
    def change():
        if step_2:
            if count >= last_count:
                delta.next = count - last_count
            else:
                delta.next = last_count - count
        if step_3:
            base.next = average
            if average == 0:
                base.next = delta
        if step_4:
            growing.next = delta > base
            gap.next = delta - base
        if step_5:
            following.next = base + (gap >> SHIFT)

    return change


@block
def scale_threshold(clk, step_3, step_6, product, left, theta):
    """What the streak leaves of the threshold, and the threshold with both factors."""
    ONE = 1 << FACTOR_BITS
    TOP = FACTORED_BITS
    THETA_LOW = FACTOR_BITS - 1
    THETA_TOP = THETA_LOW + THRESHOLD_BITS
    HIGHEST = (1 << THRESHOLD_BITS) - 1
    LEFT = STREAK_STEP_BITS

    @always(clk.posedge)
    def scale():
        if step_3:
            left.next = 0
            if product < ONE:
                left.next = ONE - product[LEFT:]
        if step_6:
            theta.next = product[THETA_TOP:THETA_LOW]
            if product[TOP:THETA_TOP] != 0:
                theta.next = HIGHEST

    return scale


@block
def compare(
    clk, step_7, step_8, product, upper, count, known, streak, max_streak, forced, follows, lead, forecast, last_slot,
    reused, chosen, at_slot,
):  # fmt: skip
    """The share of changed codes against theta, the conditions on a reuse, and what follows from it for the branch."""
    share, limit = word(COUNT_BITS + THRESHOLD_BITS), word(COUNT_BITS + THRESHOLD_BITS)
    allowed, alike = flag(), flag()
    SHIFT, WIDE = THRESHOLD_BITS, WIDE_BITS

    @always_comb
    def weigh():
        share.next = concat(count, intbv(0)[SHIFT:])
        limit.next = product + concat(upper, intbv(0)[WIDE:])

    @always_comb
    def agree():
        if follows:
            alike.next = lead
        else:
            alike.next = share < limit

    @always(clk.posedge)
    def decide():
        if step_7:
            allowed.next = known and not forced and streak < max_streak
        if step_8:
            if allowed and alike:
                reused.next = True
                chosen.next = forecast
                at_slot.next = last_slot
            else:
                reused.next = False
                chosen.next = 0
                at_slot.next = known and not last_slot

    return weigh, agree, decide
