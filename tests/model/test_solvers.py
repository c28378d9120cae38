"""Solvers of diffusers behind the sampler: equal to the library's own pipeline, and all on the way to one image."""

from __future__ import annotations

import zlib
from types import SimpleNamespace

import diffusers
import pytest
import torch
from diffusers.pipelines.dit import pipeline_dit
from torch import Tensor, nn

from radit.model.dit.config import DiTConfig
from radit.model.dit.sampler import Sampler, guided, make_noise, predict_noise, sample
from radit.model.dit.sampler_names import (
    DDIM,
    HEUN,
    LOG_SNR,
    QUADRATIC,
    SOLVERS,
    SPACINGS,
    SWEPT_SOLVERS,
    SWEPT_SPACINGS,
    UNIFORM,
)
from radit.model.dit.schedule import DIFFUSION_STEPS, alpha_bars, spaced
from radit.model.dit.seeded import seeded_dit
from radit.model.dit.transformer import DiT
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate
from radit.model.integer.generate import generate
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.policy.skip_policy import dense

LATENT = DiTConfig(input_size=4, in_channels=4, hidden_size=16, depth=1, num_heads=2, mlp_ratio=1.0, num_classes=1000)
PIXELS = LATENT.model_copy(update={"in_channels": 1, "num_classes": 3})
LABELS = torch.tensor([0, 2, 1])
CFG = 1.5
SCHEDULERS = {
    "dpmpp-2m": (diffusers.DPMSolverMultistepScheduler, {"solver_order": 2}),
    "dpmpp-3m": (diffusers.DPMSolverMultistepScheduler, {"solver_order": 3}),
    "unipc": (diffusers.UniPCMultistepScheduler, {"solver_order": 2}),
    "euler": (diffusers.EulerDiscreteScheduler, {}),
    HEUN: (diffusers.HeunDiscreteScheduler, {}),
}
TOLERANCE = dict.fromkeys(SCHEDULERS, 1e-5) | {"euler": 1e-4, HEUN: 1e-4}  # float32 x up to 157 times as large


class Bounded(nn.Module):
    """A network whose clean images lie in -1 .. 1, as those of a trained one do."""

    def __init__(self, dit: DiT) -> None:
        super().__init__()
        self.dit, self.config = dit, dit.config

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        bar = alpha_bars()[t.long()].reshape(-1, 1, 1, 1)
        clean = torch.tanh(self.dit(x, t, y)[:, : self.config.in_channels].double())
        return ((x.double() - bar.sqrt() * clean) / (1 - bar).sqrt()).float()


@pytest.fixture(scope="module")
def latent() -> Bounded:
    return Bounded(seeded_dit(LATENT, 3))


@pytest.fixture(scope="module")
def pixels() -> DiT:
    return seeded_dit(PIXELS, 4)


class Transformer(nn.Module):
    """Our network as the library's pipeline calls one."""

    def __init__(self, network: Bounded) -> None:
        super().__init__()
        self.network, channels = network, network.config.in_channels
        self.config = SimpleNamespace(sample_size=4, in_channels=channels, out_channels=channels)
        self.dtype, self.device = torch.float32, torch.device("cpu")

    def forward(self, x: Tensor, timestep: Tensor, class_labels: Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=self.network(x, timestep, class_labels))


class Decoder(nn.Module):
    """Keeps what it is given: the pipeline clamps what it returns."""

    config, device = SimpleNamespace(scaling_factor=1.0), torch.device("cpu")

    def decode(self, x: Tensor) -> SimpleNamespace:
        self.latents = x
        return SimpleNamespace(sample=x)


