"""What a run comes to, by policy, and whether its counters and cycles are what the models say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from radit.accel.control.registers import ACCOUNTS
from radit.cosim.engines.open import exported_verilog
from radit.cosim.image import ImageResult
from radit.cosim.prepare import Prepared
from radit.cosim.run import PolicyRun
from radit.cosim.scoreboard import Comparison
from radit.model.dit.checkpoint import find_checkpoint
from radit.model.integer.calibration import DEFAULT_CFG, model_digest
from radit.model.policy.skip_policy import POLICIES, Policy
from radit.model.quality.quality_schema import Quality
from radit.reports.common.files import file_hash
from radit.reports.common.schema_parts import Array
from radit.reports.cost.counts import SATURATED, UNCOUNTED, add_counts, expected_counts, model_macs
from radit.reports.cost.run_tables import RunTables
from radit.reports.cycles.cycle_model import MemoryModel
from radit.reports.cycles.roofline import Run, roofline
from radit.reports.energy.energy_model import energy
from radit.reports.energy.energy_table import DEFAULT_TABLE, EnergyTable
from radit.reports.energy.host_work import host_work
from radit.reports.energy.memory_plan import MemoryPlan, planned
from radit.reports.energy.standing import TABLE_MHZ
from radit.reports.machine.description import MachineDescription
from radit.reports.run.schema import Check, CycleModel, Memory, PolicyResult, Sampler, Summary
from radit.reports.run.summary import all_ratios, policy_result, provenance, whole_run


def summary_of(
    prepared: Prepared,
    runs: list[PolicyRun],
    table: EnergyTable,
    quality: Quality | None,
    seconds: dict[str, float],
    command: str,
    machine: MachineDescription | None = None,
    clock_mhz: float = TABLE_MHZ,
) -> Summary:
    """What summary.json is to hold of the policies' runs; ``command`` is what they were asked for with."""
    request, build, config = prepared.request, prepared.build, prepared.dit.config
    finished = {one.policy.name: one for one in runs}
    known = [finished[name] for name in POLICIES if name in finished]
    results = {one.policy.name: _policy_result(prepared, one, table, clock_mhz) for one in known}
    rtl = exported_verilog(build, Path("build") / "rtl")
    checkpoint = find_checkpoint(request.model)
    hashes = {
        **({"checkpoint": file_hash(checkpoint)} if checkpoint else {}),
        "model": model_digest(prepared.dit),
        "integer model": prepared.digest,
        "rtl": file_hash(rtl),
        "energy table": file_hash(DEFAULT_TABLE if machine is None else machine.table_path),
        **{f"policy {one.policy.name}": one.policy.digest() for one in runs},
    }
    return Summary(
        model=request.model,
        config=prepared.whole,
        sampler=Sampler(
            steps=request.steps,
            cfg=request.cfg,
            images=request.images,
            frames=config.frames,
            seed=request.seed,
            solver=request.solver,
            spacing=request.spacing,
            guided_channels=request.guided_channels,
            labels=None if request.labels is None else list(request.labels),
        ),
        blocks=request.blocks,
        timesteps=request.timesteps,
        ranges_cfg=DEFAULT_CFG,
        sub_blocks=config.sub_block_kinds(),
        engine=request.engine,
        machine=request.machine,
        build=dict(request.built) or None,
        clock_mhz=clock_mhz,
        reuse_sram_kib=None if machine is None else machine.reuse_sram_kib,
        array=Array.of(build),
        memory=Memory(
            latency=request.latency, bandwidth=request.bandwidth, stall=request.stall, seed=request.memory_seed
        ),
        results=results,
        ratios={} if any(one.problems for one in runs) else all_ratios(results),
        **whole_run(results.values()),
        check=_check(prepared, runs),
        quality=quality,
        seconds=seconds,
        provenance=provenance(table, hashes, command),
    )


def _plan(prepared: Prepared, policy: Policy, table: EnergyTable) -> MemoryPlan:
    """Where a policy's cache and history live."""
    tables = RunTables.of(policy.tables(prepared.integer))
    return planned(prepared.dims, prepared.build, tables, table.reuse_sram.capacity)


