"""``radit calibrate``: find the policy of a model on a few dozen seeded images, and the ranges of its int8 formats.

Round 1 searches on the integer model as it is (`model/tuning/search.py`). Round 2 widens the ranges by what the
policy found visits (`model/tuning/skipping_ranges.py`), quantizes anew and searches again from there. The better of
the two is kept, where round 2 has to be better by more than chance: with it, the widened ranges are stored beside the
checkpoint. Last, the baseline, policy `radit`, gets the shape of `BASELINES` and the threshold that save most at the
same error, or is the one that was given. The images' seed is at least 1000, evaluations use smaller ones.

Policy `planned` has no threshold to search: plans of its share are made (`model/detectors/planning.py`), one for every
number of timesteps of the label, and the one is kept that comes closest to the converged images, with the model's own
ranges.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from radit.model.detectors.plans import plans_of
from radit.model.dit.checkpoint import find_checkpoint, load_config, load_model
from radit.model.dit.memory_needs import check_comparison
from radit.model.dit.sampler import Sampler, make_noise, sample
from radit.model.dit.transformer import DiT
from radit.model.errors import UserError, shown
from radit.model.files import write_json
from radit.model.integer.calibration import (
    CACHE,
    Calibration,
    calibration_path,
    load_calibration,
    load_or_calibrate,
    model_digest,
    save_calibration,
)
from radit.model.integer.decision_record import DecisionRecord
from radit.model.integer.generate import generate
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.outputs import output_file
from radit.model.plain_text import quoted
from radit.model.policy.policy_file import OURS, Achieved, StoredPolicy, load_policy, policy_path
from radit.model.policy.skip_policy import Policy, dense, forecast, parse_policy, radit
from radit.model.quality.converged import CONVERGED
from radit.model.quality.measures import squared_errors
from radit.model.ranges import RANGES
from radit.model.system.processes import alone
from radit.model.system.workers import Workers
from radit.model.threads import one_thread
from radit.model.tuning.search import SWEEPS, Point, Target, gain, hit, parse_target, search
from radit.model.tuning.skipping_ranges import largest, skipping_ranges, widened

PIECE = 24  # images of one task at most
ROUNDS, ALONE, SOUGHT = 125, 10, 25  # evaluations, about: two rounds, a threshold alone, a baseline beside either
AGAIN = SWEEPS[-1:]  # sweeps of round 2
# The paper leaves open how far streaks go: the usual shape, and a level threshold with one reuse in a row at most.
BASELINES = (radit(), radit(start=1.0, end=1.0, streak_step=0.0, max_streak=1, first_dense=1))

Result = TypeVar("Result")
OnPoint = Callable[[Point], None]


@dataclass(frozen=True)
class Images:
    """Calibration images of a model: labels 0, 1, 2, .. in turn.

    Fields:
        ranges: file of the ranges to quantize with; None: those of the model.
    """

    model: str
    sampler: Sampler
    cfg: float
    count: int
    seed: int
    ranges: Path | None = None


@dataclass(frozen=True)
class LoadedModel:
    """What a process needs of them."""

    dit: DiT
    integer: IntegerDiT
    y: Tensor
    noise: Tensor


class Bench:
    """Policies on the calibration images, over the processor's cores; each is run once.

    Args:
        images: which.
        workers: that run them.
        on_point: receives every point.
        converged: errors are to the converged images, not to the dense ones.
    """

    def __init__(self, images: Images, workers: Workers, on_point: OnPoint, converged: bool = False) -> None:
        self.images, self._workers, self._on_point = images, workers, on_point
        self.integer = loaded_model(images).integer
        self._known: dict[Policy, Point] = {}
        judged = self.over(_converged) if converged else [part[0] for part in self.over(_generated, dense())]
        self._judge = torch.cat(judged)
        self._macs = self.integer.config.sub_block_macs()

    def over(
        self, work: Callable[..., Result], *arguments: Any, start: int = 0, stop: int | None = None
    ) -> list[Result]:
        """`work(images, start, stop, *arguments)` for all pieces of the images from `start` on, in order."""
        stop = self.images.count if stop is None else stop
        size = min(PIECE, math.ceil((stop - start) / self._workers.count))
        pieces = [(left, min(left + size, stop)) for left in range(start, stop, size)]
        tasks = [(_on_one_thread, work, self.images, *piece, *arguments) for piece in pieces]
        return list(self._workers.over(tasks))

    def evaluate(self, policy: Policy, share: float = 1.0) -> Point:
        """The policy's point on a share of the images, from the first on; what is known of it is not run again."""
        point, wanted = self._known.get(policy), math.ceil(self.images.count * share)
        have = 0 if point is None else len(point.errors)
        if have < wanted:
            more = self._run(policy, have, wanted)
            point = self._known[policy] = more if point is None else point.joined(more)
            self._on_point(point)
        assert point is not None
        return point.first(wanted)

    def _run(self, policy: Policy, start: int, stop: int) -> Point:
        """The policy's point on some of the images."""
        parts = self.over(_generated, policy, start=start, stop=stop)
        errors = squared_errors(torch.cat([part[0] for part in parts]), self._judge[start:stop])
        decisions = DecisionRecord.joined([part[1] for part in parts])
        computed = torch.from_numpy(decisions.macs(self._macs) / decisions.as_dense().macs(self._macs))
        return Point(policy, computed, errors)


