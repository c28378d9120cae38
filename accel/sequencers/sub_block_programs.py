"""What each kind of sub-block computes on the array: a program of steps, in order.

A step is a product of ``accel/sequencers/product_table.py`` or attention proper (scores and values of every head). A
barrier behind it waits until its last word is in memory: it stands where the next step reads what this one writes,
and behind the last one. Barriers also wait until the prompt's keys and values, which come beside a cross-attention's q,
are in memory. Another kind of sub-block is another program.
"""

from typing import NamedTuple

from radit.accel.config import BuildConfig, bits_for
from radit.accel.control.cycle_accounts import ATTEND, CROSS, CROSS_ATTEND, FC1, FC2, PROJECTION, QKV, phase_signal
from radit.accel.interfaces.array_ports import PRODUCT_BITS
from radit.accel.interfaces.signals import flag, word
from radit.accel.sequencers.product_table import PRODUCT_NUMBERS


class Step(NamedTuple):
    """One step of a program.

    Fields:
        product: its number; 0 for attention proper.
        attends: 1: attention proper.
        barrier: 1: the next step starts when the array and its drain are empty.
        is_last: 1: the sub-block is done behind it.
        phase: to which the step's cycles and its barrier's are booked.
    """

    product: int
    attends: int
    barrier: int
    is_last: int
    phase: int


def product_step(name: str, phase: int, barrier: bool = True) -> Step:
    """A product with weights."""
    return Step(PRODUCT_NUMBERS[name], 0, int(barrier), 0, phase)


def attention_step(phase: int) -> Step:
    """Attention proper."""
    return Step(0, 1, 1, 0, phase)


PROGRAMS = {
    "attention": (
        product_step("q", QKV, barrier=False),
        product_step("k", QKV, barrier=False),
        product_step("v", QKV),
        attention_step(ATTEND),
        product_step("projection", PROJECTION),
    ),
    "mlp": (
        product_step("fc1", FC1),
        product_step("fc2", FC2),
    ),
    "cross": (
        product_step("q", CROSS),
        attention_step(CROSS_ATTEND),
        product_step("cross_projection", CROSS),
    ),
}
TEXT_PROGRAMS = ("cross",)  # of builds with text, behind the others
KINDS = {name: number for number, name in enumerate(PROGRAMS)}
SUB_BLOCK_KIND_BITS = 2


class ProgramTable:
    """The programs of a build in one table.

    Attributes:
        first: number of the first step, by kind.
        steps: the steps of all kinds, one kind after the other.
        bits: of a step's number.
    """

    def __init__(self, config: BuildConfig) -> None:
        programs = [steps for name, steps in PROGRAMS.items() if config.max_text or name not in TEXT_PROGRAMS]
        self.first = tuple(sum(map(len, programs[:number])) for number in range(len(programs)))
        self.steps = tuple(
            step._replace(is_last=int(position == len(program) - 1))
            for program in programs
            for position, step in enumerate(program)
        )
        self.bits = bits_for(len(self.steps))


assert len(PROGRAMS) <= 1 << SUB_BLOCK_KIND_BITS
assert all(program[-1].barrier for program in PROGRAMS.values()), "a sub-block ends with a barrier"


class StepFacts:
    """The step at work.

    Signals, all of them from the table, which follows the sequencer; meanings are those of ``Step``:
        product: ``PRODUCT_BITS``. phase: ``PHASE_BITS``.
        attends, barrier, is_last: 1 bit.
    """

    def __init__(self) -> None:
        self.product = word(PRODUCT_BITS)
        self.attends = flag()
        self.barrier = flag()
        self.is_last = flag()
        self.phase = phase_signal()
