"""Check the registers against the rules of ``accel/control/register_rules.py``, one after the other.

The rules become steps: a "product" is multiplied bit by bit and added up, the others compare. A check begins anew with
every write of a register that a rule names, in the background; START waits for its end. There is one adder, one
subtractor and no multiplier: a step takes ``STEP_CYCLES``, a product one less, and one for every bit of its factor.
Latency: some 300 cycles for registers without fault, fewer where a rule is broken. Source: ``broken_rule``.
"""

from collections.abc import Iterable
from typing import NamedTuple

from myhdl import always, always_comb, block

from radit.accel.config import BuildConfig
from radit.accel.control.check_work import FACTOR_BITS, OPERATIONS, StepAtHand, run_check
from radit.accel.control.register_rules import ONE, SUM_BITS, Operand, Rule, register_rules
from radit.accel.control.registers import ADDRESS
from radit.accel.interfaces.signals import flag, word
from radit.accel.units.lanes import signal_list

STEP_CYCLES = 4  # but for what a product or a division takes


class CheckStep(NamedTuple):
    """A step of the check.

    Fields:
        operation: number in ``OPERATIONS``.
        rule: that it belongs to.
        value: what is multiplied, or compared.
        factor: of a product.
        opens: it is the first product of its rule.
    """

    operation: int
    rule: Rule
    value: Operand
    factor: Operand = ONE
    opens: bool = False


def check_steps(config: BuildConfig) -> tuple[CheckStep, ...]:
    """The rules of a build, step by step."""
    steps: list[CheckStep] = []
    for rule in register_rules(config):
        for number, (value, factor) in enumerate(rule.products):
            steps.append(CheckStep(OPERATIONS.index("product"), rule, value, factor, opens=number == 0))
        steps.append(CheckStep(OPERATIONS.index(rule.kind), rule, rule.operand))
    return tuple(steps)


def most_check_cycles(config: BuildConfig) -> int:
    """Cycles that a check takes at most."""
    work = {"product": FACTOR_BITS + 1, "divides": config.max_row_tiles + 1}
    steps = [OPERATIONS[step.operation] for step in check_steps(config)]
    return sum(STEP_CYCLES + work.get(name, 0) for name in steps)


def checked_registers(config: BuildConfig) -> frozenset[str]:
    """The registers that a rule names: a write of one begins a check."""
    steps, named = check_steps(config), {"log_frames_even", "log_frames_odd", "contexts"}
    named |= {"policy", "stream_scope", "difference"}
    named |= {"cross_even", "cross_odd"} if config.max_text else set()
    return frozenset(named | {part.name for step in steps for part in (step.value, step.factor) if part.name})


@block
def check_registers(clk, aresetn, restart, regs, verdict, config):
    """Check from ``restart`` (pulse, a register of ``checked_registers`` was written), and after a reset.

    regs: RegisterValues. verdict: Verdict.
    """
    steps = check_steps(config)
    values = _distinct(step.value for step in steps)
    factors = _distinct(step.factor for step in steps)
    conditions = _distinct(step.rule.when for step in steps)
    hand = StepAtHand(len(steps))
    value_list, factor_list = signal_list(word, SUM_BITS, len(values)), signal_list(word, FACTOR_BITS, len(factors))
    holding = [flag() for _ in conditions]
    operands = [
        show_operand(value=getattr(regs, each.name), shown=signal, operand=each)
        for some, signals in ((values, value_list), (factors, factor_list))
        for each, signal in zip(some, signals, strict=True)
    ]
    conditioning = [
        judge_condition(regs=regs, holds=holds, condition=name) for name, holds in zip(conditions, holding, strict=True)
    ]
    looking = look_up(clk=clk, hand=hand, steps=steps, values=values, factors=factors, conditions=conditions)
    running = run_check(
        clk=clk, aresetn=aresetn, restart=restart, hand=hand, values=value_list, factors=factor_list,
        holding=holding, verdict=verdict, count=len(steps),
    )  # fmt: skip
    return operands, conditioning, looking, running


