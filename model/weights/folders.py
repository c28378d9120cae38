"""Folders of diffusers: a pipeline (``model_index.json`` and a folder per part) or a transformer (``config.json``).

Weights are one file or several with an index, of safetensors or pickled. Nothing is downloaded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from radit.model.errors import UserError
from radit.model.plain_text import one_line
from radit.model.reading import read_json
from radit.model.weights.weight_files import StateDict, Wanted, WeightFile, read_weights

PIPELINE, CONFIG, SCHEDULER, INDEX = "model_index.json", "config.json", "scheduler_config.json", ".index.json"
PART = "transformer"
STEM = "diffusion_pytorch_model"
WEIGHTS = (f"{STEM}.safetensors", f"{STEM}.safetensors{INDEX}", f"{STEM}.bin", f"{STEM}.bin{INDEX}")
UNDAMAGED = "pass an undamaged folder of diffusers"
MOST_FILES = 1000  # of one model


@dataclass(frozen=True)
class ModelFolder:
    """A transformer of diffusers.

    Fields:
        folder: where it lies.
        config: what its config.json holds.
        pipeline: what the model_index.json of its pipeline holds; None: it lies alone.
        scheduler: what the pipeline's scheduler_config.json holds; None: there is none.
    """

    folder: Path
    config: Mapping[str, Any]
    pipeline: Mapping[str, Any] | None = field(default=None)
    scheduler: Mapping[str, Any] | None = field(default=None)

    @property
    def weights(self) -> Path:
        """The file of weights, or the index of several; of files of several variants the only one.

        Raises:
            UserError: there is none, or several variants.
        """
        for name in WEIGHTS:
            if (self.folder / name).is_file():
                return self.folder / name
        variants = sorted(path for path in self.folder.glob(f"{STEM}.*.safetensors") if path.is_file())
        if len(variants) != 1:
            what = f"several variants ({', '.join(one_line(each.name) for each in variants[:3])})" if variants else "no"
            remedy = f"rename one to {WEIGHTS[0]}" if variants else "pass a folder of diffusers with its weights"
            raise UserError(f"Folder {one_line(self.folder)} holds {what} weights, {STEM}.*: {remedy}.")
        return variants[0]


def is_model_folder(path: Path) -> bool:
    """Whether a path is a folder, whatever it holds."""
    return os.path.isdir(path)


def open_folder(path: Path) -> ModelFolder:
    """Return what the configs of a pipeline or transformer folder say.

    Raises:
        UserError: there is no config, one cannot be read, or the pipeline has no transformer.
    """
    if (path / PIPELINE).is_file():
        pipeline = _config(path / PIPELINE)
        if PART not in pipeline:
            kind = one_line(pipeline.get("_class_name"))
            raise UserError(f"Folder {one_line(path)} holds a {kind} without a transformer: pass one of DiT.")
        return _part(path, path / PART, pipeline)
    if not (path / CONFIG).is_file():
        raise UserError(
            f"Checkpoint {one_line(path)} cannot be read (it is a folder without {CONFIG} or {PIPELINE}): pass a file "
            "of weights, or a folder of diffusers."
        )
    above = Path(os.path.abspath(path)).parent
    if (above / PIPELINE).is_file() and PART in (pipeline := _config(above / PIPELINE)):
        return _part(above, path, pipeline)
    return ModelFolder(path, _config(path / CONFIG))


def read_folder(folder: ModelFolder, values: Wanted) -> StateDict:
    """Return the tensors of a folder under the names that they have there; `values` as `read_weights` takes them.

    Raises:
        UserError: a file is missing or bad, or an index names what is not there.
    """
    path = folder.weights
    if not path.name.endswith(INDEX):
        return dict(read_weights(path, values).state)
    places = _places(path)
    parts: dict[str, WeightFile] = {
        name: read_weights(path.parent / name, values) for name in sorted(set(places.values()))
    }
    for tensor, name in places.items():
        if tensor not in parts[name].state:
            raise UserError(f"Tensor {one_line(tensor)} is not in {one_line(name)}, as the index says: {UNDAMAGED}.")
    return {tensor: parts[name].state[tensor] for tensor, name in places.items()}


def _places(path: Path) -> dict[str, str]:
    """The file of every tensor, as an index says; all lie beside it."""
    found = _config(path).get("weight_map")
    places = found if isinstance(found, dict) else {}
    plain = all(isinstance(name, str) and name == os.path.basename(name) for name in places.values())
    if not plain or not 0 < len(set(places.values())) <= MOST_FILES:
        raise UserError(f"Index {one_line(path)} names no files of weights beside it: {UNDAMAGED}.")
    return places


def _part(pipeline_folder: Path, folder: Path, pipeline: Mapping[str, Any]) -> ModelFolder:
    scheduler = pipeline_folder / "scheduler" / SCHEDULER
    told = _config(scheduler, endless=True) if scheduler.is_file() else None
    return ModelFolder(folder, _config(folder / CONFIG), pipeline, told)


def _config(path: Path, endless: bool = False) -> Mapping[str, Any]:
    found = read_json(path, "Config", UNDAMAGED, endless)
    if not isinstance(found, dict):
        raise UserError(f"Config {one_line(path)} holds no JSON object: {UNDAMAGED}.")
    return found
