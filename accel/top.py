"""The accelerator.

```
x memory -> residual add -> LayerNorm -> modulate -> CCU -> skip controller (DTSM)      residual_pass, skip_controller
               ^                            |                      |
        gate * branch                   A memory            compute | reuse              timestep_sequencer
               |                            v                      v
   A memory or branch cache <- drain <- MAC array <- attention engine | MLP engine      compute_core, engines
```

``timestep_sequencer`` alternates the pass and the engines; ``docs/interface.md`` is the contract with the host.
"""

from myhdl import ConcatSignal, Signal, always_comb, block, intbv

from accel.array.array_front import Finish, OperandPorts
from accel.array.attention_engine import attention_engine
from accel.array.compute_core import compute_core
from accel.array.drain import Drained
from accel.array.mlp_engine import mlp_engine
from accel.array.product_sequencer import PRODUCT_BITS, linear_sequencer
from accel.cache.cache_reader import cache_reader
from accel.cache.cache_writer import cache_writer
from accel.cache.history_ports import history_ports
from accel.config import BuildConfig, bits_for
from accel.control.conditioning import conditioning
from accel.control.count_events import count_events
from accel.control.cycle_accounts import Activity, classify_cycle
from accel.control.register_file import Events, RegisterValues, register_file
from accel.control.registers import ACCOUNT_BITS
from accel.control.skip_controller import skip_controller
from accel.control.step_mode import step_mode
from accel.control.timestep_sequencer import timestep_sequencer
from accel.interfaces.conditioning import SubBlockHeader
from accel.interfaces.control import HostControl, Progress, StepMode, TimestepControl
from accel.interfaces.decisions import Decisions
from accel.interfaces.memory_ports import ReadPort, WritePort
from accel.interfaces.pass_ports import PassPorts
from accel.interfaces.signals import address, dim, flag, word
from accel.interfaces.tile_command import TileCommand
from accel.interfaces.top_ports import MemoryChannels
from accel.memory.on_chip import GroupRegisters, bank_addresses, narrow_memory, wide_memory
from accel.memory.weights import param_loader, weight_streamer
from accel.residual_pass.streaming_pass import residual_pass
from accel.trace import trace_taps
from model.formats import INT8_BITS, PARAM_BITS


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
def radit_top(config: BuildConfig, clk, aresetn, reg, busy, m, s, trace):
    """All of it; every port is described in docs/interface.md and in ``accel/interfaces/top_ports.py``."""
    channels = MemoryChannels(m, s)
    regs, header, host, control, mode = RegisterValues(), SubBlockHeader(), HostControl(), TimestepControl(), StepMode()
    progress, decisions, ports = Progress(), Decisions(config), PassPorts(config, s.x, channels.history_read.data)
    events, activity, account, code_read = Events(), Activity(), word(ACCOUNT_BITS), flag()
    group, cmd, reads = GroupRegisters(), TileCommand(), OperandPorts(config)
    finish, drained = Finish(cmd), Drained(config.rows)
    branch, numerators = WritePort(config.rows * INT8_BITS), WritePort(config.rows * INT8_BITS)
    param_read, param_count, ring_head, ring_tail = ReadPort(PARAM_BITS), dim(), address(), address()
    attending, attention_runs, softmax_done, quiet = (flag() for _ in range(4))

    host_side = register_file(
        clk=clk, aresetn=aresetn, reg=reg, busy=busy, host=host, regs=regs, events=events, account=account
    )
    sequencer = timestep_sequencer(
        clk=clk, aresetn=aresetn, host=host, mode=mode, control=control, decisions=decisions, header=header,
        progress=progress, activity=activity, regs=regs,
    )  # fmt: skip
    modes = step_mode(
        clk=clk, aresetn=aresetn, host=host, streaming_pass=control.streaming_pass, progress=progress, mode=mode,
        regs=regs,
    )  # fmt: skip
    condition = conditioning(
        clk=clk, aresetn=aresetn, control=control.conditioning, channel=channels.conditioning, header=header,
        reads=ports.conditioning, regs=regs, config=config,
    )  # fmt: skip
    streaming = residual_pass(
        clk=clk, aresetn=aresetn, control=control.streaming_pass, progress=progress, mode=mode, decisions=decisions,
        header=header, ports=ports, activity=activity, regs=regs, config=config,
    )  # fmt: skip
    skip = skip_controller(
        clk=clk, aresetn=aresetn, host=host, streaming_pass=control.streaming_pass, follow=control.follow,
        progress=progress, mode=mode, decisions=decisions, header=header, regs=regs, config=config,
    )  # fmt: skip
    x_memory = narrow_memory(clk=clk, write=ports.memories.x_write, read=ports.memories.x_read, depth=config.x_depth)
    a_mem = a_memory(clk, control.streaming_pass.running, ports.memories, reads, branch, group, events, config)
    grouping = choose_group(progress, regs, attention_runs, group)
    engine = engines(
        clk, aresetn, progress, control.engine.start, control.engine.done, quiet, decisions.computes.contexts,
        decisions.computes.slots, softmax_done, group, regs, cmd, attending, attention_runs, activity, config,
    )  # fmt: skip
    core = compute_core(
        clk, aresetn, host.start, attending, cmd, ring_head, ring_tail, param_count, control.write_back.cache_room,
        finish, reads, param_read, branch, drained, numerators, softmax_done, quiet, header, group, events, activity,
        config,
    )  # fmt: skip
    weights = weight_streamer(
        clk, aresetn, host.start, control.fetch.start, control.fetch.weight_addr, control.fetch.weight_words,
        ring_head, ring_tail, reads.weight, channels.weight.cmd, channels.weight.data, channels.weight.moves, config,
    )  # fmt: skip
    params = param_loader(
        clk, aresetn, control.fetch.start, control.fetch.param_addr, control.fetch.param_entries, param_count,
        param_read, channels.params.cmd, channels.params.data, channels.params.moves, config,
    )  # fmt: skip
    cache_reads = cache_reader(
        clk=clk, aresetn=aresetn, control=control, progress=progress, mode=mode, reuses=decisions.reuses,
        channels=channels, streams=ports.streams, regs=regs, config=config,
    )  # fmt: skip
    cache_writes = cache_writer(
        clk=clk, aresetn=aresetn, control=control, progress=progress, mode=mode, reuses=decisions.reuses,
        finish=finish, drained=drained, x_out=ports.streams.x_out, channels=channels, regs=regs, config=config,
    )  # fmt: skip
    history = history_ports(
        clk=clk, aresetn=aresetn, control=control, progress=progress, mode=mode, computes=decisions.computes,
        code_write=ports.memories.code_write, code_read=code_read, channels=channels, regs=regs, config=config,
    )  # fmt: skip
    booking = classify_cycle(activity=activity, attention=progress.attention, account=account)
    counting = count_events(
        host=host, streaming_pass=control.streaming_pass, ports=ports, channels=channels, decision=decisions.decision,
        code_read=code_read, events=events,
    )  # fmt: skip
    taps = trace_taps(
        drained=drained, numerators=numerators, ports=ports, decision=decisions.decision, progress=progress,
        trace=trace, config=config,
    )  # fmt: skip
    return (
        host_side, sequencer, modes, condition, streaming, skip, x_memory, a_mem, grouping, engine, core, weights,
        params, cache_reads, cache_writes, history, booking, counting, taps,
    )  # fmt: skip
