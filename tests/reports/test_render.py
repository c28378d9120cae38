"""report.html: self-contained, re-rendered alike, and loud where the check failed."""

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image, ImageSequence

from radit.accel.control.registers import CAUSES, COUNTERS
from radit.model.errors import UserError
from radit.reports.energy.energy_model import energy
from radit.reports.energy.energy_table import load_table
from radit.reports.energy.memory_plan import plan_memory
from radit.reports.run import plots
from radit.reports.run.arrays import write_arrays
from radit.reports.run.pictures import pixels
from radit.reports.run.plots import ENERGY_GROUPS
from radit.reports.run.render import quality_rows, render
from radit.reports.run.runs import rerun_report
from radit.reports.run.schema import Summary
from radit.reports.run.summary import write_summary
from tests.reports import made_up


def test_page_is_self_contained_and_complete(rng):
    page = render(made_up.summary(rng), made_up.arrays(rng))
    assert all(uri.startswith("data:image/") for uri in re.findall(r'src="([^"]*)"', page))
    assert "<script" not in page and "<link" not in page
    for words in ("Bit-exact", "123\u202f456\u202f789", "Where it skips", "modelled", "measured", "assumed", "CACTI"):
        assert words in page
    assert page.count("<img") == 3 * 10 + 5
    assert "data:image/gif" not in page and "spatial" not in page and "10 images × 50" in page


def test_page_shows_forecast_beside_radit(rng):
    summary = made_up.summary(rng, forecast=True)
    page = render(summary, made_up.arrays(rng, forecast=True))
    assert page.count("<img") == 5 * 10 + 6
    for words in ("RADiT against dense", "forecast against dense", "forecast − dense", "forecast: phase"):
        assert words in page
    assert (
        f"<b>{summary.ratios['forecast'].macs:.2f}×</b>" in page
        and f"<b>{summary.ratios['radit'].macs:.2f}×</b>" in page
    )
    for words in ("4.47", "+0.12", "97.8%", "dense with 30 steps: 4.50e-4", "2.34"):
        assert words in page
    for name in ("cycles", "slope_reads"):
        assert f"{summary.results['forecast'].counters[name]:,}".replace(",", "\u202f") in page
    plain = render(made_up.summary(rng), None)
    assert "forecast against" not in plain and "with 30 steps" not in plain


def test_page_of_clips(rng):
    summary, arrays = made_up.clip_summary(rng), made_up.clip_arrays(rng)
    page = render(summary, arrays)
    gifs = re.findall(r'src="data:image/gif;base64,([^"]*)"', page)
    assert len(gifs) == 5 * 3 and page.count("<img") == 5 * 3 + 1 + 6
    with Image.open(io.BytesIO(base64.b64decode(gifs[3]))) as shown:  # RADiT's first, below three of dense
        frames = [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(shown)]
    assert np.array_equal(frames, [pixels(frame) for frame in arrays.images["radit"][0]])
    for words in ("3 clips × 50", "all clips", "clips identical", "contact sheet", "arXiv 2509.13789", "[C: "):
        assert words in page
    for words in ("spatial attention", "temporal attention", "MLP", "most in the middle"):
        assert f">{words}</td>" in page
    for words in ("90.0%", "87.0%", "86.0%", "0.23", "data&#39;s own: 90.0%"):
        assert words in page
    labels = base64.b64decode(re.search(r'svg\+xml;base64,([^"]*)" alt="skip map', page)[1]).decode()
    assert "<!-- block 0 spatial attention -->" in labels and "<!-- block 5 temporal attention -->" in labels


def test_errors_stand_beside_both_bars(rng):
    summary = made_up.summary(rng, forecast=True)
    rows = {
        (each.name.rpartition(" ")[2], each.claim): each
        for each in quality_rows(summary.quality, ["radit", "forecast"])
    }
    bar = "dense with 30 steps: 4.50e-4 +- 0.40e-4"
    assert rows["RADiT", bar].values == ("", "2.10e-4 +- 0.20e-4", "") and rows["RADiT", bar].verdict == "yes"
    assert rows["forecast", bar].values == ("", "", "1.30e-4 +- 0.12e-4")
    assert rows["RADiT", "dense with 24 steps at the same MACs: 1.10e-3 +- 0.10e-3"].verdict == "yes"
    summary.quality.by_policy["forecast"].mse_to_dense = 0.00046
    assert [each.verdict for each in quality_rows(summary.quality, ["forecast"]) if each.claim == bar] == ["no"]
    for found in summary.quality.by_policy.values():
        found.mse_spread = None
    errors = [each for each in quality_rows(summary.quality, ["forecast"]) if "int8 dense" in each.name]
    assert errors and "+-" not in " ".join(each.claim + each.name for each in errors)


def test_quality_without_a_forecast_measurement(rng):
    summary = made_up.summary(rng, forecast=True)
    for name in ("forecast", "30_of_50"):
        del summary.quality.by_policy[name]
    page = render(summary, None)
    assert "forecast against int8 dense" not in page and "with 30 steps" not in page and "None" not in page


