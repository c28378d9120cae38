"""Engines by name, and the export that is made once per content."""

import pytest

from radit.accel.config import BuildConfig
from radit.cosim.engines import open_engine
from radit.cosim.engines.open import exported_verilog
from radit.model.errors import UserError

SMALL = BuildConfig(rows=4, cols=4)


def test_an_unknown_engine_is_named():
    with pytest.raises(UserError, match="engine is 'modelsim'; choose from verilator, myhdl"):
        open_engine("modelsim", SMALL)


def test_the_export_is_made_once_per_build(tmp_path):
    made = []

    def convert(config, language, folder):
        made.append((config, language))
        path = folder / "top.v"
        path.write_text("module top; endmodule\n")
        return path

    first = exported_verilog(SMALL, tmp_path, convert)
    assert exported_verilog(SMALL, tmp_path, convert) == first
    wide = BuildConfig(rows=8, cols=4)
    assert exported_verilog(wide, tmp_path, convert) != first
    assert made == [(SMALL, "verilog"), (wide, "verilog")]


def test_a_failed_export_is_tried_again(tmp_path):
    def refuse(config, language, folder):
        (folder / "top.v").write_text("half a fi")
        raise RuntimeError("no")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="no"):
            exported_verilog(SMALL, tmp_path, refuse)
