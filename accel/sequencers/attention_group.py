"""The attention group of the block at work: the registers of even or of odd blocks."""

from myhdl import always_comb, block

from radit.accel.config import log2_exact
from radit.accel.interfaces.array_ports import AttentionGroup
from radit.accel.interfaces.signals import DIM_BITS


@block
def select_group(progress, group, regs, config):
    """Drive ``group``, an AttentionGroup; outside attention no frames are told apart. Combinational.

    progress: Progress. regs: RegisterValues.
    """
    chosen = AttentionGroup() if config.max_text else group
    attention = attention_groups(progress=progress, group=chosen, regs=regs)
    if not config.max_text:
        return attention
    return attention, select_keys(progress=progress, attention=chosen, group=group, regs=regs, config=config)


@block
def select_keys(progress, attention, group, regs, config):
    """``group`` is ``attention``, or that of a cross-attention, and where its keys lie. Combinational."""
    LOG_WIDE = log2_exact(config.wide)
    LOG_ROW_PARTS = log2_exact(config.wide // config.rows)
    ALL_KEYS = (1 << DIM_BITS) - 1

    @always_comb
    def drive_group():
        group.row_tiles.next = attention.row_tiles
        group.col_tiles.next = attention.col_tiles
        group.keys.next = attention.keys
        group.log_frames.next = attention.log_frames
        group.log_interleave.next = attention.log_interleave
        group.frame_stride.next = attention.frame_stride
        if progress.crosses:
            group.row_tiles.next = regs.row_tiles
            group.keys.next = ALL_KEYS

    @always_comb
    def drive_keys():
        group.key_supers.next = regs.row_tiles >> LOG_ROW_PARTS
        group.key_supers_all.next = regs.supertiles_all
        group.key_tokens_all.next = regs.tokens_all
        if progress.crosses:
            group.key_supers.next = regs.text_supertiles
            group.key_supers_all.next = regs.text_supertiles_all
            group.key_tokens_all.next = regs.text_supertiles_all << LOG_WIDE

    return drive_group, drive_keys


@block
def attention_groups(progress, group, regs):
    """The registers of the block at work. Combinational."""

    @always_comb
    def drive_group():
        group.row_tiles.next = regs.group_row_tiles_even
        group.col_tiles.next = regs.group_col_tiles_even
        group.keys.next = regs.group_keys_even
        group.log_frames.next = regs.log_frames_even
        group.log_interleave.next = regs.log_interleave_even
        group.frame_stride.next = regs.frame_stride_even
        if progress.odd_block:
            group.row_tiles.next = regs.group_row_tiles_odd
            group.col_tiles.next = regs.group_col_tiles_odd
            group.keys.next = regs.group_keys_odd
            group.log_frames.next = regs.log_frames_odd
            group.log_interleave.next = regs.log_interleave_odd
            group.frame_stride.next = regs.frame_stride_odd
        if not progress.attention:
            group.log_frames.next = 0

    return drive_group
