"""The rule can be broken: commands that do what none should, each caught for what it does."""

import signal
import sys
import time
from pathlib import Path

import pytest

from radit.model.errors import UserError
from tests.fuzz.campaign import Campaign, by_kind, quoted
from tests.fuzz.plan import COMMANDS, ROLE_OF, Invocation, invocations, options_of
from tests.fuzz.pools import ROLES

REFUSAL = "radit: --out is 'x': give another folder."


def raises(_):
    raise OSError("no space")


def two_lines(_):
    print(REFUSAL, REFUSAL, sep="\n", file=sys.stderr)
    return 2


def another_line(_):
    print(REFUSAL, "and so on", sep="\n", file=sys.stderr)
    return 2


def half_written(_):
    Path("out").mkdir()
    Path("out/summary.json").write_text("{")
    print(REFUSAL, file=sys.stderr)
    return 2


def a_result_lost(_):
    Path("run/summary.json").unlink()
    print(REFUSAL, file=sys.stderr)
    return 2


def a_result_changed(_):
    Path("run/summary.json").write_text("{}")
    print(REFUSAL, file=sys.stderr)
    return 2


def colours(_):
    print("radit: --out is '\x1b[31mx': give another folder.", file=sys.stderr)
    return 2


def a_long_sentence(_):
    print(f"radit: --out is '{'x' * 5000}': give another folder.", file=sys.stderr)
    return 2


def an_internal_name(_):
    print("radit: --out is <object object at 0x7f>: give another folder.", file=sys.stderr)
    return 2


def no_remedy(_):
    print("radit: failed", file=sys.stderr)
    return 2


def nothing_written(_):
    return 0


def written_elsewhere(_):
    Path("elsewhere").write_text("")
    return 0


def half_a_result(_):
    Path("out").mkdir()
    Path("out/project.json").write_text('{"model": "tiny')
    return 0


def not_a_number(_):
    Path("out").mkdir()
    Path("out/project.json").write_text('{"cycles": NaN}')
    return 0


def no_difference(_):
    print("all equal")
    return 1


def another_status(_):
    return 3


def a_warning(_):
    import numpy as np

    np.zeros(1) / np.zeros(1)
    print(REFUSAL, file=sys.stderr)
    return 2


def killed(_):
    signal.raise_signal(signal.SIGSEGV)


def waiting(_):
    time.sleep(1000)


def computing(_):
    while True:
        pass


def too_much_memory(_):
    return len(bytearray(1 << 40))


CAUGHT = {
    raises: "traceback: OSError: no space",
    two_lines: "not one sentence",
    another_line: "not one sentence",
    half_written: "left after a refusal: {'work/out': 'new', 'work/out/summary.json': 'new'}",
    a_result_lost: "left after a refusal: {'work/run/summary.json': 'gone'}",
    a_result_changed: "left after a refusal: {'work/run/summary.json': 'changed'}",
    colours: "control characters on stderr",
    a_long_sentence: "a long sentence",
    an_internal_name: "internal names",
    no_remedy: "no remedy",
    nothing_written: "unreadable results: FileNotFoundError",
    written_elsewhere: "written elsewhere: {'work/elsewhere': 'new'}",
    half_a_result: "unreadable results: JSONDecodeError",
    not_a_number: "unreadable results: ValueError: NaN is not JSON",
    no_difference: "status 1 without a difference",
    another_status: "status: 3",
    a_warning: "a library's warning: ",
    killed: "does not end by itself: ended by SIGSEGV",
    waiting: "does not end by itself: no end within",
    computing: "does not end by itself: no end within",
    too_much_memory: "traceback: MemoryError",
}


@pytest.fixture
def small(tmp_path, monkeypatch) -> Path:
    """A template with one result, and short limits."""
    monkeypatch.setattr("tests.fuzz.child.QUIET_SECONDS", 1)
    work = tmp_path / "template" / "work"
    (work / "run").mkdir(parents=True)
    (work / "run" / "summary.json").write_text('{"model": "tiny"}')
    return tmp_path / "template"


def breaches(template: Path, command, monkeypatch) -> list:
    monkeypatch.setattr("tests.fuzz.child.calls.__defaults__", (2, 1))
    campaign = Campaign(template, template.parent / "campaign", run=command)
    return campaign.breaches([Invocation(7, ("project", "--out", "out"))])


@pytest.mark.parametrize("command", CAUGHT, ids=lambda command: command.__name__)
def test_a_command_that_breaks_the_promise_is_caught(command, small, monkeypatch):
    (found,) = breaches(small, command, monkeypatch)
    assert any(kind.startswith(CAUGHT[command]) for kind in found.kinds), found.kinds
    assert f"cd {found.kept}/work && radit project --out out" in str(found)
    assert (found.kept / "work" / "run" / "summary.json").read_text() == '{"model": "tiny"}'
    assert len(by_kind([found])) == len(found.kinds)


def keeps_it(_):
    Path("out").mkdir()
    Path("out/project.json").write_text("{}")
    Path("build/calibration").mkdir(parents=True)
    Path("build/calibration/x").write_text("")
    return 0


def refuses(_):
    Path("build/rtl").mkdir(parents=True)
    print("calibrating ...", file=sys.stderr)
    print(REFUSAL, file=sys.stderr)
    return 2


def the_command_line(arguments):
    from radit.cli import main

    return main([*arguments, "--steps", "0"])


@pytest.mark.parametrize("command", [keeps_it, refuses, the_command_line], ids=lambda command: command.__name__)
def test_a_command_that_keeps_it_is_not(command, small, monkeypatch):
    assert breaches(small, command, monkeypatch) == []


def test_a_refusal_is_a_sentence_of_the_project(small):
    assert issubclass(UserError, Exception) and REFUSAL.endswith(".")


def test_every_option_of_every_command_takes_hostile_values():
    """In the plan that is run by default."""
    planned = invocations(1000, seed=20)
    for command in COMMANDS:
        given = {word.partition("=")[0] for one in planned if one.command == command for word in one.arguments}
        known = {option.flag for option in options_of(command).values() if option.flag}
        assert known <= given | {"--no-check"}, f"{command}: {known - given}"
        assert {option.role for option in options_of(command).values()} <= {*ROLES, "switch"}
    assert set(ROLE_OF.values()) <= set(ROLES)


def test_an_option_of_an_unknown_type_is_noticed():
    from tests.fuzz.plan import _role

    with pytest.raises(TypeError, match="give it a role"):
        _role("demo", "new", dict)


def test_plans_are_repeatable_and_differ_by_seed():
    assert invocations(50, seed=3) == invocations(50, seed=3) != invocations(50, seed=4)


def test_command_lines_can_be_typed():
    assert [quoted(text) for text in ("a b", "\udcff", "\n'", "[/red]")] == [
        "'a b'",
        "$'\\xff'",
        "$'\\x0a\\x27'",
        "'[/red]'",
    ]
