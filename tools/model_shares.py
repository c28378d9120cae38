"""How much of the blocks of today's models the machine would already run: the table of docs/models.md, from dimensions.

`python -m tools.model_shares` prints its rows. A model is a list of parts of its blocks, each with its MACs per forward
of one context and how far the machine has it:

- RUNS: in a sub-block that runs as it is: self-attention of one stream of tokens without rotations or norms on q and k,
  or two products with tanh GELU between, after a LayerNorm with shift and scale, before a gate; cross-attention to a
  text, without norms.
- PRODUCT: a product that the array has (tokens and weights, queries and keys, weights and values), in a sub-block that
  lacks something else: rotations, norms, a gate between the products.
- NEW: what the sequencers do not have: other weights for some tokens, linear attention, convolutions.

What is made once per image is not counted: keys and values of cross-attention, and the conditioning. Embeddings and the
last layer are the host's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

RUNS, PRODUCT, NEW = "runs", "product", "new"

Part = tuple[float, str]  # MACs of all blocks, and how far the machine has them


@dataclass(frozen=True)
class Model:
    """A model of the table.

    Fields:
        name: as the table calls it.
        parts: of its blocks.
    """

    name: str
    parts: tuple[Part, ...]

    def share(self, *levels: str) -> float:
        """Share of the MACs that the machine has so far."""
        return sum(macs for macs, level in self.parts if level in levels) / sum(macs for macs, _ in self.parts)

    @property
    def row(self) -> str:
        """The beginning of its row in docs/models.md."""
        return f"| {self.name} | {self.share(RUNS):.0%} | {self.share(RUNS, PRODUCT):.0%} |"


def attention(tokens: int, keys: int, width: int) -> float:
    """MACs of queries, keys, values, the output product, scores and averages."""
    return tokens * width * (4 * width + 2 * keys)


def mlp(tokens: int, width: int, hidden: int) -> float:
    """MACs of two products."""
    return 2 * tokens * width * hidden


def cross(tokens: int, keys: int, width: int) -> float:
    """MACs of queries and output of cross-attention, scores and averages."""
    return 2 * tokens * width * (width + keys)


def text_to_image(name: str, tokens: int, text: int, width: int = 1152) -> Model:
    """PixArt: self-attention, cross-attention, MLP."""
    parts = attention(tokens, tokens, width), cross(tokens, text, width), mlp(tokens, width, 4 * width)
    return Model(name, tuple((part, RUNS) for part in parts))


def two_streams(name: str, tokens: int, text: int, width: int, double: int, single: int = 0) -> Model:
    """Blocks of two streams with joint attention, then blocks of one stream whose attention and MLP are parallel."""
    both = tokens + text
    image = attention(tokens, tokens, width)
    rest = attention(both, both, width) - image + mlp(text, width, 4 * width)
    one = attention(both, both, width) + mlp(both, width, 4 * width)
    return Model(
        name,
        (
            (double * image, PRODUCT),
            (double * mlp(tokens, width, 4 * width), RUNS),
            (double * rest, NEW),
            (single * one, PRODUCT),
        ),
    )


def wan(name: str, width: int, hidden: int, tokens: int = 21 * 30 * 52, text: int = 512) -> Model:
    """Rotated self-attention, cross-attention, MLP."""
    attending = attention(tokens, tokens, width) + cross(tokens, text, width)
    return Model(name, ((attending, PRODUCT), (mlp(tokens, width, hidden), RUNS)))


def latte_with_text(name: str, frames: int = 16, tokens: int = 1024, text: int = 120, width: int = 1152) -> Model:
    """A spatial block with cross-attention, a temporal one without."""
    whole = frames * tokens
    plain = attention(whole, tokens, width) + attention(whole, frames, width) + 2 * mlp(whole, width, 4 * width)
    return Model(name, ((plain + cross(whole, text, width), RUNS),))


def cogvideo(name: str, width: int, tokens: int = 13 * 30 * 45, text: int = 226) -> Model:
    """Text and video in one stream, with norms on q and k and a modulation for each kind of token."""
    both = tokens + text
    return Model(name, ((attention(both, both, width) + mlp(both, width, 4 * width), PRODUCT),))


def sana(name: str, tokens: int = 1024, text: int = 300, width: int = 2240, head: int = 32) -> Model:
    """Linear attention, cross-attention, a gated MLP of 2.5 widths with a convolution of 3 x 3 in it."""
    hidden = int(2.5 * width)
    return Model(
        name,
        (
            (4 * tokens * width**2, PRODUCT),
            (2 * tokens * width * head, NEW),
            (cross(tokens, text, width), PRODUCT),
            (3 * tokens * width * hidden, PRODUCT),
            (9 * tokens * 2 * hidden, NEW),
        ),
    )


MODELS = (
    text_to_image("PixArt-alpha, 256", 256, 120),
    text_to_image("PixArt-alpha, 512", 1024, 120),
    text_to_image("PixArt-Sigma, 1024", 4096, 300),
    latte_with_text("Latte, text to video"),
    two_streams("Stable Diffusion 3 medium", 4096, 333, 1536, double=24),
    two_streams("Flux.1", 4096, 512, 3072, double=19, single=38),
    wan("Wan 2.1, 1.3B", 1536, 8960),
    wan("Wan 2.1, 14B", 5120, 13824),
    cogvideo("CogVideoX-2B", 1920),
    cogvideo("CogVideoX-5B", 3072),
    two_streams("HunyuanVideo", 33 * 45 * 80, 256, 3072, double=20, single=40),
    sana("Sana 1.6B"),
)


def rows() -> Iterator[str]:
    """The beginnings of the table's rows."""
    for model in MODELS:
        yield model.row


if __name__ == "__main__":
    print("\n".join(rows()))
