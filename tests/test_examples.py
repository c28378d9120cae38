"""Every example runs on its own and prints what its docstring says, to the last bits of floating point."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
NEEDS = {"own_array": "verilator"}
NEAR = 0.15  # relative: the host's floating point differs from machine to machine, and decisions can tip over
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]\d+)?")
SECONDS = 900  # with the compilation of a simulator on a busy machine


def expected_lines(docstring: str) -> list[str]:
    """The indented lines that follow "Expected output" in a docstring."""
    return [
        line.strip() for line in docstring.partition("\nExpected output")[2].splitlines() if line.startswith("    ")
    ]


def assert_alike(found: str, expected: str) -> None:
    """The same words in the same places, and nearly the same numbers; a missing tool is said in their place."""
    if "is not installed" in found:
        assert found.partition(":")[0] == expected.partition(":")[0]
        return
    assert NUMBER.sub("#", found).split() == NUMBER.sub("#", expected).split(), f"{found!r}, not {expected!r}"
    numbers = (list(map(float, NUMBER.findall(text))) for text in (found, expected))
    assert next(numbers) == pytest.approx(next(numbers), rel=NEAR), f"{found!r}, not {expected!r}"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.needs(NEEDS[path.stem])] if path.stem in NEEDS else [])
        for path in EXAMPLES
    ],
)
def test_an_example_prints_what_it_says(path, tmp_path):
    expected = expected_lines(ast.get_docstring(ast.parse(path.read_text()), clean=False))
    assert len(expected) > 1
    (ROOT / "build").mkdir(exist_ok=True)
    (tmp_path / "build").symlink_to(ROOT / "build")  # what is compiled once serves all; its caches are locked
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, path], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = done.stdout.splitlines()
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert_alike(one, other)
    assert [each.name for each in tmp_path.iterdir()] == ["build"]


def test_what_is_alike():
    assert_alike("8x8  35.2 million, 97.7 %", "8x8 35.3 million, 97.7 %")
    assert_alike("VHDL (ghdl): skipped, ghdl is not installed", "VHDL (ghdl): 260 values compared")
    for other in ("8x8 45.2 million, 97.7 %", "8x8 35.2 thousand, 97.7 %", "8x8 35.2 million, 97.7"):
        with pytest.raises(AssertionError):
            assert_alike("8x8  35.2 million, 97.7 %", other)
