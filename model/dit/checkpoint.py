"""Read and write weights of the float model: this project's .safetensors, published files of DiT and Latte, folders of
diffusers.

A model is named by a text: a name, whose weights are shipped or seeded (`model/dit/seeded.py`), or a path.

- A .safetensors file written here carries its config as JSON in the metadata entry "config".
- A file without one (a published one, as .safetensors, .pt, .pth or .ckpt) has its dimensions inferred from names and
  shapes. What those do not tell stands in its training program's settings, or behind the path:
  `FILE:num_heads=6:prediction=noise` (`model/dit/facts.py`).
- A folder of diffusers tells its dimensions in its configs (`model/dit/diffusers_dit.py`).
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.dit.diffusers_dit import read_model_folder
from radit.model.dit.facts import (
    LABELS,
    NOTHING_SAID,
    Facts,
    check_agreement,
    completed_config,
    facts_of_trainer,
    infer_config,
    read_facts,
)
from radit.model.dit.seeded import seeded_dit
from radit.model.dit.shapes import float_bytes, tensor_shapes
from radit.model.dit.transformer import DiT, blank_model, first_blocks, null_prompt, with_prompts, with_texts
from radit.model.errors import UserError, shown
from radit.model.files import replacing
from radit.model.limits import check_memory
from radit.model.plain_text import one_line
from radit.model.text.prompt_files import read_prompts
from radit.model.weights.folders import is_model_folder, open_folder
from radit.model.weights.namings import LIBRARY, plain_names
from radit.model.weights.weight_files import StateDict, WeightFile, as_float, read_weights

CHECKPOINT_DIR = Path(__file__).parents[1] / "checkpoints"
WITH_SETTINGS = re.compile(r"(?P<file>.*?\.(?:safetensors|pt|pth|ckpt|bin)):(?P<settings>.*)", re.DOTALL)
NEEDED = ("num_heads", "num_classes", "class_dropout_prob")  # of a config in a file: no shape tells them
NUMBER, BIAS = re.compile(r"^blocks\.[0-9]{1,9}\."), ".bias"
UNTRAINED = "nothing is written, train it with another seed or more samples per step"
SMALLER = "use a smaller model, or fewer of its blocks"


def load_model(name_or_file: str | Path, blocks: int | None = None, prompt: str | None = None) -> DiT:
    """Return a named model, its weights shipped or seeded, or that of a checkpoint file: float32, evaluation, frozen.

    Args:
        name_or_file: a name of `NAMED_MODELS`, or a path, with settings behind it where the file lacks a config.
        blocks: how many of its blocks to keep, from the first on; by default all.
        prompt: what a model with text draws: texts, or files of embeddings (`model/text/prompt_files.py`), separated by
            commas. By default some that a model has by itself; where it only takes embeddings, none.

    Raises:
        UserError: the name is unknown, the file is bad (see `load_checkpoint`), it has not so many blocks, this machine
            has no memory for them, or the prompts do not fit (see `read_prompts`).
    """
    model = _load(name_or_file, blocks)
    return model if prompt is None else prompted(model, prompt)


def prompted(model: DiT, prompt: str) -> DiT:
    """Return a model with text that draws prompts, separated by commas; see `load_model`."""
    config = model.config
    if not config.has_text:
        raise UserError(f"--prompt is {shown(prompt)}, but the model has no text: give labels, or a model with text.")
    if config.characters:
        return with_texts(model, prompt.split(","))
    null = null_prompt(model)
    return with_prompts(model, read_prompts(prompt, config.context_tokens, config.context_dim, null))


def _load(name_or_file: str | Path, blocks: int | None) -> DiT:
    """A model with the prompts that it has by itself."""
    path, facts = _named(name_or_file)
    if path is None:
        config = NAMED_MODELS[str(name_or_file)]
        check_model_memory(name_or_file, config if blocks is None else config.first_blocks(blocks))
        return seeded_dit(config, blocks=blocks)
    if blocks is not None:
        load_config(name_or_file).first_blocks(blocks)
    config, state = load_checkpoint(path, facts)
    model = blank_model(config)
    model.load_state_dict(state, assign=True)
    model = model if blocks is None else first_blocks(model, blocks)
    model = with_texts(model) if config.characters else model
    return model.eval().requires_grad_(False)


def load_config(name_or_file: str | Path) -> DiTConfig:
    """Return the config of a named model or of a checkpoint file, of which only the shapes are read.

    Raises:
        UserError: the name is unknown, or the file is bad (see `load_checkpoint`).
    """
    path, facts = _named(name_or_file)
    return NAMED_MODELS[str(name_or_file)] if path is None else _config_of(_read(path, False), facts, path)


def find_checkpoint(name_or_file: str | Path) -> Path | None:
    """Return the checkpoint file of a model name, None where its weights are seeded, or the file itself.

    Of a folder it is the file of weights inside, or the index of several.

    Raises:
        UserError: the name is unknown, or the folder holds no weights.
    """
    path, _ = _named(name_or_file)
    return open_folder(path).weights if path is not None and is_model_folder(path) else path


def load_checkpoint(path: str | Path, facts: Facts = NOTHING_SAID) -> tuple[DiTConfig, StateDict]:
    """Return the config and the float32 state dict of a checkpoint file.

    Args:
        path: of a file, whose averaged weights (entry "ema") are preferred, or of a folder of diffusers.
        facts: what a file without config does not tell.

    Raises:
        UserError: the file is missing, unreadable or of an unknown kind; a fact is missing; this machine has no memory
            for the model; or a tensor is missing, unknown, misshapen, not numeric or not finite.
    """
    path = Path(path)
    config = _config_of(_read(path, values=False), facts, path)
    check_model_memory(path, config)
    state = _completed(config, _read(path, values=True).state)
    check_state(config, state)
    return config, as_float(state)


def check_model_memory(name: str | Path, config: DiTConfig) -> None:
    """Refuse a float model that this machine has no memory for.

    Raises:
        UserError: it has none.
    """
    check_memory(f"Model {one_line(name)}", {"weights": float_bytes(config)}, SMALLER)


def save_checkpoint(path: str | Path, model: DiT, metadata: dict[str, str] | None = None) -> None:
    """Write the weights of `model` as .safetensors, float32, its config and `metadata` (text) beside them.

    Raises:
        UserError: the extension is not .safetensors, a weight is not finite, or the folder cannot be written.
    """
    path = check_target(path)
    state = as_float({name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}, UNTRAINED)
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
    return dict(read_weights(Path(path), values=False).metadata)


def check_state(config: DiTConfig, state: StateDict) -> None:
    """Check that a state dict has exactly the tensors that the config wants, each of its shape.

    Raises:
        UserError: a tensor is missing, unknown or misshapen.
    """
    wanted = set()
    for name, shape in tensor_shapes(config):
        if name not in state:
            raise UserError(f"Tensor {name} {shape} is missing: pass a complete checkpoint of a DiT.")
        if tuple(state[name].shape) != shape:
            raise UserError(
                f"Tensor {name} has shape {tuple(state[name].shape)} where the config wants {shape}: "
                "pass a checkpoint that fits the config."
            )
        wanted.add(name)
    for name in state:
        if name not in wanted:
            raise UserError(f"Tensor {one_line(name)} {tuple(state[name].shape)} is unknown to the config: remove it.")


def _named(name_or_file: str | Path) -> tuple[Path | None, Facts]:
    """The checkpoint file of a text, None where the weights are seeded, and the settings behind it."""
    name = str(name_or_file)
    if name in NAMED_MODELS:
        stored = CHECKPOINT_DIR / f"{name}.safetensors"
        return (stored if stored.is_file() else None), NOTHING_SAID
    found = None if os.path.exists(name) else WITH_SETTINGS.fullmatch(name)
    if found:
        return Path(found["file"]), read_facts(found["settings"].split(":"))
    head, _, settings = name.partition(":")
    if head in NAMED_MODELS:
        raise UserError(f"Model {head} is known, settings are for checkpoint files: leave out {one_line(settings)!r}.")
    if folder := _folder_with_settings(name):
        return folder
    path = Path(name)
    if not path.suffix and not os.path.exists(name):
        shown, names = one_line(name) or repr(name), ", ".join(NAMED_MODELS)
        raise UserError(f"Model {shown} is unknown: use one of {names}, or the path of a checkpoint file.")
    return path, NOTHING_SAID


def _folder_with_settings(name: str) -> tuple[Path, Facts] | None:
    """The folder of a text "FOLDER:field=value:..", and the settings; None: it names none."""
    parts = name.split(":")
    for count in reversed(range(1, len(parts))):
        folder = ":".join(parts[:count])
        if folder and is_model_folder(Path(folder)) and not os.path.exists(name):
            return Path(folder), read_facts(parts[count:])
    return None


def _read(path: Path, values: bool) -> WeightFile:
    """What a file or folder holds, under the names that are used here."""
    if is_model_folder(path):
        return read_model_folder(path, values)
    file = read_weights(path, values)
    if "config" in file.metadata:
        return file
    state = plain_names(file.state, _source(path))
    if LIBRARY in state:
        raise UserError(f"{_source(path)} has the names of diffusers: pass the folder that holds it and config.json.")
    return replace(file, state=state)


def _source(path: Path) -> str:
    """A file or folder as sentences name it."""
    return f"Checkpoint {one_line(path)}"


def _config_of(file: WeightFile, facts: Facts, path: Path) -> DiTConfig:
    """The config of a file: its own, or what its shapes, its training program and the user say; shapes agree with it.

    A model that this machine has no memory for is refused before its tensors are compared.
    """
    source = _source(path)
    if "config" in file.metadata:
        config = _config_in(file.metadata["config"], source)
        check_agreement(facts, {name: getattr(config, name) for name in facts.said}, source)
    elif file.config:
        check_agreement(facts, file.config, source)
        config = completed_config(file.config, facts, source)
    else:
        told = facts_of_trainer(file.trainer)
        check_agreement(facts, told, source)
        config = infer_config(file.state, facts.filled(told), source)
    check_model_memory(path, config)
    check_state(config, _completed(config, file.state))
    return config


def _completed(config: DiTConfig, state: StateDict) -> StateDict:
    """The same with zeros where a model leaves something out: biases of a kind in all blocks, embeddings of labels.

    A bias outside the blocks is zero only where no layer there has one.
    """
    kinds = {name: NUMBER.sub("blocks.", name) for name in state}
    present, added = set(kinds.values()), dict(state)
    ends = any(name == kind and name.endswith(BIAS) for name, kind in kinds.items())
    for name, shape in tensor_shapes(config):
        kind = NUMBER.sub("blocks.", name)
        left_out = name.endswith(BIAS) and kind not in present and not (kind == name and ends)
        if left_out or (name == LABELS and LABELS not in state and config.label_rows == 1):
            device = "cpu" if all(tensor.device.type == "cpu" for tensor in state.values()) else "meta"
            added[name] = torch.zeros(shape, device=device)
    return added


def _config_in(text: str, source: str) -> DiTConfig:
    """The config in a file's metadata, whatever the text is."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else one_line(str(error))
        raise UserError(f"{source} has a config that is not JSON ({reason}): write the file again.") from None
    if not isinstance(values, dict):
        raise UserError(f"{source} has the config {one_line(values)}: write the file again with a JSON object.")
    try:
        config = DiTConfig(**values)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    needed = [name for name in NEEDED if name != "num_classes" or not config.has_text]
    for name in (*needed, *(("attention",) if config.frames > 1 else ())):
        if name not in values:
            raise UserError(f"{source} has a config without {name}: write it with all fields.")
    return config
