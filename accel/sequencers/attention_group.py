"""The attention group of the block at work: the registers of even or of odd blocks."""

from myhdl import always_comb, block


@block
def select_group(progress, group, regs):
    """Drive ``group``, an AttentionGroup; outside attention no frames are told apart. Combinational.

    progress: Progress. regs: RegisterValues.
    """

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
