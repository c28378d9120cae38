"""The header that tells the C++ harness the ports, widths and trace taps of one build."""

from itertools import groupby

from accel.config import BuildConfig
from accel.ports import X_BITS, memory_ports
from cosim.engines.base import trace_fields


def harness_config(config: BuildConfig) -> str:
    """The text of harness_config.h."""
    ports = list(enumerate(memory_ports(config)))
    fields = list(enumerate(trace_fields(config)))
    taps = []
    for tap, members in groupby(fields, key=lambda member: member[1].tap):
        calls = " ".join(f"FIELD({index}, trace_{f.name}, {f.event_bytes})" for index, f in members)
        taps.append(f"TAP(trace_{tap}_valid, {calls})")
    lines = ["// Generated from accel/ports.py.", "#pragma once"]
    for kind, is_write in (("READ", False), ("WRITE", True)):
        calls = " ".join(f"X({p.name}, {i}, {p.word_bytes})" for i, p in ports if p.is_write == is_write)
        lines.append(f"#define RADIT_{kind}_PORTS(X) {calls}")
    lines.append(f"#define RADIT_PORTS {len(ports)}")
    lines.append(f"#define RADIT_X_BYTES {config.rows * X_BITS // 8}")
    lines.append(f"#define RADIT_FIELDS {len(fields)}")
    lines.append(f"#define RADIT_TAPS(TAP, FIELD) {' '.join(taps)}")
    return "\n".join(lines) + "\n"
