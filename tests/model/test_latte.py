"""Latte as published: the frame embedding after the first spatial block, once; equal to the library's module in float,
and to the golden operations in integers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, LatteTransformer3DModel
from safetensors.torch import save_file
from torch import Tensor

from radit.cli import main
from radit.model.detectors.sensitivity import gradients
from radit.model.dit.checkpoint import load_config, load_model, prompted
from radit.model.dit.config import DiTConfig
from radit.model.dit.sampler import Sampler, guided, predict_noise
from radit.model.dit.seeded import seeded_dit
from radit.model.dit.transformer import DiT, first_blocks, with_prompts
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate, observe
from radit.model.integer.generate import Host, to_float
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference, StageCapture
from radit.model.ops.residual import residual_add
from radit.model.policy.skip_policy import Policy, dense, forecast
from radit.model.text.prompts import prompts_of

FRAMES, TOKENS, CHANNELS, CLOSE = 4, 6, 20, 1e-5
LENGTHS = (TOKENS, 1, 3)
SAID = f":prediction=noise:samples=latents:context_tokens={TOKENS}"
SIZES: dict[str, Any] = {
    "num_attention_heads": 2, "attention_head_dim": 12, "in_channels": 4, "out_channels": 8, "num_layers": 2,
    "cross_attention_dim": 24, "sample_size": 8, "patch_size": 2, "caption_channels": CHANNELS,
    "norm_type": "ada_norm_single", "norm_elementwise_affine": False, "norm_eps": 1e-6,
    "activation_fn": "gelu-approximate", "video_length": FRAMES, "attention_bias": True,
}  # fmt: skip
CONFIG = DiTConfig(
    input_size=8, patch_size=2, in_channels=4, hidden_size=16, depth=4, num_heads=2, num_classes=3, frames=FRAMES,
    frame_embedding="first-block",
)  # fmt: skip
PLACE = 2  # number of the first temporal attention


def library_model(**more: Any) -> LatteTransformer3DModel:
    torch.manual_seed(5)
    return LatteTransformer3DModel(**(SIZES | more)).eval()


def embedded(*lengths: int, seed: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(length, CHANNELS, generator=generator) for length in lengths]


@torch.no_grad()
def library_output(library: LatteTransformer3DModel, x: Tensor, t: Tensor, rows: list[Tensor]) -> Tensor:
    """Clip by clip, without a mask: the library pads nothing."""
    each = [
        library(clip[None].transpose(1, 2), timestep=step[None], encoder_hidden_states=row[None]).sample
        for clip, step, row in zip(x, t, rows, strict=True)
    ]
    return torch.cat(each).transpose(1, 2)


@torch.no_grad()
def difference(library: LatteTransformer3DModel, ours: DiT) -> float:
    """Largest difference of all output channels, variance included, relative to the largest output."""
    side, rows = ours.config.input_size, embedded(*LENGTHS)
    x = torch.randn(len(rows), FRAMES, 4, side, side, generator=torch.Generator().manual_seed(3))
    t = torch.tensor([999, 500, 3])
    wanted = library_output(library, x, t, rows)
    found = with_prompts(ours, prompts_of(rows, None, TOKENS))(x, t, torch.arange(len(rows)))
    return float((found - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, {}),
        ({"attention_bias": False}, {}),
        ({"out_channels": 4}, {"learn_sigma": False}),
        ({"out_channels": None, "num_layers": 1}, {"learn_sigma": False, "depth": 2}),
        ({"sample_size": 128, "patch_size": 16}, {"position_scale": 2.0}),
    ],
    ids=str,
)
def test_a_transformer_folder_computes_what_the_library_does(more, told, tmp_path: Path) -> None:
    library_model(**more).save_pretrained(tmp_path)
    ours = load_model(f"{tmp_path}{SAID}")
    assert difference(library_model(**more), ours) < CLOSE
    usual = {"depth": 4, "learn_sigma": True, "position_scale": 1.0, "cross_attention": "even", "frames": FRAMES}
    assert {name: getattr(ours.config, name) for name in usual} == usual | told
    assert load_config(f"{tmp_path}{SAID}") == ours.config and ours.config.frames_before == 3
    assert ours.config.kinds[:5] == ("attention", "cross", "mlp", "attention", "mlp")


WRONG: dict[str, Callable[[DiT], DiT]] = {
    "twice": lambda dit: with_frames(dit, 2.0),
    "missing": lambda dit: with_frames(dit, 0.0),
    "at the input": lambda dit: as_config(dit, frame_embedding="input"),
}


def with_frames(dit: DiT, times: float) -> DiT:
    """The same with another frame embedding."""
    other = as_config(dit)
    other.temp_embed.data *= times
    return other


def as_config(dit: DiT, **fields: Any) -> DiT:
    other = DiT(dit.config.model_copy(update=fields)).eval().requires_grad_(False)
    other.load_state_dict({name: value.clone() for name, value in dit.state_dict().items()})
    other.prompts = dit.prompts
    return other


@pytest.mark.parametrize("fault", WRONG)
def test_an_embedding_out_of_place_shows(fault: str, tmp_path: Path) -> None:
    library = library_model()
    library.save_pretrained(tmp_path)
    ours = load_model(f"{tmp_path}{SAID}")
    assert difference(library, as_config(ours)) < CLOSE < 1000 * CLOSE < difference(library, WRONG[fault](ours))


def test_a_pipeline_folder_tells_everything_and_guides(tmp_path: Path) -> None:
    library = library_model()
    library.save_pretrained(tmp_path / "transformer")
    DDIMScheduler(beta_start=1e-4, beta_end=0.02, beta_schedule="linear").save_pretrained(tmp_path / "scheduler")
    parts = {"_class_name": "LattePipeline", "vae": ["diffusers", "AutoencoderKL"]}
    parts["transformer"] = ["diffusers", "LatteTransformer3DModel"]
    (tmp_path / "model_index.json").write_text(json.dumps(parts))  # as save_pretrained of the pipeline writes it
    ours = load_model(tmp_path)
    assert ours.config.context_tokens == 120 and not ours.config.has_pixels
    (prompt,), (negative,) = embedded(4), embedded(4, seed=5)
    save_file({"prompt_embeds": prompt, "negative_prompt_embeds": negative}, tmp_path / "sea.safetensors")
    ours = prompted(ours, str(tmp_path / "sea.safetensors"))
    x = torch.randn(1, FRAMES, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    both = library_output(library, x.repeat(2, 1, 1, 1, 1), torch.full((2,), 500), [prompt, negative])[:, :, :4]
    with torch.no_grad():
        found = predict_noise(ours, x, 500, torch.tensor([0]), 7.5, ours.config.null_class)
    wanted = guided(both[:1], both[1:], 7.5)
    assert float((found - wanted).abs().max() / wanted.abs().max()) < CLOSE


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"norm_eps": 1e-5}, "has norm_eps 1e-05, and 1e-06 is computed here"),
        ({"cross_attention_dim": None}, "has cross_attention_dim None, and 24 is computed here"),
        ({"activation_fn": "geglu"}, "activation_fn 'geglu', and gelu-approximate is computed here"),
        ({"out_channels": 5}, "out_channels 5, and 4 or 8 is computed here"),
        ({"video_length": 1}, "has video_length 1, and clips have two frames or more"),
        ({"norm_elementwise_affine": True}, "norm_elementwise_affine True"),
    ],
)
def test_folders_of_other_settings_are_refused(more, words, tmp_path: Path) -> None:
    library_model(**more).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=words) as caught:
        load_config(f"{tmp_path}{SAID}")
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)


def test_what_a_folder_does_not_tell_is_asked_for(tmp_path: Path) -> None:
    library_model().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="tells prediction, samples, context_tokens.*FILE:.*context_tokens=NUMBER"):
        load_config(tmp_path)
    with pytest.raises(UserError, match="frame_embedding is input, but .* has first-block: leave it out"):
        load_config(f"{tmp_path}{SAID}:frame_embedding=input")
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"caption_channels": None}))
    with pytest.raises(UserError, match="has no caption_channels"):
        load_config(f"{tmp_path}{SAID}")
    with pytest.raises(UserError, match="has the names of diffusers: pass the folder"):
        load_config(tmp_path / "diffusion_pytorch_model.safetensors")


def published(folder: Path) -> str:
    path = folder / "latte.safetensors"
    save_file({name: value.contiguous() for name, value in seeded_dit(CONFIG).state_dict().items()}, path)
    return f"{path}:num_heads=2:num_classes=3:prediction=noise:samples=latents:attention=alternating"


def test_a_published_file_says_where_it_adds_frames(tmp_path: Path) -> None:
    name = published(tmp_path)
    dit = load_model(f"{name}:frame_embedding=first-block")
    assert dit.config == CONFIG and first_blocks(dit, 1).config.frames_before == PLACE
    with pytest.raises(UserError, match="frame_embedding, and neither do its shapes"):
        load_model(name)
    at_input = load_model(f"{name}:frame_embedding=input")
    assert at_input.config.frames_before is None and quantized(at_input).frame_offsets.shape == (0, 16)


def test_commands_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Or say in one sentence why an array does not; the RTL: tests/system/test_latte.py."""
    monkeypatch.chdir(tmp_path)
    command = ["project", "--model", f"{published(tmp_path)}:frame_embedding=first-block", "--array"]
    assert main([*command, "8x8"]) == 0
    capsys.readouterr()
    assert main([*command, "32x32"]) == 2
    said = capsys.readouterr().err
    assert "group keys of the even blocks is 16 on 32 lanes" in said or "frames is 4 of 16 tokens each" in said
    assert said.count("\n") == 1


