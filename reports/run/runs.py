"""Run the hardware, account for it, write the results; render and price a finished run again.

Results are written only after everything has run, each file whole or not at all; a run that fails leaves the results
of an earlier one untouched, except that mismatches are reported in ``summary.json`` like everything else.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radit.accel.config import BuildConfig
from radit.cosim.engines.open import exported_verilog
from radit.cosim.prepare import Prepared
from radit.cosim.run import PolicyRun, Progress, run
from radit.cosim.support.sizes import build_for, dims_of
from radit.model.dit.checkpoint import load_config
from radit.model.policy.skip_policy import POLICIES, Policy
from radit.model.quality.quality_run import stored_or_measured
from radit.model.quality.quality_schema import Quality
from radit.reports.energy.energy_model import energy
from radit.reports.energy.energy_table import EnergyTable, load_table
from radit.reports.energy.host_work import host_work
from radit.reports.run.arrays import ARRAYS_FILE, RunArrays, load_arrays, write_arrays
from radit.reports.run.consistency import check_arrays
from radit.reports.run.pictures import write_pictures
from radit.reports.run.readme_table import update_readme
from radit.reports.run.render import write_report
from radit.reports.run.run_results import summary_of, unexpected_counters, unpredicted_cycles
from radit.reports.run.schema import PolicyResult, Summary
from radit.reports.run.summary import SUMMARY_FILE, all_ratios, load_summary, provenance, write_summary


@dataclass(frozen=True)
class Outcome:
    """What a run of one or several policies came to.

    Fields:
        arrays: images and decisions; None: a run stopped at a mismatch.
        problems: what is not equal or not as predicted, one sentence each.
    """

    runs: list[PolicyRun]
    summary: Summary
    arrays: RunArrays | None
    problems: list[str]

    @property
    def equal(self) -> bool:
        """Everything is what it should be."""
        return not self.problems and self.summary.check.passed


def run_policies(
    prepared: Prepared,
    policies: list[Policy],
    *,
    with_quality: bool = False,
    state: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    command: str = "",
) -> Outcome:
    """Run the policies through the hardware and account for them.

    Args:
        with_quality: also with the stored quality of the model's samples, measured now where there is none.
        state, resume, progress: see `radit.cosim.run.run`.
        command: what the summary names as its origin.

    Raises:
        UserError: nothing to resume, a broken energy table, or nobody judges what the model generates.
    """
    request = prepared.request
    quality = None
    seconds = dict(prepared.seconds)
    table = load_table()  # a broken table stops the run before it starts
    since = time.perf_counter()
    if with_quality:
        quality = Quality(**stored_or_measured(request.model, steps=request.steps, cfg=request.cfg))
        seconds["quality"] = time.perf_counter() - since
    since = time.perf_counter()
    runs = run(prepared, policies, state, resume, progress)
    seconds["cosim"] = time.perf_counter() - since
    for one in runs:
        seconds |= {f"{one.policy.name}_{stage}": spent for stage, spent in one.seconds.items()}
    since = time.perf_counter()
    summary = summary_of(prepared, runs, table, quality, seconds, command)
    problems = [problem for one in runs for problem in one.problems]
    problems += unexpected_counters(prepared, runs) + unpredicted_cycles(summary)
    arrays = _arrays(runs)
    seconds["report"] = time.perf_counter() - since
    return Outcome(runs, summary, arrays, problems)


def write_run(out: Path, outcome: Outcome) -> None:
    """summary.json, and where the run was not stopped arrays.npz, images/, report.html."""
    write_summary(out / SUMMARY_FILE, outcome.summary)
    if outcome.arrays is None:
        return
    write_arrays(out / ARRAYS_FILE, outcome.arrays)
    if outcome.summary.ratios:
        write_pictures(out / "images", outcome.arrays)
        write_report(out, outcome.summary, outcome.arrays)


def copy_rtl(build: BuildConfig, folder: Path) -> None:
    """The Verilog that was simulated."""
    folder.mkdir(parents=True, exist_ok=True)
    source = exported_verilog(build, Path("build") / "rtl")
    shutil.copyfile(source, folder / source.name)


def rerun_report(*, run: Path, table: str, readme: Path | None) -> Path:
    """Render a finished run again; with another energy table its counters are priced anew. Nothing is simulated."""
    summary, arrays = load_summary(run / SUMMARY_FILE).compared(), load_arrays(run / ARRAYS_FILE)
    check_arrays(summary, arrays, run / ARRAYS_FILE)
    if table != "default":
        summary = _priced(summary, load_table(Path(table)))
        write_summary(run / SUMMARY_FILE, summary)
    page = write_report(run, summary, arrays)
    if readme is not None:
        update_readme(run / SUMMARY_FILE, readme)
    return page


def _priced(summary: Summary, table: EnergyTable) -> Summary:
    """The same run under another energy table."""
    config = load_config(summary.model)
    config = config.first_blocks(summary.blocks or config.depth)
    dims = dims_of(config, contexts=1 if summary.sampler.cfg == 1.0 else 2)
    build = build_for(dims, summary.array.rows, summary.array.cols)
    work = host_work(config, summary.timesteps or summary.sampler.steps, summary.sampler.images, dims.contexts)
    results = {}
    for name, result in summary.results.items():
        plan = result.memory_plan.replaced(table.reuse_sram.capacity)
        bill = energy(result.counters, build, table, plan, host_work=work).summary()
        results[name] = PolicyResult.model_validate(result.model_dump() | bill | {"memory_plan": plan})
    origin = provenance(table, summary.provenance.hashes, summary.provenance.command)
    return summary.model_copy(update={"results": results, "ratios": all_ratios(results), "provenance": origin})


def _arrays(runs: list[PolicyRun]) -> RunArrays | None:
    """Images and decisions; None where a run stopped at a mismatch."""
    if any(one.problems for one in runs):
        return None
    finished = {one.policy.name: one for one in runs}
    order = [name for name in POLICIES if name in finished]
    pictures = {name: np.stack([result.picture for result in finished[name].results]) for name in order}
    return RunArrays({name: finished[name].decisions for name in order}, pictures)
