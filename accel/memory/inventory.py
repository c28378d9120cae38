"""Every on-chip memory of a build: the one list that the accounts of energy and area read.

Depths are those of ``accel/config.py``, from which the blocks make their memories; a test compares the list with the
converted design.
"""

from typing import NamedTuple

from radit.accel.config import BuildConfig
from radit.accel.interfaces.conditioning import MODULATION_BITS
from radit.model.formats import CODE_BITS, GATE_BITS, INT8_BITS, PARAM_BITS, WIDE_BITS, X_BITS


class OnChipMemory(NamedTuple):
    """Words, bits of a word, and bits of one access by R lanes (a part of a word, or all of it)."""

    depth: int
    bits: int
    access_bits: int

    @property
    def total_bits(self) -> int:
        return self.depth * self.bits


def on_chip_memories(config: BuildConfig) -> dict[str, OnChipMemory]:
    """Memories by the name that their event counters begin with (``accel/control/registers.py``)."""
    narrow, wide = config.rows * INT8_BITS, config.wide * INT8_BITS
    stream, codes, scores = config.rows * X_BITS, config.rows * CODE_BITS, config.rows * WIDE_BITS
    return {
        "a": OnChipMemory(config.a_depth, wide, narrow),
        "hidden": OnChipMemory(config.hidden_depth, narrow, narrow),
        "k": OnChipMemory(config.a_depth, wide, narrow),
        "v": OnChipMemory(config.v_depth, wide, narrow),
        "prob": OnChipMemory(config.job_depth, narrow, narrow),
        "score": OnChipMemory(config.job_depth, scores, scores),
        "weight": OnChipMemory(config.weight_depth, wide, wide),
        "x": OnChipMemory(config.x_depth, stream, stream),
        "fifo": OnChipMemory(config.fifo_depth, stream, stream),
        "gate": OnChipMemory(config.conditioning_depth, GATE_BITS, GATE_BITS),
        "modulation": OnChipMemory(config.conditioning_depth, MODULATION_BITS, MODULATION_BITS),
        "param": OnChipMemory(config.param_depth, PARAM_BITS, PARAM_BITS),
        "code": OnChipMemory(config.x_depth, codes, codes),
    }
