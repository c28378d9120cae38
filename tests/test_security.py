"""What SECURITY.md says and no other test holds: nothing is executed, nothing is markup, nothing lies elsewhere."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from radit.cli import main
from radit.model.errors import UserError
from radit.model.reading import read_arrays
from radit.model.training.training_state import read_state
from radit.reports.run.render import render
from radit.reports.run.summary import load_summary, write_summary
from tests.fuzz.sandbox import marks
from tests.reports import made_up

ROOT = Path(__file__).resolve().parent.parent
MARKUP = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"


class Trap:
    """Unpickled, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def read_checkpoint(path: Path) -> None:
    from radit.model.dit.checkpoint import load_checkpoint

    load_checkpoint(path)


@pytest.mark.parametrize("zipped", [True, False], ids=["now", "before 1.6"])
@pytest.mark.parametrize(
    ("name", "read"),
    [("a.pt", read_checkpoint), ("a.pth", read_checkpoint), ("a.training", lambda p: read_state(p, {}))],
)
def test_pickled_files_run_nothing(tmp_path, name, read, zipped):
    path, trap = tmp_path / name, Trap(tmp_path / "sprung")
    torch.save({"key": {}, "state": trap, "ema": trap}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=name) as caught:
        read(path)
    assert not trap.folder.exists() and "weights_only" not in str(caught.value)
    torch.load(path, weights_only=False)
    assert trap.folder.exists(), "the trap is none"


def test_arrays_run_nothing(tmp_path):
    path, trap = tmp_path / "a.npz", Trap(tmp_path / "sprung")
    np.savez(path, x=np.array([trap], dtype=object))
    with pytest.raises(UserError, match=r"a\.npz"):
        read_arrays(path, "arrays", "make them again")
    assert not trap.folder.exists()


class Tags(HTMLParser):
    """Names of the elements of a page, and of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_what_a_summary_says_is_no_markup(rng, tmp_path):
    """Of every text in it that anything can be put into."""
    summary, arrays = made_up.summary(rng, forecast=True), made_up.arrays(rng, forecast=True)
    usual = Tags(render(summary, arrays))
    summary.model = summary.engine = summary.provenance.command = summary.provenance.created = MARKUP
    summary.provenance.energy_table = summary.quality.origin = MARKUP
    for facts in (summary.provenance.versions, summary.provenance.hashes, summary.seconds):
        facts[MARKUP] = 1.0 if facts is summary.seconds else MARKUP
    write_summary(tmp_path / "summary.json", summary)
    page = render(load_summary(tmp_path / "summary.json"), arrays)
    found = Tags(page)
    assert (found.elements, found.attributes) == (usual.elements, usual.attributes)
    assert page.count("&lt;script&gt;alert(1)") >= 8 and "{{ 7 * 7 }}" in page


COMMANDS = {
    "project --model digits --array 4x4 --steps 2 --out out": {"out"},
    "train digits --steps 1 --batch-size 2 --out out.safetensors": {"out.safetensors"},
    "report run": {"run"},
    "report run --table table.toml --readme README.md": {"run", "README.md"},
}


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_written_elsewhere(command, rng, tmp_path, monkeypatch):
    """Of the commands that take no time; tests/fuzz holds all of them to it."""
    from radit.reports.energy.energy_table import DEFAULT_TABLE
    from radit.reports.run.arrays import write_arrays

    write_summary(tmp_path / "run" / "summary.json", made_up.summary(rng))
    write_arrays(tmp_path / "run" / "arrays.npz", made_up.arrays(rng))
    (tmp_path / "table.toml").write_bytes(DEFAULT_TABLE.read_bytes())
    (tmp_path / "README.md").write_text("<!-- results:begin -->\n<!-- results:end -->\n")
    monkeypatch.chdir(tmp_path)
    before = marks(tmp_path)
    assert main(command.split()) == 0
    after = marks(tmp_path)
    changed = {name.partition("/")[0] for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == COMMANDS[command]


def test_every_claim_names_tests_that_exist():
    page = " ".join((ROOT / "SECURITY.md").read_text().split())
    claims = [part.partition(" - **")[0] for part in page.split("- **")[1:]]
    assert len(claims) >= 10
    for claim in claims:
        held = re.findall(r"`(tests/[\w/]+\.py)`(?: \(`(\w+)`\))?", claim.partition("Held by")[2])
        assert held, f"{claim}: no test"
        for path, name in held:
            assert (ROOT / path).is_file(), f"{claim}: {path}"
            assert not name or f"def {name}(" in (ROOT / path).read_text(), f"{claim}: {path} has no {name}"
