"""From settings to integers: whatever the parser takes gives integers that their registers and header fields hold."""

from __future__ import annotations

from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings, strategies

from radit.accel.control.registers import REGISTERS
from radit.accel.interfaces.conditioning import HEADER_FIELDS
from radit.model.errors import UserError
from radit.model.formats import BOUNDARY_BITS
from radit.model.integer.policy_tables import PolicyTables
from radit.model.policy.policy_integers import code_boundaries, tables_of
from radit.model.policy.skip_policy import RADIT_DEFAULTS, Policy, Scope, parse_policy, radit

STEPS, SUB_BLOCKS = 5, 4
HEADER_OF = {"thresholds": "threshold", "gains": "slope_gain", "force": "force"}


def model(scale: float = 0.02, rms: float = 0.7, tokens: int = 64, hidden: int = 64) -> SimpleNamespace:
    """What policies see of an integer model."""
    return SimpleNamespace(
        act_scale=torch.full((STEPS, SUB_BLOCKS), scale, dtype=torch.float64),
        act_rms=torch.full((SUB_BLOCKS,), rms, dtype=torch.float64),
        steps=STEPS,
        sampler_steps=STEPS,
        config=SimpleNamespace(tokens=tokens, hidden_size=hidden),
    )


def held(tables: PolicyTables) -> None:
    """Every integer fits where the host writes it."""
    for name, value in asdict(tables.registers).items():
        assert isinstance(value, int) and 0 <= value < 1 << REGISTERS[name].bits, (name, value)
    for name, field in HEADER_OF.items():
        values = getattr(tables, name)
        assert 0 <= int(values.min()) and int(values.max()) < 1 << HEADER_FIELDS[field].bits, name
    boundaries = tables.boundaries
    assert 1 <= int(boundaries.min()) and int(boundaries.max()) < 1 << BOUNDARY_BITS
    assert (boundaries.diff(dim=2) >= 0).all()
    assert BOUNDARY_BITS == HEADER_FIELDS["b1"].bits == HEADER_FIELDS["b7"].bits


def numbers(name: str) -> strategies.SearchStrategy[str]:
    """Texts of a field's numbers: in its range, at its limits, and any."""
    known = Policy.ranges[name]
    if known.whole:
        inside = strategies.integers(int(known.low), int(known.high))
        return (inside | strategies.integers()).map(str)
    limits = strategies.sampled_from([known.low, known.high])
    return (strategies.floats(known.low, known.high) | limits | strategies.floats()).map(
        lambda value: repr(float(value))
    )


FIELDS = {name: numbers(name) for name in RADIT_DEFAULTS if name in Policy.ranges and name != "schedule"} | {
    "schedule": strategies.sampled_from(["linear", "cosine"])
    | strategies.lists(numbers("schedule"), min_size=1, max_size=12).map("/".join),
    "scope": strategies.sampled_from([scope.value for scope in Scope]),
    "plan": strategies.text("BLN-", min_size=STEPS, max_size=STEPS),
    "difference": strategies.booleans().map(str),
}


@settings(max_examples=150)
@given(
    strategies.sampled_from(["radit", "forecast", "planned"]),
    strategies.fixed_dictionaries({}, optional=FIELDS),
    strategies.floats(1e-6, 1e3),
    strategies.floats(1e-6, 1e3),
)
def test_whatever_is_taken_fits_its_registers(name: str, given: dict[str, str], scale: float, rms: float) -> None:
    text = ":".join([name, *(f"{field}={value}" for field, value in given.items())])
    try:
        policy = parse_policy(text)
    except UserError as error:
        assert str(error).isprintable() and any(field in str(error) for field in (*given, "small"))
        return
    assert parse_policy(policy.text) == policy
    if policy.lacks_plan:
        with pytest.raises(UserError, match="has no plan"):
            tables_of(policy, model(scale, rms))
        return
    held(tables_of(policy, model(scale, rms)))


def test_boundaries_end_where_int8_does() -> None:
    """Beyond it they stay at its end, however far they are: larger than an int64 here."""
    found = code_boundaries(model(scale=1e-30), 0.4, 4096.0)
    assert (found == (1 << BOUNDARY_BITS) - 1).all()
    assert (code_boundaries(model(scale=1e30), 0.4, 1.2) == 1).all()


def test_fields_are_numbers_of_their_kind() -> None:
    policy = radit(threshold=0, max_streak=True + 1, schedule=[1, 2])
    assert repr(policy.threshold) == "0.0" and policy.schedule == (1.0, 2.0) and policy == replace(policy)
    for bad in ({"threshold": True}, {"max_streak": 2.0}, {"first_dense": 10**24}, {"gain": None}, {"schedule": ()}):
        with pytest.raises(UserError, match=f"Policy field {next(iter(bad))} "):
            radit(**bad)
