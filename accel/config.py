"""Build-time parameters: the array's shape and the size of every buffer.

Model dimensions are run-time registers (``accel/control/registers.py``); a build sets how large they may be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from radit.model.errors import UserError

FEWEST_LANES, MOST_LANES = 4, 128  # of either side of the array
MOST_PRODUCTS = 2  # of a cell and cycle
COUNTER_WIDTHS = (0, 32, 64)  # of an event counter, bits
FRAME_CHANNELS = 4  # of a word of the frame embedding, as many as a beat of conditioning has fields
MOST_TEXTS = 8  # contexts whose number of text tokens the registers hold


def log2_exact(value: int) -> int:
    """Logarithm of a power of two."""
    return value.bit_length() - 1


def is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0


def bits_for(count: int) -> int:
    """Width of an index below ``count`` (at least 1)."""
    return max(1, (count - 1).bit_length())


@dataclass(frozen=True)
class BuildConfig:
    """One build of the accelerator. Lanes are counted in elements, buffers in the model's dimensions."""

    rows: int = 16
    cols: int = 16
    max_hidden: int = 64
    max_mlp: int = 256
    max_tokens: int = 64  # per context
    max_contexts: int = 2
    max_sub_blocks: int = 12
    frame_banks: int = 1  # lanes of A and hidden memory that can be addressed apart (temporal attention)
    products: int = 1  # of a cell and cycle; 2: of an even and an odd input channel
    counters: int = 64  # bits of each event counter; 0: none, 32: the upper words read as 0
    max_text: int = 0  # text tokens of a context (cross-attention); 0: nothing of it is built
    max_frames: int = 0  # frames whose embeddings a pass adds; 0: nothing of it is built

    def __post_init__(self) -> None:
        for name in ("rows", "cols"):
            value = getattr(self, name)
            if not is_power_of_two(value) or not FEWEST_LANES <= value <= MOST_LANES:
                raise UserError(
                    f"array {name} is {value}; use a power of two from {FEWEST_LANES} to {MOST_LANES}, such as 16x16."
                )
        for name in ("max_hidden", "max_mlp", "max_tokens", "max_contexts", "max_sub_blocks"):
            if getattr(self, name) < 1:
                raise UserError(f"build parameter {name} is {getattr(self, name)}; give a positive number.")
        if not is_power_of_two(self.frame_banks) or self.frame_banks > self.wide:
            raise UserError(
                f"build parameter frame_banks is {self.frame_banks}; use a power of two up to {self.wide} lanes."
            )
        if not 1 <= self.products <= MOST_PRODUCTS:
            raise UserError(f"build parameter products is {self.products}; use 1 or 2 products of a cell and cycle.")
        if self.counters not in COUNTER_WIDTHS:
            raise UserError(f"build parameter counters is {self.counters}; use 64 or 32 bits, or 0 for none.")
        if self.max_text < 0:
            raise UserError(
                f"build parameter max_text is {self.max_text}; give the text tokens of a context, or 0 for a build "
                "without cross-attention."
            )
        if self.max_frames < 0:
            raise UserError(
                f"build parameter max_frames is {self.max_frames}; give the frames of a clip, or 0 for a build that "
                "adds no frame embedding."
            )
        if self.max_text and self.max_contexts > MOST_TEXTS:
            raise UserError(
                f"build parameter max_contexts is {self.max_contexts} with text; use at most {MOST_TEXTS}, or max_text "
                "of 0."
            )

    @property
    def wide(self) -> int:
        """W: lanes of the memories that serve both sides of the array."""
        return max(self.rows, self.cols)

    @property
    def part(self) -> int:
        """Lanes of the narrower side of the array."""
        return min(self.rows, self.cols)

    @property
    def bank(self) -> int:
        """Lanes of one bank of A and hidden memory."""
        return min(self.part, self.wide // self.frame_banks)

    @property
    def multipliers(self) -> int:
        """MACs of a cycle."""
        return self.rows * self.cols * self.products

    @property
    def shape(self) -> str:
        """The array as options name it: rows x columns, and x products where a cell has more than one."""
        sides = (self.rows, self.cols) if self.products == 1 else (self.rows, self.cols, self.products)
        return "x".join(map(str, sides))

    @property
    def half(self) -> BuildConfig:
        """What holds the even, or the odd, of pairs of channels: a build of one product and half of the channels."""
        halves = {"max_hidden": -(-self.max_hidden // 2), "max_mlp": -(-self.max_mlp // 2)}
        return replace(self, products=1, **halves)

    def steps(self, depth: int, first: int = 0) -> int:
        """Cycles that the array takes for ``depth`` channels from number ``first`` on: the pairs that they lie in."""
        return -(-(first + depth) // self.products) - first // self.products

    @property
    def max_supertiles(self) -> int:
        """Supertiles (W tokens) of all contexts."""
        return self.max_contexts * -(-self.max_tokens // self.wide)

    @property
    def max_row_tiles(self) -> int:
        """Row tiles (R tokens) of all contexts."""
        return self.max_supertiles * (self.wide // self.rows)

    @property
    def padded_tokens(self) -> int:
        """Tokens of one context, padded to whole supertiles."""
        return self.wide * -(-self.max_tokens // self.wide)

    @property
    def padded_text(self) -> int:
        """Text tokens of one context, padded to whole supertiles."""
        return self.wide * -(-self.max_text // self.wide)

    @property
    def padded_keys(self) -> int:
        """Keys of one context, tokens or text tokens, padded to whole supertiles."""
        return max(self.padded_tokens, self.padded_text)

    @property
    def a_depth(self) -> int:
        return self.max_hidden * self.max_supertiles

    @property
    def k_depth(self) -> int:
        return self.max_hidden * self.max_contexts * (self.padded_keys // self.wide)

    @property
    def hidden_depth(self) -> int:
        return max(self.max_mlp, 2 * self.max_hidden) * self.max_row_tiles

    @property
    def v_depth(self) -> int:
        return -(-self.max_hidden // self.wide) * self.max_contexts * self.padded_keys

    @property
    def x_depth(self) -> int:
        return self.max_hidden * self.max_row_tiles

    @property
    def job_depth(self) -> int:
        """Key slots of two attention jobs, scores or numerators: one is filled while the other is used."""
        return 2 * self.padded_keys

    @property
    def conditioning_depth(self) -> int:
        """Channels of all contexts for two sub-blocks: one in use, one being fetched."""
        return 2 * self.max_contexts * self.max_hidden

    @property
    def frame_depth(self) -> int:
        """Words of the frame embedding, ``FRAME_CHANNELS`` channels each."""
        return self.max_frames * -(-self.max_hidden // FRAME_CHANNELS)

    @property
    def weight_depth(self) -> int:
        """Words of the weight ring: two tiles of the deepest product, a power of two."""
        return 1 << (2 * max(self.max_mlp, self.max_hidden) - 1).bit_length()

    @property
    def param_depth(self) -> int:
        return max(3 * self.max_hidden, self.max_mlp + self.max_hidden)

    @property
    def branch_depth(self) -> int:
        """Words between the drain and the branch cache: four tiles of C columns."""
        return 1 << (4 * self.cols - 1).bit_length()

    @property
    def branch_room(self) -> int:
        """Unwritten branch words up to which another tile may start; the one before it may finish in that cycle."""
        return self.branch_depth - 2 * self.cols

    @property
    def fifo_credit(self) -> int:
        """Words of x that may be between the pass's read and its normalization."""
        return self.fifo_depth - 2

    @property
    def fifo_depth(self) -> int:
        """Words between the residual add and the normalization: one tile and the latency between them."""
        return 1 << (self.max_hidden + 2 * self.rows + 64 - 1).bit_length()
