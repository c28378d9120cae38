"""Seeded weights: the same everywhere, and like trained ones in what quantization and skipping have to cope with."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from radit.model.dit.config import NAMED_MODELS
from radit.model.dit.sampler import Sampler, make_noise, sample
from radit.model.dit.seeded import SMALL, seeded_dit
from radit.model.dit.transformer import DiT, first_blocks
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate, model_digest
from radit.model.integer.generate import generate, to_integer
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.policy.skip_policy import dense, radit

CONFIG = NAMED_MODELS["dit-s-2"]


@pytest.fixture(scope="module")
def dit() -> DiT:
    return seeded_dit(CONFIG)


def test_the_same_in_another_process_with_other_threads():
    program = (
        "import os; os.cpu_count = lambda: 7\n"
        "import torch; torch.set_num_threads(3)\n"
        "from radit.model.integer.calibration import model_digest\nfrom model.dit.seeded import seeded_dit\n"
        "print(model_digest(seeded_dit()))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == model_digest(seeded_dit())


def test_another_seed_is_another_model():
    assert model_digest(seeded_dit(SMALL, 1)) != model_digest(seeded_dit(SMALL))


@torch.no_grad()
def test_statistics(dit: DiT):
    """No part of adaLN is zero, gates and the residual stream grow, few channels stand out, attention is uneven."""
    c = dit.conditioning(torch.tensor([999, 999]), torch.tensor([0, CONFIG.null_class]))
    vectors = dit.block_modulation(c)
    x, rms, shares = dit.embed(make_noise(CONFIG, 1, 0)).expand(2, -1, -1), [], []
    for index, block in enumerate(dit.blocks):
        q, k, _ = block.attn.heads(block.attention_input(x, vectors[:, index]))
        weights = (q @ k.transpose(-1, -2) / block.attn.head_dim**0.5).softmax(-1)
        shares.append(weights.square().sum(-1).mean())
        x = block(x, vectors[:, index])
        rms.append(x.square().mean().sqrt())
    gates = vectors[:, :, [2, 5]].mean((0, 2, 3))
    assert 0.1 < gates[0] < 0.3 and 0.8 < gates[-1] < 1.2
    assert 0.1 < vectors[:, :, [0, 3]].std() < 0.5 and 0.1 < vectors[:, :, [1, 4]].std() < 1.0
    assert rms[-1] > 2 * rms[0]
    assert min(shares) > 2.0 / CONFIG.tokens, "attention is spread evenly over the keys"
    sizes = x.abs().mean((0, 1)).sort(descending=True).values
    assert sizes[2] > 2 * sizes[3], "no outlier channels"
    assert vectors[0].sub(vectors[1]).std() > 0.02, "labels make no difference"


@torch.no_grad()
def test_neighbouring_timesteps_are_alike_and_distant_ones_are_not(dit: DiT):
    def vectors(t: int) -> torch.Tensor:
        return dit.block_modulation(dit.conditioning(torch.tensor([t]), torch.tensor([0])))

    near, far = ((vectors(999) - vectors(t)).square().mean().sqrt() for t in (979, 499))
    assert 0 < near < far / 2


def test_sampling_stays_in_range():
    noise = make_noise(CONFIG, 1, 3)
    image = sample(seeded_dit(CONFIG, blocks=2), noise, torch.tensor([5]), Sampler(20))
    assert torch.isfinite(image).all() and 0.1 < float(image.std()) < 20


def test_quantization_copes(dit: DiT):
    """Nothing saturates 16 bit and hardly anything clips, on an image that calibration has not seen."""
    part = first_blocks(dit, 2)
    integer = quantize(part, calibrate(part, Sampler(2), images=1), Sampler(2))
    reference = Reference(integer, dense().tables(integer), count_clips=True)
    reference.start(1)
    x, saturated = to_integer(part.embed(make_noise(CONFIG, 1, 8)), integer.x_frac, CONFIG.tokens)
    _, record = reference.step(x.unsqueeze(1).expand(-1, 2, -1, -1), 0, integer.conditioning_tables(torch.tensor([7])))
    assert saturated + sum(record.saturated.values()) == 0
    values = 6 * len(integer.sub_blocks) * x.numel()  # a, Q, K, V, O, branch; a, H (four times as wide), branch
    assert sum(record.clipped.values()) / values < 5e-3


def test_images_change_little_between_timesteps(dit: DiT):
    """As those of trained models do, which is what skipping lives on."""
    for model in (dit, seeded_dit(CONFIG, blocks=2)):
        integer = quantize(model, calibrate(model, Sampler(50, 2), images=1), Sampler(50, 2))
        noise = make_noise(CONFIG, 1, 4)
        _, record = generate(Reference(integer, radit().tables(integer)), model, torch.tensor([1]), noise)
        changed = record.counts[:, 1] / (CONFIG.tokens * CONFIG.hidden_size)
        assert 0 < changed.min() and changed.mean() < 0.15 and changed.max() < 0.25


def test_blocks_are_the_first_ones_of_the_whole_model(dit: DiT):
    part, whole = seeded_dit(CONFIG, blocks=3).state_dict(), dit.state_dict()
    assert part.keys() == first_blocks(dit, 3).state_dict().keys()
    assert all(torch.equal(value, whole[name]) for name, value in part.items() if name != "final_layer.linear.weight")


def test_first_blocks(dit: DiT):
    part = first_blocks(dit, 3)
    assert part.config.depth == len(part.blocks) == 3
    assert part.blocks[2].attn.qkv.weight.data_ptr() == dit.blocks[2].attn.qkv.weight.data_ptr()
    for count in (0, 13):
        with pytest.raises(UserError, match=f"blocks is {count}: give 1 to 12"):
            first_blocks(dit, count)
