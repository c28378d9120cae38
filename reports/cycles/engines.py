"""``radit.accel.sequencers.engines``: the steps of a sub-block with the barriers between them."""

from __future__ import annotations

from radit.accel.config import BuildConfig
from radit.accel.dims import ATTENTION, CROSS, MLP, Dims
from radit.reports.cost.traffic import PARAM_BYTES
from radit.reports.cycles.array_front import ArrayFront, BranchWriter
from radit.reports.cycles.attention_sequencer import Group, attention_sequencer
from radit.reports.cycles.memory import MemoryModel, ParamLoader, PromptLoader, Traffic, WeightStreamer
from radit.reports.cycles.product_sequencer import Inputs, product_sequencer, products

PULSE = 1  # from the decision of a sequencer to its pulse
SETTLE = 2  # a done pulse -> the barrier looks for quiet

Spans = dict[str, float]  # phase -> cycles
Ends = list[tuple[str, float]]  # phase, and its last cycle, that of its barrier


class Engines:
    """Both engines on the shared array.

    Args:
        dims, build, memory: model, hardware, external memory.
        policy_on: branches go to the cache.
    """

    def __init__(self, dims: Dims, build: BuildConfig, memory: MemoryModel, policy_on: bool) -> None:
        self._dims, self._build, self._memory, self._policy_on = dims, build, memory, policy_on
        self._products = products(dims, build)
        self._entries = {ATTENTION: 3 * dims.hidden, CROSS: 2 * dims.hidden, MLP: dims.mlp + dims.hidden}
        self._groups = [[Group.of(dims, build, block)] * dims.contexts for block in (0, 1)]
        self._texts = [Group.of_text(dims, build, context) for context in range(dims.contexts) if dims.text]
        self._prompts = PromptLoader(dims, build, memory)

    def run(
        self, kind: str, parity: int, active: tuple[int, ...], fetch: float, traffic: Traffic
    ) -> tuple[Spans, float]:
        """A sub-block from the engine's start pulse in cycle 0 on.

        Args:
            kind: what it is.
            parity: of its block.
            active: computing contexts.
            fetch: cycle of the pulse that asks for weights and parameters (negative: during the pass).
            traffic: what other ports move before the weights meanwhile.

        Returns:
            Cycles by phase from the start pulse up to and including the done pulse, and the first cycle in which the
            branch writer has written all.
        """
        writer = BranchWriter(self._build, self._memory) if self._policy_on else None
        weights = WeightStreamer(self._build, self._memory, fetch)
        for amount, rate in ((self._entries[kind] * PARAM_BYTES, PARAM_BYTES), *traffic):
            weights.yield_to(amount, rate)
        inputs, front = Inputs(weights, ParamLoader(self._memory, fetch), writer), ArrayFront()
        engine = {ATTENTION: self._attention, CROSS: self._cross, MLP: self._mlp}[kind]
        spans: Spans = {}
        before = -float(PULSE)  # the cycle of the done pulse counts as the engine's first phase
        for phase, end in engine(parity, active, front, inputs):
            spans[phase], before = spans.get(phase, 0.0) + end - before, end
        return spans, writer.idle if writer else 0.0

    def _linear(self, name: str, start: float, active: tuple[int, ...], front: ArrayFront, inputs: Inputs) -> float:
        return product_sequencer(self._products[name], start, active, front, inputs, self._build)

    def _attention(self, parity: int, active: tuple[int, ...], front: ArrayFront, inputs: Inputs) -> Ends:
        """The end of each phase, the last cycle of its barrier included."""
        done = 0.0
        for name in ("q", "k", "v"):
            done = self._linear(name, done + PULSE, active, front, inputs)
        made = front.quiet(done + SETTLE) + PULSE
        done = attention_sequencer(made, active, self._groups[parity], front, self._build)
        attended = front.quiet(done + SETTLE) + PULSE
        done = self._linear("projection", attended, active, front, inputs)
        return [("qkv", made), ("attend", attended), ("projection", front.quiet(done + SETTLE) + PULSE)]

    def _cross(self, parity: int, active: tuple[int, ...], front: ArrayFront, inputs: Inputs) -> Ends:
        """The end of each phase, the last cycle of its barrier included."""
        done = self._linear("q", PULSE, active, front, inputs)
        before = inputs.weights.through(inputs.used, self._dims.cross_words(self._build) // self._build.products)
        made = max(front.quiet(done + SETTLE), self._prompts.loaded(active, before)) + PULSE
        done = attention_sequencer(made, active, self._texts, front, self._build)
        attended = front.quiet(done + SETTLE) + PULSE
        done = self._linear("cross_projection", attended, active, front, inputs)
        return [("cross", made), ("cross_attend", attended), ("cross", front.quiet(done + SETTLE) + PULSE)]

    def _mlp(self, parity: int, active: tuple[int, ...], front: ArrayFront, inputs: Inputs) -> Ends:
        """The end of each phase, the last cycle of its barrier included."""
        done = self._linear("fc1", PULSE, active, front, inputs)
        expanded = front.quiet(done + SETTLE) + PULSE
        done = self._linear("fc2", expanded, active, front, inputs)
        return [("fc1", expanded), ("fc2", front.quiet(done + SETTLE) + PULSE)]
