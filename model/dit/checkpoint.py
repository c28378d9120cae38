"""Read and write weights of the float model: this project's .safetensors, and published files of DiT and Latte.

Named models without shipped weights have seeded ones (`model/dit/seeded.py`).

A .safetensors file written here carries its config as JSON in the metadata entry "config". A file without one
(a published one, as .safetensors, .pt or .pth) has its config inferred from names and shapes; one with a `temp_embed`
is taken for a Latte, with alternating attention.
"""

from __future__ import annotations

import argparse
import json
import math
import pickle
import re
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.dit.seeded import seeded_dit
from radit.model.dit.transformer import DiT, blank_model, first_blocks
from radit.model.errors import UserError
from radit.model.files import replacing

CHECKPOINT_DIR = Path(__file__).parents[1] / "checkpoints"
PICKLED = (".pt", ".pth")
XL_HIDDEN, XL_HEAD_DIM, HEAD_DIM = 1152, 72, 64

StateDict = dict[str, Tensor]


def load_model(name_or_file: str | Path, blocks: int | None = None) -> DiT:
    """Return a named model, its weights shipped or seeded, or that of a checkpoint file: float32, evaluation, frozen.

    Args:
        name_or_file: a name of `NAMED_MODELS`, or a path.
        blocks: how many of its blocks to keep, from the first on; by default all.

    Raises:
        UserError: the name is unknown, the file is bad (see `load_checkpoint`), or it has not so many blocks.
    """
    path = find_checkpoint(name_or_file)
    if path is None:
        return seeded_dit(NAMED_MODELS[str(name_or_file)], blocks=blocks)
    config, state = load_checkpoint(path)
    model = blank_model(config)
    model.load_state_dict(state, assign=True)
    model = model if blocks is None else first_blocks(model, blocks)
    return model.eval().requires_grad_(False)


def load_config(name_or_file: str | Path) -> DiTConfig:
    """Return the config of a named model or of a checkpoint file.

    Raises:
        UserError: the name is unknown, or the file is bad (see `load_checkpoint`).
    """
    path = find_checkpoint(name_or_file)
    return NAMED_MODELS[str(name_or_file)] if path is None else load_checkpoint(path)[0]


def find_checkpoint(name_or_file: str | Path) -> Path | None:
    """Return the checkpoint file of a model name, None where its weights are seeded, or the file itself.

    Raises:
        UserError: the name is unknown.
    """
    name, path = str(name_or_file), Path(name_or_file)
    if name in NAMED_MODELS:
        shipped = CHECKPOINT_DIR / f"{name}.safetensors"
        return shipped if shipped.is_file() else None
    if not path.suffix and not path.exists():
        raise UserError(
            f"Model {name} is unknown: use one of {', '.join(NAMED_MODELS)}, or the path of a checkpoint file."
        )
    return path


def load_checkpoint(path: str | Path, num_heads: int | None = None) -> tuple[DiTConfig, StateDict]:
    """Return the config and the float32 state dict of a checkpoint file.

    Args:
        path: .safetensors, .pt or .pth; a training file's averaged weights (entry "ema") are preferred.
        num_heads: attention heads, for a file without config; by default heads of 64 features (XL: 72).

    Raises:
        UserError: the file is missing, unreadable or of an unknown kind, or a tensor is missing, unknown,
            misshapen, not numeric or not finite.
    """
    path = Path(path)
    if path.suffix not in (".safetensors", *PICKLED):
        raise UserError(
            f"Checkpoint {path} has the unknown extension {path.suffix!r}: pass a .safetensors, .pt or .pth file."
        )
    if not path.is_file():
        raise UserError(f"Checkpoint {path} is not a file: check the path.")
    metadata, state = _read_pickled(path) if path.suffix in PICKLED else _read_safetensors(path)
    config = _config_in(metadata, path) if "config" in metadata else infer_config(state, num_heads)
    check_state(config, state)
    return config, {name: tensor.float() for name, tensor in state.items()}


def save_checkpoint(path: str | Path, model: DiT, metadata: dict[str, str] | None = None) -> None:
    """Write the weights of `model` as .safetensors, float32, its config and `metadata` (text) beside them.

    Raises:
        UserError: the extension is not .safetensors, or the folder cannot be written.
    """
    path = check_target(path)
    state = {name: tensor.detach().float().contiguous().cpu() for name, tensor in model.state_dict().items()}
    entries = {"config": json.dumps(model.config.model_dump()), **(metadata or {})}
    try:
        with replacing(path) as part:
            save_file(state, part, metadata=entries)
    except (OSError, SafetensorError) as error:
        raise UserError(f"Checkpoint {path} cannot be written ({error}): choose a folder that can be.") from None


