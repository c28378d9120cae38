"""Whole timesteps through the exported wrapper in Icarus, cocotbext-axi's host and memory around it."""

import re
from dataclasses import replace

import pytest

from radit.accel.axi.bus_config import BusConfig, bridged_ports
from radit.accel.config import BuildConfig
from radit.accel.export.convert import AXI_TOP, convert
from radit.accel.export.waivers import (
    AXI_NARROWINGS,
    AXI_WAIVERS,
    NARROWED,
    WAIVERS_FILE,
    narrowed_lines,
    waiver_text,
)
from radit.model.policy.skip_policy import dense
from radit.model.system.processes import in_thread
from tests.axi.simulate import simulate
from tests.axi.timesteps import Run, described
from tests.system.cosimulate import SKIPPING, STREAM, Shape, make_task
from tests.system.test_export import lint

BUILD = BuildConfig(4, 4, max_hidden=8, max_mlp=8, max_tokens=8, max_sub_blocks=2)
BUS = BusConfig(data_bits=64, burst=8, latency=32)
SMALL = Shape(1, 4, 1, 4, depth=1, seed=6, motion=("jsj", "jjs"))  # a word of history is narrower than a beat
LARGER = replace(SMALL, tokens=5, hidden=8, mlp=8, motion=("js", "ss"))  # x takes several bursts


@pytest.fixture(scope="module")
def verilog(tmp_path_factory):
    return in_thread(convert, BUILD, "verilog", tmp_path_factory.mktemp("axi"), AXI_TOP, BUS)


def test_lint_is_silent(verilog, tmp_path):
    waivers = tmp_path / WAIVERS_FILE
    waivers.write_text(waiver_text(verilog.read_text(), AXI_TOP))
    assert lint(waivers, verilog, top=AXI_TOP) == ""
    bare = lint(verilog, top=AXI_TOP)
    cut = {int(line) for line in re.findall(rf"%Warning-{NARROWED}: \S+?:(\d+):", bare)}
    waived = narrowed_lines(verilog.read_text())
    assert waived.keys() == cut and set(AXI_NARROWINGS) <= set(waived.values())
    assert all(re.search(f"WIDTHEXPAND.*{each.match.rstrip(' *')}", bare) for each in AXI_WAIVERS)


@pytest.mark.needs("iverilog")
def test_x_is_the_references(verilog, tmp_path, seed):
    """Dense, skipping, and whole timesteps forecast; then errors and hostile writes, and a right run after each."""
    runs = [Run(make_task(shape), policy, BUILD) for shape, policy in
            ((SMALL, SKIPPING), (SMALL, dense()), (LARGER, SKIPPING), (SMALL, STREAM))]  # fmt: skip
    computed = [[step.computed for step in run.steps] for run in runs]
    assert computed[0][1] == 0 and min(computed[1]) > 0
    number = {port.name: port.number for way in (False, True) for port in bridged_ports(BUILD, is_write=way)}
    found = simulate(
        verilog, AXI_TOP, "bench_timesteps", seed, runs=described(runs, BUILD, tmp_path), data_bits=BUS.data_bits,
        burst=BUS.burst_beats, pause=0.2, x_in=number["x_in"], x_out=number["x_out"],
    )  # fmt: skip
    assert found["reads"] > 50 and found["writes"] > 10
