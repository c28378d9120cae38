"""Quantization and calibration: number formats, error bounds against float, storage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from radit.model.dit.config import NAMED_MODELS
from radit.model.dit.sampler import Sampler, make_noise, sample
from radit.model.dit.seeded import SMALL, seeded_dit
from radit.model.dit.transformer import DiT
from radit.model.errors import UserError
from radit.model.formats import AFTER_BITS, BIAS_BITS, GELU_FRAC
from radit.model.integer.calibration import (
    DEFAULT_IMAGES,
    Calibration,
    affordable_images,
    calibrate,
    calibration_path,
    load_calibration,
    load_or_calibrate,
    save_calibration,
)
from radit.model.integer.generate import Host, to_integer
from radit.model.integer.integer_dit import HEADER_FIELDS, IntegerDiT
from radit.model.integer.quantize import SMALLEST_INPUT_SHARE, normalize, quantize
from radit.model.integer.reference import Reference, StageCapture
from radit.model.policy.skip_policy import dense, radit

STEPS = 5
STEPWISE = ("timesteps", "act", "act_rms", "q", "k", "v", "o", "h", "u", "x")  # fields by timestep


@pytest.fixture(scope="module")
def dit() -> DiT:
    return seeded_dit()


@pytest.fixture(scope="module")
def calibration(dit: DiT) -> Calibration:
    return calibrate(dit, Sampler(STEPS), images=16)


@pytest.fixture(scope="module")
def integer(dit: DiT, calibration: Calibration) -> IntegerDiT:
    return quantize(dit, calibration, Sampler(STEPS))


def test_normalize():
    real = torch.tensor([1.0, 0.5, 3.1e-9, 2.0**-60, 1 - 2.0**-30, 32000.0], dtype=torch.float64)
    mult, shift = normalize(real)
    assert bool(((mult >= 2**15) & (mult < 2**16) & (shift >= 1) & (shift <= 63)).all())
    error = mult * 2.0 ** -shift.double() / real - 1
    assert error[[0, 1, 2, 4, 5]].abs().max() <= 2.0**-16
    with pytest.raises(UserError, match="multiplier"):
        normalize(torch.tensor([40000.0]))


def test_every_constant_fits_its_field(integer: IntegerDiT):
    for name in HEADER_FIELDS:
        column = integer.header[name]
        assert column.shape == (STEPS, 2 * SMALL.depth) and int(column.min()) >= 0
        assert int(column.max()) < (64 if name.endswith("shift") else 1 << 16)
    for sub_block in integer.sub_blocks:
        for weight in sub_block.weights.values():
            assert weight.dtype == torch.int8 and int(weight.min()) >= -127
        for table in sub_block.tables.values():
            assert int(table.bias.abs().max()) < 1 << (BIAS_BITS - 1)
            assert int(table.mult.min()) >= 1 << 15 and int(table.mult.max()) < 1 << 16
            assert int(table.shift.min()) >= 1 and int(table.shift.max()) <= 63
        after = [table.after for name, table in sub_block.tables.items() if name == "fc1"]
        assert all(int(one.min()) >= 1 and int(one.max()) < 1 << AFTER_BITS for one in after)


@pytest.fixture(scope="module")
def images(dit: DiT) -> list[torch.Tensor]:
    """What the float model sees at each timestep, (3, 1, 4, 4): images other than the calibration's."""
    seen = []

    def watch(x: torch.Tensor, t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        seen.append(x[::2])
        return dit(x, t, y)

    sample(watch, make_noise(SMALL, 3, seed=77), torch.arange(3), Sampler(STEPS), 1.5, SMALL.null_class)
    return seen


@pytest.mark.parametrize("index", range(STEPS))
def test_sub_blocks_are_near_float(integer: IntegerDiT, dit: DiT, images: list[torch.Tensor], index: int):
    """Each sub-block on its own, given the same x: relative error of input and branch; no 16-bit saturation."""
    tables = integer.conditioning_tables(torch.arange(3))
    x, saturated = to_integer(dit.embed(images[index]), integer.x_frac, SMALL.tokens)
    reference = Reference(integer, dense().tables(integer))
    reference.start(3)
    captured: list[StageCapture] = []
    _, record = reference.step(x.unsqueeze(1).expand(-1, 2, -1, -1), index, tables, captured)
    assert saturated + sum(record.saturated.values()) == 0
    vectors = dit.block_modulation(tables.c[:, :, index].flatten(0, 1))
    for s, found in enumerate(captured):
        block, steps = dit.blocks[s // 2], vectors[:, s // 2]
        given = found.x.flatten(0, 1).float() * 2.0**-integer.x_frac
        act = (block.mlp_input if s % 2 else block.attention_input)(given, steps)
        assert relative(found.act.flatten(0, 1) / 64 * integer.input_step(index, s), act) < 0.005
        branch = (block.mlp if s % 2 else block.attn)(act)
        assert relative(found.branch.flatten(0, 1) * integer.branch_scale[s], branch) < 0.06


def relative(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """Root mean square of the error in units of the wanted values'."""
    return float(((found - wanted).double().square().mean() / wanted.double().square().mean()).sqrt())


def test_channels_of_an_input_are_equalized(dit: DiT, calibration: Calibration):
    """A channel's range fills int8 whatever that of the others is, and never leaves it; a tiny one is still held."""
    act = calibration.act.clone()
    act[:, 0, 3] *= 6.0
    act[:, 0, 4] *= 1e-6
    other = quantize(dit, replace(calibration, act=act), Sampler(STEPS))
    filled = act.double() / (127 * other.act_scale.unsqueeze(-1) * other.act_share)
    assert float(filled.max()) <= 1.0 + 1e-9
    others = torch.ones(act.shape[1:], dtype=torch.bool)
    others[0, 4] = False
    assert bool((filled.amax(0)[others] > 0.4).all())
    assert float(other.act_share[0, 4]) == SMALLEST_INPUT_SHARE


def test_channels_after_gelu_are_equalized(dit: DiT, calibration: Calibration, integer: IntegerDiT):
    """One multiplier for the largest channel, four times as much for those below a quarter of it; weights follow."""
    h = torch.full_like(calibration.h, 0.1)
    h[:, 0, 5] = 2.0
    other = quantize(dit, replace(calibration, h=h), Sampler(STEPS))
    after = other.sub_blocks[1].tables["fc1"].after
    assert bool((after[:, 5] < after[:, 6]).all()) and bool(((after[:, 6] / after[:, 5] - 4.0).abs() < 0.02).all())
    real = after[:, 5] * 2.0 ** -other.header["h_shift"][:, 1].double() * 2.0 * 2**GELU_FRAC
    assert bool(((real / 127 - 1.0).abs() < 0.005).all())
    before, now = (one.sub_blocks[1].weights["fc2"].double() for one in (integer, other))
    assert float(now[:, 5].abs().mean()) > 2.0 * float(before[:, 5].abs().mean())


def test_values_and_projection_keep_an_exact_bias(dit: DiT, calibration: Calibration):
    """V's bias reaches the branch through the projection's bias."""
    moved = seeded_dit()
    moved.blocks[0].attn.qkv.bias[2 * SMALL.hidden_size :] += 3.0
    one, two = (quantize(model, calibration, Sampler(STEPS)).sub_blocks[0] for model in (dit, moved))
    assert all(torch.equal(one.weights[name], two.weights[name]) for name in "qkvo")
    assert not torch.equal(one.tables["o"].bias, two.tables["o"].bias)


def test_an_empty_channel_is_quantized(calibration: Calibration):
    dit = seeded_dit()
    dit.blocks[0].mlp.fc2.weight[3] = 0.0
    dit.blocks[0].attn.qkv.weight[5] = 0.0
    integer = quantize(dit, calibration, Sampler(STEPS))
    assert int(integer.sub_blocks[1].weights["fc2"][3].abs().max()) == 0


def test_deterministic(dit: DiT, integer: IntegerDiT):
    again = quantize(dit, calibrate(dit, Sampler(STEPS), images=16), Sampler(STEPS))
    assert again.digest() == integer.digest()
    other = quantize(dit, calibrate(dit, Sampler(STEPS), images=16, seed=1), Sampler(STEPS))
    assert other.digest() != integer.digest()


def test_conditioning_does_not_depend_on_the_batch(integer: IntegerDiT):
    tables = integer.conditioning_tables(torch.tensor([2, 0, 1, 2]))
    alone = integer.conditioning_tables(torch.tensor([2]))
    assert tables.saturated == 0
    for name in ("c", "scale", "shift", "gate"):
        assert torch.equal(getattr(tables, name)[:1], getattr(alone, name))
        assert torch.equal(getattr(tables, name)[0, 1], getattr(tables, name)[1, 1]), "both the null class"


def test_storage(dit: DiT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A stored calibration is used while its hash fits, and computed anew otherwise."""
    monkeypatch.setattr("radit.model.integer.calibration.CACHE", tmp_path / "cache")
    checkpoint = tmp_path / "small.safetensors"
    fresh = load_or_calibrate(dit, checkpoint, Sampler(2))
    save_calibration(calibration_path(checkpoint), replace(fresh, x=fresh.x + 1.0))
    used = load_or_calibrate(dit, checkpoint, Sampler(2))
    assert torch.equal(used.x, fresh.x + 1.0) and used.digest == fresh.digest
    assert torch.equal(load_or_calibrate(dit, checkpoint, Sampler(3)).timesteps, torch.tensor(Sampler(3).timesteps))
    calibration_path(checkpoint).write_bytes(b"damaged")
    assert load_calibration(calibration_path(checkpoint)) is None
    assert torch.equal(load_or_calibrate(dit, checkpoint, Sampler(2)).x, fresh.x)


def test_a_fresh_calibration_is_cached(dit: DiT, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of the first timesteps only, where that is asked for."""
    monkeypatch.setattr("radit.model.integer.calibration.CACHE", tmp_path)
    fresh = load_or_calibrate(dit, None, Sampler(6, 2))
    assert fresh.timesteps.tolist() == Sampler(6).timesteps[:2]
    whole = load_or_calibrate(dit, None, Sampler(6))
    for name in ("act", "q", "x"):
        assert torch.equal(getattr(fresh, name), getattr(whole, name)[:2]), "other ranges than in a whole run"
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr("radit.model.integer.calibration.calibrate", None)
    assert torch.equal(load_or_calibrate(dit, None, Sampler(6, 2)).x, fresh.x)


def test_large_models_are_calibrated_on_few_images():
    images = [affordable_images(NAMED_MODELS[name], 2, 2) for name in ("digits", "dit-s-2", "dit-xl-2")]
    assert images[0] == DEFAULT_IMAGES > images[1] > images[2] == 1


def test_the_first_timesteps_of_a_run_are_those_of_the_whole_run(dit: DiT):
    """Constants, decisions and images: quantized for two of six timesteps, or for all."""
    calibration = calibrate(dit, Sampler(6), images=4)
    part = Calibration(**{**vars(calibration), **{name: vars(calibration)[name][:2] for name in STEPWISE}})
    few, all_ = quantize(dit, part, Sampler(6, 2)), quantize(dit, calibration, Sampler(6))
    assert few.timesteps == all_.timesteps[:2] and few.sampler_steps == all_.sampler_steps == 6
    policies = [radit(0.5, last_dense=5).tables(integer) for integer in (few, all_)]
    assert torch.equal(policies[0].thresholds, policies[1].thresholds[:2])
    assert torch.equal(policies[0].force, policies[1].force[:2])
    hosts = [
        Host(dit, integer, torch.tensor([1]), make_noise(SMALL, 1, 3), 1.5, SMALL.tokens) for integer in (few, all_)
    ]
    moved = [host.leave(torch.ones(1, 2, SMALL.tokens, SMALL.hidden_size), 1) for host in hosts]
    assert torch.equal(*moved)


def test_a_calibration_of_other_timesteps_is_refused(dit: DiT, calibration: Calibration):
    with pytest.raises(UserError, match="steps = 7"):
        quantize(dit, calibration, Sampler(7))


@pytest.mark.parametrize(("value", "words"), [(1e38, "not finite in float32"), (1e10, "dwarf all others")])
def test_weights_that_are_too_large_are_named(value: float, words: str) -> None:
    """Damaged ones, for instance: they are finite, what they make is not, or no format holds it beside the others."""
    dit = seeded_dit(SMALL)
    dit.blocks[0].mlp.fc1.weight[0, :] = value
    with pytest.raises(UserError, match=words):
        quantize(dit, calibrate(dit, Sampler(2), images=2), Sampler(2))
