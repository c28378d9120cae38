"""Reading the cache of computed results: what the pass reuses, and what came before it where it is forecast.

One command per reused context, whose latest result then streams into the pass, and, where that is a forecast, one for
the result before it, from the other slot. Where whole timesteps are reused the results are residual streams: a word of
x is two words of the port, the lower lanes' first.
"""

from myhdl import always_comb, always_seq, block

from radit.accel.cache.context_reader import context_reader
from radit.accel.interfaces.signals import address, flag, word
from radit.model.formats import INT8_BITS, X_BITS


@block
def stream_joiner(clk, aresetn, joins, channel, dst, config):
    """Two words of ``channel`` make one of ``dst``; with ``joins`` low each word is the lower half of one."""
    HALF, FULL = config.rows * INT8_BITS, config.rows * X_BITS
    src = channel.data
    lower = word(HALF)
    held = flag()

    @always_comb
    def offer_word():
        if joins:
            dst.tvalid.next = held and src.tvalid
            src.tready.next = not held or dst.tready
        else:
            dst.tvalid.next = src.tvalid
            src.tready.next = dst.tready

    @always_comb
    def join_halves():
        dst.tdata.next[FULL:HALF] = src.tdata
        if joins:
            dst.tdata.next[HALF:] = lower
        else:
            dst.tdata.next[HALF:] = src.tdata

    @always_comb
    def report_move():
        if joins:
            channel.moves.next = src.tvalid and (not held or dst.tready)
        else:
            channel.moves.next = src.tvalid and dst.tready

    @always_seq(clk.posedge, reset=aresetn)
    def hold_lower():
        if joins and src.tvalid:
            if not held:
                lower.next = src.tdata
                held.next = 1
            elif dst.tready:
                held.next = 0

    return offer_word, join_halves, report_move, hold_lower


@block
def cache_reader(clk, aresetn, control, progress, mode, reuses, channels, streams, regs, config):
    """Read for the pass what it reuses of the sub-block before, or in the last pass of the timesteps before.

    control: TimestepControl. channels: MemoryChannels, of which ``cache_latest`` and ``cache_before``. streams:
    PassStreams, of which ``latest`` and ``before``.
    """
    latest, before = channels.cache_latest, channels.cache_before
    start = flag()
    base, other, words = address(), address(), address()

    @always_comb
    def place_results():
        if mode.stream_scope:
            start.next = control.streaming_pass.start and progress.last_pass
            base.next = regs.cache_base
            other.next = regs.cache_base_other
            words.next = regs.sub_block_words + regs.sub_block_words
        else:  # as soon as it is known what is wanted
            start.next = control.follow.start or (control.streaming_pass.start and not progress.follows)
            base.next = regs.cache_base + progress.offset_before
            other.next = regs.cache_base_other + progress.offset_before
            words.next = regs.sub_block_words

    read_latest = context_reader(
        clk=clk, aresetn=aresetn, start=start, wanted=reuses.contexts, in_other=reuses.slots, base=base, other=other,
        words=words, cmd=latest.cmd, config=config,
    )  # fmt: skip
    read_before = context_reader(  # in the other slot
        clk=clk, aresetn=aresetn, start=start, wanted=reuses.forecasts, in_other=reuses.slots, base=other, other=base,
        words=words, cmd=before.cmd, config=config,
    )  # fmt: skip
    join_latest = stream_joiner(
        clk=clk, aresetn=aresetn, joins=mode.stream_scope, channel=latest, dst=streams.latest, config=config
    )
    join_before = stream_joiner(
        clk=clk, aresetn=aresetn, joins=mode.stream_scope, channel=before, dst=streams.before, config=config
    )
    return place_results, read_latest, read_before, join_latest, join_before
