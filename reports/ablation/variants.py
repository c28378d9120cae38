"""What ``radit ablate`` compares, and the threshold at which each variant computes as much as the others."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from radit.model.baselines.smoothcache import CALIBRATION_SEED, ByIdentity
from radit.model.comparison.catalogue import parse_method
from radit.model.detectors.detector import Detector
from radit.model.detectors.rehearsal import rounded_up, threshold_for, translated
from radit.model.dit.sampler import Sampler
from radit.model.errors import UserError, shown
from radit.model.system.workers import Workers
from radit.reports.frontier.candidates import Candidate
from radit.reports.frontier.measure import Settings, integer_of, measure

IMAGES = 48  # of the search for a threshold; their noise is no evaluation's
TRIALS, CLOSE = 6, 0.01  # runs of a search without rehearsal, and how near is near enough (relative)
USUAL_FORECAST: dict[str, Any] = {name: getattr(Detector, name) for name in ("gain", "reach", "order", "slope")}
STEEPNESS = 1.8  # of log threshold over log reduction: the first guess


@dataclass(frozen=True)
class Variant:
    """One change to our policy.

    Fields:
        group: what is changed: "detector", "own schedule" (as well), "decision" or "forecast".
        label: for tables and plots.
        text: as `parse_method` reads it, without a threshold.
        translated: the schedule, found for 4-bit codes, is translated into the detector's own distances.
    """

    group: str
    label: str
    text: str
    translated: bool = False

    @property
    def method(self) -> Detector:
        """The policy, at its default threshold."""
        method = parse_method(self.text)
        assert isinstance(method, Detector)
        return method


OURS = Variant("detector", "4-bit codes (ours)", "codes")
VARIANTS = (
    OURS,
    Variant("detector", "3-bit codes", "codes:bits=3"),
    Variant("detector", "2-bit codes", "codes:bits=2"),
    Variant("detector", "4-bit codes, sensitivity weights", "codes:sensitivity=1"),
    Variant("detector", "int8 L1", "l1"),
    Variant("detector", "means over 16 tokens", "pooled:tokens=16:channels=1"),
    Variant("detector", "means over 4 tokens x 4 channels", "pooled:tokens=4:channels=4"),
    Variant("detector", "16 sketches", "sketch:projections=16"),
    Variant("detector", "64 sketches", "sketch:projections=64"),
    Variant("detector", "path length", "path"),
    Variant("detector", "distance, and half the path", "path:share=0.5"),
    Variant("detector", "miss of the last forecast", "miss"),
    Variant("detector", "surprise, counts of codes", "surprise"),
    Variant("detector", "surprise, levels of codes", "surprise:form=levels"),
    Variant("detector", "surprise, int8 L1", "surprise:form=l1"),
    Variant("detector", "none: fixed timesteps", "static"),
    Variant("own schedule", "int8 L1", "l1", translated=True),
    Variant("own schedule", "means over 16 tokens", "pooled:tokens=16:channels=1", translated=True),
    Variant("own schedule", "16 sketches", "sketch:projections=16", translated=True),
    Variant("own schedule", "path length", "path", translated=True),
    Variant("decision", "one for both contexts", "codes:shared=True"),
    Variant("decision", "three times the threshold for the null class", "codes:null=3"),
    Variant("decision", "every sub-block for itself", "codes:scope=sub-block"),
    Variant("decision", "the first block always computed", "codes:scope=timestep:blocks=1"),
    Variant("decision", "the last block always computed", "codes:scope=timestep:blocks=-1"),
    Variant("forecast", "of every branch", "codes:scope=timestep"),
    Variant("forecast", "order 0", "codes:gain=0"),
    Variant("forecast", "order 2", "codes:order=2"),
    Variant("forecast", "gain 0.75", "codes:gain=0.75"),
    Variant("forecast", "reach 1", "codes:reach=1"),
    Variant("forecast", "reach 8", "codes:reach=8"),
    Variant("forecast", "slope by changed codes", "codes:slope=codes"),
    Variant("forecast", "slope by int8 L1", "codes:slope=l1"),
    Variant("forecast", "fitted slopes", "codes:slope=fitted"),
    Variant("forecast", "difference of the contexts", "codes:difference=True"),
)


def chosen(texts: list[str]) -> list[Variant]:
    """Ours, and the variants of these texts or of all.

    Raises:
        UserError: there is no such variant.
    """
    known = dict.fromkeys(variant.text for variant in VARIANTS)
    for text in texts:
        if text not in ("all", *known):
            names = ", ".join(dict.fromkeys(each.partition(":")[0] for each in known))
            raise UserError(
                f"--variants is {shown(text)}: choose all, or of {names}, with the settings that "
                "reports/ablation/variants.py has of them."
            )
    return [one for one in VARIANTS if one is OURS or one.text in texts or "all" in texts]


def tuned(
    settings: Settings, sampler: Sampler, variant: Variant, reduction: float, folder: Path, workers: Workers
) -> Detector:
    """The variant at the threshold that reduces the MACs so far on other noise than the evaluation's.

    Where the input of sub-block 0 alone decides, its dense runs show what will be computed; others are run.
    """
    integer = integer_of(settings.model, sampler)
    if variant.method.rehearsable:
        key, alike, schedule = ByIdentity(integer), replace(variant.method, **USUAL_FORECAST), variant.method.schedule
        if variant.translated:
            ours = replace(OURS.method, threshold=rehearsed_threshold(OURS.method, key, reduction))
            schedule = translated(alike, ours, integer, IMAGES)
            alike = replace(alike, schedule=schedule)
        return replace(variant.method, schedule=schedule, threshold=rehearsed_threshold(alike, key, reduction))
    trial = replace(settings, samples=IMAGES, seed=CALIBRATION_SEED)

    def tried(threshold: float) -> float:
        one = Candidate(replace(variant.method, threshold=threshold).text, sampler)
        dense = Candidate("dense", sampler)
        found = measure(trial, [dense, one], folder, workers)
        return float(found[dense].macs.sum() / found[one].macs.sum())

    return replace(variant.method, threshold=crossing(tried, variant.method.threshold, reduction))


@cache
def rehearsed_threshold(method: Detector, key: ByIdentity, reduction: float) -> float:
    """Return the threshold at which a rehearsal computes as little as wanted."""
    return threshold_for(method, key.integer, reduction, IMAGES)


def crossing(tried: Callable[[float], float], start: float, wanted: float) -> float:
    """Return the threshold, at most 1, at which `tried`, which grows with it, comes nearest to the wanted value.

    It tries up to `TRIALS` of them: outwards until two of them enclose the value, then between those.
    """
    missed: dict[float, float] = {}  # of log thresholds: log of the value over the wanted one
    place = math.log(start)
    while len(missed) < TRIALS and place not in missed:
        missed[place] = math.log(tried(rounded_up(math.exp(place))) / wanted)
        if abs(missed[place]) < CLOSE:
            break
        below, above = ([p for p, miss in missed.items() if (miss < 0) is low] for low in (True, False))
        if below and above:
            left, right = max(below), min(above)
            share = missed[left] / (missed[left] - missed[right])
            place = left + (right - left) * min(max(share, 0.1), 0.9)
        else:
            place = min(place - STEEPNESS * missed[place], 0.0)
    return rounded_up(math.exp(min(missed, key=lambda p: abs(missed[p]))))
