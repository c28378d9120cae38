"""Timing constraints of the top for synthesis: SDC for most tools, XDC for Vivado, LPF for ECP5.

All ports are timed at the clock's edge, as the streams want it: what drives them and what reads them are registers.
"""

from radit.accel.export.convert import TOP

CLOCK, RESET = "clk", "aresetn"
INPUT_SHARE = 0.2  # of a period: what the registers and wires outside take, on either side


def _ns(mhz: float) -> float:
    return round(1000 / mhz, 3)


def _timed_ports(period: float) -> list[str]:
    outside = f"{period * INPUT_SHARE:.3f}"
    return [
        f"set_input_delay -clock {CLOCK} {outside} [get_ports -filter {{DIRECTION == IN && NAME != {CLOCK}}}]",
        f"set_output_delay -clock {CLOCK} {outside} [all_outputs]",
    ]


def sdc_text(mhz: float, top: str = TOP) -> str:
    """Constraints for synthesis and static timing."""
    period, outside = _ns(mhz), f"{_ns(mhz) * INPUT_SHARE:.3f}"
    return "\n".join(
        [
            f"# {top} at {mhz:g} MHz: one clock, synchronous reset, ports between registers.",
            f"create_clock -name {CLOCK} -period {period:g} [get_ports {CLOCK}]",
            f"set_input_delay -clock {CLOCK} {outside} [all_inputs]",
            f"set_output_delay -clock {CLOCK} {outside} [all_outputs]",
            "",
        ]
    )


def xdc_text(mhz: float, top: str = TOP) -> str:
    """Constraints for Vivado."""
    period = _ns(mhz)
    return "\n".join(
        [
            f"# {top} at {mhz:g} MHz: one clock, synchronous reset, ports between registers.",
            f"create_clock -name {CLOCK} -period {period:g} [get_ports {CLOCK}]",
            *_timed_ports(period),
            "",
        ]
    )


def lpf_text(mhz: float) -> str:
    """Constraints for nextpnr and Diamond."""
    return f'FREQUENCY PORT "{CLOCK}" {mhz:g} MHZ;\n'
