"""What forecasts are fitted to: residual streams after the last sub-block, of dense runs of the integer model.

All that a plan or a fit asks of them is in their inner products between timesteps, the Gram matrix G (steps, steps):
with F = h_j, F' = h_i and the target h_l, the error of a forecast is

    | h_l - F - c (F - F') |^2 = | h_l - F |^2 - 2 c <h_l - F, F - F'> + c^2 | F - F' |^2

and the weight of least error c = <h_l - F, F - F'> / | F - F' |^2. Sources of such weights: ScalingCache and L2P, 2025;
calibrated on images of another seed, as SmoothCache's table is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from radit.model.baselines.smoothcache import CALIBRATION_SEED, ByIdentity
from radit.model.dit.sampler import make_noise
from radit.model.formats import SLOPE_FRAC, SLOPE_MAX
from radit.model.integer.generate import Host
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.reference import Reference
from radit.model.policy.skip_policy import dense

IMAGES = 32
LONGEST = 8  # timesteps: of gaps and runs of reuses that a fit or a plan looks at


@dataclass(frozen=True, eq=False)
class Grams:
    """Mean inner products (steps, steps) float64 between timesteps, in units of the streams' variance.

    Fields:
        label, null: of the stream of each context; without guidance both are the one.
        difference: of the null class's stream less the label's.
    """

    label: Tensor
    null: Tensor
    difference: Tensor


def grams_of(integer: IntegerDiT, cfg: float, images: int = IMAGES) -> Grams:
    """Return the inner products of dense runs of so many images under guidance `cfg`."""
    return _grams(ByIdentity(integer), cfg, images)


@lru_cache(maxsize=8)
def _grams(key: ByIdentity, cfg: float, images: int) -> Grams:
    integer, config = key.integer, key.integer.config
    reference = Reference(integer, dense().tables(integer))
    labels = torch.arange(images) % config.num_classes
    host = Host(integer.dit, integer, labels, make_noise(config, images, CALIBRATION_SEED), cfg, config.tokens)
    reference.start(images, host.contexts)
    streams = []
    for index in range(integer.steps):
        x, _ = reference.step(host.enter(), index, host.tables)
        host.leave(x, index)
        streams.append(x.float())
    return inner_products(torch.stack(streams))


def inner_products(streams: Tensor) -> Grams:
    """Return the inner products of streams (steps, images, contexts, T, D)."""
    streams = streams.double() / streams.double().std()
    label, null = streams[:, :, 0].flatten(1), streams[:, :, -1].flatten(1)
    found = [part @ part.T / part.shape[1] for part in (label, null, null - label)]
    return Grams(*found)


def forecast_error(gram: Tensor, i: int, j: int, target: int, slope: float) -> float:
    """Return the mean squared error of h_j + slope (h_j - h_i) at timestep `target`."""
    moved, step, both = _moved(gram, i, j, target)
    return max(moved - 2.0 * slope * both + slope * slope * step, 0.0)


def best_slope(gram: Tensor, i: int, j: int, target: int) -> int:
    """Return the coefficient of least error, Q3.8, 0 .. SLOPE_MAX."""
    _, step, both = _moved(gram, i, j, target)
    return min(max(round(both / step * (1 << SLOPE_FRAC)), 0), SLOPE_MAX) if step > 0.0 else 0


def _moved(gram: Tensor, i: int, j: int, target: int) -> tuple[float, float, float]:
    """| h_target - h_j |^2, | h_j - h_i |^2 and their inner product."""
    g = gram
    moved = g[target, target] + g[j, j] - 2.0 * g[target, j]
    step = g[j, j] + g[i, i] - 2.0 * g[i, j]
    return float(moved), float(step), float(g[target, j] - g[target, i] - g[j, j] + g[i, j])


def fitted_slopes(gram: Tensor) -> Tensor:
    """Return coefficients Q3.8 (steps, LONGEST + 1, LONGEST + 1) int64, by timestep, timesteps since F, and gap; 0
    where there is no such timestep."""
    steps = len(gram)
    found = torch.zeros(steps, LONGEST + 1, LONGEST + 1, dtype=torch.int64)
    for target in range(steps):
        for since in range(1, min(LONGEST, target) + 1):
            for gap in range(1, min(LONGEST, target - since) + 1):
                found[target, since, gap] = best_slope(gram, target - since - gap, target - since, target)
    return found
