"""The accelerator.

```
x memory -> residual add -> LayerNorm -> modulate -> CCU -> skip controller (DTSM)      residual_pass, skip_controller
               ^                            |                      |
        gate * branch                   A memory            compute | reuse              sequencer
               |                            v                      v
   A memory or branch cache <- drain <- MAC array <- attention engine | MLP engine      compute, attention, mlp
```

``timestep_sequencer`` alternates the pass and the engines; ``docs/interface.md`` is the contract with the host.
"""

from myhdl import ConcatSignal, Signal, always_comb, always_seq, block, intbv

from accel.array.array_front import Finish, OperandPorts
from accel.array.attention_engine import attention_engine
from accel.array.compute_core import compute_core
from accel.array.drain import Drained
from accel.array.mlp_engine import mlp_engine
from accel.array.product_sequencer import PRODUCT_BITS, linear_sequencer
from accel.cache.branch_cache import context_reader, history_writer
from accel.cache.cache_ports import cache_ports
from accel.config import BuildConfig, bits_for
from accel.control.conditioning import conditioning
from accel.control.cycle_accounts import Activity, classify_cycle
from accel.control.register_file import Events, RegisterValues, register_file
from accel.control.registers import ACCOUNT_BITS
from accel.control.skip_controller import skip_controller
from accel.control.timestep_sequencer import Progress, timestep_sequencer
from accel.interfaces.conditioning import SubBlockHeader
from accel.interfaces.memory_ports import ReadPort, WritePort
from accel.interfaces.signals import address, dim, flag
from accel.interfaces.streams import Stream
from accel.interfaces.tile_command import TileCommand
from accel.memory.on_chip import GroupRegisters, bank_addresses, narrow_memory, wide_memory
from accel.memory.weights import param_loader, weight_streamer
from accel.residual_pass.streaming_pass import PassPorts, residual_pass
from accel.trace import trace_taps
from model.formats import COUNT_BITS, ERROR_BITS, INT8_BITS, SLOPE_BITS, X_BITS


@block
def choose_group(at, regs, attention_runs, group):
    """The group registers of the block at work; no groups outside the attention engine."""

    @always_comb
    def choose():
        group.row_tiles.next = regs.group_row_tiles_even
        group.col_tiles.next = regs.group_col_tiles_even
        group.keys.next = regs.group_keys_even
        group.log_frames.next = regs.log_frames_even
        group.log_interleave.next = regs.log_interleave_even
        group.frame_stride.next = regs.frame_stride_even
        if at.odd_block:
            group.row_tiles.next = regs.group_row_tiles_odd
            group.col_tiles.next = regs.group_col_tiles_odd
            group.keys.next = regs.group_keys_odd
            group.log_frames.next = regs.log_frames_odd
            group.log_interleave.next = regs.log_interleave_odd
            group.frame_stride.next = regs.frame_stride_odd
        if not attention_runs:
            group.log_frames.next = 0

    return choose


@block
def a_memory(clk, passing, ports, reads, branch, group, events, config):
    """A memory, shared in time: the pass (branch out, input in) and the array (operands out, branch in)."""
    banks = config.wide // config.bank if config.frame_banks > 1 else 1
    apart = banks > 1
    bits = bits_for(config.a_depth)
    placed, natural, raddr = (Signal(intbv(0)[banks * bits :]) for _ in range(3))
    one = Signal(intbv(0)[bits:])
    zero = dim()
    copies = ConcatSignal(*[one] * banks) if apart else one
    BITS = bits
    read_enable = flag()
    data = Signal(intbv(0)[config.wide * INT8_BITS :])
    write = WritePort(config.rows * INT8_BITS)
    places = bank_addresses(
        reads.a.addr, reads.a_tile, zero, group, placed, banks, config.bank, log_parts=0, log_rows=0
    )

    @always_comb
    def cut():
        one.next = ports.a_read.addr[BITS:]
        zero.next = 0

    @always_comb
    def spread():
        natural.next = copies

    @always_comb
    def choose():
        if passing:
            read_enable.next = ports.a_read.enable
            raddr.next = natural
            write.enable.next = ports.a_write.enable
            write.addr.next = ports.a_write.addr
            write.part.next = ports.a_write.part
            write.data.next = ports.a_write.data
        else:
            read_enable.next = reads.a.enable
            raddr.next = placed
            write.enable.next = branch.enable
            write.addr.next = branch.addr
            write.part.next = branch.part
            write.data.next = branch.data

    bank = config.bank if apart else config.part
    memory = wide_memory(clk, write, read_enable, raddr, data, config.a_depth, bank, config, apart=apart)

    @always_comb
    def answer():
        ports.a_read.data.next = data
        reads.a.data.next = data
        events.a_reads_row.next = ports.a_read.enable or (reads.a.enable and not reads.a_as_col)
        events.a_reads_col.next = reads.a.enable and reads.a_as_col
        events.a_writes.next = write.enable

    return places, cut, spread, choose, memory, answer


