"""What runs of a model need of the memory, from its dimensions alone and from below, in bytes by what it is for.

`check_memory` (`model/limits.py`) refuses what does not fit before it is made. What is estimated is what is surely
there at the same time; temporary copies come on top.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from radit.model.dit.config import DiTConfig, check_guidance
from radit.model.dit.shapes import float_bytes
from radit.model.limits import check_memory
from radit.model.plain_text import one_line

FLOAT, DOUBLE = 4, 8
DECISION_BYTES = 1 + 8  # of a sub-block of a context: computed, and how many codes have changed
TABLES = 4  # of a product's channels: bias, mult, shift, after
VECTORS = 3  # of adaLN by sub-block
SMALLER = "use a smaller model, fewer images or fewer timesteps"

Parts = dict[str, int]


def of_integers(config: DiTConfig, steps: int) -> Parts:
    """The integer model at so many timesteps, the ranges that it comes from, and the float model beside it."""
    width, mlp = config.hidden_size, config.mlp_hidden
    constants = TABLES * DOUBLE * (3 * width + mlp + width)  # of q, k, o; FC1, FC2
    ranges = FLOAT * (8 * width + mlp)
    crosses = len(config.cross_sub_blocks)
    cross = (TABLES * DOUBLE * 2 + FLOAT * 4) * width  # of q and o; ranges of input, q and o
    return {
        "weights": float_bytes(config),
        "int8 weights": config.depth * width * (4 * width + 2 * mlp) + crosses * 2 * width**2,
        "constants of the timesteps": steps * (config.depth * (constants + ranges) + crosses * cross),
    }


def of_pass(config: DiTConfig, contexts: int, value: int) -> int:
    """Activations of one block for so many contexts: attention or MLP, whichever is larger; bytes of a value."""
    keys = max(config.frame_tokens, config.frames) if config.alternates else config.tokens
    attention = 4 * config.hidden_size + 2 * config.num_heads * keys
    return value * contexts * config.tokens * max(attention, config.hidden_size + 2 * config.mlp_hidden)


def of_calibration(config: DiTConfig, images: int, contexts: int) -> Parts:
    """A block of the float model on all images at a time, attention without its scores."""
    width = max(4 * config.hidden_size, 2 * config.mlp_hidden)
    return {"activations of the calibration": FLOAT * images * contexts * config.tokens * width}


def of_generation(
    config: DiTConfig, images: int, contexts: int, steps: int, at_a_time: int = 1, kept: int = 0
) -> Parts:
    """Images on the integer model.

    Args:
        at_a_time: images in work.
        kept: results that a skipping policy keeps of a context, each with the one before; 0: nothing is skipped.
    """
    working = min(images, at_a_time) * contexts
    stream, sub_blocks = config.tokens * config.hidden_size, config.sub_blocks
    keys = len(config.cross_sub_blocks) * config.context_tokens * config.hidden_size
    prompts = {"keys and values of prompts": 2 * working * keys} if keys else {}
    return prompts | {
        "images": 2 * FLOAT * images * math.prod(config.sample_shape),
        "decisions": DECISION_BYTES * images * contexts * steps * sub_blocks,
        "activations": of_pass(config, working, DOUBLE),
        "conditioning": VECTORS * DOUBLE * working * steps * sub_blocks * config.hidden_size,
        "cached results": working * stream * (2 * DOUBLE * kept + sub_blocks * (kept > 0)),
    }


def of_training(config: DiTConfig, batch: int) -> Parts:
    """Weights, their average, gradients and two moments; what every block of a batch keeps for the way back."""
    block = config.tokens * (9 * config.hidden_size + 2 * config.mlp_hidden)
    return {"weights and optimizer": 5 * float_bytes(config), "activations": FLOAT * batch * config.depth * block}


def check_comparison(
    model: str, config: DiTConfig, *, samples: int, steps: int, cfg: float, runs: int = 1, jobs: int = 1
) -> None:
    """Refuse runs on the same samples, compared with each other, that this machine has no memory for.

    Args:
        model: its name, for the sentence.
        runs: how many, the images of all of which are kept.
        jobs: processes, each of which has the model and the starting noise for itself.

    Raises:
        UserError: they do not fit, or the model cannot be guided.
    """
    check_guidance(config, cfg)
    processes, sample = min(jobs, runs * samples), FLOAT * math.prod(config.sample_shape)
    each = joined(of_integers(config, steps), of_generation(config, 1, 1 if cfg == 1.0 else 2, steps))
    parts = {name: processes * size for name, size in each.items()}
    parts["images"] += (runs + processes) * samples * sample
    check_memory(f"Model {one_line(model)} with {samples} samples", parts, f"{SMALLER}, or fewer jobs")


def joined(*several: Mapping[str, int]) -> Parts:
    """Everything together."""
    return {name: sum(parts.get(name, 0) for parts in several) for parts in several for name in parts}
