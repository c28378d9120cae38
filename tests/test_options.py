"""Options that are numbers or words: every one of every command refuses what it does not take, before any work."""

from __future__ import annotations

import re

import pytest
import typer

from radit import cli
from radit.model.ranges import RANGES

COMMANDS = typer.main.get_command(cli.app).commands
RANGE = re.compile(r"(-?[\d.]+)\.\.(-?[\d.]+)(\|inf)?")
NUMBERS = {
    (name, option.opts[0]): RANGE.fullmatch(option.metavar or "")
    for name, command in COMMANDS.items()
    for option in command.params
    if RANGE.fullmatch(option.metavar or "")
}
WORDS = [
    (name, option.opts[0], option.metavar)
    for name, command in COMMANDS.items()
    for option in command.params
    if re.fullmatch(r"[a-z]+(\|[a-z]+)+", option.metavar or "")
]
TEXTS = [
    (name, option.opts[0] if option.opts[0].startswith("-") else option.metavar)
    for name, command in COMMANDS.items()
    for option in command.params
    if not getattr(option, "is_flag", False)
    and (name, option.opts[0]) not in NUMBERS
    and (name, option.opts[0], option.metavar) not in WORDS
]
REQUIRED = {
    "calibrate": ["--target", "speedup=2"],
    "embed": ["a cat", "--pipeline", "none", "--out", "cat.safetensors"],
}
HOSTILE = [
    "", " ", "-1", "nan", "-inf", "Infinity", "0x16", "1_0", "+5", "5 ", "\u0665", "1e400", "five", "1,5", "None",
    "True", "1" * 20, "9" * 5000, "-" + "9" * 5000, "1\0", "1\n2", "\x1b[31m1", "[/red]", "\udc80", "1e", "--", "%s",
]  # fmt: skip


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The command line with commands that do nothing; what they were called with."""
    called: list[dict] = []
    app = typer.main.get_command(cli.app)
    for command in app.commands.values():
        command.callback = lambda **given: called.append(given) or 0
    monkeypatch.setattr(cli, "app", app)
    return called


def refused(arguments: list[str], capsys: pytest.CaptureFixture) -> str:
    """The one sentence of a command that does not start."""
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("radit: ") and said.err.count("\n") == 1 and len(said.err) < 500
    assert said.err.rstrip("\n").isprintable()
    return said.err


def test_all_numbers_are_known():
    """An option whose annotation is a number has a range."""
    assert len(NUMBERS) >= 50 and len(WORDS) >= 3
    for name, command in COMMANDS.items():
        for option in command.params:
            numeric = re.search(r"\b(int|float)\b", str(option.type_descriptor.annotation))
            assert not numeric or (name, option.opts[0]) in NUMBERS, f"{name} {option.opts[0]}"


@pytest.mark.parametrize("command, option", NUMBERS)
def test_a_number_that_is_none_is_refused(command, option, idle, capsys):
    low, high, endless = NUMBERS[command, option].groups()
    beyond = [str(float(high) * 1.01), str(int(float(high)) + 1), str(float(low) - 0.5), *([] if endless else ["inf"])]
    whole = "." not in low + high and option != "--cfg"
    for text in [*HOSTILE, *beyond, *(["1.5", "1e1"] if whole and option not in FRACTIONS else [])]:
        said = refused([command, *REQUIRED.get(command, []), f"{option}={text}"], capsys)
        assert f"{option} is '" in said and f" {low} to {high}" in said, said
    assert idle == []


FRACTIONS = {f"--{name.replace('_', '-')}" for name, known in RANGES.items() if not known.whole}


@pytest.mark.parametrize("command, option", NUMBERS)
def test_the_limits_themselves_are_taken(command, option, idle):
    low, high, endless = NUMBERS[command, option].groups()
    name = option.removeprefix("--").replace("-", "_")
    for text in (low, high, *(["inf"] if endless else [])):
        assert cli.main([command, *REQUIRED.get(command, []), option, text]) == 0
        assert idle.pop()[name] == float(text)
    assert cli.main([command, *REQUIRED.get(command, [])]) == 0
    assert not isinstance(idle.pop()[name], str)


@pytest.mark.parametrize("command, option, words", WORDS)
def test_a_word_that_is_none_is_refused(command, option, words, idle, capsys):
    for text in ["", words.partition("|")[0].upper(), "x" * 5000, "\x1b[31m", "a\nb"]:
        said = refused([command, f"{option}={text}"], capsys)
        assert f"{option} is '" in said and words.replace("|", " or ") in said
    for word in words.split("|"):
        assert cli.main([command, option, word]) == 0 and idle.pop()[option.removeprefix("--")] == word


TO_WRITE = ("--out", "--readme", "OUT")  # a blank is a name
EMPTY = [(*one, text) for one in TEXTS for text in ("", " ") if text == "" or one[1] not in TO_WRITE]


@pytest.mark.parametrize("command, option, text", EMPTY)
def test_a_text_that_is_empty_is_refused(command, option, text, tmp_path, monkeypatch, capsys):
    """By the command itself, before its work."""
    monkeypatch.chdir(tmp_path)
    required = [] if option in ("--target", "TEXT") else REQUIRED.get(command, [])
    model = ["moving-digits"] if option in ("--data", "--motion") else ["digits"] if option == "OUT" else []
    said = refused([command, *model, *required, *([text] if option.isupper() else [f"{option}={text}"])], capsys)
    assert option in said and ("''" in said or "' '" in said), said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--" + "x" * 5000], ["demo", "\x1b[31m"], ["demo", "--a\nb"], ["x" * 5000]])
def test_what_is_no_option_is_refused(arguments, idle, capsys):
    assert "--help)" in refused(arguments, capsys)
