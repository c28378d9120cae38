"""The AXI4 master that all bridges share: addresses in the order of the ports, data by ID.

A port's AXI ID is its number, among reads or among writes. The lowest number is served first. Read data of several
ports may come interleaved and in any order of the IDs; each port's buffer has room for all that it asked for.
"""

from myhdl import ConcatSignal, always_comb, always_seq, block

from radit.accel.axi.bus_config import BYTE_BITS
from radit.accel.axi.bus_ports import BUFFERABLE, COUNT_BITS, DECODE_BIT, ERROR_BIT, INCREMENT, PORT_BITS
from radit.accel.interfaces.signals import bit_set, flag, word
from radit.accel.units.lanes import signal_list

OUTSTANDING_BITS = 16


@block
def choose_burst(bursts, take, chosen, beat, count, waiting):
    """The waiting burst of the lowest number, and its port's answer. Combinational.

    bursts: list of Burst. take: flag, it is taken. chosen: its number; beat, count: its own. waiting: flag, there is
    one.
    """
    COUNT = len(bursts)
    LAST = COUNT - 1
    valid, ready = bit_set(COUNT), bit_set(COUNT)
    joined = ConcatSignal(*(burst.valid for burst in reversed(bursts)))
    beats, counts = [burst.beat for burst in bursts], [burst.count for burst in bursts]
    answers = [answer_burst(ready=ready, burst=burst, number=number) for number, burst in enumerate(bursts)]

    @always_comb
    def join():
        valid.next = joined
        waiting.next = joined != 0

    @always_comb
    def choose():
        chosen.next = 0
        for i in range(COUNT):
            if valid[LAST - i]:
                chosen.next = LAST - i

    @always_comb
    def show():
        beat.next = beats[0]
        count.next = counts[0]
        for i in range(COUNT):
            if chosen == i:
                beat.next = beats[i]
                count.next = counts[i]

    @always_comb
    def answer():
        ready.next = 0
        for i in range(COUNT):
            if chosen == i and take:
                ready.next[i] = 1

    return answers, join, choose, show, answer


@block
def answer_burst(ready, burst, number):
    NUMBER = number

    @always_comb
    def pick():
        burst.ready.next = ready[NUMBER]

    return pick


@block
def read_channel(clk, aresetn, m_axi, bursts, arrivals, fault, holds, idle, bus):
    """Ask for the bursts, hand each beat to its port.

    m_axi: AxiMaster. bursts: list of Burst, arrivals: list of Stream, by port. fault: Fault, one cycle after the beat.
    holds: flag, no burst is to be asked for. idle: flag, all bursts have come.
    """
    LOG = bus.log_bytes
    chosen, beat, count, waiting, take = word(PORT_BITS), word(bus.beat_bits), word(COUNT_BITS), flag(), flag()
    outstanding = word(OUTSTANDING_BITS)
    ends = flag()
    choice = choose_burst(bursts=bursts, take=take, chosen=chosen, beat=beat, count=count, waiting=waiting)
    arriving = [arrive(m_axi=m_axi, beats=beats, number=number) for number, beats in enumerate(arrivals)]
    SIZE, KIND, CACHE = bus.log_bytes, INCREMENT, BUFFERABLE

    @always_comb
    def decide():
        take.next = waiting and not holds and (not m_axi.arvalid or m_axi.arready)
        idle.next = outstanding == 0
        ends.next = m_axi.rvalid and m_axi.rready and m_axi.rlast

    @always_seq(clk.posedge, reset=aresetn)
    def ask():
        m_axi.arsize.next = SIZE
        m_axi.arburst.next = KIND
        m_axi.arcache.next = CACHE
        m_axi.arprot.next = 0
        if take:
            m_axi.arvalid.next = 1
            m_axi.arid.next = chosen
            m_axi.araddr.next = beat << LOG
            m_axi.arlen.next = count - 1
        elif m_axi.arready:
            m_axi.arvalid.next = 0

    @always_seq(clk.posedge, reset=aresetn)
    def watch():
        m_axi.rready.next = 1
        fault.valid.next = m_axi.rvalid and m_axi.rready and m_axi.rresp[ERROR_BIT]
        fault.port.next = m_axi.rid
        fault.decode.next = m_axi.rresp[DECODE_BIT]
        if take and not ends:
            outstanding.next = outstanding + 1
        elif ends and not take:
            outstanding.next = outstanding - 1

    return choice, arriving, decide, ask, watch


@block
def arrive(m_axi, beats, number):
    """A port's share of the read data."""
    NUMBER = number

    @always_comb
    def share():
        beats.tdata.next = m_axi.rdata
        beats.tvalid.next = m_axi.rvalid and m_axi.rready and m_axi.rid == NUMBER

    return share


