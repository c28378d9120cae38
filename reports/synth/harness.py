"""A top with four pins around a core with hundreds of ports, so that a small package can hold it.

Every input of the core is a flip-flop of one shift register; every output is caught by a flip-flop and folded, bit by
bit, into another. So the core's ports are timed as paths between registers, and nothing of it can be optimized away.
The module is written in the cells of the family: flip-flops and tables of four inputs, as ``synth_ecp5`` makes them.
"""

from __future__ import annotations

from collections.abc import Iterator

from radit.accel.export.verilog_ports import VerilogPort

HARNESS, INSTANCE = "radit_pins", "core"
CLOCK = "clk"
XOR = "16'b0110011001100110"  # of the two lowest inputs
FLIP_FLOP = (
    'TRELLIS_FF #(.GSR("DISABLED"), .CEMUX("1"), .CLKMUX("CLK"), .LSRMUX("LSR"), .REGSET("RESET"), '
    '.SRMODE("LSR_OVER_CE"))'
)


def harness_text(ports: list[VerilogPort], top: str) -> str:
    """Verilog of ``radit_pins``: clk, shift_in, shift_out, and the core inside as instance ``core``."""
    lines = [
        f"module {HARNESS} (input {CLOCK}, input shift_in, output shift_out);",
        *_body([port for port in ports if port.name != CLOCK]),
        f"  {top} {INSTANCE} (",
        ",\n".join(f"    .{port.name}({CLOCK if port.name == CLOCK else f'p_{port.name}'})" for port in ports),
        "  );",
        "endmodule",
    ]
    return "\n".join([*lines, ""])


def _body(ports: list[VerilogPort]) -> Iterator[str]:
    inputs = [f"p_{port.name}[{bit}]" for port in ports if port.is_input for bit in range(port.bits)]
    outputs = [f"p_{port.name}[{bit}]" for port in ports if not port.is_input for bit in range(port.bits)]
    yield from (f"  wire [{port.bits - 1}:0] p_{port.name};" for port in ports)
    yield f"  wire [{len(outputs) - 1}:0] caught, mixed, folded;"
    for number, wire in enumerate(inputs):
        before = inputs[number - 1] if number else "shift_in"
        yield f"  {FLIP_FLOP} i{number} (.CLK({CLOCK}), .LSR(1'b0), .DI({before}), .Q({wire}));"
    for number, wire in enumerate(outputs):
        before = f"folded[{number - 1}]" if number else inputs[-1]
        yield f"  {FLIP_FLOP} c{number} (.CLK({CLOCK}), .LSR(1'b0), .DI({wire}), .Q(caught[{number}]));"
        yield (
            f"  LUT4 #(.INIT({XOR})) m{number} (.A(caught[{number}]), .B({before}), .C(1'b0), .D(1'b0), "
            f".Z(mixed[{number}]));"
        )
        yield f"  {FLIP_FLOP} f{number} (.CLK({CLOCK}), .LSR(1'b0), .DI(mixed[{number}]), .Q(folded[{number}]));"
    yield f"  assign shift_out = folded[{len(outputs) - 1}];"
