"""Attention engine: Q, K, V -> scores and values per head -> projection, on the shared array.

A sequencer over the two tile sequencers. Barriers wait for the drain where a product reads what the one before wrote.
"""

from myhdl import Signal, always_comb, always_seq, block, enum

from accel.array.attention_sequencer import attend_sequencer
from accel.array.product_sequencer import PRODUCT_K, PRODUCT_PROJECTION, PRODUCT_Q, PRODUCT_V
from accel.control.cycle_accounts import ATTEND, PROJECTION, QKV
from accel.interfaces.signals import flag
from accel.interfaces.tile_command import TileCommand, command_mux


@block
def attention_engine(
    clk,
    aresetn,
    start,
    done,
    quiet,
    linear_start,
    linear_product,
    linear_done,
    linear_cmd,
    active,
    softmax_done,
    group,
    regs,
    cmd,
    attending,
    activity,
    settles,
    config,
):
    """Run an attention sub-block: ``start`` and ``done`` are pulses.

    quiet: array and drain are empty. linear_*: the shared sequencer of the linear layers, whose commands pass
    through while attention proper does not run. attending: pulse at the start of attention proper. settles: a barrier.
    """
    phases = enum("IDLE", "MAKE_Q", "MAKE_K", "MAKE_V", "SETTLE", "ATTEND", "SETTLE_O", "PROJECT", "SETTLE_BRANCH")
    phase = Signal(phases.IDLE)
    attend_cmd = TileCommand()
    attend_start, attend_done, heads = flag(), flag(), flag()
    settle = flag()

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        linear_start.next = 0
        attend_start.next = 0
        done.next = 0
        settle.next = 0
        if phase == phases.IDLE:
            if start:
                linear_start.next = 1
                linear_product.next = PRODUCT_Q
                phase.next = phases.MAKE_Q
        elif phase == phases.MAKE_Q:
            if linear_done:
                linear_start.next = 1
                linear_product.next = PRODUCT_K
                phase.next = phases.MAKE_K
        elif phase == phases.MAKE_K:
            if linear_done:
                linear_start.next = 1
                linear_product.next = PRODUCT_V
                phase.next = phases.MAKE_V
        elif phase == phases.MAKE_V:
            if linear_done:
                settle.next = 1
                phase.next = phases.SETTLE
        elif phase == phases.SETTLE:
            if quiet and not settle:
                attend_start.next = 1
                phase.next = phases.ATTEND
        elif phase == phases.ATTEND:
            if attend_done:
                settle.next = 1
                phase.next = phases.SETTLE_O
        elif phase == phases.SETTLE_O:
            if quiet and not settle:
                linear_start.next = 1
                linear_product.next = PRODUCT_PROJECTION
                phase.next = phases.PROJECT
        elif phase == phases.PROJECT:
            if linear_done:
                settle.next = 1
                phase.next = phases.SETTLE_BRANCH
        elif phase == phases.SETTLE_BRANCH:
            if quiet and not settle:
                done.next = 1
                phase.next = phases.IDLE

    @always_comb
    def select():
        heads.next = phase == phases.ATTEND
        attending.next = attend_start

    @always_comb
    def tell():
        activity.attention_phase.next = QKV
        if phase == phases.ATTEND or phase == phases.SETTLE_O:
            activity.attention_phase.next = ATTEND
        elif phase == phases.PROJECT or phase == phases.SETTLE_BRANCH:
            activity.attention_phase.next = PROJECTION
        settles.next = phase == phases.SETTLE or phase == phases.SETTLE_O or phase == phases.SETTLE_BRANCH

    attend = attend_sequencer(
        clk, aresetn, attend_start, attend_done, active, softmax_done, group, regs, attend_cmd, activity, config
    )
    mux = command_mux(heads, linear_cmd, attend_cmd, cmd)
    return sequence, select, tell, attend, mux
