"""Every command that writes refuses, in one sentence and before its work, what cannot be written to."""

import pytest

from radit.cli import main
from radit.model.dit.checkpoint import find_checkpoint
from radit.model.plain_text import quoted, visible
from tests.hostile_paths import AS_FILE, AS_FOLDER, BOTH, FINE, everything, make_hostile

FOLDERS = (
    "demo",
    "cosim",
    "export",
    "bench",
    "project",
    "area",
    "timing",
    "synth",
    "frontier",
    "ablate",
    "differences",
    "explore",
    "crosscheck",
)
FILES = {
    "train": "--out",
    "calibrate --target speedup=2": "--out",
    "report run": "--readme",
    "embed cat --pipeline none": "--out",
    "pack digits": "OUT",
}
CASES = [
    *((command, "--out", path) for command in FOLDERS for path in (*BOTH.values(), *AS_FOLDER.values())),
    *((command, option, path) for command, option in FILES.items() for path in (*BOTH.values(), *AS_FILE.values())),
]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_hostile(tmp_path)
    return tmp_path


def said(arguments: list[str], capsys) -> str:
    """The one sentence on stderr."""
    assert main(arguments) == 2
    found = capsys.readouterr()
    assert found.out == "" and found.err.startswith("radit: ") and found.err.count("\n") == 1
    assert found.err.removesuffix("\n").isprintable()
    return found.err


@pytest.mark.parametrize("command, option, path", CASES)
def test_nothing_is_written_where_nothing_can_be(command, option, path, here, capsys):
    before = everything(here)
    named = [option] if option.startswith("--") else []
    assert said([*command.split(), *named, path], capsys).startswith(f"radit: {option} is {quoted(path)}, ")
    assert everything(here) == before


REFUSED = {  # for another reason, after --out has been found good
    "demo": ["--model", "cats"],
    "cosim": ["--model", "cats"],
    "export": ["--array", "5x5"],
    "bench": ["--model", "cats"],
    "project": ["--model", "cats"],
    "area": ["--model", "cats"],
    "timing": ["--model", "cats"],
    "synth": ["--model", "cats"],
    "frontier": ["--model", "cats"],
    "ablate": ["--model", "cats"],
    "differences": ["--model", "cats"],
    "explore": ["--model", "cats"],
    "crosscheck": ["--model", "cats"],
    "train": ["cats"],
    "embed": ["cats", "--pipeline", "none"],
    "calibrate": ["--target", "fast"],
}


@pytest.mark.parametrize("path", FINE.values(), ids=FINE)
@pytest.mark.parametrize("command", REFUSED)
def test_a_refusal_leaves_nothing_at_a_good_path(command, path, here, capsys):
    before = everything(here)
    if command == "train":
        path += ".safetensors"
    assert "--out is" not in said([command, *REFUSED[command], f"--out={path}"], capsys)
    assert everything(here) == before


def test_waveforms_leave_nothing_either(here, capsys):
    before = everything(here)
    said(["cosim", "--waves", "--model", "cats", "--out", "new"], capsys)
    assert everything(here) == before


@pytest.mark.parametrize("path", FINE.values(), ids=FINE)
def test_results_go_to_any_name(path, here, capsys):
    """And the terminal shows it as it is, without markup, in one line."""
    assert main(["project", "--model", "dit-s-2", "--steps", "2", f"--out={path}"]) == 0
    found = capsys.readouterr()
    assert found.err == "" and (here / path / "project.json").is_file()
    assert found.out.splitlines()[-1] == f"wrote {visible(path)}/project.json" and "\x1b" not in found.out


def test_a_policy_does_not_replace_its_model(here, capsys):
    model = here / "own.safetensors"
    model.write_bytes(find_checkpoint("digits").read_bytes())
    before = everything(here)
    wanted = ["calibrate", "--target", "speedup=2", "--model", "own.safetensors", "--out", "folder/../own.safetensors"]
    assert "which is the model itself: give another file" in said(wanted, capsys)
    assert everything(here) == before