def run_calibrate(
    *, model: str, target: str, images: int, seed: int, sampler: Sampler, cfg: float, workers: Workers,
    out: Path | None, threshold_only: bool = False, start: str | None = None, radit: str | None = None,
    on_point: Callable[[Point | None, int], object] = lambda point, expected: None,
) -> StoredPolicy:  # fmt: skip
    """Search and store; or, with `threshold_only`, move a policy's threshold alone to the target.

    Args:
        start: text of the policy that this begins with, from its defaults; None: those of `forecast`, with
            `threshold_only` what is stored.
        radit: text of the baseline, which is then measured as it is; None: the one of `BASELINES` that saves most.
        on_point: receives None when the work begins, then every point; and about how many points there will be.

    Raises:
        UserError: a bad target, start or baseline, a seed that evaluations use, an unknown model, or a target that it
            does not reach.
    """
    wanted = parse_target(target)
    begin, own = _own_policy(start, "--start", OURS), _own_policy(radit, "--radit", ("radit",))
    plans = begin is not None and begin.name == "planned"
    if plans and wanted.kind != "speedup":
        raise UserError(f"--target is {shown(target)}: a plan is made for a speedup, give speedup=FACTOR.")
    RANGES["calibration_seed"].check("--seed", seed)
    path, checkpoint = output_file(out or policy_path(model)), find_checkpoint(model)
    if checkpoint is not None and path.resolve() == checkpoint.resolve():
        raise UserError(f"--out is {quoted(out)}, which is the model itself: give another file.")
    chosen = Images(model, sampler, cfg, images, seed)
    check_comparison(model, load_config(model), samples=images, steps=sampler.steps, cfg=cfg, jobs=workers.here)
    find, usual = (_threshold, ALONE) if threshold_only else (_rounds, ROUNDS)
    if plans:
        find, usual = _plans, sampler.steps
    expected = usual + (SOUGHT if own is None else 0)

    def count_point(point: Point) -> None:
        on_point(point, expected)

    on_point(None, expected)
    with alone(path, "--out", is_folder=False):
        found = find(chosen, begin, wanted, workers, count_point)
        wanted.check(found.point)
        kept = wanted if wanted.kind == "error" else Target("error", found.point.mse)
        baseline = _baseline(found.bench, kept) if own is None else found.bench.evaluate(own)
        stored = _to_store(found, baseline, target, start)
        if found.ranges is not None:
            save_calibration(calibration_path(out or str(find_checkpoint(model))), _read_ranges(found.ranges))
        write_json(path, stored)
    return stored


def _own_policy(text: str | None, option: str, names: tuple[str, ...]) -> Policy | None:
    """The policy of an option, which must have one of the names."""
    if text is None:
        return None
    policy = parse_policy(text, option=option)
    if policy.name not in names:
        wanted = f"give policy {' or '.join(names)}, with settings such as {names[0]}:max_streak=3"
        raise UserError(f"{option} is {shown(text)}: {wanted}.")
    return policy


def loaded_model(images: Images) -> LoadedModel:
    """Model, quantized, and the images' labels and noise; the last one is kept."""
    return _load_once(images)


@lru_cache(maxsize=1)
def _load_once(images: Images) -> LoadedModel:
    dit = load_model(images.model)
    ranges = _ranges(dit, images)
    integer = quantize(dit, ranges, images.sampler)
    y = torch.arange(images.count) % dit.config.num_classes
    return LoadedModel(dit, integer, y, make_noise(dit.config, images.count, images.seed))


def _ranges(dit: DiT, images: Images) -> Calibration:
    """The ranges to quantize with."""
    if images.ranges is None:
        return load_or_calibrate(dit, find_checkpoint(images.model), images.sampler)
    return _read_ranges(images.ranges)


def _read_ranges(ranges: Path) -> Calibration:
    """What a file that was written here holds."""
    found = load_calibration(ranges)
    assert found is not None, ranges
    return found


@dataclass(frozen=True)
class SearchResult:
    """A point, the bench that it was found on, new ranges to store (None: the model's own stay), see `StoredPolicy`."""

    point: Point
    bench: Bench
    ranges: Path | None
    widened: bool
    tried: dict[str, Achieved]


