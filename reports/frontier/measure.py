"""Running the points of the frontier, on the integer or the float model: pieces of images over the cores, kept point
by point.

A finished point is a file under ``OUT/points`` whose name is the hash of everything that determines it: a second call
runs only what is missing.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import torch
from rich.progress import TaskProgressColumn, TimeRemainingColumn

from radit.accel.config import BuildConfig
from radit.accel.control.registers import COUNTERS, SOME_COUNTERS
from radit.accel.dims import Dims
from radit.cosim.support.sizes import fitted
from radit.model.console import progress_bar
from radit.model.dit.checkpoint import find_checkpoint, load_config, load_model
from radit.model.dit.memory_needs import check_comparison
from radit.model.dit.sampler import Sampler, make_noise, sample
from radit.model.dit.transformer import DiT
from radit.model.errors import UserError
from radit.model.files import read_arrays, write_arrays
from radit.model.integer.calibration import load_or_calibrate, model_digest
from radit.model.integer.decision_record import DecisionRecord
from radit.model.integer.generate import generate
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.policy.policy_file import load_policy
from radit.model.policy.skip_policy import Policy
from radit.model.quality.quality_run import BEHIND
from radit.model.source_code import code_digest
from radit.model.system.caches import SEAL, arrays_digest
from radit.model.system.workers import Workers
from radit.model.threads import one_thread
from radit.reports.cost.counts import add_counts, expected_counts, model_macs
from radit.reports.cycles.cycle_model import MemoryModel, predict
from radit.reports.frontier.candidates import Candidate

ARRAY = (16, 16)
MEMORY = MemoryModel(latency=100, bandwidth=32.0)
POINTS = "points"  # folder of finished ones
PIECE = 25  # images of one task

log = logging.getLogger("radit")


@dataclass(frozen=True)
class Settings:
    """What all points have in common."""

    model: str
    samples: int
    cfg: float
    seed: int

    def check(self, steps: int, jobs: int, runs: int = 1) -> None:
        """Refuse what would fail after hours: too large for the machine or the memory, or not to be guided.

        Raises:
            UserError: it is.
        """
        self.sizes()
        config = load_config(self.model)
        check_comparison(self.model, config, samples=self.samples, steps=steps, cfg=self.cfg, runs=runs, jobs=jobs)

    def sizes(self) -> tuple[Dims, BuildConfig]:
        """The model on the array."""
        return fitted(load_config(self.model), 1 if self.cfg == 1.0 else 2, *ARRAY)


@dataclass(frozen=True)
class Measured:
    """A finished point. N images.

    Fields:
        images: (N, C, H, W), clips (N, F, C, H, W), float32.
        cycles, macs: (N,) int64; of the float model 0, and so are its counters.
        counters: sums over the images, by name.
        saturations: values that a 16-bit format clamped.
    """

    images: np.ndarray
    cycles: np.ndarray
    macs: np.ndarray
    counters: dict[str, int]
    saturations: int

    def save(self, path: Path) -> None:
        """Write whole or not at all."""
        write_arrays(path, self._arrays | self._facts(path) | {SEAL: arrays_digest(self._arrays, self._facts(path))})

    @classmethod
    def load(cls, path: Path) -> Measured | None:
        """What `save` wrote, None where it is missing, damaged or another one: it can always be measured anew."""
        if not path.exists():
            return None
        try:
            kept = read_arrays(path, "point", "measure it again")
            counters = json.loads(str(kept["counters"]))
            found = cls(kept["images"], kept["cycles"], kept["macs"], counters, int(str(kept["saturations"])))
            whole = str(kept[SEAL]) == arrays_digest(found._arrays, found._facts(path))
            whole = whole and found.is_whole
        except (UserError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            whole = False
        if not whole:
            log.info("point %s is damaged or of another version, it is measured again", path)
            return None
        return found

    @property
    def _arrays(self) -> dict[str, np.ndarray]:
        return {name: getattr(self, name) for name in ("images", "cycles", "macs")}

    def _facts(self, path: Path) -> dict[str, str]:
        """What is kept beside the arrays, as texts; a point that was copied under another name is not this one."""
        return {"counters": json.dumps(self.counters), "saturations": str(self.saturations), "key": path.stem}

    @property
    def is_whole(self) -> bool:
        """Whether these are numbers of images, each with its cycles and MACs, and all counters."""
        images, counts = self.images, (self.cycles, self.macs)
        return (
            images.dtype == np.float32
            and images.ndim in (4, 5)
            and images.size > 0
            and bool(np.isfinite(images).all())
            and all(each.dtype == np.int64 and each.shape == images.shape[:1] for each in counts)
            and (all((each > 0).all() for each in counts) or not any(each.any() for each in counts))
            and self.saturations >= 0
            and self.counters.keys() >= COUNTERS.keys() - SOME_COUNTERS
            and all(type(count) is int and count >= 0 for count in self.counters.values())
        )

    @classmethod
    def joined(cls, parts: list[Measured]) -> Measured:
        """One of the pieces, images in order."""
        images, cycles, macs = (np.concatenate([getattr(p, n) for p in parts]) for n in ("images", "cycles", "macs"))
        counters = add_counts(*(part.counters for part in parts))
        return cls(images, cycles, macs, counters, sum(part.saturations for part in parts))


def measure(settings: Settings, wanted: list[Candidate], folder: Path, workers: Workers) -> dict[Candidate, Measured]:
    """Every wanted point, from its file or run now."""
    paths = {one: folder / f"{key(settings, one)}.npz" for one in wanted}
    points = {one: point for one, path in paths.items() if (point := Measured.load(path))}
    missing = [one for one in paths if one not in points]
    starts = range(0, settings.samples, PIECE)
    with progress_bar(TaskProgressColumn(), TimeRemainingColumn(elapsed_when_finished=True)) as progress:
        bar = progress.add_task("frontier", total=len(missing) * settings.samples)
        results = workers.over([(_piece, settings, one, start) for one in missing for start in starts])
        for one in missing:
            progress.update(bar, description=f"{one.text}, {one.sampler.text}")
            parts = []
            for _ in starts:
                parts.append(next(results))
                progress.advance(bar, len(parts[-1].images))
            points[one] = Measured.joined(parts)
            points[one].save(paths[one])
    return {one: points[one] for one in paths}


def key(settings: Settings, one: Candidate) -> str:
    """Hash (hex) of everything that determines a point: model, policy, settings, and the code behind it."""
    model = model_digest(_dit(settings.model)) if one.is_float else integer_of(settings.model, one.sampler).digest()
    facts = [
        model,
        one.digest(),
        settings.samples,
        settings.cfg,
        settings.seed,
        code_digest(*BEHIND, __name__),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


@lru_cache(maxsize=1)
def _dit(name: str) -> DiT:
    return load_model(name)


def calibrated(name: str, sampler: Sampler) -> Policy | None:
    """What `radit calibrate` found for a model with this sampler; None: nothing.

    Raises:
        UserError: what is stored is damaged or another model's.
    """
    integer = integer_of(name, sampler)
    stored = load_policy(name, integer)
    return stored.policy if stored is not None and stored.is_for(integer) else None


@cache
def integer_of(name: str, sampler: Sampler) -> IntegerDiT:
    dit = _dit(name)
    return quantize(dit, load_or_calibrate(dit, find_checkpoint(name), sampler), sampler)


@one_thread()
def _piece(settings: Settings, one: Candidate, start: int) -> Measured:
    """A few images of one point, on one thread."""
    dit = _dit(settings.model)
    labels = torch.arange(start, min(start + PIECE, settings.samples)) % dit.config.num_classes
    noise = make_noise(dit.config, settings.samples, settings.seed)[start : start + PIECE]
    if one.is_float:
        images = sample(dit, noise, labels, one.sampler, settings.cfg)
        none = np.zeros(len(images), dtype=np.int64)
        return Measured(images.numpy(), none, none, dict.fromkeys(COUNTERS, 0), 0)
    integer = integer_of(settings.model, one.sampler)
    images, record = generate(one.reference(integer), dit, labels, noise, cfg=settings.cfg)
    cycles, macs, counters = counts_of(settings, one, integer, record.decisions)
    return Measured(images.numpy(), cycles, macs, counters, record.saturations)


def counts_of(
    settings: Settings, one: Candidate, integer: IntegerDiT, decisions: DecisionRecord
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Cycles (N,) and MACs (N,) of every image, and all counters, summed.

    Cycles are those of the machine with its skipping switched on, whoever decides. A comparison is paid, as the CCU
    pays it, in the sub-blocks that a policy watches; the others are decided without codes.
    """
    dims, build = settings.sizes()
    tables, rows = one.costs.tables(integer), []
    known: dict[bytes, tuple[int, int, dict[str, int]]] = {}  # many images decide alike
    for record in decisions:
        if (same := record.computed.tobytes()) not in known:
            run = one.costs.run_tables(record, tables)
            cycles = predict(dims, build, record, run, MEMORY).cycles
            counts = one.costs.charged(expected_counts(dims, build, record, run), dims)
            known[same] = cycles, model_macs(dims, record), counts
        rows.append(known[same])
    total = add_counts(*(counts for _, _, counts in rows))
    spent, macs = (np.array([row[i] for row in rows], dtype=np.int64) for i in (0, 1))
    return spent, macs, dict.fromkeys(COUNTERS, 0) | total | {"cycles": int(spent.sum())}
