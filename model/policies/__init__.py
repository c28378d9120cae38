"""Published software caching policies on the integer model, to compare ours with. None of them is in the hardware."""

from __future__ import annotations

from dataclasses import fields

from model.errors import UserError
from model.policies.base import Method
from model.policies.blockl1 import BlockL1
from model.policies.fbcache import FirstBlockCache
from model.policies.fewer_steps import FewerSteps
from model.policies.fora import Fora
from model.policies.smoothcache import SmoothCache
from model.policies.taylorseer import TaylorSeer
from model.policies.teacache import TeaCache

METHODS: dict[str, type[Method]] = {
    kind.name: kind for kind in (FewerSteps, Fora, TaylorSeer, SmoothCache, FirstBlockCache, TeaCache, BlockL1)
}


def parse_method(text: str) -> Method:
    """Return the policy of a text such as "fora:interval=3"; numbers that are not given are the defaults.

    Raises:
        UserError: the name or a number's name is unknown, or a number does not parse or fit.
    """
    name, *settings = text.split(":")
    if name not in METHODS:
        raise UserError(f"Policy is '{name}': choose {', '.join(METHODS)}.")
    kinds = {each.name: int if each.type == "int" else float for each in fields(METHODS[name])}
    values: dict[str, int | float] = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in kinds:
            raise UserError(f"Policy {name} has the setting '{setting}': give {', '.join(kinds)} and =VALUE.")
        try:
            values[key] = kinds[key](value)
        except ValueError:
            wanted = "a whole number" if kinds[key] is int else "a number"
            raise UserError(f"Policy {name} has {key} '{value}': give {wanted}.") from None
    return METHODS[name](**values)
