"""The self-checking bench as Verilog-2005: memories at every port, registers, x in, x and decisions compared."""

from radit.accel.config import BuildConfig
from radit.accel.control.registers import ADDRESS, ERROR_BIT, START
from radit.accel.interfaces.top_ports import RESET_CYCLES, MemoryPort, TopPorts, memory_ports, tap_fields
from radit.cosim.testbench.bench_ports import PORT_MODULES
from radit.cosim.testbench.golden import GoldenMemory, GoldenRun, RegisterWrite

BENCH = "radit_top_tb"
IMAGES = "images"
X_IN, X_OUT, DECISIONS = (f"{IMAGES}/{name}.hex" for name in ("x_in", "x_out", "decisions"))
PATIENCE = 100  # times the cycles that a dense timestep takes if its array never waits
MARGIN = 1_000_000  # cycles


def image_file(memory: GoldenMemory) -> str:
    """The file with a memory's words."""
    return f"{IMAGES}/{memory.name}.hex"


def filled(run: GoldenRun) -> list[GoldenMemory]:
    """The memories that the host writes before the run; the others begin with zeros."""
    return [memory for memory in run.memories if memory.words.any()]


def decision_fields(build: BuildConfig) -> dict[str, tuple[int, int]]:
    """Of a word of decisions: each field of tap ``trace_decide``, its lowest bit and its bits; whole digits each."""
    places, low = {}, 0
    for field in tap_fields(build)["decide"]:
        places[field.name] = low, field.bits
        low += -(-field.bits // 4) * 4
    return places


def decision_bits(build: BuildConfig) -> int:
    """Of a word of decisions."""
    return max(low + -(-bits // 4) * 4 for low, bits in decision_fields(build).values())


def bench_text(run: GoldenRun, title: str) -> str:
    """The file; ``title`` says what run it is."""
    parts = (_head(run, title), PORT_MODULES, _module(run))
    return "\n".join(parts)


def _head(run: GoldenRun, title: str) -> str:
    return f"""// Self-checking bench of radit_top: {title}.
// Written by radit export; docs/export.md explains. Run it in the folder that holds {IMAGES}/:
//   iverilog -g2005 -o bench.vvp {BENCH}.v radit_top.v && vvp -n bench.vvp
//   or: verilator --binary --timing -Wno-lint -Wno-INITIALDLY --top-module {BENCH} {BENCH}.v radit_top.v
//              && obj_dir/V{BENCH}
// Options: +latency=N cycles of the memories (20), +pause=N of 256 cycles in which each port waits (0), +seed=N of
// the pauses (1), +limit=N cycles of a timestep, +waves writes {BENCH}.vcd.
// The last line is PASS or FAIL; where it is FAIL, the exit status is not 0.
`timescale 1ns/1ps
"""


def _module(run: GoldenRun) -> str:
    build = run.build
    numbers = {port.name: number for number, port in enumerate(memory_ports(build))}  # of the ports' dice
    parts = [
        f"module {BENCH};",
        _constants(run),
        _signals(build),
        *(_memory(memory, numbers) for memory in run.memories),
        _x_streams(),
        _decisions(build),
        _tasks(run),
        _program(run),
        "endmodule",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _constants(run: GoldenRun) -> str:
    steps, words = len(run.timesteps), len(run.timesteps[0].x_in)
    decisions = sum(len(step.decisions) for step in run.timesteps)
    limit = PATIENCE * (run.macs // (run.build.rows * run.build.cols * run.build.products) + words) + MARGIN
    return f"""
localparam TIMESTEPS = {steps}, X_WORDS = {words}, CONTEXT_WORDS = {run.words}, DECISIONS = {decisions};
localparam ROWS = {run.build.rows}, HIDDEN = {_value(run, "hidden")}, SHOWN = 8;

reg clk = 0;
always #5 clk = !clk;
reg aresetn = 0;
reg [31:0] latency = 20, seed = 1, limit = {limit};
reg [8:0] pause = 0;
integer timestep = 0, errors = 0; // the first SHOWN are told"""


def _value(run: GoldenRun, name: str) -> int:
    return next(write.value for write in run.writes if write.name == name)


def _signals(build: BuildConfig) -> str:
    table = TopPorts(build).table()
    lines = ["", "// The accelerator and its signals."]
    registers = {"reg_write", "reg_addr", "reg_wdata", "s_x_tdata", "s_x_tvalid", "m_x_tready"}
    for port in table:
        if port.name in ("clk", "aresetn"):
            continue
        kind = "reg" if port.name in registers else "wire"
        width = f"[{port.bits - 1}:0] " if port.bits > 1 else ""
        lines.append(f"{kind} {width}{port.name}{' = 0' if kind == 'reg' else ''};")
    connections = ",\n".join(f"    .{port.name}({port.name})" for port in table)
    return "\n".join([*lines, f"radit_top dut (\n{connections}\n);"])


def _memory(memory: GoldenMemory, numbers: dict[str, int]) -> str:
    name, count = f"memory_{memory.name}", len(memory.words)
    lines = ["", f"// Memory {memory.name}: {count} words of {memory.bits} bits."]
    lines.append(f"reg [{memory.bits - 1}:0] {name} [0:{count - 1}];")
    return "\n".join([*lines, *(_port(port, name, count, numbers[port.name]) for port in memory.ports)])


def _port(port: MemoryPort, memory: str, count: int, number: int) -> str:
    name, way = port.name, "m" if port.is_write else "s"
    command = f"m_{name}_cmd"
    connections = [
        f".clk(clk), .aresetn(aresetn), .latency(latency), .pause(pause), .seed(seed + 32'd{number})",
        f".cmd_addr({command}_taddr), .cmd_len({command}_tlen), .cmd_valid({command}_tvalid)",
        f".cmd_ready({command}_tready), .address({name}_address), .beyond({name}_beyond)",
    ]
    if port.is_write:
        connections.append(f".data_valid({way}_{name}_tvalid), .data_ready({way}_{name}_tready)")
        store = f"""
always @(posedge clk) if ({way}_{name}_tvalid && {way}_{name}_tready) {memory}[{name}_address] <= {way}_{name}_tdata;"""
    else:
        connections.append(f".word({memory}[{name}_address]), .data({way}_{name}_tdata)")
        connections.append(f".valid({way}_{name}_tvalid), .ready({way}_{name}_tready)")
        store = ""
    kind = "write" if port.is_write else "read"
    parameters = f".WORDS({count})" if port.is_write else f".BITS({port.bits}), .WORDS({count})"
    joined = ",\n    ".join(connections)
    return f"""wire [31:0] {name}_address; wire {name}_beyond;
radit_tb_{kind}_port #({parameters}) {name}_port (
    {joined}
);{store}
always @(posedge clk) if ({name}_beyond) begin
    if (errors < SHOWN) $display("port {name} asks beyond the %0d words of its memory", {count});
    errors = errors + 1;
end"""


def _x_streams() -> str:
    return f"""
// x of every timestep, in and out: words of a context lie row tile by row tile, channel by channel.
reg [ROWS*16-1:0] x_in [0:TIMESTEPS*X_WORDS-1];
reg [ROWS*16-1:0] x_out [0:TIMESTEPS*X_WORDS-1];
integer sent = 0, expected = 0, received = 0, wrong = 0;
wire [31:0] x_dice;
radit_tb_dice x_rolls (.clk(clk), .seed(seed + 32'd{0x1000}), .value(x_dice));
always @(posedge clk) begin
    m_x_tready <= {{1'b0, x_dice[15:8]}} >= pause;
    if (s_x_tvalid && s_x_tready) s_x_tvalid <= 0;
    if ((!s_x_tvalid || s_x_tready) && sent < expected && {{1'b0, x_dice[7:0]}} >= pause) begin
        s_x_tdata <= x_in[sent];
        s_x_tvalid <= 1;
        sent <= sent + 1;
    end
    if (m_x_tvalid && m_x_tready) begin
        if (received >= expected) begin
            if (errors < SHOWN) $display("a word of x more than the %0d of a timestep", X_WORDS);
            errors = errors + 1;
        end else if (m_x_tdata !== x_out[received]) begin
            if (errors < SHOWN)
                $display("timestep %0d: x word %0d (context %0d, row tile %0d, channel %0d) is %h, expected %h",
                    timestep, received % X_WORDS, received % X_WORDS / CONTEXT_WORDS, received % CONTEXT_WORDS / HIDDEN,
                    received % HIDDEN, m_x_tdata, x_out[received]);
            errors = errors + 1;
            wrong = wrong + 1;
        end
        received <= received + 1;
    end
end"""


def _decisions(build: BuildConfig) -> str:
    bits = decision_bits(build)
    parts = decision_fields(build).items()
    rows = [f"trace_decide_{name} !== decision[{low + bits - 1}:{low}]" for name, (low, bits) in parts]
    shown = {name: f"decision[{low + bits - 1}:{low}]" for name, (low, bits) in parts}
    return f"""
// Decisions in order: index (sub_block * contexts + context), changed codes, 1 reuse or 0 compute, slope (Q3.8).
reg [{bits - 1}:0] decisions [0:(DECISIONS ? DECISIONS : 1)-1];
wire [{bits - 1}:0] decision = decisions[decided];
integer decided = 0;
always @(posedge clk) if (aresetn && trace_decide_valid) begin
    if (decided >= DECISIONS) begin
        if (errors < SHOWN) $display("timestep %0d: a decision more than the %0d", timestep, DECISIONS);
        errors = errors + 1;
    end else if ({" || ".join(rows)}) begin
        if (errors < SHOWN) begin
            $display("timestep %0d: decision %0d is index %0d, count %0d, reuse %0d, slope %0d", timestep, decided,
                trace_decide_index, trace_decide_count, trace_decide_reuse, trace_decide_slope);
            $display("    expected: index %0d, count %0d, reuse %0d, slope %0d", {shown["index"]}, {shown["count"]},
                {shown["reuse"]}, {shown["slope"]});
        end
        errors = errors + 1;
    end
    decided <= decided + 1;
end"""


def _tasks(run: GoldenRun) -> str:
    return f"""
task write(input [8:0] address, input [31:0] value);
    begin
        reg_addr <= address; reg_wdata <= value; reg_write <= 1;
        @(posedge clk) reg_write <= 0;
    end
endtask

task read(input [8:0] address);
    begin
        reg_addr <= address;
        repeat (3) @(posedge clk);
    end
endtask

// Start a timestep, wait for its end, see that all of its x has come.
task run;
    integer cycles;
    begin
        expected <= expected + X_WORDS;
        write({ADDRESS["control"]}, {START});
        repeat (2) @(posedge clk);
        cycles = 2;
        while (busy && cycles < limit) begin @(posedge clk); cycles = cycles + 1; end
        if (busy) begin
            $display("timestep %0d: it has not ended after %0d cycles", timestep, limit);
            errors = errors + 1;
            finish;
        end
        read({ADDRESS["status"]});
        if (reg_rdata[{ERROR_BIT}]) begin
            $display("timestep %0d: register status is %h, an error", timestep, reg_rdata);
            errors = errors + 1;
        end
        if (received != expected) begin
            $display("timestep %0d: %0d words of x have come, expected %0d", timestep, received, expected);
            errors = errors + 1;
        end
        $display("timestep %0d: %0d cycles", timestep, cycles);
        timestep = timestep + 1;
    end
endtask

task finish;
    begin
        if (decided != DECISIONS) begin
            $display("%0d decisions, expected %0d", decided, DECISIONS);
            errors = errors + 1;
        end
        if (errors == 0) begin
            $display("PASS: %0d words of x and %0d decisions in %0d timesteps", received, decided, timestep);
            $finish;
        end else begin
            $display("FAIL: %0d errors; %0d of %0d words of x differ", errors, wrong, received);
            $fatal(1, "FAIL");
        end
    end
endtask"""


def _program(run: GoldenRun) -> str:
    lines = ["", "integer i;", "initial begin"]
    lines += [f'    if ($value$plusargs("{name}=%d", {name})) ;' for name in ("latency", "pause", "seed", "limit")]
    for memory in run.memories:
        name = f"memory_{memory.name}"
        lines.append(f"    for (i = 0; i < {len(memory.words)}; i = i + 1) {name}[i] = 0;")
    for memory in filled(run):
        lines.append(f'    $readmemh("{image_file(memory)}", memory_{memory.name});')
    lines += [f'    $readmemh("{X_IN}", x_in);', f'    $readmemh("{X_OUT}", x_out);']
    lines += [f'    $readmemh("{DECISIONS}", decisions);']
    lines += ['    if ($test$plusargs("waves")) begin', f'        $dumpfile("{BENCH}.vcd");']
    lines += [f"        $dumpvars(0, {BENCH});", "    end"]
    lines += [f"    repeat ({RESET_CYCLES + 2}) @(posedge clk);", "    aresetn <= 1;", "    @(posedge clk);"]
    lines += [_write(write) for write in run.writes]
    for step in run.timesteps:
        lines += ["", *(_write(write) for write in step.writes), "    run;"]
    return "\n".join([*lines, "    finish;", "end"])


def _write(write: RegisterWrite) -> str:
    return f"    write({ADDRESS[write.name]}, {write.value}); // {write.name}"
