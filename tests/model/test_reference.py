"""The reference: equal to the plain composition of the golden operations, batch independent, groups, capture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from radit.model.dit.groups import Groups
from radit.model.dit.sampler import Sampler, make_noise
from radit.model.dit.seeded import SMALL, seeded_dit
from radit.model.dit.transformer import DiT
from radit.model.integer.calibration import calibrate
from radit.model.integer.exact_float64 import has_int8_kernel
from radit.model.integer.generate import generate
from radit.model.integer.integer_dit import Conditioning, IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference, StageCapture
from radit.model.ops.ccu import changed, encode
from radit.model.ops.gelu import gelu_int8
from radit.model.ops.layernorm import layernorm
from radit.model.ops.mac_array import matmul
from radit.model.ops.modulate import modulate
from radit.model.ops.modulate import quantize as to_int8
from radit.model.ops.recip import recip
from radit.model.ops.requant import requant, requant_wide
from radit.model.ops.residual import residual_add
from radit.model.ops.reuse import STREAM, coefficient, reuse
from radit.model.ops.softmax import softmax
from radit.model.policy.skip_policy import dense, forecast, radit

STEPS, IMAGES, TOKENS, WIDTH = 6, 3, SMALL.tokens, SMALL.hidden_size
HEADS, HEAD_DIM = SMALL.num_heads, SMALL.head_dim
SUBS = 2 * SMALL.depth
SKIPPING = radit(0.6, schedule="linear", start=1.0, end=1.0, max_streak=3)

Stages = dict[str, Tensor]


@pytest.fixture(scope="module")
def dit() -> DiT:
    return seeded_dit()


@pytest.fixture(scope="module")
def integer(dit: DiT) -> IntegerDiT:
    return quantize(dit, calibrate(dit, Sampler(STEPS), images=8), Sampler(STEPS))


@pytest.fixture(scope="module")
def tables(integer: IntegerDiT) -> Conditioning:
    return integer.conditioning_tables(torch.arange(IMAGES) % SMALL.num_classes)


@pytest.fixture(scope="module")
def x(integer: IntegerDiT) -> Tensor:
    """A residual stream of usual size; the last image has the whole 16-bit range, and one token at its limits."""
    generator = torch.Generator().manual_seed(1)
    values = torch.randint(-3000, 3000, (IMAGES, 2, TOKENS, WIDTH), generator=generator)
    values[-1] = torch.randint(-32768, 32768, values[-1].shape, generator=generator)
    values[-1, :, 0] = torch.where(values[-1, :, 0] < 0, -32768, 32767)
    return values


def plain_attention(integer: IntegerDiT, a: Tensor, s: int, index: int, padded_keys: int = 0) -> Stages:
    """Attention of a (K, T, D) int64 by the golden operations, one group."""
    sub_block, header = integer.sub_blocks[s], {name: int(c[index, s]) for name, c in integer.header.items()}

    def project(name: str, given: Tensor) -> Tensor:
        table = sub_block.tables[name]
        acc = matmul(given, sub_block.weights[name].long().t())
        return requant(acc, table.bias[index], table.mult[index], table.shift[index])

    def heads(value: Tensor) -> Tensor:
        return value.unflatten(2, (HEADS, HEAD_DIM)).transpose(1, 2)

    q, k = project("q", a), project("k", a)
    v = requant(matmul(a, sub_block.weights["v"].long().t()), 0, header["v_mult"], header["v_shift"])
    score = requant_wide(matmul(heads(q), heads(k).transpose(-1, -2)), 0, header["score_mult"], header["score_shift"])
    valid = (torch.arange(a.shape[1]) < a.shape[1] - padded_keys).expand(score.shape) if padded_keys else None
    prob, total = softmax(score, valid)
    mixed = requant(matmul(prob, heads(v)), 0, *recip(total, header["gain"], header["gain_shift"]))
    o = mixed.transpose(1, 2).flatten(2)
    return {"q": q, "k": k, "v": v, "score": score, "prob": prob, "o": o, "branch": project("o", o)}


def plain_mlp(integer: IntegerDiT, a: Tensor, s: int, index: int) -> Stages:
    """MLP of a (K, T, D) int64 by the golden operations."""
    sub_block, header = integer.sub_blocks[s], {name: int(c[index, s]) for name, c in integer.header.items()}
    one, two = sub_block.tables["fc1"], sub_block.tables["fc2"]
    acc = matmul(a, sub_block.weights["fc1"].long().t())
    u = requant_wide(acc, one.bias[index], one.mult[index], one.shift[index])
    h = gelu_int8(u, one.after[index], header["h_shift"])
    acc = matmul(h, sub_block.weights["fc2"].long().t())
    return {"h": h, "branch": requant(acc, two.bias[index], two.mult[index], two.shift[index])}


def plain_step(integer: IntegerDiT, x: Tensor, index: int, tables: Conditioning, padded_keys: int = 0):
    """A dense timestep by the golden operations: the next x and every stage of every sub-block."""
    seen: list[Stages] = []
    for s in range(SUBS):
        y = layernorm(x, integer.eps)
        scale, shift, gate = (part[:, :, index, s].unsqueeze(2) for part in (tables.scale, tables.shift, tables.gate))
        act = modulate(y, scale, shift, int(integer.header["mod_shift"][index, s]))
        a = to_int8(act)
        flat = a.flatten(0, 1)
        stages = plain_mlp(integer, flat, s, index) if s % 2 else plain_attention(integer, flat, s, index, padded_keys)
        branch = stages.pop("branch").view(x.shape)
        seen.append(stages | {"x": x, "act": act, "a": a, "branch": branch})
        x = residual_add(x, branch, gate, int(integer.header["gate_shift"][index, s]))
    return x, seen


def assert_equal(found: StageCapture, wanted: Stages) -> None:
    for name, value in wanted.items():
        got = found.stages[name].squeeze(2) if name in ("score", "prob") else found.stages.get(name)
        got = getattr(found, name) if got is None else got
        assert torch.equal(got.long(), value), name


@pytest.mark.parametrize("index", [0, STEPS - 1])
@pytest.mark.parametrize("kernel", ["int8", "float64"])
def test_equals_the_golden_operations(integer, tables, x, index, kernel, monkeypatch):
    """Every word of every stage, ordinary and extreme values, with and without an int8 matrix kernel."""
    monkeypatch.setattr("radit.model.integer.exact_float64.has_int8_kernel", lambda device: kernel == "int8")
    captured: list[StageCapture] = []
    reference = Reference(integer, dense().tables(integer))
    reference.start(IMAGES)
    out, record = reference.step(x, index, tables, captured)
    wanted, seen = plain_step(integer, x, index, tables)
    for found, stages in zip(captured, seen, strict=True):
        assert_equal(found, stages)
    assert torch.equal(out.long(), wanted)
    assert record.saturated["residual"] > 0, "the last image must reach the limits"


def test_padded_tokens_are_computed_and_never_seen_as_keys(integer, tables, x):
    padded = torch.nn.functional.pad(x, (0, 0, 0, 5))
    captured: list[StageCapture] = []
    reference = Reference(integer, dense().tables(integer), padded_tokens=TOKENS + 5)
    reference.start(IMAGES)
    out, _ = reference.step(padded, 2, tables, captured)
    wanted, seen = plain_step(integer, padded, 2, tables, padded_keys=5)
    for found, stages in zip(captured, seen, strict=True):
        assert_equal(found, stages)
    assert torch.equal(out.long(), wanted)
    assert torch.equal(out[:, :, :TOKENS].long(), plain_step(integer, x, 2, tables)[0]), "padding changed the image"


def test_groups_attend_within_themselves(integer, tables, x):
    """A group alone gives what it gives among others, at any stride."""
    split = Groups.of([range(part, TOKENS, 4) for part in range(4)])
    reference = Reference(integer, dense().tables(integer), groups=(split, split))
    reference.start(IMAGES)
    out, _ = reference.step(x, 1, tables)
    for tokens in split.index:
        alone = Groups.single(len(tokens), len(tokens))
        part = Reference(integer, dense().tables(integer), groups=(alone, alone))
        part.start(IMAGES)
        assert torch.equal(part.step(x[:, :, tokens], 1, tables)[0], out[:, :, tokens])


def run(reference: Reference, x: Tensor, tables: Conditioning, capture: list[StageCapture] | None = None):
    """All timesteps on a slowly changing x, the same for every reference: decisions and outputs."""
    reference.start(len(x))
    drift = torch.linspace(0, 60, STEPS).long()
    results = [reference.step(x + int(drift[i]) * (x % 5 - 2), i, tables, capture) for i in range(STEPS)]
    computed = torch.stack([torch.from_numpy(record.computed) for _, record in results], 1)
    return torch.stack([out for out, _ in results]), computed


def test_an_image_does_not_depend_on_its_batch(integer, tables, x):
    reference = Reference(integer, SKIPPING.tables(integer))
    out, computed = run(reference, x, tables)
    assert 0 < computed.double().mean() < 1
    for image in range(IMAGES):
        alone = Conditioning(
            *(getattr(tables, name)[image : image + 1] for name in ("c", "scale", "shift", "gate")), saturated=0
        )
        out_alone, computed_alone = run(reference, x[image : image + 1], alone)
        assert torch.equal(out_alone, out[:, image : image + 1])
        assert torch.equal(computed_alone, computed[image : image + 1])


def test_sub_blocks_are_a_step_in_steps(integer, tables, x):
    """Each is there before the next is computed."""
    policy = SKIPPING.tables(integer)
    one, other = Reference(integer, policy), Reference(integer, policy)
    for reference in (one, other):
        reference.start(IMAGES)
    for index in range(3):
        captured: list[StageCapture] = []
        out, record = one.step(x, index, tables, captured)
        steps, seen = other.sub_blocks(x, index, tables), []
        with pytest.raises(StopIteration) as end:
            while True:
                seen.append(next(steps))
                assert other.state[-1].valid.any() == (index > 0 or len(seen) == SUBS)
        assert torch.equal(end.value.value[0], out) and np.array_equal(end.value.value[1].computed, record.computed)
        assert [found.sub_block for found in seen] == list(range(SUBS))
        for found, wanted in zip(seen, captured, strict=True):
            assert torch.equal(found.branch, wanted.branch) and torch.equal(found.counts, wanted.counts)


def test_an_inexact_or_missing_int8_kernel_is_not_used(monkeypatch):
    """One that saturates sums of two products, as processors without dot products do."""

    def saturating(a: Tensor, b: Tensor) -> Tensor:
        pairs = (a.int().unsqueeze(2) * b.int().unsqueeze(0)).unflatten(1, (-1, 2)).sum(2)
        return pairs.clamp(-(1 << 15), (1 << 15) - 1).sum(1)

    def missing(a: Tensor, b: Tensor) -> Tensor:
        raise RuntimeError("not implemented")

    for kernel in (saturating, missing):
        monkeypatch.setattr(torch, "_int_mm", kernel)
        assert not has_int8_kernel.__wrapped__("cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_computes_the_same_integers(integer, tables, x):
    policy, results = SKIPPING.tables(integer), []
    for device in ("cpu", "cuda"):
        captured: list[StageCapture] = []
        found = run(Reference(integer, policy, device=torch.device(device)), x, tables, captured)
        results.append((*found, captured))
    (out, computed, captured), (other, other_computed, other_captured) = results
    assert torch.equal(out, other) and torch.equal(computed, other_computed)
    for one, two in zip(captured, other_captured, strict=True):
        assert all(torch.equal(getattr(one, name), getattr(two, name)) for name in ("x", "act", "a", "branch", "codes"))
        assert all(torch.equal(stage, two.stages[name]) for name, stage in one.stages.items())


def test_capture_changes_nothing_and_is_consistent(integer, tables, x):
    policy = SKIPPING.tables(integer)
    out, computed = run(Reference(integer, policy), x, tables)
    captured: list[StageCapture] = []
    out_captured, computed_captured = run(Reference(integer, policy), x, tables, captured)
    assert torch.equal(out, out_captured) and torch.equal(computed, computed_captured)
    branch: dict[int, Tensor] = {}
    codes: dict[int, Tensor] = {}
    for position, found in enumerate(captured):
        index, s = divmod(position, SUBS)
        assert torch.equal(found.computed, computed[:, index, s])
        assert all(len(stage) == int(found.computed.sum()) for stage in found.stages.values())
        assert torch.equal(found.codes.long(), encode(found.act.long(), policy.boundaries[index, s]))
        if s in branch:
            assert torch.equal(found.branch[~found.computed], branch[s][~found.computed]), "a cached branch changed"
            stored = torch.where(found.computed[..., None, None], found.codes, codes[s])
        else:
            assert bool(found.computed.all()), "reuse before the first write"
            stored = found.codes
        branch[s], codes[s] = found.branch, stored


def test_counts_are_against_the_last_computed_input(integer, tables, x):
    captured: list[StageCapture] = []
    reference = Reference(integer, SKIPPING.tables(integer))
    reference.start(IMAGES)
    stored: dict[int, Tensor] = {s: torch.zeros(x.shape, dtype=torch.int64) for s in range(SUBS)}
    for index in range(STEPS):
        captured.clear()
        _, record = reference.step(x + index * 7, index, tables, captured)
        for s, found in enumerate(captured):
            assert torch.equal(record.counts[:, s], changed(found.codes.long(), stored[s]))
            stored[s] = torch.where(found.computed[..., None, None], found.codes.long(), stored[s])


def test_a_whole_timestep_is_forecast_from_the_last_two_computed(integer, tables, x):
    """Each context by the golden operations from what it computed before; a computed one as in a dense run."""
    policy = forecast(0.6, schedule="linear", max_streak=2, last_dense=0).tables(integer)
    whole, plain = Reference(integer, policy), Reference(integer, dense().tables(integer))
    whole.start(IMAGES)
    plain.start(IMAGES)
    known: dict[tuple[int, int], list[tuple[int, Tensor]]] = {}
    kinds = set()
    for index in range(STEPS):
        given = x.clone()
        if index in (2, 3):  # one context of two images is another
            given[:2, 1] = x[:2, 1].flip(1)
        found, record = whole.step(given, index, tables)
        wanted, _ = plain.step(given, index, tables)
        assert (record.computed == record.computed[:, :1]).all()
        for pair in ((image, context) for image in range(IMAGES) for context in range(2)):
            computed = known.setdefault(pair, [])
            if record.computed[:, 0][pair]:
                assert torch.equal(found[pair], wanted[pair])
                computed.append((index, found[pair].long()))
                continue
            (at, latest), (before_at, before) = computed[-1], computed[max(len(computed) - 2, 0)]
            gain, reach = int(policy.gains[index, 0]), policy.registers.slope_max
            slope = coefficient(torch.tensor(index - at), torch.tensor(at - before_at), gain, reach)
            assert torch.equal(found[pair].long(), reuse(latest, before, slope, STREAM))
            kinds.add((len(computed) > 1, not record.computed[pair[0], 0].any()))
    assert len(kinds) >= 3, kinds  # with and without a slope, alone and with the other context


@pytest.mark.parametrize("fault", ["stale cache", "swapped contexts"])
def test_a_planted_fault_is_seen(integer, tables, x, fault):
    """What a scoreboard compares changes when a cache is not refreshed, or serves the other context."""
    healthy, _ = run(Reference(integer, SKIPPING.tables(integer)), x, tables)

    class Faulty(Reference):
        def _branch(self, a, computed, codes, s, index, tally, stages):
            kept = self.cache[s].clone()
            branch = super()._branch(a, computed, codes, s, index, tally, stages)
            if fault == "stale cache":
                if index:
                    self.cache[s] = kept
                return branch
            return torch.where(computed[..., None, None], branch, branch.flip(1))

    broken, _ = run(Faulty(integer, SKIPPING.tables(integer)), x, tables)
    assert not torch.equal(healthy, broken)


def test_generation_does_not_depend_on_chunks_or_processes(integer, dit):
    y, noise = torch.tensor([0, 1, 2, 0]), make_noise(SMALL, 4, seed=3)
    reference = Reference(integer, SKIPPING.tables(integer))
    images, record = generate(reference, dit, y, noise, steps=STEPS)
    assert record.saturations == 0
    for options in ({"chunk": 1}, {"chunk": 1, "jobs": 2}):
        other, other_record = generate(reference, dit, y, noise, **options)
        assert torch.equal(other, images)
        assert other_record.decisions == record.decisions


def test_generation_without_guidance_runs_one_context(integer, dit):
    y, noise = torch.tensor([0, 1]), make_noise(SMALL, 2, seed=3)
    _, record = generate(Reference(integer, dense().tables(integer)), dit, y, noise, cfg=1.0)
    assert record.decisions.computed.shape == (2, STEPS, SUBS, 1)
