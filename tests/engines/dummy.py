"""A stand-in for the accelerator: its very ports, and a machine simple enough to predict.

START makes it copy ``attention_words`` words of the weight memory to the cache (in commands of at most CHUNK
words), copy ``sub_block_words`` words of the history ``mlp_words`` further, read ``hidden`` conditioning beats,
``mlp`` parameter beats, ``codes_total`` cache words and ``heads`` words of previous branches (register ``heads`` reads
as the XOR of their low words), and echo ``contexts`` words of x. Each trace tap shows
one of the other streams, and every SUB_BLOCK words of x end a sub-block. ``policy`` 1 makes the x output break the
handshake rule: it changes the payload while it waits.
"""

from myhdl import Signal, always_comb, always_seq, block, intbv

from radit.accel.control.registers import ADDRESS, CLEAR_BIT, COUNTER_ADDRESS, START_BIT
from radit.accel.interfaces.signals import word
from radit.accel.interfaces.streams import LENGTH_BITS

CHUNK = 16
SUB_BLOCK = 6  # words of x
CONTROL = ADDRESS["control"]
STATUS = ADDRESS["status"]
CYCLES = COUNTER_ADDRESS["cycles"]
REGISTER_BITS = {
    "weight_base": 32,
    "attention_words": LENGTH_BITS,
    "cache_base": 32,
    "cache_base_other": 32,
    "heads": LENGTH_BITS,
    "history_base": 32,
    "sub_block_words": LENGTH_BITS,
    "mlp_words": LENGTH_BITS,
    "mod_base": 32,
    "hidden": LENGTH_BITS,
    "param_base": 32,
    "mlp": LENGTH_BITS,
    "codes_total": LENGTH_BITS,
    "contexts": LENGTH_BITS,
    "policy": 1,
}


@block
def commander(clk, aresetn, start, base, words, command, active):
    """Ask for ``words`` words from ``base`` in commands of at most CHUNK words."""
    address = word(32)
    left = word(LENGTH_BITS)

    @always_comb
    def offer():
        command.taddr.next = address
        command.tvalid.next = left != 0
        active.next = left != 0
        if left > CHUNK:
            command.tlen.next = CHUNK
        else:
            command.tlen.next = left

    @always_seq(clk.posedge, reset=aresetn)
    def advance():
        if start:
            address.next = base
            left.next = words
        elif command.tready and left != 0:
            if left > CHUNK:
                address.next = address + CHUNK
                left.next = left - CHUNK
            else:
                left.next = 0

    return offer, advance


@block
def countdown(clk, aresetn, start, words, stream, active):
    """Active until ``words`` words have been transferred on ``stream``."""
    left = word(LENGTH_BITS)

    @always_comb
    def watch():
        active.next = left != 0

    @always_seq(clk.posedge, reset=aresetn)
    def count():
        if start:
            left.next = words
        elif stream.tvalid and stream.tready and left != 0:
            left.next = left - 1

    return watch, count


@block
def copy(source, sink):
    """Hand words on without a register, cut or padded to the sink's width."""
    BITS = min(len(source.tdata), len(sink.tdata))

    @always_comb
    def connect():
        sink.tdata.next = source.tdata[BITS:]
        sink.tvalid.next = source.tvalid
        source.tready.next = sink.tready

    return connect


@block
def drain(source, tap_valid, tap_data):
    """Swallow every word and show its low bits."""
    BITS = min(len(source.tdata), len(tap_data))

    @always_comb
    def connect():
        source.tready.next = True
        tap_valid.next = source.tvalid
        tap_data.next = source.tdata[BITS:]

    return connect


@block
def register(clk, aresetn, reg, position, value):
    """One writable register."""
    POSITION = position
    BITS = len(value)

    @always_seq(clk.posedge, reset=aresetn)
    def write():
        if reg.write and reg.addr == POSITION:
            value.next = reg.wdata[BITS:]

    return write


@block
def control(clk, aresetn, reg, busy, start, words, checksum):
    """The START bit, and what the dummy lets the host read."""
    WORDS, CHECKSUM = ADDRESS["attention_words"], ADDRESS["heads"]
    cycles = word(64)

    @always_comb
    def see_start():
        start.next = reg.write and reg.addr == CONTROL and reg.wdata[START_BIT]

    @always_seq(clk.posedge, reset=aresetn)
    def count():
        if reg.write and reg.addr == CONTROL and reg.wdata[CLEAR_BIT]:
            cycles.next = 0
        elif busy:
            cycles.next = cycles + 1

    @always_seq(clk.posedge, reset=aresetn)
    def read():
        if reg.addr == STATUS:
            reg.rdata.next = busy
        elif reg.addr == WORDS:
            reg.rdata.next = words
        elif reg.addr == CHECKSUM:
            reg.rdata.next = checksum
        elif reg.addr == CYCLES:
            reg.rdata.next = cycles[32:]
        elif reg.addr == CYCLES + 1:
            reg.rdata.next = cycles[64:32]
        else:
            reg.rdata.next = 0

    return see_start, count, read


@block
def transfer(clk, aresetn, start, base, words, command, stream, waiting):
    """Commands for ``words`` words and the count of their transfers; waiting until both are through."""
    asking = word(1)
    moving = word(1)
    ask = commander(clk, aresetn, start, base, words, command, asking)
    move = countdown(clk, aresetn, start, words, stream, moving)

    @always_comb
    def wait():
        waiting.next = asking or moving

    return ask, move, wait


