"""Content of files gone wrong, from a seed: values of another kind, missing and new keys, flipped bytes."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

WRONG: tuple[Any, ...] = (
    None, [], {}, "", -1, 0, 1e308, -1e308, 5e-324, 2**62, 10**30, "x" * 100_000, True, False, [[[]]], {"a": {"b": []}},
    0.5, 1.5, "1", "<!-- results:end -->", "\x1b[31m\n", "$\\frac{", "|", "\u0000", [1, 2, 3], {"": ""}, "NaN",
)  # fmt: skip


def examples(usual: int) -> int:
    """How many examples a test tries: `usual` ones, times the environment variable RADIT_EXAMPLES."""
    return max(1, round(usual * float(os.environ.get("RADIT_EXAMPLES", "1"))))


def mutated(content: Any, rng: np.random.Generator) -> Any:
    """The content of a JSON or TOML file with one or several places wrong."""
    found = copy.deepcopy(content)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        found = _mutate(found, rng)
    return found


def _mutate(content: Any, rng: np.random.Generator) -> Any:
    found = list(places(content))
    if not found or rng.random() < 0.01:
        return wrong(rng)
    inside, key = _walked(content, rng) if rng.random() < 0.6 else found[rng.integers(len(found))]
    kind = rng.random()
    if kind < 0.25:
        del inside[key]
    elif kind < 0.35 and isinstance(inside, dict):
        inside[_name(key, rng)] = inside[key] if rng.random() < 0.5 else inside.pop(key)
    elif kind < 0.4 and isinstance(inside, list):
        inside.insert(key, copy.deepcopy(inside[key]))
    elif kind < 0.55 and isinstance(inside[key], (int, float)) and not isinstance(inside[key], bool):
        inside[key] = inside[key] * [2, -1, 0, 1e300, 1e-300][rng.integers(5)] + int(rng.integers(2))
    elif kind < 0.65:
        other, name = found[rng.integers(len(found))]
        inside[key] = copy.deepcopy(other[name]) if name in other or isinstance(other, list) else None
    else:
        inside[key] = wrong(rng)
    return content


def wrong(rng: np.random.Generator) -> Any:
    """A value that is seldom right."""
    return copy.deepcopy(WRONG[rng.integers(len(WRONG))])


def _name(key: str, rng: np.random.Generator) -> str:
    return [f"{key}2", "", "self", "\x1b[31m\n", "x" * 10_000, "$\\frac{", "dense", "items"][rng.integers(8)]


def _walked(content: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """A container and one of its keys, chosen level by level: what stands high is chosen as often as all below."""
    while True:
        keys = list(content) if isinstance(content, dict) else range(len(content))
        key = keys[rng.integers(len(keys))]
        if not isinstance(content[key], (dict, list)) or not content[key] or rng.random() < 0.2:
            return content, key
        content = content[key]


def places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys, depth first."""
    keys = list(content) if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for key in keys:
        yield content, key
        yield from places(content[key])


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes cut off, or a few of them others."""
    if rng.random() < 0.3:
        return data[: rng.integers(len(data))]
    found = bytearray(data)
    for place in rng.integers(len(found), size=rng.integers(1, 5)):
        found[place] = rng.integers(256)
    return bytes(found)


def toml(content: dict[str, Any]) -> str:
    """A table as TOML: what TOML cannot state (None) is left out."""
    return "\n".join(f"{_key(name)} = {_toml(value)}" for name, value in content.items() if value is not None)


def _key(name: str) -> str:
    return json.dumps(name)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inside = (f"{_key(name)} = {_toml(part)}" for name, part in value.items() if part is not None)
        return "{" + ", ".join(inside) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(part) for part in value if part is not None) + "]"
    return json.dumps(value)


def mutated_arrays(arrays: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Arrays of an .npz file with one of them gone, renamed, or of another shape, type or content."""
    found, names = dict(arrays), list(arrays)
    name, other = names[rng.integers(len(names))], names[rng.integers(len(names))]
    array = found[name]
    kind = rng.integers(10)
    if kind == 0:
        del found[name]
    elif kind == 1:
        found[f"{name}2"] = found.pop(name)
    elif kind == 2:
        found[name] = found[other]
    elif kind == 3:
        found[name] = array[()].reshape(-1)[: rng.integers(4)]
    elif kind == 4 and array.ndim:
        found[name] = array.take(range(rng.integers(array.shape[-1] + 1)), axis=-1)
    elif kind == 5 and array.ndim:
        found[name] = array[: rng.integers(len(array))]
    elif kind == 6 and array.dtype.kind != "U":
        found[name] = array.astype([np.float16, np.int8, np.uint64, np.float64, bool, "U3"][rng.integers(6)])
    elif kind == 7 and array.dtype.kind == "f":
        found[name] = array.copy()
        found[name].flat[0] = [np.nan, np.inf, -np.inf, np.finfo(array.dtype).max, -5.0, 1e20][rng.integers(6)]
    elif kind == 8:
        found[name] = np.swapaxes(array, 0, -1) if array.ndim > 1 else array[None]
    else:
        found[name] = np.array([0, -1, 2**62, 0.5][rng.integers(4)])
    return found
