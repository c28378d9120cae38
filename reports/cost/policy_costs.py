"""What a policy asks of the machine, ours or one that exists in software alone: tables, traffic, cached results."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from radit.accel.dims import Dims
from radit.accel.interfaces.top_ports import STREAM_WORDS
from radit.model.baselines.base import Method
from radit.model.comparison.compared_reference import tables_of
from radit.model.comparison.running import reference_of
from radit.model.detectors.detector import Detector
from radit.model.formats import CODE_BITS
from radit.model.integer.decision_record import DecisionRecord
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.policy_tables import PolicyTables
from radit.model.integer.reference import Reference
from radit.model.policy.skip_policy import Policy, Scope, dense
from radit.reports.cost.run_tables import RunTables


@dataclass(frozen=True)
class PolicyCosts:
    """A policy as counts, cycles and energy see it."""

    policy: Method | Policy

    @property
    def reuses(self) -> bool:
        """Whether it caches branches at all; otherwise it is a dense run."""
        return self.policy.name != "dense"

    @property
    def cached_results(self) -> int:
        """Branches kept of each sub-block, or streams of each context."""
        return 1 + (self.policy.forecast_order if isinstance(self.policy, Method) else int(self.policy.gain > 0))

    @property
    def stream_scope(self) -> bool:
        """Whether streams of contexts, or what a timestep adds to them, are kept in place of branches."""
        if isinstance(self.policy, Policy | Detector):
            return self.policy.scope is Scope.STREAM
        return self.policy.whole_stream

    def streams(self, sub_blocks: int) -> int:
        """Streams, or residuals of them, kept of each context in place of branches."""
        spans = self.policy.spans(sub_blocks) if isinstance(self.policy, Method) else ()
        return len(spans) + self._takes_residuals(sub_blocks) or int(self.stream_scope)

    def _takes_residuals(self, sub_blocks: int) -> bool:
        """Whether what sub-blocks add to the stream is kept, for which the stream before them is kept as well."""
        return isinstance(self.policy, Method) and bool(self.policy.spans(sub_blocks)) and not self.policy.keeps_output

    def compared(self, sub_blocks: int) -> int:
        """Sub-blocks whose input is compared with one that is kept."""
        if isinstance(self.policy, Method):
            return len(self.policy.watched(sub_blocks))
        if self.policy.plan or self.policy.lacks_plan:
            return 0
        return sub_blocks if self.policy.scope is Scope.SUB_BLOCK else 1

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

    def run_tables(self, record: DecisionRecord, tables: PolicyTables) -> RunTables:
        """Tables of the run of one image; the host gives those of a software policy."""
        if not self.reuses or isinstance(self.policy, Policy):
            return RunTables.of(tables)
        subs, policy = record.sub_blocks, self.policy
        follow: np.ndarray = ~np.isin(np.arange(subs), policy.watched(subs))
        return replace(
            RunTables.of(tables),
            forced=self._forced(record, tables),
            follow=np.tile(follow, (record.timesteps, 1)),
            stream_scope=self.stream_scope,
            order=max(policy.forecast_order, 1),
            spans=() if self.stream_scope else policy.spans(subs),
            streams=self.streams(subs),
        )

    def _forced(self, record: DecisionRecord, tables: PolicyTables) -> np.ndarray:
        """Timesteps bool [timestep] known beforehand to compute everything, of one image.

        Where decisions do not depend on the image that is every such timestep, else the detector's, or the first.
        """
        full: np.ndarray = np.all(record.computed, axis=(0, 2, 3))
        if isinstance(self.policy, Method) and self.policy.planned:
            return full
        return tables.force.numpy() if isinstance(self.policy, Detector) else full & (np.arange(len(full)) == 0)

    def charged(self, counts: dict[str, int], dims: Dims) -> dict[str, int]:
        """The counters of a run (`expected_counts`) with what a detector keeps in place of the CCU's codes, and what
        residuals take beside themselves."""
        if self._takes_residuals(dims.sub_blocks):
            return counts | self._charged_residuals(counts)
        if not isinstance(self.policy, Detector):
            return counts
        values = dims.tokens * dims.hidden
        cost, stored = self.policy.cost(values), self.policy.kept_bits(values)
        kept = {name: round(counts[name] * stored / CODE_BITS) for name in ("history_reads", "code_reads")}
        kept["code_reads"] = kept["history_reads"] if cost.always else kept["code_reads"]
        checked = counts["cache_writes"] * cost.checks
        kept["cache_reads"] = counts["cache_reads"] + checked
        kept["slope_reads"] = counts["slope_reads"] + checked
        return counts | kept

    def _charged_residuals(self, counts: dict[str, int]) -> dict[str, int]:
        """A computation writes the stream that enters, and reads it behind the span to subtract it; a whole timestep
        that is reused reads the stream that it adds to."""
        added = counts["cache_reads"] // STREAM_WORDS if self.stream_scope else 0
        return {
            "cache_writes": 2 * counts["cache_writes"],
            "cache_reads": counts["cache_reads"] + counts["cache_writes"],
            "x_reads": counts["x_reads"] + added,
        }
