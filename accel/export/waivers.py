"""What Verilator's lint may say about the exported Verilog, and why that is right: the only waivers there are.

``export`` writes them as ``waivers.vlt`` beside the Verilog; where an assignment cuts a value, each line is named. A
test lints several builds with them (``-Wall``, no other option) and fails on every other warning, on every waiver that
none of the builds needs, and on every line that is waived and cuts nothing.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from radit.accel.export.convert import TOP

WAIVERS_FILE = "waivers.vlt"
NARROWED = "WIDTHTRUNC"


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


@dataclass(frozen=True)
class Narrowing:
    """Assignments to narrower targets, found in the text: each is waived by the number of its line.

    Fields:
        target: pattern of the signal (* and ?).
        value: pattern of what is assigned.
        reason: why no bit of the value is lost, or why it may be.
    """

    target: str
    value: str
    reason: str

    def fits(self, target: str, value: str) -> bool:
        """Whether an assignment is one of these."""
        return fnmatchcase(target, self.target) and fnmatchcase(value, self.value)


def _widened(operator: str, reason: str) -> Waiver:
    return Waiver("WIDTHEXPAND", f"Operator {operator} expects *", reason)


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

_EXTENDED = "The value is extended by its sign, or by zeros where it has none, and stays the same."
_SUMS = "Operands are extended to the width of the target before they are added, so no carry is lost."
_COMPARED = "The narrower side is extended, and both sides have a sign or neither has: the values are compared."

WAIVERS = (
    *(_widened(operator, _EXTENDED) for operator in ("ASSIGN", "ASSIGNDLY", "ASSIGNW")),
    *(_widened(operator, _SUMS) for operator in ("ADD", "SUB")),
    *(_widened(operator, _COMPARED) for operator in ("EQ", "GT", "GTS")),
    _widened("SHIFTL", "The value is extended to the width of the target before it is shifted, so no bit is lost."),
    _widened("SHIFTR", "Extension before a shift to the right adds copies of the sign, or zeros, above the result."),
    _widened("NOT", "The value has a sign: the complement of the extended value is the extended complement."),
    Waiver(
        "CASEINCOMPLETE",
        "*",
        "State registers: the encodings beyond the last state are never assigned, and reset leads to the first.",
    ),
    _unused_bits("*addr", _WIDE_ADDRESS),
    _unused_bits("*_bank_address*_total", _WIDE_ADDRESS),
    _unused_bits("*_delay0_dst", _WIDE_ADDRESS),
    _unused_bits("*_read_factors0_gated_delay?_dst", _WIDE_ADDRESS),
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
    _unused("*_read_factors0_part", _SQUARE),
)


_ROUNDED = "Half of the last place was added and the sum shifted; limits before it, or the next line, keep it in range."
_LENGTH = "Words of one command: the limits of the registers keep them below 2**24, which the start checks."
_FITS = "The difference or sum is of values whose bounds keep it in the target; MyHDL's simulation raises where not."
_INDEX = "A loop counts in 32 bits; its bound fits in the target."

NARROWINGS = (
    Narrowing("*_gelu_lane*_activated", "*_gated_half >>> 1*", _ROUNDED),
    Narrowing("*_gelu_lane*_result", "*_half >>> 1*", _ROUNDED),
    Narrowing("*_gelu_lane*_entry", "*_magnitude >>> *", "The branch of magnitudes that lie in the table."),
    Narrowing("*_requant_lane*_narrow", "*_half >>> 1*", _ROUNDED),
    Narrowing("*_requant_lane*_wide", "*_half >>> 1*", _ROUNDED),
    Narrowing("*_recip_unit*_first_length", "(i + 1)", _INDEX),
    Narrowing("*_recip_unit*_up", "((?* - 1) - i)", _INDEX),
    Narrowing("*_softmax_lane*_down_*", "*_distance >>> *", "The branch of distances whose shift is at most MOST."),
    Narrowing("*_softmax_lane*_half", "*_shifted >>> * + 1)", _ROUNDED),
    Narrowing("*_context_walk*_last", "i", _INDEX),
    Narrowing("*_value_tile*_next_channel", "*_channel*_tile_first*", _FITS),
    Narrowing("*_value_tile*_tile_first", "*_channel}) & *", "A mask of few bits: the result is below the mask."),
    Narrowing("*_cmd_tlen", "*_port_words", _LENGTH),
    Narrowing("*_cmd_tlen", "*_cache_reader*_words", _LENGTH),
    Narrowing("*_cmd_tlen", "*_weight_words", _LENGTH),
    Narrowing("*_cmd_tlen", "*_key_count + *_value_count)", _LENGTH),
    Narrowing("*_size_prompt*_rows", "*", _FITS),
    Narrowing(
        "*_check_registers*_factor_list[[]*]", "*_rounded >>> *", "A register of 16 bits, rounded up and divided."
    ),
    Narrowing("*_modulate_lane*_act_?", "*_total >>> 1*", _FITS),
    Narrowing("*_modulate_lane*_act_half", "*_act_? >>> *", _ROUNDED),
    Narrowing("*_modulate_lane*_result", "*_half >>> 1*", _ROUNDED),
    Narrowing("*_residual_lane*_addend", "*_half >>> 1*", _ROUNDED),
    Narrowing("*_residual_lane*_limited", "*_total", "The branch that keeps a value within the target's limits."),
    Narrowing("*_reuse_lane*_result", "*_total >>> *", _ROUNDED),
    Narrowing("*_hold_and_root*_mant", "*_newton0_result[[]*", "Where the top bit is set, the next line saturates."),
    Narrowing("*_hold_and_root*_w", "*_product_3*", _FITS),
    Narrowing("*_normalize_lane*_centered", "*_raised - *", _FITS),
    Narrowing("*_normalize_lane*_result", "*_rounded >>> 1*", _ROUNDED),
    Narrowing("*_state_memory*_next_gap", "*_since", _FITS),
)
# Of the AXI wrapper alone.
AXI_WAIVERS = (_widened("LT", _COMPARED), _widened("LTE", _COMPARED))
_BURST = "Beats of one burst at most: the branch of what fits in it, or room for no more than the FIFO holds."
AXI_NARROWINGS = (
    Narrowing("*_lite_side*_host_addr", "(s_axil_a?addr >>> *", "The registers end below this address of the bus."),
    Narrowing("*_choose_burst?_counts[[]*]", "*_left", _BURST),
    Narrowing("*_bridge?_room", "*_room*_counts[[]*", _BURST),
    Narrowing("*_bridge?_ready", "*_ready*_counts[[]*", _BURST),
    Narrowing("*_channel?_chosen", "(* - i)", _INDEX),
    Narrowing("m_axi_a?len", "(*_count - 1)", "A burst has at most 256 beats, and AXI counts from 0."),
)
ASSIGNMENT = re.compile(r"^\s*(?:assign )?(\w+(?:\[\w+\])?) <?= (.+);$")
CONSTANT = re.compile(r"\(?-?[\d\w']*\d\)?$")


def narrowed_lines(verilog: str) -> dict[int, Narrowing]:
    """Lines of a top, from 1, whose assignment one of ``NARROWINGS`` is about."""
    found = {}
    for number, line in enumerate(verilog.splitlines(), 1):
        assignment = ASSIGNMENT.match(line)
        if assignment and not CONSTANT.match(assignment[2]):
            narrowing = next(
                (each for each in (*NARROWINGS, *AXI_NARROWINGS) if each.fits(assignment[1], assignment[2])), None
            )
            if narrowing is not None:
                found[number] = narrowing
    return found


def waiver_text(verilog: str, top: str = TOP) -> str:
    """The waivers of a top in Verilator's control file format. verilog: the text of the top."""
    lines = ["`verilator_config", f"// Accepted warnings of {top}.v and the reason of each."]
    for waiver in WAIVERS if top == TOP else (*WAIVERS, *AXI_WAIVERS):
        lines += ["", f"// {waiver.reason}"]
        lines.append(f'lint_off -rule {waiver.rule} -file "*{top}.v" -match "{waiver.match}"')
    numbers = narrowed_lines(verilog)
    for narrowing in dict.fromkeys(numbers.values()):
        lines += ["", f"// {narrowing.target}: {narrowing.reason}"]
        own = [number for number, each in numbers.items() if each is narrowing]
        lines += [f'lint_off -rule {NARROWED} -file "*{top}.v" -lines {number}' for number in own]
    return "\n".join(lines) + "\n"