def _threshold(
    images: Images, start: Policy | None, target: Target, workers: Workers, on_point: OnPoint
) -> SearchResult:
    """The policy to start from, the stored or the default one, at the threshold that meets the target, on the model's
    own ranges."""
    bench = Bench(images, workers, on_point)
    before = load_policy(images.model, bench.integer)
    point = hit(bench.evaluate, start or (forecast() if before is None else before.policy), target)
    widened, tried = (False, {}) if before is None else (before.widened, {} if start else before.tried)
    return SearchResult(point, bench, None, widened, tried)


def _plans(images: Images, start: Policy | None, target: Target, workers: Workers, on_point: OnPoint) -> SearchResult:
    """The plan that comes closest to the converged images, of those that reach the speedup."""
    assert start is not None
    bench = Bench(images, workers, on_point, converged=True)
    wanted = replace(start, share=float(f"{1.0 / target.value:.4g}"), plan="")
    points = [bench.evaluate(policy) for policy in plans_of(wanted, bench.integer, images.cfg)]
    best = min(points, key=lambda point: point.root)
    return SearchResult(best, bench, None, widened=False, tried={"dense": _achieved(bench.evaluate(dense()))})


def _rounds(images: Images, start: Policy | None, target: Target, workers: Workers, on_point: OnPoint) -> SearchResult:
    """The better point of both rounds."""
    first = Bench(images, workers, on_point)
    one = search(first.evaluate, start or forecast(), target)
    path = _widen(first, one.policy)
    second = Bench(replace(images, ranges=path), workers, on_point)
    two = search(second.evaluate, one.policy, target, AGAIN)
    tried = {"as calibrated": _achieved(one), "widened": _achieved(two)}
    gained, doubt = gain(two, one, tilt=1.0)
    stays = find_checkpoint(images.model) is None  # nowhere to store ranges
    if stays or gained <= doubt:
        return SearchResult(one, first, None, widened=False, tried=tried)
    return SearchResult(two, second, path, widened=True, tried=tried)


def _widen(bench: Bench, policy: Policy) -> Path:
    """File of the ranges that include what the policy visits."""
    found = widened(
        _ranges(loaded_model(bench.images).dit, bench.images), largest(bench.over(_skipping_ranges, policy)), policy
    )
    path = CACHE / f"{found.digest.replace('+', '-')[-33:]}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_calibration(path, found)
    return path


def _baseline(bench: Bench, target: Target) -> Point:
    """Of the baselines that keep an error the one that saves most, else the one that errs least."""
    points = [hit(bench.evaluate, start, target) for start in BASELINES]
    kept = [point for point in points if not target.beyond(point)]
    return max(kept, key=lambda point: point.mac_reduction) if kept else min(points, key=lambda point: point.mse)


def _to_store(found: SearchResult, baseline: Point, target: str, start: str | None) -> StoredPolicy:
    """Both points, the found one and the baseline's, and where they come from."""
    point, images = found.point, found.bench.images
    loaded = loaded_model(images)
    return StoredPolicy(
        model=images.model,
        weights=model_digest(loaded.dit),
        integer_model=loaded.integer.quantization_digest(),
        steps=images.sampler.steps,
        solver=images.sampler.solver,
        spacing=images.sampler.spacing,
        cfg=images.cfg,
        images=images.count,
        seed=images.seed,
        target=target,
        start=start,
        judge="converged" if point.policy.plan else "dense",
        policy=point.policy,
        radit=baseline.policy,
        achieved=_achieved(point),
        radit_achieved=_achieved(baseline),
        widened=found.widened,
        tried=found.tried,
    )


def _achieved(point: Point) -> Achieved:
    return Achieved(mac_reduction=round(point.mac_reduction, 4), mse=float(f"{point.mse:.4g}"))


@one_thread()
def _on_one_thread(work: Callable[..., Result], *arguments: Any) -> Result:
    """On one thread, here or in another process."""
    return work(*arguments)


def _part(images: Images, start: int, stop: int) -> tuple[LoadedModel, Tensor, Tensor]:
    """What is needed, labels and noise of a piece."""
    found = loaded_model(images)
    return found, found.y[start:stop], found.noise[start:stop]


def _generated(images: Images, start: int, stop: int, policy: Policy) -> tuple[Tensor, DecisionRecord]:
    """Images (n, C, H, W) and decisions."""
    loaded, y, noise = _part(images, start, stop)
    pictures, record = generate(
        Reference(loaded.integer, policy.tables(loaded.integer)), loaded.dit, y, noise, cfg=images.cfg, chunk=PIECE
    )
    return pictures, record.decisions


def _converged(images: Images, start: int, stop: int) -> Tensor:
    """What the float model makes of the noise of a piece, (n, C, H, W)."""
    loaded, y, noise = _part(images, start, stop)
    return sample(loaded.dit, noise, y, CONVERGED, images.cfg)


def _skipping_ranges(images: Images, start: int, stop: int, policy: Policy) -> dict[str, Tensor]:
    loaded, y, noise = _part(images, start, stop)
    return skipping_ranges(loaded.dit, Reference(loaded.integer, policy.tables(loaded.integer)), y, noise, images.cfg)
