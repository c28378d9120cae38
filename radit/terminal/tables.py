"""Tables on the terminal."""

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table

WIDEST = 10_000  # characters


def table_of(first: str, names: tuple[str, ...]) -> Table:
    """An empty table: a column of words, then columns of numbers."""
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table


class AsWide:
    """A table that takes the width it needs, whatever the terminal has."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        needed = Measurement.get(console, options.update(width=WIDEST), self.table).maximum
        yield from console.render(self.table, options.update(width=needed))


def show_table(console: Console, table: Table) -> None:
    """Print a table as wide as it is: on a narrow terminal its lines go on in the next, and no number is cut."""
    console.print(AsWide(table), crop=False, no_wrap=True, overflow="ignore")
