"""External programs: whatever one does is a clause, and none is left behind."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from radit.cosim.support.programs import ProgramError, end_programs, gist, run_program

PYTHON = sys.executable


def test_a_program_gives_what_it_says(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), os.environ['WORD'], sys.stdin.read())"
    said = run_program([PYTHON, "-c", code], seconds=60, folder=tmp_path, environment={"WORD": "word"}, given="given")
    assert said.split() == [str(tmp_path), "word", "given"]
    assert run_program([PYTHON, "-c", "import sys; print(sys.stdin.read())"], seconds=60).strip() == ""


@pytest.mark.parametrize(
    "code, words",
    [
        ("import sys; print('first', 'an Error: here', 'last', sep='\\n'); sys.exit(3)", "status 3: an Error: here"),
        ("import sys; sys.exit(4)", "ended with status 4"),
        ("import os; os.kill(os.getpid(), 9)", "ended by signal 9 (no memory left?)"),
        ("import time; time.sleep(600)", "did not end within 1 s"),
        ("print('\\x1b[31m\\xff' * 999); raise SystemExit(1)", "status 1: \\x1b[31m"),
    ],
)
def test_a_failure_is_a_clause(code: str, words: str) -> None:
    with pytest.raises(ProgramError) as caught:
        run_program([PYTHON, "-c", code], seconds=1.0 if "sleep" in code else 60.0)
    assert words in str(caught.value) and "\n" not in str(caught.value) and str(caught.value).isprintable()


def test_a_program_that_cannot_be_started_is_a_clause(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for command in (str(tmp_path / "missing"), str(tmp_path / "file"), "nul\0"):
        with pytest.raises(ProgramError, match="cannot be started"):
            run_program([command], seconds=1)


def test_children_end_with_a_program(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"import subprocess; subprocess.run(['sh', '-c', 'sleep 3; touch {mark}'])"
    with pytest.raises(ProgramError, match="did not end"):
        run_program([PYTHON, "-c", code], seconds=1)
    time.sleep(3)
    assert not mark.exists()


def test_programs_of_other_threads_can_be_ended() -> None:
    found: list[str] = []

    def work() -> None:
        try:
            run_program(["sleep", "600"], seconds=600)
        except ProgramError as error:
            found.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        end_programs()
        thread.join(0.1)
    assert found and "signal 9" in found[0]


def test_the_gist_is_one_short_line() -> None:
    assert gist("a\n b.\n\n") == "b" and gist("") == "" and len(gist("x" * 10_000)) < 300
