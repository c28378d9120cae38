"""MLP engine: FC1 with GELU -> FC2, on the shared array."""

from myhdl import Signal, always_comb, always_seq, block, enum

from accel.array.product_sequencer import PRODUCT_FC1, PRODUCT_FC2
from accel.control.cycle_accounts import FC1, FC2
from accel.interfaces.signals import flag


@block
def mlp_engine(clk, aresetn, start, done, quiet, linear_start, linear_product, linear_done, activity, settles):
    """Run an MLP sub-block: ``start`` and ``done`` are pulses; the barriers (``settles``) wait for ``quiet``."""
    phases = enum("IDLE", "EXPAND", "SETTLE_H", "CONTRACT", "SETTLE_BRANCH")
    phase = Signal(phases.IDLE)
    settle = flag()

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        linear_start.next = 0
        done.next = 0
        settle.next = 0
        if phase == phases.IDLE:
            if start:
                linear_start.next = 1
                linear_product.next = PRODUCT_FC1
                phase.next = phases.EXPAND
        elif phase == phases.EXPAND:
            if linear_done:
                settle.next = 1
                phase.next = phases.SETTLE_H
        elif phase == phases.SETTLE_H:
            if quiet and not settle:
                linear_start.next = 1
                linear_product.next = PRODUCT_FC2
                phase.next = phases.CONTRACT
        elif phase == phases.CONTRACT:
            if linear_done:
                settle.next = 1
                phase.next = phases.SETTLE_BRANCH
        elif phase == phases.SETTLE_BRANCH:
            if quiet and not settle:
                done.next = 1
                phase.next = phases.IDLE

    @always_comb
    def tell():
        activity.mlp_phase.next = FC1
        if phase == phases.CONTRACT or phase == phases.SETTLE_BRANCH:
            activity.mlp_phase.next = FC2
        settles.next = phase == phases.SETTLE_H or phase == phases.SETTLE_BRANCH

    return sequence, tell
