"""Traffic with the code history: the codes of each context's last computed input, in external memory.

One read command per pass and context; after the decisions, the codes of every context that computes are written from
the code buffer, beside the engine's work.
"""

from myhdl import Signal, always_comb, always_seq, block, enum

from radit.accel.cache.context_reader import context_reader
from radit.accel.interfaces.memory_ports import ReadPort
from radit.accel.interfaces.signals import address, bit_set, dim, flag
from radit.accel.memory.on_chip import narrow_memory
from radit.model.formats import CODE_BITS


@block
def history_writer(clk, aresetn, start, computed, base, code_read, idle, channel, regs, config):
    """On ``start`` write the codes of every context in ``computed`` (bits) from the code buffer to the history.

    base: address of context 0's codes. code_read: ReadPort of the code buffer. idle: flag, all written.
    channel: WriteChannel. One word per two cycles, in the background.
    """
    CONTEXTS, words, cmd = config.max_contexts, regs.sub_block_words, channel.cmd
    phases = enum("IDLE", "LOOK", "ASK", "READ", "SEND")
    phase = Signal(phases.IDLE)
    ctx = dim()
    here = flag()
    code_addr, left = address(), address()

    @always_comb
    def look_up():
        here.next = 0
        for i in range(CONTEXTS):
            if ctx == i and computed[i]:
                here.next = 1
        cmd.tvalid.next = phase == phases.ASK
        cmd.taddr.next = code_addr
        cmd.tlen.next = words
        code_read.enable.next = phase == phases.READ
        channel.data.tvalid.next = phase == phases.SEND
        idle.next = phase == phases.IDLE and not start

    @always_seq(clk.posedge, reset=aresetn)
    def sequence():
        if phase == phases.IDLE:
            if start:
                ctx.next = 0
                code_addr.next = base
                code_read.addr.next = 0
                phase.next = phases.LOOK
        elif phase == phases.LOOK:
            left.next = words
            if ctx == CONTEXTS:
                phase.next = phases.IDLE
            elif here:
                phase.next = phases.ASK
            else:
                ctx.next = ctx + 1
                code_addr.next = code_addr + words
                code_read.addr.next = code_read.addr + words
        elif phase == phases.ASK:
            if cmd.tready:
                phase.next = phases.READ
        elif phase == phases.READ:
            phase.next = phases.SEND
        elif channel.data.tready:
            code_read.addr.next = code_read.addr + 1
            left.next = left - 1
            phase.next = phases.READ
            if left == 1:
                ctx.next = ctx + 1
                code_addr.next = code_addr + words
                phase.next = phases.LOOK

    return look_up, sequence


@block
def history_ports(clk, aresetn, control, progress, mode, computes, code_write, channels, events, regs, config):
    """Read the codes that the pass compares with, write those of the contexts that compute.

    control: TimestepControl. code_write: WritePort of the code buffer. channels: MemoryChannels, of which
    ``history_read`` and ``history_write``. events: Events, of which ``code_reads``.
    """
    CONTEXTS = config.max_contexts
    start_read, start_write = flag(), flag()
    all_contexts = bit_set(config.max_contexts)
    code_addr = address()
    code_read = ReadPort(config.rows * CODE_BITS)

    @always_comb
    def choose_traffic():
        start_read.next = control.streaming_pass.start and mode.with_history
        start_write.next = control.write_back.start_history and mode.compares
        code_addr.next = regs.history_base + progress.offset
        all_contexts.next = 0
        for i in range(CONTEXTS):
            if regs.contexts > i:
                all_contexts.next[i] = 1

    read = context_reader(  # the history has one slot
        clk=clk, aresetn=aresetn, start=start_read, wanted=all_contexts, in_other=all_contexts, base=code_addr,
        other=code_addr, words=regs.sub_block_words, cmd=channels.history_read.cmd, config=config,
    )  # fmt: skip
    write = history_writer(
        clk=clk, aresetn=aresetn, start=start_write, computed=computes.contexts, base=code_addr, code_read=code_read,
        idle=control.write_back.history_idle, channel=channels.history_write, regs=regs, config=config,
    )  # fmt: skip
    code_buffer = narrow_memory(clk=clk, write=code_write, read=code_read, depth=config.x_depth)

    @always_comb
    def hand_on_codes():
        channels.history_write.data.tdata.next = code_read.data
        events.code_reads.next = code_read.enable

    return choose_traffic, read, write, code_buffer, hand_on_codes
