"""What the host orders besides a model: the tables of a run that decide which work the machine has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # torch comes with it, which projections do without
    from model.integer.policy_tables import PolicyTables


@dataclass(frozen=True)
class Orders:
    """Orders of one run; those that are None say no everywhere.

    Fields:
        policy_on: register ``policy`` bit 0: detect, cache and reuse; off, everything is computed.
        forced: bool [timestep], computes everything, so that weights are asked for early.
        gains: int [timestep, sub_block], Q1.7 gain of the forecast; 0: reused branches are taken as they are.
        follow: bool [timestep, sub_block], decided before its pass, without codes.
        whole: register ``whole``: sub-block 0 decides for the timestep, cached is the stream after the last one.
    """

    policy_on: bool
    forced: np.ndarray | None = None
    gains: np.ndarray | None = None
    follow: np.ndarray | None = None
    whole: bool = False

    @classmethod
    def of(cls, tables: PolicyTables) -> Orders:
        """What a policy's tables order."""
        return cls(tables.detect, tables.force.numpy(), tables.gains.numpy(), tables.follow.numpy(), tables.whole)

    def known(self, timestep: int) -> bool:
        """Whether it is certain beforehand that everything is computed."""
        return not self.policy_on or (self.forced is not None and bool(self.forced[timestep]))

    def following(self, shape: tuple[int, ...]) -> np.ndarray:
        """``follow`` as bool [timestep, sub_block] of a record of that shape."""
        if self.follow is None or not self.policy_on:
            return np.zeros(shape, bool)
        return self.follow[: shape[0]]


POLICY_OFF = Orders(policy_on=False)
POLICY_ON = Orders(policy_on=True)  # each sub-block encodes, compares and decides, none is forecast
