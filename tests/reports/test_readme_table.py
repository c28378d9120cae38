"""The README's result table: generated, and found stale when it is not the summary's."""

from pathlib import Path

import made_up
import pytest

from model.errors import UserError
from reports.readme_table import BEGIN, END, main, stale, updated
from reports.summary import write_summary

ROOT = Path(__file__).parents[2]


def test_table_is_written_and_goes_stale(tmp_path, rng):
    readme, path = tmp_path / "README.md", tmp_path / "summary.json"
    readme.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nRest\n")
    summary = made_up.summary(rng)
    write_summary(path, summary)
    assert stale(readme, path)
    main(path, readme)
    assert not stale(readme, path)
    text = readme.read_text()
    assert text.startswith("# Title\n") and text.endswith("Rest\n") and "old" not in text
    assert "| cycles, million |" in text and "modelled" in text and "123,456,789 words compared, 0 mismatched" in text
    summary.ratios.cycles += 0.01
    write_summary(path, summary)
    assert stale(readme, path)


def test_table_is_regular_markdown(rng):
    lines = [line for line in updated(f"{BEGIN}{END}", made_up.summary(rng)).splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_missing_markers_are_named(text, rng):
    with pytest.raises(UserError, match="markers"):
        updated(text, made_up.summary(rng))
