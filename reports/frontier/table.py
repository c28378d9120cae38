"""The result of ``radit frontier`` as Markdown."""

from __future__ import annotations

from radit.reports.common.markdown import code, paragraph, power_text, table
from radit.reports.frontier.candidates import DENSE, OURS
from radit.reports.frontier.schema import Budget, Convergence, Frontier, FrontierPoint, Gain

HEADS = ("policy", "on", "evaluations", "mean error", "median", "95 %", "tipped", "FD")


def frontier_tables(result: Frontier) -> str:
    """Who errs least at each budget, what each takes for equal errors, and every point, with what was run above."""
    order = {"int8": 0, "float": 1}
    points = sorted(result.points, key=lambda p: (order[p.arithmetic], p.policy, p.solver, p.steps, p.evaluations))
    every = "Every point; the file has energy, bytes, the error to dense and the accuracy as well:"
    return "\n\n".join([frontier_summary(result), every, table(HEADS, (_point(point) for point in points))])


def frontier_summary(result: Frontier) -> str:
    """Who errs least at each budget, and what each takes for equal errors, with what was run above."""
    noise = f" Frechet distances within {result.fd_noise:.2g} of each other say nothing." if result.fd_noise else ""
    setting = (
        f"{result.samples:,} samples of seed {result.seed}, model {code(result.model)}, guidance {result.cfg:g}. "
        f"Policies are on top of {result.best_solver}. Images and decisions are measured on the bit-exact integer "
        f"model, or on the float model where said; cycles, in dense evaluations, bytes and energy are modelled.{noise}"
    )
    parts = [paragraph(setting), paragraph(_judge(result.convergence))]
    parts += [paragraph(f"**{result.caution}**")] if result.caution else []
    parts += ["Least errors at equal cycles:", _budgets(result.budgets)]
    return "\n\n".join([*parts, "Evaluations for the error of the best dense solver:", _gains(result.gains)])


def _judge(judge: Convergence) -> str:
    """What errors are taken to, and why that may be."""
    checks = " and ".join(f"{name}: {power_text(error)}" for name, error in judge.checks.items())
    return (
        f"Errors are squared differences to the converged images, {judge.sampler}, on the float model. Other samplers "
        f"come to the same, {checks} on the first {judge.samples}. A sample has tipped over where it errs by more than "
        f"a tenth of the squared distance of two pictures of one label, {judge.picture_distance:.2g}."
    )


def _budgets(budgets: list[Budget]) -> str:
    heads = ("evaluations, error", "dense", "by", *OURS, "best other", "winner")
    return table(heads, (_budget(one) for one in budgets))


def _budget(one: Budget) -> list[str]:
    others = {name: error for name, error in one.by_policy.items() if name not in OURS}
    ours = [power_text(one.by_policy[name]) if name in one.by_policy else "" for name in OURS]
    best = min(others.items(), key=lambda item: item[1], default=None)
    other = "" if best is None else f"{power_text(best[1])} ({best[0]})"
    return [
        f"{one.evaluations:g}, {one.statistic}", power_text(one.dense), one.dense_sampler, *ours, other,
        f"`{one.winner}`",
    ]  # fmt: skip


def _gains(gains: list[Gain]) -> str:
    heads = ("dense evaluations, error", "that error", *OURS, "best other", "least")
    return table(heads, (_gain(one) for one in gains))


def _gain(one: Gain) -> list[str]:
    others = {name: cost for name, cost in one.by_policy.items() if name not in (*OURS, DENSE)}
    ours = [f"{one.by_policy[name]:.1f}" if name in one.by_policy else "" for name in OURS]
    best = min(others.items(), key=lambda item: item[1], default=None)
    least = min(one.by_policy.items(), key=lambda item: item[1], default=None)
    return [
        f"{one.evaluations:g}, {one.statistic}", power_text(one.error), *ours,
        "" if best is None else f"{best[1]:.1f} ({best[0]})",
        "" if least is None else f"`{least[0]}`, {one.evaluations / least[1]:.2f}x",
    ]  # fmt: skip


def _point(point: FrontierPoint) -> list[str]:
    name = f"{point.policy}:{point.settings}" if point.settings else point.policy
    error = point.error
    return [
        f"`{name}`" if point.arithmetic == "int8" else f"`{name}`, float",
        f"{point.steps} of {point.solver}, {point.spacing}",
        f"{point.evaluations:.1f}",
        f"{_short(error.mean)} +- {_short(error.standard_error)}",
        _short(error.median),
        _short(error.percentile_95),
        f"{error.tipped_over:.1%}",
        f"{point.fd:.1f}",
    ]


def _short(value: float) -> str:
    """A small number with two digits."""
    return f"{value:.1e}".replace("e-0", "e-") if value else "0"
