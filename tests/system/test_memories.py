"""The exported Verilog with its memories as instances: the same words in every cycle, no warning, the same memories."""

import pytest

from radit.accel.config import BuildConfig
from radit.accel.export.convert import TOP, convert
from radit.accel.export.export_folder import export_build
from radit.accel.export.memories import DECLARED, MODULE, RAM_FILE, memories_apart
from radit.accel.export.waivers import WAIVERS_FILE
from radit.model.errors import UserError
from radit.model.system.processes import in_thread
from tests.system.test_export import BOUNDARY, SMALL, lint, record
from tests.units import replay

BUILD = BuildConfig(rows=4, cols=4, frame_banks=2, **SMALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("apart")
    export_build(BUILD, ["verilog"], made, apart=True)
    return made


def test_every_memory_is_an_instance(folder, tmp_path):
    before = in_thread(convert, BUILD, "verilog", tmp_path).read_text()
    after = (folder / f"{TOP}.v").read_text()
    assert after == memories_apart(before)
    assert after.count("radit_ram #(") == len(DECLARED.findall(before)) > 10 and not DECLARED.search(after)
    assert (folder / RAM_FILE).read_text() == MODULE and f"[{RAM_FILE}, {TOP}.v]" in (folder / "radit.core").read_text()


def test_lint_is_silent(folder):
    assert lint(folder / WAIVERS_FILE, folder / RAM_FILE, folder / f"{TOP}.v") == ""


@pytest.mark.needs("iverilog")
def test_it_computes_what_myhdl_does(folder, tmp_path):
    text = (folder / f"{TOP}.v").read_text()
    (tmp_path / "dut.v").write_text(text.replace(f"module {TOP} ", "module dut ") + MODULE)
    trace = in_thread(record, BUILD)
    counts = replay.run_icarus(tmp_path, text, "clk", trace)
    assert all(counts.values()) and counts.keys() >= BOUNDARY and sum(counts.values()) > 40 * len(trace["busy"])


def test_a_memory_of_another_form_is_refused(folder, tmp_path):
    text = in_thread(convert, BUILD, "verilog", tmp_path).read_text()
    with pytest.raises(UserError, match="word_ram.* is not one of accel/units/ram.py"):
        memories_apart(text.replace("_memory[", "_memory [", 1))
