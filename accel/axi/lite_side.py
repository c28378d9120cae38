"""AXI4-Lite to the registers: one access at a time, a write before a read where both wait."""

from myhdl import Signal, always_comb, always_seq, block, enum

from radit.accel.axi.bus_ports import ERROR_BIT, STROBE_BITS
from radit.accel.interfaces.signals import flag

WORD_SHIFT = STROBE_BITS.bit_length() - 1


@block
def lite_side(clk, aresetn, awake, s_axil, host):
    """Carry out what comes through ``s_axil`` (AxiLite) while ``awake``. host: HostAccess.

    A write of less than 32 bits is left out and answered SLVERR, one that ``host.refused`` says no to as well.
    A write takes 3 cycles with its answer, a read 4.
    """
    phases = enum("IDLE", "WRITE", "LOOK", "TAKE")
    phase = Signal(phases.IDLE)
    WHOLE, SHIFT, REFUSED = (1 << STROBE_BITS) - 1, WORD_SHIFT, 1 << ERROR_BIT
    may_write, may_read, entire = flag(), flag(), flag()

    @always_comb
    def decide():
        may_write.next = awake and phase == phases.IDLE and s_axil.awvalid and s_axil.wvalid and not s_axil.bvalid
        may_read.next = awake and phase == phases.IDLE and not s_axil.rvalid

    @always_comb
    def answer():
        s_axil.awready.next = may_write
        s_axil.wready.next = may_write
        s_axil.arready.next = may_read and not may_write
        host.write.next = phase == phases.WRITE and entire

    @always_seq(clk.posedge, reset=aresetn)
    def step():
        s_axil.rresp.next = 0
        if s_axil.bready:
            s_axil.bvalid.next = 0
        if s_axil.rready:
            s_axil.rvalid.next = 0
        if phase == phases.IDLE:
            if may_write:
                host.addr.next = s_axil.awaddr >> SHIFT
                host.wdata.next = s_axil.wdata
                entire.next = s_axil.wstrb == WHOLE
                phase.next = phases.WRITE
            elif may_read and s_axil.arvalid:
                host.addr.next = s_axil.araddr >> SHIFT
                phase.next = phases.LOOK
        elif phase == phases.WRITE:
            s_axil.bvalid.next = 1
            if entire and not host.refused:
                s_axil.bresp.next = 0
            else:
                s_axil.bresp.next = REFUSED
            phase.next = phases.IDLE
        elif phase == phases.LOOK:
            phase.next = phases.TAKE
        elif phase == phases.TAKE:
            s_axil.rvalid.next = 1
            s_axil.rdata.next = host.rdata
            phase.next = phases.IDLE

    return decide, answer, step
