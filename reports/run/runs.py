"""``radit demo`` and ``radit cosim``: run the hardware, then account for it.

Results are written only after everything has run, each file whole or not at all; a run that fails leaves the results
of an earlier one untouched, except that mismatches are reported in ``summary.json`` like everything else.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from accel.config import BuildConfig
from cosim.engines.open import exported_verilog
from cosim.prepare import Prepared, Request, prepare
from cosim.run import PolicyRun, run
from cosim.support.sizes import build_for, dims_of
from model.dit.checkpoint import load_config
from model.errors import UserError
from model.policy.skip_policy import POLICIES, Policy, parse_policy
from model.quality.judge import judge_of
from model.quality.quality_run import stored_or_measured
from reports.energy.energy_model import energy
from reports.energy.energy_table import EnergyTable, load_table
from reports.energy.host_work import host_work
from reports.energy.memory_plan import describe_plans, plan_of_run
from reports.run.arrays import ARRAYS_FILE, Decisions, ReportArrays, load_arrays, write_arrays
from reports.run.pictures import write_pictures
from reports.run.readme_table import main as update_readme
from reports.run.render import SUMMARY_FILE, write_report
from reports.run.run_results import cycles_as_predicted, summarize
from reports.run.schema import PolicyResult, Quality, Summary
from reports.run.summary import all_ratios, load_summary, provenance, write_summary
from reports.run.terminal import tell

DEMO_IMAGES, DEMO_CLIPS = 10, 4
DEMO, CLIP_DEMO = Path("build") / "demo", Path("build") / "moving-digits"


def run_demo(
    *, model: str, images: int | None, steps: int, cfg: float, seed: int, array: tuple[int, int], engine: str,
    memory: dict[str, Any], out: Path | None, max_error: float | None = None,
) -> bool:  # fmt: skip
    """Digits or clips through the hardware under every policy, with quality, energy and the Verilog; True if all is
    equal.

    Args:
        images, out: None: those of the kind, images or clips.

    Raises:
        UserError: the model is unknown, or nobody judges what it generates.
    """
    judge_of(model)
    clips = load_config(model).frames > 1
    images, out = images or (DEMO_CLIPS if clips else DEMO_IMAGES), out or (CLIP_DEMO if clips else DEMO)
    request = Request(model, steps, images, seed, cfg, array, engine, **memory)
    started = time.perf_counter()
    prepared = prepare(request)
    summary, arrays, equal = _measure(
        prepared, [prepared.policy(name, max_error) for name in POLICIES], with_quality=True
    )
    _write(out, summary, arrays)
    _copy_rtl(prepared.build, out / "rtl")
    tell(summary, equal, out, time.perf_counter() - started)
    return equal


def run_cosim(
    *, model: str, blocks: int | None, policies: list[str], engine: str, array: tuple[int, int], steps: int,
    timesteps: int | None, images: int, seed: int, cfg: float, memory: dict[str, Any], out: Path, waves: bool,
    resume: bool, max_error: float | None = None,
) -> bool:  # fmt: skip
    """Any model through the hardware under one or several policies; True if all is equal.

    The state of the run is kept in ``out``/state, where it can be resumed.
    """
    for text in policies:
        parse_policy(text)  # a bad one is refused before the model is made ready
    if max_error is not None and not any(text.startswith("forecast") for text in policies):
        raise UserError(f"--max-error is {max_error:g}: it limits policy forecast, run it with --policy forecast.")
    file = _waves_file(out) if waves else None
    request = Request(model, steps, images, seed, cfg, array, engine, file, timesteps, blocks, **memory)
    started = time.perf_counter()
    prepared = prepare(request)
    chosen = [prepared.policy(text, max_error) for text in policies]
    summary, arrays, equal = _measure(prepared, chosen, with_quality=False, state=out / "state", resume=resume)
    _write(out, summary, arrays)
    tell(summary, equal, out, time.perf_counter() - started)
    return equal


def rerun_report(*, run: Path, table: str, readme: Path | None) -> Path:
    """Render a finished run again; with another energy table its counters are priced anew. Nothing is simulated."""
    summary, arrays = load_summary(run / SUMMARY_FILE).comparison(), load_arrays(run / ARRAYS_FILE)
    if table != "default":
        summary = _priced(summary, load_table(Path(table))).comparison()
        write_summary(run / SUMMARY_FILE, summary)
    page = write_report(run, summary, arrays)
    if readme is not None:
        update_readme(run / SUMMARY_FILE, readme)
    print(f"wrote {page}")
    return page


def _priced(summary: Summary, table: EnergyTable) -> Summary:
    """The same run under another energy table."""
    config = load_config(summary.model)
    config = config.first_blocks(summary.blocks or config.depth)
    dims = dims_of(config, contexts=1 if summary.sampler.cfg == 1.0 else 2)
    build = build_for(dims, summary.array.rows, summary.array.cols)
    runs = summary.sampler.images * (summary.timesteps or summary.sampler.steps)
    sram = table.reuse_sram.capacity
    plans = {name: plan_of_run(dims, build, result.counters, runs, sram) for name, result in summary.results.items()}
    work = host_work(config, summary.timesteps or summary.sampler.steps, summary.sampler.images, dims.contexts)
    for name, result in summary.results.items():
        bill = energy(result.counters, build, table, plans[name], host_work=work).summary()
        setattr(summary, name, PolicyResult.model_validate(result.model_dump() | bill))
    summary = summary.model_copy(update=all_ratios(summary.results))
    summary.provenance = provenance(table, describe_plans(plans), summary.provenance.hashes, summary.provenance.command)
    return summary


def _waves_file(out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    return out / "waves.vcd"


def _measure(
    prepared: Prepared, policies: list[Policy], with_quality: bool, state: Path | None = None, resume: bool = False
) -> tuple[Summary, Decisions | None, bool]:
    """Run the policies and fill the summary."""
    request = prepared.request
    quality = None
    seconds = dict(prepared.seconds)
    table = load_table()  # a broken table stops the run before it starts
    since = time.perf_counter()
    if with_quality:
        quality = Quality(**stored_or_measured(request.model, steps=request.steps, cfg=request.cfg))
        seconds["quality"] = time.perf_counter() - since
    since = time.perf_counter()
    runs = run(prepared, policies, state, resume)
    seconds["cosim"] = time.perf_counter() - since
    for one in runs:
        seconds |= {f"{one.policy.name}_{stage}": spent for stage, spent in one.seconds.items()}
    for problem in (problem for one in runs for problem in one.problems):
        print(f"radit: {problem}", file=sys.stderr)
    since = time.perf_counter()
    summary = summarize(prepared, runs, table, quality, seconds)
    equal = cycles_as_predicted(summary) and summary.check.passed and not any(one.problems for one in runs)
    arrays = _arrays(runs)
    seconds["report"] = time.perf_counter() - since
    return summary, arrays, equal


def _arrays(runs: list[PolicyRun]) -> Decisions | None:
    """Images and decisions, or decisions alone; nothing where a run stopped at a mismatch."""
    named = {one.policy.name: one.results for one in runs}
    reused = {
        name: ~np.stack([result.computed for result in results]) for name, results in named.items() if name != "dense"
    }
    if not reused or any(one.problems for one in runs):
        return None
    if not {"dense", "radit"} <= named.keys():
        return Decisions(reused)
    pictures = {name: np.stack([result.picture for result in results]) for name, results in named.items()}
    return ReportArrays(reused, pictures)


def _write(out: Path, summary: Summary, arrays: Decisions | None) -> None:
    """summary.json, arrays.npz, images/, report.html."""
    write_summary(out / SUMMARY_FILE, summary)
    if arrays is None:
        return
    write_arrays(out / ARRAYS_FILE, arrays)
    if isinstance(arrays, ReportArrays):
        write_pictures(out / "images", arrays)
        write_report(out, summary.comparison(), arrays)


def _copy_rtl(build: BuildConfig, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    source = exported_verilog(build, Path("build") / "rtl")
    shutil.copyfile(source, folder / source.name)