def _policy_result(prepared: Prepared, one: PolicyRun, table: EnergyTable, clock_mhz: float) -> PolicyResult:
    """Cycles, MACs and energy of one policy."""
    request, dims, build = prepared.request, prepared.dims, prepared.build
    plan = _plan(prepared, one.policy, table)
    counters = add_counts(*(result.counters for result in one.results))
    texts = sum(sum(result.texts) for result in one.results)
    work = host_work(prepared.dit.config, request.count, request.images, dims.contexts, texts)
    return policy_result(
        one.policy,
        plan,
        counters,
        macs=sum(result.macs for result in one.results),
        dense_macs=sum(
            model_macs(replace(dims, texts=result.texts), result.decisions.as_dense()) for result in one.results
        ),
        build=build,
        energy=energy(counters, build, table, plan, host_work=work, clock_mhz=clock_mhz),
        roofline=roofline(_run_of(prepared, one, one.results[0]), _memory(prepared)),
        gmac_per_second=one.gmac_per_second,
        cycle_model=_cycle_model(prepared, one),
        host_saturations=sum(result.saturated["host"] for result in one.results),
    )


def _memory(prepared: Prepared) -> MemoryModel:
    request = prepared.request
    return MemoryModel(request.latency, request.bandwidth, request.stall)


def _run_of(prepared: Prepared, one: PolicyRun, result: ImageResult) -> Run:
    """An image as the models see it."""
    dims = replace(prepared.dims, texts=result.texts)
    return Run(dims, prepared.build, result.decisions, RunTables.of(one.policy.tables(prepared.integer)))


def _cycle_model(prepared: Prepared, one: PolicyRun) -> CycleModel | None:
    """Predicted and measured cycles of all images; None where one stopped at a mismatch, or its accounts are wrong."""
    if one.problems or any(_booked(result) != result.counters["cycles"] for result in one.results):
        return None
    memory = _memory(prepared)
    predicted = sum(_run_of(prepared, one, result).cycles(memory) for result in one.results)
    return CycleModel(predicted=predicted, measured=sum(result.counters["cycles"] for result in one.results))


def unpredicted_cycles(summary: Summary) -> list[str]:
    """Where the cycle model must equal the RTL and does not, a sentence each."""
    return [
        f"{name}: the RTL took {model.measured} cycles, the cycle model predicts {model.predicted}; "
        "they must be equal where memory delivers a word in every cycle."
        for name, model in summary.cycle_models.items()
        if summary.memory.as_model.tolerance == 0 and model.error
    ]


def _check(prepared: Prepared, runs: list[PolicyRun]) -> Check:
    """All runs against the reference, and the counters against the independent count."""
    total = Comparison()
    for one in runs:
        total.add(one.check)
    return Check(
        words_compared=total.words_compared,
        words_mismatched=total.words_mismatched,
        decisions_compared=total.decisions_compared,
        decisions_mismatched=total.decisions_mismatched,
        images_identical=all(result.identical for one in runs for result in one.results),
        counters_equal=not any(one.problems for one in runs) and not unexpected_counters(prepared, runs),
    )


def unexpected_counters(prepared: Prepared, runs: list[PolicyRun]) -> list[str]:
    """Where the RTL's counters are not what the integer model's record implies, or do not add up, a sentence each."""
    unbooked = [
        f"{one.policy.name}: cycles by phase and cause add up to {_booked(result)}, counter cycles is "
        f"{result.counters['cycles']}."
        for one in runs
        for result in one.results
        if not result.problem and _booked(result) != result.counters["cycles"]
    ]
    unlike = [
        f"{one.policy.name}: {sentence}."
        for one in runs
        for result in one.results
        if not result.problem
        for sentence in unlike_saturations(result.counters, result.saturated, prepared.build.rows)
    ]
    wrong = [
        f"{one.policy.name}: counter {name} is {found}, the integer model implies {count}."
        for one in runs
        for result in one.results
        if not result.problem
        for name, (found, count) in _wrong_counters(_run_of(prepared, one, result), result.counters).items()
    ]
    return unbooked + unlike + wrong


def unlike_saturations(counters: dict[str, int], saturated: dict[str, int], rows: int) -> list[str]:
    """Counters of saturated words that do not fit the values, R to a word, that the reference clamped."""
    return [
        f"counter {name} is {counters[name]} words of {rows} values, the integer model clamped {values} values"
        for name, place in SATURATED.items()
        if not counters[name] <= (values := saturated.get(place, 0)) <= counters[name] * rows
    ]


def _booked(result: ImageResult) -> int:
    """Cycles of an image by phase and cause, added up."""
    return sum(result.counters[name] for name in ACCOUNTS)


def _wrong_counters(run: Run, counters: dict[str, int]) -> dict[str, tuple[int | None, int | None]]:
    """By name: what was read, and what is implied; None: there is no such counter."""
    expected = expected_counts(run.dims, run.build, run.record, run.tables)
    names = sorted((expected.keys() | counters.keys()) - UNCOUNTED)
    pairs = {name: (counters.get(name), expected.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