def library_scheduler(solver: str, steps: int) -> diffusers.SchedulerMixin:
    """With the library's own timesteps, where they do not end at 0 as those of Euler and Heun do."""
    kind, options = SCHEDULERS[solver]
    scheduler = kind(num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear", **options)
    if solver in ("euler", HEUN):
        scheduler.set_timesteps(timesteps=spaced(UNIFORM, steps // 2 + 1 if solver == HEUN else steps))
    return scheduler


def of_the_pipeline(network: Bounded, solver: str, steps: int, noise: Tensor, patch: pytest.MonkeyPatch) -> Tensor:
    """What diffusers' DiT pipeline makes of the noise."""
    decoder = Decoder()
    pipeline = diffusers.DiTPipeline(Transformer(network), decoder, library_scheduler(solver, steps))
    pipeline.set_progress_bar_config(disable=True)
    patch.setattr(pipeline_dit, "randn_tensor", lambda **shape: noise)
    pipeline(LABELS.tolist(), guidance_scale=CFG, num_inference_steps=steps, output_type="pt")
    return decoder.latents


def of_the_scheduler(network: Bounded, solver: str, steps: int, noise: Tensor) -> Tensor:
    """The loop that the library documents for schedulers whose x grows; its DiT pipeline forgets the growth."""
    scheduler = library_scheduler(solver, steps)
    x = noise * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        eps = predict_noise(network, scheduler.scale_model_input(x, t), int(t), LABELS, CFG, LATENT.num_classes)
        x = scheduler.step(eps, t, x).prev_sample
    return x


@pytest.mark.parametrize("steps", [1, 2, 7, 15])
@pytest.mark.parametrize("solver", SCHEDULERS)
def test_as_the_library_does(solver: str, steps: int, latent: Bounded, monkeypatch: pytest.MonkeyPatch) -> None:
    if solver == HEUN:
        steps |= 1
    noise = torch.randn(3, 4, 4, 4, generator=torch.Generator().manual_seed(7))
    ours = sample(latent, noise, LABELS, Sampler(steps, solver=solver), CFG)
    if solver in ("euler", HEUN):
        wanted = of_the_scheduler(latent, solver, steps, noise)
    else:
        wanted = of_the_pipeline(latent, solver, steps, noise, monkeypatch)
    assert (ours - wanted).abs().max() < TOLERANCE[solver]


@pytest.mark.parametrize("spacing", SPACINGS)
def test_euler_is_ddim(spacing: str, latent: Bounded) -> None:
    """Where the timesteps are the same; DDIM's even ones end at 0."""
    noise = make_noise(LATENT, 3, 1)
    one, two = (
        sample(latent, noise, LABELS, Sampler(9, solver=solver, spacing=spacing), CFG) for solver in ("ddim", "euler")
    )
    if spacing == UNIFORM:
        assert not torch.allclose(one, two, atol=1e-3)
    else:
        torch.testing.assert_close(one, two, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("solver", SWEPT_SOLVERS)
def test_all_converge_to_one_image(solver: str, pixels: DiT) -> None:
    """More evaluations come closer to the solution of many, which is the same for all, clipped pixels included."""
    noise = make_noise(PIXELS, 3, 2)
    wanted = sample(pixels, noise, LABELS, Sampler(200, solver="dpmpp-2m", spacing=QUADRATIC), CFG)
    errors = [
        float((sample(pixels, noise, LABELS, Sampler(steps, None, solver, QUADRATIC), CFG) - wanted).square().mean())
        for steps in (7, 21, 63)
    ]
    assert errors[0] > errors[1] > errors[2] and errors[2] < errors[0] / 10
    assert wanted.abs().max() <= 1


@pytest.mark.parametrize("count", [1, 2, 3, 12, 50, 200, 1000])
@pytest.mark.parametrize("spacing", SWEPT_SPACINGS)
def test_timesteps_descend(spacing: str, count: int) -> None:
    found = spaced(spacing, count)
    assert len(found) == count and found[0] == DIFFUSION_STEPS - 1 and found[-1] >= 0
    assert all(earlier > later for earlier, later in zip(found, found[1:], strict=False))


@pytest.mark.parametrize("count", [2, 8, 10, 25, 50, 100, 250, 1000])
def test_leading_is_the_librarys(count: int) -> None:
    """Where 1000 is a multiple of the number; the official program takes other numbers too."""
    scheduler = diffusers.DDIMScheduler(timestep_spacing="leading")
    scheduler.set_timesteps(count)
    assert Sampler(count, spacing="leading").timesteps == scheduler.timesteps.tolist()


@pytest.mark.parametrize(("count", "first"), [(2, 500), (30, 986), (11, 910)])
def test_leading_has_the_smallest_stride_of_the_official_program(count: int, first: int) -> None:
    found = Sampler(count, spacing="leading").timesteps
    assert (len(found), found[0], found[-1]) == (count, first, 0)
    assert len({earlier - later for earlier, later in zip(found, found[1:], strict=False)}) == 1


@pytest.mark.parametrize(("solver", "count", "near"), [("ddim", 600, 500), ("ddim", 1, 2), ("heun", 951, 667)])
def test_a_number_that_no_stride_gives(solver: str, count: int, near: int) -> None:
    with pytest.raises(UserError, match=f"--steps is {count}: spacing leading has a whole stride .* give {near}"):
        Sampler(count, solver=solver, spacing="leading")


def test_spacings_are_what_they_say() -> None:
    bars = alpha_bars()
    assert spaced(UNIFORM, 4) == [999, 749, 500, 250]
    assert spaced(QUADRATIC, 4) == [999, 562, 250, 62]
    steps = torch.log(bars / (1 - bars))[spaced(LOG_SNR, 8)].diff()
    assert steps.max() / steps.min() < 1.1


def test_heuns_timesteps_come_twice_but_for_the_first() -> None:
    sampler = Sampler(5, solver=HEUN)
    assert sampler.timesteps == [999, 666, 666, 333, 333]
    assert Sampler(5, 2, HEUN).timesteps == [999, 666]
    with pytest.raises(UserError, match="--steps is 6: heun .* give an odd number such as 5"):
        Sampler(6, solver=HEUN)


@pytest.mark.parametrize("solver", SOLVERS)
def test_images_do_not_depend_on_the_batch(solver: str, pixels: DiT) -> None:
    """The solver's part: bit for bit."""
    x, eps = make_noise(PIXELS, 3, 5), make_noise(PIXELS, 15, 6).reshape(5, 3, 1, 4, 4)
    whole, alone = (Sampler(5, solver=solver).start() for _ in range(2))
    one = x[1:2]
    for index in range(5):
        x, one = whole.step(x, eps[index], index), alone.step(one, eps[index, 1:2], index)
        assert torch.equal(x[1:2], one) and x.dtype == torch.float32


def test_a_solver_that_remembers_takes_its_timesteps_in_turn() -> None:
    walk = Sampler(4, solver="unipc").start()
    x = torch.zeros(1, 1, 4, 4)
    walk.step(x, x, 0)
    with pytest.raises(UserError, match="step index is 2: unipc remembers .* the next is 1"):
        walk.step(x, x, 2)


def test_the_first_timesteps_are_those_of_the_whole_way() -> None:
    whole, part = Sampler(8, None, "dpmpp-3m", LOG_SNR), Sampler(8, 3, "dpmpp-3m", LOG_SNR)
    assert part.timesteps == whole.timesteps[:3]
    x, eps = make_noise(PIXELS, 2, 7), make_noise(PIXELS, 2, 8)
    for walks in [(whole.start(), part.start())]:
        for index in range(3):
            assert torch.equal(*(walk.step(x, eps, index) for walk in walks))


@pytest.mark.parametrize(("field", "value"), [("solver", "plms"), ("solver", ""), ("spacing", "karras")])
def test_unknown_names_are_refused(field: str, value: str) -> None:
    option = {"solver": "--sampler", "spacing": "--spacing"}[field]
    with pytest.raises(UserError, match=f"{option} is '{value}': choose {DDIM if field == 'solver' else UNIFORM} or"):
        Sampler(**{field: value})


@pytest.mark.parametrize("learned", [True, False])
@torch.no_grad()
def test_ddpm_is_the_librarys(learned: bool) -> None:
    """A learned variance, or beta; the noise is that of a generator whose seed is the starting noise's checksum.

    The library's schedule is float32, as for Euler and Heun.
    """
    config = LATENT.model_copy(update={"learn_sigma": learned})
    network, noise, y = seeded_dit(config, 3), make_noise(config, 1, 4), torch.tensor([2])
    kind = "learned_range" if learned else "fixed_large"
    scheduler = diffusers.DDPMScheduler(variance_type=kind, timestep_spacing="leading", clip_sample=False)
    scheduler.set_timesteps(10)
    generator, x = torch.Generator().manual_seed(zlib.crc32(noise.numpy().tobytes())), noise
    for t in scheduler.timesteps:
        found = network(torch.cat([x, x]), t.expand(2), torch.tensor([2, config.null_class]))
        eps = guided(found[:1, :4], found[1:, :4], CFG)
        x = scheduler.step(torch.cat([eps, found[:1, 4:]], 1), t, x, generator=generator).prev_sample
    ours = sample(network, noise, y, Sampler(10, solver="ddpm", spacing="leading"), CFG)
    assert float((ours - x).abs().max() / x.abs().max()) < 1e-4


def test_ddpm_in_integers_uses_the_learned_variance() -> None:
    config = DiTConfig(input_size=4, in_channels=4, hidden_size=32, depth=2, num_heads=2, num_classes=3,
                       learn_sigma=True)  # fmt: skip
    dit, sampler, y = seeded_dit(config, 3), Sampler(6, solver="ddpm"), torch.tensor([1, 2])
    noise = make_noise(config, 2, 1)
    integer = quantize(dit, calibrate(dit, sampler, images=2), sampler)
    reference = Reference(integer, dense().tables(integer))
    images, _ = generate(reference, dit, y, noise)
    alone, _ = generate(reference, dit, y[1:], noise[1:])
    assert torch.equal(images[1:], alone), "an image's noise depends on its batch"
    wanted = sample(dit, noise, y, sampler)
    unlearned = sample(lambda *inputs: dit(*inputs)[:, :4], noise, y, sampler, null_class=config.null_class)
    assert float((images - wanted).norm()) < float((images - unlearned).norm()) / 3
    assert sampler.timesteps[0] == 999 and sampler.timesteps[-1] == 0 and len(sampler.timesteps) == 6


def test_ddpm_takes_its_timesteps_in_turn() -> None:
    walk = Sampler(4, solver="ddpm").start()
    x = torch.zeros(1, 1, 4, 4)
    walk.step(x, x, 0)
    with pytest.raises(UserError, match="step index is 2: ddpm draws noise .* the next is 1"):
        walk.step(x, x, 2)
