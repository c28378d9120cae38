"""``summary.json``: how it is filled, written and read; ``reports/run/schema.py`` says what it holds."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from radit.accel.config import BuildConfig
from radit.accel.control.registers import CAUSES, PHASES, TEXT_PHASES, missing_counters
from radit.model.errors import UserError
from radit.model.files import write_json
from radit.model.plain_text import one_line
from radit.model.policy.skip_policy import Policy
from radit.model.quality.names import DENSE
from radit.model.reading import fitting, path_text, read_json
from radit.reports.common.files import versions
from radit.reports.cost.traffic import external_bytes
from radit.reports.cycles.roofline import Roofline
from radit.reports.energy.energy_model import EnergyReport
from radit.reports.energy.energy_table import EnergyTable
from radit.reports.energy.memory_plan import MemoryPlan
from radit.reports.run.schema import (
    SCHEMA_VERSION,
    Costs,
    CycleModel,
    PolicyResult,
    Provenance,
    Ratios,
    Summary,
)

SUMMARY_FILE = "summary.json"
REMEDY = "run `radit demo` to make it"
AGAIN = "it was written by an earlier version, run `radit demo` or `radit cosim` again"


def policy_result(
    policy: Policy,
    plan: MemoryPlan,
    counters: dict[str, int],
    macs: int,
    dense_macs: int,
    build: BuildConfig,
    energy: EnergyReport,
    roofline: Roofline,
    gmac_per_second: float,
    cycle_model: CycleModel | None,
    host_saturations: int = 0,
) -> PolicyResult:
    """Result of one run from its policy and where its memories live, its counters, its MACs
    (``radit.reports.cost.counts.model_macs``), its energy and its speed."""
    peak = counters["cycles"] * build.multipliers
    return PolicyResult(
        text=policy.text,
        settings=policy.settings,
        memory_plan=plan,
        cycles=counters["cycles"],
        macs=macs,
        mac_utilization=macs / peak if peak else 0.0,
        mac_skip_rate=1 - macs / dense_macs,
        stalls=stalls_of(counters, build),
        gmac_per_second=gmac_per_second,
        cycle_model=cycle_model,
        external_bytes=external_bytes(counters, build),
        roofline=roofline,
        counters={name: count for name, count in counters.items() if name not in missing_counters(build)},
        host_saturations=host_saturations,
        **energy.summary(),
    )


def stalls_of(counters: Mapping[str, int], build: BuildConfig) -> dict[str, dict[str, int]]:
    """Cycles by the phases of a build and by cause."""
    phases = [phase for phase in PHASES if build.max_text or phase not in TEXT_PHASES]
    return {phase: {cause: counters[f"{phase}_{cause}"] for cause in CAUSES} for phase in phases}


def whole_run(results: Iterable[PolicyResult]) -> dict[str, Any]:
    """The fields ``stalls``, ``gmac_per_second`` and ``cycle_model`` of several policies together."""
    done = list(results)
    phases = done[0].stalls if done else PHASES
    stalls = {phase: {cause: sum(r.stalls[phase][cause] for r in done) for cause in CAUSES} for phase in phases}
    seconds = sum(r.macs / 1e9 / r.gmac_per_second for r in done if r.gmac_per_second)
    models = [r.cycle_model for r in done]
    known = [model for model in models if model]
    total = CycleModel(predicted=sum(m.predicted for m in known), measured=sum(m.measured for m in known))
    return {
        "stalls": stalls,
        "gmac_per_second": sum(r.macs for r in done) / 1e9 / seconds if seconds else 0.0,
        "cycle_model": total if len(known) == len(models) else None,
    }


def ratios(dense: Costs, skipping: Costs) -> Ratios:
    """Dense over skipping: cycles, MACs, nominal energy."""
    return Ratios(
        cycles=dense.cycles / skipping.cycles,
        macs=dense.macs / skipping.macs,
        energy_nominal=dense.energy_uj.nominal / skipping.energy_uj.nominal,
    )


def all_ratios(results: Mapping[str, PolicyResult]) -> dict[str, Ratios]:
    """The field ``ratios`` of the policies that were run; empty without a dense run, and where counters are so wrong
    that there is nothing to divide by."""
    if DENSE not in results or not all(each.cycles and each.macs and each.energy_uj.low for each in results.values()):
        return {}
    return {name: ratios(results[DENSE], result) for name, result in results.items() if name != DENSE}


def provenance(table: EnergyTable, hashes: dict[str, str], command: str = "") -> Provenance:
    """Provenance of a run made now. ``hashes``: what was hashed -> digest (checkpoint, config, rtl, table ...)."""
    return Provenance(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=command,
        versions=versions(),
        hashes=hashes,
        energy_table=table.name,
        energy_sources=table.sources(),
    )


def write_summary(path: Path, summary: Summary) -> None:
    """Check the summary against its schema and write it whole or not at all."""
    write_json(path, summary)


def load_summary(path: Path) -> Summary:
    """Read a summary.

    Raises:
        UserError: the file is missing, not JSON, or does not fit the schema.
    """
    stored = read_json(path, "summary", REMEDY)
    made = stored.get("schema_version", SCHEMA_VERSION) if isinstance(stored, dict) else SCHEMA_VERSION
    if isinstance(made, int) and made != SCHEMA_VERSION:
        raise UserError(
            f"summary {path_text(path)} has schema_version {one_line(made)}, not {SCHEMA_VERSION}: {AGAIN}."
        )
    return fitting(Summary, stored, path, "summary", REMEDY)
