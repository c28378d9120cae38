"""Run the hardware, account for it, write the results; render and price a finished run again.

Results are written only after everything has run, all of them or none; a run that fails leaves the results of an
earlier one untouched. Mismatches are results: they replace those of an earlier run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from radit.cosim.engines.open import check_tools
from radit.cosim.prepare import Prepared
from radit.cosim.run import PolicyRun, Progress, run
from radit.cosim.support.sizes import build_for, dims_of
from radit.model.dit.checkpoint import load_config
from radit.model.dit.sampler import Sampler
from radit.model.files import write_file
from radit.model.outputs import output_file, output_folder
from radit.model.policy.skip_policy import POLICIES, Policy
from radit.model.quality.quality_run import stored_or_measured
from radit.model.quality.quality_schema import Quality
from radit.model.result_folder import open_results
from radit.model.system.workers import Workers
from radit.reports.common.files import file_hash
from radit.reports.energy.energy_model import energy
from radit.reports.energy.energy_table import DEFAULT_TABLE, EnergyTable, load_table
from radit.reports.energy.host_work import host_work
from radit.reports.energy.standing import TABLE_MHZ
from radit.reports.machine.description import MachineDescription
from radit.reports.run.arrays import ARRAYS_FILE, RunArrays, write_arrays
from radit.reports.run.pictures import write_pictures
from radit.reports.run.readme_table import with_table
from radit.reports.run.render import REPORT_FILE, write_report
from radit.reports.run.run_folder import FILES, FOLDERS, IMAGES, RTL, RUN_FILES, WAVES_FILE, arrays_digest, read_run
from radit.reports.run.run_results import summary_of, unexpected_counters, unpredicted_cycles
from radit.reports.run.schema import PolicyResult, Summary
from radit.reports.run.summary import SUMMARY_FILE, all_ratios, provenance, write_summary

TABLE = "energy table"  # what its hash is called in the provenance


@dataclass(frozen=True)
class Outcome:
    """What a run of one or several policies came to.

    Fields:
        arrays: images and decisions; None: a run stopped at a mismatch.
        problems: what is not equal, one sentence each.
    """

    runs: list[PolicyRun]
    summary: Summary
    arrays: RunArrays | None
    problems: list[str]

    @property
    def equal(self) -> bool:
        """Everything is what it should be."""
        return not self.problems and not self.summary.failed


def run_policies(
    prepared: Prepared,
    policies: list[Policy],
    *,
    with_quality: bool = False,
    state: Path | None = None,
    resume: bool = False,
    keep_state: bool = False,
    progress: Progress | None = None,
    command: str = "",
    machine: MachineDescription | None = None,
    clock_mhz: float | None = None,
    workers: Workers | None = None,
) -> Outcome:
    """Run the policies through the hardware and account for them.

    Args:
        with_quality: also with the stored quality of the model's samples, measured now where there is none.
        state, resume, keep_state, progress, workers: see `radit.cosim.run.run`.
        command: what the summary names as its origin.
        machine: that the request describes; it has the energy table. None: the default table.
        clock_mhz: that leakage is spread over; None: the machine's, or the energy table's.

    Raises:
        UserError: nothing to resume, a broken energy table, or nobody judges what the model generates.
    """
    request = prepared.request
    quality = None
    seconds = dict(prepared.seconds)
    table = (
        load_table() if machine is None else machine.table
    )  # a broken table stops the run before it starts, and so does a missing compiler
    check_tools(request.engine)
    since = time.perf_counter()
    if with_quality:
        way = Sampler(request.steps, None, request.solver, request.spacing)
        quality = Quality(**stored_or_measured(request.model, way, request.cfg))
        seconds["quality"] = time.perf_counter() - since
    since = time.perf_counter()
    runs = run(prepared, policies, state, resume, progress, keep_state, workers)
    seconds["cosim"] = time.perf_counter() - since
    for one in runs:
        seconds |= {f"{one.policy.name}_{stage}": spent for stage, spent in one.seconds.items()}
    since, usual = time.perf_counter(), TABLE_MHZ if machine is None else machine.clock_mhz
    summary = summary_of(prepared, runs, table, quality, seconds, command, machine, clock_mhz or usual)
    problems = [problem for one in runs for problem in one.problems]
    problems += unexpected_counters(prepared, runs) + unpredicted_cycles(summary)
    arrays = _arrays(runs)
    seconds["report"] = time.perf_counter() - since
    return Outcome(runs, summary, arrays, problems)


def write_run(out: Path, outcome: Outcome, *, hdl: Sequence[Path] = (), waves: Path | None = None) -> None:
    """summary.json, and where the run was not stopped arrays.npz, images/, report.html; they replace all files of an
    earlier run in the folder.

    Args:
        hdl: what was simulated, with all that is exported beside it, to be copied into rtl/.
        waves: a waveform of this run, to be moved there.

    Raises:
        UserError: nothing can be written there.
    """
    output_folder(out, files=FILES, folders=FOLDERS)
    out.mkdir(parents=True, exist_ok=True)
    with open_results(out, RUN_FILES, to_write=True) as folder, folder.replaced() as part:
        summary, arrays = outcome.summary, outcome.arrays
        if arrays is not None:
            write_arrays(part / ARRAYS_FILE, arrays)
        summary = summary.model_copy(update={"arrays_digest": arrays_digest(part / ARRAYS_FILE)})
        write_summary(part / SUMMARY_FILE, summary)
        if arrays is not None and summary.ratios:
            write_pictures(part / IMAGES, arrays)
            write_report(part, summary, arrays)
        for path in hdl:
            write_file(part / RTL / path.name, path.read_bytes())
        if waves is not None:
            os.replace(waves, part / WAVES_FILE)


def rerun_report(*, run: Path, table: str | None, readme: Path | None) -> Path:
    """Render a finished run again; with another energy table its counters are priced anew, at the clock and with the
    on-chip memory of the run's machine. Nothing is simulated.

    Args:
        table: "default" or the path of a TOML file; None: the run's own. A run under the default table is then priced
            anew where that has changed; another table's energies stay as they are.

    Raises:
        UserError: the folder does not hold a run, the table is bad, ``readme`` has no place for the result table, or
            one of them cannot be written.
    """
    readme = None if readme is None else output_file(readme, "--readme")
    source = DEFAULT_TABLE if table in (None, "default") else Path(str(table))
    with open_results(run, RUN_FILES, to_write=True) as folder:
        summary, arrays = read_run(run)
        output_folder(run, "FOLDER", files=FILES)
        prices, digest = load_table(source).with_reuse_sram(summary.reuse_sram_kib), file_hash(source)
        keep = table is None and summary.provenance.energy_table != prices.name
        keep = keep or _is_priced(summary, prices, digest)
        priced = summary if keep else _priced(summary, prices, digest)
        text = None if readme is None else with_table(readme, priced)
        with folder.replaced(keep=True) as part:
            if priced is not summary:
                write_summary(part / SUMMARY_FILE, priced)
            write_report(part, priced, arrays)
    if readme is not None and text is not None:
        write_file(readme, text)
    return run / REPORT_FILE


def _is_priced(summary: Summary, table: EnergyTable, digest: str) -> bool:
    """Whether a summary's energies are those of a table with this hash."""
    made, sources = summary.provenance, json.loads(json.dumps(table.sources()))
    return (made.energy_table, made.energy_sources, made.hashes.get(TABLE, digest)) == (table.name, sources, digest)


