"""`radit cosim` end to end on the shipped model: the contract of summary.json, and what a mismatch does."""

import json

import pytest

from radit import cli
from radit.cosim import driver
from radit.cosim.engines.base import Engine
from radit.cosim.prepare import Request
from radit.model.dit.config import NAMED_MODELS
from radit.reports.cycles import cycle_model as cycles
from radit.reports.run.arrays import load_arrays, load_decisions

pytestmark = pytest.mark.needs("verilator")
SMALL = ["--model", "digits", "--array", "8x8", "--steps", "3"]
PER_POLICY = {
    *("cycles", "macs", "mac_utilization", "mac_skip_rate", "energy_uj", "energy_breakdown_uj"),
    *("stalls", "gmac_per_second", "cycle_model", "external_bytes", "roofline"),
}
CHECK = {
    *("words_compared", "words_mismatched", "decisions_compared", "decisions_mismatched"),
    *("images_identical", "counters_equal"),
}


def test_all_policies_give_a_complete_summary_and_report(tmp_path, capsys):
    policies = ["dense", "radit", "forecast:first_dense=2:last_dense=0:threshold=1:schedule=1/1"]
    assert cli.main(["cosim", *SMALL, "--policy", ",".join(policies), "--images", "2", "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert {"model", "sampler", "engine", "array", "results", "ratios", "check", "seconds"} <= summary.keys()
    assert list(summary["results"]) == ["dense", "radit", "forecast"]
    for result in summary["results"].values():
        assert PER_POLICY <= result.keys()
        assert set(result["energy_uj"]) == {"low", "nominal", "high"}
        booked = sum(sum(causes.values()) for causes in result["stalls"].values())
        assert booked == result["cycles"] == result["cycle_model"]["measured"]
    assert summary["memory"] == {"latency": 100, "bandwidth": 32, "stall": 0, "seed": 1}
    assert summary["cycle_model"]["measured"] == sum(result["cycles"] for result in summary["results"].values())
    check = summary["check"]
    assert CHECK <= check.keys()
    assert check["words_compared"] > 3 * 2 * 3 * 70_000
    assert check["decisions_compared"] == 2 * 3 * 2 * (12 + 1)  # of every sub-block, and one of a timestep
    assert (check["words_mismatched"], check["decisions_mismatched"]) == (0, 0)
    assert check["images_identical"] and check["counters_equal"]
    assert summary["sampler"] == {
        "steps": 3,
        "cfg": 1.5,
        "images": 2,
        "seed": 0,
        "frames": 1,
        "solver": "ddim",
        "spacing": "uniform",
        "guided_channels": None,
        "labels": None,
    }
    page = (tmp_path / "report.html").read_text()
    assert "<img" in page and "http://" not in page.replace("http://www.w3.org", "")
    assert len(list((tmp_path / "images").glob("*.png"))) == 3 * 2
    arrays = load_arrays(tmp_path / "arrays.npz")
    assert list(arrays.images) == list(arrays.decisions) == ["dense", "radit", "forecast"]
    assert arrays.decisions["dense"].computed.all() and not arrays.decisions["forecast"].computed.all()
    forecast, ratios = summary["results"]["forecast"], summary["ratios"]["forecast"]
    assert forecast["mac_skip_rate"] > 0 < arrays.decisions["forecast"].reused_share
    assert f"{ratios['macs']:.2f}×" in page and 1 < ratios["macs"] <= 1.5
    assert forecast["counters"]["slope_reads"] > 0 and "forecast: history" in page
    assert forecast["settings"]["first_dense"] == 2 and "threshold=1.0" in forecast["text"].split(":")
    assert forecast["memory_plan"]["cache"]["on_chip"]
    assert "dense / forecast: cycles" in capsys.readouterr().out


def test_a_mismatch_is_explained_and_fails(tmp_path, monkeypatch, capsys):
    def corrupted(integer, build):
        words = pack_weights(integer, build)
        words[5, 3] ^= 1
        return words

    pack_weights = driver.pack_weights
    monkeypatch.setattr(driver, "pack_weights", corrupted)
    assert cli.main(["cosim", *SMALL, "--policy", "dense", "--images", "1", "--out", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "image 0, timestep 0, block 0 (attention), stage q, word" in told
    assert "expected" in told and "radit cosim --model digits --policy dense" in told and "--waves" in told
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["check"]["words_mismatched"] > 0 and not summary["check"]["images_identical"]
    assert summary["cycle_model"] is None and summary["results"]["dense"]["cycle_model"] is None


def test_a_bad_request_leaves_earlier_results(tmp_path, capsys):
    (tmp_path / "summary.json").write_text("earlier")
    assert cli.main(["cosim", "--model", "nothing", "--out", str(tmp_path)]) == 2
    assert (tmp_path / "summary.json").read_text() == "earlier"
    assert "nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, words",
    [
        (["--model", "nothing"], "Model nothing is unknown: use one of digits, dit-s-2"),
        (["--model", "dit-s-2", "--blocks", "13"], "blocks is 13: give 1 to 12"),
        (["--blocks", "7"], "blocks is 7: give 1 to 6"),
        (["--timesteps", "51"], "--timesteps is 51: give a whole number from 1 to 50"),
        (["--policy", "radit:threshold=2"], "--policy setting threshold is '2': give a number from 0 to 1"),
        (["--policy", "radit,radit:threshold=0.2"], "--policy names radit more than once"),
        (["--policy", "dense,radit", "--resume"], "--resume continues one image under one policy on verilator"),
    ],
)
def test_bad_requests_are_one_sentence(tmp_path, capsys, options, words):
    assert cli.main(["cosim", *options, "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert words in said[-1]


def test_a_part_of_the_model_and_of_the_run(tmp_path):
    options = ["--model", "digits", "--array", "8x8", "--blocks", "2", "--timesteps", "1", "--policy", "dense"]
    assert cli.main(["cosim", *options, "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["blocks"], summary["timesteps"], summary["sampler"]["steps"]) == (2, 1, 50)
    assert summary["results"]["dense"]["macs"] == 2 * 2 * sum(NAMED_MODELS["digits"].macs())


def test_the_command_to_rerun_names_every_option():
    request = Request("dit-s-2", 50, 4, 3, 2.0, (16, 32), "verilator", timesteps=2, blocks=5)
    again = request.command("radit:threshold=0.3", 1)
    assert again == (
        "radit cosim --model dit-s-2 --policy radit:threshold=0.3 --engine verilator --array 16x32 --steps 50 "
        "--blocks 5 --timesteps 2 --images 2 --seed 3 --cfg 2 "
        "--latency 100 --bandwidth 32 --stall 0 --memory-seed 1 --waves"
    )


def test_without_guidance_one_context_runs(tmp_path, capsys):
    """A single policy on an unlimited memory: its cycles are predicted, and the terminal says where they go."""
    command = ["cosim", *SMALL, "--policy", "radit", "--cfg", "1", "--images", "1", "--out", str(tmp_path)]
    assert cli.main([*command, "--bandwidth", "inf", "--latency", "7"]) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert list(summary["results"]) == ["radit"] and summary["ratios"] == {} and not (tmp_path / "report.html").exists()
    assert summary["check"]["decisions_compared"] == 3 * 12
    assert summary["memory"] == {"latency": 7, "bandwidth": None, "stall": 0, "seed": 1}
    assert summary["cycle_model"] == {key: summary["results"]["radit"]["cycles"] for key in ("predicted", "measured")}
    assert "qkv" in capsys.readouterr().out
    assert load_decisions(tmp_path / "arrays.npz").computed.shape == (1, 3, 12, 1)


ONE_STEP = ["--blocks", "1", "--timesteps", "1", "--policy", "dense"]


def test_a_wrong_prediction_fails_where_it_must_be_exact(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cycles, "LOAD_TO_PASS", cycles.LOAD_TO_PASS + 1)
    command = ["cosim", *SMALL, *ONE_STEP, "--out", str(tmp_path)]
    assert cli.main([*command, "--bandwidth", "inf"]) == 1
    told = capsys.readouterr()
    assert "the cycle model predicts" in told.err and "NOT EQUAL: cycle model; results in" in told.out
    assert cli.main(command) == 0  # within the tolerance
    assert "in this regime" not in capsys.readouterr().out


def test_a_prediction_outside_its_tolerance_is_no_verdict(tmp_path, monkeypatch, capsys):
    """Pauses and little bandwidth: the model is near; where it is not, that is said, and all is equal none the less."""
    command = ["cosim", *SMALL, *ONE_STEP, "--stall", "0.3", "--latency", "5", "--bandwidth", "9.9"]
    assert cli.main([*command, "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "all equal" in told and "in this regime" not in told
    monkeypatch.setattr(cycles, "LOAD_TO_PASS", cycles.LOAD_TO_PASS + 10_000)
    assert cli.main([*command, "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "% off (tolerance 5%) in this regime: limited bandwidth and random pauses." in told and "all equal" in told


@pytest.mark.parametrize("counter", ["array_cycles", "pass_vector", "cycles", "score_saturations"])
def test_a_wrong_counter_is_named(tmp_path, monkeypatch, capsys, counter):
    def wrong(engine):
        found = counters(engine)
        return found | {counter: found[counter] + 1}

    counters = Engine.counters
    monkeypatch.setattr(Engine, "counters", wrong)
    assert cli.main(["cosim", *SMALL, *ONE_STEP, "--out", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert "counters DIFFER" in told.out and "NOT EQUAL: counters; results in" in told.out
    assert len(told.err.splitlines()) >= 1 and "Traceback" not in told.err
    assert json.loads((tmp_path / "summary.json").read_text())["check"]["counters_equal"] is False
