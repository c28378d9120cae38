"""The error meter's weights, and what it says about an image.

A reuse brings an error into the predicted noise of its context: the difference to what a computation on the same input
would have predicted. On the calibration images both are run. With the contexts' weights in the guided noise,
``a = cfg**2`` for the label and ``(cfg - 1)**2`` for the null class, the weight of timestep t is

    w(t) = sum a * squared error  /  sum a * share of changed codes        over images and contexts

(between its neighbours where no image reuses). The controller sums ``w(t) * share`` over an image's reuses: the error e
of each context. The host predicts the paired error of the image

    mse = scale * (sum a * e) ** power

with scale and power fitted to the means at three thresholds. A single image's final error depends mostly on where its
trajectory amplifies small differences, so that no sum of local errors ranks it well; see docs/policies.md.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from radit.model.dit.transformer import DiT
from radit.model.integer.generate import Host, to_float
from radit.model.integer.reference import Reference
from radit.model.policy.meter_model import Meter, guidance_weights
from radit.model.policy.skip_policy import Policy, dense
from radit.model.threads import one_thread
from radit.model.tuning.search import Point

POWERS = (0.1, 10.0)  # of a fit that means something


@one_thread()
@torch.no_grad()
def injected(dit: DiT, reference: Reference, y: Tensor, noise: Tensor, cfg: float) -> Tensor:
    """Return the errors (steps, N, contexts) that reuses bring into each context's predicted noise, mean squared.

    Args:
        dit: float model, for the host's part.
        reference: integer model and skipping policy; a dense one runs beside it on the same inputs.
        y, noise: labels (N,) and starting noise of the images.
        cfg: guidance scale, unitless.
    """
    integer = reference.integer
    host = Host(dit, integer, y, noise, cfg, reference.tokens)
    exact = Reference(integer, dense().tables(integer), reference.tokens)
    for one in (reference, exact):
        one.start(len(y), host.contexts)
    rows = []
    for index in range(integer.steps):
        x = host.enter()
        skipped, computed = (one.step(x, index, host.tables)[0] for one in (reference, exact))
        c = host.tables.c[:, :, index]
        rows.append((_noise(dit, reference, skipped, c) - _noise(dit, reference, computed, c)).square().mean(2))
        host.leave(skipped, index)
    return torch.stack(rows)


def _noise(dit: DiT, reference: Reference, x: Tensor, c: Tensor) -> Tensor:
    """Predicted noise (N, contexts, values) of the accelerator's output."""
    config = reference.integer.config
    tokens = to_float(x, reference.integer.x_frac, config.tokens)
    noise = torch.stack([dit.final(*pair) for pair in zip(tokens, c, strict=True)])
    return noise[..., : config.in_channels, :, :].flatten(2).double()


def fit_weights(errors: Tensor, shares: Tensor, cfg: float) -> tuple[float, ...]:
    """Return the weight of every timestep, of errors and shares (steps, N, contexts); four digits.

    None where nothing is reused, or nothing that is reused brings in an error.
    """
    a = guidance_weights(cfg)[: errors.shape[2]]
    error, share = ((part @ a).sum(1).numpy() for part in (errors, shares))
    places, known = np.arange(len(share)), share > 0
    if not known.any() or not error[known].any():
        return ()
    weights = np.interp(places, places[known], error[known] / share[known])
    return tuple(float(f"{weight:.4g}") for weight in weights)


def fit_meter(policy: Policy, points: list[Point], errors: Tensor, cfg: float) -> Meter | None:
    """Return the meter of `policy`, whose point is the first of several thresholds' and whose reuses bring in `errors`.

    Points without an error have no logarithm and are left out; None where no other is left.

    Args:
        policy: with error weights.
        points: at least one.
        errors: (steps, N, contexts), see `injected`.
        cfg: guidance scale, unitless.
    """
    a = guidance_weights(cfg)[: errors.shape[2]]
    weights = torch.tensor(policy.error_weights, dtype=torch.float64)
    sums = [torch.einsum("t,tnc,c->n", weights, point.shares, a) for point in points]
    pairs = [(float(total.mean()), point.mse) for total, point in zip(sums, points, strict=True)]
    logs = [(math.log(total), math.log(mse)) for total, mse in pairs if total > 0.0 and mse > 0.0]
    if not logs:
        return None
    x, y = (torch.tensor(values) for values in zip(*logs, strict=True))
    spread = float((x - x.mean()).square().sum())
    power = float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread > 1e-3 else 1.0
    power = power if POWERS[0] < power < POWERS[1] else 1.0
    scale = math.exp(float(y.mean() - power * x.mean()))
    ranks = [_rank(sums[0], other) for other in ((errors @ a).sum(0), points[0].errors)]
    return Meter(scale=scale, power=power, rank_injected=ranks[0], rank_final=ranks[1])


def _rank(a: Tensor, b: Tensor) -> float:
    """Spearman's correlation; 0 where one does not vary."""
    if bool((a == a[0]).all()) or bool((b == b[0]).all()):
        return 0.0
    found = float(spearmanr(a.numpy(), b.numpy()).statistic)
    return 0.0 if math.isnan(found) else round(found, 3)
