"""The account's tables: in the document as they are stored, and found stale when they are not."""

import pytest
from rich.console import Console

from model.errors import UserError
from radit.terminal.area import cost_table, part_table
from reports.area.parts import PARTS
from reports.area.schema import write_area
from reports.area.table import BEGIN, DOCUMENT, END, STORED, main, markdown, stale, updated
from tests.reports import made_up


def test_tables_are_written_and_go_stale(tmp_path):
    document, stored = tmp_path / "policies.md", tmp_path / "results" / "area.json"
    document.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nRest\n")
    account = made_up.area()
    path = write_area(tmp_path, account)
    assert stale(document, path)
    main(path, document, stored)
    text = document.read_text()
    assert not stale(document, stored) and stored.read_bytes() == path.read_bytes()
    assert text.startswith("# Title\n") and text.endswith("Rest\n") and "old" not in text
    account.costs[0].cycles_told -= 1e5
    write_area(tmp_path, account)
    assert stale(document, path)


def test_what_the_tables_say():
    text = markdown(made_up.area())
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines[: len(PARTS) + 5]}) == 1
    assert "| CCU | 10 | 0.85% | 0.85% | |" in text
    assert "| what decides | 30 | 2.54% | 2.54% | 4,096 |" in text
    assert "| all that only skipping needs | 50 | 4.24% | 4.24% | 4,096 |" in text
    assert "| machine, without what only observes | 1,180 | 100.00% | 100.00% | 4,096 |" in text
    assert "| digits, 4x4, radit | 50.0% | 2.00 | 5.00% | 1.25% |" in text
    assert "the sum of its pieces is +1.0% and -0.5% off" in text


def test_terminal_tables():
    console, account = Console(width=120), made_up.area()
    with console.capture() as shown:
        console.print(part_table(account.arrays[1]), cost_table(account))
    assert "synthesized, 8x8" in shown.get() and "memory bits" in shown.get()
    assert "digits, 4x4, forecast" in shown.get()


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_missing_markers_are_named(text):
    with pytest.raises(UserError, match="markers"):
        updated(text, made_up.area())


def test_the_document_shows_the_stored_account():
    assert not stale(DOCUMENT, STORED), "docs/policies.md is stale: run python -m reports.area.table"
