"""Memories of the exported Verilog as instances of one module, ``radit_ram``; a foundry's macro can take its place.

The converter writes one flat module, in which a memory is an array with a process of its own (``accel/units/ram.py``).
Here each array, its process and the register of its read word become an instance; nothing else of the text changes.
"""

import re

from radit.model.errors import UserError

RAM_FILE, RAM = "radit_ram.v", "radit_ram"
DECLARED = re.compile(r"(?m)^reg \[(\d+):0\] (\w*word_ram\d*_memory) \[0:(\d+)-1\];\n")
PROCESS = re.compile(
    r"always @\(posedge clk\) begin: (?P<name>\w+)_transfer\n"
    r"    if \((?P<write>.+)\) begin\n"
    r"        (?P=name)_memory\[(?P<waddr>.+)\] <= (?P<wdata>.+);\n    end\n"
    r"    if \((?P<read>.+)\) begin\n"
    r"        (?P<rdata>\w+) <= (?P=name)_memory\[(?P<raddr>.+)\];\n    end\nend\n"
)
MODULE = """\
// A memory with one write port and one registered read port. A read gives the old word where the same cycle writes it.
// rdata changes only in the cycle after read; a word is undefined until it is written. To use a macro, replace the
// body, by WIDTH and DEPTH; addresses stay below DEPTH.

`timescale 1ns/10ps

module radit_ram #(parameter WIDTH = 8, DEPTH = 16, ADDRESS_BITS = 4) (
    input clk,
    input write,
    input [ADDRESS_BITS-1:0] waddr,
    input [WIDTH-1:0] wdata,
    input read,
    input [ADDRESS_BITS-1:0] raddr,
    output reg [WIDTH-1:0] rdata
);
reg [WIDTH-1:0] memory [0:DEPTH-1];
always @(posedge clk) begin
    if (write) memory[waddr] <= wdata;
    if (read) rdata <= memory[raddr];
end
endmodule
"""


def memories_apart(verilog: str) -> str:
    """The text of a top with an instance of ``radit_ram`` for every memory.

    Raises:
        UserError: a memory is not written as expected.
    """
    shapes = {name: (int(high) + 1, int(depth)) for high, name, depth in DECLARED.findall(verilog)}
    words: list[str] = []

    def instance(found: re.Match[str]) -> str:
        name = found["name"]
        width, depth = shapes.pop(f"{name}_memory")
        words.append(found["rdata"])
        bits = max(1, (depth - 1).bit_length())
        ports = {
            "clk": "clk",
            "write": found["write"],
            **{port: found[port] for port in "waddr wdata read raddr".split()},
        }
        text = ",\n".join(f"    .{port}({signal})" for port, signal in {**ports, "rdata": found["rdata"]}.items())
        return f"{RAM} #(.WIDTH({width}), .DEPTH({depth}), .ADDRESS_BITS({bits})) {name} (\n{text}\n);\n"

    text = PROCESS.sub(instance, verilog)
    if shapes:
        raise UserError(f"memory {next(iter(shapes))} is not one of accel/units/ram.py: export with --memories inside.")
    text = DECLARED.sub("", text)
    for word in words:
        text, count = re.subn(rf"(?m)^reg (\[\d+:0\] {word};)$", r"wire \1", text)
        if count != 1:
            raise UserError(f"word {word} of a memory is declared {count} times: export with --memories inside.")
    return text
