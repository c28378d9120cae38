"""All bridges and the AXI4 master that they share."""

from dataclasses import dataclass

from myhdl import ConcatSignal, Signal, always_comb, block

from radit.accel.axi.bus_config import BridgedPort, BusConfig
from radit.accel.axi.bus_ports import Burst
from radit.accel.axi.channels import read_channel, write_channel
from radit.accel.axi.read_bridge import read_bridge
from radit.accel.axi.write_bridge import write_bridge
from radit.accel.interfaces.signals import flag
from radit.accel.interfaces.streams import ReadChannel, Stream, WriteChannel


@dataclass(frozen=True)
class Bridged:
    """A port with its signals.

    Fields:
        port: what it is.
        channel: ReadChannel or WriteChannel.
        page: where its memory begins, in pages.
    """

    port: BridgedPort
    channel: ReadChannel | WriteChannel
    page: Signal

    def strobe_bits(self, bus: BusConfig) -> int:
        """Words of a beat, or 1."""
        return max(1, bus.data_bytes // self.port.word_bytes)


@block
def memory_side(clk, aresetn, bridge_resetn, m_axi, reads, writes, read_fault, write_fault, drain, idle, bus):
    """Connect ports that read and ports that write (lists of Bridged, by number) to ``m_axi``.

    bridge_resetn: reset of the bridges, when ``drain`` is quiet. read_fault, write_fault: Fault. drain: Drain. idle:
    flag, everything has come, is written and answered.
    """
    read_bursts, arrivals = [Burst(bus) for _ in reads], [Stream(bus.data_bits) for _ in reads]
    write_bursts, answered = [Burst(bus) for _ in writes], [flag() for _ in writes]
    beats = [Stream(bus.data_bits + each.strobe_bits(bus)) for each in writes]
    read_idle, write_idle = [flag() for _ in reads], [flag() for _ in writes]
    come, answered_all = flag(), flag()
    all_idle = ConcatSignal(come, *read_idle, *write_idle)
    WORKING = len(reads) + len(writes) + 1
    ALL = (1 << WORKING) - 1
    read_bridges = [
        read_bridge(
            clk=clk, aresetn=bridge_resetn, channel=each.channel, page=each.page, burst=read_bursts[i],
            beats_in=arrivals[i], idle=read_idle[i], word_bytes=each.port.word_bytes, bus=bus,
        )
        for i, each in enumerate(reads)
    ]  # fmt: skip
    write_bridges = [
        write_bridge(
            clk=clk, aresetn=bridge_resetn, channel=each.channel, page=each.page, burst=write_bursts[i],
            beats_out=beats[i], answered=answered[i], idle=write_idle[i], word_bytes=each.port.word_bytes, bus=bus,
        )
        for i, each in enumerate(writes)
    ]  # fmt: skip
    reading = read_channel(
        clk=clk, aresetn=aresetn, m_axi=m_axi, bursts=read_bursts, arrivals=arrivals, fault=read_fault,
        holds=drain.holds, idle=come, bus=bus,
    )  # fmt: skip
    writing = write_channel(
        clk=clk, aresetn=aresetn, m_axi=m_axi, bursts=write_bursts, beats=beats, answered=answered, fault=write_fault,
        holds=drain.holds, idle=answered_all, bus=bus,
    )  # fmt: skip

    @always_comb
    def report():
        idle.next = all_idle == ALL
        drain.quiet.next = come and answered_all

    return read_bridges, write_bridges, reading, writing, report
