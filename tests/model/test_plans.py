"""Plans of the hardware: their text, the integers they become, what the reference makes of them, and the detector."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from radit.model.comparison.catalogue import parse_method
from radit.model.comparison.running import reference_of
from radit.model.detectors import plans
from radit.model.detectors.plans import detector_of, plans_of, with_plan
from radit.model.dit.sampler import Sampler, make_noise
from radit.model.dit.seeded import SMALL, seeded_dit
from radit.model.errors import UserError
from radit.model.files import write_json
from radit.model.integer.calibration import calibrate, model_digest
from radit.model.integer.generate import generate
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.ops.residual import difference, with_difference
from radit.model.ops.reuse import STREAM, coefficient, reuse
from radit.model.policy import policy_file
from radit.model.policy.plan import read_plan, write_plan
from radit.model.policy.policy_file import Achieved, StoredPolicy, own_sampler, policy_of, read_policy, usual_policies
from radit.model.policy.skip_policy import Policy, forecast, parse_policy, planned, radit

STEPS, IMAGES = 8, 3
Y, NOISE = torch.arange(IMAGES), make_noise(SMALL, IMAGES, seed=5)
PLAN = "BB-LB--N"
ONE = Achieved(mac_reduction=1.0, mse=0.0)


@pytest.fixture(scope="module")
def dit():
    return seeded_dit()


@pytest.fixture(scope="module")
def integer(dit):
    return quantize(dit, calibrate(dit, Sampler(STEPS), images=8), Sampler(STEPS))


def test_a_plan_is_read_as_it_is_written():
    found = read_plan(PLAN)
    assert found[:4] == ((True, True), (True, True), (False, False), (True, False)) and found[-1] == (False, True)
    assert write_plan(found) == PLAN and read_plan("") == ()
    policy = planned(plan=PLAN, reach=2.0)
    assert parse_policy(policy.text) == policy and not policy.lacks_plan
    assert parse_policy("planned:share=0.7") == planned(0.7) and planned(0.7).lacks_plan
    assert parse_policy(f"forecast:plan={PLAN}") == forecast(plan=PLAN)


@pytest.mark.parametrize(
    "text, words",
    [
        ("planned:plan=BX", "plan is 'BX': give one letter per timestep, .* B both contexts, L the label's"),
        ("planned:plan=BL:scope=sub-block:difference=False", "plan is given with scope sub-block: give scope stream"),
        ("planned:scope=sub-block:difference=False", "share is given with scope sub-block: give scope stream"),
        ("forecast:difference=True:scope=timestep", "difference is True with scope timestep: give scope stream"),
        ("planned:difference=1", "difference is '1': give True or False"),
        ("planned:share=2", "share is '2': give a number from 0 to 1"),
    ],
)
def test_bad_texts_are_one_sentence(text, words):
    with pytest.raises(UserError, match=words):
        parse_policy(text)


def test_bad_values_are_one_sentence():
    for fields, words in (({"plan": None}, "plan is None: give a text"), ({"difference": 1}, "difference is 1: give")):
        with pytest.raises(UserError, match=words):
            planned(**fields)


def test_a_plan_is_for_the_timesteps_of_its_run(integer):
    tables = planned(plan=PLAN).tables(integer)
    assert tables.plan.tolist() == [list(pair) for pair in read_plan(PLAN)]
    assert tables.follow.all() and tables.difference and tables.stream_scope
    with pytest.raises(UserError, match="plan has 3 timesteps, the run 8: give one letter for each"):
        planned(plan="BLB").tables(integer)
    with pytest.raises(UserError, match="planned has no plan: give plan, or let a command that knows the model make"):
        planned().tables(integer)


@pytest.mark.parametrize("scope", ["stream", "timestep"])
def test_what_is_planned_is_computed(scope, dit, integer):
    """Nothing is encoded; guards hold."""
    policy = planned(plan=PLAN, scope=scope, difference=False, last_dense=1)
    _, record = generate(Reference(integer, policy.tables(integer)), dit, Y, NOISE)
    computed = record.decisions.computed
    assert (computed == computed[:1, :, :1]).all() and not record.counts.any()
    assert write_plan(computed[0, :, 0].tolist()) == f"{PLAN[:-1]}B"


def test_without_guidance_the_label_s_plan_holds(dit, integer):
    _, record = generate(Reference(integer, planned(plan=PLAN).tables(integer)), dit, Y, NOISE, cfg=1.0)
    assert record.decisions.computed[0, :, 0, 0].tolist() == [label for label, _ in read_plan(PLAN)]


def test_the_null_class_is_forecast_by_its_difference(dit, integer):
    """Every stream by the golden operations, of four contexts: two labels, each with its null class."""
    policy = planned(plan=PLAN, reach=2.0).tables(integer)
    both, dense = Reference(integer, policy), Reference(integer, Policy("dense").tables(integer))
    halves = [integer.conditioning_tables(torch.tensor([label])) for label in (0, 1)]
    parts = {name: torch.cat([getattr(half, name) for half in halves], 1) for name in ("c", "scale", "shift", "gate")}
    tables = replace(halves[0], **parts)
    noise = torch.Generator().manual_seed(1)
    x = torch.randint(-30000, 30000, (1, 4, SMALL.tokens, SMALL.hidden_size), generator=noise)
    both.start(1, 4)
    dense.start(1, 4)
    known: dict[int, list[tuple[int, torch.Tensor]]] = {context: [] for context in range(4)}
    saturated = 0
    for index, computes in enumerate(read_plan(PLAN)):
        x = (x + torch.randint(-9000, 9000, x.shape, generator=noise)).clamp(*STREAM)
        found, record = both.step(x, index, tables)
        wanted = dense.step(x, index, tables)[0].long()[0]
        for context in range(4):
            past, label = known[context], wanted[context - 1]  # what has become of it, one turn ago
            if computes[context % 2]:
                past.append((index, difference(wanted[context], label) if context % 2 else wanted[context]))
                saturated += int(((wanted[context] - label).abs() > 32767).sum()) * (context % 2)
            else:
                (at, latest), (before_at, before) = past[-1], past[max(len(past) - 2, 0)]
                slope = coefficient(torch.tensor(index - at), torch.tensor(at - before_at), 128, 512)
                one = reuse(latest, before, slope, STREAM)
                wanted[context] = with_difference(label, one) if context % 2 else one
            assert torch.equal(found[0, context].long(), wanted[context]), (index, context)
    assert saturated > 0 and record.saturated["residual"] > 0


def test_a_plan_is_the_detector_s_and_so_is_its_run(dit, integer, tmp_path, monkeypatch):
    """Bit for bit; made once, then kept, and made again where the file is damaged."""
    monkeypatch.setattr(plans, "CACHE", tmp_path)
    policy = with_plan(planned(share=0.69, reach=2.0), integer, 1.5)
    detector = detector_of(planned(share=0.69, reach=2.0), 1.5)
    assert detector == parse_method("planned:share=0.69:reach=2:slope=time")
    ours, record = generate(Reference(integer, policy.tables(integer)), dit, Y, NOISE)
    theirs, watched = generate(reference_of(integer, detector), dit, Y, NOISE)
    assert torch.equal(ours, theirs) and record.decisions == watched.decisions
    assert write_plan(record.decisions.computed[0, :, 0].tolist()) == policy.plan and set(policy.plan) > {"B", "-"}
    (path,) = tmp_path.iterdir()
    monkeypatch.setattr(plans, "plan_of", lambda *_: pytest.fail("it is kept"))
    assert with_plan(planned(share=0.69, reach=2.0), integer, 1.5) == policy
    assert with_plan(policy, integer, 4.0) is policy
    path.write_text(path.read_text().replace(policy.plan, policy.plan.replace("-", "B")))
    monkeypatch.setattr(plans, "plan_of", lambda *_: torch.ones(STEPS, 2, dtype=torch.bool))
    assert with_plan(planned(share=0.69, reach=2.0), integer, 1.5).plan == "B" * STEPS


def test_no_plan_is_made_for_a_part_of_the_timesteps(dit):
    first = Sampler(STEPS, first=3)
    part = quantize(dit, calibrate(dit, first, images=2), first)
    with pytest.raises(UserError, match="none is made for the first 3 of 8 timesteps: give plan, or run all of them"):
        with_plan(planned(), part, 1.5)
    assert len(planned(plan=PLAN).tables(part).plan) == 3


def stored_with(integer, **fields) -> StoredPolicy:
    way = {"steps": STEPS, "cfg": 1.5, "images": 8, "seed": 1000, "target": "speedup=2"}
    found = {"policy": forecast(), "radit": radit(), "achieved": ONE, "radit_achieved": ONE}
    model = {"model": "small", "weights": model_digest(integer.dit), "integer_model": integer.digest()}
    return StoredPolicy(**(way | found | model | fields))


def test_a_stored_plan_is_taken_where_it_was_made_for(integer, tmp_path, monkeypatch):
    path, ours = tmp_path / "small.policy.json", planned(share=0.69, plan=PLAN)
    monkeypatch.setattr(policy_file, "policy_path", lambda model: path)
    stored = stored_with(integer, policy=ours)
    write_json(path, stored)
    assert read_policy(path) == stored and usual_policies("small") == ("dense", "radit", "planned")
    assert own_sampler("small") == Sampler(STEPS) and own_sampler("small", 3, spacing="quadratic").steps == 3
    for text, cfg, wanted in (
        ("planned", None, ours),
        ("planned", 1.5, ours),
        ("planned:max_streak=5", 1.5, replace(ours, max_streak=5)),
        ("planned", 4.0, replace(ours, plan="")),
        ("planned:share=0.5", 1.5, replace(ours, share=0.5, plan="")),
        ("planned:share=0.5:plan=BBBBBBBB", 4.0, replace(ours, share=0.5, plan="B" * STEPS)),
    ):
        assert policy_of(text, "small", integer, cfg) == wanted
    other = replace(integer, timesteps=integer.timesteps[:3], sampler=replace(integer.sampler, first=3))
    assert policy_of("planned", "small", other) == ours  # its first timesteps
    assert policy_of("planned", None, integer) == planned()


def test_a_stored_plan_that_cannot_be_is_refused(integer):
    with pytest.raises(ValueError, match="field policy.plan has 3 timesteps: give 8"):
        stored_with(integer, policy=planned(plan="BLB"))
    with pytest.raises(ValueError, match="field policy.name is radit: give forecast or planned"):
        stored_with(integer, policy=radit())


def test_a_plan_of_every_number_of_timesteps(integer):
    """All that fit the share, the one of least cost among them."""
    found = plans_of(planned(share=0.6), integer, 1.5)
    labels = [sum(label for label, _ in read_plan(policy.plan)) for policy in found]
    computed = [sum(map(sum, read_plan(policy.plan))) for policy in found]
    assert labels == sorted(set(labels)) and len(labels) > 1 and max(computed) <= 0.6 * 2 * STEPS
    assert with_plan(planned(share=0.6), integer, 1.5) in found
    with pytest.raises(UserError, match="give a larger share"):
        plans_of(planned(share=0.01), integer, 1.5)
