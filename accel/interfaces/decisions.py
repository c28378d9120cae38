"""Between the skip controller and the rest of the machine: what is asked, what is decided, for which contexts."""

from radit.accel.config import BuildConfig
from radit.accel.interfaces.signals import bit_set, dim, flag, word
from radit.model.formats import COUNT_BITS, SLOPE_BITS


class DecisionRequest:
    """A context's input is encoded: is it to be computed? Driven by the pass, which waits for the decision.

    valid: flag, a pulse. context: dim, its number; stands still until the decision. count: 24 bit, its changed codes.
    """

    def __init__(self) -> None:
        self.valid = flag()
        self.context = dim()
        self.count = word(COUNT_BITS)


class Decision:
    """What the skip controller decided for one context and sub-block; driven by the skip controller.

    valid: flag, a pulse: the other fields are an answer, to the pass or to one turn of ``FollowControl``.
    index: dim, sub-block * contexts + context. counted: 24 bit, the changed codes that it rests on.
    reuse: flag, low: compute. slope: 11 bit, Q3.8, of the forecast if it is a reuse.
    """

    def __init__(self) -> None:
        self.valid = flag()
        self.index = dim()
        self.counted = word(COUNT_BITS)
        self.reuse = flag()
        self.slope = word(SLOPE_BITS)


class ComputeSet:
    """The contexts that compute the current sub-block; driven by the skip controller.

    contexts: one bit per context. any: flag, some context computes.
    slots: one bit per context: the cache's slot of its latest result, or of the one that is to be computed.
    """

    def __init__(self, config: BuildConfig) -> None:
        self.contexts = bit_set(config.max_contexts)
        self.slots = bit_set(config.max_contexts)
        self.any = flag()


class ReuseSet:
    """The contexts that reuse the sub-block before the current one, whose branch this pass adds.

    contexts: one bit per context. forecasts: one bit per context: its slope is not 0.
    slots: one bit per context: the cache's slot of its latest result.
    slope: 11 bit, Q3.8, of context ``front_context``. All driven by the skip controller.
    front_context: dim, the context whose words enter the pass; driven by the pass.
    """

    def __init__(self, config: BuildConfig) -> None:
        self.contexts = bit_set(config.max_contexts)
        self.forecasts = bit_set(config.max_contexts)
        self.slots = bit_set(config.max_contexts)
        self.slope = word(SLOPE_BITS)
        self.front_context = dim()


class Decisions:
    """All that the skip controller takes and gives.

    request: DecisionRequest, driven by the pass. decision: Decision, computes: ComputeSet, reuses: ReuseSet, driven by
    the skip controller.
    """

    def __init__(self, config: BuildConfig) -> None:
        self.request = DecisionRequest()
        self.decision = Decision()
        self.computes = ComputeSet(config)
        self.reuses = ReuseSet(config)