@block
def engines(
    clk,
    aresetn,
    at,
    compute_start,
    engine_done,
    quiet,
    active,
    slots,
    softmax_done,
    group,
    regs,
    cmd,
    attending,
    attention_runs,
    activity,
    config,
):
    """Attention and MLP engine on the shared sequencer of the linear layers."""
    linear_start, linear_done, a_start, a_linear, m_start, m_linear, a_done, m_done = (flag() for _ in range(8))
    a_settles, m_settles = flag(), flag()
    product, a_product, m_product = (Signal(intbv(0)[PRODUCT_BITS:]) for _ in range(3))
    linear_cmd = TileCommand()
    linear = linear_sequencer(
        clk, aresetn, linear_start, product, linear_done, active, slots, at.offset, regs, linear_cmd, config
    )
    attention = attention_engine(
        clk, aresetn, a_start, a_done, quiet, a_linear, a_product, linear_done, linear_cmd, active, softmax_done,
        group, regs, cmd, attending, activity, a_settles, config,
    )  # fmt: skip
    mlp = mlp_engine(clk, aresetn, m_start, m_done, quiet, m_linear, m_product, linear_done, activity, m_settles)

    @always_comb
    def share():
        a_start.next = compute_start and at.attention
        m_start.next = compute_start and not at.attention
        linear_start.next = a_linear or m_linear
        engine_done.next = a_done or m_done
        attention_runs.next = at.attention
        activity.settles.next = a_settles or m_settles
        if a_linear:
            product.next = a_product
        else:
            product.next = m_product

    return linear, attention, mlp, share


@block
def count_events(
    ports,
    weight_write,
    param_write,
    mod_write,
    tile_moved,
    decided,
    cache_read,
    slope_read,
    cache_written,
    code_read,
    passing,
    running,
    events,
):
    """Connect the events that no unit reports by itself."""

    @always_comb
    def connect():
        events.cycles.next = running
        events.pass_cycles.next = passing
        events.residual_words.next = ports.residual
        events.norm_words.next = ports.a_write.enable
        events.rsqrt_tiles.next = tile_moved
        events.ccu_words.next = ports.ccu
        events.dtsm_ops.next = decided
        events.weight_writes.next = weight_write
        events.x_reads.next = ports.x_read.enable
        events.x_writes.next = ports.x_write.enable
        events.fifo_reads.next = ports.fifo_read
        events.fifo_writes.next = ports.fifo_write
        events.gate_reads.next = ports.gate.enable
        events.modulation_reads.next = ports.modulation.enable
        events.mod_writes.next = mod_write
        events.param_writes.next = param_write
        events.code_reads.next = code_read
        events.code_writes.next = ports.code_write.enable
        events.history_reads.next = ports.history_read
        events.cache_reads.next = cache_read
        events.slope_reads.next = slope_read
        events.cache_writes.next = cache_written
        events.x_in_words.next = ports.x_in
        events.x_out_words.next = ports.x_out
        events.residual_saturations.next = ports.residual_saturated
        events.norm_saturations.next = ports.norm_saturated
        events.modulate_saturations.next = ports.modulate_saturated

    return connect