@block
def write_channel(clk, aresetn, m_axi, bursts, beats, answered, fault, holds, idle, bus):
    """Send the bursts with their beats, hand each answer to its port.

    m_axi: AxiMaster. bursts: list of Burst, beats: list of Stream (data and a bit per word), answered: list of pulses,
    by port. fault: Fault, one cycle after the answer. holds: flag, no burst is to be sent. idle: flag, all that were
    are answered. Latency: a cycle between two bursts.
    """
    LOG, PORTS = bus.log_bytes, len(bursts)
    chosen, beat, count, waiting, take = word(PORT_BITS), word(bus.beat_bits), word(COUNT_BITS), flag(), flag()
    left, sender, shown, moves = word(COUNT_BITS), word(PORT_BITS), flag(), flag()
    outstanding, ends = word(OUTSTANDING_BITS), flag()
    choice = choose_burst(bursts=bursts, take=take, chosen=chosen, beat=beat, count=count, waiting=waiting)
    sending = send_beats(m_axi=m_axi, beats=beats, sender=sender, left=left, shown=shown, bus=bus)
    answers = [answer_port(m_axi=m_axi, answered=answered[i], number=i) for i in range(PORTS)]
    SIZE, KIND, CACHE = bus.log_bytes, INCREMENT, BUFFERABLE

    @always_comb
    def decide():
        take.next = waiting and not holds and left == 0 and (not m_axi.awvalid or m_axi.awready)
        moves.next = shown and m_axi.wready
        ends.next = m_axi.bvalid and m_axi.bready
        idle.next = outstanding == 0

    @always_seq(clk.posedge, reset=aresetn)
    def ask():
        m_axi.awsize.next = SIZE
        m_axi.awburst.next = KIND
        m_axi.awcache.next = CACHE
        m_axi.awprot.next = 0
        if take:
            m_axi.awvalid.next = 1
            m_axi.awid.next = chosen
            m_axi.awaddr.next = beat << LOG
            m_axi.awlen.next = count - 1
            sender.next = chosen
            left.next = count
        else:
            if m_axi.awready:
                m_axi.awvalid.next = 0
            if moves:
                left.next = left - 1

    @always_seq(clk.posedge, reset=aresetn)
    def watch():
        m_axi.bready.next = 1
        fault.valid.next = m_axi.bvalid and m_axi.bready and m_axi.bresp[ERROR_BIT]
        fault.port.next = m_axi.bid
        fault.decode.next = m_axi.bresp[DECODE_BIT]
        if take and not ends:
            outstanding.next = outstanding + 1
        elif ends and not take:
            outstanding.next = outstanding - 1

    return choice, sending, answers, decide, ask, watch


@block
def send_beats(m_axi, beats, sender, left, shown, bus):
    """The beats of port ``sender`` on W, while some of its burst are ``left``. shown: flag, there is one."""
    PORTS = len(beats)
    datas, strobes = signal_list(word, bus.data_bits, PORTS), signal_list(word, bus.data_bytes, PORTS)
    joined, offered, ready = ConcatSignal(*(each.tvalid for each in reversed(beats))), bit_set(PORTS), bit_set(PORTS)
    splits = [split_beat(ready=ready, beats=beats[i], data=datas[i], strobe=strobes[i], number=i) for i in range(PORTS)]

    @always_comb
    def join():
        offered.next = joined

    @always_comb
    def show():
        shown.next = 0
        ready.next = 0
        m_axi.wdata.next = datas[0]
        m_axi.wstrb.next = strobes[0]
        for i in range(PORTS):
            if sender == i:
                m_axi.wdata.next = datas[i]
                m_axi.wstrb.next = strobes[i]
                if left != 0:
                    shown.next = offered[i]
                    ready.next[i] = m_axi.wready

    @always_comb
    def drive():
        m_axi.wvalid.next = shown
        m_axi.wlast.next = left == 1

    return splits, join, show, drive


@block
def split_beat(ready, beats, data, strobe, number):
    """A port's beat: its data, and a strobe per byte of what is a bit per word."""
    NUMBER, DATA = number, len(data)
    LANES = len(beats.tdata) - DATA
    BYTES = DATA // BYTE_BITS // LANES

    @always_comb
    def cut():
        data.next = beats.tdata[DATA:]
        strobe.next = 0
        for i in range(LANES):
            for j in range(BYTES):
                strobe.next[i * BYTES + j] = beats.tdata[DATA + i]

    @always_comb
    def answer():
        beats.tready.next = ready[NUMBER]

    return cut, answer


@block
def answer_port(m_axi, answered, number):
    NUMBER = number

    @always_comb
    def pick():
        answered.next = m_axi.bvalid and m_axi.bready and m_axi.bid == NUMBER

    return pick
