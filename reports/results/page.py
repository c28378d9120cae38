"""docs/results.md: every result that docs/results keeps, on one page; and the README's table of the demo.

``python -m radit.reports.results.page [RESULT ..]`` keeps a copy of each result in docs/results, with the files of the
same name beside it (.csv, .svg), and writes both; without an argument, from the copies there are. A result is a file of
``SECTIONS`` that a command left. ``stale`` is what the test asks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from radit.model.errors import UserError
from radit.model.files import write_file
from radit.model.reading import read_bytes, read_model, read_text
from radit.reports.ablation.schema import Ablations
from radit.reports.ablation.table import ablation_table
from radit.reports.area.schema import load_area
from radit.reports.area.table import area_tables
from radit.reports.common.markdown import paragraph
from radit.reports.crosscheck.schema import CrossCheck
from radit.reports.crosscheck.table import crosscheck_tables
from radit.reports.differences.schema import DifferenceReport
from radit.reports.differences.table import difference_tables
from radit.reports.frontier.schema import Frontier
from radit.reports.frontier.table import frontier_summary, frontier_tables
from radit.reports.results.full_size import full_size_tables, load_full_size
from radit.reports.results.run_tables import run_tables
from radit.reports.run.readme_table import updated
from radit.reports.run.schema import Summary
from radit.reports.run.summary import load_summary
from radit.reports.synth.schema import load_synthesis
from radit.reports.synth.table import synth_tables
from radit.reports.timing.schema import load_timing
from radit.reports.timing.table import timing_tables

ROOT = Path(__file__).resolve().parents[2]  # through the link in radit/
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGE, STORED = "results.md", "results"  # in the documents' folder
BEFORE = "timing-before.json"  # kept by hand
# Beside the first, by model and guidance.
FRONTIERS = (("digits", 4.0), ("digits", 7.5), ("fashion", 1.5), ("fashion", 4.0), ("fashion", 7.5))
SYNTHESIS = "radit synth --target ecp5,xilinx,osu018 --array 4x4,8x8 --counters 0"
TEXTS = "2026,7,40,123,9999,58,0604,1"  # that are kept
KINDS = ("csv", "svg")  # kept beside a result
HEAD = """<!-- Written by `python -m radit.reports.results.page`, from the files in docs/results: change those. -->

# Results