def quantized(dit: DiT) -> IntegerDiT:
    return quantize(dit, calibrate(dit, Sampler(2), images=1), Sampler(2))


def run(integer: IntegerDiT, policy: Policy, x: Tensor | None = None) -> tuple[Tensor, list[StageCapture], Tensor]:
    """x of the first timestep of one clip, its captures, and the next x."""
    host = Host(integer.dit, integer, torch.tensor([1]), torch.randn(1, *CONFIG.sample_shape), 1.5, CONFIG.tokens)
    reference, captures = Reference(integer, policy.tables(integer)), []
    reference.start(1)
    x = host.enter() if x is None else x
    found, _ = reference.step(x, 0, host.tables, captures)
    gates = host.tables.gate[:, :, 0]
    for s, capture in enumerate(captures):  # what the golden operation makes of each sub-block's stream and branch
        offset = integer.frame_offsets.repeat_interleave(CONFIG.frame_tokens, 0) if s + 1 == PLACE else 0
        shift = int(integer.header["gate_shift"][0, s])
        wanted = residual_add(capture.x.long(), capture.branch.long(), gates[:, :, s].unsqueeze(2), shift, offset)
        after = captures[s + 1].x if s + 1 < len(captures) else found
        assert torch.equal(after.long(), wanted), s
    return x, captures, found


