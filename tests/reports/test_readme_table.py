"""The README's result table: generated, and found stale when it is not the summary's."""

import pytest

from model.errors import UserError
from reports.run.readme_table import (
    BEGIN,
    CLIPS_BEGIN,
    CLIPS_END,
    END,
    README,
    STORED_CLIPS,
    STORED_SUMMARY,
    main,
    stale,
    updated,
)
from reports.run.summary import write_summary
from tests.reports import made_up


def test_table_is_written_and_goes_stale(tmp_path, rng):
    readme, path = tmp_path / "README.md", tmp_path / "summary.json"
    readme.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nRest\n")
    summary = made_up.summary(rng)
    write_summary(path, summary)
    assert stale(readme, path)
    stored = tmp_path / "results" / "summary.json"
    main(path, readme, stored)
    assert not stale(readme, path) and stored.read_bytes() == path.read_bytes()
    text = readme.read_text()
    assert text.startswith("# Title\n") and text.endswith("Rest\n") and "old" not in text
    assert "| cycles, million |" in text and "modelled" in text and "123,456,789 words compared, 0 mismatched" in text
    summary.ratios.cycles += 0.01
    write_summary(path, summary)
    assert stale(readme, path)
    main(None, readme, stored)
    assert not stale(readme, stored)


def test_bad_summary_changes_nothing(tmp_path):
    readme, path, stored = tmp_path / "README.md", tmp_path / "summary.json", tmp_path / "stored.json"
    readme.write_text(f"{BEGIN}\nold\n{END}\n")
    path.write_text("{}")
    with pytest.raises(UserError, match="does not fit"):
        main(path, readme, stored)
    assert "old" in readme.read_text() and not stored.exists()


def test_the_readme_shows_the_stored_result():
    if not STORED_SUMMARY.exists():
        assert not README.exists() or "| cycles, million |" not in README.read_text()
        pytest.skip("no result is stored yet (python -m reports.run.readme_table build/demo/summary.json stores one)")
    assert not stale(README, STORED_SUMMARY), "README.md is stale: run python -m reports.run.readme_table"


@pytest.mark.parametrize("forecast", [False, True])
def test_table_is_regular_markdown(rng, forecast):
    text = updated(f"{BEGIN}{END}", made_up.summary(rng, forecast))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {8 if forecast else 6} and len(lines) == 9


def test_forecast_has_its_columns(rng):
    summary = made_up.summary(rng, forecast=True)
    text = updated(f"{BEGIN}{END}", summary)
    assert "| | dense | RADiT | forecast | dense / RADiT | dense / forecast | |" in text
    r, f = summary.ratios, summary.forecast_ratios
    assert f"| {summary.forecast.cycles / 1e6:,.3f} | {r.cycles:.2f} | {f.cycles:.2f} | measured |" in text
    assert "30 of 50 steps: 4.50e-4 +- 0.40e-4) | 0 | 2.10e-4 +- 0.20e-4 | 1.30e-4 +- 0.12e-4 | | | measured |" in text
    assert "| 98.0% | 97.9% | 97.8% |" in text and "| 4.35 | 4.42 | 4.47 |" in text
    summary.quality.fd_forecast = None
    assert "| 4.35 | 4.42 | | | | measured |" in updated(f"{BEGIN}{END}", summary)


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_missing_markers_are_named(text, rng):
    with pytest.raises(UserError, match="markers"):
        updated(text, made_up.summary(rng))


def test_clips_have_their_own_table(tmp_path, rng):
    readme, path, stored = tmp_path / "README.md", tmp_path / "summary.json", tmp_path / "clips.json"
    readme.write_text(f"{BEGIN}\nkept\n{END}\n{CLIPS_BEGIN}\nold\n{CLIPS_END}\n")
    write_summary(path, made_up.clip_summary(rng))
    main(path, readme, stored)
    text = readme.read_text()
    assert "kept" in text and "old" not in text and not stale(readme, stored)
    assert "3 clips x 50" in text and "clips identical" in text and "as many of the data 3)" in text
    assert "| frames with the label's class (the data 90.0%) | 88.0% | 87.0% | 86.0% | | | measured |" in text
    assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {8}


def test_the_readme_shows_the_stored_clips():
    text = README.read_text()
    if not STORED_CLIPS.exists():
        assert f"{CLIPS_BEGIN}\n{CLIPS_END}" in text
        pytest.skip(
            "no result is stored yet (python -m reports.run.readme_table build/moving-digits/summary.json does)"
        )
    assert not stale(README, STORED_CLIPS), "README.md is stale: run python -m reports.run.readme_table"
