"""`import radit`: every name is there, typed and documented; nothing prints; errors name arguments."""

import ast
import inspect
import logging
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

import radit
from radit.model.baselines.base import Rule
from radit.model.detectors.planned import Planned
from radit.model.policy.plan import read_plan
from radit.reports.machine.description import load_machine
from radit.terminal.messages import told
from tests.radit.conftest import STEPS

ROOT = Path(__file__).parents[2]
POLICY = "radit:threshold=1:start=1:end=1:streak_step=0:tight=1:loose=1:first_dense=1:last_dense=1:max_streak=3"


def test_every_public_name_is_lazy_listed_and_known_to_type_checkers():
    tree = ast.parse((ROOT / "radit" / "__init__.py").read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.name: node.module for node in guarded.body for alias in node.names}
    assert typed == radit._PLACE_OF and sorted(typed) == sorted(radit.__all__)
    assert set(radit.__all__) <= set(dir(radit))
    for name in radit.__all__:
        assert getattr(radit, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'quantise'"):
        radit.quantise  # noqa: B018


@pytest.mark.parametrize("name", radit.__all__)
def test_every_public_function_is_documented_and_typed(name):
    found = getattr(radit, name)
    assert inspect.getdoc(found)
    if inspect.isfunction(found):
        signature = inspect.signature(found)
        assert all(each.annotation is not each.empty for each in signature.parameters.values())
        assert signature.return_annotation is not signature.empty
        assert "Raises:\n    UserError: " in inspect.getdoc(found)


def test_a_program_prints_nothing_of_its_own(tmp_path):
    """Not even where a calibration is made, which is told to the logger."""
    program = (
        "import radit; model = radit.quantize('digits', steps=2); run = radit.generate(model, 'radit', images=2); "
        "cycles = radit.predict_cycles(model, run.decisions); radit.account_energy(cycles)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    assert len(list((tmp_path / "build" / "calibration").iterdir())) == 1


def test_messages_go_to_the_logger_and_the_commands_show_them(capsys):
    log = logging.getLogger("radit")
    log.info("unheard")
    with told():
        log.info("building the %s simulator ...", "8x8")
    log.info("unheard")
    assert capsys.readouterr().err == "building the 8x8 simulator ...\n"


def test_images_and_decisions_of_a_policy(digits):
    seen = []
    run = radit.generate(digits, POLICY, images=3, progress=lambda done, all_of_them: seen.append((done, all_of_them)))
    assert run.images.shape == (3, 1, 8, 8) and run.images.dtype == np.float32 and abs(run.images).max() <= 1
    assert run.labels.tolist() == [0, 1, 2] and seen == [(3, 3)]
    decided = run.decisions
    assert decided.computed.shape == (3, STEPS, 12, 2) and decided.computed[:, [0, -1]].all()
    assert decided.skip_rate == pytest.approx(0.5) and run.mac_reduction == pytest.approx(2.0)
    dense = radit.generate(digits, images=3)
    assert dense.decisions.computed.all() and dense.mac_reduction == 1.0
    errors = radit.paired_errors(run.images, dense.images)
    assert errors.shape == (3,) and (errors > 0).all() and not radit.paired_errors(dense.images, dense.images).any()


def test_images_depend_on_seed_and_label_alone(digits):
    many = radit.generate(digits, "forecast", images=3, seed=7)
    assert np.array_equal(radit.generate(digits, "forecast", images=2, seed=7).images, many.images[:2])
    other = radit.generate(digits, "forecast", images=2, seed=7, labels=[5, 1])
    assert np.array_equal(other.images[1], many.images[1]) and not np.array_equal(other.images[0], many.images[0])


def test_policies_by_text(digits):
    assert radit.policy("radit:threshold=0.2") == replace(radit.policy("radit"), threshold=0.2)
    assert radit.policy("fora:interval=3").interval == 3
    assert radit.policy("planned", digits) == radit.policy("planned")  # the stored one is for another sampler
    own = radit.quantize("digits", steps=16, sampler="unipc", spacing="quadratic")
    assert len(radit.policy("planned", own).plan) == 16 and not radit.policy("planned").plan


@dataclass(frozen=True)
class EveryOther(radit.Method):
    """Reuses in odd timesteps."""

    name: ClassVar[str] = "every-other"
    planned: ClassVar[bool] = True

    def rule(self, integer, images):
        return OddReuse(images)


class OddReuse(Rule):
    def decide(self, s, index):
        return self.every(index % 2 == 1)


def test_a_policy_of_ones_own(digits):
    run = radit.generate(digits, EveryOther(), images=2)
    assert run.decisions.computed[:, 0::2].all() and not run.decisions.computed[:, 1::2].any()
    assert run.mac_reduction == 2.0
    assert (
        radit.predict_cycles(digits, run.decisions).cycles
        < radit.predict_cycles(digits, radit.generate(digits, images=2).decisions).cycles
    )


def test_planned_is_the_hardware_s_where_it_has_all_settings(digits):
    """A plan is made for the guidance of the run."""
    for text in ("planned", "planned:share=0.7:reach=1", "planned:plan=B-"):
        assert isinstance(radit.policy(text), radit.Policy)
    for text in ("planned:slope=fitted", "planned:threshold=0.1", "planned:labels=3"):
        assert isinstance(radit.policy(text), Planned)
    plan = "BL-"[:STEPS].ljust(STEPS, "L")
    run = radit.generate(digits, f"planned:plan={plan}", images=2)
    assert [tuple(row) for row in run.decisions.computed[0, :, 0].tolist()] == list(read_plan(plan))
    made = radit.generate(digits, "planned:share=0.9", images=2, cfg=4.0)
    found = made.policy.plan
    assert (
        found[0] == "B" and len(found) == STEPS and sum({"B": 2, "-": 0}.get(each, 1) for each in found) <= 1.8 * STEPS
    )
    with pytest.raises(radit.UserError, match="Policy planned has no threshold"):
        radit.match_macs(digits, radit.policy("planned"), 1.6)


def test_policies_are_brought_to_equal_macs(digits):
    free = radit.policy("radit:first_dense=1:last_dense=0:max_streak=9:streak_step=0:start=1:end=1:tight=1:loose=1")
    matched = radit.match_macs(digits, free, 1.6, images=4, trials=8)
    assert replace(matched, threshold=free.threshold) == free
    found = radit.generate(digits, matched, images=4, seed=1000).mac_reduction
    assert 1.6 <= found < 2.2
    rehearsed = radit.match_macs(digits, radit.policy("l1:schedule=1/1"), 1.3, images=4)
    assert 1.2 < radit.generate(digits, rehearsed, images=4).mac_reduction <= 2


def test_cycles_follow_from_decisions_array_and_memory(digits):
    dense = radit.dense_decisions("digits", steps=STEPS)
    usual = radit.predict_cycles("digits", dense)
    assert usual.timesteps.shape == (1, STEPS) and usual.timesteps.sum() == usual.cycles == sum(usual.phases.values())
    assert usual.macs == STEPS * 2 * sum(digits.config.sub_block_macs())
    assert usual.mac_utilization == pytest.approx(usual.macs / 256 / usual.cycles)
    assert usual.milliseconds(250) == usual.cycles / 250e3
    small = radit.predict_cycles(digits, dense, array="8x8")
    slow = radit.predict_cycles(digits.model, dense, memory=radit.Memory(bandwidth=1))
    behind = radit.predict_cycles(digits.model, dense, memory=radit.Memory(bandwidth=None, axi=64))
    assert small.cycles > 3 * usual.cycles and slow.cycles > 1.5 * usual.cycles
    assert usual.cycles < behind.cycles < 1.2 * usual.cycles
    assert usual.macs == small.macs == slow.macs
    one, three = (radit.generate(digits, POLICY, images=n).decisions for n in (1, 3))
    assert radit.predict_cycles(digits, three).cycles == 3 * radit.predict_cycles(digits, one).cycles
    half = radit.even_decisions("digits", 0.5, steps=40)
    assert half.skip_rate == pytest.approx(0.5, abs=0.03) and half.computed[0, 0].all()
    whole = radit.even_decisions("digits", 0.5, steps=40, forecast=True)
    together = whole.computed == whole.computed[:, :, :1]
    assert together.all() and not (half.computed == half.computed[:, :, :1]).all()
    times = [radit.predict_cycles("digits", each).cycles for each in (whole, half)]
    assert times[0] < times[1] < 40 / STEPS * usual.cycles


def test_cycles_of_a_name_load_no_weights(monkeypatch):
    monkeypatch.setattr("radit.model.dit.checkpoint.seeded_dit", None)
    monkeypatch.setattr("radit.model.dit.checkpoint.load_checkpoint", None)
    large = radit.predict_cycles("dit-xl-2", radit.dense_decisions("dit-xl-2", steps=2), array="64x64")
    assert large.timesteps[0, 0] == large.timesteps[0, 1] and large.mac_utilization == pytest.approx(0.976, abs=0.001)


def test_energy_has_bounds_parts_and_a_table(digits):
    cycles = radit.predict_cycles(digits, radit.generate(digits, POLICY, images=2).decisions)
    energy = radit.account_energy(cycles)
    total = energy.total_uj
    assert 0 < total.low < total.nominal < total.high and energy.basis == "modelled"
    assert sum(part.nominal for part in energy.components_uj.values()) == pytest.approx(total.nominal)
    alone = radit.account_energy(cycles, host=False)
    assert "host" not in alone.components_uj
    assert alone.total_uj.nominal == pytest.approx(total.nominal - energy.components_uj["host"].nominal)
    table = radit.load_energy_table()
    tight = table.model_copy(update={"reuse_sram": table.reuse_sram.model_copy(update={"capacity": 0.0})})
    assert radit.account_energy(cycles, tight).total_uj.nominal > total.nominal


def test_leakage_follows_the_clock_of_the_machine():
    def leakage(run, **given):
        energy = radit.account_energy(run, **given)
        rest = energy.total_uj.nominal - energy.components_uj["leakage"].nominal
        return energy.components_uj["leakage"].nominal, pytest.approx(rest)

    usual, slow = (radit.predict_cycles("digits", DENSE, clock_mhz=clock) for clock in (500.0, 125.0))
    assert slow.cycles == usual.cycles and slow.milliseconds() == 4 * usual.milliseconds() == usual.milliseconds(125)
    (much, rest), (little, same) = leakage(slow), leakage(usual)
    assert much == pytest.approx(4 * little) and rest == same
    assert leakage(usual, clock_mhz=125.0) == leakage(slow) and leakage(slow, clock_mhz=500.0) == leakage(usual)
    edge = load_machine("edge").changed(clock_mhz=125.0)
    assert leakage(radit.predict_cycles("digits", DENSE, machine=edge)) == leakage(slow)
    paper = radit.predict_cycles("digits", DENSE, machine=load_machine("paper"), clock_mhz=1.0)
    assert paper.workload.clock_mhz == 500 and paper.workload.build.rows == 64


DENSE = radit.dense_decisions("digits")
BAD = [
    (lambda m: radit.load_model("cats"), "Model cats is unknown"),
    (lambda m: radit.quantize("digits", steps=0), "steps"),
    (lambda m: radit.policy("none"), "policy is 'none': choose dense, radit, forecast, planned, fora"),
    (lambda m: radit.policy("radit:size=3"), "policy setting is 'size=3'"),
    (lambda m: radit.generate(m, images=0), "images is 0"),
    (lambda m: radit.generate(m, labels=[10]), r"labels is \[10\]: give 1, each a whole number from 0 to 9"),
    (lambda m: radit.match_macs(m, radit.policy("fora"), 2.0), "Policy fora has no threshold"),
    (lambda m: radit.match_macs(m, radit.policy("radit"), 1.0), "reduction is 1.0"),
    (lambda m: radit.even_decisions(m, 1.5), "skip_rate is 1.5"),
    (lambda m: radit.predict_cycles(m, radit.dense_decisions(m), array="16"), r"array is '16': give rows x columns"),
    (
        lambda m: radit.predict_cycles(m, DENSE, array=(3, 3)),
        r"array is \(3, 3\): give rows x columns, each a power of two",
    ),
    (lambda m: radit.predict_cycles(m, DENSE, array=(16.0, True)), r"array is \(16.0, True\): give"),
    (lambda m: radit.predict_cycles(m, DENSE, array=16), "array is 16: give"),
    (lambda m: radit.predict_cycles(m, DENSE).milliseconds(0), "clock_mhz is 0: give a number from 0.001"),
    (lambda m: radit.load_model("digits", blocks=0), "blocks is 0: give a whole number from 1"),
    (lambda m: radit.load_model("digits", blocks=7), "^blocks is 7: give 1 to 6"),
    (lambda m: radit.quantize("digits", steps=50.0), "steps is 50.0: give a whole number from 1 to 1000"),
    (lambda m: radit.quantize("digits", steps=True), "steps is True"),
    (lambda m: radit.quantize("digits", steps=10**24), "steps is 1000000000000000000000000: give"),
    (lambda m: radit.quantize("digits", steps=5, timesteps=6), "^timesteps is 6: give a whole number from 1 to 5"),
    (lambda m: radit.quantize("digits", cfg=float("nan")), "cfg is nan: give a number from 1 to 100"),
    (lambda m: radit.generate(m, images=10**24), "images is 10+: give a whole number from 1 to 1000000"),
    (lambda m: radit.generate(m, images="4"), "images is '4'"),
    (lambda m: radit.generate(m, seed=-1), "seed is -1: give a whole number from 0 to 4294967295"),
    (lambda m: radit.generate(m, jobs=0), "jobs is 0"),
    (lambda m: radit.generate(m, cfg=None), "cfg is None"),
    (lambda m: radit.generate(m, labels=3), "labels is 3: give 1, each"),
    (lambda m: radit.generate(m, labels=[0.5]), r"labels is \[0.5\]"),
    (lambda m: radit.policy(3), "policy is 3: choose"),
    (lambda m: radit.match_macs(m, radit.policy("radit"), float("nan")), "reduction is nan: give a number above 1"),
    (lambda m: radit.match_macs(m, radit.policy("radit"), 2.0, trials=0), "trials is 0"),
    (lambda m: radit.dense_decisions(m, steps=10**24), "steps is 10+: give"),
    (lambda m: radit.even_decisions(m, "half"), "skip_rate is 'half'"),
    (lambda m: radit.Memory(latency=2.5), "latency is 2.5: give a whole number from 0 to 100000"),
    (lambda m: radit.Memory(bandwidth=float("nan")), "bandwidth is nan: give a number from 0.01 to 1048575, or inf"),
    (lambda m: radit.Memory(stall=True), "stall is True"),
    (lambda m: radit.Memory(seed=2**32), "seed is 4294967296"),
    (lambda m: radit.Memory(axi=100), "axi is 100: give 64, 128, 256 or 512 data bits, or None"),
    (lambda m: radit.cosimulate("digits", memory=radit.Memory(axi=64)), "memory has axi 64, but co-simulation has no"),
    (lambda m: radit.cosimulate("digits", images=0), "images is 0"),
    (lambda m: radit.cosimulate("digits", steps=5, timesteps=6), "^timesteps is 6: give a whole number from 1 to 5"),
    (lambda m: radit.Policy("radit", max_streak=1.0), "max_streak is 1.0: give a whole number from 0 to 63"),
    (lambda m: radit.Policy("radit", threshold="0.3"), "threshold is '0.3': give a number from 0 to 1"),
    (
        lambda m: radit.predict_cycles("dit-s-2", radit.dense_decisions(m)),
        "record of decisions is of 12 sub-blocks and 2 contexts: give one of 24 and 2",
    ),
    (lambda m: radit.predict_cycles(m, DENSE, clock_mhz=0), "clock_mhz is 0: give a number from 0.001"),
    (
        lambda m: radit.account_energy(radit.predict_cycles(m, DENSE), clock_mhz="fast"),
        "clock_mhz is 'fast': give a number from 0.001",
    ),
    (lambda m: radit.cosimulate("digits", clock_mhz=-1), "clock_mhz is -1: give a number from 0.001"),
    (lambda m: radit.load_energy_table("cheap"), "energy table is 'cheap': give default"),
    (lambda m: radit.load_energy_table("cheap.toml"), "cannot be read"),
    (lambda m: radit.Memory(latency=-1), "latency is -1"),
    (lambda m: radit.Memory(bandwidth=0), "bandwidth is 0"),
    (lambda m: radit.Memory(stall=1), "stall is 1"),
    (lambda m: radit.paired_errors(np.zeros((1, 2)), np.zeros((1, 3))), "shape"),
    (
        lambda m: radit.Decisions(radit.dense_decisions(m).record, ()),
        "Decisions field record is of 1 images with 0 tables",
    ),
    (lambda m: radit.cosimulate("digits", "radit"), r"policies is 'radit': give a list"),
    (lambda m: radit.cosimulate("digits", memory=32.0), "memory is 32.0: give a radit.Memory"),
    (lambda m: radit.predict_cycles(m, DENSE, memory={}), "memory is {}: give a radit.Memory"),
    (lambda m: radit.cosimulate("digits", []), "policies is empty"),
    (lambda m: radit.cosimulate("digits", ["fora"]), "policy is 'fora': choose dense, radit, forecast"),
    (lambda m: radit.cosimulate("digits", ["radit", "radit:threshold=0.3"]), "policies name radit more than once"),
]


@pytest.mark.parametrize("call, words", BAD, ids=[words for _, words in BAD])
def test_bad_arguments_are_one_sentence(digits, call, words):
    with pytest.raises(radit.UserError, match=words) as caught:
        call(digits)
    assert "--" not in str(caught.value)


def test_infinite_bandwidth_is_no_limit():
    assert radit.Memory(bandwidth=float("inf")) == radit.Memory(bandwidth=None)
    assert torch.get_num_threads() == 1


def test_types_are_shipped():
    assert (ROOT / "radit" / "py.typed").is_file()  # for the four layers too, which are packages of it
    assert "\nradit = py.typed" in (ROOT / "setup.cfg").read_text()
