"""Policies on the integer model, to compare ours with: published software caches, and ours with another detector.

None of them is in the hardware.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from model.baselines.base import Method
from model.baselines.blockl1 import BlockL1
from model.baselines.fbcache import FirstBlockCache
from model.baselines.fewer_steps import FewerSteps
from model.baselines.fora import Fora
from model.baselines.smoothcache import SmoothCache
from model.baselines.taylorseer import TaylorSeer
from model.baselines.teacache import TeaCache
from model.detectors.detector import Detector
from model.detectors.misses import Miss
from model.detectors.paths import Path
from model.detectors.signatures import L1, Codes, Levels, Pooled, Sketch
from model.detectors.static import Static
from model.errors import UserError

PUBLISHED: tuple[type[Method], ...] = (FewerSteps, Fora, TaylorSeer, SmoothCache, FirstBlockCache, TeaCache, BlockL1)
DETECTORS: dict[str, type[Detector]] = {
    kind.name: kind for kind in (Codes, Levels, L1, Pooled, Sketch, Path, Miss, Static)
}
METHODS: dict[str, type[Method]] = {kind.name: kind for kind in (*PUBLISHED, *DETECTORS.values())}
KINDS: dict[str, tuple[Callable[[str], Any], str]] = {
    "int": (int, "a whole number"),
    "float": (float, "a number"),
    "tuple[float, ...]": (lambda text: tuple(map(float, text.split("/"))), "knots such as 1.2/0.9/0.6"),
    "bool": (lambda text: ("False", "True").index(text) > 0, "True or False"),
}


def parse_method(text: str) -> Method:
    """Return the policy of a text such as "fora:interval=3"; numbers that are not given are the defaults.

    Raises:
        UserError: the name or a number's name is unknown, or a number does not parse or fit.
    """
    name, *settings = text.split(":")
    if name not in METHODS:
        raise UserError(f"Policy is '{name}': choose {', '.join(METHODS)}.")
    kinds = {each.name: KINDS[str(each.type)] for each in fields(METHODS[name])}
    values: dict[str, Any] = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in kinds:
            raise UserError(f"Policy {name} has the setting '{setting}': give {', '.join(kinds)} and =VALUE.")
        parse, wanted = kinds[key]
        try:
            values[key] = parse(value)
        except ValueError:
            raise UserError(f"Policy {name} has {key} '{value}': give {wanted}.") from None
    return METHODS[name](**values)
