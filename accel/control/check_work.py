"""Work off the steps of a check: what is multiplied, added up and compared, and when it is over.

``accel/control/check_registers.py`` makes the steps of rules, and looks them up.
"""

from myhdl import ConcatSignal, Signal, always, always_comb, always_seq, block, enum, modbv

from radit.accel.config import bits_for
from radit.accel.control.register_rules import SUM_BITS
from radit.accel.control.registers import CODE_BITS
from radit.accel.interfaces.signals import DIM_BITS, bit_set, flag, word
from radit.accel.interfaces.top_ports import REGISTER_ADDRESS_BITS

OPERATIONS = ("product", "limit", "equal", "most", "divides", "sum")
OPERATION_BITS = bits_for(len(OPERATIONS))
FACTOR_BITS = DIM_BITS
CHOICE_BITS = 6  # of the number of an operand, or of a condition


class Verdict:
    """What the check says; driven by ``check_registers``.

    pending: flag, it is not over. passes: flag, no rule is broken; code: ``CODE_BITS``, place: register address, of
    the rule that is. All three hold while it is not pending.
    """

    def __init__(self) -> None:
        self.pending = flag()
        self.passes = flag()
        self.code = word(CODE_BITS)
        self.place = word(REGISTER_ADDRESS_BITS)


class StepAtHand:
    """What the check does now.

    number: of the step; driven by ``walk_steps``. operation; low, high, mask; opens: flag; value_choice,
    factor_choice, condition: numbers of operands and of a condition; code, place: of the error. Driven by ``look_up``.
    """

    def __init__(self, count: int) -> None:
        self.number = word(bits_for(count + 1))
        self.operation = word(OPERATION_BITS)
        self.low, self.high, self.mask = (word(SUM_BITS) for _ in range(3))
        self.opens = flag()
        self.value_choice, self.factor_choice, self.condition = (word(CHOICE_BITS) for _ in range(3))
        self.code = word(CODE_BITS)
        self.place = word(REGISTER_ADDRESS_BITS)


class CheckWork:
    """What happens to the operands.

    fetches, compares, multiplies, divides: flags, one of them in this cycle; driven by ``walk_steps``.
    value, total: ``SUM_BITS``, what is worked on; ends: flag, a product or a division is over. Driven by ``calculate``.
    applies: flag, the rule's condition holds; driven by ``find_condition``.
    broken: flag, the rule is, from the cycle after ``compares`` on; driven by ``compare_operands``.
    """

    def __init__(self) -> None:
        self.fetches, self.compares, self.multiplies, self.divides = (flag() for _ in range(4))
        self.value, self.total = (Signal(modbv(0)[SUM_BITS:]) for _ in range(2))
        self.factor = word(FACTOR_BITS)
        self.ends, self.applies, self.broken = (flag() for _ in range(3))


@block
def run_check(clk, aresetn, restart, hand, values, factors, holding, verdict, count):
    """Step by step until a rule is broken or all hold."""
    work = CheckWork()
    walking = walk_steps(clk=clk, aresetn=aresetn, restart=restart, hand=hand, work=work, verdict=verdict, count=count)
    calculating = calculate(clk=clk, hand=hand, work=work, values=values, factors=factors)
    applying = find_condition(clk=clk, hand=hand, work=work, holding=holding)
    comparing = compare_operands(clk=clk, hand=hand, work=work)
    return walking, calculating, applying, comparing


