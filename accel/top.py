"""The accelerator.

```
x memory -> residual add -> LayerNorm -> modulate -> CCU -> skip controller (DTSM)      residual_pass, skip_controller
               ^                            |                      |
        gate * branch                   A memory            compute | reuse              timestep_sequencer
               |                            v                      v
   A memory or branch cache <- drain <- MAC array <- tile commands <- programs          compute_core, engines
```

``timestep_sequencer`` alternates the pass and the engines; ``docs/interface.md`` is the contract with the host.
"""

from myhdl import ResetSignal, block

from radit.accel.array.compute_core import compute_core
from radit.accel.cache.cache_traffic import cache_traffic
from radit.accel.config import BuildConfig
from radit.accel.control.conditioning import conditioning
from radit.accel.control.count_events import count_events
from radit.accel.control.cycle_accounts import classify_cycle
from radit.accel.control.monitor import Monitor
from radit.accel.control.register_file import RegisterValues, register_file
from radit.accel.control.registers import ACCOUNT_BITS
from radit.accel.control.skip_controller import skip_controller
from radit.accel.control.step_mode import step_mode
from radit.accel.control.timestep_sequencer import timestep_sequencer
from radit.accel.interfaces.array_ports import ArrayInputs, ArrayResults, AttentionGroup, CoreControl
from radit.accel.interfaces.conditioning import SubBlockHeader
from radit.accel.interfaces.control import HostControl, Progress, StepMode, TimestepControl
from radit.accel.interfaces.decisions import Decisions
from radit.accel.interfaces.pass_ports import PassPorts
from radit.accel.interfaces.signals import word
from radit.accel.interfaces.tile_command import TileCommand
from radit.accel.interfaces.top_ports import MemoryChannels
from radit.accel.memory.a_memory import a_memory, pair_a_memory
from radit.accel.memory.on_chip import narrow_memory
from radit.accel.memory.prompt import prompt_loader
from radit.accel.memory.weights import param_loader, weight_streamer
from radit.accel.residual_pass.streaming_pass import residual_pass
from radit.accel.sequencers.attention_group import select_group
from radit.accel.sequencers.engines import engines
from radit.accel.trace import trace_taps


@block
def radit_top(config: BuildConfig, clk, aresetn, reg, busy, run, m, s, trace):
    """All of it; every port is described in docs/interface.md and in ``accel/interfaces/top_ports.py``."""
    channels = MemoryChannels(m, s, config)
    regs, header, host, control = RegisterValues(config), SubBlockHeader(config), HostControl(), TimestepControl()
    progress, mode, decisions = Progress(), StepMode(), Decisions(config)
    ports = PassPorts(config, s.x, channels.history_read.data)
    monitor, account, core_resetn = Monitor(), word(ACCOUNT_BITS), ResetSignal(0, active=0, isasync=False)
    group, core_control, cmd = AttentionGroup(), CoreControl(), TileCommand()
    inputs, results = ArrayInputs(config), ArrayResults(config)

    host_side = register_file(
        clk=clk, aresetn=aresetn, core_resetn=core_resetn, reg=reg, busy=busy, run=run, host=host, regs=regs,
        events=monitor.events, account=account, config=config,
    )  # fmt: skip
    sequencer = timestep_sequencer(
        clk=clk, aresetn=core_resetn, host=host, mode=mode, control=control, decisions=decisions, header=header,
        progress=progress, activity=monitor.activity, regs=regs, config=config,
    )  # fmt: skip
    modes = step_mode(
        clk=clk, aresetn=core_resetn, host=host, streaming_pass=control.streaming_pass, progress=progress, mode=mode,
        regs=regs,
    )  # fmt: skip
    condition = conditioning(
        clk=clk, aresetn=core_resetn, control=control.conditioning, channel=channels.conditioning, header=header,
        reads=ports.conditioning, regs=regs, config=config,
    )  # fmt: skip
    streaming = residual_pass(
        clk=clk, aresetn=core_resetn, control=control.streaming_pass, progress=progress, mode=mode, decisions=decisions,
        header=header, ports=ports, activity=monitor.activity, regs=regs, config=config,
    )  # fmt: skip
    skip = skip_controller(
        clk=clk, aresetn=core_resetn, host=host, streaming_pass=control.streaming_pass, follow=control.follow,
        progress=progress, mode=mode, decisions=decisions, header=header, regs=regs, config=config,
    )  # fmt: skip
    x_memory = narrow_memory(clk=clk, write=ports.memories.x_write, read=ports.memories.x_read, depth=config.x_depth)
    make_a_memory = a_memory if config.products == 1 else pair_a_memory
    a_mem = make_a_memory(
        clk=clk, passing=control.streaming_pass.running, pass_read=ports.memories.a_read,
        pass_write=ports.memories.a_write, operands=inputs.operands, branch=results.branch, group=group,
        events=monitor.events, config=config,
    )  # fmt: skip
    grouping = select_group(progress=progress, group=group, regs=regs, config=config)
    engine = engines(
        clk=clk, aresetn=core_resetn, control=control, core=core_control, progress=progress,
        computes=decisions.computes, group=group, cmd=cmd, activity=monitor.activity, regs=regs, config=config,
    )  # fmt: skip
    core = compute_core(
        clk=clk, aresetn=core_resetn, restart=host.start, control=core_control, cmd=cmd, inputs=inputs,
        cache_room=control.write_back.cache_room, results=results, header=header, group=group, monitor=monitor,
        config=config,
    )  # fmt: skip
    weights = weight_streamer(
        clk=clk, aresetn=core_resetn, restart=host.start, fetch=control.fetch, ring=inputs.weights,
        channel=channels.weight, config=config,
    )  # fmt: skip
    params = param_loader(
        clk=clk, aresetn=core_resetn, fetch=control.fetch, store=inputs.params, channel=channels.params, config=config
    )
    caching = cache_traffic(
        clk=clk, aresetn=core_resetn, control=control, progress=progress, mode=mode, decisions=decisions,
        results=results, ports=ports, channels=channels, events=monitor.events, regs=regs, config=config,
    )  # fmt: skip
    prompting = prompt_loader(
        clk=clk, aresetn=core_resetn, fetch=control.prompt, computes=decisions.computes, channels=channels,
        inputs=inputs, regs=regs, config=config,
    )  # fmt: skip
    booking = classify_cycle(activity=monitor.activity, account=account, config=config)
    counting = count_events(
        host=host, streaming_pass=control.streaming_pass, ports=ports, channels=channels, decision=decisions.decision,
        header=header, events=monitor.events, config=config,
    )  # fmt: skip
    taps = trace_taps(
        drained=results.drained, numerators=results.numerators, ports=ports, decision=decisions.decision,
        progress=progress, trace=trace, config=config,
    )  # fmt: skip
    return (
        host_side, sequencer, modes, condition, streaming, skip, x_memory, a_mem, grouping, engine, core, weights,
        params, caching, prompting, booking, counting, taps,
    )  # fmt: skip
