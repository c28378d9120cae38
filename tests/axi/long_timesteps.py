"""Longer timesteps behind the wrapper, and how many cycles it adds; `tox run -e axi`."""

from dataclasses import replace

import pytest

from radit.accel.axi.bus_config import BusConfig, bridged_ports
from radit.accel.config import BuildConfig
from radit.accel.export.convert import AXI_TOP, convert
from radit.cosim.engines import MemoryTiming, Setup
from radit.model.policy.skip_policy import dense
from radit.model.system.processes import in_thread
from tests.axi.simulate import simulate
from tests.axi.test_timesteps import BUILD, LARGER, SMALL
from tests.axi.timesteps import Run, described
from tests.formal.prove import run
from tests.system.cosimulate import FORECASTING, SKIPPING, Shape, cosimulate, make_task

LATENCY = 20
MOST_CYCLES = 50_000
ROOMY = BuildConfig(4, 4, max_hidden=16, max_mlp=24, max_tokens=16, max_sub_blocks=4)
MIDDLE = Shape(13, 16, 2, 24, motion=("jsj", "jjs"), seed=7)

pytestmark = pytest.mark.needs("iverilog")


def play(build, bus, tasks, folder, seed, **settings) -> dict:
    """Run tasks with their policies; what the bench found."""
    verilog = in_thread(convert, build, "verilog", folder, AXI_TOP, bus)
    runs = [Run(make_task(shape), policy, build) for shape, policy in tasks]
    number = {port.name: port.number for way in (False, True) for port in bridged_ports(build, is_write=way)}
    return simulate(
        verilog, AXI_TOP, "bench_timesteps", seed, runs=described(runs, build, folder), data_bits=bus.data_bits,
        burst=bus.burst_beats, x_in=number["x_in"], x_out=number["x_out"], **settings,
    )  # fmt: skip


@pytest.mark.parametrize(("data_bits", "address_bits"), [(64, 40), (256, 64)])
def test_timesteps_of_two_blocks(data_bits, address_bits, tmp_path, seed):
    tasks = [(MIDDLE, FORECASTING), (replace(MIDDLE, motion=("j", "j")), dense())]
    assert play(ROOMY, BusConfig(data_bits, address_bits), tasks, tmp_path, seed, pause=0.3)["reads"] > 100


def test_a_timestep_takes_few_cycles_more(tmp_path, seed):
    """On one bus, which all ports share, and whose every access has a latency: dense ones a tenth at most."""
    tasks = [(SMALL, dense()), (LARGER, dense()), (LARGER, SKIPPING)]
    found = play(BUILD, BusConfig(64), tasks, tmp_path, seed, pause=0, latency=LATENCY)["spent"]
    setup = Setup(MemoryTiming(LATENCY), max_cycles=MOST_CYCLES)
    bare = [cosimulate("myhdl", BUILD, make_task(shape), policy, setup).cycles for shape, policy in tasks]
    alone = sum(bare, [])
    print("cycles behind AXI", found, "alone", alone)
    several = len(bare[0]) + len(bare[1])
    assert len(found) == len(alone)
    for spent, least in zip(found[:several], alone[:several], strict=True):
        assert least <= spent <= 1.1 * least
    for spent, least in zip(found, alone, strict=True):
        assert least <= spent <= 1.25 * least


@pytest.mark.needs("ghdl")
def test_ghdl_elaborates_it(tmp_path):
    vhdl = in_thread(convert, BUILD, "vhdl", tmp_path, AXI_TOP, BusConfig(512, 32))
    options = ("--std=08", f"--workdir={tmp_path}")
    run("ghdl", "-a", *options, str(next(tmp_path.glob("pck_*.vhd"))), str(vhdl))
    run("ghdl", "-e", *options, "-o", str(tmp_path / "top"), AXI_TOP)
