"""What Verilator's lint may say about the exported Verilog, and why that is right: the only waivers there are.

``export`` writes them as ``waivers.vlt`` beside the Verilog. A test lints several builds with them (``-Wall``, no
other option) and fails on every other warning and on every waiver that none of the builds needs.
"""

from dataclasses import dataclass

WAIVERS_FILE = "waivers.vlt"


@dataclass(frozen=True)
class Waiver:
    """One accepted warning.

    Fields:
        rule: Verilator's name of the warning.
        match: pattern of its message (* and ?).
        reason: why the code is right as it is.
    """

    rule: str
    match: str
    reason: str


def _unused_bits(signal: str, reason: str) -> Waiver:
    return Waiver("UNUSEDSIGNAL", f"Bits of signal are not used: '{signal}'*", reason)


def _unused(signal: str, reason: str) -> Waiver:
    return Waiver("UNUSEDSIGNAL", f"Signal is not used: '{signal}'", reason)


_WIDE_ADDRESS = "Addresses have the width of the largest build; the memories of this build need only the lower bits."
_FRACTION = "Fixed point: the fraction below the rounded result is dropped here, the rounding bit added before."
_OUTPUT = "An output of a shared block that this instance does not need; the converter flattens, so it stays a signal."
_SQUARE = "The part of a word twice as wide as the array's other side; a square array has one part."
_ROOM = "The writer counts the words inside, or a pipeline's length bounds them: the FIFO always has room."
_HOLDS = "The word went in when its companion entered the pipeline, so it is there when that one leaves."

WAIVERS = (
    Waiver(
        "WIDTHEXPAND",
        "*",
        "MyHDL writes integer arithmetic without casts; a wider target extends the operands, which is what is meant.",
    ),
    Waiver(
        "WIDTHTRUNC",
        "*",
        "MyHDL writes integer arithmetic without casts. Its simulation raises an error where a value exceeds its "
        "target, unless that is declared to wrap; the co-simulation compares the Verilog's words with the reference.",
    ),
    Waiver(
        "CASEINCOMPLETE",
        "*",
        "State registers: the encodings beyond the last state are never assigned, and reset leads to the first.",
    ),
    _unused_bits("*addr", _WIDE_ADDRESS),
    _unused_bits("*_bank_address*_total", _WIDE_ADDRESS),
    _unused_bits("*_delay0_dst", _WIDE_ADDRESS),
    _unused_bits("*_read_operands0_gated_delay?_dst", _WIDE_ADDRESS),
    _unused_bits("*_rsqrt_unit0_*", _FRACTION),
    _unused_bits("*_recip_unit0_*", _FRACTION),
    _unused("*_walker?_position_*", _OUTPUT),
    _unused("*_level", _OUTPUT),
    _unused("*_stream_fifo*_src_tready", _ROOM),
    _unused("*_stream_fifo?_dst_tvalid", _HOLDS),
    _unused("*_forecast_valid", _HOLDS),
    _unused("*_score_softmax0_busy", _OUTPUT),
    _unused("*_score_softmax0_dst_last", _OUTPUT),
    _unused("*_hidden_part", "A write port names the part of a wide word; the hidden memory's words have one part."),
    _unused(
        "*_group_frame_stride", "A build without frame banks has no frames to step between; the host's register stays."
    ),
    _unused("*_operand_registers0_???_part", _SQUARE),
    _unused("*_read_operands0_gated_delay?_dst", _SQUARE),
)


def waiver_text(top: str = "radit_top") -> str:
    """The waivers of a top's Verilog in Verilator's control file format."""
    lines = ["`verilator_config", f"// Accepted warnings of {top}.v and the reason of each."]
    for waiver in WAIVERS:
        lines += ["", f"// {waiver.reason}"]
        lines.append(f'lint_off -rule {waiver.rule} -file "*{top}.v" -match "{waiver.match}"')
    return "\n".join(lines) + "\n"