@block
def echo_x(clk, aresetn, s_x, m_x, spoil, trace_x):
    """Hand x through one register; ``spoil`` flips a bit of a word that waits."""
    data = Signal(intbv(0)[len(s_x.tdata) :])
    full = word(1)

    @always_comb
    def offer():
        m_x.tdata.next = data
        m_x.tvalid.next = full
        s_x.tready.next = m_x.tready or not full
        trace_x.valid.next = full and m_x.tready
        trace_x.data.next = data

    @always_seq(clk.posedge, reset=aresetn)
    def advance():
        if m_x.tready or not full:
            full.next = s_x.tvalid
            if s_x.tvalid:
                data.next = s_x.tdata
        elif spoil:
            data.next = data ^ 1

    return offer, advance


@block
def divide(clk, aresetn, start, trace_x, advance):
    """Show the end of a sub-block with every SUB_BLOCK-th word of x."""
    left = Signal(intbv(SUB_BLOCK)[8:])
    sub_block = word(16)

    @always_comb
    def show():
        advance.valid.next = trace_x.valid and left == 1
        advance.sub_block.next = sub_block

    @always_seq(clk.posedge, reset=aresetn)
    def count():
        if start:
            left.next = SUB_BLOCK
            sub_block.next = 0
        elif trace_x.valid:
            left.next = left - 1
            if left == 1:
                left.next = SUB_BLOCK
                sub_block.next = sub_block + 1

    return show, count


@block
def swallow(clk, aresetn, start, source, checksum):
    """Take every word and XOR the low parts."""
    BITS = len(checksum)

    @always_comb
    def take():
        source.tready.next = source.tvalid

    @always_seq(clk.posedge, reset=aresetn)
    def add():
        if start:
            checksum.next = 0
        elif source.tvalid:
            checksum.next = checksum ^ source.tdata[BITS:]

    return take, add


@block
def observe(weight, conditioning, decide, drain_tap):
    """Weights on the drain tap; swallow the conditioning and show it on the decision tap."""
    BITS = min(len(weight.tdata), len(drain_tap.data))
    LOW, HIGH = 41, 41 + len(decide.slope)

    @always_comb
    def show_weight():
        drain_tap.valid.next = weight.tvalid and weight.tready
        drain_tap.kind.next = weight.tdata[4:]
        drain_tap.data.next = weight.tdata[BITS:]

    @always_comb
    def show_mod():
        conditioning.tready.next = True
        decide.valid.next = conditioning.tvalid
        decide.index.next = conditioning.tdata[16:]
        decide.count.next = conditioning.tdata[40:16]
        decide.reuse.next = conditioning.tdata[40]
        decide.slope.next = conditioning.tdata[HIGH:LOW]

    return show_weight, show_mod


@block
def dummy_top(build, clk, aresetn, reg, busy, run, m, s, trace):
    """Wiring only; see the head of the file."""
    start = word(1)
    r = {name: word(bits) for name, bits in REGISTER_BITS.items()}
    history_copy, checksum = word(32), word(32)
    w0, w1, w2, w3, w4, w5, w6, w7, w8 = (word(1) for _ in range(9))
    policy = r["policy"]
    history_base, mlp_words = r["history_base"], r["mlp_words"]

    registers = [register(clk, aresetn, reg, ADDRESS[name], value) for name, value in r.items()]
    host = control(clk, aresetn, reg, busy, start, r["attention_words"], checksum)
    common = (clk, aresetn, start)
    words, history = r["attention_words"], r["sub_block_words"]
    transfers = (
        transfer(*common, r["weight_base"], words, m.weight_cmd, s.weight, w0),
        transfer(*common, r["mod_base"], r["hidden"], m.mod_cmd, s.mod, w1),
        transfer(*common, r["param_base"], r["mlp"], m.param_cmd, s.param, w2),
        transfer(*common, r["cache_base"], r["codes_total"], m.cache_rd_cmd, s.cache_rd, w3),
        transfer(*common, r["cache_base_other"], r["heads"], m.prev_rd_cmd, s.prev_rd, w8),
        transfer(*common, history_base, history, m.hist_rd_cmd, s.hist_rd, w4),
        transfer(*common, r["cache_base"], words, m.cache_wr_cmd, m.cache_wr, w5),
        transfer(*common, history_copy, history, m.hist_wr_cmd, m.hist_wr, w6),
    )
    x_count = countdown(clk, aresetn, start, r["contexts"], m.x, w7)
    copy_weights = copy(s.weight, m.cache_wr)
    copy_history = copy(s.hist_rd, m.hist_wr)
    drain_param = drain(s.param, trace.prob.valid, trace.prob.data)
    drain_cache = drain(s.cache_rd, trace.act.valid, trace.act.data)
    sum_previous = swallow(clk, aresetn, start, s.prev_rd, checksum)
    echo = echo_x(clk, aresetn, s.x, m.x, policy, trace.x)
    sub_blocks = divide(clk, aresetn, start, trace.x, trace.advance)
    look = observe(s.weight, s.mod, trace.decide, trace.drain)

    @always_comb
    def sum_up():
        history_copy.next = history_base + mlp_words

    @always_comb
    def be_busy():
        busy.next = w0 or w1 or w2 or w3 or w4 or w5 or w6 or w7 or w8
        run.starts.next = start
        run.fails.next = False
        run.aborts.next = False

    taps = (drain_param, drain_cache, sum_previous, look)
    x_path = (x_count, echo, sub_blocks)
    return registers, host, transfers, copy_weights, copy_history, taps, x_path, sum_up, be_busy
