"""Gates of a machine with differences, estimated from synthesized parts: NAND2 equivalents, memories left out.

The machine as it stands is a straight line through the two builds of docs/results/area.json, by lanes and by cells.
Cells of the array were synthesized by themselves, with their accumulator and drain register, without the drain's
multiplexer. What selects, compares and moves is taken to be as large as the part of the machine that does the like.
All of it is *modelled*.
"""

from __future__ import annotations

from collections.abc import Mapping

from radit.accel.config import BuildConfig
from radit.model.differences.words import BANKS, Narrowing
from radit.model.formats import ACC_BITS, INT8_BITS
from radit.reports.differences.tally import Base

# [C] docs/results/area.json, Yosys 0.23, osu018: everything but what only observes, at 16x16 and 64x64.
MACHINE_FIXED, MACHINE_LANE, MACHINE_CELL = 136_909.0, 40_060.2, 1287.3
CCU_LANE, CACHE_LANE, OPERAND_LANE = 392.3, 354.3, 481.4
# [C] Yosys 0.23, osu018, of one cell with one or two whole products of int8; and of as many pairs of digits of b bits,
# the second of 5 bits for b = 4, the first one of a wide word shifted by its column's weight, or behind its
# multiplier, whichever is smaller; in the offset row two products of 9 bits x int8.
WHOLE_CELL: Mapping[int, float] = {1: 1240.6, 2: 1901.2}
PAIR_CELL: Mapping[int, Mapping[int, float]] = {
    1: {4: 1469.1, 5: 1665.2, 6: 1877.0},
    2: {4: 2421.7, 5: 2637.5, 6: 3096.2},
}
OFFSET_CELL = 2038.3
LOAD_BIT = 2.5  # [U] a multiplexer before a bit of an accumulator, for sums that are loaded
SELECTORS = 2  # of words: behind the pass, and behind the drain


def machine_gates(build: BuildConfig) -> float:
    """Of the machine without differences."""
    return MACHINE_FIXED + MACHINE_LANE * build.rows + MACHINE_CELL * build.rows * build.cols


def difference_gates(build: BuildConfig, narrowing: Narrowing | None, bases: set[Base], products: int = 1) -> float:
    """What differences from these bases add, and cells of so many whole products.

    Cells: the wider one over the plain one; the offset row. Front: further words of operands on either side. Selection:
    a CCU lane per lane and selector, for differences another for the subtraction, for offsets two for the extremes.
    Kept sums: the lanes of the branch cache as often as a sum has bytes more, and a way into the accumulators.

    Args:
        narrowing: None: nothing is narrow.
    """
    rows, cols = build.rows, build.cols
    if narrowing is None:
        return (WHOLE_CELL[products] - WHOLE_CELL[1]) * rows * cols + OPERAND_LANE * rows * (products - 1)
    cells = (PAIR_CELL[products][narrowing.width] - WHOLE_CELL[1]) * rows * cols
    row = products * OFFSET_CELL * cols * narrowing.offset
    front = OPERAND_LANE * rows * (BANKS * products - 1)
    lanes = 1 + (bases != {Base.NONE}) + 2 * narrowing.offset
    selection = SELECTORS * rows * CCU_LANE * lanes
    kept = CACHE_LANE * rows * (ACC_BITS // INT8_BITS) + LOAD_BIT * ACC_BITS * rows * cols
    return cells + row + front + selection + kept * (Base.TIMESTEP in bases)
