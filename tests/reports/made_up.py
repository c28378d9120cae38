"""A made-up run for the tests of the report: shaped like the digit model's, its numbers invented."""

import numpy as np

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.model.dit.config import DiTConfig
from radit.model.integer.decision_record import DecisionRecord
from radit.model.policy import skip_policy as policies
from radit.model.policy.skip_policy import Policy
from radit.model.quality.quality_schema import ClipMeasures, PairedErrors, PolicyQuality, Quality, Spread
from radit.reports.area.parts import BUILT, PARTS
from radit.reports.area.schema import Area, ArrayArea, Composition, DetectionCost, Logic, PartArea
from radit.reports.common.schema_parts import Array, ExternalMemory
from radit.reports.cost.counts import UNCOUNTED, expected_counts, model_macs
from radit.reports.cost.run_tables import RunTables
from radit.reports.cycles.cycle_model import MemoryModel
from radit.reports.cycles.roofline import Run, roofline
from radit.reports.energy.energy_model import energy
from radit.reports.energy.energy_table import load_table
from radit.reports.energy.host_work import host_work
from radit.reports.energy.memory_plan import plan_memory
from radit.reports.run.arrays import RunArrays
from radit.reports.run.schema import Check, CycleModel, Memory, PolicyResult, Sampler, Summary
from radit.reports.run.summary import all_ratios, policy_result, provenance, whole_run

BUILD = BuildConfig()
DIMS = Dims(hidden=64, heads=2, head_dim=32, mlp=256, tokens=64, sub_blocks=12, contexts=2)
STEPS = 50
GMAC_PER_SECOND = 0.02


def measured(fd: float, accuracy: float, **more: object) -> PolicyQuality:
    """Quality with a distance and an accuracy."""
    return PolicyQuality(fd=fd, accuracy=accuracy, **more)


def paired(mse: float, error: float | None, **more: object) -> dict[str, object]:
    """A paired error, with its spread on demand."""
    spread = None if error is None else Spread(standard_error=error, median=8 * error)
    return {"mse_to_dense": mse, "mse_spread": spread, **more}


def converged(mean: float) -> PairedErrors:
    """Errors to the converged samples."""
    return PairedErrors(
        mean=mean, standard_error=mean / 10, median=mean / 2, percentile_95=3 * mean, tipped_over=40 * mean
    )


def quality(forecast: bool) -> Quality:
    """Quality of two policies, or of three with their standard errors."""
    errors = iter((2e-5, 1e-4, 1.24e-5, 4e-5) if forecast else (None, None, None, None))
    by_policy = {
        "float": measured(4.31, 0.981),
        "dense": measured(4.35, 0.98, mse_to_dense=0.0, mac_reduction=1.0),
        "radit": measured(4.42, 0.979, text="radit", **paired(0.00021, next(errors), mac_reduction=2.1)),
        "fewer_steps": PolicyQuality(steps=24, same_macs_as="radit", **paired(0.0011, next(errors))),
    }
    if forecast:
        by_policy["forecast"] = measured(
            4.47, 0.978, text="forecast", **paired(0.00013, next(errors), mac_reduction=2.34)
        )
        by_policy["30_of_50"] = PolicyQuality(steps=30, **paired(0.00045, next(errors)))
        for name, mean in (("float", 1e-4), ("dense", 2e-4), ("radit", 5e-4), ("forecast", 4e-4)):
            by_policy[name].to_converged = converged(mean)
    return Quality(samples=1000, fd_noise=0.21, by_policy=by_policy, origin="stored with the checkpoint, hash matches")


def decisions(rng: np.random.Generator) -> DecisionRecord:
    """Of one image: first and last three steps dense, more reuse in the middle."""
    middle = 0.75 * np.sin(np.linspace(0, np.pi, STEPS))[:, None, None] + np.linspace(-0.1, 0.1, 12)[None, :, None]
    computed = rng.random((STEPS, 12, 2)) >= middle
    computed[:3] = computed[-3:] = True
    return DecisionRecord.of_image(computed)


def run(policy: Policy, record: DecisionRecord) -> PolicyResult:
    """A run's result with invented timing."""
    forecasts = policy.gain > 0
    tables = RunTables(policy.name != "dense", gains=np.full((STEPS, DIMS.sub_blocks), 128) if forecasts else None)
    counters = expected_counts(DIMS, BUILD, record, tables)
    passes = STEPS * 13 * 600
    cycles = int(counters["array_cycles"] * 1.06) + passes
    counters = dict.fromkeys(UNCOUNTED, 0) | {"cycles": cycles, "pass_cycles": passes} | counters
    counters |= {"pass_vector": passes, "fc1_array": counters["array_cycles"]}
    counters["qkv_weights"] = cycles - passes - counters["array_cycles"]
    work = host_work(DiTConfig(), STEPS, images=1)
    table = load_table()
    plan = plan_memory(DIMS, BUILD, table.reuse_sram.capacity, slots=2 if forecasts else 1)
    bill = energy(counters, BUILD, table, plan, work)
    macs, dense_macs = model_macs(DIMS, record), model_macs(DIMS, record.as_dense())
    limits = roofline(Run(DIMS, BUILD, record, tables), MemoryModel())
    model = CycleModel(predicted=cycles - 1000, measured=cycles)
    return policy_result(policy, plan, counters, macs, dense_macs, BUILD, bill, limits, GMAC_PER_SECOND, model)


