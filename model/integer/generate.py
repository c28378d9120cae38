"""Whole generations through the integer reference: the host's part in float, the accelerator's in integers.

Per timestep: embed the image, convert to the integer residual stream (rounded half up, saturated and counted), run
`Reference.step`, convert back, final layer, guidance, DDIM. Images are independent: they are worked off in chunks that
stay in the caches, on as many processes as asked for. A clip (N, F, C, H, W) is one image of more tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from radit.model.dit.config import check_guidance
from radit.model.dit.sampler import guided
from radit.model.dit.transformer import DiT
from radit.model.errors import UserError
from radit.model.formats import X_BITS
from radit.model.integer.decision_record import DecisionRecord
from radit.model.integer.integer_dit import Conditioning, IntegerDiT, contexts_of
from radit.model.integer.reference import Reference, StepRecord
from radit.model.system.processes import over_processes
from radit.model.threads import one_thread

CHUNK = 16  # images


@dataclass(frozen=True)
class RunRecord:
    """Decisions of a run. S sub-blocks, N images.

    Fields:
        decisions: what was computed.
        counts: (N, steps, S, contexts) int64, changed codes.
        saturated, clipped: values that 16-bit formats, and int8, clamped, by place.
    """

    decisions: DecisionRecord
    counts: Tensor
    saturated: dict[str, int]
    clipped: dict[str, int]

    @property
    def saturations(self) -> int:
        """Values that a 16-bit format clamped anywhere."""
        return sum(self.saturated.values())

    def mac_reduction(self, integer: IntegerDiT, tokens: int | None = None) -> float:
        """Return MACs of a dense run over MACs of this run, unitless."""
        return self.decisions.mac_reduction(integer.config.sub_block_macs(tokens))


def to_integer(tokens: Tensor, x_frac: int, padded: int) -> tuple[Tensor, int]:
    """Return x (.., padded, D) int64 of tokens (.., T, D), rounded half up, and the number of saturated values."""
    limit = 1 << (X_BITS - 1)
    whole = torch.floor(tokens.double() * 2.0**x_frac + 0.5)
    saturated = int(((whole < -limit) | (whole >= limit)).sum())
    x = torch.zeros(*whole.shape[:-2], padded, whole.shape[-1], dtype=torch.int64)
    x[..., : whole.shape[-2], :] = whole.clamp(-limit, limit - 1).long()
    return x, saturated


def to_float(x: Tensor, x_frac: int, tokens: int) -> Tensor:
    """Return the first `tokens` tokens of x (.., T, D) in real units, float32."""
    return (x[..., :tokens, :].double() * 2.0**-x_frac).float()


class Host:
    """The host's side of one batch of N images.

    Its float products run image by image and on one thread: their last bits, and with them decisions, must depend on
    neither the batch nor the threads.

    Args:
        dit: float model.
        integer: integer model.
        y: labels (N,).
        noise: (N, C, H, W) starting noise.
        cfg: guidance scale, unitless; 1 runs the conditional context alone.
        padded: tokens per context after padding.
        guided_channels: see `radit.model.dit.sampler.guided`.
    """

    def __init__(
        self,
        dit: DiT,
        integer: IntegerDiT,
        y: Tensor,
        noise: Tensor,
        cfg: float,
        padded: int,
        guided_channels: int | None = None,
    ) -> None:
        if len(noise) != len(y):
            raise UserError(f"Labels y number {len(y)} for {len(noise)} noise images: give one label per image.")
        check_guidance(dit.config, cfg, guided_channels)
        self.dit, self.integer, self.cfg, self.padded = dit, integer, cfg, padded
        self.guided_channels = guided_channels
        self.contexts = 1 if cfg == 1.0 else 2
        self.labels = contexts_of(y, dit.config.null_class, self.contexts == 2)
        self.tables: Conditioning = integer.conditioning_tables(y, guidance=self.contexts == 2)
        self.walk, self.image = integer.sampler.start(dit.config.has_pixels), noise
        self.saturated = self.tables.saturated

    @one_thread()
    @torch.no_grad()
    def enter(self) -> Tensor:
        """Return the accelerator's input x (N, contexts, padded, D) int64; both contexts see the same image."""
        tokens = torch.cat([self.dit.embed(image) for image in self.image.split(1)])
        x, saturated = to_integer(tokens, self.integer.x_frac, self.padded)
        self.saturated += saturated * self.contexts
        return x.unsqueeze(1).expand(-1, self.contexts, -1, -1)

    @one_thread()
    @torch.no_grad()
    def leave(self, x: Tensor, index: int) -> Tensor:
        """Take the accelerator's output x (N, contexts, padded, D) of timestep `index`; return the next image."""
        config = self.integer.config
        tokens = to_float(x, self.integer.x_frac, config.tokens)
        pairs = zip(tokens, self.tables.c[:, :, index], strict=True)
        found = torch.stack([self.dit.final(contexts, c) for contexts, c in pairs])
        eps = found[..., : config.in_channels, :, :]
        variance = found[:, 0, ..., config.in_channels :, :, :] if config.learn_sigma else None
        guided_eps = eps[:, 0] if self.contexts == 1 else guided(eps[:, 0], eps[:, 1], self.cfg, self.guided_channels)
        self.image = self.walk.step(self.image, guided_eps, index, variance)
        return self.image


