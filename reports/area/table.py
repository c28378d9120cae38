"""The account of ``radit area`` as tables in docs/policies.md, between two comment markers.

``python -m reports.area.table [AREA]`` keeps a copy of an area.json in docs/results and writes its tables into the
document; without an argument, from the copy there is. ``stale`` is what the test asks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from model.errors import UserError
from model.files import write_file
from reports.area.parts import PARTS, Group
from reports.area.schema import Area, ArrayArea, Logic, load_area
from reports.common.generated_section import put_between

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "policies.md"
STORED = ROOT / "docs" / "results" / "area.json"
BEGIN, END = "<!-- area:begin -->", "<!-- area:end -->"
SUMS: tuple[tuple[str, tuple[Group, ...]], ...] = (
    ("what decides", ("detection",)),
    ("all that only skipping needs", ("detection", "reuse")),
    ("machine, without what only observes", ("machine", "detection", "reuse")),
)
COST_COLUMNS = ("MACs skipped", "million cycles", "cycles to decide", "energy to decide")
COLUMNS = ("cells", "gates", "share of cells", "share of gates", "memory bits")


def part_rows(one: ArrayArea) -> Iterator[tuple[str, list[str]]]:
    """A row per part and per sum, with ``COLUMNS``."""
    for name, part in PARTS.items():
        yield part.title, _texts(one, one.parts[name].logic, one.parts[name].memory_bits)
    for title, groups in SUMS:
        yield title, _texts(one, one.logic(*groups), one.memory_bits(*groups))


def _texts(one: ArrayArea, logic: Logic, bits: int) -> list[str]:
    cells, gates = one.share(logic)
    return [f"{logic.cells:,}", f"{logic.gates:,.0f}", f"{cells:.2%}", f"{gates:.2%}", f"{bits:,}" if bits else ""]


def cost_rows(area: Area) -> Iterator[list[str]]:
    """A row per model, array and policy."""
    for cost in area.costs:
        name = f"{cost.model}, {cost.array.rows}x{cost.array.cols}, {cost.policy}"
        yield [
            name,
            f"{cost.skip_rate:.1%}",
            f"{cost.cycles / 1e6:,.2f}",
            f"{cost.cycle_share:.2%}",
            f"{cost.energy_share:.2%}",
        ]


def sentences(area: Area) -> list[str]:
    """What the tables rest on."""
    said = [
        f"Cells of {area.library} (SHA-256 {area.library_hash}), {area.yosys}; gates: area over that of a NAND2; "
        f"memories in bits, beside the cells; buffers of {area.model}."
    ]
    if area.check:
        cells, gates = area.check.difference
        array = area.check.array
        said.append(
            f"Check: the {array.rows}x{array.cols} accelerator whole is {area.check.whole.cells:,} cells and "
            f"{area.check.whole.gates:,.0f} gates; the sum of its pieces is {cells:+.1%} and {gates:+.1%} off."
        )
    return said


def markdown(area: Area) -> str:
    """Both tables and what they rest on."""
    kept = [k for k, name in enumerate(COLUMNS) if name != "gates"]  # their shares say enough
    heads = [f"{one.array.rows}x{one.array.cols} {COLUMNS[k]}" for one in area.arrays for k in kept]
    lines = [_row(["", *heads]), f"|---|{'---:|' * len(heads)}"]
    for rows in zip(*(part_rows(one) for one in area.arrays), strict=True):
        lines.append(_row([rows[0][0], *(texts[k] for _, texts in rows for k in kept)]))
    lines += [
        "",
        _row(["modelled, per image", *COST_COLUMNS]),
    ]
    lines += ["|---|---:|---:|---:|---:|", *(_row(texts) for texts in cost_rows(area))]
    return "\n".join([*lines, "", *sentences(area)])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def updated(document: str, area: Area) -> str:
    """The document's text with the tables of this account.

    Raises:
        UserError: the markers are missing.
    """
    return put_between(document, (BEGIN, END), markdown(area), DOCUMENT.name)


def stale(document: Path, area: Path) -> bool:
    """True where the document's tables are not those of the account."""
    text = document.read_text()
    return text != updated(text, load_area(area))


def main(area: Path | None = None, document: Path = DOCUMENT, stored: Path = STORED) -> None:
    """Store the account where one is given, and write its tables into the document; each whole or not at all.

    Raises:
        UserError: the account does not fit its schema, or the document has no place for the tables.
    """
    source = area or stored
    text = updated(document.read_text(), load_area(source))
    if source != stored:
        write_file(stored, source.read_bytes())
    write_file(document, text)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("usage: python -m reports.area.table [AREA]")
    try:
        main(*(Path(argument) for argument in sys.argv[1:]))
    except UserError as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