def _priced(summary: Summary, table: EnergyTable, digest: str = "") -> Summary:
    """The same run under another energy table, of this hash."""
    config = summary.config or load_config(summary.model)
    config = config.first_blocks(summary.blocks or config.depth)
    dims = dims_of(config, contexts=1 if summary.sampler.cfg == 1.0 else 2)
    build = replace(build_for(dims, *summary.array.sides), **(summary.build or {}))
    work = host_work(config, summary.timesteps or summary.sampler.steps, summary.sampler.images, dims.contexts)
    results = {}
    for name, result in summary.results.items():
        plan = result.memory_plan.replaced(table.reuse_sram.capacity)
        bill = energy(result.counters, build, table, plan, host_work=work, clock_mhz=summary.clock_mhz).summary()
        results[name] = PolicyResult.model_validate(result.model_dump() | bill | {"memory_plan": plan})
    origin = provenance(table, summary.provenance.hashes | {TABLE: digest}, summary.provenance.command)
    return summary.model_copy(update={"results": results, "ratios": all_ratios(results), "provenance": origin})


def _arrays(runs: list[PolicyRun]) -> RunArrays | None:
    """Images and decisions; None where a run stopped at a mismatch."""
    if any(one.problems for one in runs):
        return None
    finished = {one.policy.name: one for one in runs}
    order = [name for name in POLICIES if name in finished]
    pictures = {name: np.stack([result.picture for result in finished[name].results]) for name in order}
    return RunArrays({name: finished[name].decisions for name in order}, pictures)
