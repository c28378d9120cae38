"""A made-up run for the tests of the report: shaped like the digit model's, its numbers invented."""

import numpy as np

from accel.config import BuildConfig
from accel.dims import Dims
from model.dit.config import DiTConfig
from reports.area.parts import PARTS
from reports.area.schema import Area, ArrayArea, Composition, DetectionCost, Logic, PartArea
from reports.common.schema_parts import Array, ExternalMemory
from reports.cost.counts import UNCOUNTED, expected_counts, model_macs
from reports.cost.run_tables import Orders
from reports.cycles.cycle_model import MemoryModel
from reports.cycles.roofline import Run, roofline
from reports.energy.energy_model import energy
from reports.energy.energy_table import load_table
from reports.energy.host_work import host_work
from reports.energy.memory_plan import plan_memory
from reports.run.arrays import ReportArrays
from reports.run.schema import Check, ClipMeasures, CycleModel, Memory, PolicyResult, Quality, Sampler, Spread, Summary
from reports.run.summary import all_ratios, policy_result, provenance, whole_run

BUILD = BuildConfig()
DIMS = Dims(hidden=64, heads=2, head_dim=32, mlp=256, tokens=64, sub_blocks=12, contexts=2)
STEPS = 50
GMAC_PER_SECOND = 0.02
FORECAST_QUALITY = {
    "fd_forecast": 4.47,
    "accuracy_forecast": 0.978,
    "mse_forecast_to_dense": 0.00013,
    "mse_30_of_50": 0.00045,
    "mac_reduction_forecast": 2.34,
    "mse_spread": {
        name: Spread(standard_error=error, median=8 * error)
        for name, error in (("radit", 2e-5), ("fewer_steps", 1e-4), ("forecast", 1.24e-5), ("30_of_50", 4e-5))
    },
}


def decisions(rng: np.random.Generator) -> np.ndarray:
    """Computed [timestep, sub_block, context]: first and last three steps dense, more reuse in the middle."""
    middle = 0.75 * np.sin(np.linspace(0, np.pi, STEPS))[:, None, None] + np.linspace(-0.1, 0.1, 12)[None, :, None]
    computed = rng.random((STEPS, 12, 2)) >= middle
    computed[:3] = computed[-3:] = True
    return computed


def run(computed: np.ndarray, policy_on: bool, forecast: bool = False) -> PolicyResult:
    """A run's result with invented timing."""
    orders = Orders(policy_on, gains=np.full((STEPS, DIMS.sub_blocks), 128) if forecast else None)
    counters = expected_counts(DIMS, BUILD, computed, orders)
    passes = STEPS * 13 * 600
    cycles = int(counters["array_cycles"] * 1.06) + passes
    counters = dict.fromkeys(UNCOUNTED, 0) | {"cycles": cycles, "pass_cycles": passes} | counters
    counters |= {"pass_vector": passes, "fc1_array": counters["array_cycles"]}
    counters["qkv_weights"] = cycles - passes - counters["array_cycles"]
    work = host_work(DiTConfig(), STEPS, images=1)
    table = load_table()
    plan = plan_memory(DIMS, BUILD, table.reuse_sram.capacity, slots=2 if forecast else 1)
    bill = energy(counters, BUILD, table, plan, work)
    macs, dense_macs = model_macs(DIMS, computed), model_macs(DIMS, np.ones_like(computed))
    limits = roofline(Run(DIMS, BUILD, computed, orders), MemoryModel())
    model = CycleModel(predicted=cycles - 1000, measured=cycles)
    return policy_result(counters, macs, dense_macs, BUILD, bill, limits, GMAC_PER_SECOND, model)


def summary(rng: np.random.Generator, forecast: bool = False) -> Summary:
    """A whole summary that passes its check; with a forecast run and its quality on demand."""
    computed = decisions(rng)
    results = {"dense": run(np.ones_like(computed), policy_on=False), "radit": run(computed, policy_on=True)}
    if forecast:
        results["forecast"] = run(decisions(rng), policy_on=True, forecast=True)
    quality = FORECAST_QUALITY if forecast else {}
    return Summary(
        model="digits",
        sampler=Sampler(steps=STEPS, cfg=1.5, images=10, seed=1),
        engine="verilator",
        array=Array(rows=BUILD.rows, cols=BUILD.cols),
        memory=Memory(latency=100, bandwidth=32.0, stall=0.0, seed=1),
        **whole_run(results.values()),
        **results,
        **all_ratios(results),
        check=Check(
            words_compared=123_456_789,
            words_mismatched=0,
            decisions_compared=24_000,
            decisions_mismatched=0,
            images_identical=True,
            counters_equal=True,
        ),
        quality=Quality(
            samples=1000,
            fd_float=4.31,
            fd_int8=4.35,
            fd_radit=4.42,
            fd_noise=0.21,
            accuracy_float=0.981,
            accuracy_int8=0.98,
            accuracy_radit=0.979,
            mse_radit_to_dense=0.00021,
            mse_fewer_steps_same_macs=0.0011,
            **quality,
            origin="stored with the checkpoint, hash matches",
        ),
        seconds={"quantize": 4.2, "verilate": 31.0, "simulate dense": 80.1, "simulate radit": 41.5, "report": 2.0},
        provenance=provenance(
            load_table(), plan_memory(DIMS, BUILD, 1024).describe(), {"checkpoint": "0123456789abcdef"}
        ),
    )


def clip_summary(rng: np.random.Generator) -> Summary:
    """The same as if it were of three clips, with what only these have."""
    found = summary(rng, forecast=True)
    found.model, found.sampler = "moving-digits", Sampler(steps=STEPS, cfg=1.5, images=3, frames=4, seed=1)
    found.sub_blocks = DiTConfig(frames=4).sub_block_kinds()
    measures = {"fd": 3.0, "accuracy": 0.9, "same_class": 0.95, "speed": 1.0, "acceleration": 0.1}
    found.quality.clips = {
        name: ClipMeasures(**measures, accuracy_frames=0.9 - place / 100, departure=0.2 + place / 100, straight=0.8)
        for place, name in enumerate(("data", "float", "dense", "radit", "forecast"))
    }
    return Summary.model_validate(found.model_dump())


def clip_arrays(rng: np.random.Generator) -> ReportArrays:
    """The blobs of `arrays`, three clips of four frames that are shifted by a pixel each."""
    still = arrays(rng, images=3, forecast=True)
    moving = {name: np.stack([np.roll(made, f, -1) for f in range(4)], 1) for name, made in still.images.items()}
    return ReportArrays(still.reused, moving)


def arrays(rng: np.random.Generator, images: int = 10, forecast: bool = False) -> ReportArrays:
    """Blurry 8 x 8 blobs, and the same with a little noise under every skipping policy."""
    y, x = np.mgrid[0:8, 0:8]
    centres = rng.uniform(2, 5, (images, 2))
    dense = np.stack([2 * np.exp(-((y - a) ** 2 + (x - b) ** 2) / 6) - 1 for a, b in centres])[:, None]
    skipping = ["radit", *(["forecast"] if forecast else [])]
    noisy = {name: dense + 0.02 * rng.standard_normal(dense.shape) for name in skipping}
    reused = {name: np.stack([~decisions(rng) for _ in range(images)]) for name in skipping}
    return ReportArrays(reused, {"dense": dense} | noisy)


def area() -> Area:
    """An account of cells of two arrays, with its check and a run's costs."""
    one = Logic(cells=10, gates=20.0, flip_flops=1)
    parts = {name: PartArea(logic=one, pieces=1, synthesized=1, memory_bits=0) for name in PARTS}
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
