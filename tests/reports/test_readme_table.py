"""The README's result table: five rows between two comment markers."""

import re

import pytest

from radit.model.errors import UserError
from radit.reports.run.readme_table import MARKERS, results_table, update_readme, updated
from radit.reports.run.summary import write_summary
from tests.reports import made_up

BEGIN, END = MARKERS


def test_table_is_written(tmp_path, rng):
    readme, path = tmp_path / "README.md", tmp_path / "summary.json"
    readme.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nRest\n")
    write_summary(path, made_up.summary(rng))
    update_readme(path, readme)
    text = readme.read_text()
    assert text.startswith("# Title\n") and text.endswith("Rest\n") and "old" not in text
    assert "| cycles, million |" in text and "123,456,789 words compared, 0 mismatched" in text


def test_bad_summary_changes_nothing(tmp_path):
    readme, path = tmp_path / "README.md", tmp_path / "summary.json"
    readme.write_text(f"{BEGIN}\nold\n{END}\n")
    path.write_text("{}")
    with pytest.raises(UserError, match="does not fit"):
        update_readme(path, readme)
    assert "old" in readme.read_text()


@pytest.mark.parametrize("forecast", [False, True])
def test_one_row_each(rng, forecast):
    lines = [line for line in results_table(made_up.summary(rng, forecast)).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {8 if forecast else 6} and len(lines) == 2 + (6 if forecast else 5)


def test_policies_have_their_columns(rng):
    summary = made_up.summary(rng, forecast=True)
    text = results_table(summary)
    assert "| | dense | RADiT | forecast | dense / RADiT | dense / forecast | |" in text
    r, f = summary.ratios.values()
    cycles = " | ".join(f"{result.cycles / 1e6:,.3f}" for result in summary.results.values())
    assert f"| cycles, million | {cycles} | {r.cycles:.2f} | {f.cycles:.2f} | measured |" in text
    assert "| mean squared error to the converged image | 2.00e-4 | 5.00e-4 | 4.00e-4 | | | measured |" in text
    assert "| median squared error to the converged image | 1.00e-4 | 2.50e-4 | 2.00e-4 | | | measured |" in text
    assert "| Frechet distance, 1,000 samples | 4.35 | 4.42 | 4.47 | | | measured |" in text


def test_without_converged_images_errors_are_to_dense(rng):
    text = results_table(made_up.summary(rng))
    assert "| mean squared error to dense | 0 | 2.10e-4 | | measured |" in text and "converged" not in text


def test_what_was_not_measured_is_left_out(rng):
    summary = made_up.summary(rng)
    summary.quality = None
    text = results_table(summary)
    assert "| energy, uJ |" in text and "Frechet" not in text


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_missing_markers_are_named(text, rng):
    with pytest.raises(UserError, match="markers"):
        updated(text, made_up.summary(rng))


def test_clips_have_the_same_table(rng):
    assert "3 clips x 50" in results_table(made_up.clip_summary(rng))


@pytest.mark.parametrize(
    "model", [f"x{END}y", f"`{BEGIN}`", "a|b", "```", "two\nlines", "<script>alert(1)</script>", "\x1b[31m"]
)
def test_a_models_name_is_code_whatever_it_is(model, rng):
    """It ends neither the code nor the table, and the README can be brought up to date again."""
    summary = made_up.summary(rng)
    summary.model = model
    text = updated(updated(f"head\n{BEGIN}\n{END}\ntail", summary), summary)
    assert text.startswith("head\n") and text.endswith("\ntail") and (text.count(BEGIN), text.count(END)) == (1, 1)
    found = re.search(r"model (`+)(.*?)(?<!`)\1(?!`), 16x16 array", " ".join(text.split()))
    assert found and found[2].strip().isprintable() and found[1] not in found[2]
    assert "<script>" not in text or "<script>alert(1)</script>" in found[2]
