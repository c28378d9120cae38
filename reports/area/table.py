"""The account of ``radit area`` as rows of tables, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from radit.reports.area.parts import PARTS, Group
from radit.reports.area.schema import Area, ArrayArea, Logic
from radit.reports.common.markdown import literal, paragraph, table

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
        if name not in one.parts:
            continue
        yield part.title, _texts(one, one.parts[name].logic, one.parts[name].memory_bits)
    for title, groups in SUMS:
        yield title, _texts(one, one.logic(*groups), one.memory_bits(*groups))


def _texts(one: ArrayArea, logic: Logic, bits: int) -> list[str]:
    cells, gates = one.share(logic)
    return [f"{logic.cells:,}", f"{logic.gates:,.0f}", f"{cells:.2%}", f"{gates:.2%}", f"{bits:,}" if bits else ""]


def cost_rows(area: Area) -> Iterator[list[str]]:
    """A row per model, array and policy."""
    for cost in area.costs:
        name = f"{cost.model}, {cost.array.shape}, {cost.policy}"
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
            f"Check: the {array.shape} accelerator whole is {area.check.whole.cells:,} cells and "
            f"{area.check.whole.gates:,.0f} gates; the sum of its pieces is {cells:+.1%} and {gates:+.1%} off."
        )
    return said


def area_tables(area: Area) -> str:
    """A table of parts for each array, one of what deciding costs, and what they rest on."""
    kept = [k for k, name in enumerate(COLUMNS) if name != "gates"]  # their shares say enough
    parts = []
    for one in area.arrays:
        rows = ([title, *(texts[k] for k in kept)] for title, texts in part_rows(one))
        parts.append(table([f"{one.array.shape}, synthesized", *(COLUMNS[k] for k in kept)], rows))
    costs = ([literal(name), *texts] for name, *texts in cost_rows(area))
    parts.append(table(["modelled, per image", *COST_COLUMNS], costs))
    return "\n\n".join([*parts, *(paragraph(literal(said)) for said in sentences(area))])
