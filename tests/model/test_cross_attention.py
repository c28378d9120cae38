"""Cross-attention in float and in integers: equal to the golden operations, masked per context, and no fault unseen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from radit.model.comparison.catalogue import parse_method
from radit.model.comparison.running import reference_of
from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.dit.sampler import Sampler, make_noise, sample
from radit.model.dit.seeded import seeded_dit
from radit.model.dit.transformer import DiT, first_blocks, with_prompts
from radit.model.errors import UserError
from radit.model.integer.calibration import Calibration, calibrate, load_calibration, save_calibration
from radit.model.integer.generate import generate
from radit.model.integer.integer_dit import Conditioning, IntegerDiT, PromptWords
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference, StageCapture
from radit.model.ops.mac_array import matmul
from radit.model.ops.modulate import modulate
from radit.model.ops.modulate import quantize as to_int8
from radit.model.ops.recip import recip
from radit.model.ops.requant import requant, requant_wide
from radit.model.ops.softmax import softmax
from radit.model.policy.skip_policy import Policy, dense, forecast, planned, radit
from radit.model.text.prompts import Prompts, prompts_of
from radit.model.tuning.skipping_ranges import skipping_ranges, widened

STEPS, MOST = 6, 5
TEXT = DiTConfig(
    input_size=4, input_columns=8, in_channels=4, hidden_size=32, depth=3, num_heads=2, context_tokens=MOST,
    context_dim=12, adaln="single", learn_sigma=True,
)  # fmt: skip
LENGTHS, NULL_LENGTH = (MOST, 1, 3), 2
Y, NOISE = torch.arange(len(LENGTHS)), make_noise(TEXT, len(LENGTHS), seed=4)
CROSSES = (1, 4, 7)


def made_prompts(change: Callable[[Tensor], None] = lambda rows: None) -> Prompts:
    generator = torch.Generator().manual_seed(11)
    *rows, null = (torch.randn(count, TEXT.context_dim, generator=generator) for count in (*LENGTHS, NULL_LENGTH))
    found = prompts_of(rows, null, MOST)
    change(found.embeddings)
    return found


@pytest.fixture(scope="module")
def dit() -> DiT:
    return with_prompts(seeded_dit(TEXT), made_prompts())


@pytest.fixture(scope="module")
def calibration(dit: DiT) -> Calibration:
    return calibrate(dit, Sampler(STEPS), images=6)


@pytest.fixture(scope="module")
def integer(dit: DiT, calibration: Calibration) -> IntegerDiT:
    return quantize(dit, calibration, Sampler(STEPS))


@pytest.fixture(scope="module")
def tables(integer: IntegerDiT) -> Conditioning:
    return integer.conditioning_tables(Y)


@pytest.fixture(scope="module")
def x(integer: IntegerDiT) -> Tensor:
    """A residual stream of usual size; the last image has the whole 16-bit range."""
    generator = torch.Generator().manual_seed(1)
    values = torch.randint(-3000, 3000, (len(Y), 2, TEXT.tokens, TEXT.hidden_size), generator=generator)
    values[-1] = torch.randint(-32768, 32768, values[-1].shape, generator=generator)
    return values


def captured(integer: IntegerDiT, x: Tensor, index: int, tables: Conditioning, padded: int = 0) -> list[StageCapture]:
    found: list[StageCapture] = []
    reference = Reference(integer, dense().tables(integer), TEXT.tokens + padded)
    reference.start(len(x))
    reference.step(torch.nn.functional.pad(x, (0, 0, 0, padded)), index, tables, found)
    return found


def plain_cross(integer: IntegerDiT, seen: StageCapture, index: int, tables: Conditioning) -> dict[str, Tensor]:
    """Cross-attention of the stream that a sub-block has seen, by the golden operations, context by context."""
    s, prompts = seen.sub_block, tables.prompts
    assert prompts is not None
    sub_block, header = integer.sub_blocks[s], {name: int(c[index, s]) for name, c in integer.header.items()}
    scale, shift = (part[:, :, index, s].unsqueeze(2) for part in (tables.scale, tables.shift))
    act = modulate(seen.x.long(), scale, shift, header["mod_shift"])  # bypassed: the norm's word is x itself
    a = to_int8(act)

    def project(name: str, given: Tensor) -> Tensor:
        table = sub_block.tables[name]
        acc = matmul(given, sub_block.weights[name].long().t())
        return requant(acc, table.bias[index], table.mult[index], table.shift[index])

    def heads(value: Tensor) -> Tensor:
        return value.unflatten(1, (TEXT.num_heads, TEXT.head_dim)).transpose(0, 1)

    branch, number = torch.zeros_like(a), CROSSES.index(s)
    for image in range(len(a)):
        for context in range(a.shape[1]):
            count = int(prompts.counts[image, context])
            k, v = (part[image, context, number, :count].long() for part in (prompts.k, prompts.v))
            q = project("q", a[image, context])
            acc = matmul(heads(q), heads(k).transpose(-1, -2))
            prob, total = softmax(requant_wide(acc, 0, header["score_mult"], header["score_shift"]))
            mixed = requant(matmul(prob, heads(v)), 0, *recip(total, header["gain"], header["gain_shift"]))
            branch[image, context] = project("o", mixed.transpose(0, 1).flatten(1))
    return {"act": act, "a": a, "branch": branch}


def differing(integer: IntegerDiT, seen: list[StageCapture], index: int, tables: Conditioning) -> set[str]:
    """Words of the cross-attentions that are not those of the golden operations."""
    return {
        name
        for s in CROSSES
        for name, value in plain_cross(integer, seen[s], index, tables).items()
        if not torch.equal(getattr(seen[s], name).long(), value)
    }


@pytest.mark.parametrize(("index", "padded"), [(0, 0), (STEPS - 1, 0), (2, 3)])
@pytest.mark.parametrize("kernel", ["int8", "float64"])
def test_equals_the_golden_operations(integer, tables, x, index, padded, kernel, monkeypatch):
    monkeypatch.setattr("radit.model.integer.exact_float64.has_int8_kernel", lambda device: kernel == "int8")
    seen = captured(integer, x, index, tables, padded)
    assert differing(integer, seen, index, tables) == set()
    assert [one.sub_block for one in seen if "score" in one.stages] == sorted([*CROSSES, 0, 3, 6])
    assert seen[CROSSES[0]].stages["score"].shape == (2 * len(Y), TEXT.num_heads, 1, TEXT.tokens + padded, MOST)
    assert tables.prompts is not None and tables.prompts.counts.tolist() == [[n, NULL_LENGTH] for n in LENGTHS]


def _prompts(change: Callable[[Tensor], Tensor]) -> Callable[[Conditioning], Conditioning]:
    """Keys and values of another place."""

    def changed(tables: Conditioning) -> Conditioning:
        assert tables.prompts is not None
        k, v = (change(part) for part in (tables.prompts.k, tables.prompts.v))
        return replace(tables, prompts=replace(tables.prompts, k=k, v=v))

    return changed


FAULTS: dict[str, tuple[str, Callable[[Conditioning], Conditioning], set[str]]] = {
    "no mask": ("engines.valid_keys = all", lambda tables: tables, {"branch"}),
    "one key too few": ("engines.valid_keys = short", lambda tables: tables, {"branch"}),
    "keys of the other context": ("", _prompts(lambda part: part.flip(1)), {"branch"}),
    "the prompt of the image before": ("", _prompts(lambda part: part.roll(1, 0)), {"branch"}),
    "the prompt of another sub-block": ("", _prompts(lambda part: part.roll(1, 2)), {"branch"}),
    "values as keys": ("", lambda tables: replace(tables, prompts=_swapped(tables.prompts)), {"branch"}),
    "norm in spite of bypass": ("reference.CROSS = none", lambda tables: tables, {"act", "a", "branch"}),
}


def _swapped(prompts: PromptWords | None) -> PromptWords:
    assert prompts is not None
    return replace(prompts, k=prompts.v, v=prompts.k)


@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_seen(integer, tables, x, name, monkeypatch):
    where, change, wanted = FAULTS[name]
    if "valid_keys" in where:
        less = 1 if "short" in where else -MOST
        monkeypatch.setattr(
            "radit.model.integer.engines.valid_keys",
            lambda counts, most: torch.arange(most) < (counts - less).clamp(min=1).unsqueeze(-1),
        )
    elif where:
        monkeypatch.setattr("radit.model.integer.reference.CROSS", "none")
    assert differing(integer, captured(integer, x, 1, change(tables)), 1, tables) == wanted


def test_tokens_behind_the_last_one_change_nothing(integer, tables, x):
    """Whatever is in the memory there; and every token before them changes something."""

    def branches(prompts: PromptWords) -> Tensor:
        return captured(integer, x, 1, replace(tables, prompts=prompts))[CROSSES[0]].branch

    prompts = tables.prompts
    plain, behind = branches(prompts), torch.arange(MOST) >= prompts.counts[..., None]
    junk = torch.where(behind[:, :, None, :, None], torch.full_like(prompts.k, 55), prompts.k)
    assert not torch.equal(junk, prompts.k) and torch.equal(
        branches(replace(prompts, k=junk, v=junk - prompts.k + prompts.v)), plain
    )
    for token in range(MOST):
        v = prompts.v.clone()
        v[..., token, :] = 99 - v[..., token, :]
        touched = (branches(replace(prompts, v=v)) != plain).flatten(2).any(2)
        assert torch.equal(touched, prompts.counts > token)


def test_the_float_model_masks_by_prompt(dit):
    t = torch.full((3,), 400)
    plain = dit(NOISE, t, Y)

    def behind(rows: Tensor) -> None:
        rows[1, 1:], rows[2, 3:] = 7.0, -7.0

    def inside(rows: Tensor) -> None:
        rows[2, 2] += 1.0

    assert torch.equal(with_prompts(dit, made_prompts(behind))(NOISE, t, Y), plain)
    changed = (with_prompts(dit, made_prompts(inside))(NOISE, t, Y) != plain).flatten(1).any(1)
    assert changed.tolist() == [False, False, True]


@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_integers_are_close_to_float(dit, integer, cfg):
    wanted = sample(dit, NOISE, Y, Sampler(STEPS), cfg)
    found, record = generate(Reference(integer, dense().tables(integer)), dit, Y, NOISE, cfg=cfg)
    assert (found - wanted).norm() / wanted.norm() < 0.08 and record.saturations == 0
    alone, _ = generate(Reference(integer, dense().tables(integer)), dit, Y[2:], NOISE[2:], cfg=cfg)
    assert torch.equal(alone, found[2:]), "an image depends on its batch"


def test_every_cross_attention_is_close_to_float(dit, integer, tables):
    """On the same stream: int8 steps are all that separates the branches."""
    stream = integer.dit.embed(NOISE[:1])
    whole = torch.floor(stream.double() * 2.0**integer.x_frac + 0.5).long().unsqueeze(1).expand(-1, 2, -1, -1)
    one = replace(tables, **{name: getattr(tables, name)[:1] for name in ("c", "scale", "shift", "gate")})
    prompts = PromptWords(*(part[:1] for part in (tables.prompts.k, tables.prompts.v, tables.prompts.counts)))
    for seen in (captured(integer, whole, 2, replace(one, prompts=prompts))[s] for s in CROSSES):
        block = dit.blocks[seen.sub_block // 3]
        real = seen.x[0].float() * 2.0**-integer.x_frac
        wanted = block.cross_attn(real, dit.captions(torch.tensor([0, -1])))
        found = seen.branch[0].double() * integer.branch_scale[seen.sub_block]
        assert (found - wanted).norm() / wanted.norm() < 0.1


POLICIES = {
    "radit": radit(0.9),
    "forecast per sub-block": radit(0.6, first_dense=1, gain=1.0),
    "forecast": forecast(0.9),
    "forecast per timestep": forecast(0.9, scope="timestep"),
    "planned": planned(plan="BB-L-B"),
}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_policies_work_over_three_kinds(dit, integer, policy: Policy):
    images, record = generate(Reference(integer, policy.tables(integer)), dit, Y, NOISE)
    assert record.decisions.computed.shape == (3, STEPS, TEXT.sub_blocks, 2) and images.isfinite().all()
    assert 0 < record.decisions.reused_share < 1
    shares = record.decisions.reused_by_kind(TEXT.sub_block_kinds())
    assert list(shares) == ["attention", "cross-attention", "MLP"] and shares["cross-attention"].any()
    together = bool((record.decisions.computed == record.decisions.computed[:, :, :1]).all())
    assert together == (policy.scope != "sub-block")


@pytest.mark.parametrize(
    "text",
    ["fora:interval=2", "fbcache:threshold=0.5", "dbcache:threshold=0.5", "dbprune:threshold=0.5",
     "bwcache:threshold=9", "smoothcache:alpha=5:images=2", "taylorseer", "teacache:threshold=0.5", "magcache",
     "l1:threshold=0.9:scope=timestep:blocks=1", "l1:threshold=0.9:scope=timestep:blocks=-1",
     "codes:threshold=0.9:scope=sub-block"],
)  # fmt: skip
def test_other_rules_reuse_whole_blocks(dit, integer, text):
    _, record = generate(reference_of(integer, parse_method(text)), dit, Y, NOISE)
    computed = torch.from_numpy(record.decisions.computed)
    if "sub-block" not in text and "smoothcache" not in text:  # all sub-blocks of a block alike
        blocks = computed.unflatten(2, (3, 3))
        assert torch.equal(blocks, blocks[:, :, :, :1].expand_as(blocks))
    if "blocks=" in text:
        always = 0 if text.endswith("=1") else -1
        assert computed.unflatten(2, (3, 3))[:, :, always].all()


def test_numbering():
    even = TEXT.model_copy(update={"cross_attention": "even"})
    assert TEXT.kinds == ("attention", "cross", "mlp") * 3 and TEXT.cross_sub_blocks == CROSSES
    assert even.kinds == ("attention", "cross", "mlp", "attention", "mlp", "attention", "cross", "mlp")
    assert even.block_bounds == (0, 3, 5, 8) and even.sub_blocks == 8 == len(even.sub_block_macs())
    for config in (TEXT, even, NAMED_MODELS["digits"], NAMED_MODELS["latte-xl-2"], NAMED_MODELS["pixart-xl-2-256"]):
        assert [config.sub_block_index(block, kind) for block, kind in config.places] == list(range(config.sub_blocks))
    width, tokens = TEXT.hidden_size, TEXT.tokens
    assert TEXT.macs()[1] == 2 * tokens * width * width + 2 * tokens * MOST * width
    digits = NAMED_MODELS["digits"]
    assert digits.block_bounds == tuple(range(0, 13, 2)) and not {"adaln", "context_tokens"} & set(digits.model_dump())
    assert "num_classes" not in TEXT.model_dump() and DiTConfig(**TEXT.model_dump()) == TEXT.model_copy()


def test_a_model_of_even_cross_attention_runs():
    config = TEXT.model_copy(update={"cross_attention": "even", "size_conditioning": False})
    dit = with_prompts(seeded_dit(config), made_prompts())
    integer = quantize(dit, calibrate(dit, Sampler(2), images=2), Sampler(2))
    wanted = sample(dit, NOISE, Y, Sampler(2))
    found, _ = generate(Reference(integer, dense().tables(integer)), dit, Y, NOISE)
    assert (found - wanted).norm() / wanted.norm() < 0.08
    part = first_blocks(dit, 1)
    assert part.config.kinds == ("attention", "cross", "mlp") and part.prompts is dit.prompts


def test_calibrations_are_stored_with_text(tmp_path, dit, calibration, integer):
    path = tmp_path / "ranges.safetensors"
    save_calibration(path, calibration)
    again = load_calibration(path)
    assert (
        again is not None
        and again.fits(TEXT, STEPS)
        and quantize(dit, again, Sampler(STEPS)).digest() == integer.digest()
    )
    assert not replace(again, cross_k=None).fits(TEXT, STEPS)
    assert not again.fits(TEXT.model_copy(update={"cross_attention": "even"}), STEPS)
    reference = Reference(integer, radit(0.9).tables(integer))
    wide = widened(calibration, skipping_ranges(dit, reference, Y, NOISE, 1.5), radit(0.9))
    assert (wide.cross_k >= calibration.cross_k).all() and wide.fits(TEXT, STEPS)


def test_digests_tell_prompts_apart(dit, calibration, integer):
    def other(rows: Tensor) -> None:
        rows[0, 0] += 1.0

    changed = with_prompts(dit, made_prompts(other))
    assert quantize(changed, calibration, Sampler(STEPS)).digest() != integer.digest()
    assert calibrate(changed, Sampler(2), images=1).digest != calibrate(dit, Sampler(2), images=1).digest
    assert all("bypass" in each.header for each in (integer,)) and integer.header["bypass"].sum() == STEPS * len(
        CROSSES
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"adaln": "label"}, "context_tokens is 5, context_dim 12 and adaln label: give all of a model with text"),
        ({"context_dim": 0}, "give all of a model with text"),
        ({"context_tokens": 0}, "give all of a model with text"),
        ({"size_conditioning": True}, "hidden_size 32 is not a multiple of 3"),
        ({"embedders": "per-block"}, "embedders is per-block with adaln single"),
        ({"input_columns": 7, "patch_size": 2}, "patch_size 2 does not divide input_columns 7"),
    ],
)
def test_configs_that_do_not_fit(change, words):
    with pytest.raises(UserError, match=words):
        DiTConfig(**(TEXT.model_dump() | change))


def test_what_lacks_prompts_says_so(dit, integer, tables, x):
    blank = DiT(TEXT)
    with pytest.raises(UserError, match="give --prompt, a file of embeddings"):
        blank(NOISE, torch.tensor([1, 2, 3]), Y)
    with pytest.raises(UserError, match="the model has no text"):
        with_prompts(seeded_dit(), made_prompts())
    with pytest.raises(UserError, match="prompts have .5, 12. tokens and channels, the model .5, 13."):
        with_prompts(DiT(TEXT.model_copy(update={"context_dim": 13})), made_prompts())
    with pytest.raises(UserError, match="hold no prompts"):
        captured(integer, x, 0, replace(tables, prompts=None))
    alone = with_prompts(dit, prompts_of([torch.ones(2, 12)], None, MOST))
    with pytest.raises(UserError, match="cfg is 4, but the model has no null prompt, which guidance needs: give 1, or"):
        sample(alone, NOISE[:1], Y[:1], Sampler(2), cfg=4.0)
    assert sample(alone, NOISE[:1], Y[:1], Sampler(2), cfg=1.0).isfinite().all()
