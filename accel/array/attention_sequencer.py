"""Sequencer of attention proper: scores and values, one job per context, head and query row tile.

Job i: score tiles (Q of the row tile against K of every column tile of the group), the softmax unit works on them
as they drain, then value tiles (numerators against V). The scores of job i+1 are issued before the values of job
i, so that the array works while the softmax unit does. Groups bound which keys a row tile meets.
"""

from myhdl import Signal, always_comb, always_seq, block, enum, intbv

from accel.config import log2_exact
from accel.interfaces.signals import address, dim, flag
from accel.interfaces.tile_command import FROM_HIDDEN, FROM_K, FROM_PROB, FROM_V, KIND_O, KIND_SCORE


@block
def attend_sequencer(clk, aresetn, start, done, active, softmax_done, group, regs, cmd, activity, config):
    """Emit the score and value tiles of a sub-block.

    start, done: pulses. active: bit per computing context. softmax_done: pulse per finished job. group:
    row_tiles, col_tiles of an attention group.
    """
    ROWS, COLS = config.rows, config.cols
    LOG_ROWS, LOG_COLS = log2_exact(ROWS), log2_exact(COLS)
    LOG_ROW_PARTS = log2_exact(config.wide) - LOG_ROWS
    LOG_COL_PARTS = log2_exact(config.wide) - LOG_COLS
    ROW_PART_MASK = (1 << LOG_ROW_PARTS) - 1
    COL_PART_MASK = (1 << LOG_COL_PARTS) - 1
    CONTEXTS = config.max_contexts
    KEY_DEPTH = config.padded_tokens  # the probability memory's half of a job

    phases = enum(
        "IDLE", "LOOK", "S_SPLIT", "S_MULTIPLY", "S_ADD", "S_OFFER", "NEXT_JOB", "AWAIT",
        "V_SPLIT", "V_RANGE", "V_MULTIPLY", "V_ADD", "V_OFFER", "V_ADVANCE", "CHOOSE",
    )  # fmt: skip
    phase = Signal(phases.IDLE)
    computes = flag()
    # The score job: ctx, head, row tile; its group's first column tile.
    ctx, head, row_tile, row_in_group, group_col, key_tile = (dim() for _ in range(6))
    head_channel = dim()
    context_rows, context_supers, context_tokens = (address() for _ in range(3))
    next_key, next_row, next_head, next_in_group, last_context = (dim() for _ in range(5))
    head_rows, head_supers, key_super, key_part = address(), address(), dim(), dim()
    # The job whose values are due.
    jobs_done, jobs_valued = (Signal(intbv(0)[2:]) for _ in range(2))  # modulo 4
    exhausted = flag()
    v_channel, v_end, v_row, v_part, v_tile = (dim() for _ in range(5))
    v_context_rows, v_tokens, v_base, v_dst = (address() for _ in range(4))
    v_first, v_next_tile, v_limit, v_count, v_wide, v_out = (dim() for _ in range(6))
    keys, v_super = dim(), dim()
    pending_channel, pending_row = dim(), dim()
    pending_rows, pending_tokens = address(), address()
    has_pending = flag()
    last_key = flag()

    @always_comb
    def look_up():
        computes.next = 0
        for i in range(CONTEXTS):
            if ctx == i and active[i]:
                computes.next = 1
        cmd.valid.next = phase == phases.S_OFFER or phase == phases.V_OFFER
        activity.awaits_softmax.next = phase == phases.AWAIT and jobs_done == jobs_valued

    @always_seq(clk.posedge, reset=aresetn)
    def count_jobs():
        if start:
            jobs_done.next = 0
        elif softmax_done:
            if jobs_done == 3:
                jobs_done.next = 0
            else:
                jobs_done.next = jobs_done + 1

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        done.next = 0
        if phase == phases.IDLE:
            if start:
                for i in range(CONTEXTS):
                    if active[i]:
                        last_context.next = i
                ctx.next = 0
                context_rows.next = 0
                context_supers.next = 0
                context_tokens.next = 0
                head.next = 0
                head_channel.next = 0
                row_tile.next = 0
                row_in_group.next = 0
                group_col.next = 0
                key_tile.next = 0
                keys.next = group.col_tiles << LOG_COLS
                jobs_valued.next = 0
                has_pending.next = 0
                exhausted.next = 0
                phase.next = phases.LOOK
        elif phase == phases.LOOK:
            if computes:
                phase.next = phases.S_SPLIT
            else:
                ctx.next = ctx + 1
                context_rows.next = context_rows + regs.row_tiles
                context_supers.next = context_supers + (regs.row_tiles >> LOG_ROW_PARTS)
                context_tokens.next = context_tokens + (regs.row_tiles << LOG_ROWS)
        elif phase == phases.S_SPLIT:
            v_tile.next = group_col + key_tile
            next_key.next = key_tile + 1
            next_row.next = row_tile + 1
            next_in_group.next = row_in_group + 1
            next_head.next = head + 1
            phase.next = phases.S_MULTIPLY
        elif phase == phases.S_MULTIPLY:
            head_rows.next = head_channel * regs.row_tiles_all
            head_supers.next = head_channel * regs.supertiles_all
            key_super.next = v_tile >> LOG_COL_PARTS
            key_part.next = v_tile & COL_PART_MASK
            last_key.next = next_key == group.col_tiles
            phase.next = phases.S_ADD
        elif phase == phases.S_ADD:
            cmd.row_source.next = FROM_HIDDEN
            cmd.row_base.next = head_rows + context_rows + row_tile
            cmd.row_step.next = regs.row_tiles_all
            cmd.row_part.next = 0
            cmd.dst_part.next = row_tile & ROW_PART_MASK
            cmd.col_source.next = FROM_K
            cmd.col_base.next = head_supers + context_supers + key_super
            cmd.col_step.next = regs.supertiles_all
            cmd.col_part.next = key_part
            cmd.k_len.next = regs.head_dim
            cmd.kind.next = KIND_SCORE
            cmd.last_use.next = 0
            cmd.param_base.next = 0
            cmd.cache_address.next = 0
            cmd.cache_other.next = 0
            cmd.a_tile.next = 0
            cmd.parity.next = 0
            cmd.col_first.next = 0
            cmd.col_count.next = COLS
            cmd.key_first.next = key_tile << LOG_COLS
            cmd.job_first.next = key_tile == 0
            cmd.job_last.next = last_key
            phase.next = phases.S_OFFER
        elif phase == phases.S_OFFER:
            if cmd.ready:
                if last_key:
                    key_tile.next = 0
                    phase.next = phases.NEXT_JOB
                else:
                    key_tile.next = next_key
                    phase.next = phases.S_SPLIT
        elif phase == phases.NEXT_JOB:
            # Hand the scored job to the value side, move on to the next one.
            v_channel.next = pending_channel
            v_row.next = pending_row
            v_context_rows.next = pending_rows
            v_tokens.next = pending_tokens
            pending_channel.next = head_channel
            pending_row.next = row_tile
            pending_rows.next = context_rows
            pending_tokens.next = context_tokens + (group_col << LOG_COLS)
            has_pending.next = 1
            row_tile.next = next_row
            row_in_group.next = next_in_group
            if next_in_group == group.row_tiles:
                row_in_group.next = 0
                group_col.next = group_col + group.col_tiles
            if next_row == regs.row_tiles:
                row_tile.next = 0
                row_in_group.next = 0
                group_col.next = 0
                head.next = next_head
                head_channel.next = head_channel + regs.head_dim
                if next_head == regs.heads:
                    head.next = 0
                    head_channel.next = 0
                    ctx.next = ctx + 1
                    context_rows.next = context_rows + regs.row_tiles
                    context_supers.next = context_supers + (regs.row_tiles >> LOG_ROW_PARTS)
                    context_tokens.next = context_tokens + (regs.row_tiles << LOG_ROWS)
                    if ctx == last_context:
                        exhausted.next = 1
            if has_pending:
                phase.next = phases.AWAIT
            else:
                phase.next = phases.CHOOSE
        elif phase == phases.AWAIT:
            if jobs_done != jobs_valued:
                if jobs_valued == 3:
                    jobs_valued.next = 0
                else:
                    jobs_valued.next = jobs_valued + 1
                phase.next = phases.V_SPLIT
        elif phase == phases.V_SPLIT:
            v_end.next = v_channel + regs.head_dim
            v_out.next = v_channel + regs.hidden
            phase.next = phases.V_RANGE
        elif phase == phases.V_RANGE:
            v_tile.next = v_channel >> LOG_COLS
            v_first.next = v_channel & (COLS - 1)
            v_dst.next = v_out * regs.row_tiles_all
            phase.next = phases.V_MULTIPLY
        elif phase == phases.V_MULTIPLY:
            v_next_tile.next = v_channel - v_first + COLS
            v_limit.next = v_end - v_channel
            v_count.next = COLS - v_first
            v_super.next = v_tile >> LOG_COL_PARTS
            v_part.next = v_tile & COL_PART_MASK
            phase.next = phases.V_ADD
        elif phase == phases.V_ADD:
            v_base.next = v_super * regs.tokens_all
            cmd.row_source.next = FROM_PROB
            cmd.row_step.next = 1
            cmd.row_part.next = 0
            cmd.col_source.next = FROM_V
            cmd.col_step.next = 1
            cmd.col_part.next = v_part
            cmd.k_len.next = keys
            cmd.kind.next = KIND_O
            cmd.dst_base.next = v_dst + v_context_rows + (v_row & ROW_PART_MASK)
            cmd.dst_step.next = regs.row_tiles_all
            cmd.dst_part.next = v_row & ROW_PART_MASK
            cmd.a_tile.next = v_row >> LOG_ROW_PARTS
            cmd.col_first.next = v_first
            if v_limit < v_count:
                cmd.col_count.next = v_limit
            else:
                cmd.col_count.next = v_count
            phase.next = phases.V_ADVANCE
        elif phase == phases.V_ADVANCE:
            cmd.col_base.next = v_base + v_tokens
            cmd.parity.next = jobs_valued[0] == 0  # jobs_valued already counts this job
            if jobs_valued[0]:
                cmd.row_base.next = 0
            else:
                cmd.row_base.next = KEY_DEPTH
            phase.next = phases.V_OFFER
        elif phase == phases.V_OFFER:
            if cmd.ready:
                v_channel.next = v_next_tile
                v_out.next = v_next_tile + regs.hidden
                if v_next_tile < v_end:
                    phase.next = phases.V_RANGE
                else:
                    phase.next = phases.CHOOSE
        elif phase == phases.CHOOSE:
            if not exhausted:
                phase.next = phases.LOOK
            elif has_pending:
                v_channel.next = pending_channel
                v_row.next = pending_row
                v_context_rows.next = pending_rows
                v_tokens.next = pending_tokens
                has_pending.next = 0
                phase.next = phases.AWAIT
            else:
                phase.next = phases.IDLE
                done.next = 1

    return look_up, count_jobs, sequence
