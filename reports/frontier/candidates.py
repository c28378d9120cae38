"""What ``radit frontier`` compares: policies with their settings, each in place of a dense run of ``base_steps``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from accel.dims import Dims
from model.baselines.base import Method
from model.baselines.fewer_steps import FewerSteps
from model.comparison.catalogue import DETECTORS, METHODS, parse_method
from model.comparison.compared_reference import tables_of
from model.comparison.running import reference_of
from model.detectors.detector import Detector
from model.errors import UserError
from model.formats import CODE_BITS
from model.integer.integer_dit import IntegerDiT
from model.integer.policy_tables import PolicyTables
from model.integer.reference import Reference
from model.policy.skip_policy import Policy, dense, parse_policy
from reports.cost.run_tables import Orders

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
        return parse_method(self.text) if self.name in METHODS else parse_policy(self.text, self.ours)

    @property
    def sampler_steps(self) -> int:
        """Timesteps that run."""
        return self.policy.sampler_steps(self.base_steps) if isinstance(self.policy, Method) else self.base_steps

    @property
    def reuses(self) -> bool:
        """Whether it caches branches at all; otherwise it is a dense run."""
        return self.name not in (FEWER, "dense")

    @property
    def cached_results(self) -> int:
        """Branches kept of each sub-block, or streams of each context."""
        forecasts = (self.policy.slope_gain if isinstance(self.policy, Method) else self.policy.gain) > 0
        return 1 + forecasts * (self.policy.order if isinstance(self.policy, Detector) else 1)

    @property
    def whole(self) -> bool:
        """Whether streams of contexts are kept in place of branches."""
        return isinstance(self.policy, Policy | Detector) and self.policy.whole

    def compared(self, sub_blocks: int) -> int:
        """Sub-blocks whose input is compared with one that is kept."""
        if isinstance(self.policy, Method):
            return len(self.policy.watched(sub_blocks))
        return 1 if self.policy.together else sub_blocks

    def tables(self, integer: IntegerDiT) -> PolicyTables:
        """The integers of a run."""
        if not self.reuses:
            return dense().tables(integer)
        return tables_of(self.policy, integer) if isinstance(self.policy, Method) else self.policy.tables(integer)

    def reference(self, integer: IntegerDiT) -> Reference:
        """The integer model under this policy."""
        if self.reuses and isinstance(self.policy, Method):
            return reference_of(integer, self.policy)
        return Reference(integer, self.tables(integer))

    def _forced(self, computed: np.ndarray, tables: PolicyTables) -> np.ndarray:
        """Timesteps [timestep] known beforehand to compute everything, of decisions [timestep, sub_block, context].

        Where decisions do not depend on the image that is every such timestep, else the detector's, or the first.
        """
        full: np.ndarray = np.all(computed, axis=(1, 2))
        if isinstance(self.policy, Method) and self.policy.planned:
            return full
        return tables.force.numpy() if isinstance(self.policy, Detector) else full & (np.arange(len(full)) == 0)

    def charged(self, counts: dict[str, int], dims: Dims) -> dict[str, int]:
        """The counters of a run (`expected_counts`) with what a detector keeps in place of the CCU's codes."""
        if not isinstance(self.policy, Detector):
            return counts
        cost = self.policy.cost(dims.tokens * dims.hidden)
        kept = {name: round(counts[name] * cost.stored_bits / CODE_BITS) for name in ("history_reads", "code_reads")}
        kept["code_reads"] = kept["history_reads"] if cost.always else kept["code_reads"]
        checked = counts["cache_writes"] * cost.checks
        kept["cache_reads"] = counts["cache_reads"] + checked
        kept["slope_reads"] = counts["slope_reads"] * self.policy.order + checked
        return counts | kept

    def orders(self, computed: np.ndarray, tables: PolicyTables) -> Orders:
        """Orders of a run with decisions [timestep, sub_block, context]; the host gives those of a software policy."""
        if not self.reuses or isinstance(self.policy, Policy):
            return Orders.of(tables)
        follow: np.ndarray = ~np.isin(np.arange(computed.shape[1]), self.policy.watched(computed.shape[1]))
        forced = self._forced(computed, tables)
        return replace(Orders.of(tables), forced=forced, follow=np.tile(follow, (len(computed), 1)))

    def digest(self) -> str:
        """SHA-256 (hex) of the policy and of the timesteps."""
        facts = [self.policy.digest(), self.base_steps, self.sampler_steps]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def candidates(policies: list[str], bases: list[int], ours: Policy | None = None) -> list[Candidate]:
    """Points of "all", of names (their whole sweep; a detector's: its defaults) and of policies with settings, at each
    number of base steps.

    Fewer steps replace the largest base alone: smaller ones are themselves fewer steps, and get every second setting.

    Raises:
        UserError: a policy is unknown or its settings do not fit.
    """
    texts = [(base, text) for base in bases for policy in policies for text in _texts(policy, base, max(bases))]
    found = [Candidate(text, base, ours) for base, text in texts]
    kept = [one for one in dict.fromkeys(found) if one.name != FEWER or one.base_steps == max(bases)]
    for one in kept:
        one.policy  # noqa: B018  a bad text is refused before anything runs
    return kept


def _texts(policy: str, base: int, largest: int) -> list[str]:
    """The texts of one entry of --policies at one of the bases."""
    name, _, settings = policy.partition(":")
    if name not in ("all", *SWEEPS, *DETECTORS):
        names = ", ".join((*SWEEPS, *DETECTORS))
        raise UserError(f"--policies is '{policy}': choose all, {names}, or one of them with settings.")
    if settings or name in DETECTORS:
        return [policy]
    swept, every = SWEEPS if name == "all" else [name], 1 if base == largest else 2
    pairs = [(each, field, value) for each in swept for field, values in [SWEEPS[each]] for value in values[::every]]
    return [f"{each}:{field}={value}" for each, field, value in pairs if each != FEWER or value < largest]
