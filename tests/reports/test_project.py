"""`radit project`: totals against the counts behind them, decisions at a rate, recorded decisions, refusals."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from radit import cli
from radit.accel.config import BuildConfig
from radit.accel.control.registers import TEXT_PHASES
from radit.cosim.support.sizes import dims_of
from radit.model.dit.config import NAMED_MODELS
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.cost.counts import model_macs
from radit.reports.cost.run_tables import POLICY_OFF, RunTables
from radit.reports.cycles.cycle_model import MemoryModel, predict
from radit.reports.project.decisions import evenly
from radit.reports.project.projection import Projection
from radit.reports.run.arrays import write_arrays
from tests.reports import made_up

ROOT = Path(__file__).parents[2]
DIGITS = ["project", "--model", "digits", "--array", "16x16"]


def run(tmp_path, *arguments):
    """The project.json of a command, checked against its schema."""
    assert cli.main([*arguments, "--out", str(tmp_path)]) == 0
    return Projection.model_validate(json.loads((tmp_path / "project.json").read_text()))


def test_a_dense_image_is_what_the_models_say(tmp_path, capsys):
    found = run(tmp_path, *DIGITS, "--steps", "5", "--clock-mhz", "250", "--bandwidth", "inf")
    dense = DecisionRecord.dense(1, 5, 12, 2)
    expected = predict(made_up.DIMS, BuildConfig(), dense, POLICY_OFF, memory=MemoryModel(100))
    assert found.dense.cycles == expected.cycles and found.dense.milliseconds == expected.cycles / 250e3
    assert found.dense.macs == model_macs(made_up.DIMS, dense)
    assert found.dense.mac_utilization == pytest.approx(found.dense.macs / 256 / expected.cycles)
    assert found.dense.phases == pytest.approx(
        {phase: cycles / expected.cycles for phase, cycles in expected.phases.items() if phase not in TEXT_PHASES}
    )
    assert sum(found.dense.phases.values()) == pytest.approx(1)
    assert found.dense.external_bytes["x_in"] == 5 * 2 * 64 * 64 * 2  # timesteps x contexts x T x D x 2 bytes
    assert found.dense.energy_uj.low < found.dense.energy_uj.nominal < found.dense.energy_uj.high
    assert found.skipping is None and found.ratios is None and found.basis == "modelled"
    shown = capsys.readouterr().out
    assert f"{expected.cycles / 1e6:,.3f}" in shown and "modelled" in shown and "unlimited bandwidth" in shown


def test_a_skip_rate_saves_about_its_share(tmp_path, capsys):
    found = run(tmp_path, *DIGITS, "--skip-rate", "0.5")
    assert found.skipping.mac_skip_rate == pytest.approx(0.5 * 49 / 50, abs=0.01)
    assert 1 < found.ratios.cycles < found.ratios.macs < 2
    assert found.skipping.external_bytes["branch_cache_read"] > 0 == found.dense.external_bytes["branch_cache_read"]
    assert "spread evenly" in found.decisions and "spread evenly" in capsys.readouterr().out


def test_forecasts_read_what_was_computed_before(tmp_path, capsys):
    """A second read of nearly every reused stream, which is two branches long; codes of the first sub-block alone."""
    plain, forecast = (
        run(tmp_path, *DIGITS, "--skip-rate", "0.5", *option).skipping for option in ((), ("--forecast",))
    )
    moved, usual = forecast.external_bytes, plain.external_bytes
    before, first = moved["branch_cache_previous_read"], moved["branch_cache_read"]
    assert 0.9 * first < before < first and usual["branch_cache_previous_read"] == 0
    assert 12 * moved["code_history_read"] == usual["code_history_read"] > 0
    assert 6 * first == usual["branch_cache_read"]
    assert forecast.cycles < plain.cycles
    assert "reused timesteps are forecasts" in capsys.readouterr().out


def test_a_forecast_of_nothing_is_refused(tmp_path, capsys):
    assert cli.main([*DIGITS, "--forecast", "--out", str(tmp_path)]) == 2
    assert "give --skip-rate or --trace as well" in capsys.readouterr().err


def test_a_smaller_bandwidth_takes_longer(tmp_path):
    wide, narrow = (run(tmp_path, *DIGITS, "--steps", "4", "--bandwidth", text).dense for text in ("32", "1.5"))
    assert narrow.cycles > 1.2 * wide.cycles and narrow.roofline == wide.roofline
    assert narrow.mac_utilization < 1.5 / narrow.roofline.bytes_per_peak_cycle < 1


def test_recorded_decisions_give_the_mean_of_the_images(tmp_path, rng):
    record = DecisionRecord.joined([made_up.decisions(rng) for _ in range(3)])
    write_arrays(tmp_path / "arrays.npz", made_up.arrays_of({"radit": record}))
    found = run(tmp_path, *DIGITS, "--trace", str(tmp_path))
    assert found.skipping.macs == round(sum(model_macs(made_up.DIMS, one) for one in record) / 3)
    forced = np.arange(50) == 0
    tables, memory = RunTables(True, forced), MemoryModel(100, 32.0)
    cycles = [predict(made_up.DIMS, BuildConfig(), one, tables, memory).cycles for one in record]
    assert found.skipping.cycles == round(sum(cycles) / 3) and len(set(cycles)) > 1


@pytest.mark.parametrize("rate", [0.0, 0.25, 1 / 3, 0.6803, 1.0])
def test_a_rate_is_spread_evenly(rate):
    dims = dims_of(NAMED_MODELS["dit-xl-2"], contexts=2)
    reused = ~evenly(rate, dims, 50).computed[0]
    assert not reused[0].any()
    assert reused[1:].mean() == pytest.approx(rate, abs=0.002)
    for axes in ((1, 2), (0, 2), (0, 1)):  # by timestep, by sub-block, by context
        assert np.abs(reused[1:].mean(axis=axes) - rate).max() < 0.03


def test_guidance_off_is_one_context(tmp_path):
    alone, both = (run(tmp_path, *DIGITS, "--steps", "3", "--cfg", cfg).dense for cfg in ("1", "1.5"))
    assert 2 * alone.macs == both.macs and alone.external_bytes["weights"] == both.external_bytes["weights"]


def test_a_named_model_needs_neither_weights_nor_torch(tmp_path):
    command = ["project", "--model", "dit-xl-2-512", "--steps", "2", "--array", "64x32", "--out", str(tmp_path)]
    program = f"import sys; sys.modules['torch'] = None; from radit import cli; sys.exit(cli.main({command}))"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
    found = Projection.model_validate(json.loads((tmp_path / "project.json").read_text()))
    assert found.tokens == 1024
    assert found.dense.macs == 2 * 2 * 28 * (1024 * 1152 * (4 * 1152 + 2 * 1024) + 2 * 1024 * 1152 * 4608)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--array", "48x48"], ["--array is '48x48'", "power of two"]),
        (["--model", "none"], ["Model none is unknown", "dit-xl-2"]),
        (["--skip-rate", "1.01"], ["--skip-rate", "1.01", "0 to 1"]),
        (["--skip-rate", "0.5", "--trace", "here"], ["--skip-rate and --trace", "give one"]),
        (["--trace", "nowhere"], ["nowhere/arrays.npz", "cannot be read"]),
        (["--bandwidth", "0"], ["--bandwidth", "0.01 to 1048575, or inf"]),
        (["--clock-mhz", "0"], ["--clock-mhz", "0.001 to 100000"]),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, capsys, arguments, words):
    assert cli.main(["project", *arguments, "--out", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("radit: ") and told.count("\n") == 1 and not list(tmp_path.iterdir())
    assert all(word in told for word in words), told


@pytest.mark.parametrize(
    "computed, words",
    [
        (np.ones((1, 7, 12, 2), bool), "7 timesteps x 12 sub-blocks x 2 contexts, but the model"),
        (np.ones((1, 50, 12, 1), bool), "make 50 timesteps x 12 sub-blocks x 2 contexts"),
        (np.zeros((1, 50, 12, 2), bool), "in the first timestep, where none is cached"),
    ],
)
def test_a_record_of_another_run_is_refused(tmp_path, capsys, computed, words):
    write_arrays(tmp_path / "arrays.npz", made_up.arrays_of({"radit": DecisionRecord(computed)}))
    assert cli.main([*DIGITS, "--trace", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert words in capsys.readouterr().err
