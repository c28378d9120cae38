"""The header that tells the C++ harness the ports, widths and trace taps of one build."""

from itertools import groupby

from accel.config import BuildConfig
from accel.ports import X_BITS
from cosim.engines.base import trace_fields
from cosim.engines.setup import by_priority


def harness_config(config: BuildConfig) -> str:
    """The text of harness_config.h."""
    ports = by_priority(config)
    fields = list(enumerate(trace_fields(config)))
    taps = []
    for tap, members in groupby(fields, key=lambda member: member[1].tap):
        calls = " ".join(f"FIELD({index}, trace_{f.name}, {f.event_bytes})" for index, f in members)
        taps.append(f"TAP(trace_{tap}_valid, {calls})")
    calls = " ".join(f"{'WRITE' if p.is_write else 'READ'}({p.name}, {index}, {p.word_bytes})" for index, p in ports)
    lines = ["// Generated from accel/ports.py. Ports that come first are served first.", "#pragma once"]
    lines.append(f"#define RADIT_MEMORIES(READ, WRITE) {calls}")
    lines.append(f"#define RADIT_PORTS {len(ports)}")
    lines.append(f"#define RADIT_WIDEST {max(p.word_bytes for _, p in ports)}")
    lines.append(f"#define RADIT_X_BYTES {config.rows * X_BITS // 8}")
    lines.append(f"#define RADIT_FIELDS {len(fields)}")
    lines.append(f"#define RADIT_TAPS(TAP, FIELD) {' '.join(taps)}")
    return "\n".join(lines) + "\n"
