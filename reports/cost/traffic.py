"""External traffic by cause. The host's x streams are no memory traffic."""

from __future__ import annotations

from collections.abc import Mapping

from radit.accel.config import BuildConfig
from radit.accel.interfaces.conditioning import BEAT_BITS
from radit.model.formats import CODE_BITS, PARAM_BITS, X_BITS

STREAMS = ("x_in", "x_out")
PARAM_BYTES = PARAM_BITS // 8
BEAT_BYTES = BEAT_BITS // 8  # of conditioning


def external_bytes(counters: Mapping[str, int], build: BuildConfig) -> dict[str, int]:
    """Bytes by cause, from the words and beats of the counters."""
    rows = build.rows
    size = {
        "weights": ("weight_writes", build.wide * build.products),
        "parameters": ("param_writes", PARAM_BYTES),
        "conditioning": ("mod_writes", BEAT_BYTES),
        "branch_cache_read": ("cache_reads", rows),
        "branch_cache_previous_read": ("slope_reads", rows),
        "branch_cache_write": ("cache_writes", rows),
        "code_history_read": ("history_reads", rows * CODE_BITS // 8),
        "code_history_write": ("code_reads", rows * CODE_BITS // 8),
        **({"prompts": ("prompt_words", rows)} if build.max_text else {}),
        "x_in": ("x_in_words", rows * X_BITS // 8),
        "x_out": ("x_out_words", rows * X_BITS // 8),
    }
    return {cause: counters[counter] * word for cause, (counter, word) in size.items()}
