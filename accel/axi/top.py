"""The accelerator as a part of an AXI system.

```
host -> s_axil -> lite_side -> host_registers -> registers of radit_top
                                    | base addresses, START                     irq ->
memories <- m_axi <- channels <- read_bridge, write_bridge <- ports of radit_top, x in and out
```

``docs/axi.md`` is the contract with the host; what the accelerator itself does is in ``docs/interface.md``.
"""

from myhdl import ResetSignal, always_comb, always_seq, block

from radit.accel.axi.bus_config import X_IN, X_OUT, bridged_ports, memories
from radit.accel.axi.bus_ports import Drain, Fault, HostAccess, XShape
from radit.accel.axi.host_registers import RunState, host_registers
from radit.accel.axi.lite_side import lite_side
from radit.accel.axi.memory_side import Bridged, memory_side
from radit.accel.axi.x_commands import walk_contexts
from radit.accel.config import bits_for
from radit.accel.interfaces.signals import flag, word
from radit.accel.interfaces.streams import Command, ReadChannel, WriteChannel
from radit.accel.interfaces.top_ports import RESET_CYCLES, TopPorts
from radit.accel.top import radit_top


@block
def radit_axi(config, bus, clk, aresetn, s_axil, m_axi, irq, trace):
    """``radit_top`` with AXI4 for its memories and x, AXI4-Lite for its registers; ports: ``AxiTopPorts``."""
    inner, core_resetn = TopPorts(config), ResetSignal(0, active=0, isasync=False)
    core = radit_top(
        config=config, clk=clk, aresetn=core_resetn, reg=inner.reg, busy=inner.busy, run=inner.run, m=inner.m,
        s=inner.s, trace=trace,
    )  # fmt: skip
    shell = axi_shell(
        clk=clk, aresetn=aresetn, core_resetn=core_resetn, inner=inner, s_axil=s_axil, m_axi=m_axi, irq=irq,
        config=config, bus=bus,
    )  # fmt: skip
    return core, shell


@block
def axi_shell(clk, aresetn, core_resetn, inner, s_axil, m_axi, irq, config, bus):
    """All but the accelerator. inner: TopPorts, its other side; core_resetn: the accelerator's reset."""
    host, run, shape, faults, awake = HostAccess(), RunState(), XShape(), (Fault(), Fault()), flag()
    x_in_cmd, x_out_cmd, memory_idle, drain = Command(), Command(), flag(), Drain()
    bridge_resetn = ResetSignal(0, active=0, isasync=False)
    pages = {memory: word(bus.page_bits) for memory in memories(config)}
    reads, writes = connect_ports(inner, x_in_cmd, x_out_cmd, pages, config)
    waking = wake(clk=clk, aresetn=aresetn, core_resetn=core_resetn, awake=awake)
    lite = lite_side(clk=clk, aresetn=aresetn, awake=awake, s_axil=s_axil, host=host)
    registers = host_registers(
        clk=clk, aresetn=aresetn, host=host, reg=inner.reg, run=run, fails=inner.run.fails, shape=shape, faults=faults,
        pages=pages, irq=irq, config=config, bus=bus,
    )  # fmt: skip
    memory = memory_side(
        clk=clk, aresetn=aresetn, bridge_resetn=bridge_resetn, m_axi=m_axi, reads=reads, writes=writes,
        read_fault=faults[0], write_fault=faults[1], drain=drain, idle=memory_idle, bus=bus,
    )  # fmt: skip
    draining = drain_memory(clk=clk, aresetn=aresetn, aborts=inner.run.aborts, bridge_resetn=bridge_resetn, drain=drain)
    running = watch_run(
        clk=clk, aresetn=aresetn, bridge_resetn=bridge_resetn, inner=inner, memory_idle=memory_idle, drain=drain,
        run=run, shape=shape, x_in_cmd=x_in_cmd, x_out_cmd=x_out_cmd,
    )  # fmt: skip
    return waking, lite, registers, memory, draining, running


def connect_ports(inner, x_in_cmd, x_out_cmd, pages, config):
    """The accelerator's ports, those that read and those that write, each with its memory."""
    commands = {X_IN: x_in_cmd, X_OUT: x_out_cmd}
    streams = {X_IN: inner.s.x, X_OUT: inner.m.x}

    def connect(port, channel, words):
        cmd = commands.get(port.name) or getattr(inner.m, f"{port.name}_cmd")
        return Bridged(port, channel(cmd, streams.get(port.name) or getattr(words, port.name)), pages[port.memory])

    reads = [connect(port, ReadChannel, inner.s) for port in bridged_ports(config, is_write=False)]
    writes = [connect(port, WriteChannel, inner.m) for port in bridged_ports(config, is_write=True)]
    return reads, writes


@block
def wake(clk, aresetn, core_resetn, awake):
    """Keep the accelerator in reset as long as it needs, however short ``aresetn`` was."""
    LAST = RESET_CYCLES
    waited = word(bits_for(RESET_CYCLES + 1))

    @always_seq(clk.posedge, reset=aresetn)
    def wait():
        core_resetn.next = waited == LAST
        awake.next = core_resetn
        if waited != LAST:
            waited.next = waited + 1

    return wait


@block
def drain_memory(clk, aresetn, aborts, bridge_resetn, drain):
    """When a timestep is ended early, let all bursts that were asked for come to their end, then empty the bridges."""

    @always_seq(clk.posedge, reset=aresetn)
    def hold():
        bridge_resetn.next = not (drain.holds and drain.quiet and not aborts)
        if aborts:
            drain.holds.next = 1
        elif not bridge_resetn:
            drain.holds.next = 0

    return hold


@block
def watch_run(clk, aresetn, bridge_resetn, inner, memory_idle, drain, run, shape, x_in_cmd, x_out_cmd):
    """Move x in and out with every timestep, and say when the last write has been answered. inner: TopPorts."""
    x_in_idle, x_out_idle, began = flag(), flag(), flag()
    core_busy, starts = inner.busy, inner.run.starts
    walk_in = walk_contexts(clk=clk, aresetn=bridge_resetn, start=starts, shape=shape, cmd=x_in_cmd, idle=x_in_idle)
    walk_out = walk_contexts(clk=clk, aresetn=bridge_resetn, start=starts, shape=shape, cmd=x_out_cmd, idle=x_out_idle)

    @always_comb
    def report():
        run.busy.next = core_busy or drain.holds or not memory_idle or not x_in_idle or not x_out_idle

    @always_seq(clk.posedge, reset=aresetn)
    def see_end():
        run.ended.next = began and not run.busy
        if starts:
            began.next = 1
        elif not run.busy:
            began.next = 0

    return walk_in, walk_out, report, see_end