@block
def radit_top(
    config: BuildConfig, clk, aresetn, reg_write, reg_addr, reg_wdata, reg_rdata, busy,
    m_weight_cmd, s_weight, m_mod_cmd, s_mod, m_param_cmd, s_param,
    m_cache_rd_cmd, s_cache_rd, m_prev_rd_cmd, s_prev_rd, m_hist_rd_cmd, s_hist_rd,
    m_cache_wr_cmd, m_cache_wr, m_hist_wr_cmd, m_hist_wr,
    s_x, m_x, trace,
):  # fmt: skip
    """All of it; every port is described in docs/interface.md."""
    regs, events, header = RegisterValues(), Events(), SubBlockHeader()
    at, group = Progress(), GroupRegisters()
    start, new_image, running, first_step = (flag() for _ in range(4))
    fetch, loaded, take, pass_begin, pass_start, pass_done, compute_start, write_history = (flag() for _ in range(8))
    any_computes, engine_done, writers_idle, history_idle, passing, with_history = (flag() for _ in range(6))
    decide, decided, attending, attention_runs, quiet, cache_room, code_read = (flag() for _ in range(7))
    weight_write, param_write, mod_write, cache_written, softmax_done, reuse, tile_moved = (flag() for _ in range(7))
    computes, reused, forecasts, slots, slots_before = (Signal(intbv(0)[config.max_contexts :]) for _ in range(5))
    slope, slope_before = (Signal(intbv(0)[SLOPE_BITS:]) for _ in range(2))
    all_contexts = Signal(intbv(0)[config.max_contexts :])
    activity, fetch_weights, account = Activity(), flag(), Signal(intbv(0)[ACCOUNT_BITS:])
    count, counted = (Signal(intbv(0)[COUNT_BITS:]) for _ in range(2))
    spent, error = (Signal(intbv(0)[ERROR_BITS:]) for _ in range(2))
    context_number, front_context, index, param_count, cond_base = dim(), dim(), dim(), dim(), address()
    ring_head, ring_tail = address(), address()
    history_at = address()
    history_start, follow, followed, compares, whole, latest_read, before_read = (flag() for _ in range(7))
    ports, reads, cmd = PassPorts(config), OperandPorts(config), TileCommand()
    finish, drained = Finish(cmd), Drained(config.rows)
    latest, before, x_out = (Stream(config.rows * X_BITS) for _ in range(3))
    param_read = ReadPort(64)
    branch, numerators = WritePort(config.rows * INT8_BITS), WritePort(config.rows * INT8_BITS)
    HALF = config.max_contexts * config.max_hidden
    CONTEXTS = config.max_contexts

    host = register_file(
        clk,
        aresetn,
        reg_write,
        reg_addr,
        reg_wdata,
        reg_rdata,
        regs,
        events,
        account,
        running,
        error,
        start,
        new_image,
    )
    sequence = timestep_sequencer(
        clk, aresetn, start, running, whole, fetch, loaded, take, pass_begin, pass_start, pass_done, any_computes,
        compute_start, engine_done, writers_idle, history_idle, fetch_weights, write_history, decided, reuse,
        header.force, header.follow, follow, followed, at, activity, regs,
    )  # fmt: skip

    @always_seq(clk.posedge, reset=aresetn)
    def remember():
        if new_image:
            first_step.next = 1
        elif running and at.last_pass and pass_done:
            first_step.next = 0
        if pass_begin:
            passing.next = 1
        elif pass_done:
            passing.next = 0

    @always_comb
    def derive():
        busy.next = running or start
        compares.next = regs.policy and not at.follows
        with_history.next = regs.policy and not first_step and not at.last_pass and not at.follows
        history_start.next = pass_start and regs.policy and not first_step and not at.last_pass and not at.follows
        whole.next = regs.policy and regs.stream_scope
        cond_base.next = 0
        if at.half:
            cond_base.next = HALF
        history_at.next = regs.history_base + at.offset
        all_contexts.next = 0
        for i in range(CONTEXTS):
            if regs.contexts > i:
                all_contexts.next[i] = 1

    # Conditioning, pass and decision.
    condition = conditioning(
        clk, aresetn, fetch, at.fetch_base, at.fetch_half, loaded, take, header, ports.gate, ports.modulation, regs,
        m_mod_cmd, s_mod, mod_write, config,
    )  # fmt: skip
    stream = residual_pass(
        clk, aresetn, pass_start, at.first_pass, at.last_pass, at.light, whole, compares, with_history, reused,
        forecasts, slope_before, front_context, decide, decided, pass_done, cond_base, header, ports, s_x, x_out,
        latest, before, s_hist_rd, count, context_number, tile_moved, activity, regs, config,
    )  # fmt: skip
    skip = skip_controller(
        clk, aresetn, pass_begin, at.first_pass, whole, regs.policy, decide, context_number, count, follow, followed,
        at.sub_block, header, new_image, front_context, decided, counted, reuse, slope, spent, error, computes, slots,
        reused, forecasts, slots_before, slope_before, any_computes, index, regs, config,
    )  # fmt: skip
    x_memory = narrow_memory(clk, ports.x_write, ports.x_read, config.x_depth)
    a_mem = a_memory(clk, passing, ports, reads, branch, group, events, config)

    # Engines and array.
    grouping = choose_group(at, regs, attention_runs, group)
    engine = engines(
        clk, aresetn, at, compute_start, engine_done, quiet, computes, slots, softmax_done, group, regs, cmd,
        attending, attention_runs, activity, config,
    )  # fmt: skip
    core = compute_core(
        clk, aresetn, start, attending, cmd, ring_head, ring_tail, param_count, cache_room, finish, reads, param_read,
        branch, drained, numerators, softmax_done, quiet, header, group, events, activity, config,
    )  # fmt: skip
    weights = weight_streamer(
        clk, aresetn, start, fetch_weights, at.weight_addr, at.weight_words, ring_head, ring_tail, reads.weight,
        m_weight_cmd, s_weight, weight_write, config,
    )  # fmt: skip
    params = param_loader(
        clk, aresetn, fetch_weights, at.param_addr, at.param_entries, param_count, param_read, m_param_cmd, s_param,
        param_write, config,
    )  # fmt: skip

    # Cache and code history.
    caching = cache_ports(
        clk, aresetn, whole, follow, pass_start, at, reused, forecasts, slots_before, finish, drained, cache_room,
        x_out, m_x, latest, before, latest_read, before_read, cache_written, writers_idle, regs,
        m_cache_rd_cmd, s_cache_rd, m_prev_rd_cmd, s_prev_rd, m_cache_wr_cmd, m_cache_wr, config,
    )  # fmt: skip
    history_read = context_reader(  # one slot
        clk, aresetn, history_start, all_contexts, slots, history_at, history_at, regs.sub_block_words,
        m_hist_rd_cmd, config,
    )  # fmt: skip
    history_start_write = flag()

    @always_comb
    def gate_history():
        history_start_write.next = write_history and compares

    history_write = history_writer(
        clk, aresetn, history_start_write, computes, history_at, regs.sub_block_words, ports.code_write, history_idle,
        m_hist_wr_cmd, m_hist_wr, code_read, config,
    )  # fmt: skip
    booking = classify_cycle(activity, at.attention, account)
    counting = count_events(
        ports,
        weight_write,
        param_write,
        mod_write,
        tile_moved,
        decided,
        latest_read,
        before_read,
        cache_written,
        code_read,
        passing,
        running,
        events,
    )
    taps = trace_taps(drained, numerators, ports, decided, index, counted, reuse, slope, spent, at, trace, config)
    return (
        host, sequence, remember, derive, condition, stream, skip, x_memory, a_mem, grouping, engine, core,
        weights, params, caching, history_read, gate_history, history_write, booking, counting, taps,
    )  # fmt: skip
