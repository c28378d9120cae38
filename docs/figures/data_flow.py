"""Draws docs/images/data-flow.svg, the figure of ARCHITECTURE.md: ``python docs/figures/data_flow.py``.

Every box names its file, so that the figure is also a map. A test checks that the files exist and that the figure is
current.
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIGURE = ROOT / "docs" / "images" / "data-flow.svg"
WIDTH, HEIGHT = 1120, 600

FILLS = {"external": "#dbe9f6", "memory": "#dff0df", "logic": "#fff6dd", "host": "#ececec"}
LEGEND = {"host": "host", "logic": "logic", "memory": "on-chip memory", "external": "external memory"}


@dataclass(frozen=True)
class Box:
    """A part of the machine: its place in pixels, what it says, and the file that holds it."""

    kind: str
    left: int
    top: int
    width: int
    height: int
    lines: tuple[str, ...]
    file: str = ""

    def svg(self) -> str:
        """The box with its text in the middle."""
        shape = (
            f'<rect x="{self.left}" y="{self.top}" width="{self.width}" height="{self.height}" rx="4" '
            f'fill="{FILLS[self.kind]}" stroke="#444"/>'
        )
        texts = [(line, "name") for line in self.lines] + [(self.file, "file")] * bool(self.file)
        first = self.top + self.height / 2 - 7 * (len(texts) - 1) + 4
        middle = self.left + self.width / 2
        return shape + "".join(
            text(middle, first + 14 * row, line, style, "middle") for row, (line, style) in enumerate(texts)
        )


@dataclass(frozen=True)
class Arrow:
    """A way from point to point, with a word beside it; control is dashed."""

    points: tuple[tuple[int, int], ...]
    word: str = ""
    word_at: tuple[int, int] = (0, 0)
    both: bool = False
    control: bool = False

    def svg(self) -> str:
        """The line with its head, or heads, and its word."""
        way = " ".join(f"{x},{y}" for x, y in self.points)
        start = ' marker-start="url(#head)"' if self.both else ""
        dashes = ' stroke-dasharray="5 3"' if self.control else ""
        line = f'<polyline points="{way}" fill="none" stroke="#444"{dashes}{start} marker-end="url(#head)"/>'
        return line + (text(*self.word_at, self.word, "word") if self.word else "")


BOXES = (
    Box("host", 20, 105, 150, 395, ("embedding", "conditioning", "final layer", "guidance", "sampler")),
    Box("external", 420, 20, 250, 40, ("conditioning",), "control/conditioning.py"),
    Box("external", 700, 20, 140, 40, ("code history",), "cache/history_ports.py"),
    Box("logic", 250, 130, 120, 46, ("residual add",), "units/residual.py"),
    Box("logic", 405, 130, 125, 46, ("LayerNorm",), "units/layernorm.py"),
    Box("logic", 560, 130, 120, 46, ("modulate",), "units/modulate.py"),
    Box("logic", 710, 130, 120, 46, ("CCU",), "units/ccu.py"),
    Box("logic", 900, 115, 180, 74, ("skip controller", "DTSM"), "control/skip_controller.py"),
    Box("memory", 250, 245, 80, 46, ("x memory",)),
    Box("logic", 380, 245, 110, 46, ("forecast",), "units/reuse.py"),
    Box("memory", 560, 245, 130, 46, ("A memory",), "memory/on_chip.py"),
    Box("logic", 330, 345, 200, 60, ("drain: requantize,", "GELU, softmax"), "array/drain.py"),
    Box("logic", 590, 345, 200, 60, ("MAC array", "R x C int8 MACs"), "array/array_front.py"),
    Box("logic", 880, 345, 200, 60, ("order of products and tiles",), "sequencers/product_sequencer.py"),
    Box("memory", 400, 440, 280, 46, ("hidden, K, V, scores, numerators",), "memory/on_chip.py"),
    Box("memory", 700, 440, 140, 46, ("weight ring",), "memory/weights.py"),
    Box("external", 250, 535, 160, 40, ("branch cache",), "cache/cache_reader.py"),
    Box("external", 690, 535, 160, 40, ("weights, parameters",), "memory/weights.py"),
)

ARROWS = (
    Arrow(((170, 143), (250, 143)), "x", (212, 138)),
    Arrow(((250, 165), (170, 165)), "next x", (178, 180)),
    Arrow(((95, 105), (95, 40), (420, 40)), "per timestep", (200, 35)),
    Arrow(((440, 60), (440, 80), (310, 80), (310, 130)), "gate", (365, 75)),
    Arrow(((620, 60), (620, 130)), "scale, shift", (626, 75)),
    Arrow(((770, 60), (770, 130)), "codes", (776, 75), both=True),
    Arrow(((370, 153), (405, 153))),
    Arrow(((530, 153), (560, 153))),
    Arrow(((680, 153), (710, 153))),
    Arrow(((830, 153), (900, 153)), "changed", (842, 148)),
    Arrow(((280, 176), (280, 245)), both=True),
    Arrow(((435, 245), (435, 230), (320, 230), (320, 176)), "reused", (362, 226)),
    Arrow(((590, 245), (590, 216), (350, 216), (350, 176)), "branch", (510, 229)),
    Arrow(((650, 176), (650, 245)), "int8", (656, 232)),
    Arrow(((930, 189), (930, 204), (470, 204), (470, 245)), "reuse", (880, 200), control=True),
    Arrow(((990, 189), (990, 345)), "compute", (996, 270), control=True),
    Arrow(((650, 291), (650, 345)), "operands", (656, 322)),
    Arrow(((880, 375), (790, 375)), "tile commands", (797, 370), control=True),
    Arrow(((590, 375), (530, 375)), "sums", (547, 370)),
    Arrow(((510, 345), (510, 268), (560, 268)), "branch", (515, 262)),
    Arrow(((470, 405), (470, 440))),
    Arrow(((630, 440), (630, 405))),
    Arrow(((760, 440), (760, 405))),
    Arrow(((770, 535), (770, 486))),
    Arrow(((350, 405), (350, 535)), "computed", (356, 515)),
    Arrow(((300, 535), (300, 320), (435, 320), (435, 291)), "reused", (306, 515)),
)


def text(x: float, y: float, words: str, style: str, anchor: str = "start") -> str:
    """One line of text; ``style`` is a class of the figure's style sheet."""
    return f'<text x="{x:g}" y="{y:g}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'


