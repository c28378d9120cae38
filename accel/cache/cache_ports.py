"""The ports of the branch cache: who reads and writes them, and where the words lie.

Reused branches stream into the pass, drained branches of computed sub-blocks leave for the cache. Where whole timesteps
are reused, residual streams take their place, which the timestep's last pass reads or writes.
"""

from myhdl import always_comb, block

from accel.cache.branch_cache import branch_writer, context_reader, stream_joiner, stream_writer
from accel.interfaces.signals import address, flag
from accel.interfaces.streams import Command, Stream
from model.formats import INT8_BITS


@block
def cache_ports(
    clk, aresetn, whole, follow, pass_start, at, reused, forecasts, slots_before, finish, drained, room, x_out,
    m_x, latest, before, latest_read, before_read, written, idle, regs,
    m_cache_rd_cmd, s_cache_rd, m_prev_rd_cmd, s_prev_rd, m_cache_wr_cmd, m_cache_wr, config,
):  # fmt: skip
    """Read for the pass what its sub-block before reuses, write what was computed.

    whole: timesteps are reused, not branches. latest, before: Streams to the pass, R x 16 bit. x_out: what leaves the
    last pass, handed on to ``m_x``. latest_read, before_read, written: a word of a port moves. room: one more branch
    tile fits. idle: all written. at, regs: Progress, RegisterValues.
    """
    LANES = config.rows * INT8_BITS
    start, stream_start, caches_branches, branch_idle, stream_idle, branch_written = (flag() for _ in range(6))
    base, other, words = address(), address(), address()
    branch_words, stream_words = Stream(LANES), Stream(LANES)
    branch_cmd, stream_cmd = Command(), Command()

    @always_comb
    def place():
        stream_start.next = pass_start and at.last_pass and whole
        caches_branches.next = regs.policy and not whole
        if whole:
            start.next = pass_start and at.last_pass
            base.next = regs.cache_base
            other.next = regs.cache_base_other
            words.next = regs.sub_block_words + regs.sub_block_words
        else:
            start.next = follow or (pass_start and not at.follows)  # as soon as it is known what is wanted
            base.next = regs.cache_base + at.offset_before
            other.next = regs.cache_base_other + at.offset_before
            words.next = regs.sub_block_words

    latest_reader = context_reader(
        clk, aresetn, start, reused, slots_before, base, other, words, m_cache_rd_cmd, config
    )
    before_reader = context_reader(  # what came before the latest: in the other slot
        clk, aresetn, start, forecasts, slots_before, other, base, words, m_prev_rd_cmd, config
    )
    latest_join = stream_joiner(clk, aresetn, whole, s_cache_rd, latest, latest_read, config)
    before_join = stream_joiner(clk, aresetn, whole, s_prev_rd, before, before_read, config)

    branch_write = branch_writer(
        clk, aresetn, caches_branches, regs.cache_base, regs.cache_base_other, finish, drained, room, branch_idle,
        branch_cmd, branch_words, branch_written, config,
    )  # fmt: skip
    stream_write = stream_writer(
        clk, aresetn, whole, stream_start, regs.contexts, reused, slots_before, regs.cache_base, regs.cache_base_other,
        regs.sub_block_words, x_out, m_x, stream_idle, stream_cmd, stream_words, config,
    )  # fmt: skip

    @always_comb
    def share():
        branch_cmd.tready.next = m_cache_wr_cmd.tready and not whole
        stream_cmd.tready.next = m_cache_wr_cmd.tready and whole
        branch_words.tready.next = m_cache_wr.tready and not whole
        stream_words.tready.next = m_cache_wr.tready and whole
        if whole:
            m_cache_wr_cmd.taddr.next = stream_cmd.taddr
            m_cache_wr_cmd.tlen.next = stream_cmd.tlen
            m_cache_wr_cmd.tvalid.next = stream_cmd.tvalid
            m_cache_wr.tdata.next = stream_words.tdata
            m_cache_wr.tvalid.next = stream_words.tvalid
        else:
            m_cache_wr_cmd.taddr.next = branch_cmd.taddr
            m_cache_wr_cmd.tlen.next = branch_cmd.tlen
            m_cache_wr_cmd.tvalid.next = branch_cmd.tvalid
            m_cache_wr.tdata.next = branch_words.tdata
            m_cache_wr.tvalid.next = branch_words.tvalid

    @always_comb
    def tell():
        written.next = (stream_words.tvalid and stream_words.tready) or branch_written
        idle.next = branch_idle and stream_idle

    return (
        place, latest_reader, before_reader, latest_join, before_join, branch_write, stream_write, share, tell,
    )  # fmt: skip