def check_target(path: str | Path) -> Path:
    """Return the path that a checkpoint is to be written to.

    Raises:
        UserError: the extension is not .safetensors.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise UserError(f"Checkpoint {path} has the extension {path.suffix!r}: write a .safetensors file.")
    return path


def read_metadata(path: str | Path) -> dict[str, str]:
    """Return the metadata of a .safetensors checkpoint: config (JSON), seed, steps, provenance.

    Raises:
        UserError: the file cannot be read.
    """
    return _read_safetensors(Path(path))[0]


def infer_config(state: StateDict, num_heads: int | None = None) -> DiTConfig:
    """Return the config that the names and shapes of a published state dict imply.

    Raises:
        UserError: a tensor that decides a dimension is missing or has the wrong number of axes.
    """
    hidden, channels, patch, _ = _shape(state, "x_embedder.proj.weight", 4)
    _, tokens, _ = _shape(state, "pos_embed", 3)
    frames = _shape(state, "temp_embed", 3)[1] if "temp_embed" in state else 1
    rows, _ = _shape(state, "y_embedder.embedding_table.weight", 2)
    mlp_hidden, _ = _shape(state, "blocks.0.mlp.fc1.weight", 2)
    outputs, _ = _shape(state, "final_layer.linear.weight", 2)
    indices = [int(found[1]) for name in state if (found := re.match(r"blocks\.(\d+)\.", name))]
    heads = num_heads or max(hidden // (XL_HEAD_DIM if hidden == XL_HIDDEN else HEAD_DIM), 1)
    return DiTConfig(
        input_size=math.isqrt(tokens) * patch,
        patch_size=patch,
        in_channels=channels,
        hidden_size=hidden,
        depth=max(indices) + 1,
        num_heads=heads,
        mlp_ratio=mlp_hidden / hidden,
        num_classes=rows - 1,
        learn_sigma=outputs == 2 * channels * patch**2,
        frames=frames,
    )


def check_state(config: DiTConfig, state: StateDict) -> None:
    """Check that a state dict has exactly the tensors that the config wants, each of its shape and finite.

    Raises:
        UserError: a tensor is missing, unknown, misshapen, not floating-point or not finite.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in blank_model(config).state_dict().items()}
    for name, shape in wanted.items():
        if name not in state:
            raise UserError(f"Tensor {name} {shape} is missing: pass a complete checkpoint of a DiT.")
        found = state[name]
        if tuple(found.shape) != shape:
            raise UserError(
                f"Tensor {name} has shape {tuple(found.shape)} where the config wants {shape}: "
                "pass a checkpoint that fits the config."
            )
        if not found.is_floating_point():
            raise UserError(f"Tensor {name} holds {found.dtype}: pass a checkpoint with floating-point weights.")
        if not torch.isfinite(found).all():
            bad = int((~torch.isfinite(found)).sum())
            raise UserError(f"Tensor {name} holds {bad} values that are not finite: pass an undamaged checkpoint.")
    for name in state:
        if name not in wanted:
            raise UserError(f"Tensor {name} {tuple(state[name].shape)} is unknown to the config: remove it.")


def _shape(state: StateDict, name: str, axes: int) -> tuple[int, ...]:
    """Shape of a tensor that decides a dimension."""
    if name not in state:
        raise UserError(f"Tensor {name} is missing and the file names no config: pass a complete checkpoint of a DiT.")
    if state[name].dim() != axes:
        found = tuple(state[name].shape)
        raise UserError(f"Tensor {name} has shape {found} where {axes} axes are wanted: pass a checkpoint of a DiT.")
    return tuple(state[name].shape)


def _config_in(metadata: dict[str, str], path: Path) -> DiTConfig:
    """The config in a file's metadata."""
    try:
        values = json.loads(metadata["config"])
    except json.JSONDecodeError as error:
        raise UserError(f"Checkpoint {path} has a config that is not JSON ({error}): write the file again.") from None
    if not isinstance(values, dict):
        raise UserError(f"Checkpoint {path} has the config {values!r}: write the file again with a JSON object.")
    return DiTConfig(**values)


def _read_safetensors(path: Path) -> tuple[dict[str, str], StateDict]:
    """Metadata and tensors of a .safetensors file."""
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {}), {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"Checkpoint {path} cannot be read ({error}): pass an undamaged .safetensors file.") from None


def _read_pickled(path: Path) -> tuple[dict[str, str], StateDict]:
    """Tensors of a .pt or .pth file, read without running code; such a file carries no metadata."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise UserError(f"Checkpoint {path} cannot be read ({reason}): pass an undamaged file of weights.") from None
    for entry in ("ema", "model", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(entry), dict):
            content = content[entry]
            break
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"Checkpoint {path} holds no state dict: pass a file of named tensors.")
    return {}, {str(name): value for name, value in content.items()}
