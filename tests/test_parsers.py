"""Texts of options: whatever is typed is read, or refused in one sentence that names option, text and remedy."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings, strategies

from radit.machine import parse_array
from radit.model.comparison.catalogue import METHODS, parse_method
from radit.model.dit.sampler import Sampler
from radit.model.errors import UserError
from radit.model.policy.skip_policy import POLICIES, parse_policy
from radit.model.training.moving_digits import parse_motion
from radit.model.tuning.calibrate_run import _own_policy
from radit.model.tuning.search import parse_target
from radit.options import parse_policies, parse_reductions, parse_steps
from radit.reports.ablation.variants import chosen
from radit.reports.frontier.candidates import candidates

MOST = 1200  # characters of a sentence: one lists all variants
FIELDS = sorted({name for kind in METHODS.values() for name in kind.ranges()} | set(parse_policy("radit").settings))
VALUES = strategies.sampled_from(
    ["", "0", "1", "-1", "2", "0.5", "1e16", "1e-320", "nan", "inf", "-inf", "1_0", "0x1", "True", "None", "linear"]
    + ["1/0.5", "1//2", "/", "9" * 5000, "1/" * 5000, "\x1b[31m", "a\nb", "\udc80", "[/red]", "\u0665", "stream"]
)  # fmt: skip
SETTING = strategies.builds("{}={}".format, strategies.sampled_from([*FIELDS, "", "self", "name"]), VALUES)
NAMES = strategies.sampled_from([*POLICIES, *METHODS, "all", "", "speedup", "error"])
POLICY = strategies.builds(lambda name, parts: ":".join([name, *parts]), NAMES, strategies.lists(SETTING, max_size=4))
LIST = strategies.lists(POLICY | VALUES, max_size=4).map(",".join)
ANY = strategies.text(max_size=40) | POLICY | LIST | VALUES

PARSERS: dict[str, Callable[[str], object]] = {
    "--policy": lambda text: [parse_policy(one) for one in parse_policies([text])],
    "--policies": lambda text: [one.policy for one in candidates(text.split(","), [Sampler(50)])],
    "--variants": lambda text: chosen(text.split(",")),
    "--steps": parse_steps,
    "--reductions": parse_reductions,
    "--array": lambda text: parse_array(text, "--array"),
    "--target": parse_target,
    "--motion": parse_motion,
    "--start": lambda text: _own_policy(text, "--start", "forecast"),
}


@pytest.mark.parametrize("option", PARSERS)
@settings(max_examples=150)
@given(text=ANY)
@example(text="radit:large=1e16")
@example(text="forecast:reach=1e308")
@example(text="sketch:projections=1000000")
@example(text="speedup=" + "9" * 400)
@example(text="50," * 1000)
@example(text="10000000000x1")
def test_any_text_is_read_or_refused(option: str, text: str) -> None:
    try:
        PARSERS[option](text)
    except UserError as error:
        said = str(error)
        assert said.isprintable() and len(said) < MOST and said.endswith(".")
        assert option in said or said.startswith("Policy field"), said
        assert ": " in said or "twice" in said


@settings(max_examples=150)
@given(text=POLICY)
def test_a_method_that_is_read_is_written_and_read_again(text: str) -> None:
    try:
        method = parse_method(text)
    except UserError as error:
        assert str(error).isprintable() and len(str(error)) < MOST
    else:
        assert parse_method(method.text) == method and parse_method(method.text).digest() == method.digest()
