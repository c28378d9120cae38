"""What the host prepares for every sub-block and timestep: a header, and gate, scale and shift of every channel.

Both travel through the port ``mod`` in beats of four fields of 16 bit, field 0 lowest: ``HEADER_BEATS`` beats of
header, then one beat per context and channel. The frame embedding comes through the same port. This is the one list of
what stands where: the hardware, the packing of host data (``cosim/pack.py``) and the tables of ``docs/interface.md``
are made from it.
"""

from typing import Any, NamedTuple

from radit.accel.config import FRAME_CHANNELS, BuildConfig, bits_for
from radit.accel.interfaces.memory_ports import ReadPort
from radit.accel.interfaces.signals import address, flag, word
from radit.model.formats import (
    BOUNDARY_BITS,
    CODE_LEVELS,
    EPS_BITS,
    GAIN_BITS,
    GATE_BITS,
    MOD_BITS,
    MULT_BITS,
    SHIFT_BITS,
    THRESHOLD_BITS,
    X_BITS,
)

FIELD_BITS = 16
BEAT_FIELDS = 4
BEAT_BITS = BEAT_FIELDS * FIELD_BITS
HEADER_BEATS = 8


class HeaderField(NamedTuple):
    """Where a header field starts: beat, field of the beat; its width (a wide one goes on in the next field)."""

    beat: int
    position: int
    bits: int
    meaning: str


def _boundary(level: int) -> HeaderField:
    beat, position = divmod(level - 1, BEAT_FIELDS)
    return HeaderField(
        1 + beat, position, BOUNDARY_BITS, f"CCU: lower end of level {level}, in eighths of an int8 step"
    )


HEADER_FIELDS = {
    "force": HeaderField(0, 0, 1, "every context computes"),
    "gate_shift": HeaderField(0, 1, SHIFT_BITS, "right shift of gate x branch, of sub-block s - 1"),
    "mod_shift": HeaderField(0, 2, SHIFT_BITS, "right shift of the product with the scale"),
    "threshold": HeaderField(0, 3, THRESHOLD_BITS, "DTSM: share of changed codes up to which a context reuses, Q0.16"),
    **{f"b{level}": _boundary(level) for level in range(1, CODE_LEVELS + 1)},
    "slope_gain": HeaderField(2, 3, GAIN_BITS, "damping of a forecast's slope, Q1.7"),
    "score_mult": HeaderField(3, 0, MULT_BITS, "requantization of scores: mantissa"),
    "score_shift": HeaderField(3, 1, SHIFT_BITS, "requantization of scores: shift"),
    "v_mult": HeaderField(3, 2, MULT_BITS, "requantization of V: mantissa"),
    "v_shift": HeaderField(3, 3, SHIFT_BITS, "requantization of V: shift"),
    "gain": HeaderField(4, 0, MULT_BITS, "softmax: scale of a token's O times the sum of its numerators, mantissa"),
    "gain_shift": HeaderField(4, 1, SHIFT_BITS, "softmax: the same, shift"),
    "h_shift": HeaderField(4, 2, SHIFT_BITS, "requantization after GELU: shift"),
    "bypass": HeaderField(4, 3, 1, "the input is not normalized: x itself is modulated; builds with text"),
    "eps": HeaderField(5, 0, EPS_BITS, "LayerNorm: epsilon, in units of x squared times D squared"),
    "follow": HeaderField(5, 2, 1, "contexts take the decision of sub-block s - 1, for s = 0 the plan's"),
    "plan": HeaderField(5, 3, 2, "the plan, of s = 0: bit 0 even contexts compute, bit 1 odd ones"),
    "frames": HeaderField(6, 0, 1, "the pass adds the frame embedding beside the branch; builds that add one"),
}
TEXT_FIELDS = ("bypass",)  # of builds with text
FRAME_FIELDS = ("frames",)  # of builds that add a frame embedding


def header_fields(config: BuildConfig) -> dict[str, HeaderField]:
    """The header fields that a build reads."""
    left_out = (() if config.max_text else TEXT_FIELDS) + (() if config.max_frames else FRAME_FIELDS)
    return {name: where for name, where in HEADER_FIELDS.items() if name not in left_out}


# The beat of one channel: field name -> position and bits. Scale and shift lie side by side in a word of their memory.
CHANNEL_FIELDS = {"gate": (0, GATE_BITS), "scale": (1, MOD_BITS), "shift": (2, MOD_BITS)}
MODULATION_BITS = 2 * MOD_BITS
# A word of the frame embedding is a beat: so many channels of a frame, the first one lowest, each as x has it.
FRAME_BITS = FRAME_CHANNELS * X_BITS


def channel_bounds(name: str) -> tuple[int, int]:
    """Lowest bit of a channel's field in its beat, and the one above its highest."""
    position, bits = CHANNEL_FIELDS[name]
    return position * FIELD_BITS, position * FIELD_BITS + bits


class SubBlockHeader:
    """The scalars of one sub-block and timestep; driven by ``conditioning``, stable from a pass's start to the next.

    One signal per entry of ``HEADER_FIELDS`` that the build reads, of its name, width and meaning.
    """

    def __init__(self, config: BuildConfig) -> None:
        for name, where in header_fields(config).items():
            setattr(self, name, word(where.bits))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a header has no field {name}")


class Loading:
    """The beat of a sub-block that comes in; driven by ``conditioning``.

    of_header: flag, it is one of the header; beat: 3 bit, its number there. of_channel: flag, it is one of a channel;
    addr: address, where its values go in the conditioning memories.
    """

    def __init__(self) -> None:
        self.of_header = flag()
        self.beat = word(bits_for(HEADER_BEATS))
        self.of_channel = flag()
        self.addr = address()


class ConditioningReads:
    """The conditioning memories, as the pass reads them.

    base: address, of context 0's channel 0 in the half that belongs to this pass; driven by ``conditioning``.
    gate: ReadPort of 16 bit, read by the pass.
    modulation: ReadPort of scale and shift, read by the pass.
    frame: ReadPort of ``FRAME_CHANNELS`` channels of the frame embedding, read by the pass, and frame_loads: flag, a
    word of it comes in, driven by ``conditioning``; builds that add one.
    """

    def __init__(self) -> None:
        self.base = address()
        self.gate = ReadPort(GATE_BITS)
        self.modulation = ReadPort(MODULATION_BITS)
        self.frame = ReadPort(FRAME_BITS)
        self.frame_loads = flag()
