"""Images on the integer reference: bit for bit what the hardware makes, without simulating it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from radit.arguments import as_arguments
from radit.decisions import Decisions
from radit.model.baselines.base import Method
from radit.model.detectors.plans import with_plan
from radit.model.dit.config import check_guidance
from radit.model.dit.memory_needs import of_generation
from radit.model.dit.sampler import make_noise
from radit.model.errors import UserError, shown
from radit.model.integer.decision_record import DecisionRecord
from radit.model.integer.generate import CHUNK, RunRecord
from radit.model.integer.generate import generate as generate_on
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.limits import check_memory
from radit.model.policy.skip_policy import Policy
from radit.model.ranges import Range, checked, checked_or_none
from radit.models import QuantizedModel
from radit.reports.cost.policy_costs import PolicyCosts

Progress = Callable[[int, int], object]
"""Receives how much is done, and how much that is of: images, or MACs of a co-simulation."""


@dataclass(frozen=True, eq=False)
class Generation:
    """Images of one policy on the integer reference. N images.

    Fields:
        policy: which.
        images: (N, C, H, W), clips (N, F, C, H, W), float32, pixels from -1 to 1.
        labels: (N,) int64.
        decisions: what was computed.
        mac_reduction: MACs of a dense run over those of this one.
        saturations: values that a 16-bit format clamped.
    """

    policy: Policy | Method
    images: np.ndarray
    labels: np.ndarray
    decisions: Decisions
    mac_reduction: float
    saturations: int


def generate(
    model: QuantizedModel,
    policy: Policy | Method | str = "dense",
    *,
    images: int = 1,
    seed: int = 0,
    cfg: float = 1.5,
    labels: Sequence[int] | None = None,
    guided_channels: int | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Generation:
    """Generate images on the integer reference.

    They are those of `cosimulate` with the same seed, bit for bit.

    Args:
        model: from `quantize`.
        policy: from `policy`, one of your own, or a text, which starts from what is stored with the model.
        images: how many (count).
        seed: of the starting noise.
        cfg: guidance scale (factor); 1 is no guidance. The int8 ranges are those of `model.cfg`.
        labels: of every image; None: 0, 1, 2, .. in turn.
        guided_channels: guide the first channels only, as the official DiT does with three of four (count); None: all.
        jobs: processes (count).
        progress: called with the images done and all images.

    Raises:
        UserError: the policy's text is bad, no plan can be made for it, or a label is not the model's.
    """
    images, seed, cfg, jobs = checked(images=images, seed=seed, cfg=cfg, jobs=jobs)
    if isinstance(policy, str):
        from radit.policies import policy as parse

        policy = parse(policy, model)
    if isinstance(policy, Policy):
        policy = with_plan(policy, model.integer, cfg)
    costs = PolicyCosts(policy)
    size = CHUNK * jobs
    guided_channels = checked_or_none(guided_channels=guided_channels)
    with as_arguments():
        check_guidance(model.config, cfg, guided_channels)
    kept = (1 if costs.stream_scope else len(model.integer.sub_blocks)) if costs.reuses else 0
    needs = of_generation(model.config, images, 1 if cfg == 1.0 else 2, model.timesteps, size, kept)
    check_memory(f"generate with {images} images", needs, "generate fewer at a time, or with fewer jobs")
    y, noise = _labels(model, images, labels), make_noise(model.config, images, seed)
    reference = costs.reference(model.integer)
    parts: list[tuple[torch.Tensor, RunRecord]] = []
    for start in range(0, images, size):
        piece = slice(start, start + size)
        parts.append(
            generate_on(
                reference, model.model.dit, y[piece], noise[piece], cfg=cfg, jobs=jobs, guided_channels=guided_channels
            )
        )
        if progress is not None:
            progress(min(start + size, images), images)
    made = DecisionRecord.joined([record.decisions for _, record in parts])
    return Generation(
        policy=policy,
        images=torch.cat([pictures for pictures, _ in parts]).numpy(),
        labels=y.numpy(),
        decisions=decisions_of(made, costs, model.integer),
        mac_reduction=made.mac_reduction(model.config.sub_block_macs()),
        saturations=sum(record.saturations for _, record in parts),
    )


def paired_errors(images: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the mean squared error (N,) float64 of every image (N, ..) to the same one of a reference (N, ..).

    Raises:
        UserError: the shapes differ.
    """
    if images.shape != reference.shape:
        raise UserError(f"images have shape {images.shape} and reference {reference.shape}: give the same images.")
    errors: np.ndarray = np.square(images.astype(np.float64) - reference).reshape(len(images), -1).mean(1)
    return errors


def decisions_of(record: DecisionRecord, costs: PolicyCosts, integer: IntegerDiT) -> Decisions:
    """The decisions of a run, with the tables of its policy."""
    tables = costs.tables(integer)
    return Decisions(record, tuple(costs.run_tables(image, tables) for image in record), costs)


def _labels(model: QuantizedModel, images: int, labels: Sequence[int] | None) -> torch.Tensor:
    """Of every image, (N,) int64."""
    classes = model.config.num_classes
    if labels is None:
        return torch.arange(images) % classes
    known = Range(0, classes - 1)
    try:
        found = [int(known.of(label)) for label in labels]
    except (TypeError, ValueError):
        found = []
    if len(found) != images:
        raise UserError(f"labels is {shown(labels)}: give {images}, each {known.wanted}.")
    return torch.tensor(found)