def _distinct(parts: Iterable) -> list:
    """Each once, without ``ONE`` and the empty condition, which need no signal."""
    return [part for part in dict.fromkeys(parts) if part not in (ONE, "")]


@block
def show_operand(value, shown, operand):
    """An operand of a rule, from its register. Combinational."""
    UP, DOWN, REST = operand.up, operand.down, (1 << operand.down) - 1
    BITS, TOP = len(value), len(shown)

    if operand.power:
        power = word(TOP)

        @always_comb
        def raise_two():
            power.next = 0
            for i in range(TOP):
                if value == i:
                    power.next[i] = 1

        @always_comb
        def show_power():
            shown.next = power

        return raise_two, show_power

    if operand.down:
        rounded = word(BITS + 1)

        @always_comb
        def round_up():
            rounded.next = value + REST

        @always_comb
        def divide():
            shown.next = rounded >> DOWN

        return round_up, divide

    @always_comb
    def multiply():
        shown.next = value << UP

    return multiply


@block
def judge_condition(regs, holds, condition):
    """Whether the rules of a condition apply. Combinational."""
    if condition == "differs":
        policy, scope, difference = regs.policy, regs.stream_scope, regs.difference

        @always_comb
        def judge_difference():
            holds.next = policy and scope and difference

        return judge_difference

    if condition == "adds_frames":
        beats = regs.frame_beats

        @always_comb
        def judge_frames():
            holds.next = beats != 0

        return judge_frames

    kind, _, which = condition.partition("_")
    if kind in ("spatial", "temporal"):
        frames = getattr(regs, f"log_frames_{which}")
        if kind == "spatial":
            return judge_spatial(frames=frames, holds=holds)
        return judge_temporal(frames=frames, holds=holds)

    even, odd, contexts, NUMBER = regs.cross_even, regs.cross_odd, regs.contexts, int(which or 0)
    if condition == "crosses":

        @always_comb
        def judge_cross():
            holds.next = even or odd

        return judge_cross

    @always_comb
    def judge_text():
        holds.next = (even or odd) and contexts > NUMBER

    return judge_text


@block
def judge_spatial(frames, holds):
    @always_comb
    def judge():
        holds.next = frames == 0

    return judge


@block
def judge_temporal(frames, holds):
    @always_comb
    def judge():
        holds.next = frames != 0

    return judge


@block
def look_up(clk, hand, steps, values, factors, conditions):
    """What the step at hand is to do, a cycle later. Beyond the lists of operands and conditions is ``ONE``, always."""
    OPERATION = tuple(int(step.operation) for step in steps)
    VALUE = tuple(int(_place(values, step.value)) for step in steps)
    FACTOR = tuple(int(_place(factors, step.factor)) for step in steps)
    CONDITION = tuple(int(_place(conditions, step.rule.when)) for step in steps)
    OPENS = tuple(int(step.opens) for step in steps)
    LOW, HIGH = tuple(int(step.rule.low) for step in steps), tuple(int(step.rule.high) for step in steps)
    MASK = tuple(int(step.rule.step - 1) for step in steps)
    PLACE = tuple(int(ADDRESS[step.rule.register]) for step in steps)
    ERROR = tuple(int(step.rule.code) for step in steps)
    COUNT = len(steps)

    @always(clk.posedge)
    def find():
        if hand.number < COUNT:
            hand.operation.next = OPERATION[hand.number]
            hand.value_choice.next = VALUE[hand.number]
            hand.factor_choice.next = FACTOR[hand.number]
            hand.condition.next = CONDITION[hand.number]
            hand.opens.next = OPENS[hand.number]
            hand.low.next = LOW[hand.number]
            hand.high.next = HIGH[hand.number]
            hand.mask.next = MASK[hand.number]
            hand.place.next = PLACE[hand.number]
            hand.code.next = ERROR[hand.number]

    return find


def _place(parts: list, part) -> int:
    return parts.index(part) if part in parts else len(parts)
