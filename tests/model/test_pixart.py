"""PixArt: what the library's own module computes, the official names, the named models, and prompts in files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, PixArtTransformer2DModel
from safetensors.torch import save_file
from torch import Tensor

from radit.model.dit.checkpoint import load_config, load_model, prompted, save_checkpoint
from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.dit.sampler import Sampler, guided, make_noise, predict_noise, sample
from radit.model.dit.seeded import seeded_dit
from radit.model.dit.transformer import DiT, with_prompts
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate
from radit.model.integer.generate import generate
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.policy.skip_policy import dense
from radit.model.text.prompts import prompts_of, seeded_prompts

SIZES: dict[str, Any] = {
    "num_attention_heads": 2, "attention_head_dim": 12, "in_channels": 4, "out_channels": 8, "num_layers": 2,
    "cross_attention_dim": 24, "sample_size": 8, "patch_size": 2, "caption_channels": 20,
}  # fmt: skip
TOKENS, CHANNELS = 6, SIZES["caption_channels"]
SAID = f":prediction=noise:samples=latents:context_tokens={TOKENS}"
LENGTHS = (TOKENS, 1, 3, 4)
CLOSE = 1e-5  # relative to the largest value of the output
SMALL = DiTConfig(
    input_size=4, hidden_size=24, depth=2, num_heads=2, in_channels=4, patch_size=2, context_tokens=TOKENS,
    context_dim=CHANNELS, adaln="single", null_prompt=True, size_conditioning=True,
)  # fmt: skip


def library_model(**more: Any) -> PixArtTransformer2DModel:
    torch.manual_seed(7)
    return PixArtTransformer2DModel(**(SIZES | more)).eval()


def embedded(*lengths: int, seed: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(length, CHANNELS, generator=generator) for length in lengths]


@torch.no_grad()
def library_output(library: PixArtTransformer2DModel, x: Tensor, t: Tensor, rows: list[Tensor]) -> Tensor:
    """What the library makes of prompts that are padded with anything, and masked."""
    mask = (torch.arange(TOKENS) < torch.tensor([len(row) for row in rows]).unsqueeze(1)).float()
    padded = torch.stack([torch.cat([row, torch.full((TOKENS - len(row), CHANNELS), 3.0)]) for row in rows])
    side = 8.0 * x.shape[-1]
    sizes = {"resolution": torch.full((len(x), 2), side), "aspect_ratio": torch.ones(len(x), 1)}
    added = sizes if library.use_additional_conditions else dict.fromkeys(sizes)
    found: Tensor = library(
        x, encoder_hidden_states=padded, timestep=t, added_cond_kwargs=added, encoder_attention_mask=mask
    ).sample
    return found


def difference(library: PixArtTransformer2DModel, ours: DiT) -> float:
    """Largest difference of all output channels, variance included, relative to the largest output."""
    side, rows = ours.config.input_size, embedded(*LENGTHS)
    x = torch.randn(4, 4, side, side, generator=torch.Generator().manual_seed(3))
    t = torch.tensor([999, 500, 3, 0])
    wanted = library_output(library, x, t, rows)
    found = with_prompts(ours, prompts_of(rows, None, TOKENS))(x, t, torch.arange(4))
    return float((found - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, {}),
        ({"use_additional_conditions": True}, {"size_conditioning": True}),
        ({"sample_size": 128, "patch_size": 16}, {"size_conditioning": True, "position_scale": 2.0}),
        ({"interpolation_scale": 0.5}, {"position_scale": 0.5}),
        ({"attention_bias": False}, {}),
        ({"out_channels": 4}, {"learn_sigma": False}),
    ],
    ids=str,
)
def test_a_transformer_folder_computes_what_the_library_does(more, told, tmp_path: Path) -> None:
    library_model(**more).save_pretrained(tmp_path)
    ours = load_model(f"{tmp_path}{SAID}")
    assert difference(library_model(**more), ours) < CLOSE
    usual = {"size_conditioning": False, "position_scale": 1.0, "learn_sigma": True}
    assert {name: getattr(ours.config, name) for name in usual} == usual | told
    assert load_config(f"{tmp_path}{SAID}") == ours.config and not ours.config.null_prompt


def test_shards_and_the_older_class(tmp_path: Path) -> None:
    library = library_model()
    library.save_pretrained(tmp_path, max_shard_size="20KB")
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"_class_name": "Transformer2DModel"}))
    assert len(list(tmp_path.glob("*-of-*"))) > 2 and difference(library, load_model(f"{tmp_path}{SAID}")) < CLOSE


def test_a_pipeline_folder_tells_everything_and_guides(tmp_path: Path) -> None:
    library = library_model()
    library.save_pretrained(tmp_path / "transformer")
    scheduler = DPMSolverMultistepScheduler(beta_start=1e-4, beta_end=0.02, beta_schedule="linear")
    scheduler.save_pretrained(tmp_path / "scheduler")
    parts = {"_class_name": "PixArtAlphaPipeline", "vae": ["diffusers", "AutoencoderKL"]}
    parts["transformer"] = ["diffusers", "PixArtTransformer2DModel"]
    (tmp_path / "model_index.json").write_text(json.dumps(parts))  # as save_pretrained of the pipeline writes it
    ours = load_model(tmp_path)
    assert ours.config.context_tokens == 120 and not ours.config.has_pixels
    (prompt,), (negative,) = embedded(4), embedded(2, seed=5)
    save_file({"embeddings": prompt, "negative": negative}, tmp_path / "cat.safetensors")
    ours = prompted(ours, str(tmp_path / "cat.safetensors"))
    assert ours.prompts is not None and ours.prompts.names == ("cat",) and ours.config.num_classes == 1
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    both = library_output(library, x.repeat(2, 1, 1, 1), torch.full((2,), 500), [prompt, negative])[:, :4]
    with torch.no_grad():
        found = predict_noise(ours, x, 500, torch.tensor([0]), 4.5, ours.config.null_class)
    wanted = guided(both[:1], both[1:], 4.5)
    assert float((found - wanted).abs().max() / wanted.abs().max()) < CLOSE


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"norm_eps": 1e-5}, "has norm_eps 1e-05, and 1e-06 is computed here"),
        ({"caption_channels": None}, "has no caption_channels"),
        ({"activation_fn": "geglu"}, "activation_fn 'geglu'"),
        ({"cross_attention_dim": 32}, "has cross_attention_dim 32, and 24 is computed here"),
    ],
)
def test_folders_of_other_settings_are_refused(more, words, tmp_path: Path) -> None:
    library_model(**more).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=words):
        load_config(f"{tmp_path}{SAID}")


def test_the_number_of_tokens_is_asked_for(tmp_path: Path) -> None:
    library_model().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="tells prediction, samples, context_tokens.*FILE:.*context_tokens=NUMBER"):
        load_config(tmp_path)
    with pytest.raises(UserError, match="model setting num_heads is 4, but .* has 2"):
        load_config(f"{tmp_path}{SAID}:num_heads=4")
    with pytest.raises(UserError, match="model setting num_classes is for models with labels"):
        load_config(f"{tmp_path}{SAID}:num_classes=3")
    torch.save(seeded_dit().state_dict(), tmp_path / "plain.pt")
    said = ":num_heads=2:num_classes=3:prediction=noise:samples=pixels:context_tokens=9"
    with pytest.raises(UserError, match="context_tokens is for models with text"):
        load_config(f"{tmp_path / 'plain.pt'}{said}")


@pytest.mark.parametrize("has_null", [True, False])
def test_official_files(has_null: bool, tmp_path: Path) -> None:
    """The names of PixArt's own program, wrapped as its training leaves them."""
    config = SMALL.model_copy(update={"null_prompt": has_null})
    dit, path = seeded_dit(config), tmp_path / "PixArt.pth"
    torch.save({"state_dict": {f"module.{name}": value for name, value in dit.state_dict().items()}}, path)
    said = "" if has_null else f":context_tokens={TOKENS}"
    ours = load_model(f"{path}:num_heads=2:prediction=noise:samples=latents{said}")
    assert ours.config.null_prompt == has_null and ours.config.size_conditioning and ours.prompts is None
    assert ours.config.has_null_class == has_null
    prompts = seeded_prompts(TOKENS, CHANNELS, 3)
    x, t, y = make_noise(config, 3, 0), torch.tensor([4, 50, 900]), torch.tensor([0, 2, -1])
    assert torch.equal(with_prompts(ours, prompts)(x, t, y), with_prompts(dit, prompts)(x, t, y))


