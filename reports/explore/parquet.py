"""``explore.parquet``: the rows of ``explore.csv`` with their types, where pyarrow is installed (extra ``parquet``)."""

from __future__ import annotations

from collections.abc import Iterable

from radit.reports.common.files import flat
from radit.reports.explore.schema import ExploredPoint

PARQUET = "parquet"


def as_parquet(points: Iterable[ExploredPoint]) -> dict[str, bytes]:
    """The file's content by its ending; nothing without pyarrow."""
    try:
        from pyarrow import BufferOutputStream, Table
        from pyarrow.parquet import write_table
    except ImportError:
        return {}
    content = BufferOutputStream()
    write_table(Table.from_pylist([flat(point.model_dump()) for point in points]), content)
    return {PARQUET: content.getvalue().to_pybytes()}
