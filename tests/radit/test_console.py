"""Other people's texts on a terminal are shown as they are; narrow, plain and closed terminals work."""

import errno
import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from radit.cli import main
from radit.model.console import OutputClosed, PlainConsole, progress_bar
from radit.terminal.console import say, say_json
from radit.terminal.messages import complain, told
from radit.terminal.tables import show_table, table_of

ROOT = Path(__file__).parents[2]
HOSTILE = {
    "[/red]x": "[/red]x",
    "[bold]x[link=file:///etc/passwd]y": "[bold]x[link=file:///etc/passwd]y",
    ":smile: \\[red]": ":smile: \\[red]",
    "a\nb\r\x1b[2Jc\x07\x9b": "a\\nb\\r\\x1b[2Jc\\x07\\x9b",
    "\u202egnp.exe\u2028\udce9": "\\u202egnp.exe\\u2028\\udce9",
}


@pytest.mark.parametrize("text, shown", HOSTILE.items())
def test_texts_are_shown_as_they_are(text, shown, capsys):
    terminal = PlainConsole()
    terminal.print(text)
    table = table_of(text, (text,))
    table.add_row(text, text)
    table.title = text
    show_table(terminal, table)
    say(text)
    found = capsys.readouterr().out
    assert found.startswith(shown + "\n") and found.endswith(shown + "\n") and found.count(shown) == 7
    assert found.replace("\n", "").isprintable()


@pytest.mark.parametrize("text, shown", HOSTILE.items())
def test_a_sentence_is_one_line(text, shown, capsys):
    complain(f"--out is {text}.")
    with told():
        logging.getLogger("radit").info("reading %s", text)
    assert capsys.readouterr().err == f"radit: --out is {shown}.\nreading {shown}\n"


@pytest.mark.parametrize("text, shown", HOSTILE.items())
def test_bars_describe_a_task_as_it_is(text, shown, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    with progress_bar() as progress:
        progress.add_task(text, total=2)
    found = capsys.readouterr()
    assert found.out == "" and shown in Text.from_ansi(found.err).plain


class Full(io.StringIO):
    """A stream that takes nothing."""

    def write(self, text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("show", [say, say_json, PlainConsole().print])
def test_output_that_takes_nothing_more(monkeypatch, show):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Full())
        with pytest.raises(OutputClosed) as error:
            show("text")
    assert error.value.__cause__.errno == errno.ENOSPC


def test_json_is_json(capsys):
    say_json({"a\u202e": "\x1b[31m"})
    assert capsys.readouterr().out == '{\n  "a\\u202e": "\\u001b[31m"\n}\n'


def test_hostile_models_and_policies_are_one_sentence(capsys):
    for text in HOSTILE:
        for arguments in (["cosim", "--policy", text], ["cosim", "--model", text], [text], ["demo", f"--{text}"]):
            assert main(arguments) == 2
            said = capsys.readouterr()
            assert said.out == "" and said.err.startswith("radit: ") and said.err.count("\n") == 1
            assert said.err[:-1].isprintable()


def numbers(text: str) -> set[str]:
    return {word.strip("()[]") for word in text.split() if any(char.isdigit() for char in word)}


def test_narrow_terminals_cut_no_number(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = {}
    for width in ("20", "200"):
        monkeypatch.setenv("COLUMNS", width)
        assert main(["project", "--model", "dit-s-2", "--steps", "3", "--skip-rate", "0.5"]) == 0
        found[width] = capsys.readouterr().out
    assert found["20"] == found["200"] and "…" not in found["20"] and len(numbers(found["20"])) > 20


def test_tables_are_as_wide_as_they_are(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    table = Table()
    table.add_column("name", no_wrap=True)
    table.add_column("number", no_wrap=True)
    table.add_row("a name of thirty characters or more", "1,234,567,890")
    show_table(PlainConsole(), table)
    assert "a name of thirty characters or more" in (found := capsys.readouterr().out) and "1,234,567,890" in found


COMMAND = [sys.executable, "-m", "radit", "project", "--model", "dit-s-2", "--steps", "2"]


def run(command: list[str], folder: Path, **options) -> subprocess.CompletedProcess:
    own = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "", "PYTHONIOENCODING": ""}  # tox sets the last
    environment = os.environ | own | options.pop("env", {})
    return subprocess.run(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, **options)


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_a_closed_pipe_ends_quietly(tmp_path, arguments):
    """With the status of signal 13, as programs in a pipe have it; what was written before is there."""
    reader, writer = os.pipe()
    os.close(reader)
    found = run([*COMMAND, *arguments], tmp_path, stdout=writer)
    os.close(writer)
    assert (found.returncode, found.stderr) == (141, "")
    assert (tmp_path / "build" / "project" / "project.json").exists() is not bool(arguments)


def test_a_full_disk_below_stdout_is_one_sentence(tmp_path):
    with open("/dev/full", "w") as full:
        found = run(COMMAND, tmp_path, stdout=full)
    assert found.returncode == 2 and found.stderr.count("\n") == 1
    assert found.stderr.startswith("radit: stdout takes nothing more (No space left on device)")


@pytest.mark.parametrize(
    "env",
    [
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "20"},
        {"PYTHONIOENCODING": "latin-1", "TERM": "dumb"},
        {"PYTHONIOENCODING": "ascii"},
    ],
)
def test_plain_terminals(tmp_path, env):
    found = run([*COMMAND, "--out", "café"], tmp_path, stdout=subprocess.PIPE, encoding="latin-1", env=env)
    if "LC_ALL" in env:  # the name is no text in this locale
        assert found.returncode == 2 and found.stderr.count("\n") == 1 and "radit: --out is 'caf" in found.stderr
        found = run(COMMAND, tmp_path, stdout=subprocess.PIPE, encoding="ascii", env=env)
    assert found.returncode == 0 and found.stderr == "" and "million cycles" in found.stdout
    wanted = {"latin-1": "caf\xe9", "ascii": "caf\\xe9"}.get(env.get("PYTHONIOENCODING"), "build/project")
    assert f"wrote {wanted}/project.json" in found.stdout