def frame(left: int, top: int, width: int, height: int) -> str:
    """A frame around boxes that belong together."""
    return f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="6" fill="none" stroke="#999"/>'


def legend() -> str:
    """What the colours mean."""
    parts = []
    for place, (kind, words) in enumerate(LEGEND.items()):
        x = 880 + 120 * (place % 2)
        y = 535 + 22 * (place // 2)
        parts.append(f'<rect x="{x}" y="{y}" width="14" height="14" fill="{FILLS[kind]}" stroke="#444"/>')
        parts.append(text(x + 20, y + 11, words, "word"))
    return "\n".join(parts)


def svg() -> str:
    """The whole figure."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
            "<title>Data flow of one sub-block</title>",
            "<style>.name{font-size:13px}.file{font-size:10px;fill:#555}.word{font-size:11px;fill:#333}"
            ".frame{font-size:11px;fill:#555;font-style:italic}</style>",
            '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path d="M0,0 L8,4 L0,8 z" fill="#444"/></marker></defs>',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            frame(210, 88, 895, 425),
            text(870, 104, "accelerator (files in accel/)", "frame"),
            frame(230, 108, 620, 76),
            text(380, 123, "pass: one word per cycle (residual_pass/)", "frame"),
            *(box.svg() for box in BOXES),
            *(arrow.svg() for arrow in ARROWS),
            text(26, 122, "host, in float", "frame"),
            legend(),
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    FIGURE.parent.mkdir(exist_ok=True)
    FIGURE.write_text(svg(), encoding="utf-8")
