"""The rules that a prover checks on the converted bridges, as Verilog put before the module's end.

``rules``: commands, words and answers come as the environment likes, within the handshakes' rules. ``data``: every port
has one command of any place and length, and what is read and written is a function of its address.
The bridges are ``WORDS`` on a bus of ``BUS``: of both kinds one port with four words to a beat, one with two beats to
a word.
"""

from radit.accel.axi.bus_config import PAGE_BYTES, BusConfig

BUS = BusConfig(data_bits=64, address_bits=32, burst=2, latency=1)
WORDS = (2, 16)  # bytes, of the ports that read and of those that write
BEAT = BUS.data_bytes
ROOM = {"r": [BUS.read_room(size) for size in WORDS], "w": [BUS.write_room] * len(WORDS)}
PORTS = range(len(WORDS))
PAGE_BEATS = PAGE_BYTES // BEAT
SIDE = {"r": "memory_side0_read_bridge{i}", "w": "memory_side0_write_bridge{i}"}

CLOCKED = """
reg [7:0] f_cycle = 0;
wire f_run = f_cycle != 0;
always @(posedge clk) if (f_cycle != 255) f_cycle <= f_cycle + 1;
always @* assume (aresetn == f_run);
"""
FRAME = f"""{CLOCKED}wire f_ar = f_run && m_axi_arvalid && m_axi_arready;
wire f_r = f_run && m_axi_rvalid && m_axi_rready;
wire f_w = f_run && m_axi_wvalid && m_axi_wready;
wire f_b = f_run && m_axi_bvalid && m_axi_bready;
"""


def held(kind: str, name: str, valid: str, ready: str, payload: dict[str, int]) -> str:
    """Valid and payload stay until the transfer. ``kind``: assert, or assume of the environment."""
    joined, bits = "{" + ", ".join(payload) + "}", sum(payload.values())
    return f"""
reg f_{name}_waits = 0;
reg [{bits - 1}:0] f_{name}_held;
always @(posedge clk) begin
    f_{name}_waits <= f_run && {valid} && !{ready};
    f_{name}_held <= {joined};
end
always @* if (f_run && f_{name}_waits) {kind} ({valid} && {joined} == f_{name}_held);
"""


def stream(kind: str, name: str, payload: dict[str, int]) -> str:
    """A stream of the ports."""
    names = {f"{name}_{part}": bits for part, bits in payload.items()}
    return held(kind, name, f"{name}_tvalid", f"{name}_tready", names)


def word_side() -> str:
    """Commands and written words wait as they must, and so do the words that are read."""
    parts = []
    for kind in "rw":
        for i in PORTS:
            cmd, data, bits = f"p_{kind}{i}_cmd", f"p_{kind}{i}_data", 8 * WORDS[i]
            parts.append(stream("assume", cmd, {"taddr": 32, "tlen": 24}))
            parts.append(f"always @* if ({cmd}_tvalid) assume ({cmd}_tlen != 0);")
            parts.append(stream("assert" if kind == "r" else "assume", data, {"tdata": bits}))
            page = f"p_{kind}{i}_page"
            parts.append(f"(* anyconst *) reg [23:0] f_{page}; always @* assume ({page} == f_{page});")
    return "\n".join(parts)


def addresses(c: str) -> str:
    """Of a channel: held, and every burst legal."""
    payload = {"id": 4, "addr": 32, "len": 8, "size": 3, "burst": 2}
    legal = f"""
always @* if (f_run && m_axi_{c}valid) begin
    assert (m_axi_{c}len < {BUS.burst_beats});
    assert (m_axi_{c}size == {BUS.log_bytes} && m_axi_{c}burst == 1);
    assert (m_axi_{c}addr[{BUS.log_bytes - 1}:0] == 0 && m_axi_{c}id < {len(WORDS)});
    assert (m_axi_{c}addr[11:0] + ({{5'b0, m_axi_{c}len}} + 13'd1) * {BEAT} <= 13'd4096);
end
"""
    names = {f"m_axi_{c}{part}": bits for part, bits in payload.items()}
    return held("assert", c, f"m_axi_{c}valid", f"m_axi_{c}ready", names) + legal