def test_page_shows_where_the_cycles_go(rng):
    summary = made_up.summary(rng)
    page = render(summary, None)
    for result in summary.results.values():
        cycles = f"{result.cycles:,}".replace(",", "\u202f")
        assert f"{cycles} measured ({-1000 / result.cycles:+.3%}, tolerance 5%)" in page
        assert f"{sum(part['array'] for part in result.stalls.values()) / result.cycles:.1%}" in page
        assert f"{result.roofline.bytes_per_peak_cycle:.2g} bytes per cycle" in page
    assert "32 bytes per cycle for all ports together" in page
    summary.memory.bandwidth = None
    assert "unlimited bandwidth" in render(summary, None)


def test_failed_check_is_loud(rng):
    summary = made_up.summary(rng)
    summary.check.words_mismatched = 7
    page = render(summary, None)
    assert "CHECK FAILED" in page and "Bit-exact" not in page


def test_page_without_quality_and_arrays(rng):
    summary = made_up.summary(rng)
    summary.quality = None
    page = render(summary, None)
    assert "Frechet" not in page and "Where it skips" not in page


@pytest.mark.parametrize("clips", [False, True])
def test_rendering_again_gives_the_same_page(tmp_path, rng, clips):
    summary = made_up.clip_summary(rng) if clips else made_up.summary(rng)
    arrays = made_up.clip_arrays(rng) if clips else made_up.arrays(rng)
    with pytest.raises(UserError, match="radit demo"):
        rerun_report(run=tmp_path, table="default", readme=None)
    write_summary(tmp_path / "summary.json", summary)
    write_arrays(tmp_path / "arrays.npz", arrays)
    page = rerun_report(run=tmp_path, table="default", readme=None)
    assert page.read_text() == render(summary, arrays)


def test_every_component_belongs_to_a_group(rng):
    named = {name for names in ENERGY_GROUPS.values() for name in names}
    of_text = {"external_prompts"}
    assert made_up.summary(rng).results["radit"].energy_breakdown_uj.keys() == named - of_text
    build = replace(made_up.BUILD, max_text=1)
    parts = energy(dict.fromkeys(COUNTERS, 1), build, load_table(), plan_memory(made_up.DIMS, build, 0.0))
    assert parts.components_uj.keys() == named - {"host"}


def test_the_report_tells_the_cycles_of_each_kind(rng):
    """Where there is cross-attention."""
    summary, arrays = made_up.summary(rng), made_up.arrays(rng)
    assert "cycles by kind of sub-block" not in render(summary, arrays)
    for result in summary.results.values():
        causes = dict.fromkeys(CAUSES, 0)
        result.stalls |= {"cross": causes | {"array": result.cycles // 4}, "cross_attend": causes}
    shown = render(summary, arrays)
    assert "cycles by kind of sub-block: attention" in shown and "cross-attention 25.0" in shown


def test_the_first_screen_tells_what_saturates(rng):
    summary = made_up.summary(rng)
    arrays = made_up.arrays(rng)
    assert "saturated to 16 bit" not in render(summary, arrays)
    summary.results["radit"].counters["gelu_saturations"] = 1645
    summary.ranges_cfg, summary.sampler.cfg = 1.5, 4.0
    page = render(summary, arrays)
    first = page[: page.index("<h3>")]
    assert "saturated to 16 bit" in first and "1,645 words in the RTL (gelu 1,645)" in first
    assert "The int8 ranges are those of guidance 1.5" in first


SCRIPT = "\"'></td><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}{% raw %}"


def texts_in(content, path=()):
    """Places of all texts in JSON, as the names of fields and numbers of items on the way."""
    if isinstance(content, str):
        yield path
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inside:
        yield from texts_in(value, (*path, key))


def replaced(content, path, text):
    """A copy with another text in one place."""
    copy = json.loads(json.dumps(content))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = text
    return copy


class Elements(HTMLParser):
    """Which elements and attributes are in a page; only our own may be."""

    def __init__(self, page):
        super().__init__()
        self.found = set()
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found |= {tag, *(f"{tag} {name}" for name, _ in attributes)}


def test_every_text_is_escaped(rng, monkeypatch):
    """Every text of a summary that its schema accepts: models, policies, tables and their sources, origins."""
    monkeypatch.setattr(plots, "_svg", lambda *figure: "data:,")  # where texts are drawn, labels are our own
    content = made_up.summary(rng, forecast=True).model_dump(mode="json")
    content["provenance"]["command"] = "radit demo"
    content["provenance"]["energy_sources"] = content["provenance"]["energy_sources"][:1]
    usual = Elements(render(Summary.model_validate(content), None)).found
    assert "script" not in usual and {"td", "code"} <= usual
    hostile = set()
    for path in list(texts_in(content)):
        changed = replaced(content, path, SCRIPT)
        try:
            Summary.model_validate(changed)
        except ValueError:
            continue  # the schema takes a few words only
        content = changed
        hostile |= {path[0], path[-1]}
    page = render(Summary.model_validate(content), None)
    assert Elements(page).found <= usual
    assert page.count("&lt;script&gt;alert(1)") >= 10 and "{{ 7 * 7 }}" in page
    named = "model engine command created energy_table source entry unit per origin text"
    assert set(named.split()) <= hostile
