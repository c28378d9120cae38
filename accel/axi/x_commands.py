"""Commands for x: one per context, in the order in which the accelerator takes and gives it."""

from myhdl import always_comb, always_seq, block

from radit.accel.interfaces.signals import dim


@block
def walk_contexts(clk, aresetn, start, shape, cmd, idle):
    """On ``start`` (pulse) ask for the words of every context, which lie one after the other from address 0.

    shape: XShape. cmd: Command. idle: flag, all are asked for.
    """
    left = dim()

    @always_comb
    def drive():
        cmd.tvalid.next = left != 0
        cmd.tlen.next = shape.words
        idle.next = left == 0

    @always_seq(clk.posedge, reset=aresetn)
    def step():
        if start:
            cmd.taddr.next = 0
            if shape.words != 0:
                left.next = shape.contexts
        elif left != 0 and cmd.tready:
            cmd.taddr.next = cmd.taddr + shape.words
            left.next = left - 1

    return drive, step
