"""The shared test helpers: missing tools are counted, a failing random test tells its seed."""

from pathlib import Path

import pytest

pytest_plugins = "pytester"
CONFTEST = Path(__file__).parent.parent / "conftest.py"


@pytest.fixture
def house(pytester):
    pytester.makeconftest(CONFTEST.read_text().replace('"iverilog": (', '"iverilog": ("no-such-program", '))
    pytester.makeini("[pytest]\nmarkers = needs(tool): x")
    return pytester


def test_missing_tools_are_skipped_and_counted(house):
    house.makepyfile(
        """
        import pytest

        @pytest.mark.needs("iverilog")
        def test_a():
            assert False

        @pytest.mark.parametrize("engine", ["myhdl", pytest.param("iverilog", marks=pytest.mark.needs("iverilog"))])
        def test_b(engine):
            assert engine == "myhdl"
        """
    )
    result = house.runpytest("-rs")
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines("2 tests skipped: iverilog (2 tests)*")
    result.stdout.fnmatch_lines("*needs iverilog: no-such-program is not installed*")


def test_an_unknown_tool_is_an_error(house):
    house.makepyfile("import pytest\n@pytest.mark.needs('ivrilog')\ndef test_a(): pass")
    result = house.runpytest()
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*known tools are verilator, iverilog*"])


def test_random_tests_repeat_and_tell_their_seed(house):
    house.makepyfile("def test_a(rng):\n    assert False, f'drew {rng.integers(10**9)}'")
    runs = [house.runpytest(*options) for options in ([], [], ["--seed", "7"])]
    drawn = [next(line for line in run.outlines if "AssertionError: drew" in line) for run in runs]
    assert drawn[0] == drawn[1] != drawn[2]
    runs[2].stdout.fnmatch_lines(["*random seed*", "7 (to repeat: pytest --seed 7 *test_a')"])
