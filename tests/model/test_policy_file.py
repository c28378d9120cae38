"""The file of a calibrated policy: whatever it holds, it is a policy that runs, or one sentence that names the file."""

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import radit
from radit.model.dit.checkpoint import CHECKPOINT_DIR
from radit.model.errors import UserError
from radit.model.policy.policy_file import read_policy
from radit.model.policy.skip_policy import Policy
from tests.mutants import examples, flipped, mutated

SHIPPED = CHECKPOINT_DIR / "digits.policy.json"


@cache
def integer():
    """The digits model, quantized for the sampler of the shipped file."""
    return radit.quantize("digits", steps=16, sampler="unipc", spacing="quadratic").integer


def read(path: Path, data: bytes):
    """What a file is read as, or nothing where it is refused in one sentence."""
    path.write_bytes(data)
    try:
        return read_policy(path)
    except UserError as error:
        assert path.name in str(error) and str(error).isprintable() and len(str(error)) < 1500
        return None


def check(policy: Policy) -> None:
    """A policy runs."""
    assert policy.text.isprintable()
    policy.tables(integer())


def test_mutated_files_run_or_are_refused(tmp_path, rng):
    good, accepted, tried = json.loads(SHIPPED.read_text()), [], examples(300)
    for _ in range(tried):
        found = read(tmp_path / "digits.policy.json", json.dumps(mutated(good, rng)).encode())
        accepted += [] if found is None else [found]
    assert tried // 100 < len(accepted) < tried / 2
    for found in accepted:
        assert (found.policy.name, found.radit.name) == ("planned", "radit")
        for policy in (found.policy, found.radit):
            check(policy)


def test_flipped_files_run_or_are_refused(tmp_path, rng):
    for _ in range(examples(300)):
        found = read(tmp_path / "digits.policy.json", flipped(SHIPPED.read_bytes(), rng))
        if found is not None:
            check(found.policy)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"policy": {"name": "radit"}}, "field policy.name is radit: give forecast"),
        ({"policy": {"threshold": True}}, "threshold"),
        ({"policy": {"threshold": "0.1"}}, "threshold"),
        ({"policy": {"max_streak": 10**30}}, "max_streak"),
        ({"policy": {"schedule": []}}, "schedule"),
        ({"policy": {"schedule": [1e300]}}, "schedule"),
        ({"steps": 0}, "steps is 0"),
        ({"seed": 10**20}, "seed is 100000000000000000000"),
        ({"achieved": {"mse": -1}}, "field achieved.mse is -1"),
        ({"self": 1}, "field self is unknown: remove it"),
        ({"\x1b[31m\n": 1}, "field \\x1b[31m\\n is unknown"),
    ],
)
def test_wrong_fields_are_named(tmp_path, change, words):
    path, content = tmp_path / "digits.policy.json", json.loads(SHIPPED.read_text())
    for name, value in change.items():
        content[name] = content[name] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        read_policy(path)
    assert words in str(caught.value) and "run `radit calibrate` again, or remove it" in str(caught.value)


@settings(max_examples=examples(100), deadline=None)
@given(values=st.dictionaries(st.sampled_from([*Policy.ranges, "scope"]), st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.floats()).map(tuple)
)))  # fmt: skip
def test_any_settings_are_a_policy_or_refused(values):
    try:
        policy = Policy(**{"name": "forecast"} | values)
    except (UserError, TypeError):
        return
    check(policy)