def summary(rng: np.random.Generator, forecast: bool = False) -> Summary:
    """A whole summary that passes its check; with a forecast run and its quality on demand."""
    record = decisions(rng)
    results = {"dense": run(policies.dense(), record.as_dense()), "radit": run(policies.radit(), record)}
    if forecast:
        results["forecast"] = run(policies.forecast(), decisions(rng))
    return Summary(
        model="digits",
        sampler=Sampler(steps=STEPS, cfg=1.5, images=10, seed=1),
        sub_blocks=DiTConfig().sub_block_kinds(),
        engine="verilator",
        array=Array(rows=BUILD.rows, cols=BUILD.cols),
        memory=Memory(latency=100, bandwidth=32.0, stall=0.0, seed=1),
        results=results,
        ratios=all_ratios(results),
        **whole_run(results.values()),
        check=Check(
            words_compared=123_456_789,
            words_mismatched=0,
            decisions_compared=24_000,
            decisions_mismatched=0,
            images_identical=True,
            counters_equal=True,
        ),
        quality=quality(forecast),
        seconds={"quantize": 4.2, "verilate": 31.0, "simulate dense": 80.1, "simulate radit": 41.5, "report": 2.0},
        provenance=provenance(load_table(), {"checkpoint": "0123456789abcdef"}),
    )


def clip_summary(rng: np.random.Generator) -> Summary:
    """The same as if it were of three clips, with what only these have."""
    found = summary(rng, forecast=True)
    found.model, found.sampler = "moving-digits", Sampler(steps=STEPS, cfg=1.5, images=3, frames=4, seed=1)
    found.sub_blocks = DiTConfig(frames=4).sub_block_kinds()
    measures = {"same_class": 0.95, "speed": 1.0, "acceleration": 0.1}
    found.quality.by_policy["data"] = measured(3.0, 0.9)
    for place, name in enumerate(("data", "float", "dense", "radit", "forecast")):
        moving = {"accuracy_frames": 0.9 - place / 100, "departure": 0.2 + place / 100, "straight": 0.8}
        found.quality.by_policy[name].clips = ClipMeasures(**measures, **moving)
    return Summary.model_validate(found.model_dump())


def clip_arrays(rng: np.random.Generator) -> RunArrays:
    """The blobs of `arrays`, three clips of four frames that are shifted by a pixel each."""
    still = arrays(rng, images=3, forecast=True)
    moving = {name: np.stack([np.roll(made, f, -1) for f in range(4)], 1) for name, made in still.images.items()}
    return RunArrays(still.decisions, moving)


def arrays(rng: np.random.Generator, images: int = 10, forecast: bool = False) -> RunArrays:
    """Blurry 8 x 8 blobs, and the same with a little noise under every skipping policy."""
    y, x = np.mgrid[0:8, 0:8]
    centres = rng.uniform(2, 5, (images, 2))
    dense = np.stack([2 * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 6) - 1 for a, b in centres])[:, None]
    skipping = ["radit", *(["forecast"] if forecast else [])]
    noisy = {name: dense + 0.02 * rng.standard_normal(dense.shape) for name in skipping}
    records = {name: DecisionRecord.joined([decisions(rng) for _ in range(images)]) for name in skipping}
    return RunArrays({"dense": records["radit"].as_dense()} | records, {"dense": dense} | noisy)


def arrays_of(records: dict[str, DecisionRecord]) -> RunArrays:
    """Decisions with blank images."""
    return RunArrays(records, {name: np.zeros((record.images, 1, 8, 8)) for name, record in records.items()})


def area() -> Area:
    """An account of cells of two arrays, with its check and a run's costs."""
    one = Logic(cells=10, gates=20.0, flip_flops=1)
    parts = {name: PartArea(logic=one, pieces=1, synthesized=1, memory_bits=0) for name in PARTS.keys() - BUILT}
    parts |= {"array": PartArea(logic=Logic(cells=1040, gates=2080.0), pieces=4, synthesized=1, memory_bits=0)}
    parts |= {"history": PartArea(logic=one, pieces=1, synthesized=1, memory_bits=4096)}
    array = Array(rows=4, cols=4)
    cost = dict(model="digits", array=array, decisions="made up", skip_rate=0.5, energy_uj=8.0, energy_told_uj=7.9)
    return Area(
        model="digits", yosys="Yosys 0.23", library="gates.lib", library_hash="0" * 16, gate_area=1.0,
        arrays=[ArrayArea(array=array, parts=parts), ArrayArea(array=Array(rows=8, cols=8), parts=parts)],
        check=Composition(array=array, whole=Logic(cells=1000, gates=2000.0), pieces=Logic(cells=1010, gates=1990.0)),
        memory=ExternalMemory(latency=100, bandwidth=32.0, stall=0.0), energy_table="made up",
        costs=[DetectionCost(policy=name, cycles=2e6, cycles_told=1.9e6, **cost) for name in ("radit", "forecast")],
        created="2026-01-01T00:00:00+00:00", command="radit area", versions={},
    )  # fmt: skip
