"""`radit crosscheck`: cycles beside SCALE-Sim's, energies beside a second source's, and what each of them rests on."""

import json
import sys
from importlib.util import find_spec

import pytest

from radit.accel.dims import ATTENTION, MLP
from radit.cli import main
from radit.cosim.support.sizes import fitted
from radit.model.dit.checkpoint import load_config
from radit.model.errors import UserError
from radit.reports.crosscheck.crosscheck import TOTAL, run_crosscheck
from radit.reports.crosscheck.gemms import CONTEXTS, Gemm, block_products
from radit.reports.crosscheck.scale_sim import gemm_cycles, simulated_cycles
from radit.reports.crosscheck.schema import CrossCheck
from radit.reports.crosscheck.second_source import compared
from radit.reports.cycles.engines import Engines
from radit.reports.cycles.memory import MemoryModel
from radit.reports.energy.energy_table import load_table

needs_scale_sim = pytest.mark.skipif(find_spec("scalesim") is None, reason="needs scalesim, which is not installed")
ROWS, COLS = 16, 16


def test_a_gemm_is_cut_into_tiles_of_the_array():
    assert Gemm(40, 33, 7, 3).folds(16, 16) == 3 * 3 * 3 and Gemm(16, 16, 7, 1).folds(16, 16) == 1


def test_products_are_the_macs_of_a_block():
    config = load_config("digits")
    gemms = [gemm for one in block_products("digits", ROWS, COLS) for gemm in one.gemms]
    assert sum(one.m * one.n * one.k * one.count for one in gemms) == CONTEXTS * sum(config.sub_block_macs()[:2])


@pytest.mark.parametrize("model, array", [("digits", (16, 16)), ("dit-xl-2", (64, 64))])
def test_products_alone_take_what_they_take_in_a_sub_block(model, array):
    """The engines of the cycle model, which equals the RTL, with weights at hand; Q, K and V share their barrier."""
    dims, build = fitted(load_config(model), CONTEXTS, *array)
    engines = Engines(dims, build, MemoryModel(), policy_on=False)
    spans = {
        name: cycles for kind in (ATTENTION, MLP) for name, cycles in engines.run(kind, 0, (0, 1), -1e12, ())[0].items()
    }
    found = {one.name: one.cycles for one in block_products(model, *array)}
    for name in ("projection", "fc1", "fc2"):
        assert abs(found[name] - spans[name]) <= 2
    assert abs(found["scores and values"] - spans["attend"]) <= 2
    three = sum(found[name] for name in "qkv")
    assert spans["qkv"] < three < spans["qkv"] + 3 * (build.cols + 60)


@needs_scale_sim
def test_all_folds_of_scale_sim_take_as_long_as_one():
    for rows, cols, m, n, k in ((4, 8, 10, 20, 5), (8, 4, 8, 12, 33), (16, 16, 40, 40, 72)):
        whole = simulated_cycles(rows, cols, m, n, k)
        assert gemm_cycles(Gemm(m, n, k, 3), rows, cols) == 3 * whole
        assert whole == Gemm(m, n, k, 1).folds(rows, cols) * (k + rows + cols - 2)


@needs_scale_sim
def test_the_command_writes_and_shows_both(tmp_path, capsys):
    assert main(["crosscheck", "--model", "digits", "--array", "4x4,8x8", "--out", str(tmp_path)]) == 0
    result = CrossCheck.model_validate(json.loads((tmp_path / "crosscheck.json").read_text()))
    assert [(one.array.rows, one.product) for one in result.cycles if one.product == TOTAL] == [(4, TOTAL), (8, TOTAL)]
    for one in result.cycles:
        assert one.ours + one.other_fill - one.own_overhead == one.other and one.own_overhead > 0
    for rows in (4, 8):
        *parts, total = [one for one in result.cycles if one.array.rows == rows]
        assert total.ours == sum(one.ours for one in parts) and total.other == sum(one.other for one in parts)
    said = capsys.readouterr().out
    assert "digits on 8x8" in said and "hwcomponents-cacti" in said and "(outside)" not in said


def test_the_range_of_every_entry_holds_the_second_source():
    found = compared(load_table())
    assert [one.entry for one in found if not one.is_within] == []
    assert {"mac_int8", "add_bit", "register_bit", "external_bit", "SRAM 8 KiB x 64 bit"} <= {
        one.entry for one in found
    }
    assert all(any(tag in one.source for tag in ("[P]", "[S]", "[C]")) for one in found)


@needs_scale_sim
def test_a_second_value_outside_is_status_1(tmp_path, capsys):
    table = tmp_path / "narrow.toml"
    table.write_text('base = "default"\nname = "narrow"\n[primitive.mac_int8]\nhigh = 0.3\n')
    options = ["--model", "digits", "--array", "8x8", "--table", str(table), "--out", str(tmp_path / "out")]
    assert main(["crosscheck", *options]) == 1
    assert "(outside)" in capsys.readouterr().out


def test_tables_of_other_nodes_and_arrays_of_two_products_are_refused(tmp_path):
    with pytest.raises(UserError, match="is for 7 nm, the second source for 28 nm: give a table of that node"):
        compared(load_table().model_copy(update={"node_nm": 7.0}))
    with pytest.raises(UserError, match="--array is 8x8x2: SCALE-Sim knows one product per cell"):
        run_crosscheck(models=["digits"], arrays=[(8, 8, 2)], table="default", out=tmp_path)


def test_scale_sim_is_optional(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "scalesim.compute.systolic_compute_os", None)
    assert main(["crosscheck", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.endswith("is missing: pip install 'radit[crosscheck]'.\n")
    assert not (tmp_path / "out" / "crosscheck.json").exists()
