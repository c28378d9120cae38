"""Run a cocotb bench of this folder on converted Verilog."""

import json
import os
import sys
from pathlib import Path

import pytest
from cocotb_tools.runner import get_results, get_runner

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = "RADIT_AXI_BENCH"  # the bench's settings, JSON


def simulate(verilog: Path, top: str, bench: str, seed: int, tool: str = "icarus", **settings: object) -> dict:
    """Compile, run every test of ``tests.axi.<bench>``, all of which must pass; returns what it wrote as results."""
    folder = verilog.parent / f"{tool}-{bench}"
    found = folder / "found.json"
    runner = get_runner(tool)
    options = {"icarus": ["-g2005"], "verilator": ["-Wno-fatal", "-Wno-lint", "-Wno-style"]}
    runner.build(
        sources=[verilog], hdl_toplevel=top, build_dir=folder, always=True, build_args=options[tool],
        log_file=folder.with_suffix(".log"),
    )  # fmt: skip
    results = runner.test(
        hdl_toplevel=top, test_module=f"tests.axi.{bench}", build_dir=folder, test_dir=folder, seed=seed,
        extra_env={
            SETTINGS: json.dumps(settings | {"found": str(found)}),
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
            "COCOTB_ANSI_OUTPUT": "0",
        },
        log_file=folder / "run.log", results_xml=str(folder / "results.xml"),
    )  # fmt: skip
    tests, failed = get_results(Path(results))
    if failed or not tests:
        pytest.fail(f"{bench}: {failed} of {tests} failed\n" + (folder / "run.log").read_text()[-6000:])
    return json.loads(found.read_text()) if found.exists() else {}


def settings() -> dict:
    """Of the bench that runs."""
    return json.loads(os.environ[SETTINGS])
