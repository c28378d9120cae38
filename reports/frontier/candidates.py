"""What ``radit frontier`` compares: policies with their settings, each in place of a dense run of ``base_steps``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from radit.model.baselines.base import Method
from radit.model.baselines.fewer_steps import FewerSteps
from radit.model.comparison.catalogue import DETECTORS, METHODS, parse_method
from radit.model.errors import UserError, shown
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.reference import Reference
from radit.model.policy.skip_policy import Policy, parse_policy
from radit.reports.cost.policy_costs import PolicyCosts

FEWER = FewerSteps.name
SWEEPS: dict[str, tuple[str, tuple[float, ...]]] = {
    FEWER: ("steps", (40, 30, 25, 20, 15, 12, 10)),
    "fora": ("interval", (2, 3, 4)),
    "taylorseer": ("interval", (2, 3, 4, 5)),
    "smoothcache": ("alpha", (0.05, 0.11, 0.2)),
    "fbcache": ("threshold", (0.03, 0.08, 0.17)),
    "teacache": ("threshold", (0.025, 0.06, 0.11)),
    "blockl1": ("threshold", (0.025, 0.07, 0.2)),
    "radit": ("threshold", (0.14, 0.19, 0.28)),
    "forecast": ("threshold", (0.045, 0.07, 0.1, 0.14, 0.19, 0.25)),
}


@dataclass(frozen=True)
class Candidate:
    """One point of the frontier.

    Fields:
        text: the policy as `parse_method` or `parse_policy` reads it.
        base_steps: timesteps of the dense run that it replaces.
        ours: what the policy of its name is without settings; None: that policy's defaults.
    """

    text: str
    base_steps: int
    ours: Policy | None = None

    @property
    def name(self) -> str:
        return self.text.partition(":")[0]

    @property
    def settings(self) -> str:
        return self.text.partition(":")[2]

    @cached_property
    def policy(self) -> Method | Policy:
        if self.name in METHODS:
            return parse_method(self.text, "--policies")
        return parse_policy(self.text, self.ours, "--policies")

    @cached_property
    def costs(self) -> PolicyCosts:
        """What the policy asks of the machine."""
        return PolicyCosts(self.policy)

    @property
    def sampler_steps(self) -> int:
        """Timesteps that run."""
        return self.costs.sampler_steps(self.base_steps)

    def reference(self, integer: IntegerDiT) -> Reference:
        """The integer model under this policy."""
        return self.costs.reference(integer)

    def digest(self) -> str:
        """SHA-256 (hex) of the policy and of the timesteps."""
        facts = [self.policy.digest(), self.base_steps, self.sampler_steps]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def candidates(policies: list[str], bases: list[int], ours: Policy | None = None) -> list[Candidate]:
    """Points of "all", of names (their whole sweep; a detector's: its defaults) and of policies with settings, at each
    number of base steps.

    Fewer steps replace the largest base alone: smaller ones are themselves fewer steps, and get every second setting.

    Raises:
        UserError: a policy is unknown, its settings do not fit, or there is no point.
    """
    texts = [(base, text) for base in bases for policy in policies for text in _texts(policy, base, max(bases))]
    found = [Candidate(text, base, ours) for base, text in texts]
    kept = [one for one in dict.fromkeys(found) if one.name != FEWER or one.base_steps == max(bases)]
    for one in kept:
        one.policy  # noqa: B018  a bad text is refused before anything runs
    if not kept:
        raise UserError(
            f"--policies is {shown(','.join(policies))}, of which {max(bases)} steps leave no point: give more "
            "--steps, or another policy."
        )
    return kept


def _texts(policy: str, base: int, largest: int) -> list[str]:
    """The texts of one entry of --policies at one of the bases."""
    name, _, settings = policy.partition(":")
    if name not in ("all", *SWEEPS, *DETECTORS):
        names = ", ".join((*SWEEPS, *DETECTORS))
        raise UserError(f"--policies is {shown(policy)}: choose all, {names}, or one of them with settings.")
    if settings or name in DETECTORS:
        return [policy]
    swept, every = SWEEPS if name == "all" else [name], 1 if base == largest else 2
    pairs = [(each, field, value) for each in swept for field, values in [SWEEPS[each]] for value in values[::every]]
    return [f"{each}:{field}={value}" for each, field, value in pairs if each != FEWER or value < largest]
