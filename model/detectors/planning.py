"""Which timesteps to compute for the least error of the forecasts between them, by dynamic programming.

After DPCache (CVPR 2026), which chooses them from dense runs: with C(i, j, k) the cost of forecasting everything
between two computed timesteps j < k from j and the computed one before it, i,

    D[m + 1](j, k) = min over i of D[m](i, j) + C(i, j, k)      m computed timesteps, the last two of them i, j

and what follows the last computed one is forecast too. Ours is the cost: the root mean square error of a forecast times
what an error of that timestep does to the image (`model/detectors/noise_effects.py`). Without that weight the plans are
worth nothing (docs/policies.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from radit.model.detectors.dense_streams import LONGEST

Times = tuple[int, ...]
RunCost = Callable[[int, int, int], float]
FIRST: Times = (0,)


def run_cost(errors: Callable[[int, int, int], float]) -> RunCost:
    """Return C(i, j, k), the sum of errors(i, j, target) over the timesteps between j and k; i is -1 at first."""

    @cache
    def cost(i: int, j: int, k: int) -> float:
        return sum(errors(i, j, target) for target in range(j + 1, k))

    return cost


def schedules(cost: RunCost, steps: int, allowed: Iterable[int]) -> dict[int, tuple[float, Times]]:
    """Return the least cost and the computed timesteps, by their number.

    Args:
        allowed: timesteps that may be computed; the first one always is.
    """
    places, found = sorted({0, *allowed}), {}
    ways: dict[tuple[int, int], tuple[float, Times]] = {(-1, 0): (0.0, FIRST)}  # by the last two
    while ways:
        ends = [(spent + cost(i, j, steps), times) for (i, j), (spent, times) in ways.items() if steps - j <= LONGEST]
        if ends:
            least = min(ends)
            found[len(least[1])] = least
        longer: dict[tuple[int, int], tuple[float, Times]] = {}
        for (i, j), (spent, times) in ways.items():
            for k in (k for k in places if j < k <= j + LONGEST):
                way = spent + cost(i, j, k), (*times, k)
                longer[j, k] = min(longer.get((j, k), way), way)
        ways = longer
    return found