def reads() -> str:
    """Memory answers what was asked, in the order of each port; there is always room, R never waits."""
    text = "always @* if (f_cycle > 1) assert (m_axi_rready);\n"
    for i in PORTS:
        side = SIDE["r"].format(i=i)
        text += f"""
reg [8:0] f_out{i} = 0; reg [8:0] f_len{i} [0:31]; reg [4:0] f_qw{i} = 0, f_qr{i} = 0; reg [8:0] f_at{i} = 0;
wire f_ar{i} = f_ar && m_axi_arid == {i};
wire f_r{i} = f_r && m_axi_rid == {i};
always @(posedge clk) begin
    f_out{i} <= f_out{i} + (f_ar{i} ? m_axi_arlen + 9'd1 : 9'd0) - (f_r{i} ? 9'd1 : 9'd0);
    if (f_ar{i}) begin f_len{i}[f_qw{i}] <= m_axi_arlen; f_qw{i} <= f_qw{i} + 1; end
    if (f_r{i}) begin
        if (m_axi_rlast) begin f_qr{i} <= f_qr{i} + 1; f_at{i} <= 0; end else f_at{i} <= f_at{i} + 1;
    end
end
always @* if (m_axi_rvalid && m_axi_rid == {i}) begin
    assume (f_out{i} != 0);
    assume (m_axi_rlast == (f_at{i} == f_len{i}[f_qr{i}]));
    if (f_cycle > 1) assert ({side}_stream_fifo{i}_src_tready);
end
wire [8:0] f_asks{i} = m_axi_arvalid && m_axi_arid == {i} ? m_axi_arlen + 9'd1 : 9'd0;
always @* if (f_run) begin
    assert (f_out{i} + {side}_stream_fifo{i}_count <= {ROOM["r"][i]});
    assert (f_out{i} + {side}_stream_fifo{i}_count + f_asks{i} + {side}_room == {ROOM["r"][i]});
    if ({side}_split_bursts{i}_burst_valid)
        assert (memory_side0_read_channel0_choose_burst0_counts[{i}] <= {side}_room);
end
"""
    return text + f"always @* if (m_axi_rvalid) assume (f_run && m_axi_rid < {len(WORDS)});\n"


def writes() -> str:
    """W beats are those that AW announces; answers come only to what was sent."""
    return (
        held("assert", "w", "m_axi_wvalid", "m_axi_wready", {"m_axi_wdata": 64, "m_axi_wstrb": 8, "m_axi_wlast": 1})
        + """
reg f_held = 0;
always @(posedge clk) f_held <= f_run && drain_holds;
reg [8:0] f_need = 0; reg f_open = 0; reg f_sent = 0; reg [3:0] f_id; reg [8:0] f_done0 = 0, f_done1 = 0;
wire f_new = f_run && m_axi_awvalid && !f_aw_waits;
wire [8:0] f_needs = f_new ? m_axi_awlen + 9'd1 : f_need;
wire [8:0] f_rest = f_needs - (f_w ? 9'd1 : 9'd0);
wire f_accepted = (f_sent && !f_new) || (m_axi_awvalid && m_axi_awready);
wire [3:0] f_port = f_new ? m_axi_awid : f_id;
wire f_ends = (f_open || f_new) && f_rest == 0 && f_accepted && f_run;
always @(posedge clk) if (f_run) begin
    f_need <= f_rest;
    f_id <= f_port;
    f_sent <= f_accepted;
    f_open <= (f_open || f_new) && !f_ends;
    f_done0 <= f_done0 + ((f_ends && f_port == 0) ? 9'd1 : 9'd0) - ((f_b && m_axi_bid == 0) ? 9'd1 : 9'd0);
    f_done1 <= f_done1 + ((f_ends && f_port == 1) ? 9'd1 : 9'd0) - ((f_b && m_axi_bid == 1) ? 9'd1 : 9'd0);
end
always @* if (f_run) begin
    if (f_new) assert (f_need == 0 && !f_open);
    if (m_axi_wvalid) assert (f_needs != 0 && m_axi_wlast == (f_needs == 1));
    if (m_axi_bvalid) assume (m_axi_bid == 0 ? f_done0 != 0 : m_axi_bid == 1 && f_done1 != 0);
    if (f_cycle > 1) assert (m_axi_bready);
    if (idle) assert (!f_open && f_done0 == 0 && f_done1 == 0 && f_out0 == 0 && f_out1 == 0 && !m_axi_arvalid);
    if (drain_quiet) begin
        assert (!f_open && f_done0 == 0 && f_done1 == 0 && !m_axi_awvalid);
        assert (f_out0 == 0 && f_out1 == 0 && !m_axi_arvalid);
    end
    if (f_held) assert (!(m_axi_arvalid && !f_ar_waits) && !f_new);
end
always @* if (!f_run) assume (!m_axi_bvalid);
"""
    )


def buffers() -> str:
    """No FIFO takes what it has no room for, gives what it does not have, or loses count."""
    text = ""
    for n, (kind, i) in enumerate((kind, i) for kind in "rw" for i in PORTS):
        fifo = f"{SIDE[kind].format(i=i)}_stream_fifo{n}"
        text += f"""
always @* if (f_run) begin
    assert ({fifo}_count <= {ROOM[kind][i]} && {fifo}_count == {fifo}_stored + {fifo}_shown);
    if ({fifo}_accept) assert ({fifo}_count < {ROOM[kind][i]});
    if ({fifo}_fetch) assert ({fifo}_stored != 0);
    if (idle) assert ({fifo}_count == 0);
end
"""
    return text


