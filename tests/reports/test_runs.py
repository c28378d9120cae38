"""What the demo runs, how a finished run is priced again, and which record a projection takes."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageSequence

from radit import cli, run_commands
from radit.cosim.prepare import Prepared, Request
from radit.model.policy.policy_file import usual_policies
from radit.model.policy.skip_policy import forecast, parse_policy
from radit.reports.energy.energy_table import load_table
from radit.reports.energy.memory_plan import describe_plans, plan_memory
from radit.reports.project.decisions import recorded
from radit.reports.run import runs
from radit.reports.run.arrays import write_arrays
from radit.reports.run.pictures import GAP, SHEET_FILE, ZOOM, contact_sheet, pixels, write_pictures, zoomed
from tests.reports import made_up


class Stop(Exception):
    pass


def asked_of_the_demo(monkeypatch, **options) -> dict:
    """What `radit demo` would co-simulate."""
    asked = {}

    def cosimulate(**settings):
        asked.update(settings)
        raise Stop

    monkeypatch.setattr(run_commands, "cosimulate", cosimulate)
    with pytest.raises(Stop):
        run_commands.run_demo(engine="verilator", array=(8, 8), **options)
    return asked


def test_the_demo_runs_every_policy(tmp_path, monkeypatch):
    asked = asked_of_the_demo(monkeypatch, model="digits", images=1, out=tmp_path)
    assert (asked["policies"], asked["images"], asked["with_quality"]) == (usual_policies("digits"), 1, True)


def test_a_model_cut_to_its_first_blocks_has_no_policy_of_its_own(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "radit.cosim.prepare.policy_of", lambda text, model, *_: asked.append(model) or parse_policy(text)
    )
    for blocks in (None, 2):
        request = Request("digits", 4, 1, 0, 1.5, (16, 16), "verilator", blocks=blocks)
        assert Prepared(request, None, None, None, None, {}).policy("forecast") == forecast()
    assert asked == ["digits", None]


@pytest.mark.parametrize("model, images, out", [("digits", 10, "demo"), ("moving-digits", 4, "moving-digits")])
def test_the_demo_of_a_model_has_its_own_defaults(monkeypatch, model, images, out):
    written = []
    found = SimpleNamespace(
        problems=[], summary=None, passed=True, save=lambda folder, verilog, waves: written.append(folder)
    )
    monkeypatch.setattr(run_commands, "cosimulate", lambda **asked: written.append(asked["images"]) or found)
    monkeypatch.setattr(run_commands, "show_run", lambda *told: None)
    assert run_commands.run_demo(model=model, images=None, out=None, engine="verilator")
    assert written == [images, Path("build") / out]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--model", "dit-s-2"], "'dit-s-2' with 4 x 32 x 32 images of 1000 classes: quality is measured on"),
        (["--model", "latte-xl-2"], "'latte-xl-2' with 16 x 4 x 32 x 32 clips"),
        (["--model", "cats"], "Model cats is unknown"),
        (["--model", "moving-digits", "--images", "0"], "--images is '0'"),
    ],
)
def test_a_demo_that_cannot_be_is_one_sentence(arguments, words, tmp_path, capsys):
    assert cli.main(["demo", *arguments, "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and not any(tmp_path.iterdir())


def test_pictures_of_clips(tmp_path, rng):
    arrays = made_up.clip_arrays(rng)
    write_pictures(tmp_path, arrays)
    wanted = {f"{name}_0{number}.gif" for name in ("dense", "radit", "forecast") for number in range(3)}
    assert {path.name for path in tmp_path.iterdir()} == wanted | {SHEET_FILE}
    with Image.open(tmp_path / "dense_02.gif") as shown:
        frames = [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(shown)]
    assert np.array_equal(frames, [zoomed(pixels(frame), ZOOM) for frame in arrays.images["dense"][2]])
    sheet = contact_sheet(arrays.images)
    tiles = [zoomed(pixels(arrays.images[name][1, 2]), 8) for name in ("dense", "radit", "forecast")]
    across, left, top = 8 * 8 + GAP, 60 + 3 * (8 * 8 + GAP) + GAP, 36 + 2 * (8 * 8 + GAP)
    for place, tile in enumerate(tiles):
        start = left + place * across
        assert np.array_equal(sheet[top : top + 64, start : start + 64, 0], tile)


def test_every_policy_is_priced_again(rng):
    summary = made_up.summary(rng, forecast=True)
    for result in summary.results.values():
        result.energy_uj.nominal = 0.0
    summary.ratios = {}
    priced = runs._priced(summary, load_table())
    energies = [result.energy_uj.nominal for result in priced.results.values()]
    assert len(energies) == 3 and min(energies) > 0
    assert [each.energy_nominal for each in priced.ratios.values()] == [energies[0] / e for e in energies[1:]]
    assert priced.results["forecast"].memory_plan == summary.results["forecast"].memory_plan


def test_a_table_with_less_room_prices_the_cache_as_external_memory(rng):
    summary, table = made_up.summary(rng, forecast=True), load_table()
    roomy = runs._priced(summary, table)
    tight = runs._priced(
        summary, table.model_copy(update={"reuse_sram": table.reuse_sram.model_copy(update={"capacity": 0.0})})
    )
    assert tight.results["dense"].energy_uj == roomy.results["dense"].energy_uj
    assert tight.results["radit"].energy_uj.nominal > roomy.results["radit"].energy_uj.nominal
    plan = tight.results["radit"].memory_plan
    assert not plan.cache.on_chip and not plan.history.on_chip and "with 0 KiB of SRAM" in plan.describe()


def test_plans_are_told_once_or_by_policy():
    one, two = (plan_memory(made_up.DIMS, made_up.BUILD, 1024, slots=n) for n in (1, 2))
    assert describe_plans({"dense": one, "radit": one}) == one.describe()
    text = describe_plans({"dense": one, "radit": one, "forecast": two})
    assert text == f"dense, radit: {one.describe()}. forecast: {two.describe()}"


def test_a_projection_takes_the_record_of_its_policy(tmp_path, rng):
    arrays = made_up.arrays(rng, images=2, forecast=True)
    write_arrays(tmp_path / "arrays.npz", arrays)
    for policy in ("radit", "forecast"):
        found = recorded(tmp_path, made_up.DIMS, made_up.STEPS, policy)
        assert found == arrays.decisions[policy]
