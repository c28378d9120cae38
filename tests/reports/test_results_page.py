"""docs/results.md: every kept result is on it, it is found stale when one changes, and its modelled figures hold."""

import json
import shutil

import pytest

from radit.model.errors import UserError
from radit.reports.common.markdown import WIDTH, paragraph, power_text, table
from radit.reports.frontier.schema import Frontier, FrontierPoint
from radit.reports.frontier.table import frontier_tables
from radit.reports.machine.description import load_machine
from radit.reports.project.project import run_project
from radit.reports.results.full_size import load_full_size
from radit.reports.results.page import BEFORE, DOCS, PAGE, README, SECTIONS, STORED, keep, main, results_page, stale
from radit.reports.results.run_tables import run_tables
from radit.reports.run.summary import write_summary
from tests.reports import made_up


@pytest.fixture
def docs(tmp_path):
    """A copy of the kept results."""
    return shutil.copytree(DOCS / STORED, tmp_path / "docs" / STORED).parent


@pytest.fixture
def readme(tmp_path):
    return shutil.copy(README, tmp_path / "README.md")


def test_nothing_is_stale():
    assert stale() == [], "run python -m radit.reports.results.page"


def test_every_kept_result_is_shown():
    kept = {path.name for path in (DOCS / STORED).glob("*.json")}
    assert kept == {section.file for section in SECTIONS} | {BEFORE}
    text = (DOCS / PAGE).read_text()
    assert all(f"({STORED}/{path.name})" in text for path in (DOCS / STORED).iterdir() if path.suffix != ".csv")


def test_lines_are_short():
    text = results_page() + README.read_text().split("results:begin")[1].split("results:end")[0]
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []


def test_a_result_is_kept_and_goes_stale(docs, readme, tmp_path, rng):
    main([], docs, readme)
    assert stale(docs, readme) == []
    path, summary = tmp_path / "summary.json", made_up.summary(rng)
    write_summary(path, summary)
    keep(path, docs / STORED)
    assert stale(docs, readme) == [docs / PAGE, readme]
    main([], docs, readme)
    assert stale(docs, readme) == [] and "123,456,789 words" in readme.read_text() + (docs / PAGE).read_text()


def test_clips_are_kept_apart(docs, tmp_path, rng):
    path, images = tmp_path / "summary.json", (docs / STORED / "summary.json").read_bytes()
    write_summary(path, made_up.clip_summary(rng))
    keep(path, docs / STORED)
    assert (docs / STORED / "summary.json").read_bytes() == images
    assert (docs / STORED / "clips.json").read_bytes() == path.read_bytes()


def test_files_beside_a_result_are_kept(docs, tmp_path):
    path = shutil.copy(DOCS / STORED / "ablations.json", tmp_path / "ablations.json")
    (tmp_path / "ablations.csv").write_text("new")
    keep(path, docs / STORED)
    assert (docs / STORED / "ablations.csv").read_text() == "new"
    assert (docs / STORED / "ablations.svg").read_bytes() == (DOCS / STORED / "ablations.svg").read_bytes()


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("other.json", "{}", "has the name of none that the page shows"),
        ("area.json", "{}", "does not fit"),
        ("frontier.json", "{", "frontier.json"),
    ],
)
def test_bad_results_are_refused(docs, readme, tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    before = {path: path.read_bytes() for path in (docs / STORED).iterdir()}
    with pytest.raises(UserError, match=words):
        main([tmp_path / name], docs, readme)
    assert {path: path.read_bytes() for path in (docs / STORED).iterdir()} == before


def test_a_run_of_images(rng):
    text = run_tables(made_up.summary(rng, forecast=True))
    assert "| forecast | 4.47 | 97.8% | 4.00e-4 +- 0.40e-4 | 2.00e-4 | 1.6% | 1.30e-4 +- 0.12e-4 |" in text
    assert "| dense, 30 steps | | | | | | 4.50e-4 +- 0.40e-4 |" in text
    assert "the data" not in text and "images identical" in text


def test_a_run_of_clips(rng):
    text = run_tables(made_up.clip_summary(rng))
    assert "| the data | 3.00 |" in text and "clips identical" in text
    assert "| the data | 90.0% |" in text and "| RADiT | 87.0% |" in text


def test_frontier_points_without_settings():
    stored = json.loads((DOCS / STORED / "frontier.json").read_text())
    named = {"policy": "static", "settings": "", "arithmetic": "int8", "solver": "unipc", "spacing": "quadratic"}
    point = FrontierPoint.model_validate(stored["points"][0] | named | {"steps": 12, "mse_to_dense": None})
    text = frontier_tables(Frontier.model_validate(stored | {"points": [point.model_dump()], "fd_noise": None}))
    assert "| `static` | 12 of unipc, quadratic |" in text and "say nothing" not in text


def test_the_modelled_figures_of_full_size_hold(tmp_path):
    kept = load_full_size(DOCS / STORED / "full-size.json")

    def projected(bandwidth, **changes):
        settings = {"skip_rate": 0.6803, "trace": None, "forecast": False, "out": tmp_path}
        run = {"model": "dit-xl-2", "machine": load_machine("paper").changed(bandwidth=bandwidth), "steps": 50}
        return run_project(**run, cfg=1.5, **(settings | changes))

    dense = projected(32.0, skip_rate=None).dense
    time, energy = (
        next(f for f in kept.figures if f.what.startswith(what)) for what in ("a dense image", "its energy")
    )
    assert round(dense.milliseconds / 1e3, 2) == time.value
    assert {k: round(v / 1e6, 1) for k, v in dense.energy_uj.model_dump().items()} == energy.value.model_dump()
    for point in kept.skipping.points:
        cached, forecast = (projected(point.bandwidth, forecast=each).ratios for each in (False, True))
        assert round(cached.cycles, 2) == point.cycles_cached and round(cached.macs, 2) == kept.skipping.macs_cached
        assert round(forecast.cycles, 2) == point.cycles_forecast
        assert round(forecast.macs, 2) == kept.skipping.macs_forecast


def test_markdown():
    assert table(("a", "b"), [["x", ""], ["y", "1"]]) == "| a | b |\n|---|---:|\n| x | |\n| y | 1 |"
    with pytest.raises(ValueError, match="1 cells under 2 heads"):
        table(("a", "b"), [["x"]])
    assert max(map(len, paragraph("word " * 100).splitlines())) <= WIDTH
    assert (power_text(2.56e-4), power_text(0.0)) == ("2.56e-4", "0")
