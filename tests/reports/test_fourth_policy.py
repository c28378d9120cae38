"""A policy that is added to the table goes through summary, report and README without another line changed."""

import pytest

from radit.model.integer.decision_record import DecisionRecord
from radit.model.policy.skip_policy import POLICIES, Policy, PolicyKind, Scope, parse_policy
from radit.model.quality.quality_schema import PolicyQuality
from radit.options import parse_policies
from radit.reports.energy.energy_table import load_table
from radit.reports.results.run_tables import run_tables
from radit.reports.run import runs
from radit.reports.run.arrays import RunArrays, load_arrays, write_arrays
from radit.reports.run.readme_table import MARKERS, update_readme
from radit.reports.run.render import render
from radit.reports.run.summary import SUMMARY_FILE, all_ratios, load_summary, whole_run, write_summary
from tests.reports import made_up

LABEL, COLOR, WORDS = "every second", "#d1495b", "takes the stream of the timestep before"


def alternate(threshold: float = 0.5, **fields) -> Policy:
    return Policy("alternate", **({"scope": Scope.STREAM, "max_streak": 1} | fields | {"threshold": threshold}))


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(POLICIES, "alternate", PolicyKind(alternate, LABEL, COLOR, WORDS))


@pytest.fixture
def folder(tmp_path, rng, registered):
    """A run of four policies, as `radit cosim` leaves it."""
    summary = made_up.summary(rng, forecast=True)
    summary.results["alternate"] = made_up.run(alternate(), made_up.decisions(rng))
    summary.ratios = all_ratios(summary.results)
    for field, value in whole_run(summary.results.values()).items():
        setattr(summary, field, value)
    summary.quality.by_policy["alternate"] = PolicyQuality(
        fd=4.56, accuracy=0.975, mac_reduction=1.9, mse_to_dense=3e-4, to_converged=made_up.converged(6e-4)
    )
    arrays = made_up.arrays(rng, forecast=True)
    record = DecisionRecord.joined([made_up.decisions(rng) for _ in range(10)])
    images = arrays.images | {"alternate": arrays.images["radit"]}
    write_summary(tmp_path / SUMMARY_FILE, summary)
    write_arrays(tmp_path / "arrays.npz", RunArrays(arrays.decisions | {"alternate": record}, images))
    return tmp_path


def test_it_is_read_from_the_command_line(registered):
    assert parse_policies(["dense,alternate:threshold=0.25"]) == ["dense", "alternate:threshold=0.25"]
    assert parse_policy("alternate:threshold=0.25") == alternate(0.25)
    assert parse_policy(alternate(0.25, reach=2.0).text) == alternate(0.25, reach=2.0)


def test_the_report_shows_it(folder):
    summary = load_summary(folder / SUMMARY_FILE).compared()
    page = render(summary, load_arrays(folder / "arrays.npz"))
    cycles = summary.results["alternate"].counters["cycles"]
    for words in (f"{LABEL} against dense", f"{LABEL} {WORDS}", f"{LABEL}: phase", f"{LABEL} − dense", "4.56", "1.90"):
        assert words in page
    assert f"<b>{summary.ratios['alternate'].macs:.2f}×</b>" in page and f"{cycles:,}".replace(",", "\u202f") in page


def test_it_has_a_column_of_the_readme_and_rows_of_the_results(folder):
    readme = folder / "README.md"
    readme.write_text("\nold\n".join(MARKERS))
    update_readme(folder / SUMMARY_FILE, readme)
    text = readme.read_text()
    heads = f"dense | RADiT | forecast | {LABEL} | dense / RADiT | dense / forecast | dense / {LABEL}"
    assert f"| | {heads} | |" in text and "old" not in text
    assert "| 4.35 | 4.42 | 4.47 | 4.56 |" in text and "| 6.00e-4 |" in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1
    assert f"| {LABEL} | 4.56 | 97.5% | 6.00e-4 +- 0.60e-4 | 3.00e-4 | 2.4% | 3.00e-4 |" in run_tables(
        load_summary(folder / SUMMARY_FILE)
    )


def test_it_is_priced_again(folder, tmp_path):
    table = load_table()
    roomless = table.model_copy(update={"reuse_sram": table.reuse_sram.model_copy(update={"capacity": 0.0})})
    before = load_summary(folder / SUMMARY_FILE)
    after = runs._priced(before, roomless)
    assert after.results["alternate"].text == before.results["alternate"].text
    assert not after.results["alternate"].memory_plan.cache.on_chip
    assert after.ratios["alternate"].energy_nominal < before.ratios["alternate"].energy_nominal