@one_thread()
def generate(
    reference: Reference,
    dit: DiT,
    y: Tensor,
    noise: Tensor,
    steps: int | None = None,
    cfg: float = 1.5,
    chunk: int = CHUNK,
    jobs: int = 1,
    guided_channels: int | None = None,
) -> tuple[Tensor, RunRecord]:
    """Return images (N, C, H, W) float32 of labels y (N,) and noise, and the run's record; on one thread of torch.

    Args:
        reference: integer model and policy.
        dit: float model, for the host's part.
        steps: sampler steps; only a check, the integer model knows its own.
        cfg: guidance scale, unitless; 1 runs the conditional context alone.
        chunk: images at a time.
        jobs: processes.
        guided_channels: see `radit.model.dit.sampler.guided`.

    Raises:
        UserError: `steps` is not the integer model's, or noise and labels differ in number.
    """
    if steps is not None and steps != reference.integer.steps:
        raise UserError(f"Sampler steps is {steps}: quantize for it, this integer model has {reference.integer.steps}.")
    parts = list(zip(y.split(chunk), noise.split(chunk), strict=True))
    if jobs == 1:
        results = _generate_share(reference, dit, parts, cfg, guided_channels)
    else:
        shares = [parts[job::jobs] for job in range(jobs)]
        shared = list(
            over_processes(
                [(_generate_share, reference, dit, share, cfg, guided_channels) for share in shares if share], jobs
            )
        )
        results = [shared[i % jobs][i // jobs] for i in range(len(parts))]
    return torch.cat([images for images, _ in results]), _merged([record for _, record in results])


@one_thread()
def _generate_share(
    reference: Reference, dit: DiT, parts: list[tuple[Tensor, Tensor]], cfg: float, guided_channels: int | None
) -> list[tuple[Tensor, RunRecord]]:
    """The chunks of one process, on one thread."""
    return [_generate_chunk(reference, dit, labels, noise, cfg, guided_channels) for labels, noise in parts]


def _generate_chunk(
    reference: Reference, dit: DiT, y: Tensor, noise: Tensor, cfg: float, guided_channels: int | None
) -> tuple[Tensor, RunRecord]:
    """A few images from the first timestep to the last."""
    host = Host(dit, reference.integer, y, noise, cfg, reference.tokens, guided_channels)
    reference.start(len(y), host.contexts)
    records: list[StepRecord] = []
    for index in range(reference.integer.steps):
        x, record = reference.step(host.enter(), index, host.tables)
        host.leave(x, index)
        records.append(record)
    saturated = _sum([record.saturated for record in records]) | {"host": host.saturated}
    decisions = DecisionRecord.of_timesteps([record.computed for record in records])
    counts = torch.stack([record.counts for record in records], 1)
    clipped = _sum([record.clipped for record in records])
    return host.image, RunRecord(decisions, counts, saturated, clipped)


def _merged(records: list[RunRecord]) -> RunRecord:
    """One record of the chunks' records, images in order."""
    decisions = DecisionRecord.joined([record.decisions for record in records])
    counts = torch.cat([record.counts for record in records])
    return RunRecord(decisions, counts, _sum([r.saturated for r in records]), _sum([r.clipped for r in records]))


def _sum(tallies: list[dict[str, int]]) -> dict[str, int]:
    """Sum of counts by name."""
    names = {name: None for tally in tallies for name in tally}
    return {name: sum(tally.get(name, 0) for tally in tallies) for name in names}