"""
INTRODUCTION = (
    "*Measured* numbers come from the RTL simulation or from the bit-exact integer model, whose words the RTL equals. "
    "*Modelled* cycles come from the cycle model, which equals the RTL's counters. *Modelled* energy is counted "
    "actions times the entries of an energy table. *Synthesized* cells come from Yosys. Each section names the command "
    "that makes it and the file that keeps it."
)


def _run(path: Path) -> str:
    return run_tables(load_summary(path).compared())


def _frontier_of(path: Path) -> Frontier:
    return read_model(Frontier, path, "frontier", "run `radit frontier` to make it")


def _frontier(path: Path) -> str:
    return frontier_tables(_frontier_of(path))


def _frontier_alone(path: Path) -> str:
    return frontier_summary(_frontier_of(path))


def _ablations(path: Path) -> str:
    return ablation_table(read_model(Ablations, path, "ablations", "run `radit ablate` to make them"))


def _differences(path: Path) -> str:
    return difference_tables(read_model(DifferenceReport, path, "report", "run `radit differences` to make it"))


def _crosscheck(path: Path) -> str:
    return crosscheck_tables(read_model(CrossCheck, path, "cross-check", "run `radit crosscheck` to make it"))


def _full_size(path: Path) -> str:
    return full_size_tables(load_full_size(path))


def _area(path: Path) -> str:
    return area_tables(load_area(path))


def _timing(path: Path) -> str:
    before = path.with_name(BEFORE)
    link = f"*Before* is [{BEFORE}]({STORED}/{BEFORE}): the design before its longest paths were cut."
    return "\n\n".join([link, timing_tables(load_timing(path), load_timing(before))])


def _synthesis(path: Path) -> str:
    return synth_tables(load_synthesis(path))


def _run_file(summary: Summary) -> str:
    """Where a run is kept: by what it generates."""
    if summary.config is not None and summary.config.has_text:
        return "texts.json"
    return "clips.json" if summary.sampler.frames > 1 else "summary.json"


def _frontier_file(model: str, cfg: float) -> str:
    """Where a frontier other than the first one is kept."""
    return f"frontier-{model}-{cfg:g}.json"


@dataclass(frozen=True)
class Section:
    """A kept file, the command that makes it (empty: its tables name several), and what shows it."""

    title: str
    file: str
    shown: Callable[[Path], str]
    command: str = ""
    picture: str = ""

    def text(self, stored: Path) -> str:
        """The section in Markdown."""
        made = f", made by `{self.command}`" if self.command else ""
        origin = paragraph(f"Kept in [{self.file}]({STORED}/{self.file}){made}.")
        parts = [f"## {self.title}", origin, self.shown(stored / self.file)]
        if self.picture:
            parts.insert(2, f"![{self.title}]({STORED}/{self.picture})")
        return "\n\n".join(parts)


SECTIONS = (
    Section("Images", "summary.json", _run, "radit demo"),
    Section("Clips", "clips.json", _run, "radit demo --model moving-digits"),
    Section("Texts", "texts.json", _run, f"radit demo --model prompted-digits --prompt {TEXTS}"),
    Section("Full size", "full-size.json", _full_size),
    Section("Solvers, published caches and ours", "frontier.json", _frontier, "radit frontier", "frontier.svg"),
    *(
        Section(
            f"The same of {model} at guidance {cfg:g}", _frontier_file(model, cfg), _frontier_alone, "radit frontier"
        )
        for model, cfg in FRONTIERS
    ),
    Section("One thing changed at a time", "ablations.json", _ablations, "radit ablate", "ablations.svg"),
    Section("Exact differences", "differences.json", _differences, "radit differences"),
    Section("What detection costs", "area.json", _area, "radit area"),
    Section("Our numbers and others'", "crosscheck.json", _crosscheck, "radit crosscheck"),
    Section("Critical paths", "timing.json", _timing, "radit timing"),
    Section("Synthesis", "synth.json", _synthesis, SYNTHESIS),
)


def results_page(stored: Path = DOCS / STORED) -> str:
    """The page's text.

    Raises:
        UserError: a result is missing or does not fit its schema.
    """
    sections = [section.text(stored) for section in SECTIONS]
    return HEAD + "\n\n".join([paragraph(INTRODUCTION), *sections]) + "\n"


def written(docs: Path, readme: Path) -> dict[Path, str]:
    """Texts of the page and of the README as they should be."""
    stored = docs / STORED
    table = updated(read_text(readme, "README", "restore it"), load_summary(stored / SECTIONS[0].file).compared())
    return {docs / PAGE: results_page(stored), readme: table}


def stale(docs: Path = DOCS, readme: Path = README) -> list[Path]:
    """Which of the two are not as they should be."""
    texts = written(docs, readme).items()
    return [path for path, text in texts if not path.is_file() or path.read_text(encoding="utf-8") != text]


def keep(result: Path, stored: Path) -> None:
    """Copy a result, checked, and the files of its name beside it.

    Raises:
        UserError: it is none that the page shows, or does not fit its schema.
    """
    name = result.name
    if name == "summary.json":
        name = _run_file(load_summary(result))
    if name == "frontier.json":
        found = _frontier_of(result)
        name = _frontier_file(found.model, found.cfg) if (found.model, found.cfg) in FRONTIERS else name
    section = next((one for one in SECTIONS if one.file == name), None)
    if section is None:
        known = ", ".join(one.file for one in SECTIONS)
        raise UserError(f"result {result} has the name of none that the page shows: give one of {known}.")
    section.shown(result)
    write_file(stored / name, read_bytes(result, "result", "run its command again"))
    for kind in KINDS:
        beside = result.with_suffix(f".{kind}")
        if beside.is_file():
            data = read_bytes(beside, "file beside the result", "remove it, or run the command again")
            write_file((stored / name).with_suffix(f".{kind}"), data)


def main(results: list[Path], docs: Path = DOCS, readme: Path = README) -> None:
    """Keep results, and write the page and the README's table.

    Raises:
        UserError: a result does not fit, or the README has no place for the table.
    """
    for result in results:
        keep(result, docs / STORED)
    for path, text in written(docs, readme).items():
        write_file(path, text)


if __name__ == "__main__":
    try:
        main([Path(argument) for argument in sys.argv[1:]])
    except UserError as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
