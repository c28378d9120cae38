"""The README's picture: the demo's images, dense above, each skipping policy below, with what it saves at the side.

``python -m radit.reports.results.picture FOLDER`` draws it into docs/images, from the images of a finished run
(build/demo) and from the numbers that docs/results/summary.json keeps.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from radit.model.errors import UserError
from radit.model.files import write_file
from radit.model.policy.skip_policy import kind_of
from radit.reports.results.page import DOCS, SECTIONS, STORED
from radit.reports.run.arrays import RunArrays
from radit.reports.run.pictures import pixels
from radit.reports.run.plots import MUTED, STYLE
from radit.reports.run.run_folder import load_run
from radit.reports.run.schema import Summary
from radit.reports.run.summary import load_summary

PICTURE = DOCS / "images" / "dense-and-skipping.png"
SHOWN = 10
GAP = 1  # pixels of the model between two images
DPI = 130


def savings(summary: Summary) -> dict[str, str]:
    """By policy, in the order of the rows: what is written at the side."""
    dense = summary.results["dense"]
    texts = {"dense": f"{dense.cycles / 1e6:.1f} million cycles\n{dense.energy_uj.nominal / 1e3:.1f} mJ, modelled"}
    for name, ratio in summary.ratios.items():
        texts[name] = f"{ratio.cycles:.2f} times fewer cycles\n{ratio.energy_nominal:.2f} times less energy"
    return texts


def description(summary: Summary) -> str:
    """All that the picture says, in its metadata: what a test compares with the kept numbers."""
    return "; ".join(f"{kind_of(name).label}: {text}".replace("\n", ", ") for name, text in savings(summary).items())


def strip(images: np.ndarray) -> np.ndarray:
    """Images (N, C, H, W), -1 to 1, in a row with white between them, in bytes."""
    cells = [pixels(image) for image in images[:SHOWN]]
    gap = np.full((cells[0].shape[0], GAP, *cells[0].shape[2:]), 255, np.uint8)
    return np.concatenate([part for cell in cells for part in (gap, cell)][1:], axis=1)


def picture(summary: Summary, arrays: RunArrays) -> bytes:
    """As PNG; same input, same bytes.

    Raises:
        UserError: the arrays lack the images of a policy.
    """
    texts = savings(summary)
    if missing := sorted(texts.keys() - arrays.images.keys()):
        raise UserError(f"the run has no images of {', '.join(missing)}; run with --policy {','.join(texts)}.")
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 0.66 * len(texts)))
        axes = figure.subplots(len(texts), 1, squeeze=False)[:, 0]
        figure.subplots_adjust(left=0.09, right=0.74, top=0.98, bottom=0.02, hspace=0.1)
        for axis, (name, text) in zip(axes, texts.items(), strict=True):
            axis.imshow(strip(arrays.images[name]), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.axis("off")
            place = {"transform": axis.transAxes, "va": "center"}
            axis.text(-0.02, 0.5, kind_of(name).label, ha="right", **place)
            axis.text(1.02, 0.5, text, ha="left", color=MUTED, fontsize=9, linespacing=1.4, **place)
        buffer = io.BytesIO()
        metadata = {"Software": None, "Description": description(summary)}
        figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", metadata=metadata)
    return buffer.getvalue()


def described(path: Path) -> str:
    """What a written picture says in its metadata."""
    with Image.open(path) as image:
        return image.info.get("Description", "")


def main(run: Path, target: Path = PICTURE, stored: Path = DOCS / STORED) -> None:
    """Draw a finished run beside the kept numbers.

    Raises:
        UserError: a file is missing or bad, or the run is not the one whose numbers are kept.
    """
    kept, (made, arrays) = load_summary(stored / SECTIONS[0].file).compared(), load_run(run)
    if description(kept) != description(made):
        raise UserError(
            f"run {run} is another than the one kept in {stored}: keep it first, "
            f"python -m radit.reports.results.page {run / 'summary.json'}."
        )
    write_file(target, picture(kept, arrays))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m radit.reports.results.picture FOLDER")
    try:
        main(Path(sys.argv[1]))
    except UserError as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