def one_command(kind: str, i: int) -> str:
    """A port has one command, of any place and length; ``first`` is its first word's number from address 0."""
    cmd, data = f"p_{kind}{i}_cmd", f"p_{kind}{i}_data"
    per_page = PAGE_BYTES // WORDS[i]
    return f"""
(* anyconst *) reg [31:0] f_addr_{kind}{i}; (* anyconst *) reg [23:0] f_words_{kind}{i};
reg f_asked_{kind}{i} = 0; reg [23:0] f_k_{kind}{i} = 0;
wire [31:0] f_first_{kind}{i} = f_p_{kind}{i}_page * {per_page} + f_addr_{kind}{i};
wire [31:0] f_word_{kind}{i} = f_first_{kind}{i} + f_k_{kind}{i};
always @(posedge clk) if (f_run) begin
    if ({cmd}_tvalid && {cmd}_tready) f_asked_{kind}{i} <= 1;
    if ({data}_tvalid && {data}_tready) f_k_{kind}{i} <= f_k_{kind}{i} + 1;
end
always @* begin
    if ({cmd}_tvalid) assume (!f_asked_{kind}{i} && {cmd}_taddr == f_addr_{kind}{i} && {cmd}_tlen == f_words_{kind}{i});
    assume (f_words_{kind}{i} != 0);
end
"""


def patterns(kind: str, i: int) -> str:
    """A word's value is its number from address 0, of a wide one each beat the beat's."""
    data, verb = f"p_{kind}{i}_data", "assert" if kind == "r" else "assume"
    word = f"f_word_{kind}{i}"
    value = f"{word}[15:0]" if i == 0 else f"{{35'b0, {word}[27:0], 1'b1, 35'b0, {word}[27:0], 1'b0}}"
    enough = f"{verb} (f_k_{kind}{i} < f_words_{kind}{i});"
    return f"always @* if (f_run && {data}_tvalid) begin {verb} ({data}_tdata == {value}); {enough} end\n"


def read_patterns(i: int) -> str:
    """Bursts follow each other without a gap; the memory's beats are functions of their addresses."""
    first = f"f_first_r{i}[30:2]" if i == 0 else f"{{f_first_r{i}[27:0], 1'b0}}"
    lanes = "{" + ", ".join(f"f_beat{i}[13:0], 2'd{lane}" for lane in (3, 2, 1, 0)) + "}"
    value = lanes if i == 0 else f"{{35'b0, f_beat{i}}}"
    return f"""
reg [28:0] f_done_ar{i} = 0, f_done_r{i} = 0;
wire [28:0] f_next{i} = {first} + f_done_ar{i};
wire [28:0] f_beat{i} = {first} + f_done_r{i};
always @(posedge clk) begin
    if (f_ar{i}) f_done_ar{i} <= f_done_ar{i} + m_axi_arlen + 1;
    if (f_r{i}) f_done_r{i} <= f_done_r{i} + 1;
end
always @* if (f_run) begin
    if (m_axi_arvalid && m_axi_arid == {i}) assert (m_axi_araddr[31:3] == f_next{i});
    if (m_axi_rvalid && m_axi_rid == {i}) assume (m_axi_rdata == {value});
end
"""


def write_patterns() -> str:
    """Every beat has the words that belong there, and strobes for no other byte."""
    text = """
reg [28:0] f_place; wire [28:0] f_here = f_new ? m_axi_awaddr[31:3] : f_place;
wire [28:0] f_away = f_here - {f_first_w1[27:0], 1'b0};
always @(posedge clk) f_place <= f_w ? f_here + 1 : f_here;
always @* if (f_run && m_axi_wvalid && f_port == 1) begin
    assert (m_axi_wstrb == 8'hff && m_axi_wdata == {35'b0, f_here});
    assert (f_away < {f_words_w1, 1'b0});
end
"""
    for lane in range(BEAT // WORDS[0]):
        high, low = 16 * lane + 15, 16 * lane
        text += f"""
wire [30:0] f_away{lane} = {{f_here, 2'd{lane}}} - f_first_w0[30:0];
always @* if (f_run && m_axi_wvalid && f_port == 0) begin
    assert (m_axi_wstrb[{2 * lane + 1}:{2 * lane}] == (f_away{lane} < f_words_w0 ? 2'b11 : 2'b00));
    if (m_axi_wstrb[{2 * lane}]) assert (m_axi_wdata[{high}:{low}] == {{f_here[13:0], 2'd{lane}}});
end
"""
    return text


def silence(way: str) -> str:
    """No command ever comes to the ports that read, or write."""
    return "".join(f"always @* assume (!p_{way}{i}_cmd_tvalid);\n" for i in PORTS)


def rules(ways: str = "rw") -> str:
    """Of ports that read ("r"), that write ("w"), or both at once."""
    text = FRAME + word_side() + addresses("ar") + addresses("aw") + reads() + writes() + buffers()
    return text + "".join(silence(way) for way in "rw" if way not in ways)


def data(ways: str) -> str:
    """The same ways."""
    text = FRAME + word_side() + addresses("ar") + addresses("aw") + reads() + writes()
    for way in "rw":
        for i in PORTS:
            text += one_command(way, i) + patterns(way, i)
    text += "".join(read_patterns(i) for i in PORTS) + write_patterns()
    return text + "".join(silence(way) for way in "rw" if way not in ways)
