"""Tables on the terminal."""

from rich import box
from rich.table import Table


def table_of(first: str, names: tuple[str, ...]) -> Table:
    """An empty table: a column of words, then columns of numbers."""
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table
