"""Shares of narrow words by kind of input, base and narrowing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from radit.reports.differences.schema import WordShares
from radit.reports.differences.tally import (
    ANY_PAIRS,
    CYCLES,
    INPUTS,
    NARROW,
    SKIPPING,
    SPLIT,
    WIDE,
    WORDS,
    ZERO,
    Base,
    Counted,
    WordTally,
)

DIGITS = 4  # of shares by timestep


def shares_of(found: WordTally, steps: int) -> list[WordShares]:
    """Every kind of input; contexts and timesteps that have no such base are left out."""
    return [row for case, counts in found.sums.items() for row in _rows(case, counts, steps)]


def _rows(case: Counted, counts: np.ndarray, steps: int) -> Iterator[WordShares]:
    first_step, first_context = int(case.base is Base.TIMESTEP), int(case.base is Base.CONTEXT)
    for number, name in enumerate(INPUTS):
        kind, slot = divmod(number, 2)
        by_step = counts[:, :, kind::2, slot, first_context:].sum((2, 3, 4))
        by_step[:, :first_step] = 0
        total = by_step.sum(1)
        if not total[WORDS]:
            continue
        narrow = (by_step[ZERO] + by_step[NARROW]) / np.maximum(by_step[WORDS], 1)
        share = total / total[WORDS]
        yield WordShares(
            input=name,
            steps=steps,
            base=case.base.value,
            lanes=case.lanes,
            width=case.narrowing.width,
            offset=case.narrowing.offset,
            zero=share[ZERO],
            narrow=share[NARROW],
            wide=share[WIDE],
            split=share[SPLIT],
            cycles=share[CYCLES],
            any_pairs=share[ANY_PAIRS],
            skipping=share[SKIPPING],
            narrow_by_timestep=[round(each, DIGITS) for each in narrow.tolist()],
        )
