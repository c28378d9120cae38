"""The products with weights of all kinds of sub-block: what distinguishes one from another, a row each.

The product sequencer runs any row; which products a sub-block consists of stands in
``accel/sequencers/sub_block_programs.py``.
"""

from typing import NamedTuple

from radit.accel.config import BuildConfig
from radit.accel.interfaces.array_ports import PRODUCT_BITS
from radit.accel.interfaces.signals import flag, word
from radit.accel.interfaces.tile_command import (
    FROM_A,
    FROM_HIDDEN,
    KIND_BITS,
    KIND_BRANCH,
    KIND_H,
    KIND_K,
    KIND_Q,
    KIND_V,
    SOURCE_BITS,
)

# Numbers of channels that a product may have, at its input or output.
HIDDEN, MLP = range(2)
# Where the requantization parameters of a product start among those of its sub-block.
AT_0, AT_HIDDEN, AT_TWICE_HIDDEN, AT_MLP = range(4)
# Which words lie side by side in the destination: those of a row tile, a supertile, or a token.
BY_ROW_TILE, BY_SUPERTILE, BY_TOKEN = range(3)

CHOICE_BITS = 2  # of a number of channels, a parameter start or a layout


class Product(NamedTuple):
    """One product with weights.

    Fields:
        outputs, depth: HIDDEN or MLP, output channels and K.
        params: where its parameters start, AT_*; a product of the header's parameters has none.
        source: memory of the tokens, FROM_A or FROM_HIDDEN.
        behind_q: 1: the tokens' words lie behind those of Q.
        kind: of the drained words, KIND_*.
        layout: of their memory, BY_*.
        swapped: 1: weights are the rows, tokens the columns, so that the drained words are rows of the transpose.
    """

    outputs: int
    depth: int
    params: int
    source: int
    behind_q: int
    kind: int
    layout: int
    swapped: int


PRODUCTS = {
    # outputs, depth, params, source, behind_q, kind, layout, swapped
    "q": Product(HIDDEN, HIDDEN, AT_0, FROM_A, 0, KIND_Q, BY_ROW_TILE, 0),
    "k": Product(HIDDEN, HIDDEN, AT_HIDDEN, FROM_A, 0, KIND_K, BY_SUPERTILE, 0),
    "v": Product(HIDDEN, HIDDEN, AT_0, FROM_A, 0, KIND_V, BY_TOKEN, 1),
    "projection": Product(HIDDEN, HIDDEN, AT_TWICE_HIDDEN, FROM_HIDDEN, 1, KIND_BRANCH, BY_SUPERTILE, 0),
    "fc1": Product(MLP, HIDDEN, AT_0, FROM_A, 0, KIND_H, BY_ROW_TILE, 0),
    "fc2": Product(HIDDEN, MLP, AT_MLP, FROM_HIDDEN, 0, KIND_BRANCH, BY_SUPERTILE, 0),
    "cross_projection": Product(HIDDEN, HIDDEN, AT_HIDDEN, FROM_HIDDEN, 1, KIND_BRANCH, BY_SUPERTILE, 0),
}
TEXT_PRODUCTS = ("cross_projection",)  # of builds with text, behind the others
PRODUCT_NUMBERS = {name: number for number, name in enumerate(PRODUCTS)}
assert len(PRODUCTS) <= 1 << PRODUCT_BITS


def built_products(config: BuildConfig) -> tuple[Product, ...]:
    """The rows of a build, by number."""
    return tuple(row for name, row in PRODUCTS.items() if config.max_text or name not in TEXT_PRODUCTS)


class ProductFacts:
    """The row of the product at work.

    Signals, all of them from the table, which follows ``LinearPort.product``; meanings and codes are those of
    ``Product``:
        outputs, depth, params, layout: ``CHOICE_BITS``.
        source: ``SOURCE_BITS``. kind: ``KIND_BITS``.
        behind_q, swapped: 1 bit.
    """

    def __init__(self) -> None:
        self.outputs = word(CHOICE_BITS)
        self.depth = word(CHOICE_BITS)
        self.params = word(CHOICE_BITS)
        self.source = word(SOURCE_BITS)
        self.behind_q = flag()
        self.kind = word(KIND_BITS)
        self.layout = word(CHOICE_BITS)
        self.swapped = flag()
