"""Ranges on the way that a skipping run takes: its images, and the residual streams that forecasts leave behind.

A calibration (`model/integer/calibration.py`) observes the float model on its own trajectories. A skipping run visits
other images, and its sub-blocks may see streams that no dense run has. Here the policy runs on the integer model; the
float model's blocks are observed on its images, and each sub-block also on the integer run's own stream before it.
Where whole timesteps are reused, no sub-block computes on such a stream, and the images are all there is to visit.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import torch
from torch import Tensor

from radit.model.dit.transformer import DiT
from radit.model.integer.calibration import CONSTANT_RANGES, Calibration, observe
from radit.model.integer.generate import Host, to_float
from radit.model.integer.reference import Reference, StageCapture
from radit.model.policy.skip_policy import Policy
from radit.model.threads import one_thread

KEPT = ("timesteps", "act_rms", "digest")  # not ranges: the scale of the codes stays what it is
Ranges = dict[str, Tensor]


@one_thread()
@torch.no_grad()
def skipping_ranges(dit: DiT, reference: Reference, y: Tensor, noise: Tensor, cfg: float) -> Ranges:
    """Return the ranges of `Calibration` that images of labels y (N,) and noise visit under a policy."""
    integer, tokens = reference.integer, reference.integer.config.tokens
    host = Host(dit, integer, y, noise, cfg, reference.tokens)
    reference.start(len(y), host.contexts)
    rows: list[Ranges] = []
    captions = dit.captions(host.labels.flatten())
    for index in range(integer.steps):
        captures: list[StageCapture] = []
        images = host.image
        x, _ = reference.step(host.enter(), index, host.tables, captures)
        modulation = dit.block_modulation(host.tables.c[:, :, index].flatten(0, 1))
        embedded = dit.embed(images).repeat_interleave(host.contexts, 0)
        found = [observe(dit, embedded, modulation, captions=captions)[1]]
        if not reference.policy.stream_scope:
            streams = torch.stack([to_float(one.x, integer.x_frac, tokens).flatten(0, 1) for one in captures])
            found.append(observe(dit, embedded, modulation, streams=streams, captions=captions)[1])
        rows.append(largest(found))
        host.leave(x, index)
    table = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
    table |= {name: table[name].amax(0) for name in CONSTANT_RANGES if name in table}
    return table


def largest(parts: list[Ranges]) -> Ranges:
    """Return the largest of every range."""
    return {name: torch.stack([part[name] for part in parts]).amax(0) for name in parts[0]}


def widened(calibration: Calibration, ranges: Ranges, policy: Policy) -> Calibration:
    """Return the union of a calibration and the ranges that a policy visits; the hash goes on after a "+"."""
    union = {
        name: torch.maximum(tensor, ranges[name]) for name, tensor in calibration.ranges().items() if name not in KEPT
    }
    facts = [calibration.digest, policy.digest(), *(float(tensor.double().sum()) for tensor in union.values())]
    more = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return replace(calibration, **union, digest=f"{calibration.digest.partition('+')[0]}+{more}")
