"""`radit.cosimulate`: the hardware gives what `generate`, `predict_cycles` and `account_energy` say of the same run."""

import json
from pathlib import Path

import numpy as np
import pytest

import radit
from radit.cosim import driver
from radit.cosim.engines.open import exported_verilog
from tests.radit.conftest import STEPS

pytestmark = pytest.mark.needs("verilator")
POLICY = "radit:threshold=1:start=1:end=1:streak_step=0:tight=1:loose=1:first_dense=1:last_dense=1"


def test_a_co_simulation_is_what_the_reference_and_the_models_say(digits, capfd, tmp_path):
    memory, seen = radit.Memory(latency=7, bandwidth=None), []
    found = radit.cosimulate(
        "digits", ["dense", POLICY], array="8x8", images=1, steps=STEPS, seed=3, memory=memory, clock_mhz=50.0,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert found.passed and found.problems == () and found.check.words_mismatched == 0 < found.check.words_compared
    assert tuple(found.policies) == ("dense", "radit")
    for name, text in (("dense", "dense"), ("radit", POLICY)):
        run, reference = found[name], radit.generate(digits, text, seed=3)
        assert np.array_equal(run.images, reference.images)
        assert np.array_equal(run.decisions.computed, reference.decisions.computed)
        predicted = radit.predict_cycles(digits, reference.decisions, array="8x8", memory=memory, clock_mhz=50.0)
        assert run.cycles == run.predicted_cycles == predicted.cycles and run.macs == predicted.macs
        nominal = radit.account_energy(run).total_uj.nominal
        assert nominal == pytest.approx(radit.account_energy(predicted).total_uj.nominal)
        assert nominal == pytest.approx(run.result.energy_uj.nominal)
        assert run.counters["cycles"] == run.cycles
        leaked = [radit.account_energy(each).components_uj["leakage"].nominal for each in (run, predicted)]
        leaked.append(0.1 * radit.account_energy(run, clock_mhz=5.0).components_uj["leakage"].nominal)
        leaked.append(run.result.energy_breakdown_uj["leakage"].nominal)
        assert leaked == pytest.approx([leaked[0]] * 4)
    assert seen[0][0] == 0 and seen[-1][0] == seen[-1][1] == found["dense"].macs + found["radit"].macs
    with pytest.raises(radit.UserError, match="policy is 'forecast', of which there is no finished run: choose from"):
        found["forecast"]
    found.save(tmp_path, verilog=True)
    assert json.loads((tmp_path / "summary.json").read_text())["clock_mhz"] == 50
    names = {path.name for path in tmp_path.iterdir()}
    assert {"summary.json", "arrays.npz", "report.html", "images", "rtl"} <= names
    rtl = {path.name for path in (tmp_path / "rtl").iterdir()}
    assert rtl == {
        "radit_top.v",
        "radit_top.vhd",
        "pck_myhdl_011.vhd",
        "waivers.vlt",
        "radit_top.json",
        "radit_top.xml",
        "radit_regs.h",
        "radit_top.sdc",
        "radit_top.xdc",
        "radit_top.lpf",
        "radit_top_registers_tb.v",
        "radit.core",
    }
    simulated = exported_verilog(found.prepared.build, Path("build") / "rtl")
    assert (tmp_path / "rtl" / "radit_top.v").read_bytes() == simulated.read_bytes()
    assert json.loads((tmp_path / "summary.json").read_text())["provenance"]["command"] == ""
    assert capfd.readouterr().out == ""


def test_labels_choose_what_is_drawn_and_stand_in_the_summary(digits):
    found = radit.cosimulate("digits", ["dense"], array="8x8", steps=STEPS, timesteps=1, labels=[7, 2])
    assert found.passed and found.summary.sampler.labels == [7, 2] and found.summary.sampler.guided_channels is None
    whole = radit.generate(radit.quantize("digits", STEPS, timesteps=1), labels=[7])
    assert np.array_equal(found["dense"].images, whole.images)
    request = found.prepared.request
    assert [request.label(image, 10) for image in range(3)] == [7, 2, 7] and "--labels 7,2" in request.command("", 0)
    config = json.loads(found.summary.model_dump_json())["config"]
    assert config["prediction"] == "noise" and config["samples"] == "pixels" and config["frames"] == 1
    with pytest.raises(radit.UserError, match="labels has 10: give numbers from 0 to 9, the model's labels"):
        radit.cosimulate("digits", ["dense"], labels=[10])
    with pytest.raises(radit.UserError, match="guided_channels is 2: give 1 to 1, the model's channels"):
        radit.generate(digits, guided_channels=2)


def test_a_mismatch_is_a_problem_not_a_message(monkeypatch, capfd):
    def corrupted(integer, build):
        words = pack_weights(integer, build)
        words[5, 3] ^= 1
        return words

    pack_weights = driver.pack_weights
    monkeypatch.setattr(driver, "pack_weights", corrupted)
    found = radit.cosimulate(radit.load_model("digits", blocks=1), ["dense"], array="8x8", steps=50, timesteps=1)
    assert not found.passed and found.policies == {} and found.check.words_mismatched > 0
    assert "block 0 (attention), stage q" in found.problems[0]
    assert capfd.readouterr() == ("", "")
