"""Independent count of what one product of one context does: array cycles, words, accesses to memories.

The formulas follow the data flow of ``docs/interface.md``; ``reports/cost/counts.py`` adds them up.
"""

from __future__ import annotations

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims


def ceil(value: int, step: int) -> int:
    """Quotient, rounded up."""
    return -(-value // step)


def input_product(dims: Dims, build: BuildConfig, outputs: int) -> dict[str, int]:
    """A x weights -> hidden memory: rows = tokens, ``outputs`` drained columns per row tile."""
    words = dims.row_tiles(build) * outputs
    cycles = ceil(outputs, build.cols) * dims.row_tiles(build) * build.steps(dims.hidden)
    return {
        "array_cycles": cycles,
        "a_reads_row": cycles,
        "weight_reads": cycles,
        "requant_words": words,
        "param_reads": words,
        "hidden_writes": words,
    }


def prompt(dims: Dims, build: BuildConfig, text: int) -> dict[str, int]:
    """Keys, R text tokens to a word, and values, R channels to a word, from the port into their memories."""
    keys, values = ceil(text, build.rows) * dims.hidden, text * ceil(dims.hidden, build.rows)
    return {"prompt_words": keys + values, "k_writes": keys, "v_writes": values}


def qkv(dims: Dims, build: BuildConfig) -> dict[str, int]:
    """Q and K: rows = tokens, D drained columns per row tile. V: rows = channels, columns = tokens."""
    one = input_product(dims, build, dims.hidden)
    row_words, row_cycles = one["requant_words"], one["array_cycles"]
    channel_tiles = ceil(dims.hidden, build.rows)
    v_words = channel_tiles * dims.padded_tokens(build)
    v_cycles = channel_tiles * dims.col_tiles(build) * build.steps(dims.hidden)
    return {
        "array_cycles": 2 * row_cycles + v_cycles,
        "a_reads_row": 2 * row_cycles,
        "a_reads_col": v_cycles,
        "weight_reads": 2 * row_cycles + v_cycles,
        "requant_words": 2 * row_words + v_words,
        "param_reads": 2 * row_words,
        "hidden_writes": row_words,
        "k_writes": row_words,
        "v_writes": v_words,
    }


def scores_and_values(dims: Dims, build: BuildConfig, keys: int) -> dict[str, int]:
    """Jobs: head x query row tile; each scores all ``keys``, of a group with the padded ones, then sums values."""
    jobs = dims.heads * dims.row_tiles(build)
    head_cycles = sum(build.steps(dims.head_dim, head * dims.head_dim) for head in range(dims.heads))
    score_cycles = head_cycles * dims.row_tiles(build) * ceil(keys, build.cols)
    score_words = jobs * keys
    value_cycles = value_tiles(dims, build) * dims.row_tiles(build) * build.steps(keys)
    value_words = dims.hidden * dims.row_tiles(build)
    return {
        "array_cycles": score_cycles + value_cycles,
        "hidden_reads": score_cycles,
        "k_reads": score_cycles,
        "prob_reads": value_cycles,
        "v_reads": value_cycles,
        "requant_words": score_words + value_words,
        "score_writes": score_words,
        "score_reads": score_words,
        "exp_words": score_words,
        "prob_writes": score_words,
        "recip_ops": jobs * build.rows,
        "hidden_writes": value_words,
    }


def value_tiles(dims: Dims, build: BuildConfig) -> int:
    """Channel tiles (C wide, aligned in 0 .. D) that overlap each head, summed over the heads."""
    first = [head * dims.head_dim for head in range(dims.heads)]
    return sum((start + dims.head_dim - 1) // build.cols - start // build.cols + 1 for start in first)


def projection(dims: Dims, build: BuildConfig) -> dict[str, int]:
    """O x weights -> branch in A memory."""
    return branch_product(dims, build, depth=dims.hidden)


def fc1(dims: Dims, build: BuildConfig) -> dict[str, int]:
    """A x weights -> GELU -> H in hidden memory."""
    counts = input_product(dims, build, dims.mlp)
    return counts | {"gelu_words": counts["requant_words"]}


def branch_product(dims: Dims, build: BuildConfig, depth: int) -> dict[str, int]:
    """Projection or FC2: ``depth`` hidden channels -> the branch, D words per row tile, in A memory."""
    cycles = ceil(dims.hidden, build.cols) * dims.row_tiles(build) * build.steps(depth)
    words = dims.sub_block_words(build)
    return {
        "array_cycles": cycles,
        "hidden_reads": cycles,
        "weight_reads": cycles,
        "requant_words": words,
        "param_reads": words,
        "a_writes": words,
    }
