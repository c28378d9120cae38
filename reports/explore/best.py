"""Tables of a design space: the best value by two fields of its points."""

from __future__ import annotations

from collections.abc import Iterable

from radit.model.errors import UserError, shown
from radit.reports.explore.schema import BestTable, ExploredPoint
from radit.reports.explore.space import TableWanted

GAINS = ("cycles_gain", "energy_gain", "mac_utilization", "mac_skip_rate")  # more is better
VALUES = ("milliseconds", "cycles", "energy", "external_bytes", "sram_kib", "gates", "error", *GAINS)
FIELDS = tuple(name for name in ExploredPoint.model_fields if name not in ("energy_uj", "command"))
UNITS = {"milliseconds": "ms", "energy": "mJ", "external_bytes": "bytes", "sram_kib": "KiB",
         "cycles_gain": "dense / this", "energy_gain": "dense / this"}  # fmt: skip


def check_table(wanted: TableWanted) -> None:
    """Refuse a table of fields that no point has.

    Raises:
        UserError: it is.
    """
    for name, fields, part in (
        (wanted.rows, FIELDS, "rows"),
        (wanted.columns, FIELDS, "columns"),
        (wanted.value, VALUES, "value"),
        *((name, FIELDS, "where") for name in wanted.where),
    ):
        if name not in fields:
            raise UserError(f"space field tables.{part} is {shown(name)}: use one of {', '.join(fields)}.")


def best_table(wanted: TableWanted, points: Iterable[ExploredPoint]) -> BestTable:
    """The table of some points."""
    cells: dict[tuple[str, str], float] = {}
    better = max if wanted.value in GAINS else min
    for one in points:
        value = _value(one, wanted.value)
        if value is None or any(_field(one, name) != _text(asked) for name, asked in wanted.where.items()):
            continue
        place = _field(one, wanted.rows), _field(one, wanted.columns)
        cells[place] = better(cells.get(place, value), value)
    rows, columns = (list(dict.fromkeys(place[side] for place in cells)) for side in (0, 1))
    return BestTable(
        title=_title(wanted),
        rows=rows,
        columns=columns,
        cells=[[cells.get((row, column)) for column in columns] for row in rows],
    )


def _title(wanted: TableWanted) -> str:
    unit = f" ({UNITS[wanted.value]})" if wanted.value in UNITS else ""
    where = ", ".join(f"{name} {_text(value)}" for name, value in wanted.where.items())
    return (
        f"{wanted.value.replace('_', ' ')}{unit} by {wanted.rows} and {wanted.columns}{f'; {where}' if where else ''}"
    )


def _value(one: ExploredPoint, name: str) -> float | None:
    if name == "energy":
        return one.energy_uj.nominal / 1e3
    found: float | None = getattr(one, name)
    return found


def _field(one: ExploredPoint, name: str) -> str:
    value = getattr(one, name)
    return "inf" if name == "bandwidth" and value is None else _text(value)


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
