"""The rules of a FIFO and of the skip controller, as Verilog put before the module's end.

Of the FIFO no word is lost, doubled, changed or out of order. The skip controller's rules say when it may reuse: what
an entry (sub-block and context) has in memory is what its own last decision wrote, the result of the comparison with
the threshold is left open.
"""

from tests.formal.properties import CLOCKED, held
from tests.formal.units import BUILD, FIFO_DEPTH

CONTEXTS, ENTRIES = BUILD.max_contexts, BUILD.max_contexts * BUILD.max_sub_blocks
UNIT = "skip_controller0_dtsm_unit0"
SKIP_CUTS = (f"{UNIT}_made",)  # the multiplier's products may be anything


def fifo_rules() -> str:
    """Streams hold what waits; the n-th word out is the n-th word in; the level counts; nothing stays inside."""
    return (
        CLOCKED
        + held("assume", "src", "src_tvalid", "src_tready", {"src_tdata": 8})
        + held("assert", "dst", "dst_tvalid", "dst_tready", {"dst_tdata": 8})
        + f"""
(* anyconst *) reg [7:0] f_n; // of a word, counted from 0
reg [7:0] f_in = 0, f_out = 0, f_word, f_stuck = 0;
reg f_has = 0;
wire f_takes = src_tvalid && src_tready, f_gives = dst_tvalid && dst_tready;
always @(posedge clk) if (f_run) begin
    f_in <= f_in + f_takes;
    f_out <= f_out + f_gives;
    if (f_takes && f_in == f_n) begin f_word <= src_tdata; f_has <= 1; end
    f_stuck <= dst_tvalid || f_in == f_out ? 0 : f_stuck + 1;
end
always @* if (f_run) begin
    assert (level == f_in - f_out && level <= {FIFO_DEPTH});
    assert (src_tready == (level != {FIFO_DEPTH}));
    if (dst_tvalid) assert (f_out != f_in);
    if (dst_tvalid && f_out == f_n) assert (f_has && dst_tdata == f_word);
    assert (f_stuck < 2);
end
"""
    )


def skip_rules() -> str:
    """When a context may reuse, and what its decision may depend on."""
    return CLOCKED + _surroundings() + _shadow() + _decisions()


def _surroundings() -> str:
    """The pass and the sequencer ask for one decision, or one round of them, at a time; registers stand still."""
    fixed = {"policy": 1, "codes_total": 24, "streak_step": 9, "tight": 8, "loose": 8, "max_streak": 6, "slope_max": 11}
    text = "".join(f"(* anyconst *) reg [{bits - 1}:0] f_{name};\n" for name, bits in fixed.items())
    still = " && ".join(f"regs_{name} == f_{name}" for name in fixed)
    return (
        text
        + f"""
always @* assume ({still} && regs_contexts == {CONTEXTS});
wire f_done = decisions_decision_valid;
reg f_asks = 0, f_round = 0; // one decision, or a round of them, is under way
wire f_quiet = !f_asks && !f_round;
wire f_header = {{header_force, header_follow}} == f_was_flags && header_threshold == f_was_threshold
    && header_plan == f_was_plan && header_slope_gain == f_was_gain;
reg [1:0] f_was_flags, f_was_plan; reg [15:0] f_was_threshold, f_was_context, f_was_sub; reg [7:0] f_was_gain;
reg [23:0] f_was_count; reg f_was_first;
always @(posedge clk) begin
    f_asks <= f_run && (decisions_request_valid || f_asks && !f_done);
    f_round <= f_run && (follow_start || f_round && !follow_done);
    f_was_flags <= {{header_force, header_follow}}; f_was_threshold <= header_threshold; f_was_plan <= header_plan;
    f_was_gain <= header_slope_gain; f_was_context <= decisions_request_context; f_was_sub <= progress_sub_block;
    f_was_count <= decisions_request_count; f_was_first <= progress_first_pass;
end
always @* begin
    assume (decisions_request_context < {CONTEXTS} && progress_sub_block < {BUILD.max_sub_blocks});
    if (!f_run || !f_quiet || decisions_request_valid) assume (!follow_start);
    if (!f_run || !f_quiet) assume (!decisions_request_valid && !streaming_pass_begin);
    if (!f_run || !f_quiet || decisions_request_valid || follow_start) assume (!host_new_image);
    if (!f_quiet) assume (f_header && progress_sub_block == f_was_sub && progress_first_pass == f_was_first);
    if (f_asks) assume (decisions_request_context == f_was_context && decisions_request_count == f_was_count);
end
"""
    )