@block
def walk_steps(clk, aresetn, restart, hand, work, verdict, count):
    """The phases of a step, one step after the other."""
    phases = enum("LOOK_UP", "FETCH", "DISPATCH", "MULTIPLY", "DIVIDE", "JUDGE", "OVER")
    phase = Signal(phases.LOOK_UP)
    PRODUCT, DIVIDES, LAST = OPERATIONS.index("product"), OPERATIONS.index("divides"), count - 1

    @always_comb
    def show():
        verdict.pending.next = phase != phases.OVER
        work.fetches.next = phase == phases.FETCH
        work.compares.next = phase == phases.DISPATCH
        work.multiplies.next = phase == phases.MULTIPLY
        work.divides.next = phase == phases.DIVIDE

    @always_seq(clk.posedge, reset=aresetn)
    def step():
        if restart:
            hand.number.next = 0
            phase.next = phases.LOOK_UP
        elif phase == phases.LOOK_UP:
            phase.next = phases.FETCH
        elif phase == phases.FETCH:
            phase.next = phases.DISPATCH
        elif phase == phases.DISPATCH:
            phase.next = phases.JUDGE
            if hand.operation == PRODUCT:
                phase.next = phases.MULTIPLY
            elif hand.operation == DIVIDES and work.applies:
                phase.next = phases.DIVIDE
        elif phase == phases.MULTIPLY:
            if work.ends:
                phase.next = phases.LOOK_UP
                hand.number.next = hand.number + 1
        elif phase == phases.DIVIDE:
            if work.ends:
                phase.next = phases.JUDGE
        elif phase == phases.JUDGE:
            phase.next = phases.LOOK_UP
            hand.number.next = hand.number + 1
            if hand.number == LAST or (work.applies and work.broken):
                phase.next = phases.OVER
                verdict.passes.next = not (work.applies and work.broken)
                verdict.code.next = hand.code
                verdict.place.next = hand.place

    return show, step


@block
def calculate(clk, hand, work, values, factors):
    """Fetch the operands, add the products up bit by bit, or take the operand off as often as it goes."""
    VALUES, FACTORS = len(values), len(factors)

    @always_comb
    def see_end():
        work.ends.next = work.factor == 0
        if work.divides:
            work.ends.next = work.total < work.value

    @always(clk.posedge)
    def calculate_step():
        if work.fetches:
            work.value.next = 1
            work.factor.next = 1
            for i in range(VALUES):
                if hand.value_choice == i:
                    work.value.next = values[i]
            for i in range(FACTORS):
                if hand.factor_choice == i:
                    work.factor.next = factors[i]
        elif work.compares:
            if hand.opens:
                work.total.next = 0
        elif work.multiplies:
            if work.factor[0]:
                work.total.next = work.total + work.value
            work.value.next = work.value << 1
            work.factor.next = work.factor >> 1
        elif work.divides:
            if work.total >= work.value:
                work.total.next = work.total - work.value

    return see_end, calculate_step


@block
def find_condition(clk, hand, work, holding):
    """Whether the step's rule applies. holding: list of flags, by condition."""
    BUILT = len(holding)
    held, joined = bit_set(len(holding)), ConcatSignal(*reversed(holding))

    @always_comb
    def join():
        held.next = joined

    @always(clk.posedge)
    def fetch():
        if work.fetches:
            work.applies.next = 1
            for i in range(BUILT):
                if hand.condition == i:
                    work.applies.next = held[i]

    return join, fetch


@block
def compare_operands(clk, hand, work):
    """Whether the rule is broken."""
    _, LIMIT, EQUAL, MOST, DIVIDES, SUM = range(len(OPERATIONS))
    low, above, beyond, unequal, ragged = (flag() for _ in range(5))

    @always(clk.posedge)
    def compare():
        if work.compares:
            unequal.next = work.value != work.total
            beyond.next = work.value > work.total
            ragged.next = (work.value & hand.mask) != 0
            if hand.operation == SUM:
                low.next = work.total < hand.low
                above.next = work.total > hand.high
            else:
                low.next = work.value < hand.low
                above.next = work.value > hand.high

    @always_comb
    def judge():
        work.broken.next = 0
        if hand.operation == LIMIT:
            work.broken.next = low or above or ragged
        elif hand.operation == EQUAL:
            work.broken.next = unequal
        elif hand.operation == MOST:
            work.broken.next = beyond
        elif hand.operation == DIVIDES:
            work.broken.next = work.total != 0
        elif hand.operation == SUM:
            work.broken.next = low or above

    return compare, judge
