"""``radit explore``: every point of a design space, by the cycle and energy models; all of it is *modelled*.

A point's numbers are those of the `radit project` command that it names. Finished points are kept under ``OUT/points``:
a second call, or one after an interruption, evaluates what is missing.
"""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.progress import TaskProgressColumn, TimeRemainingColumn

from radit.model.console import progress_bar
from radit.model.outputs import output_folder
from radit.model.reading import read_model
from radit.model.source_code import code_digest
from radit.model.system.workers import Workers
from radit.reports.area.schema import load_area
from radit.reports.common.files import PLOTS, versions, write_points
from radit.reports.common.machine import this_machine
from radit.reports.common.schema_parts import Bounds
from radit.reports.explore import evaluation
from radit.reports.explore.best import best_table, check_table
from radit.reports.explore.check import checked, sample
from radit.reports.explore.evaluation import DesignCosts, DesignGroup, Keys, WantedCosts, evaluated, refuse
from radit.reports.explore.fronts import with_fronts
from radit.reports.explore.kept import POINTS, load_points, save_points
from radit.reports.explore.page import page
from radit.reports.explore.parquet import PARQUET, as_parquet
from radit.reports.explore.plot import plot
from radit.reports.explore.schema import Exploration, ExploredPoint, Speed
from radit.reports.explore.space import Design, LoadedSpace
from radit.reports.frontier.schema import Frontier

STEM = "explore"
FILES = [f"{STEM}.{kind}" for kind in ("json", "csv", "html", PARQUET, *PLOTS)]
PIECE = 50  # designs of one task
RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"  # of a checkout
AREA, ERRORS = RESULTS / "area.json", RESULTS / "frontier.json"


def run_explore(
    space: LoadedSpace, *, workers: Workers, check: int, seed: int, out: Path, command: str = ""
) -> Exploration:
    """Evaluate what is missing under ``out``/points; write explore.json, .csv, .html and the plots.

    Args:
        check: so many of a thousand points, at least one, are simulated; 0: none.
        seed: of their choice and of the images.

    Raises:
        UserError: a machine, a model or a recorded run is bad, or does not fit another; nothing can be written.
    """
    out = output_folder(out, files=FILES, folders=[POINTS])
    space.check()
    for wanted in space.space.tables:
        check_table(wanted)
    gates, area_of = _gates(space)
    errors, errors_of = _errors(space)
    designs = list(space.designs())
    costs, speed = _Explorer(out / POINTS, workers).run(designs)
    points = with_fronts(_points(designs, costs, gates, errors))
    drawn = sample(designs, points, check, seed) if check else []
    result = Exploration(
        space=space.name,
        question=space.space.question,
        points=points,
        tables=[best_table(wanted, points) for wanted in space.space.tables],
        checks=[checked(design, point, seed) for design, point in drawn],
        area_of=area_of,
        errors_of=errors_of,
        speed=speed,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=command,
        versions=versions(),
    )
    plots = {kind: plot(result, kind) for kind in PLOTS}
    beside = {"html": page(result, plots["png"]).encode(), **as_parquet(points)}
    write_points(out, STEM, result, plots | beside)
    return result


class _Explorer:
    """Evaluates designs, and keeps what they cost."""

    def __init__(self, folder: Path, workers: Workers) -> None:
        self._folder, self._workers = folder, workers

    def run(self, designs: Sequence[Design]) -> tuple[list[DesignCosts], Speed]:
        """The costs of designs, in order, and how long they took."""
        keys = Keys(code_digest(evaluation.__name__))
        groups: dict[str, DesignGroup] = {}
        wanted: dict[str, dict[str, WantedCosts]] = {}
        names = []
        for design in designs:
            group = keys.group(design)
            one = keys.wanted(design, group)
            groups.setdefault(group.name, group)
            wanted.setdefault(group.name, {})[one.key] = one
            names.append((group.name, one.key))
        _refuse(groups, wanted)
        found = {name: load_points(self._path(name)) for name in groups}
        missing = {
            name: rest
            for name, ones in wanted.items()
            if (rest := [one for one in ones.values() if one.key not in found[name]])
        }
        since, count = time.perf_counter(), sum(len(ones) for ones in missing.values())
        spent = self._evaluate(groups, missing, found)
        speed = Speed(
            points=len(designs),
            evaluated=count,
            kept=sum(len(ones) for ones in wanted.values()) - count,
            seconds=round(time.perf_counter() - since, 2) if count else 0.0,
            cpu_seconds=round(spent, 2),
            jobs=self._workers.count,
            machine=this_machine(),
        )
        return [found[group][key] for group, key in names], speed

    def _evaluate(
        self,
        groups: dict[str, DesignGroup],
        missing: dict[str, list[WantedCosts]],
        found: dict[str, dict[str, DesignCosts]],
    ) -> float:
        """Add to ``found`` what is missing, file by file as it comes; the processor's seconds."""
        spent = 0.0
        calls = [(evaluated, groups[name], piece) for name, ones in missing.items() for piece in _pieces(ones)]
        with progress_bar(TaskProgressColumn(), TimeRemainingColumn(elapsed_when_finished=True)) as progress:
            bar = progress.add_task("points", total=sum(len(ones) for ones in missing.values()))
            for name, done, seconds in self._workers.over(calls, in_order=False):
                found[name] |= {key: DesignCosts(**costs) for key, costs in done.items()}
                save_points(self._path(name), found[name])
                progress.advance(bar, len(done))
                spent += seconds
        return spent

    def _path(self, group: str) -> Path:
        return self._folder / f"{group}.jsonl"


