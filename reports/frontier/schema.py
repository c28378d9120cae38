"""``frontier.json``: image error against cost for dense solvers, published caches and ours, who wins where, and by how
much.

Images and decisions are *measured*, on the float or the bit-exact integer model; cycles, traffic and energy are
*modelled*.
"""

from __future__ import annotations

from typing import Literal

from radit.model.dit.sampler_names import Solver, Spacing
from radit.model.quality.quality_schema import PairedErrors
from radit.reports.common.schema_parts import Amount, Count, Number, Part, Positive, Share

Statistic = Literal["mean", "median"]
Arithmetic = Literal["int8", "float"]


class FrontierPoint(Part):
    """A policy with its settings on top of a sampler. Costs are of one image, mean over all.

    Fields:
        settings: FIELD=VALUE with colons between.
        solver, spacing, steps: of the sampler.
        evaluations: cycles over those of one dense timestep; of the float model its steps.
        cycles, macs, energy_uj, external_bytes: None of the float model, see `MeanCosts`.
        error: to the converged images.
        mse_to_dense: to the dense int8 images of the same sampler; None: it was not run dense in int8.
        fd: Frechet distance to the data.
        accuracy: share of samples that a classifier takes for their label.
        saturations: values that a 16-bit format clamped.
    """

    policy: str
    settings: str
    arithmetic: Arithmetic
    solver: Solver
    spacing: Spacing
    steps: Count
    evaluations: Positive
    cycles: Positive | None
    macs: Positive | None
    energy_uj: Positive | None
    external_bytes: Positive | None
    error: PairedErrors
    mse_to_dense: Amount | None
    fd: Number
    accuracy: Share
    saturations: Count
    cycles_are: Literal["modelled"] = "modelled"

    def error_by(self, statistic: Statistic) -> float:
        """The mean, or the median, error."""
        return self.error.mean if statistic == "mean" else self.error.median


class Budget(Part):
    """The least errors at so many dense evaluations, or fewer, int8.

    Fields:
        dense: error of the best dense solver, and which it is.
        by_policy: error of each policy at its best sampler and settings, of those that reach the budget.
        winner: policy of the least error, "dense" among them.
    """

    evaluations: Amount
    statistic: Statistic
    dense_sampler: str
    dense: Amount
    by_policy: dict[str, Amount]
    winner: str


class Gain(Part):
    """How many evaluations a policy takes for the error of the best dense solver with `evaluations` of them.

    Fields:
        by_policy: of those that reach the error; fewer evaluations than the solver's are a gain.
    """

    evaluations: Amount
    statistic: Statistic
    error: Amount
    by_policy: dict[str, Positive]


class Convergence(Part):
    """What the converged images are, and that they are converged.

    Fields:
        sampler: that makes them, of the float model.
        checks: mean error of other samplers to them, of the first so many samples.
        picture_distance: mean squared difference of two of them with one label.
    """

    sampler: str
    samples: Count
    checks: dict[str, Amount]
    picture_distance: Amount


class Frontier(Part):
    """The whole of frontier.json.

    Fields:
        fd_noise: spread of the distance over seeds: smaller differences say nothing; None: not known of this model.
        caution: what to beware of, or nothing.
        best_solver: that the policies are on top of.
        rules: how costs are counted.
    """

    model: str
    samples: Count
    cfg: Amount
    seed: Count
    convergence: Convergence
    best_solver: str
    fd_noise: Amount | None
    caution: str
    rules: list[str]
    points: list[FrontierPoint]
    budgets: list[Budget]
    gains: list[Gain]
