"""The result of ``radit ablate`` as Markdown."""

from __future__ import annotations

from radit.reports.ablation.schema import AblationPoint, Ablations
from radit.reports.common.markdown import code, paragraph, table

SMALL = 1e-4  # unit of the errors


def ablation_table(result: Ablations) -> str:
    """A row per variant, with what was run above and how it was counted below."""
    reductions = sorted({point.wanted for point in result.points})
    heads = [f"error at {reduction:g}x" for reduction in reductions]
    setting = (
        f"{result.samples} images of seed {result.seed}, model {code(result.model)}, {result.steps} steps, guidance "
        f"{result.cfg:g}; thresholds from {result.tuning_images} images of another seed. Errors in 1e-4, in brackets "
        "over ours +- standard error; cycles modelled; bits, operations and bit operations per value of the watched "
        "input; bytes per timestep, sub-block and context, at the largest reduction."
    )
    rows = []
    for group, label in dict.fromkeys((point.group, point.label) for point in result.points):
        points = [p for p in result.points if (p.group, p.label) == (group, label)]
        rows.append([f"{group}: {label}", *_cells(sorted(points, key=lambda p: p.wanted))])
    shown = table(["variant", *heads, "fewer cycles", "bits", "operations", "bytes: detector + branches"], rows)
    return "\n\n".join([paragraph(setting), shown])


def _cells(points: list[AblationPoint]) -> list[str]:
    last = points[-1]
    return [
        *(f"{p.error / SMALL:.2f} ({p.ratio:.2f} +- {p.ratio_spread:.2f})" for p in points),
        f"{last.cycle_reduction:.2f}",
        f"{last.stored_bits:.2g}",
        f"{last.operations:.3g} ({last.bit_operations:.3g})",
        f"{last.detection_bytes:,.0f} + {last.branch_bytes:,.0f}",
    ]
