"""The ablations' table of docs/policies.md, generated from ablations.json between two comment markers.

``python -m reports.ablation.table [FOLDER]`` keeps a run's ablations.json, .csv and .svg in docs/results and writes the
table; without an argument, from the copy there is. ``stale`` is what the test asks.
"""

from __future__ import annotations

import sys
from pathlib import Path

from model.errors import UserError
from model.files import read_model, write_file
from reports.ablation.schema import AblationPoint, Ablations
from reports.common.generated_section import put_between

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "policies.md"
STORED = ROOT / "docs" / "results"
KINDS = ("json", "csv", "svg")
MARKERS = ("<!-- ablations:begin -->", "<!-- ablations:end -->")
SMALL = 1e-4  # unit of the errors


def load(path: Path) -> Ablations:
    """A run's ablations.json.

    Raises:
        UserError: it is not there or does not fit its schema.
    """
    return read_model(Ablations, path, "ablations", "run `radit ablate` to make them")


def ablation_table(result: Ablations) -> str:
    """The table in Markdown, with what was run above it."""
    reductions = sorted({point.wanted for point in result.points})
    heads = [f"error at {reduction:g}x" for reduction in reductions]
    lines = [
        f"{result.samples} images of seed {result.seed}, model `{result.model}`, {result.steps} steps, guidance "
        f"{result.cfg:g}; thresholds from {result.tuning_images} images of another seed. Errors in 1e-4, over ours "
        "+- standard error; cycles modelled; bits, operations and bit operations per value of the watched input; bytes "
        "per timestep, sub-block and context, at the largest reduction.",
        "",
        f"| variant | {' | '.join(heads)} | fewer cycles | bits | operations | bytes: detector + branches |",
        f"|---|{'---:|' * (len(reductions) + 4)}",
    ]
    for group, label in dict.fromkeys((point.group, point.label) for point in result.points):
        points = [p for p in result.points if (p.group, p.label) == (group, label)]
        lines.append(_row(f"{group}: {label}", sorted(points, key=lambda p: p.wanted)))
    return "\n".join(lines)


def _row(name: str, points: list[AblationPoint]) -> str:
    last = points[-1]
    cells = [f"{p.error / SMALL:.2f} ({p.ratio:.2f} +- {p.ratio_spread:.2f})" for p in points]
    cells.append(f"{last.cycle_reduction:.2f}")
    cells.append(f"{last.stored_bits:.2g}")
    cells.append(f"{last.operations:.3g} ({last.bit_operations:.3g})")
    cells.append(f"{last.detection_bytes:,.0f} + {last.branch_bytes:,.0f}")
    return f"| {' | '.join([name, *cells])} |"


def updated(page: str, result: Ablations) -> str:
    """The page's text with the table of this result.

    Raises:
        UserError: the markers are missing.
    """
    return put_between(page, MARKERS, ablation_table(result), PAGE.name)


def stale(page: Path, stored: Path) -> bool:
    """True where the page's table is not the one of the stored result."""
    text = page.read_text()
    return text != updated(text, load(stored / "ablations.json"))


def main(folder: Path | None = None, page: Path = PAGE, stored: Path = STORED) -> None:
    """Store a run's files where one is given, and write its table into the page; each whole or not at all.

    Raises:
        UserError: the result does not fit its schema, or the page has no place for the table.
    """
    source = folder or stored
    text = updated(page.read_text(), load(source / "ablations.json"))
    if source != stored:
        for kind in KINDS:
            write_file(stored / f"ablations.{kind}", (source / f"ablations.{kind}").read_bytes())
    write_file(page, text)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("usage: python -m reports.ablation.table [FOLDER]")
    try:
        main(*(Path(argument) for argument in sys.argv[1:]))
    except UserError as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
