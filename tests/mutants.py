"""Content of files gone wrong, from a seed: values of another kind, missing and new keys, flipped bytes."""

from __future__ import annotations

import copy
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
