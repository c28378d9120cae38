"""Every on-chip memory of a build: the one list that the accounts of energy and area read.

Depths are those of ``accel/config.py``, from which the blocks make their memories; a test compares the list with the
converted design.
"""

from typing import NamedTuple

from radit.accel.config import BuildConfig
from radit.accel.interfaces.conditioning import FRAME_BITS, MODULATION_BITS
from radit.model.formats import CODE_BITS, GATE_BITS, INT8_BITS, PARAM_BITS, WIDE_BITS, X_BITS


class OnChipMemory(NamedTuple):
    """Words, bits of a word, and bits of one access by R lanes (a part of a word, or all of it).

    banks: of so many words each, for words that are read together.
    """

    depth: int
    bits: int
    access_bits: int
    banks: int = 1

    @property
    def bank_bits(self) -> int:
        """Of one bank, which an access reaches."""
        return self.depth * self.bits


def on_chip_memories(config: BuildConfig) -> dict[str, OnChipMemory]:
    """Memories by the name that their event counters begin with (``accel/control/registers.py``)."""
    narrow, wide, banks = config.rows * INT8_BITS, config.wide * INT8_BITS, config.products
    part = config if banks == 1 else config.half
    stream, codes, scores = config.rows * X_BITS, config.rows * CODE_BITS, config.rows * WIDE_BITS
    return {
        "a": OnChipMemory(part.a_depth, wide, narrow, banks),
        "hidden": OnChipMemory(part.hidden_depth, narrow, narrow, banks),
        "k": OnChipMemory(part.k_depth, wide, narrow, banks),
        "v": OnChipMemory(config.v_depth // banks, wide, narrow, banks),
        "prob": OnChipMemory(config.job_depth // banks, narrow, narrow, banks),
        "score": OnChipMemory(config.job_depth, scores, scores),
        "weight": OnChipMemory(config.weight_depth // banks, banks * wide, banks * wide),
        "x": OnChipMemory(config.x_depth, stream, stream),
        "fifo": OnChipMemory(config.fifo_depth, stream, stream),
        "gate": OnChipMemory(config.conditioning_depth, GATE_BITS, GATE_BITS),
        "modulation": OnChipMemory(config.conditioning_depth, MODULATION_BITS, MODULATION_BITS),
        **({"frame": OnChipMemory(config.frame_depth, FRAME_BITS, FRAME_BITS)} if config.max_frames else {}),
        "param": OnChipMemory(config.param_depth, PARAM_BITS, PARAM_BITS),
        "code": OnChipMemory(config.x_depth, codes, codes),
    }
