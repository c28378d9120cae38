"""The documents against the repository: every path and link leads somewhere, rooms and figure are current."""

import re
from itertools import takewhile
from pathlib import Path

import pytest

from docs.figures.data_flow import BOXES, FIGURE, svg
from tests.test_house import ROOMS

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TOPS = ("accel", "model", "cosim", "reports", "radit", "tests", "tools", "docs", "examples", "notebooks")
WIDTH = 120


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> list[str]:
    """The lines of a page that people write: without what stands between the markers of a generated part."""
    return re.sub(r"<!-- .*?(begin|generated).*?<!-- .*?end.*?-->", "", page.read_text(), flags=re.DOTALL).splitlines()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_paths_exist(page):
    """In backticks, from the root; what runs leave in build/ and patterns such as <unit>.py are none."""
    found = re.findall(rf"`((?:{'|'.join(TOPS)})/[\w./-]*)`", page.read_text())
    assert [path for path in found if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    local = [link for link in links if not re.match(r"\w+:", link)]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_machines_parts_exist():
    """The table of the parts names files and rooms of accel/."""
    table = (ROOT / "ARCHITECTURE.md").read_text().split("## The machine")[1].split("##")[0]
    paths = [path for row in re.findall(r"^\| [^|]+ \| ([^|]+) \|", table, re.MULTILINE)
             for path in re.findall(r"`([\w./]+)`", row)]  # fmt: skip
    assert len(paths) > 20 and [path for path in paths if not (ROOT / "accel" / path).exists()] == []


def test_the_rooms_are_those_of_the_house():
    """Every room of every layer, in the order in which they may import each other."""
    lines = (ROOT / "ARCHITECTURE.md").read_text().split("| room | holds |")[1].splitlines()[2:]
    found, layer = {}, ""
    for line in takewhile(lambda line: line.startswith("|"), lines):
        first = line.split("|")[1]
        if named := re.search(r"\*\*(\w+)\*\*", first):
            layer = named[1]
        else:
            found.setdefault(layer, []).extend(re.findall(r"`(\w+)`", first))
    assert {name: " ".join(rooms) for name, rooms in found.items()} == ROOMS


def test_the_figure_is_current():
    assert FIGURE.read_text() == svg(), "run python docs/figures/data_flow.py"


def test_the_figure_names_files_that_exist():
    files = [box.file for box in BOXES if box.file]
    assert len(files) > 8 and [name for name in files if not (ROOT / "accel" / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_lines_are_short(page):
    assert [line for line in prose(page) if len(line) > WIDTH] == []
