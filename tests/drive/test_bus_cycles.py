"""The cycle model of the AXI wrapper against the simulated one, phase by phase."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from radit.accel.axi.bus_config import BusConfig
from radit.accel.axi.bus_ports import STROBE_BITS
from radit.accel.control.registers import ACCOUNTS, ADDRESS, CLEAR_COUNTERS, COUNTER_ADDRESS, PHASES, TEXT_PHASES
from radit.accel.host.packed import PackedModel
from radit.cosim.drive.c_driver import CDevice
from radit.cosim.drive.compare import expected_image
from radit.cosim.drive.model_file import pack_model
from radit.cosim.drive.simulated import BusTiming, SimulatedBackend
from radit.reports.cost.run_tables import RunTables
from radit.reports.cycles.bus import CROWDED, MET, TURNED, WriteBridge, WriteChannel, behind_axi
from radit.reports.cycles.cycle_model import predict
from radit.reports.cycles.memory import LIMITED
from radit.reports.cycles.roofline import Run
from tests.drive.test_drivers import POLICIES
from tests.drive.tiny import BUS, libraries, tiny_prepared

MET_CYCLES = 8  # of a timestep's passes, in which the memory answers IDs in any order
pytestmark = pytest.mark.xdist_group("drive")


@cache
def run_of(policy: str) -> tuple[PackedModel, Run]:
    """An image of the tiny model under a policy, packed, and what it decides."""
    prepared = tiny_prepared()
    chosen = prepared.policy(policy)
    packed = pack_model(prepared, chosen)
    record = expected_image(prepared, chosen, packed, 0).decisions
    return packed, Run(prepared.dims, prepared.build, record, RunTables.of(chosen.tables(prepared.integer)))


def phases_behind_axi(
    policy: str, timing: BusTiming, bus: BusConfig = BUS, library: Path | None = None
) -> tuple[dict[str, int], dict[str, int]]:
    """Cycles by phase of an image: measured, predicted."""
    packed, run = run_of(policy)
    with SimulatedBackend(library or libraries()[0], 2 * packed.memory_bytes, timing) as backend:
        backend.set_pause(1000)
        device = CDevice(backend, libraries()[1])
        device.load(packed)
        backend.write32(STROBE_BITS * ADDRESS["control"], CLEAR_COUNTERS)
        device.generate(0)
        measured = dict.fromkeys(PHASES, 0)
        for name, (phase, _) in ACCOUNTS.items():
            if phase not in TEXT_PHASES:
                measured[phase] += backend.read32(STROBE_BITS * COUNTER_ADDRESS[name])
    memory = behind_axi(timing.latency, timing.stall, bus)
    return measured, predict(run.dims, run.build, run.record, run.tables, memory).phases


@pytest.mark.parametrize("latency", [0, 1, 20])
@pytest.mark.parametrize("policy", POLICIES)
def test_engines_are_exact_where_buffers_bridge_the_latency(policy, latency, seed):
    measured, predicted = phases_behind_axi(policy, BusTiming(latency, seed=seed % 1000))
    passes = measured.pop("pass"), predicted.pop("pass")
    assert measured == predicted
    assert abs(passes[0] - passes[1]) <= 4 * MET_CYCLES  # timesteps


@pytest.mark.parametrize("policy", POLICIES)
def test_a_latency_that_no_buffer_bridges_is_met(policy, seed):
    """The room of the weights' buffer counts: with all of it on the way, the next words are a round trip away."""
    assert behind_axi(3 * BUS.latency, 0.0, BUS).tolerance == TURNED
    measured, predicted = (sum(p.values()) for p in phases_behind_axi(policy, BusTiming(3 * BUS.latency, seed=seed)))
    assert predicted == pytest.approx(measured, rel=TURNED)


def test_the_model_can_be_wrong(seed):
    """A cycle more on the way to the first word is seen."""
    measured, _ = phases_behind_axi("radit:threshold=0.9:first_dense=1", BusTiming(20, seed=seed % 1000))
    _, later = phases_behind_axi("radit:threshold=0.9:first_dense=1", BusTiming(30, seed=seed % 1000))
    assert later["pass"] > measured["pass"] + 4 * MET_CYCLES


@pytest.mark.parametrize(
    "memory, tolerance, regime",
    [
        (behind_axi(100, 0.0, BusConfig(256)), MET, "AXI of 256 bits"),
        (behind_axi(100, 0.1, BusConfig(64)), CROWDED, "AXI of 64 bits and random pauses"),
        (behind_axi(129, 0.0, BusConfig(512)), TURNED, "AXI of 512 bits"),
        (behind_axi(20, 0.0, BusConfig(512), 32.0), LIMITED, "AXI of 512 bits and a memory slower than its bus"),
    ],
)
def test_a_regime_has_its_tolerance(memory, tolerance, regime):
    assert (memory.tolerance, memory.regime) == (tolerance, regime)
    assert replace(memory, bandwidth=1.0).spacing(8) == 8.0


def test_bursts_leave_two_cycles_between_them():
    """Words as wide as a beat, in bursts of four: room is there for eight, then each burst costs six cycles."""
    bridge = WriteBridge(WriteChannel(1.0), BusConfig(64, burst=4), 8, 40)
    taken = np.array([bridge.take(0.0) for _ in range(40)])
    assert np.diff(taken).min() == 1 and np.array_equal(np.diff(taken[16::4]), [6.0] * 5)
    assert bridge.take(0.0) == taken[-1] + 9  # the last burst waits for the one before


def test_words_of_two_commands_are_four_cycles_apart():
    bridge = WriteBridge(WriteChannel(1.0), BusConfig(256), 8, 8)
    taken = [bridge.take(0.0) for _ in range(16)]
    assert np.diff(taken).tolist() == [1.0] * 7 + [4.0] + [1.0] * 7
