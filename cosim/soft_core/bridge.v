// PicoRV32, its memory at a port of the simulation, and the accelerator's registers from 0x8000_0000 on: the part of
// the soft core's system that does not depend on the build (cosim/drive/soft_core.py writes the top).

module core_bridge (
    input clk, input aresetn, input irq,
    output cpu_valid, output [31:0] cpu_addr, output [31:0] cpu_wdata, output [3:0] cpu_wstrb,
    input cpu_ready, input [31:0] cpu_rdata,
    output reg [1:0] device_response, output trap,
    output [31:0] awaddr, output awvalid, input awready,
    output [31:0] wdata, output [3:0] wstrb, output wvalid, input wready,
    input [1:0] bresp, input bvalid, output bready,
    output [31:0] araddr, output arvalid, input arready,
    input [31:0] rdata, input [1:0] rresp, input rvalid, output rready
);
    wire mem_valid, mem_instr;
    wire [31:0] mem_addr, mem_wdata;
    wire [3:0] mem_wstrb;
    wire is_device = mem_addr[31:28] == 4'h8;
    wire writes = |mem_wstrb;
    wire device = mem_valid && is_device;
    wire device_ready = device && (writes ? bvalid : rvalid);

    assign cpu_valid = mem_valid && !is_device;
    assign cpu_addr = mem_addr;
    assign cpu_wdata = mem_wdata;
    assign cpu_wstrb = mem_wstrb;

    reg address_done, data_done;
    assign awaddr = {4'h0, mem_addr[27:0]};
    assign araddr = {4'h0, mem_addr[27:0]};
    assign wdata = mem_wdata;
    assign wstrb = mem_wstrb;
    assign awvalid = device && writes && !address_done;
    assign wvalid = device && writes && !data_done;
    assign arvalid = device && !writes && !address_done;
    assign bready = 1'b1;
    assign rready = 1'b1;

    always @(posedge clk) begin
        if (!aresetn || device_ready) begin
            address_done <= 1'b0;
            data_done <= 1'b0;
        end else begin
            if ((awvalid && awready) || (arvalid && arready)) address_done <= 1'b1;
            if (wvalid && wready) data_done <= 1'b1;
        end
        if (!aresetn) device_response <= 2'b0;
        else if (device_ready) device_response <= writes ? bresp : rresp;
    end

    picorv32 #(
        .ENABLE_COUNTERS(0), .ENABLE_FAST_MUL(1), .ENABLE_DIV(1), .BARREL_SHIFTER(1),
        .ENABLE_IRQ(1), .ENABLE_IRQ_TIMER(0), .LATCHED_IRQ(32'h0000_0000),
        .PROGADDR_RESET(32'h0000_0000), .PROGADDR_IRQ(32'h0000_0010)
    ) core (
        .clk(clk), .resetn(aresetn), .trap(trap),
        .mem_valid(mem_valid), .mem_instr(mem_instr), .mem_addr(mem_addr), .mem_wdata(mem_wdata), .mem_wstrb(mem_wstrb),
        .mem_ready(is_device ? device_ready : cpu_ready), .mem_rdata(is_device ? rdata : cpu_rdata),
        .irq({28'b0, irq, 3'b0}),
        .pcpi_wr(1'b0), .pcpi_rd(32'b0), .pcpi_wait(1'b0), .pcpi_ready(1'b0)
    );
endmodule
