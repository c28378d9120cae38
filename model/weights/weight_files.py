"""Files of weights: whatever is wrong with one is a sentence, and nothing in one is run.

Torch reads pickles with `weights_only`: a file that wants to run code, or to make other objects than tensors, is
refused. What torch and safetensors say about a bad file is not passed on as it is.
"""

from __future__ import annotations

import argparse
import os
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from radit.model.errors import UserError
from radit.model.limits import check_memory
from radit.model.plain_text import one_line
from radit.model.reading import opened

SAFETENSORS, PICKLED = (".safetensors",), (".pt", ".pth", ".ckpt", ".bin")
KINDS = ".safetensors, .pt, .pth, .ckpt or .bin"
ENTRIES = ("ema", "model", "state_dict")  # of a training file, the preferred first
SMALLER = "use a smaller file"
NOUN = "Checkpoint"

StateDict = dict[str, Tensor]
Wanted = bool | Callable[[str], bool]
"""Whether values are wanted: of all tensors, of none (names and shapes are enough), or of those with such a name."""


@dataclass(frozen=True)
class WeightFile:
    """What a file holds.

    Fields:
        state: tensors by name; without values (meta device, or mapped from the file) where only shapes were asked for.
        metadata: texts by name, of a .safetensors file.
        trainer: settings of the training program, of a pickled file.
        config: fields of `DiTConfig` that the config of another library says.
    """

    state: StateDict
    metadata: Mapping[str, str] = field(default_factory=dict)
    trainer: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


def read_weights(path: Path, values: Wanted = True, noun: str = NOUN) -> WeightFile:
    """Return what a file of one of `KINDS` holds.

    Args:
        values: which values are wanted beside names and shapes.
        noun: what the file is, for sentences.

    Raises:
        UserError: the file is missing, no regular file, unreadable, damaged, too large for the memory, or of an unknown
            kind.
    """
    check_file(path, noun)
    return _read_pickled(path, values, noun) if path.suffix in PICKLED else _read_safetensors(path, values, noun)


def check_file(path: Path, noun: str = NOUN) -> None:
    """Refuse what cannot be a file of weights.

    Raises:
        UserError: an unknown extension, nothing there, or a folder, a device or the like.
    """
    name = one_line(path)
    if path.suffix not in (*SAFETENSORS, *PICKLED):
        kind = one_line(repr(path.suffix))
        raise UserError(f"{noun} {name} has the unknown extension {kind}: pass a {KINDS} file.")
    if not os.path.exists(path):  # nor where the name is too long, or no name of a file
        raise UserError(f"{noun} {name} is not a file: check the path.")
    with opened(path, noun, f"pass a {KINDS} file"):
        pass


def as_float(state: StateDict, remedy: str = "pass an undamaged checkpoint") -> StateDict:
    """Return the tensors as float32, dense, each with a storage of its own.

    Args:
        remedy: against values that are not finite, for the sentence.

    Raises:
        UserError: one is not of plain floating-point values, or not finite in float32.
    """
    found: StateDict = {}
    storages: set[int] = set()
    for name, tensor in state.items():
        check_plain(name, tensor)
        try:
            value = tensor.detach().float().contiguous()
        except (RuntimeError, NotImplementedError):
            raise UserError(f"Tensor {one_line(name)} holds {tensor.dtype}: pass a checkpoint in float32.") from None
        place = value.untyped_storage().data_ptr()
        value = value.clone() if place in storages else value
        storages.add(place)
        if not torch.isfinite(value).all():
            bad = int((~torch.isfinite(value)).sum())
            raise UserError(f"Tensor {one_line(name)} holds {bad} values that are not finite: {remedy}.")
        found[name] = value
    return found


def check_plain(name: str, tensor: Tensor) -> None:
    """Refuse a tensor that is not of dense floating-point values.

    Raises:
        UserError: names the tensor and what it is.
    """
    kind = None
    if tensor.is_nested:
        kind = "is nested"
    elif tensor.layout != torch.strided:
        kind = f"is sparse ({tensor.layout})"
    elif tensor.device.type != "cpu":
        kind = f"has no values (device {tensor.device.type})"
    elif tensor.is_quantized or not tensor.is_floating_point():
        kind = f"holds {tensor.dtype}"
    if kind is not None:
        raise UserError(f"Tensor {one_line(name)} {kind}: pass a checkpoint with floating-point weights.")


def _read_safetensors(path: Path, values: Wanted, noun: str) -> WeightFile:
    if values is True:
        _check_size(path, path.stat().st_size, noun)
    try:
        with safe_open(path, framework="pt") as file:
            metadata, names = dict(file.metadata() or {}), list(file.keys())
            state = {
                name: file.get_tensor(name)
                if values is True or (callable(values) and values(name))
                else torch.empty(file.get_slice(name).get_shape(), device="meta")
                for name in names
            }
            return WeightFile(state, metadata)
    except Exception as error:  # SafetensorError and whatever a header can bring about
        raise UserError(
            f"{noun} {one_line(path)} cannot be read ({_reason(error)}): pass an undamaged .safetensors file."
        ) from None


def _read_pickled(path: Path, values: Wanted, noun: str) -> WeightFile:
    """Read without running code; a map of the file is enough where not all values are wanted."""
    mapped = _check_archive(path, noun) and values is not True
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # torch's readers raise what a damaged byte leads to: IndexError, AssertionError ..
        reason = _pickle_reason(error)
        raise UserError(
            f"{noun} {one_line(path)} cannot be read ({reason}): pass an undamaged file of weights."
        ) from None
    found, trainer = content, content.get("args") if isinstance(content, dict) else None
    for entry in ENTRIES:
        if isinstance(content, dict) and isinstance(content.get(entry), dict):
            found = content[entry]
            break
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise UserError(f"{noun} {one_line(path)} holds no state dict: pass a file of named tensors.")
    settings = vars(trainer) if isinstance(trainer, argparse.Namespace) else {}
    return WeightFile({str(name): value for name, value in found.items()}, trainer=settings)


def _check_archive(path: Path, noun: str) -> bool:
    """Whether a file is an archive (else of torch's older format); one that would burst the memory is refused."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except Exception:  # no archive, or a damaged one, of which torch's reader speaks
        _check_size(path, path.stat().st_size, noun)
        return False
    _check_size(path, size, noun)
    return True


def _check_size(path: Path, size: int, noun: str) -> None:
    check_memory(f"{noun} {one_line(path)}", {"its tensors": size}, SMALLER)


def _reason(error: Exception) -> str:
    """What a library said, in a line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return one_line(str(error).strip().split("\n")[0].rstrip(".")) or type(error).__name__


def _pickle_reason(error: Exception) -> str:
    """Why torch could not read a file; its own text would advise to run what is in it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error)
    if "Unsupported global" in text or "Unsupported class" in text or "GLOBAL" in text:
        return "it holds Python objects beside tensors, which are never made from a file"
    if "TorchScript" in text:
        return "it holds a TorchScript program"
    if "legacy .tar" in text:
        return "it has the .tar format of the first PyTorch"
    return "it is damaged, cut off or no PyTorch file"
