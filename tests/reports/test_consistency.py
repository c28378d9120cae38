"""What a summary and its arrays say of each other: the first disagreement is named."""

import copy
import json

import numpy as np
import pytest

from radit.model.errors import UserError
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.run.arrays import RunArrays, load_arrays, write_arrays
from radit.reports.run.consistency import check_arrays
from radit.reports.run.summary import load_summary, write_summary
from tests.reports import made_up


@pytest.fixture(scope="module")
def summary():
    return made_up.summary(np.random.default_rng(0))


@pytest.fixture(scope="module")
def content(summary, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "summary.json"
    write_summary(path, summary)
    return json.loads(path.read_text())


@pytest.mark.parametrize(
    "place, value, words",
    [
        ("results", {}, "field results is empty: policies are dense"),
        ("results.own", {"$copy": "results.radit"}, "field results names own: policies are dense"),
        ("results.radit.cycles", 5, "field results.radit.cycles is 5, its counter"),
        ("results.radit.counters.more", 5, "field results.radit.counters.more is unknown"),
        ("results.radit.counters.a_writes", None, "field results.radit.counters.a_writes is missing"),
        ("results.radit.cycle_model.measured", 5, "field results.radit.cycle_model.measured is 5"),
        ("results.radit.mac_utilization", 0.001, "field results.radit.mac_utilization is 0.001, not macs over"),
        ("results.radit.energy_uj.high", 1e9, "field results.radit.energy_uj.high is 1e+09, which its components"),
        ("results.radit.energy_uj.low", 1e9, "field results.radit.energy_uj: low 1e+09"),
        ("results.radit.stalls.fc1.array", 5, "field results.radit: stalls add up to"),
        ("results.radit.external_bytes.more", 5, "field external_bytes has other causes in one policy"),
        ("stalls.fc1.array", 5, "field stalls.fc1.array is not the sum"),
        ("cycle_model", None, "field cycle_model is stated where a policy's is not"),
        ("cycle_model.predicted", 5, "field cycle_model is not the sum"),
        ("ratios.radit.macs", 5.0, "field ratios.radit.macs is 5, not"),
        ("ratios.dense", {"$copy": "ratios.radit"}, "field ratios is of radit, dense and results of dense, radit"),
        ("sub_blocks", [], "must be 1 to 4096 of attention"),
        ("sub_blocks.3", "$\\frac{", "must be 1 to 4096 of attention"),
        ("results.radit.roofline.bandwidth.0", 1000.0, "bandwidths do not ascend"),
        ("results.radit.roofline.bytes_per_peak_cycle", 0.0, "roofline.bytes_per_peak_cycle is 0.0"),
        ("provenance.energy_sources.0.high", "much", "energy_sources"),
        ("provenance.energy_sources.0.unit", None, "energy_sources"),
        ("sampler.images", True, "field sampler.images is True"),
        ("sampler.seed", 10**30, "field sampler.seed is 1000000"),
        ("seconds.cosim", 1e300, "field seconds.cosim is 1e+300"),
        ("quality.by_policy.radit.mse_to_dense", 1e-100, "mse_to_dense is 1e-100"),
        ("schema_version", 2, "has schema_version 2, not 3"),
    ],
)  # fmt: skip
def test_fields_that_disagree_are_named(content, tmp_path, place, value, words):
    """`value` is put in a place; None: it is removed, or emptied where it may be."""
    found = copy.deepcopy(content)
    *way, name = place.split(".")
    inside = found
    for step in way:
        inside = inside[int(step) if isinstance(inside, list) else step]
    if isinstance(value, dict) and "$copy" in value:
        outer, inner = value["$copy"].split(".")
        value = found[outer][inner]
    if value is None and name != "cycle_model":
        del inside[name]
    else:
        inside[int(name) if isinstance(inside, list) else name] = value
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(found))
    with pytest.raises(UserError) as caught:
        load_summary(path)
    assert words in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda decisions, images: images.update(radit=images["radit"] * np.nan), "of radit are not all numbers"),
        (lambda decisions, images: images.update(dense=images["dense"] / 0), "of dense are not all numbers"),
        (lambda decisions, images: images.update(radit=images["radit"][:, :, :0], dense=images["dense"][:, :, :0]),
         "images have shapes"),
        (lambda decisions, images: images.update(radit=images["radit"][:5], dense=images["dense"][:5]),
         "hold images of shape (5, 1, 8, 8), the summary beside them 10 images"),
        (lambda decisions, images: images.update({name: made[:, None] for name, made in images.items()}),
         "hold images of shape (10, 1, 1, 8, 8)"),
        (lambda decisions, images: decisions.update(radit=DecisionRecord(decisions["radit"].computed[:, :7])),
         "hold decisions of radit of shape (10, 7, 12, 2), the summary beside them is of (10, 50, 12, 2)"),
        (lambda decisions, images: decisions.update(radit=DecisionRecord(decisions["radit"].computed[..., :1])),
         "of shape (10, 50, 12, 1)"),
        (lambda decisions, images: (decisions.pop("radit"), images.pop("radit")),
         "hold policies dense, the summary beside them dense, radit"),
    ],
)  # fmt: skip
def test_arrays_of_another_run_are_named(summary, tmp_path, rng, change, words):
    arrays, path = made_up.arrays(rng), tmp_path / "arrays.npz"
    decisions, images = dict(arrays.decisions), dict(arrays.images)
    with np.errstate(all="ignore"):
        change(decisions, images)
    write_arrays(path, _unchecked(decisions, images))
    with pytest.raises(UserError) as caught:
        check_arrays(summary, load_arrays(path), path)
    assert words in str(caught.value) and str(path) in str(caught.value)


def _unchecked(decisions: dict, images: dict) -> RunArrays:
    """Arrays as another program could write them."""
    found = object.__new__(RunArrays)
    object.__setattr__(found, "decisions", decisions)
    object.__setattr__(found, "images", images)
    return found


def test_arrays_of_the_run_pass(summary, rng):
    check_arrays(summary, made_up.arrays(rng), made_up.BUILD)
    clips = made_up.clip_summary(rng)
    check_arrays(clips, made_up.clip_arrays(rng), made_up.BUILD)
