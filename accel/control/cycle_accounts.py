"""Where the cycles go: every busy cycle belongs to one phase and one cause, so that the counts add up to ``cycles``.

The view is that of the array's front, which issues one k per cycle (``array``) or does not, for the first of these
reasons that holds:

| cause | what the array waits for |
|---|---|
| array | nothing: operands of one k are being read |
| drain | the drain registers, room in the branch writer, or the last words of a product on their way to memory |
| weights | weights, requantization parameters or the prompt from external memory |
| vector | the softmax of a job, or the pass (residual add, LayerNorm, modulation, CCU) at work |
| operands | x, cached branches, codes or conditioning on their way to the pass; the array's own operand registers |
| controller | a sequencer between two commands, or the skip decision |

The phase is ``pass`` outside the engines (conditioning and the end of the timestep included), else the product at
work, with the barrier behind it; both products of a cross-attention are ``cross``. One count per cycle, ``running``
high.
"""

from myhdl import Signal, always, always_comb, block, concat, intbv

from radit.accel.control.registers import ACCOUNT_BITS, CAUSE_BITS, CAUSES, PHASES
from radit.accel.interfaces.signals import flag

PASS, QKV, ATTEND, PROJECTION, FC1, FC2, CROSS, CROSS_ATTEND = range(len(PHASES))
ARRAY, WEIGHTS, OPERANDS, DRAIN, VECTOR, CONTROLLER = range(len(CAUSES))
PHASE_BITS = ACCOUNT_BITS - CAUSE_BITS


def phase_signal() -> Signal:
    """A number of ``PHASES``."""
    return Signal(intbv(0)[PHASE_BITS:])


class Activity:
    """What the parts of the machine are doing, one flag each; the engines say which product is at work.

    Driven by the array's front: issues, operands of one k are read. held, a tile's last k waits for the drain
    registers. starved, a tile waits for weights or parameters. crowded, a branch tile waits for the branch writer.
    fills, operands are between the memories and the array.
    Driven by the engines: engine_phase, number of ``PHASES``, the step at work. settles, the barrier behind a step.
    awaits_softmax, attention waits for the softmax of a job. lacks_prompt, a barrier waits for the prompt alone; builds
    with text.
    Driven by the pass: streams, a word moves. lacks_words, it waits for the host, the cache or the history.
    normalizes, words are inside.
    Driven by the timestep sequencer: computing, an engine runs. loads, conditioning is on its way. writes, the
    timestep waits for its last writes.
    """

    def __init__(self) -> None:
        self.issues = flag()
        self.held = flag()
        self.starved = flag()
        self.crowded = flag()
        self.fills = flag()
        self.engine_phase = phase_signal()
        self.settles = flag()
        self.awaits_softmax = flag()
        self.lacks_prompt = flag()
        self.streams = flag()
        self.lacks_words = flag()
        self.normalizes = flag()
        self.computing = flag()
        self.loads = flag()
        self.writes = flag()


@block
def classify_cycle(activity, account, config):
    """``account = phase << CAUSE_BITS | cause`` of this cycle. Combinational."""
    phase = phase_signal()
    starved, fetches = activity.starved, ()
    if config.max_text:
        starved = flag()
        fetches = await_fetch(activity=activity, starved=starved)
    cause = Signal(intbv(0)[CAUSE_BITS:])

    @always_comb
    def find_phase():
        phase.next = PASS
        if activity.computing:
            phase.next = activity.engine_phase

    @always_comb
    def find_cause():
        cause.next = CONTROLLER
        if activity.issues:
            cause.next = ARRAY
        elif activity.held or activity.crowded:
            cause.next = DRAIN
        elif starved:
            cause.next = WEIGHTS
        elif activity.awaits_softmax or activity.streams:
            cause.next = VECTOR
        elif activity.lacks_words or activity.loads or (activity.settles and activity.fills):
            cause.next = OPERANDS
        elif activity.normalizes:
            cause.next = VECTOR
        elif activity.settles or activity.writes:
            cause.next = DRAIN

    @always_comb
    def join():
        account.next = concat(phase, cause)

    return fetches, find_phase, find_cause, join


@block
def await_fetch(activity, starved):
    """What the array waits for comes from external memory beside the pass. Combinational."""

    @always_comb
    def drive_starved():
        starved.next = activity.starved or activity.lacks_prompt

    return drive_starved


@block
def cycle_accounts(clk, clear, running, account, position, shown):
    """Count the cycles of every account, a cycle after them; ``shown`` is the count at ``position``, one cycle
    later."""
    ACCOUNTS = 1 << ACCOUNT_BITS
    counts = [Signal(intbv(0)[len(shown) :]) for _ in range(ACCOUNTS)]
    counts_now, booked = Signal(bool(0)), Signal(intbv(0)[ACCOUNT_BITS:])

    @always(clk.posedge)
    def book():
        counts_now.next = running and not clear
        booked.next = account

    @always(clk.posedge)
    def count():
        if clear:
            for i in range(ACCOUNTS):
                counts[i].next = 0
        elif counts_now:
            counts[booked].next = counts[booked] + 1

    @always(clk.posedge)
    def show():
        shown.next = counts[position]

    return book, count, show