def test_a_file_of_our_own_keeps_its_config(tmp_path: Path) -> None:
    path, dit = tmp_path / "own.safetensors", seeded_dit(SMALL.model_copy(update={"input_columns": 8}))
    save_checkpoint(path, dit)
    assert load_config(path).model_dump() == dit.config.model_dump() and load_config(path).sample_shape == (4, 4, 8)


def test_named_models() -> None:
    for pixels in (256, 512, 1024):
        config = load_config(f"pixart-xl-2-{pixels}")
        assert (config.input_size, config.hidden_size, config.depth, config.num_heads) == (pixels // 8, 1152, 28, 16)
        assert (config.context_tokens, config.context_dim, config.learn_sigma) == (120, 4096, True)
        assert config.size_conditioning == (pixels == 1024) == (config.position_scale == 2.0)
        assert config.sub_blocks == 3 * 28 == len(config.sub_block_kinds())
    assert NAMED_MODELS["pixart-xl-2-512"].tokens == 1024


def test_a_seeded_model_draws_prompts_of_a_file(tmp_path: Path) -> None:
    """With the null prompt of its weights, in float and in integers, and prompts of 1 and of the most tokens."""
    paths = []
    for number, prompt in enumerate(embedded(1, TOKENS)):
        paths.append(tmp_path / f"{number}.safetensors")
        save_file({"embeddings": prompt}, paths[-1])
    dit = prompted(seeded_dit(SMALL), ",".join(map(str, paths)))
    assert dit.prompts is not None and dit.prompts.counts.tolist() == [1, TOKENS, TOKENS]
    sampler, y, noise = Sampler(4), torch.arange(2), make_noise(SMALL, 2, 0)
    integer = quantize(dit, calibrate(dit, sampler, images=4), sampler)
    found, _ = generate(Reference(integer, dense().tables(integer)), dit, y, noise)
    wanted = sample(dit, noise, y, sampler)
    assert (found - wanted).norm() / wanted.norm() < 0.1


def written(path: Path, **tensors: Tensor) -> Path:
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    return path


def test_files_of_prompts_in_every_form(tmp_path: Path) -> None:
    (prompt,), dit = embedded(4), seeded_dit(SMALL)
    mask = torch.tensor([[1, 1, 1, 0]])
    np.save(tmp_path / "c.npy", prompt.numpy())
    torch.save({"embeddings": prompt}, tmp_path / "d.pt")
    forms = [
        (written(tmp_path / "a.safetensors", embeddings=prompt.half()), prompt.half().float()),
        (written(tmp_path / "b.safetensors", prompt_embeds=prompt[None], prompt_attention_mask=mask), prompt[:3]),
        (tmp_path / "c.npy", prompt),
        (tmp_path / "d.pt", prompt),
    ]
    found = prompted(dit, ",".join(str(path) for path, _ in forms)).prompts
    assert found is not None and found.names == ("a", "b", "c", "d")
    for row, count, (_, wanted) in zip(found.embeddings, found.counts, forms, strict=False):
        assert torch.equal(row[:count], wanted) and not row[count:].any()


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing.safetensors": (lambda path: None, "Prompt file .*missing.safetensors is not a file"),
    "other.safetensors": (
        lambda path: written(path, weight=torch.ones(2, 2)),
        "holds weight: pass a file with a tensor",
    ),
    "wide.safetensors": (
        lambda path: written(path, embeddings=torch.ones(2, 9)),
        r"embeddings of shape .2, 9.: give it .tokens, 20., as the model takes",
    ),
    "flat.safetensors": (lambda path: written(path, embeddings=torch.ones(20)), r"embeddings of shape .20,."),
    "long.safetensors": (
        lambda path: written(path, embeddings=torch.ones(7, 20)),
        "embeddings of 7 tokens: give 1 to 6, what the model takes",
    ),
    "empty.safetensors": (
        lambda path: written(path, embeddings=torch.ones(0, 20)),
        "embeddings of 0 tokens: give 1 to 6",
    ),
    "nan.safetensors": (
        lambda path: written(path, embeddings=torch.full((2, 20), float("nan"))),
        "Tensor embeddings holds 40 values that are not finite: encode the prompt again",
    ),
    "whole.safetensors": (lambda path: written(path, embeddings=torch.ones(2, 20).long()), "holds torch.int64"),
    "holes.safetensors": (
        lambda path: written(path, embeddings=torch.ones(3, 20), mask=torch.tensor([1, 0, 1])),
        "has mask, which is not 3 numbers, ones before zeros",
    ),
    "negative.safetensors": (
        lambda path: written(path, embeddings=torch.ones(3, 20), negative=torch.ones(9, 20)),
        "has negative of 9 tokens",
    ),
    "cut.safetensors": (lambda path: path.write_bytes(b"\x10"), "Prompt file .* cannot be read"),
    "cut.npy": (lambda path: path.write_bytes(b"\x93NUMPY"), "Prompt file .* cannot be read"),
    "texts.npy": (lambda path: np.save(path, np.array(["a"])), "in the place of floating-point numbers"),
    "objects.npy": (lambda path: np.save(path, np.array([{}]), allow_pickle=True), "cannot be read"),
    "words.txt": (lambda path: path.write_text("a cat"), "unknown extension '.txt'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_of_prompts_are_one_sentence(name: str, tmp_path: Path) -> None:
    make, words = BAD[name]
    make(tmp_path / name)
    with pytest.raises(UserError, match=words) as caught:
        prompted(seeded_dit(SMALL), str(tmp_path / name))
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)


def test_prompts_that_no_model_takes(tmp_path: Path) -> None:
    path = written(tmp_path / "a.safetensors", embeddings=torch.ones(2, 20), negative=torch.ones(1, 20))
    other = written(tmp_path / "b.safetensors", embeddings=torch.ones(2, 20), negative=torch.zeros(1, 20))
    with pytest.raises(UserError, match="but the model has no text"):
        prompted(seeded_dit(), str(path))
    with pytest.raises(UserError, match="b.safetensors has another negative than the one before"):
        prompted(seeded_dit(SMALL), f"{path},{other}")
    with pytest.raises(UserError, match="Prompts needs .* of memory.*give fewer of them"):
        prompts_of([torch.ones(2, 20)], None, 2**40)
    with pytest.raises(UserError, match="--prompt is .*: give a file of embeddings, or several separated by commas"):
        prompted(seeded_dit(SMALL), f"{path},")
