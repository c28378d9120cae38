"""Exact differences: the product is the plain one to the last bit, and words are what they are said to be."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from radit.model.differences.products import TileSums, difference_tile, kept_bytes, sum_bits
from radit.model.differences.words import (
    MOST_DIFFERENCE,
    WIDTHS,
    Narrowing,
    WordClass,
    classify,
    offsets,
    operands,
    order,
    tile_cycles,
)
from radit.model.errors import UserError
from radit.model.formats import ACC_BITS, INT8_MAX

NARROWINGS = [Narrowing(width, offset) for width in WIDTHS for offset in (False, True)]


def kinds_of(values: list[int], narrowing: Narrowing) -> WordClass:
    return WordClass(int(classify(torch.tensor(values)[:, None], narrowing)[0]))


def near(x: torch.Tensor, reach: int, generator: torch.Generator) -> torch.Tensor:
    """int8 values no further than reach from others, -127 .. 127."""
    return (x + torch.randint(-reach, reach + 1, x.shape, generator=generator)).clamp(-INT8_MAX, INT8_MAX)


@given(
    seed=st.integers(0, 2**32 - 1),
    lanes=st.sampled_from([1, 2, 4, 16]),
    depth=st.integers(1, 24),
    reach=st.sampled_from([0, 1, 3, 7, 8, 9, 15, 16, 40, 254]),
    narrowing=st.sampled_from(NARROWINGS),
    banked=st.booleans(),
    skip_zero=st.booleans(),
)
def test_differences_give_the_plain_product(seed, lanes, depth, reach, narrowing, banked, skip_zero):
    generator = torch.Generator().manual_seed(seed)
    base, weight = (torch.randint(-127, 128, (n, depth), generator=generator) for n in (lanes, 5))
    x = near(base, reach, generator)
    options = {"banked": banked, "skip_zero": skip_zero}
    first = difference_tile(base, weight, narrowing, **options)
    second = difference_tile(x, weight, narrowing, base, first, **options)
    assert torch.equal(first.total, base @ weight.T)
    assert torch.equal(second.total, x @ weight.T)
    kinds = classify(x - base, narrowing)
    assert (
        second.cycles
        == int(tile_cycles(kinds, **options))
        == len(order([WordClass(k) for k in kinds.tolist()], **options))
    )


@pytest.mark.parametrize("narrowing", NARROWINGS)
def test_the_widest_differences(narrowing):
    """9 bits: 127 after -127, and the other way round, beside values that do not move."""
    base = torch.tensor([[-127, 127, 0, 127], [127, -127, 0, 127]])
    x, weight = -base, torch.tensor([[127, -127, 127, -127], [-128, 127, 1, -1]])
    plain = base @ weight.T
    start = TileSums(plain, torch.zeros(2, dtype=torch.int64), 4)
    assert torch.equal(difference_tile(x, weight, narrowing, base, start).total, x @ weight.T)
    kind = kinds_of([MOST_DIFFERENCE, -MOST_DIFFERENCE], narrowing)
    assert kind is (WordClass.SPLIT if narrowing.width == 4 else WordClass.WIDE)


@pytest.mark.parametrize("narrowing", [n for n in NARROWINGS if not n.offset])
def test_the_edges_of_a_narrow_word(narrowing):
    half = 2 ** (narrowing.width - 1)
    assert kinds_of([-half, half - 1], narrowing) is WordClass.NARROW
    assert kinds_of([-half - 1, 0], narrowing) is kinds_of([half, 0], narrowing) is WordClass.WIDE
    assert kinds_of([0, 0], narrowing) is WordClass.ZERO
    assert kinds_of([-128, 127], narrowing) is WordClass.WIDE


@pytest.mark.parametrize("narrowing", [n for n in NARROWINGS if n.offset])
@pytest.mark.parametrize("low", [-254, -100, -9, 0, 77])
def test_an_offset_leaves_the_spread_of_a_word(narrowing, low):
    """Values that span 2**b numbers are narrow wherever they lie, those of one more are not."""
    span = 2**narrowing.width
    assert kinds_of([low, low + span - 1], narrowing) is WordClass.NARROW
    assert kinds_of([low, low + span], narrowing) is WordClass.WIDE
    d = torch.tensor([[low], [low + span - 1]])
    rest = d - offsets(d, narrowing)
    assert (int(rest.min()), int(rest.max())) == narrowing.narrow


def test_int8_is_split_beyond_eight_bits_only():
    narrowing = Narrowing(4)
    kinds = [kinds_of([value], narrowing) for value in (127, 128, -128, -129)]
    assert kinds == [WordClass.WIDE, WordClass.SPLIT, WordClass.WIDE, WordClass.SPLIT]


@pytest.mark.parametrize("narrowing", NARROWINGS)
def test_operands_fit_their_digits(narrowing):
    for value in range(-MOST_DIFFERENCE, MOST_DIFFERENCE + 1):
        rest = torch.tensor([value])
        kind = kinds_of([value], Narrowing(narrowing.width))
        parts = operands(rest, kind, narrowing)
        low, high = narrowing.wide if kind >= WordClass.WIDE else narrowing.narrow
        assert sum(int(part) for part in parts) == value and all(low <= int(part) <= high for part in parts)


def test_the_order_of_an_engine():
    z, n, w, s = WordClass
    kinds = [n, n, w, n, z, s, n, n, n]  # narrow: 0, 1, 3, 6, 7, 8, and 4, which is zero
    assert order(kinds) == [(0, 1), (4, 3), (6, 7), (8,), (2,), (5,), (5,)]
    assert order(kinds, skip_zero=True) == [(0, 1), (6, 3), (8, 7), (2,), (5,), (5,)]
    assert order(kinds, banked=False) == [(0, 1), (3, 4), (6, 7), (8,), (2,), (5,), (5,)]
    assert order([z, z], skip_zero=True) == [] and order([n, w, n]) == [(0,), (2,), (1,)]


def test_sums_need_no_more_bits_than_their_weights_say():
    weight = torch.tensor([[127] * 64, [1] * 64])
    assert sum_bits(weight) == 21 and kept_bytes(weight) == 3
    assert 127 * 127 * 64 < 2**20 <= 2 * 127 * 127 * 64
    assert kept_bytes(torch.full((1, 4608), 127)) == 4 and sum_bits(torch.full((1, 4608), -127)) < ACC_BITS
    assert sum_bits(torch.zeros(1, 3)) == 1


def test_what_does_not_fit_together_is_refused():
    x = torch.ones(1, 2, dtype=torch.int8)
    with pytest.raises(UserError, match="give both"):
        difference_tile(x, x, Narrowing(4), base=x)
    with pytest.raises(UserError, match="width is 7"):
        Narrowing(7)
