"""What a summary's fields, and its arrays, say of each other: all in one place, so that what is read can be shown.

A run whose counters differ from the count is written as it is: what its counters should add up to is not asked of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from radit.accel.control.registers import CAUSES, COUNTERS, SOME_COUNTERS
from radit.model.errors import UserError
from radit.model.plain_text import one_line
from radit.model.policy.skip_policy import POLICIES
from radit.model.quality.names import DENSE
from radit.model.reading import path_text
from radit.reports.common.schema_parts import alike

if TYPE_CHECKING:
    from radit.model.integer.decision_record import DecisionRecord
    from radit.reports.run.arrays import RunArrays
    from radit.reports.run.schema import PolicyResult, Summary

# Counters that results of this schema need not have.
LATER = frozenset(("score_saturations", "gelu_saturations")) | SOME_COUNTERS
AGAIN = "run `radit demo` or `radit cosim` again"
SUM_ROUNDING = 1e-6  # of components of energy, relative


def check_summary(summary: Summary) -> None:
    """Compare the fields with each other.

    Raises:
        ValueError: two do not agree; the text names them.
    """
    unknown = [name for name in summary.results if name not in POLICIES]
    if unknown or not summary.results:
        named = f"names {one_line(unknown[0])}" if unknown else "is empty"
        raise ValueError(f"field results {named}: policies are {', '.join(POLICIES)}")
    for name, result in summary.results.items():
        _check_result(f"results.{name}", result, summary.array.multipliers)
        if summary.check.counters_equal:
            _check_accounts(f"results.{name}", result)
    _check_together(summary)
    _check_ratios(summary)


def _check_result(where: str, result: PolicyResult, cells: int) -> None:
    """A policy's costs against its counters."""
    counters = result.counters
    if wrong := sorted(counters.keys() ^ (COUNTERS.keys() - (LATER - counters.keys()))):
        verb = "is unknown" if wrong[0] in counters else "is missing"
        raise ValueError(f"field {where}.counters.{one_line(wrong[0])} {verb}")
    if result.cycles != counters["cycles"]:
        raise ValueError(f"field {where}.cycles is {result.cycles}, its counter {counters['cycles']}")
    if model := result.cycle_model:
        if model.measured != result.cycles:
            raise ValueError(f"field {where}.cycle_model.measured is {model.measured}, the cycles {result.cycles}")
    peak = result.cycles * cells
    if not alike(result.mac_utilization, result.macs / peak if peak else 0.0):
        raise ValueError(f"field {where}.mac_utilization is {result.mac_utilization:g}, not macs over the array's peak")
    for bound in ("low", "nominal", "high"):
        total, parts = getattr(result.energy_uj, bound), result.energy_breakdown_uj.values()
        if not alike(total, sum(getattr(part, bound) for part in parts), SUM_ROUNDING):
            raise ValueError(f"field {where}.energy_uj.{bound} is {total:g}, which its components do not add up to")


def _check_accounts(where: str, result: PolicyResult) -> None:
    """A policy's cycles by phase and cause, of a run whose counters are right."""
    booked = sum(sum(causes.values()) for causes in result.stalls.values())
    if result.cycle_model and booked != result.cycles:
        raise ValueError(f"field {where}: stalls add up to {booked} cycles, not to {result.cycles}")
    for phase, causes in result.stalls.items():
        for cause, cycles in causes.items():
            if cycles != result.counters[f"{phase}_{cause}"]:
                raise ValueError(f"field {where}.stalls.{phase}.{cause} is {cycles}, which is not its counter")
    if result.mac_utilization > 1:
        raise ValueError(f"field {where}.mac_utilization is {result.mac_utilization:g}: give 1 or less")