def _pieces(ones: list[WantedCosts]) -> Iterator[list[WantedCosts]]:
    """Those with the same decisions together."""
    ordered = sorted(ones, key=lambda one: (one.decided.text, one.steps))
    yield from (ordered[start : start + PIECE] for start in range(0, len(ordered), PIECE))


def _refuse(groups: dict[str, DesignGroup], wanted: dict[str, dict[str, WantedCosts]]) -> None:
    """Refuse what does not fit, before anything runs."""
    for name, group in groups.items():
        refuse(group, {(one.steps, one.decided) for one in wanted[name].values() if one.decided.trace is not None})


def _gates(space: LoadedSpace) -> tuple[dict[str, float], str | None]:
    """Gates of the arrays that are known, and where from."""
    path = space.result("area", AREA)
    if path is None:
        return {}, None
    area = load_area(path)
    gates = {one.array.shape: one.machine.gates for one in area.arrays}
    return gates, f"{path.name}, {area.library}, buffers of {area.model}"


Errors = dict[tuple[str, float, str, int], float]  # model, guidance, sampler, timesteps


def _errors(space: LoadedSpace) -> tuple[Errors, str | None]:
    """Errors of dense int8 runs that are known, and where from."""
    path = space.result("errors", ERRORS) if space.space.samplers else None
    if path is None:
        return {}, None
    known = read_model(Frontier, path, "frontier", "run `radit frontier` to make it")
    dense = [one for one in known.points if one.policy == "dense" and one.arithmetic == "int8"]
    errors = {(known.model, known.cfg, f"{one.solver}, {one.spacing}", one.steps): one.error.mean for one in dense}
    return errors, f"{path.name}, dense runs of {known.model}, {known.samples} samples, guidance {known.cfg:g}"


def _points(
    designs: Sequence[Design], costs: Sequence[DesignCosts], gates: dict[str, float], errors: Errors
) -> list[ExploredPoint]:
    """The points of a space, without their fronts."""
    dense = {_work(one): spent for one, spent in zip(designs, costs, strict=True) if one.decided.is_dense}
    return [_point(one, spent, dense.get(_work(one)), gates, errors) for one, spent in zip(designs, costs, strict=True)]


def _work(one: Design) -> tuple[object, ...]:
    """What a design has in common with the dense one that it is compared with."""
    return one.model, one.cfg, one.evaluations, one.machine.base, one.machine.changes


def _point(
    one: Design, spent: DesignCosts, dense: DesignCosts | None, gates: dict[str, float], errors: Errors
) -> ExploredPoint:
    machine = one.machine.described
    known = errors.get((one.model, one.cfg, one.sampler or "", one.steps)) if one.decided.is_dense else None
    return ExploredPoint(
        model=one.model,
        cfg=one.cfg,
        evaluations=one.evaluations,
        sampler=one.sampler,
        policy=one.decided.text,
        machine=machine.title or "",
        array=machine.array,
        clock_mhz=machine.clock_mhz,
        latency=machine.memory.latency,
        bandwidth=machine.memory.limit,
        stall=machine.memory.stall,
        reuse_sram_kib=spent.reuse_sram_kib,
        cycles=spent.cycles,
        milliseconds=spent.cycles / machine.clock_mhz / 1e3,
        macs=spent.macs,
        mac_utilization=spent.macs / (spent.cycles * math.prod(machine.shape)),
        mac_skip_rate=spent.mac_skip_rate,
        external_bytes=spent.external_bytes,
        energy_uj=Bounds(low=spent.energy_low, nominal=spent.energy, high=spent.energy_high),
        cycles_gain=dense.cycles / spent.cycles if dense else None,
        energy_gain=dense.energy / spent.energy if dense else None,
        sram_kib=spent.sram_kib,
        gates=gates.get(machine.array),
        error=known,
        command=one.command,
    )
