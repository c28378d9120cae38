"""What the host orders besides a model: the tables of a run that decide which work the machine has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from radit.model.integer.decision_record import DecisionRecord

if TYPE_CHECKING:  # torch comes with it, which projections do without
    from radit.model.integer.policy_tables import PolicyTables


@dataclass(frozen=True)
class RunTables:
    """Tables of one run as counts and cycles need them; those that are None say no everywhere.

    Fields:
        policy_on: register ``policy`` bit 0: detect, cache and reuse; off, everything is computed.
        forced: bool [timestep], computes everything, so that weights are asked for early.
        gains: int [timestep, sub_block], Q1.7 gain of the forecast; 0: reused branches are taken as they are.
        follow: bool [timestep, sub_block], decided before its pass, without codes.
        stream_scope: register ``stream_scope``: sub-block 0 decides for the timestep, cached is the stream after the
            last one.
        difference: register ``difference``: odd contexts cache and forecast what they differ by from the one before.
        order: results that a forecast takes beside the latest one, as far as there are so many.
        spans: sub-blocks in a row that are reused together as one residual of the stream, no two of them in one;
            decided by the first of them. In software alone, and never under stream scope.
        streams: kept of each context in the place of branches; 0: one under stream scope, else none.
    """

    policy_on: bool
    forced: np.ndarray | None = None
    gains: np.ndarray | None = None
    follow: np.ndarray | None = None
    stream_scope: bool = False
    difference: bool = False
    order: int = 1
    spans: tuple[range, ...] = ()
    streams: int = 0

    @classmethod
    def of(cls, tables: PolicyTables) -> RunTables:
        """Those of a policy."""
        return cls(
            policy_on=tables.detect,
            forced=tables.force.numpy(),
            gains=tables.gains.numpy(),
            follow=tables.follow.numpy(),
            stream_scope=tables.stream_scope,
            difference=tables.difference,
        )

    def known(self, timestep: int) -> bool:
        """Whether it is certain beforehand that everything is computed."""
        return not self.policy_on or (self.forced is not None and bool(self.forced[timestep]))

    @property
    def joined(self) -> frozenset[int]:
        """Sub-blocks that are reused with the one before them, and have no pass where all contexts are."""
        return frozenset(s for span in self.spans for s in span[1:])

    def following(self, record: DecisionRecord) -> np.ndarray:
        """``follow`` as bool [timestep, sub_block] of a record's timesteps."""
        if self.follow is None or not self.policy_on:
            return np.zeros((record.timesteps, record.sub_blocks), bool)
        return self.follow[: record.timesteps]


POLICY_OFF = RunTables(policy_on=False)
