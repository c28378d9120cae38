"""Commands for the words of some contexts that lie one after the other in an external memory."""

from myhdl import Signal, always_comb, always_seq, block, enum

from radit.accel.interfaces.signals import address, dim, flag


@block
def context_reader(clk, aresetn, start, wanted, in_other, base, other, words, cmd, config):
    """On ``start`` ask for ``words`` words per context in ``wanted`` (bits), contexts lying one after the other.

    Everything stands still until the last command is taken.
    in_other: bits, contexts whose words are those that lie from ``other`` on, not from ``base`` on.
    """
    CONTEXTS = config.max_contexts
    phases = enum("IDLE", "LOOK", "ASK")
    phase = Signal(phases.IDLE)
    ctx = dim()
    here, elsewhere = flag(), flag()
    offset, first = address(), address()

    @always_comb
    def look_up():
        here.next = 0
        elsewhere.next = 0
        for i in range(CONTEXTS):
            if ctx == i:
                here.next = wanted[i]
                elsewhere.next = in_other[i]
        cmd.tvalid.next = phase == phases.ASK
        cmd.tlen.next = words

    @always_comb
    def choose_slot():
        if elsewhere:
            first.next = other
        else:
            first.next = base

    @always_comb
    def place_command():
        cmd.taddr.next = first + offset

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        if phase == phases.IDLE:
            if start:
                ctx.next = 0
                offset.next = 0
                phase.next = phases.LOOK
        elif phase == phases.LOOK:
            if ctx == CONTEXTS:
                phase.next = phases.IDLE
            elif here:
                phase.next = phases.ASK
            else:
                ctx.next = ctx + 1
                offset.next = offset + words
        elif phase == phases.ASK:
            if cmd.tready:
                ctx.next = ctx + 1
                offset.next = offset + words
                phase.next = phases.LOOK

    return look_up, choose_slot, place_command, sequence
