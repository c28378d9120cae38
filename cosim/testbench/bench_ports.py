"""Memory ports of the bench in Verilog-2005: commands of (address, length) in, a stream of words out or in."""

PORT_MODULES = """
// Random numbers: one per cycle.
module radit_tb_dice (input clk, input [31:0] seed, output reg [31:0] value);
reg begun = 0;
initial value = 1;
wire [31:0] a = value ^ (value << 13);
wire [31:0] b = a ^ (a >> 17);
always @(posedge clk) begin
    begun <= 1;
    value <= begun ? b ^ (b << 5) : seed * 32'd2654435761 | 32'd1;
end
endmodule

// What the ports that read and those that write have in common: up to four commands ahead, in order.
module radit_tb_commands #(parameter WORDS = 1) (
    input clk, input aresetn, input [31:0] latency, input may_accept,
    input [31:0] cmd_addr, input [23:0] cmd_len, input cmd_valid, output cmd_ready,
    input take, output there, output [31:0] address, output reg beyond
);
initial beyond = 0;
reg [31:0] addresses [0:3];
reg [23:0] lengths [0:3];
reg [31:0] dues [0:3];
reg [1:0] first = 0, last = 0;
reg [2:0] count = 0;
reg [31:0] now = 0;
wire accept = cmd_valid && cmd_ready;
wire ends = take && lengths[first] == 1;
assign cmd_ready = aresetn && count < 4 && may_accept;
assign there = count != 0 && now >= dues[first];
assign address = addresses[first];
always @(posedge clk) begin
    now <= now + 1;
    beyond <= accept && (cmd_len == 0 || {8'b0, cmd_len} > WORDS || cmd_addr > WORDS - {8'b0, cmd_len});
    if (take) begin
        addresses[first] <= addresses[first] + 1;
        lengths[first] <= lengths[first] - 1;
    end
    if (accept) begin
        addresses[last] <= cmd_addr;
        lengths[last] <= cmd_len;
        dues[last] <= now + latency;
        last <= last + 1;
    end
    if (ends) first <= first + 1;
    count <= count + {2'b0, accept} - {2'b0, ends};
end
endmodule

// A port that reads: word is the memory's at address; a word stays until it is taken.
module radit_tb_read_port #(parameter BITS = 8, WORDS = 1) (
    input clk, input aresetn, input [31:0] latency, input [8:0] pause, input [31:0] seed,
    input [31:0] cmd_addr, input [23:0] cmd_len, input cmd_valid, output cmd_ready,
    output [31:0] address, output beyond, input [BITS-1:0] word,
    output reg [BITS-1:0] data, output reg valid, input ready
);
wire [31:0] dice;
wire there;
wire take = there && (!valid || ready) && {1'b0, dice[15:8]} >= pause;
radit_tb_dice rolls (.clk(clk), .seed(seed), .value(dice));
radit_tb_commands #(.WORDS(WORDS)) commands (
    .clk(clk), .aresetn(aresetn), .latency(latency), .may_accept({1'b0, dice[7:0]} >= pause),
    .cmd_addr(cmd_addr), .cmd_len(cmd_len), .cmd_valid(cmd_valid), .cmd_ready(cmd_ready),
    .take(take), .there(there), .address(address), .beyond(beyond)
);
initial valid = 0;
always @(posedge clk) begin
    if (ready) valid <= 0;
    if (take) begin
        data <= word;
        valid <= 1;
    end
end
endmodule

// A port that writes: a word is stored at address when it is taken.
module radit_tb_write_port #(parameter WORDS = 1) (
    input clk, input aresetn, input [31:0] latency, input [8:0] pause, input [31:0] seed,
    input [31:0] cmd_addr, input [23:0] cmd_len, input cmd_valid, output cmd_ready,
    output [31:0] address, output beyond, input data_valid, output data_ready
);
wire [31:0] dice;
wire there;
assign data_ready = there && {1'b0, dice[15:8]} >= pause;
radit_tb_dice rolls (.clk(clk), .seed(seed), .value(dice));
radit_tb_commands #(.WORDS(WORDS)) commands (
    .clk(clk), .aresetn(aresetn), .latency(32'd0), .may_accept({1'b0, dice[7:0]} >= pause),
    .cmd_addr(cmd_addr), .cmd_len(cmd_len), .cmd_valid(cmd_valid), .cmd_ready(cmd_ready),
    .take(data_valid && data_ready), .there(there), .address(address), .beyond(beyond)
);
endmodule
"""
