"""``ablations.json``: variants of our policy, all at the same reductions of MACs.

Images and decisions are *measured* on the bit-exact integer model; costs are *modelled*.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import model_validator

from radit.model.dit.sampler_names import Solver, Spacing
from radit.model.plain_text import one_line
from radit.reports.common.schema_parts import Amount, Count, Number, Part, Positive, Share

MIN_ACROSS = 0.05  # of the logarithms: points nearer to each other make no line


class AblationPoint(Part):
    """A variant at one reduction. Reductions: the dense run over this one.

    Fields:
        policy, settings: of the variant, FIELD=VALUE with colons between.
        fd: Frechet distance to the data.
        accuracy: share of images that a classifier takes for their label.
        mse: paired with the dense image of the same noise.
        saturations: values that a 16-bit format clamped.
        group, label: what is changed, and how.
        wanted: the reduction of MACs that its threshold was chosen for, on other noise.
        threshold: of its distance, before the schedule.
        error: mse at exactly the wanted reduction, on the line (both logarithmic) through the variant's own points.
        ratio: that error over our policy's.
        ratio_spread: standard error of the ratio over the images, by bootstrap.
        stored_bits, operations, bit_operations: of the detector per value of a watched input (`Cost`).
        detection_bytes, branch_bytes: moved through the memory ports for it, and for the cached branches, per
            timestep, sub-block and context.
    """

    policy: str
    settings: str
    cycle_reduction: Positive
    mac_reduction: Positive
    energy_reduction: Positive
    external_bytes_reduction: Positive
    fd: Number
    accuracy: Share
    mse: Amount
    saturations: Count
    cycles_are: Literal["modelled"] = "modelled"
    group: str
    label: str
    wanted: Amount
    threshold: Amount
    error: Amount = 0.0
    ratio: Amount = 1.0
    ratio_spread: Amount = 0.0
    stored_bits: Amount
    operations: Amount
    bit_operations: Amount
    detection_bytes: Amount
    branch_bytes: Amount


class Ablations(Part):
    """The whole of ablations.json.

    Fields:
        steps, solver, spacing: of the sampler, dense and with every variant.
        tuning_images, tuning_seed: of the search for thresholds.
        rules: how errors and costs are counted.
    """

    model: str
    samples: Count
    cfg: Amount
    seed: Count
    steps: Count
    solver: Solver
    spacing: Spacing
    tuning_images: Count
    tuning_seed: Count
    rules: list[str]
    points: list[AblationPoint]

    @model_validator(mode="after")
    def _check_reductions(self) -> Ablations:
        """Every variant has a point at each reduction: they make a table."""
        wanted = sorted({point.wanted for point in self.points})
        for name in {(point.group, point.label) for point in self.points}:
            found = sorted(point.wanted for point in self.points if (point.group, point.label) == name)
            if found != wanted:
                raise ValueError(f"field points has variant {one_line(name)} at {found}, not once at each of {wanted}")
        return self


def error_at(points: list[AblationPoint], point: AblationPoint) -> float:
    """The error at exactly the wanted reduction; the point's own where the variant has no second one."""
    others = [one for one in points if one.label == point.label and one.group == point.group and one is not point]
    if not others or not point.mse:
        return point.mse
    other = min(others, key=lambda one: abs(math.log(one.mac_reduction / point.mac_reduction)))
    across = math.log(other.mac_reduction / point.mac_reduction)
    if not other.mse or abs(across) < MIN_ACROSS:
        return point.mse
    slope = math.log(other.mse / point.mse) / across
    return point.mse * math.exp(slope * math.log(point.wanted / point.mac_reduction))
