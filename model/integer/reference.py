"""The reference: the bit-exact specification of the machine, timestep by timestep.

Sub-block s (attention, cross-attention or MLP) of x (N images, contexts, T, D), X16 with x_frac fraction bits:

    x = residual_add(x, branch of s - 1, gate of s - 1, offset)        (not for s = 0)
    y = layernorm(x)        act = modulate(y, scale, shift)        a = quantize(act)
    codes = encode(act, boundaries);  reuse = decide(changed(codes, stored codes), ..)    per image and context
    branch = reuse(latest branch, the one before, slope) where reused, else engine(a)

A sub-block that follows the one before it decides first and encodes nothing; y, act and a exist only for images in
which some context computes it. One more residual_add comes after the last sub-block.

offset is the frame embedding where s is the first sub-block of block 1 of a model that adds it there
(`DiTConfig.frames_before`; with one block, in the add after the last sub-block), else 0. A reused branch gets it as a
computed one does.

Under **stream scope**, sub-block 0 alone decides, and no branch is cached but x after the last
sub-block. A context that reuses lets x pass through all sub-blocks, without offset, and ends with

    x = reuse(latest x, the one before, slope)

A timestep that all contexts of an image reuse is over after the decisions of sub-block 0.

Where the header says bypass, y is x itself, bit for bit: cross-attention.

Attention: q, k = requant(a W, per channel); v = requant(a W, one multiplier); score = requant_wide(q k); numerators,
sum = softmax(score); o = requant(numerators v, recip(sum)); branch = requant(o W). MLP: u = requant_wide(a W); h =
gelu_int8(u); branch = requant(h W).
Cross-attention: q = requant(a W, per channel); k and v are the prompt's, of whose keys the first ones are valid; the
rest as in attention.
Operations: `model/ops`, here in the fused form of `model/integer/exact_float64.py`. Pairs that reuse are not computed
    at all.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from radit.model.dit.config import CROSS, DiTConfig
from radit.model.dit.groups import Groups, attention_groups
from radit.model.errors import UserError
from radit.model.integer import exact_float64
from radit.model.integer.engines import Engines, Stages
from radit.model.integer.exact_float64 import Tally
from radit.model.integer.integer_dit import Conditioning, IntegerDiT, PromptWords
from radit.model.integer.policy_tables import PolicyTables
from radit.model.ops.ccu import changed
from radit.model.ops.dtsm import DtsmState, decide
from radit.model.ops.reuse import BRANCH, STREAM, coefficient


@dataclass
class StepRecord:
    """What one timestep decided. S sub-blocks, N images.

    Fields:
        computed: (N, S, contexts) bool.
        counts: (N, S, contexts) int64, changed codes; 0 where nothing is encoded.
        saturated: values that 16-bit formats clamped, by place (residual, layernorm, modulate, score, u).
        clipped: values that int8 clamped, by place; empty unless the reference counts them.
    """

    computed: np.ndarray
    counts: Tensor
    saturated: dict[str, int]
    clipped: dict[str, int]


@dataclass
class StageCapture:
    """Every stage of one sub-block, on the CPU. K = computed (image, context) pairs in row-major order.

    Fields:
        sub_block: its number, s.
        computed: (N, contexts) bool.
        decided: whether the policy decides here.
        normalized: (N,) bool, images whose input is normalized: act and a are 0 in the others.
        counts: (N, contexts) int64, changed codes; 0 where nothing is encoded.
        slopes: (N, contexts) int64, coefficient of the forecast, Q3.8; 0 where computed or reused as it is.
        x, act: (N, contexts, T, D) int16, residual stream seen by the sub-block, modulated Q9.6.
        a, branch: (N, contexts, T, D) int8, quantized input, output used (computed, cached or forecast).
        codes: (N, contexts, T, D) uint8, None where nothing is encoded.
        stages: q, k, v, o (K, T, D) int8; score, int16, and prob, int8, (K, heads, groups, n, n), query before key;
            h (K, T, M) int8. Of cross-attention k and v (K, text tokens, D), score and prob (K, heads, 1, T, text
            tokens); behind the valid keys k, v, score and prob are 0.
    """

    sub_block: int
    computed: Tensor
    decided: bool
    normalized: Tensor
    counts: Tensor
    slopes: Tensor
    x: Tensor
    act: Tensor
    a: Tensor
    branch: Tensor
    codes: Tensor | None = None
    stages: dict[str, Tensor] = field(default_factory=dict)


StageCaptures = Generator[StageCapture, None, tuple[Tensor, StepRecord]]
CUDA_HIDDEN = 256  # features from which on CUDA gains


def best_device(config: DiTConfig) -> torch.device:
    """CUDA where there is one and the model is large enough to gain, else the CPU. The integers are the same."""
    return torch.device("cuda" if config.hidden_size >= CUDA_HIDDEN and torch.cuda.is_available() else "cpu")


class Reference:
    """Integer model and policy tables -> residual streams and decisions.

    Args:
        integer: the integer model.
        policy: tables of a run, see `model/policy/skip_policy.py`.
        padded_tokens: tokens per context after padding, at least the model's; by default no padding.
        groups: attention groups of even and odd blocks; by default the model's own.
        count_clips: count int8 clips (slower).
        device: where to compute; by default `best_device`. Inputs and captures are on the CPU all the same.
    """

    def __init__(
        self,
        integer: IntegerDiT,
        policy: PolicyTables,
        padded_tokens: int | None = None,
        groups: tuple[Groups, Groups] | None = None,
        count_clips: bool = False,
        device: torch.device | None = None,
    ) -> None:
        self.integer, self.policy, self.count_clips = integer, policy, count_clips
        tokens = integer.config.tokens if groups is None else groups[0].tokens
        self.tokens = padded_tokens or tokens
        if groups is None:
            if self.tokens < tokens:
                raise UserError(f"padded_tokens is {self.tokens}: give at least the model's {tokens}.")
            groups = attention_groups(integer.config, self.tokens)
        self.device = device or best_device(integer.config)
        self._engines = Engines(integer, groups, self.device)
        self._crosses = integer.config.cross_sub_blocks
        self._prompts: PromptWords | None = None
        self._offset = integer.token_offsets(self.tokens)
        self._taking_part: Tensor | None = None  # contexts of a timestep under stream scope
        self._codes: dict[tuple[int, int], Tensor] = {}  # look-up tables by timestep and sub-block
        self.start(0)

    def start(self, images: int, contexts: int = 2) -> None:
        """Forget every cached result: the next step is the first of `images` new images."""
        subs, width = len(self.integer.sub_blocks), self.integer.config.hidden_size
        shape = (images, contexts, self.tokens, width)
        self.images, self.contexts = images, contexts
        self._lead = torch.zeros(images, contexts, dtype=torch.bool)
        self.state = [DtsmState.cleared(images, contexts) for _ in range(subs)]
        count = subs if self.policy.detect else 0
        cached = min(count, 1) if self.policy.stream_scope else count
        self.cache = [torch.zeros(shape, dtype=torch.float64, device=self.device) for _ in range(cached)]
        self.before = [torch.zeros_like(one) for one in self.cache]
        self._limits = STREAM if self.policy.stream_scope else BRANCH
        self.history = [torch.zeros(shape, dtype=torch.uint8, device=self.device) for _ in range(count)]

    def step(
        self, x: Tensor, index: int, tables: Conditioning, capture: list[StageCapture] | None = None
    ) -> tuple[Tensor, StepRecord]:
        """Run timestep `index`: x (N, contexts, T, D) integers of any dtype -> the next x, float64, and the record.

        Args:
            x: residual stream after embedding; padded tokens 0.
            index: position in `integer.timesteps`.
            tables: conditioning of the same N images.
            capture: a list that receives one `StageCapture` per sub-block.
        """
        steps = self._sub_blocks(x, index, tables, keep=capture is not None)
        while True:
            try:
                found = next(steps)
            except StopIteration as end:
                return end.value
            if capture is not None and found is not None:
                capture.append(found)

    def sub_blocks(self, x: Tensor, index: int, tables: Conditioning) -> StageCaptures:
        """`step` in steps: yields the capture of each sub-block when it is computed, returns what `step` returns."""
        return self._sub_blocks(x, index, tables, keep=True)  # type: ignore[return-value]

    def _sub_blocks(
        self, x: Tensor, index: int, tables: Conditioning, keep: bool
    ) -> Generator[StageCapture | None, None, tuple[Tensor, StepRecord]]:
        """Yields captures, or None where they are not to be kept."""
        stream_scope, subs = self.policy.stream_scope, len(self.integer.sub_blocks)
        self._prompts, self._taking_part = tables.prompts, None
        x, tally = x.to(self.device).double(), Tally(self.count_clips)
        decisions: list[Tensor] = []
        counts: list[Tensor] = []
        branch: Tensor | None = None
        for s in range(subs):
            if branch is not None:
                x = self._add(x, branch, s - 1, index, tables, tally)
            settled = stream_scope and s > 0  # by sub-block 0
            followed = (torch.zeros_like(counts[0]), decisions[0]) if settled else self._follow(s, index)
            needed = torch.ones(len(x), dtype=torch.bool) if followed is None else followed[1].any(1)
            act, a = self._input(x, needed, s, index, tables, tally)
            codes, count, computed = self._decide(act, s, index) if followed is None else (None, *followed)
            stages: Stages | None = {} if keep else None
            branch = self._branch(a, computed, codes, s, index, tally, stages)
            decisions.append(computed)
            counts.append(count)
            self._taking_part = decisions[0] if stream_scope else None
            decided = self.policy.detect and not settled
            slopes = self._slopes(s, index, computed) if decided else torch.zeros_like(count)
            if stages is None:
                yield None
            else:
                yield _captured(s, computed, decided, needed, count, slopes, x, act, a, branch, codes, stages)
            if stream_scope and not bool(computed.any()):
                missing = subs - 1 - s
                decisions, counts = decisions + [computed] * missing, counts + [torch.zeros_like(count)] * missing
                break
        else:
            assert branch is not None
            x = self._add(x, branch, subs - 1, index, tables, tally)
        if stream_scope:
            x = self._settle(x, decisions[0], index, tally)
        record = torch.stack(decisions, 1).numpy(), torch.stack(counts, 1), tally.saturated, tally.clipped
        return x.cpu(), StepRecord(*record)

    def _add(self, x: Tensor, branch: Tensor, s: int, index: int, tables: Conditioning, tally: Tally) -> Tensor:
        """Add the gated branch of sub-block s, and the frame embedding where it has its place."""
        gate, shift = self._vector(tables.gate, index, s), int(self.integer.header["gate_shift"][index, s])
        if self._offset is None or s + 1 != self.integer.config.frames_before:
            return exact_float64.residual_add(x, branch, gate, shift, tally)
        offset, there = self._offset.to(x.device), self._taking_part
        offset = offset if there is None else offset * there[..., None, None].to(x.device)
        return exact_float64.residual_add(x, branch, gate, shift, tally, offset)

    def _vector(self, table: Tensor, index: int, s: int) -> Tensor:
        """(N, contexts, 1, D) of a conditioning table."""
        return table[:, :, index, s].unsqueeze(2).to(self.device).double()

    def _input(
        self, x: Tensor, needed: Tensor, s: int, index: int, tables: Conditioning, tally: Tally
    ) -> tuple[Tensor, Tensor]:
        """Modulated and quantized input, both (N, contexts, T, D), of sub-block s; 0 in images that are not needed."""
        if not bool(needed.any()):
            return (torch.zeros_like(x),) * 2
        chosen: Tensor | slice = slice(None) if bool(needed.all()) else needed.to(x.device)
        bypass = self.integer.sub_blocks[s].kind == CROSS
        y = x[chosen] if bypass else exact_float64.layernorm(x[chosen], self.integer.eps, tally)
        scale, shift = (self._vector(part, index, s)[chosen] for part in (tables.scale, tables.shift))
        act = exact_float64.modulate(y, scale, shift, int(self.integer.header["mod_shift"][index, s]), tally)
        a = exact_float64.quantize(act, tally)
        if isinstance(chosen, slice):
            return act, a
        placed = torch.zeros(2, *x.shape, dtype=x.dtype, device=x.device)
        placed[0, chosen], placed[1, chosen] = act, a
        return placed[0], placed[1]

    def _follow(self, s: int, index: int) -> tuple[Tensor, Tensor] | None:
        """Changed codes (none) and computed, both (N, contexts), where s follows the sub-block before it, or the plan,
        else None."""
        policy = self.policy
        if not (policy.detect and bool(policy.follow[index, s])):
            return None
        none = torch.zeros(self.images, self.contexts, dtype=torch.int64)
        if s == 0:
            self._lead = ~policy.plan[index].repeat(self.images, -(-self.contexts // 2))[:, : self.contexts]
        return none, self._answer(s, index, none, 1, self._lead)

    def _decide(self, act: Tensor, s: int, index: int) -> tuple[Tensor | None, Tensor, Tensor]:
        """Codes (N, contexts, T, D), changed codes (N, contexts) and computed (N, contexts) of sub-block s."""
        policy = self.policy
        if not policy.detect:
            return None, torch.zeros(act.shape[:2], dtype=torch.int64), torch.ones(act.shape[:2], dtype=torch.bool)
        if (index, s) not in self._codes:
            self._codes[index, s] = exact_float64.code_table(policy.boundaries[index, s]).to(act.device)
        codes = exact_float64.look_up(self._codes[index, s], act)
        count = changed(codes, self.history[s]).cpu()
        return codes, count, self._answer(s, index, count, codes.shape[2] * codes.shape[3])

    def _answer(self, s: int, index: int, count: Tensor, total: int, lead: Tensor | None = None) -> Tensor:
        """Computed (N, contexts), what the controller answers to changed codes; remembers it."""
        policy, registers = self.policy, self.policy.registers
        threshold, force = int(policy.thresholds[index, s]), bool(policy.force[index])
        reuse, self.state[s] = decide(self.state[s], count, total, threshold, force, registers, lead)
        self._lead = reuse
        return ~reuse

    def _branch(
        self,
        a: Tensor,
        computed: Tensor,
        codes: Tensor | None,
        s: int,
        index: int,
        tally: Tally,
        stages: Stages | None,
    ) -> Tensor:
        """Branch (N, contexts, T, D): where computed it is fresh and cached, with the codes where there are any.

        Under stream scope it is 0 elsewhere.
        """
        there = computed.to(a.device)
        given = a[there]
        fresh = self._run(given, computed, s, index, tally, stages) if len(given) else given
        if not self.policy.detect:
            return fresh.view(a.shape)
        if codes is not None:
            self.history[s][there] = codes[there]
        if self.policy.stream_scope:
            branch = torch.zeros_like(a)
            branch[there] = fresh
            return branch
        self._remember(s, there, fresh)
        return self._forecast(s, self._slopes(s, index, computed).to(a.device))

    def _run(
        self, given: Tensor, computed: Tensor, s: int, index: int, tally: Tally, stages: Stages | None = None
    ) -> Tensor:
        """Branches (K, T, D) of the inputs (K, T, D) of the K pairs `computed` (N, contexts) bool."""
        keys = None
        if s in self._crosses:
            words, number = self._prompts, self._crosses.index(s)
            if words is None:
                raise UserError("Tables of conditioning hold no prompts: make them with conditioning_tables.")
            keys = words.k[:, :, number][computed], words.v[:, :, number][computed], words.counts[computed]
        return self._engines.run(given, s, index, tally, stages, keys)

    def _settle(self, x: Tensor, computed: Tensor, index: int, tally: Tally) -> Tensor:
        """The stream (N, contexts, T, D) at the end of a timestep under stream scope."""
        there, slopes = computed.to(x.device), self._slopes(0, index, computed).to(x.device)
        if not self.policy.difference or self.contexts == 1:
            self._remember(0, there, x[there])
            return self._forecast(0, slopes).clone()
        first, second = there.clone(), there.clone()
        first[:, 1::2] = second[:, 0::2] = False
        self._remember(0, first, x[first])
        label = self._forecast(0, slopes)[:, 0::2].repeat_interleave(2, 1)  # beside every context
        self._remember(0, second, exact_float64.difference(x[second], label[second], tally))
        found = torch.where(there[..., None, None], x, self._forecast(0, slopes))
        reused = ~there
        reused[:, 0::2] = False
        found[reused] = exact_float64.with_difference(label[reused], found[reused], tally)
        return found

    def _remember(self, s: int, computed: Tensor, fresh: Tensor) -> None:
        """Cache what the pairs `computed` (N, contexts) bool have computed, (K, T, D), as entry s."""
        self.before[s][computed] = self.cache[s][computed]
        self.cache[s][computed] = fresh

    def _slopes(self, s: int, index: int, computed: Tensor) -> Tensor:
        """Coefficients of the forecast (N, contexts), 0 where computed; after the decision."""
        state = self.state[s]
        return (
            coefficient(state.streak, state.gap, int(self.policy.gains[index, s]), self.policy.registers.slope_max)
            * ~computed
        )

    def _forecast(self, s: int, slopes: Tensor) -> Tensor:
        """Entry s (N, contexts, T, D) of the cache: the latest computed, or the forecast where it has a slope."""
        moving = slopes > 0
        if not moving.any():
            return self.cache[s]
        branch = self.cache[s].clone()
        branch[moving] = exact_float64.forecast(branch[moving], self.before[s][moving], slopes[moving], self._limits)
        return branch


def _captured(
    s: int,
    computed: Tensor,
    decided: bool,
    normalized: Tensor,
    counts: Tensor,
    slopes: Tensor,
    x: Tensor,
    act: Tensor,
    a: Tensor,
    branch: Tensor,
    codes: Tensor | None,
    stages: Stages,
) -> StageCapture:
    """Copies of the formats' own size."""
    kept = {name: part.to(torch.int16 if name == "score" else torch.int8).cpu() for name, part in stages.items()}
    codes = None if codes is None else codes.cpu()
    x, act = (part.to(torch.int16).cpu() for part in (x, act))
    a, branch = (part.to(torch.int8).cpu() for part in (a, branch))
    return StageCapture(s, computed, decided, normalized, counts, slopes, x, act, a, branch, codes, kept)
