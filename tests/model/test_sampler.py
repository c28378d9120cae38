"""The sampler: schedule, respacing, exactness with a perfect network, guidance."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from radit.model.dit.config import NAMED_MODELS, DiTConfig, check_guidance
from radit.model.dit.sampler import Sampler, guided, make_noise, make_pairs, sample, split_pairs
from radit.model.dit.schedule import DIFFUSION_STEPS, add_noise, alpha_bars
from radit.model.errors import UserError

DIGITS = NAMED_MODELS["digits"]
STEP_COUNTS = [1, 2, 3, 10, 50, 250, 999, 1000]
LABELS = torch.tensor([3, 1, 4])


def make_oracle(x0: Tensor) -> object:
    """A network that knows the clean images (N, C, H, W) and so predicts the exact noise."""
    bars = alpha_bars()

    def oracle(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        bar = bars[t].reshape(-1, 1, 1, 1)
        clean = x0.repeat_interleave(len(x) // len(x0), dim=0).double()
        return ((x.double() - bar.sqrt() * clean) / (1.0 - bar).sqrt()).float()

    return oracle


def test_schedule_is_the_published_one() -> None:
    bars = alpha_bars()
    assert bars[0].item() == pytest.approx(0.9999)
    assert bars[1].item() == pytest.approx(0.9999 * (1.0 - 1e-4 - 0.0199 / 999))
    assert bars[-1].item() == pytest.approx(4.036e-5, rel=1e-3)


@pytest.mark.parametrize("steps", STEP_COUNTS)
def test_timesteps_descend_over_the_whole_chain(steps: int) -> None:
    timesteps = Sampler(steps).timesteps
    assert len(timesteps) == steps and timesteps[0] == DIFFUSION_STEPS - 1
    assert steps == 1 or timesteps[-1] == 0
    assert all(earlier > later for earlier, later in zip(timesteps, timesteps[1:], strict=False))


def test_every_step_count_is_possible() -> None:
    for steps in range(1, DIFFUSION_STEPS + 1):
        assert len(set(Sampler(steps).timesteps)) == steps


@pytest.mark.parametrize("steps", [0, -1, 1001, 2.5, True, "50"])
def test_a_bad_step_count_is_named(steps: object) -> None:
    with pytest.raises(UserError, match="^--steps is .*: give a whole number from 1 to 1000"):
        Sampler(steps)  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", STEP_COUNTS)
def test_perfect_network_gives_the_clean_image_back(steps: int) -> None:
    clean = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(5)) * 2 - 1
    images = sample(make_oracle(clean), make_noise(DIGITS, 3, 6), LABELS, Sampler(steps), cfg=1.5, null_class=10)
    torch.testing.assert_close(images, clean, atol=2e-4, rtol=0)


def test_step_moves_along_the_chain_at_constant_noise() -> None:
    clean, eps = torch.full((2, 1, 8, 8), 0.3), make_noise(DIGITS, 2, 7)
    sampler = Sampler(20)
    walk = sampler.start()
    for index, (t, t_prev) in enumerate(zip(sampler.timesteps, sampler.timesteps[1:], strict=False)):
        x = add_noise(clean, eps, torch.full((2,), t))
        wanted = add_noise(clean, eps, torch.full((2,), t_prev))
        torch.testing.assert_close(walk.step(x, eps, index), wanted, atol=1e-4, rtol=1e-4)


def test_pixels_stay_in_range_and_latents_are_free() -> None:
    x, eps = torch.full((1, 1, 8, 8), 5.0), torch.zeros(1, 1, 8, 8)
    walk = Sampler(2).start()
    assert walk.step(x, eps, 1).max() == 1.0
    bar, bar_prev = alpha_bars()[999].item(), alpha_bars()[0].item()
    rest = (5.0 - bar**0.5) / (1.0 - bar) ** 0.5
    wanted = bar_prev**0.5 + (1.0 - bar_prev) ** 0.5 * rest
    assert walk.step(x, eps, 0).max().item() == pytest.approx(wanted, rel=1e-5)
    latent = walk.step(x.expand(1, 4, 8, 8), eps.expand(1, 4, 8, 8), 1)
    assert latent.max().item() == pytest.approx(5.0, rel=1e-3)


@pytest.mark.parametrize("index", [-1, 20])
def test_a_bad_step_index_is_named(index: int) -> None:
    with pytest.raises(UserError, match=f"step index is {index}: choose one from 0 to 19"):
        Sampler(20).start().step(torch.zeros(1), torch.zeros(1), index)


def test_noise_and_samples_are_the_same_for_the_same_seed() -> None:
    def network(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        return torch.tanh(x + 0.1 * y.reshape(-1, 1, 1, 1))

    first, again = (sample(network, make_noise(DIGITS, 3, 8), LABELS, Sampler(10), 1.5, 10) for _ in range(2))
    assert torch.equal(first, again) and first.dtype == torch.float32
    assert not torch.equal(make_noise(DIGITS, 3, 8), make_noise(DIGITS, 3, 9))


def test_pairs_lie_side_by_side() -> None:
    x = make_noise(DIGITS, 3, 10)
    contexts, labels = make_pairs(x, LABELS, null_class=10)
    assert labels.tolist() == [3, 10, 1, 10, 4, 10]
    for half in split_pairs(contexts):
        assert torch.equal(half, x)


def test_guidance_extrapolates_from_the_null_class() -> None:
    cond, uncond = torch.tensor([2.0]), torch.tensor([1.0])
    assert [guided(cond, uncond, cfg).item() for cfg in (0.0, 1.0, 1.5)] == [1.0, 2.0, 2.5]


@pytest.mark.parametrize(("cfg", "contexts"), [(1.0, 3), (1.5, 6)])
def test_network_sees_pairs_only_under_guidance(cfg: float, contexts: int) -> None:
    seen = []

    def network(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        seen.append((len(x), t.unique().tolist(), y.tolist()))
        return torch.cat([x, x], dim=1)

    images = sample(network, make_noise(DIGITS, 3, 11), LABELS, Sampler(2), cfg, null_class=10)
    assert images.shape == (3, 1, 8, 8)
    assert [(count, t) for count, t, _ in seen] == [(contexts, [999]), (contexts, [0])]


def test_guidance_without_null_class_is_named() -> None:
    with pytest.raises(UserError, match="cfg is 1.5 but null_class is None: pass the number of classes"):
        sample(lambda x, t, y: x, make_noise(DIGITS, 3, 0), LABELS, Sampler())


def test_label_count_is_checked() -> None:
    with pytest.raises(UserError, match="Labels y number 2 for 3 noise images: give one label per image"):
        sample(lambda x, t, y: x, make_noise(DIGITS, 3, 0), LABELS[:2], Sampler(), cfg=1.0)


@pytest.mark.parametrize("size, channels, frames", [(8, 1, 1), (6, 1, 1), (5, 3, 1), (3, 1, 1), (2, 1, 3), (1, 1, 1)])
def test_noise_of_an_image_is_the_same_however_many_there_are(size, channels, frames):
    """Also where the values of an image do not fill the blocks that torch draws."""
    config = DiTConfig(input_size=size, in_channels=channels, frames=frames, patch_size=1)
    many = make_noise(config, 9, 5)
    assert many.shape == (9, *config.sample_shape) and len(many.flatten().unique()) == many.numel()
    for images in (1, 2, 5, 8):
        assert torch.equal(make_noise(config, images, 5), many[:images])


def test_noise_of_whole_blocks_is_what_torch_draws():
    """Of the shipped models and of latent images."""
    for config in (DIGITS, DiTConfig(input_size=32, in_channels=4, patch_size=2)):
        plain = torch.randn((3, *config.sample_shape), generator=torch.Generator().manual_seed(8))
        assert torch.equal(make_noise(config, 3, 8), plain)


def test_the_first_channels_alone_are_guided() -> None:
    """As `forward_with_cfg` of the official DiT: three of four; the fourth is that of the label."""
    generator = torch.Generator().manual_seed(2)
    cond, uncond = torch.randn(2, 2, 4, 3, 3, generator=generator)
    found = guided(cond, uncond, 4.0, channels=3)
    assert torch.equal(found[:, :3], guided(cond, uncond, 4.0)[:, :3]) and torch.equal(found[:, 3:], cond[:, 3:])

    def network(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        return torch.tanh(x + 0.1 * y.reshape(-1, 1, 1, 1))

    latent = DiTConfig(input_size=8, in_channels=4, hidden_size=16, num_heads=2)
    noise = make_noise(latent, 3, 1)
    all_, three, alone = (
        sample(network, noise, LABELS, Sampler(3), cfg, 10, channels)
        for cfg, channels in ((4, None), (4, 3), (1, None))
    )
    assert torch.equal(all_[:, :3], three[:, :3]) and torch.equal(three[:, 3:], alone[:, 3:])


@pytest.mark.parametrize("channels", [0, 5])
def test_more_guided_channels_than_there_are(channels: int) -> None:
    latent = DiTConfig(input_size=8, in_channels=4, hidden_size=16, num_heads=2)
    with pytest.raises(UserError, match=f"--guided-channels is {channels}: give 1 to 4, the model's channels"):
        check_guidance(latent, 4.0, channels)
