"""``docs/results/full-size.json``: figures of DiT-XL/2 through the RTL, each with the command that reproduces it.

They come from several commands and are kept by hand; a test predicts the modelled ones again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from radit.model.files import read_model
from radit.reports.common.markdown import code, paragraph, table
from radit.reports.common.schema_parts import Amount, Array, Bounds, ExternalMemory, Number, Part, Positive, Share

Basis = Literal["measured", "modelled"]


class Quantity(Bounds):
    """In the unit of its figure."""


class Figure(Part):
    """A number with its unit (empty: a count or a ratio), where it comes from, and the command that shows it."""

    what: str
    value: Number | Quantity
    unit: str = ""
    basis: Basis
    command: str

    @property
    def text(self) -> str:
        """Value and unit."""
        if isinstance(self.value, Quantity):
            shown = f"{self.value.nominal:g} ({self.value.low:g} to {self.value.high:g})"
        else:
            shown = f"{self.value:,.0f}" if self.value == int(self.value) and not self.unit else f"{self.value}"
        return f"{shown} {self.unit}".rstrip()


class SkippingPoint(Part):
    """At a bandwidth in bytes per cycle (None: unlimited).

    Fields:
        pass_share: cycles of a skipped sub-block, over those of a dense one.
        cycles_cached, cycles_forecast: reduction of cycles where branches are cached, and where whole timesteps are
            forecast.
    """

    bandwidth: Positive | None
    pass_share: Share
    cycles_cached: Amount
    cycles_forecast: Amount


class Skipping(Part):
    """What skipped sub-blocks cost; ``macs_cached`` and ``macs_forecast``: reduction of MACs of the two."""

    command: str
    basis: Basis
    macs_cached: Amount
    macs_forecast: Amount
    points: list[SkippingPoint]


class FullSize(Part):
    """The whole of full-size.json; ``machine``: that simulated."""

    model: str
    array: Array
    memory: ExternalMemory
    machine: str
    energy_table: str
    figures: list[Figure]
    skipping: Skipping


def load_full_size(path: Path) -> FullSize:
    """The figures that are kept.

    Raises:
        UserError: the file is missing or does not fit the schema.
    """
    return read_model(FullSize, path, "figures", "write it by reports/results/full_size.py")


def full_size_tables(found: FullSize) -> str:
    """Figures by command, and what skipping costs at three bandwidths."""
    f, s = found, found.skipping
    limit = "no limit" if f.memory.bandwidth is None else f"{f.memory.bandwidth:g} bytes per cycle"
    commands = list(dict.fromkeys(figure.command for figure in f.figures))
    parts = [
        paragraph(
            f"{code(f.model)}, all blocks, both contexts of guidance, seeded weights; {f.array.rows}x{f.array.cols} "
            f"array, memory of {limit} at a latency of {f.memory.latency} cycles. Simulated on "
            f"{f.machine}; energy by the table `{f.energy_table}`."
        )
    ]
    for command in commands:
        rows = ([one.what, one.text, one.basis] for one in f.figures if one.command == command)
        parts += [f"`{command}`:", table(("", "", ""), rows)]
    heads = ("memory, bytes per cycle", *("unlimited" if p.bandwidth is None else f"{p.bandwidth:g}" for p in s.points))
    costs = [
        ["a skipped sub-block, share of a dense one", *(f"{p.pass_share:.1%}" for p in s.points)],
        [f"branches cached, MACs / {s.macs_cached:g}: cycles /", *(f"{p.cycles_cached:.2f}" for p in s.points)],
        [f"timesteps forecast, MACs / {s.macs_forecast:g}: cycles /", *(f"{p.cycles_forecast:.2f}" for p in s.points)],
    ]
    said = f"What skipping costs, {s.basis}: `{s.command} --bandwidth N`, and the same with `--forecast`."
    return "\n\n".join([*parts, paragraph(said), table(heads, costs)])
