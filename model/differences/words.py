"""Which words of an operand are narrow: the selection behind a product with exact differences.

A word is what one side of the array takes in a cycle: R tokens of one input channel. ``d = x - base`` is taken value by
value; x and base are symmetric int8, so that d has 9 bits, -254 .. 254. With ``offset`` each word is shifted by one
number, ``c = (max + min + 1) >> 1`` over its tokens, which a row of cells of its own multiplies; otherwise c is 0. The
rest ``r = d - c`` decides:

    zero    all d are 0
    narrow  -2**(b-1) <= r < 2**(b-1)     two of them share a cycle, an even and an odd channel
    wide    -2**(2b-1) <= r < 2**(2b-1)   a cycle: both digits of b bits belong to the one word
    split   beyond, for b = 4 alone       two cycles, wide each

The base may be 0 (the values themselves), the first context's input at the same timestep, or the same context's when it
was last computed. Integers of any dtype that holds 10 bits; ties do not arise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from radit.model.errors import UserError
from radit.model.formats import INT8_BITS, INT8_MAX

WIDTHS = (4, 5, 6)
MOST_DIFFERENCE = 2 * INT8_MAX  # of two symmetric int8
BANKS = 2  # of channels, even and odd: each gives one word per cycle


class WordClass(IntEnum):
    """What a word of differences is, from the cheapest on."""

    ZERO, NARROW, WIDE, SPLIT = range(4)


@dataclass(frozen=True)
class Narrowing:
    """How words are narrowed.

    Fields:
        width: bits of a narrow value, two's complement.
        offset: each word is shifted by a number of its own first.

    Raises:
        UserError: the width is none of `WIDTHS`.
    """

    width: int
    offset: bool = False

    def __post_init__(self) -> None:
        if self.width not in WIDTHS:
            raise UserError(f"width is {self.width}: give {', '.join(map(str, WIDTHS))}, the bits of a narrow value.")

    @property
    def narrow(self) -> tuple[int, int]:
        """Least and greatest narrow value."""
        return -(1 << (self.width - 1)), (1 << (self.width - 1)) - 1

    @property
    def wide(self) -> tuple[int, int]:
        """Least and greatest value that a word of its own may hold: two digits; int8 always fits."""
        bits = max(2 * self.width, INT8_BITS)
        return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def offsets(d: Tensor, narrowing: Narrowing) -> Tensor:
    """The number c of each word, (.., K), of differences d (.., R, K)."""
    low, high = torch.aminmax(d, dim=-2)
    return (low + high + 1) >> 1 if narrowing.offset else torch.zeros_like(low)


def classify(d: Tensor, narrowing: Narrowing) -> Tensor:
    """Class of each word, (.., K) uint8 by `WordClass`, of differences d (.., R, K)."""
    low, high = torch.aminmax(d, dim=-2)
    zero = (low == 0) & (high == 0)
    if narrowing.offset:
        middle = (low + high + 1) >> 1
        low, high = low - middle, high - middle
    kinds = torch.full_like(low, WordClass.SPLIT, dtype=torch.uint8)
    for kind, (least, most) in ((WordClass.WIDE, narrowing.wide), (WordClass.NARROW, narrowing.narrow)):
        kinds[(low >= least) & (high <= most)] = kind
    kinds[zero] = WordClass.ZERO
    return kinds


def operands(rest: Tensor, kind: WordClass, narrowing: Narrowing) -> list[Tensor]:
    """What the array is given for a word: values (R,) whose sum is ``rest`` (R,), one for each of its cycles."""
    if kind is WordClass.SPLIT:
        first = rest.clamp(*narrowing.wide)
        return [first, rest - first]
    return [rest]


def tile_cycles(kinds: Tensor, banked: bool = True, skip_zero: bool = False) -> Tensor:
    """Cycles (..) of a tile whose words are of these kinds (.., K).

    Args:
        banked: a pair is of an even and an odd channel; otherwise of any two.
        skip_zero: zero words take no cycle; otherwise they are narrow.
    """
    narrow = kinds == WordClass.NARROW if skip_zero else kinds <= WordClass.NARROW
    alone = (kinds == WordClass.WIDE).sum(-1) + 2 * (kinds == WordClass.SPLIT).sum(-1)
    if banked:
        return torch.maximum(narrow[..., 0::2].sum(-1), narrow[..., 1::2].sum(-1)) + alone
    return (narrow.sum(-1) + 1) // 2 + alone


def order(kinds: list[WordClass], banked: bool = True, skip_zero: bool = False) -> list[tuple[int, ...]]:
    """The channels of each cycle of a tile, in the order in which an engine takes them.

    Narrow words first, two by two in ascending order of the channels of each bank, then those that are left over, then
    the wide words in ascending order; a split word comes twice.
    """
    fits = (WordClass.NARROW,) if skip_zero else (WordClass.ZERO, WordClass.NARROW)
    narrow = [k for k, kind in enumerate(kinds) if kind in fits]
    if banked:
        sides = [[k for k in narrow if k % BANKS == bank] for bank in range(BANKS)]
    else:
        sides = [narrow[0::2], narrow[1::2]]
    paired = min(map(len, sides))
    cycles: list[tuple[int, ...]] = list(zip(*(side[:paired] for side in sides), strict=True))
    cycles += [(k,) for side in sides for k in side[paired:]]
    for k, kind in enumerate(kinds):
        if kind >= WordClass.WIDE:
            cycles += [(k,)] * (2 if kind is WordClass.SPLIT else 1)
    return cycles
