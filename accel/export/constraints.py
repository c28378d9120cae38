"""Timing constraints of a top: SDC for most tools, XDC for Vivado, LPF for nextpnr and Diamond (ECP5).

One clock, and no exceptions: reset is synchronous and there is no path that may take longer. What drives the inputs and
reads the outputs are registers.
"""

from radit.accel.export.convert import TOP

CLOCK = "clk"
CLOCK_MHZ = 50.0  # where none is asked for
OUTSIDE = 0.2  # of a period: what registers and wires outside take, on either side


def constraint_texts(top: str = TOP, mhz: float = CLOCK_MHZ) -> dict[str, str]:
    """The constraints of a top by the ending of their file: sdc, xdc, lpf."""
    period, outside = 1000 / mhz, OUTSIDE * 1000 / mhz
    head = [
        f"# {top} at {mhz:g} MHz: one clock, synchronous reset, ports between registers.",
        f"create_clock -name {CLOCK} -period {period:.3f} [get_ports {CLOCK}]",
    ]
    ends = f"set_output_delay -clock {CLOCK} {outside:.3f} [all_outputs]"
    inputs = {"sdc": "[all_inputs]", "xdc": f"[get_ports -filter {{DIRECTION == IN && NAME != {CLOCK}}}]"}
    texts = {
        ending: "\n".join([*head, f"set_input_delay -clock {CLOCK} {outside:.3f} {ports}", ends, ""])
        for ending, ports in inputs.items()
    }
    return {**texts, "lpf": f'FREQUENCY PORT "{CLOCK}" {mhz:g} MHZ;\n'}
