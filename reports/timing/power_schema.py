"""Gate-level power in ``timing.json``."""

from __future__ import annotations

from radit.reports.common.schema_parts import Amount, Count, Part, Share


class PartPower(Part):
    """A part of the machine, or all of it.

    Fields:
        clock_pj: clock pins of its flip-flops, per cycle: internal energy and load.
        data_pj: everything that moves with data, per cycle.
        leakage_nw: of its cells.
        flip_flops, cells: how many it has.
        activity: mean of the flip-flops' changes per cycle.
    """

    clock_pj: Amount
    data_pj: Amount
    leakage_nw: Amount
    flip_flops: Count
    cells: Count
    activity: Amount


class Power(Part):
    """Power of a build at work, at the library's own node and voltage.

    Fields:
        workload: what ran while the activities were taken.
        cycles: of it.
        parts: by part of the machine.
        traced: share of the flip-flops whose activity is that of the run; the others take their part's mean.
    """

    workload: str
    cycles: Count
    parts: dict[str, PartPower]
    traced: Share