def _shadow() -> str:
    """Of every entry what its own decisions say: computed since the image began, reuses in a row, and what is kept."""
    fields = {"streak": 6, "last_count": 24, "average": 24, "gap": 6, "last_slot": 1}
    parts = [f"reg [{ENTRIES - 1}:0] f_computed = 0;"]
    parts += [f"reg [{bits - 1}:0] f_{name} [0:{ENTRIES - 1}];" for name, bits in fields.items()]
    compares = " && ".join(
        f"{UNIT}_{name} == (f_known ? f_{name}[f_entry] : 0)" for name in fields if name != "average"
    )
    return (
        "\n".join(parts)
        + f"""
wire [1:0] f_entry = decisions_decision_index[1:0];
wire f_known = f_computed[f_entry];
wire [5:0] f_row = f_known ? f_streak[f_entry] : 0;
wire [5:0] f_since = f_row == 63 ? 63 : f_row + 1;
always @(posedge clk) begin
    if (!f_run || host_new_image) f_computed <= 0;
    else if (f_done) f_computed[f_entry] <= 1;
    if (f_done) begin
        f_streak[f_entry] <= decisions_decision_reuse ? f_row + 1 : 0;
        f_last_count[f_entry] <= decisions_decision_reuse ? decisions_decision_counted : 0;
        f_average[f_entry] <= f_known ? {UNIT}_following : 0;
        f_gap[f_entry] <= decisions_decision_reuse ? {UNIT}_gap : f_known ? f_since : 0;
        f_last_slot[f_entry] <= {UNIT}_at_slot;
    end
end
// What the unit has read is of this entry, of this image.
always @* if (f_run && f_done) begin
    assert ({UNIT}_known == f_known && {compares});
    assert ({UNIT}_average == (f_known ? f_average[f_entry] : 0));
end
"""
    )


def _decisions() -> str:
    first = f"progress_sub_block * {CONTEXTS}"
    return f"""
wire f_allowed = f_known && !header_force && f_row < regs_max_streak;
wire [15:0] f_context = f_asks ? decisions_request_context : skip_controller0_take_turns0_own_turn;
wire f_led = progress_first_pass ? !header_plan[f_context[0]] : decisions_reuses_contexts[f_context[0]];
reg [15:0] f_turns = 0; // contexts of this round that have their decisions
reg f_after = 0, f_reused; reg [15:0] f_at; reg [{CONTEXTS - 1}:0] f_before; reg [7:0] f_age = 0;
always @(posedge clk) begin
    f_after <= f_run && f_done;
    f_turns <= f_round ? f_turns + f_done : 0;
    f_reused <= decisions_decision_reuse;
    f_at <= f_context;
    f_before <= decisions_computes_contexts;
    f_age <= f_quiet || f_done ? 0 : f_age + 1;
end
always @* if (f_run) begin
    if (f_done) begin
        assert (!f_quiet && decisions_decision_index == {first} + f_context && f_context < {CONTEXTS});
        if (decisions_decision_reuse) assert (f_known); // something was computed, in this image
        if (decisions_decision_reuse) assert (f_row < regs_max_streak);
        if (header_force) assert (!decisions_decision_reuse);
        if (header_follow) assert (decisions_decision_reuse == (f_allowed && f_led));
        if (!decisions_decision_reuse) assert (decisions_decision_slope == 0);
        assert ({UNIT}_at_slot == (decisions_decision_reuse ? f_last_slot[f_entry] : f_known && !f_last_slot[f_entry]));
    end
    if (f_done && f_round) assert (f_context == f_turns);
    if (follow_done) assert (f_round && f_turns == {CONTEXTS}); // none is left out
    assert (f_age < 14); // every question is answered
    // A decision changes the set of contexts that compute at its own place alone.
    if (f_after) assert (decisions_computes_contexts == (f_before & ~({CONTEXTS}'d1 << f_at[0]) | {{{CONTEXTS - 1}'b0,
        !f_reused}} << f_at[0]));
end
"""
