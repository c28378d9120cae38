"""Traffic with the cache of computed results and the code history, both in external memory."""

from myhdl import block

from radit.accel.cache.cache_reader import cache_reader
from radit.accel.cache.cache_writer import cache_writer
from radit.accel.cache.history_ports import history_ports


@block
def cache_traffic(clk, aresetn, control, progress, mode, decisions, results, ports, channels, events, regs, config):
    """Bring the pass what it reuses and compares with, take away what is computed.

    control: TimestepControl. results: ArrayResults. ports: PassPorts. channels: MemoryChannels.
    """
    reads = cache_reader(
        clk=clk, aresetn=aresetn, control=control, progress=progress, mode=mode, reuses=decisions.reuses,
        channels=channels, streams=ports.streams, regs=regs, config=config,
    )  # fmt: skip
    writes = cache_writer(
        clk=clk, aresetn=aresetn, control=control, progress=progress, mode=mode, reuses=decisions.reuses,
        finish=results.finish, drained=results.drained, streams=ports.streams, channels=channels, regs=regs,
        config=config,
    )  # fmt: skip
    history = history_ports(
        clk=clk, aresetn=aresetn, control=control, progress=progress, mode=mode, computes=decisions.computes,
        code_write=ports.memories.code_write, channels=channels, events=events, regs=regs, config=config,
    )  # fmt: skip
    return reads, writes, history
