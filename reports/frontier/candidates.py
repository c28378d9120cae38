"""What ``radit frontier`` compares: policies with their settings, each on top of a sampler."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from functools import cached_property

from radit.model.baselines.base import Method
from radit.model.comparison.catalogue import DETECTORS, METHODS, parse_method
from radit.model.dit.sampler import Sampler
from radit.model.dit.sampler_names import HEUN, Solver, Spacing
from radit.model.errors import UserError, shown
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.reference import Reference
from radit.model.policy.skip_policy import Policy, parse_policy
from radit.reports.cost.policy_costs import PolicyCosts

DENSE, FLOAT = "dense", "float"
HISTORICAL = ("radit", "forecast")  # on top of 50 steps of DDIM
OURS = (*HISTORICAL, "planned")
SWEEPS: dict[str, tuple[str, tuple[float, ...]]] = {
    "fora": ("interval", (2, 3)),
    "taylorseer": ("interval", (2, 3, 4)),
    "smoothcache": ("alpha", (0.05, 0.11, 0.17, 0.25)),
    "fbcache": ("threshold", (0.05, 0.08, 0.12, 0.17)),
    "dbcache": ("threshold", (0.08, 0.1, 0.13, 0.17)),
    "dbprune": ("threshold", (0.05, 0.065, 0.08, 0.12)),
    "bwcache": ("share", (0.05, 0.1, 0.2)),
    "teacache": ("threshold", (0.02, 0.03, 0.045, 0.06)),
    "magcache": ("threshold", (0.04, 0.06, 0.09, 0.12)),
    "radit": ("threshold", (0.14, 0.19, 0.28, 0.4, 0.55)),
    "forecast": ("threshold", (0.1, 0.14, 0.19, 0.25, 0.35, 0.5)),
    "planned": ("share", (0.5, 0.6, 0.7, 0.8)),
}


@dataclass(frozen=True)
class Candidate:
    """One point of the frontier.

    Fields:
        text: the policy as `parse_method` or `parse_policy` reads it; or `FLOAT`, the float model, dense.
        sampler: whose timesteps it computes or reuses.
        ours: what the policy of its name is without settings; None: that policy's defaults.
    """

    text: str
    sampler: Sampler
    ours: Policy | None = None

    @property
    def name(self) -> str:
        return self.text.partition(":")[0]

    @property
    def settings(self) -> str:
        return self.text.partition(":")[2]

    @property
    def is_float(self) -> bool:
        return self.text == FLOAT

    @cached_property
    def policy(self) -> Method | Policy:
        if self.name in METHODS:
            return parse_method(self.text, "--policies")
        return parse_policy(DENSE if self.is_float else self.text, self.ours, "--policies")

    @cached_property
    def costs(self) -> PolicyCosts:
        """What the policy asks of the machine."""
        return PolicyCosts(self.policy)

    def reference(self, integer: IntegerDiT) -> Reference:
        """The integer model under this policy."""
        return self.costs.reference(integer)

    def digest(self) -> str:
        """SHA-256 (hex) of the policy and of the timesteps."""
        facts = [self.is_float, self.policy.digest(), *astuple(self.sampler)]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def dense_samplers(solvers: Iterable[Solver], spacings: Iterable[Spacing], evaluations: Iterable[int]) -> list[Sampler]:
    """Every solver with every spacing and number of evaluations; heun takes odd numbers: one less than an even one."""
    found = []
    for solver in solvers:
        for count in evaluations:
            steps = count - 1 if solver == HEUN and count % 2 == 0 else count
            found += [Sampler(steps, solver=solver, spacing=spacing) for spacing in spacings]
    return list(dict.fromkeys(found))


def candidates(policies: Iterable[str], samplers: Iterable[Sampler], ours: Policy | None = None) -> list[Candidate]:
    """Points of "all", of names (their whole sweep; without one their defaults) and of policies with settings, on top
    of each sampler; where `labels` of a plan are more than a sampler's timesteps, that one is left out.

    Raises:
        UserError: a policy is unknown, or its settings do not fit.
    """
    texts = [text for policy in policies for text in _texts(policy)]
    found = list(dict.fromkeys(Candidate(text, sampler, ours) for sampler in samplers for text in texts))
    return [one for one in found if getattr(one.policy, "labels", 0) <= one.sampler.steps]  # refuses bad texts, too


def _texts(policy: str) -> list[str]:
    """The texts of one entry of --policies."""
    name, _, settings = policy.partition(":")
    if name not in ("all", *SWEEPS, *DETECTORS):
        names = ", ".join(dict.fromkeys((*SWEEPS, *DETECTORS)))
        raise UserError(f"--policies is {shown(policy)}: choose all, {names}, or one of them with settings.")
    if settings or name not in ("all", *SWEEPS):
        return [policy]
    swept = SWEEPS if name == "all" else [name]
    return [f"{each}:{field}={value}" for each in swept for field, values in [SWEEPS[each]] for value in values]
