"""``radit frontier``: dense solvers, published caching policies and ours, as image error against cost.

Every solver runs dense on the float model with every spacing of its timesteps; at its best spacing on the integer
model too; the policies on top of the best of them. Errors are to the converged images (`model/quality/converged.py`).
Images and decisions come from the float or the bit-exact integer model, cycles from the cycle model, which equals the
RTL; traffic and energy from the same counts and tables as a co-simulation's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from radit.model.dit.checkpoint import load_config
from radit.model.dit.sampler import Sampler
from radit.model.dit.sampler_names import Solver, Spacing
from radit.model.outputs import output_folder
from radit.model.quality.converged import CHECKS, CONVERGED, caution, paired_errors, picture_distance
from radit.model.quality.judge import Judge, judge_of
from radit.model.quality.measures import mse
from radit.model.quality.quality_run import CACHE, stored_path, stored_result
from radit.model.system.workers import Workers
from radit.reports.common.files import PLOTS, point_files, write_points
from radit.reports.frontier.candidates import DENSE, FLOAT, HISTORICAL, Candidate, candidates, dense_samplers
from radit.reports.frontier.costs import costs
from radit.reports.frontier.measure import ARRAY, MEMORY, POINTS, Measured, Settings, calibrated, measure
from radit.reports.frontier.plot import plot
from radit.reports.frontier.schema import Convergence, Frontier, FrontierPoint
from radit.reports.frontier.winners import budgets, gains

STEM = "frontier"
HISTORY = Sampler(50)  # what published policies are compared with
CHECKED = 64  # samples whose convergence is looked at
KEPT = 4  # runs whose images are in memory at a time, beside the points
RULES = [
    f"Array {ARRAY[0]}x{ARRAY[1]}, memory latency {MEMORY.latency} cycles, {MEMORY.bandwidth:g} bytes per cycle; "
    "cycles of every image by the cycle model from its own decisions, mean over the images.",
    "An evaluation is a dense timestep: evaluations of a point are its cycles over those of one, of a dense run its "
    "timesteps; heun takes one less where the number is even.",
    "Only dense, radit, forecast and planned, without a threshold and with slopes by the timesteps, run on the "
    "hardware. The other policies exist in software alone: their "
    "cycles are those of this machine if it took their decisions, with skipping switched on and the decision for free.",
    "All policies cache the branches of sub-blocks before the gate and pay the traffic of that cache, but for those "
    "that keep what blocks add to the stream: fbcache and dbcache for all blocks in the middle, dbprune for each "
    "block, teacache and magcache for the whole timestep; bwcache keeps the stream itself. Both are 16 bits a value; "
    "what is added is paid with the stream that it is taken from, written and read once per computation. Forecasts pay "
    "for as many branches as they take.",
    "Policies that compare nothing (fora, taylorseer, smoothcache, magcache) pay no history traffic and no detection "
    "energy. Those that compare pay them as the CCU does, 4 bits a value, for the sub-blocks they watch: fbcache, "
    "dbcache, bwcache, teacache and forecast 1, dbprune the first of each block that may be reused, radit all. The "
    "others are decided before their pass, or with the first of a span, without a pass of their own.",
    "Where a difference of contexts is forecast, the stream of the other context is taken from the same pass, word by "
    "word, without traffic.",
    "Policies that know their schedule beforehand ask for weights early in timesteps that compute everything.",
    "Energy is nominal, host included; external bytes are those of the memory ports, without the host's streams.",
    "Solvers are chosen by the mean error of the float model: the best spacing of each at each number of evaluations, "
    "and as the one under the policies that with the least geometric mean over all numbers.",
]


@dataclass(frozen=True)
class Wanted:
    """What is to be compared.

    Fields:
        solvers, spacings, evaluations: of dense runs, every one with every other.
        policies: as `candidates` takes them, on top of the best solver.
        history: also run dense, radit and forecast on top of `HISTORY`.
    """

    solvers: tuple[Solver, ...]
    spacings: tuple[Spacing, ...]
    evaluations: tuple[int, ...]
    policies: tuple[str, ...]
    history: bool = True

    @property
    def samplers(self) -> list[Sampler]:
        """Of the dense runs."""
        return dense_samplers(self.solvers, self.spacings, self.evaluations)


def run_frontier(settings: Settings, wanted: Wanted, *, workers: Workers, out: Path) -> Frontier:
    """Measure what is missing under ``out``/points; write frontier.json, frontier.csv and the plots.

    Raises:
        UserError: nobody judges what the model generates, a policy does not parse, or nothing can be written to
            ``out``.
    """
    out = output_folder(out, files=point_files(STEM), folders=[POINTS])
    judge_of(settings.model)
    candidates(wanted.policies, wanted.samplers)  # refused before anything runs
    settings.check(max(CONVERGED.steps, *wanted.evaluations), workers.here, runs=KEPT)
    bench = _Bench(settings, out / POINTS, workers)
    on_float = bench.run([Candidate(FLOAT, sampler) for sampler in wanted.samplers])
    best = best_solver(on_float)
    dense = bench.run([Candidate(DENSE, sampler) for sampler in best_spacings(on_float)])
    bases = [one for one in wanted.samplers if (one.solver, one.spacing) == best]
    on_top = bench.run(candidates(wanted.policies, bases, calibrated(settings.model, bases[-1])))
    old = [HISTORY] if wanted.history else []
    before = bench.run([Candidate(DENSE, one) for one in old])
    before += bench.run(candidates(HISTORICAL if old else (), old, calibrated(settings.model, HISTORY)))
    points = bench.with_evaluations([*on_float, *dense, *on_top, *before])
    result = Frontier(
        **asdict(settings),
        convergence=bench.convergence,
        best_solver=", ".join(best),
        fd_noise=_fd_noise(settings.model),
        caution=caution(settings.samples),
        rules=RULES,
        points=points,
        budgets=budgets(points, wanted.evaluations),
        gains=gains(points, wanted.evaluations),
    )
    write_points(out, STEM, result, {kind: plot(result, kind) for kind in PLOTS})
    return result


def best_spacings(on_float: Iterable[FrontierPoint]) -> list[Sampler]:
    """Of each solver at each number of steps the sampler with the least mean error."""
    least: dict[tuple[Solver, int], FrontierPoint] = {}
    for point in on_float:
        place = point.solver, point.steps
        if place not in least or point.error.mean < least[place].error.mean:
            least[place] = point
    return [_sampler_of(point) for point in least.values()]


def best_solver(on_float: Iterable[FrontierPoint]) -> tuple[Solver, Spacing]:
    """Solver and spacing of the least geometric mean error over all numbers of evaluations."""
    errors: dict[tuple[Solver, Spacing], list[float]] = {}
    for point in on_float:
        errors.setdefault((point.solver, point.spacing), []).append(math.log(max(point.error.mean, 1e-12)))
    return min(errors, key=lambda name: sum(errors[name]) / len(errors[name]))


def _sampler_of(point: FrontierPoint) -> Sampler:
    return Sampler(point.steps, solver=point.solver, spacing=point.spacing)


class _Bench:
    """Runs points, and judges them by the converged images."""

    def __init__(self, settings: Settings, folder: Path, workers: Workers) -> None:
        self._settings, self._folder, self._workers = settings, folder, workers
        self._labels = torch.arange(settings.samples) % load_config(settings.model).num_classes
        self._judge: Judge = judge_of(settings.model)(CACHE)
        self._dense: dict[Sampler, Tensor] = {}
        self._converged = self._float_images(settings, CONVERGED)[CONVERGED]
        few = replace(settings, samples=min(settings.samples, CHECKED))
        images = self._float_images(few, CONVERGED, *CHECKS)
        self.convergence = Convergence(
            sampler=CONVERGED.text,
            samples=few.samples,
            checks={sampler.text: mse(images[sampler], images[CONVERGED]) for sampler in CHECKS},
            picture_distance=picture_distance(self._converged, self._labels),
        )

    def _float_images(self, settings: Settings, *samplers: Sampler) -> dict[Sampler, Tensor]:
        """What the float model makes of the noise."""
        found = measure(settings, [Candidate(FLOAT, sampler) for sampler in samplers], self._folder, self._workers)
        return {one.sampler: torch.from_numpy(point.images) for one, point in found.items()}

    def run(self, wanted: list[Candidate]) -> list[FrontierPoint]:
        """The points, from their files or run now. Dense runs come before what is compared with them."""
        found = measure(self._settings, wanted, self._folder, self._workers)
        for one, point in found.items():
            if one.text == DENSE:
                self._dense[one.sampler] = torch.from_numpy(point.images)
        return [self._point(one, point) for one, point in found.items()]

    def _point(self, one: Candidate, found: Measured) -> FrontierPoint:
        """Quality and cost of a point; its evaluations are its steps for now."""
        images, dense = torch.from_numpy(found.images), self._dense.get(one.sampler)
        spent = {"cycles": None, "macs": None, "energy_uj": None, "external_bytes": None}
        measures = self._judge.measure(images, self._labels)
        return FrontierPoint(
            policy=DENSE if one.is_float else one.name,
            settings=one.settings,
            arithmetic="float" if one.is_float else "int8",
            solver=one.sampler.solver,
            spacing=one.sampler.spacing,
            steps=one.sampler.steps,
            evaluations=one.sampler.steps,
            **(spent if one.is_float else asdict(costs(self._settings, one, found))),
            error=paired_errors(images, self._converged, self.convergence.picture_distance),
            mse_to_dense=None if dense is None or one.is_float else mse(images, dense),
            fd=measures["fd"],
            accuracy=measures["accuracy"],
            saturations=found.saturations,
        )

    def with_evaluations(self, points: list[FrontierPoint]) -> list[FrontierPoint]:
        """The points of policies with their cycles over those of a timestep of the longest dense run."""
        dense = [point for point in points if point.policy == DENSE and point.cycles is not None]
        longest = max(dense, key=lambda point: point.steps)
        assert longest.cycles is not None
        timestep = longest.cycles / longest.steps
        return [
            point
            if point.policy == DENSE or point.cycles is None
            else point.model_copy(update={"evaluations": point.cycles / timestep})
            for point in points
        ]


def _fd_noise(model: str) -> float | None:
    """The spread of the Frechet distance over seeds, as `radit quality` measured it."""
    found = stored_result(stored_path(model))
    return None if found is None else found["result"]["fd_noise"]