def _check_together(summary: Summary) -> None:
    """What is stated of all policies together, and what all policies have."""
    results = summary.results.values()
    causes = next(iter(results)).external_bytes.keys()
    if any(result.external_bytes.keys() != causes for result in results):
        raise ValueError("field external_bytes has other causes in one policy than in another")
    for phase, causes_of_all in summary.stalls.items():
        if any(phase not in result.stalls for result in results):
            raise ValueError(f"field stalls.{phase} is not in every policy's")
        for cause in CAUSES:
            if causes_of_all[cause] != sum(result.stalls[phase][cause] for result in results):
                raise ValueError(f"field stalls.{phase}.{cause} is not the sum of the policies'")
    models = [result.cycle_model for result in results]
    known = [model for model in models if model]
    total = summary.cycle_model
    if (total is None) != (len(known) < len(models)):
        raise ValueError("field cycle_model is stated where a policy's is not, or the other way round")
    if total and (total.predicted, total.measured) != tuple(
        sum(getattr(model, field) for model in known) for field in ("predicted", "measured")
    ):
        raise ValueError("field cycle_model is not the sum of the policies'")


def _check_ratios(summary: Summary) -> None:
    """The ratios, where there are any, against what they are ratios of."""
    if not summary.ratios:
        return
    skipping = [name for name in summary.results if name != DENSE]
    if DENSE not in summary.results or summary.ratios.keys() != set(skipping):
        raise ValueError(
            f"field ratios is of {_names(summary.ratios)} and results of {_names(summary.results)}: give those of "
            f"{DENSE}, and of every other policy over it"
        )
    dense = summary.results[DENSE]
    if not all(each.cycles and each.macs and each.energy_uj.low for each in summary.results.values()):
        raise ValueError("field ratios is stated, but a policy has no cycles, MACs or energy")
    for name in skipping:
        other = summary.results[name]
        wanted = {
            "cycles": dense.cycles / other.cycles,
            "macs": dense.macs / other.macs,
            "energy_nominal": dense.energy_uj.nominal / other.energy_uj.nominal,
        }
        for field, ratio in wanted.items():
            if not alike(getattr(summary.ratios[name], field), ratio):
                raise ValueError(
                    f"field ratios.{name}.{field} is {getattr(summary.ratios[name], field):g}, not {ratio:g}"
                )


def _names(by_policy: Mapping[str, object]) -> str:
    return ", ".join(one_line(name) for name in by_policy) or "none"


def check_arrays(summary: Summary, arrays: RunArrays, path: Path) -> None:
    """Compare images and decisions of a file with the summary beside it.

    Raises:
        UserError: they are not of this run.
    """
    sampler = summary.sampler
    if arrays.images.keys() != summary.results.keys():
        raise UserError(
            f"arrays {path_text(path)} hold policies {_names(arrays.images)}, the summary beside them "
            f"{_names(summary.results)}: {AGAIN}."
        )
    shape = next(iter(arrays.images.values())).shape
    wanted = (sampler.images, sampler.frames)[: 1 if sampler.frames == 1 else 2]
    if shape[: len(wanted)] != wanted or len(shape) != len(wanted) + 3:
        raise UserError(
            f"arrays {path_text(path)} hold {sampler.noun}s of shape {shape}, the summary beside them {sampler.images} "
            f"{sampler.noun}s: {AGAIN}."
        )
    check_decisions(summary, arrays.decisions, path)


def check_decisions(summary: Summary, decisions: Mapping[str, DecisionRecord], path: Path) -> None:
    """Compare decisions of a file with the summary beside it.

    Raises:
        UserError: they are not of this run.
    """
    sampler = summary.sampler
    contexts = 1 if sampler.cfg == 1.0 else 2
    wanted = (sampler.images, summary.timesteps or sampler.steps, len(summary.sub_blocks), contexts)
    for name, record in decisions.items():
        if record.computed.shape != wanted:
            raise UserError(
                f"arrays {path_text(path)} hold decisions of {one_line(name)} of shape {record.computed.shape}, the "
                f"summary beside them is of {wanted}: {AGAIN}."
            )