@pytest.mark.parametrize("blocks", [1, 4])
def test_integers_are_the_golden_operations(blocks: int) -> None:
    """Ordinary streams, and streams at both limits, which saturate."""
    integer = quantized(first_blocks(seeded_dit(CONFIG), blocks))
    assert integer.frame_offsets.abs().max() == 2**integer.x_frac  # cosine of 0
    x, *_ = run(integer, dense())
    _, captures, found = run(integer, dense(), torch.where(x > 0, 32767, -32768).to(x.dtype))
    reached = captures[PLACE].x if blocks > 1 else found
    assert (reached == 32767).any() and (reached == -32768).any()


def test_the_integer_stream_is_that_of_the_float_model() -> None:
    """Behind the first block; with the embedding left out, or twice, it is far off."""
    dit = seeded_dit(CONFIG)
    integer = quantized(dit)
    x, captures, _ = run(integer, dense())
    c = dit.conditioning(torch.full((2,), integer.timesteps[0]), torch.tensor([1, dit.config.null_class]))
    tokens, modulation = to_float(x[0], integer.x_frac, CONFIG.tokens), dit.block_modulation(c)
    behind = {
        name: as_config(first_blocks(made, 1)).run_blocks(tokens, modulation)
        for name, made in [("right", dit), *((name, change(dit)) for name, change in WRONG.items())]
    }
    found = to_float(captures[PLACE].x[0], integer.x_frac, CONFIG.tokens)
    apart = {name: float((found - value).norm() / value.norm()) for name, value in behind.items()}
    assert apart.pop("right") < 0.02 and min(apart.values()) > 0.2


def test_ranges_and_sensitivities_see_it() -> None:
    """The walks over the float model's sub-blocks end where its blocks do."""
    dit = seeded_dit(CONFIG)
    x, t, y = torch.randn(2, *CONFIG.sample_shape), torch.tensor([3, 900]), torch.tensor([0, 1])
    c = dit.conditioning(t, y)
    ended, ranges = observe(dit, dit.embed(x), dit.block_modulation(c))
    assert torch.allclose(ended, dit.run_blocks(dit.embed(x), dit.block_modulation(c)), atol=1e-5)
    large = with_frames(dit, 100.0)
    assert observe(large, large.embed(x), large.block_modulation(c))[1]["x"] > 50.0 > ranges["x"]
    here, there = (gradients(made, x, t, y, seed=0) for made in (dit, with_frames(dit, 0.0)))
    assert not torch.allclose(here[PLACE], there[PLACE], rtol=0.01)


def test_what_lets_x_pass_gets_no_embedding() -> None:
    """Under stream scope a context that reuses passes through all sub-blocks as it is."""
    integer = quantized(seeded_dit(CONFIG))
    host = Host(integer.dit, integer, torch.tensor([1]), torch.randn(1, *CONFIG.sample_shape), 1.5, CONFIG.tokens)
    tables = forecast().tables(integer)
    follow, plan = torch.ones_like(tables.follow), torch.tensor([[True, True], [True, False]])
    force = torch.zeros_like(tables.force)
    reference = Reference(integer, replace(tables, follow=follow, plan=plan, force=force))
    reference.start(1)
    reference.step(host.enter(), 0, host.tables)
    moved = host.enter()
    captures: list[StageCapture] = []
    reference.step(moved, 1, host.tables, captures)
    assert captures[0].computed.tolist() == [[True, False]]
    assert torch.equal(captures[-1].x[:, 1].long(), moved[:, 1].long())
    assert not torch.equal(captures[PLACE].x[:, 0], captures[PLACE - 1].x[:, 0])
