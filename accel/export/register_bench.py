"""A bench that checks itself: it reads the constant registers of an exported top, and writes one register and reads it
back. It needs no model; what it proves is that the files, the clock, the reset and the register port are put together.
"""

from radit.accel.axi.bus_config import BusConfig
from radit.accel.axi.bus_ports import STROBE_BITS
from radit.accel.config import BuildConfig
from radit.accel.control.registers import ADDRESS, build_constants
from radit.accel.export.convert import AXI_TOP, TOP
from radit.accel.export.verilog_ports import ports_of
from radit.accel.interfaces.top_ports import RESET_CYCLES

BENCH_ENDING = "_registers_tb.v"
WRITTEN, VALUES = "hidden", (21, 42)  # register that is written, and with what
PATIENCE_NS = 100_000  # that all of it may take, at 10 ns a cycle

HEAD = """// Reads what the registers of {top} hold, and ends with an error where one differs.
`timescale 1ns/1ps
module {top}_registers_tb;
reg clk = 0;
reg aresetn = 0;
always #5 clk = !clk;
{ports}

task expect_value(input [31:0] address, input [31:0] value);
    begin
        read(address);
        if (got !== value) $fatal(1, "register %0d reads %h, not %h", address, got, value);
    end
endtask

initial begin
    #{patience} $fatal(1, "a register does not answer");
end

initial begin
    repeat ({reset}) @(posedge clk);
    aresetn <= 1;
    repeat (4) @(posedge clk);
{checks}
    $display("{count} registers hold what they should");
    $finish;
end
endmodule
"""

PLAIN = """reg reg_write = 0;
reg [{high}:0] reg_addr = 0;
reg [31:0] reg_wdata = 0;
wire [31:0] reg_rdata;
reg [31:0] got;
{top} dut (.clk(clk), .aresetn(aresetn), .reg_write(reg_write), .reg_addr(reg_addr), .reg_wdata(reg_wdata),
    .reg_rdata(reg_rdata){idle});

task read(input [31:0] address);
    begin
        reg_addr <= address;
        repeat (3) @(posedge clk);
        got = reg_rdata;
    end
endtask

task write(input [31:0] address, input [31:0] value);
    begin
        reg_addr <= address;
        reg_wdata <= value;
        reg_write <= 1;
        @(posedge clk);
        reg_write <= 0;
        @(posedge clk);
    end
endtask"""

BUS = """reg [31:0] araddr = 0, awaddr = 0, wdata = 0, got;
reg arvalid = 0, awvalid = 0, wvalid = 0;
wire arready, awready, wready, rvalid, bvalid;
wire [31:0] rdata;
{top} dut (.clk(clk), .aresetn(aresetn), .s_axil_araddr(araddr), .s_axil_arvalid(arvalid),
    .s_axil_arready(arready), .s_axil_rdata(rdata), .s_axil_rvalid(rvalid), .s_axil_rready(1'b1),
    .s_axil_awaddr(awaddr), .s_axil_awvalid(awvalid), .s_axil_awready(awready), .s_axil_wdata(wdata),
    .s_axil_wstrb(4'hf), .s_axil_wvalid(wvalid), .s_axil_wready(wready), .s_axil_bvalid(bvalid),
    .s_axil_bready(1'b1){idle});

task read(input [31:0] address);
    begin
        araddr <= address;
        arvalid <= 1;
        @(posedge clk);
        while (!arready) @(posedge clk);
        arvalid <= 0;
        while (!rvalid) @(posedge clk);
        got = rdata;
        @(posedge clk);
    end
endtask

task write(input [31:0] address, input [31:0] value);
    begin
        awaddr <= address;
        wdata <= value;
        awvalid <= 1;
        wvalid <= 1;
        @(posedge clk);
        while (awvalid || wvalid) begin
            if (awready) awvalid <= 0;
            if (wready) wvalid <= 0;
            @(posedge clk);
        end
        while (!bvalid) @(posedge clk);
        @(posedge clk);
    end
endtask
"""


def bench_text(verilog: str, config: BuildConfig, bus: BusConfig | None = None) -> str:
    """The bench of a top. verilog: its text, for the names of its ports."""
    top, body, scale = (TOP, PLAIN, 1) if bus is None else (AXI_TOP, BUS, STROBE_BITS)
    ports = ports_of(verilog)
    idle = "".join(
        f",\n    .{port.name}({port.bits}'b0)" for port in ports if port.is_input and _is_idle(port.name, body)
    )
    high = next((port.bits - 1 for port in ports if port.name == "reg_addr"), 0)
    checks = [(scale * ADDRESS[name], value) for name, value in build_constants(config).items()]
    lines = [f"    expect_value({address}, 32'h{value:08x});" for address, value in checks]
    written = scale * ADDRESS[WRITTEN]
    for value in VALUES:
        lines += [f"    write({written}, {value});", f"    expect_value({written}, {value});"]
    return HEAD.format(
        top=top, ports=body.format(top=top, idle=idle, high=high), reset=RESET_CYCLES, patience=PATIENCE_NS,
        checks="\n".join(lines), count=len(checks) + 1,
    )  # fmt: skip


def _is_idle(name: str, body: str) -> bool:
    return f".{name}(" not in body
