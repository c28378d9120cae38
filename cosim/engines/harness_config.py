"""The header that tells the C++ harness the ports, widths and trace taps of one build, and how it records ports."""

from itertools import groupby

import numpy as np

from radit.accel.config import BuildConfig
from radit.accel.interfaces.top_ports import Port, TopPorts
from radit.cosim.engines.base import trace_fields
from radit.cosim.engines.setup import by_priority
from radit.model.formats import X_BITS


def harness_config(config: BuildConfig) -> str:
    """The text of harness_config.h."""
    ports = by_priority(config)
    fields = list(enumerate(trace_fields(config)))
    taps = []
    for tap, members in groupby(fields, key=lambda member: member[1].tap):
        calls = " ".join(f"FIELD({index}, trace_{f.name}, {f.event_bytes})" for index, f in members)
        taps.append(f"TAP(trace_{tap}_valid, {calls})")
    calls = " ".join(f"{'WRITE' if p.is_write else 'READ'}({p.name}, {index}, {p.word_bytes})" for index, p in ports)
    lines = ["// Generated from accel/interfaces/top_ports.py. Ports that come first are served first.", "#pragma once"]
    lines.append(f"#define RADIT_MEMORIES(READ, WRITE) {calls}")
    lines.append(f"#define RADIT_PORTS {len(ports)}")
    lines.append(f"#define RADIT_WIDEST {max(p.word_bytes for _, p in ports)}")
    lines.append(f"#define RADIT_X_BYTES {config.rows * X_BITS // 8}")
    lines.append(f"#define RADIT_FIELDS {len(fields)}")
    lines.append(f"#define RADIT_TAPS(TAP, FIELD) {' '.join(taps)}")
    lines.append(f"#define RADIT_TOP_PORTS(X) {' '.join(f'X({port.name})' for port in _recorded(config))}")
    return "\n".join(lines) + "\n"


def _recorded(config: BuildConfig) -> list[Port]:
    return [port for port in TopPorts(config).table() if port.name != "clk"]


def _stored_bytes(bits: int) -> int:
    """Bytes of a port in Verilator's model: the smallest of 1, 2, 4, 8, or words of 4."""
    return next((size for size in (1, 2, 4, 8) if bits <= 8 * size), -(-bits // 32) * 4)


def record_columns(config: BuildConfig, rows: np.ndarray) -> dict[str, list[int]]:
    """What cosim/harness/recorder.h appended, uint8: port -> its value by cycle."""
    ports = _recorded(config)
    sizes = [_stored_bytes(port.bits) for port in ports]
    table = rows.reshape(-1, sum(sizes))
    columns, start = {}, 0
    for port, size in zip(ports, sizes, strict=True):
        data = table[:, start : start + size].tobytes()
        words = (data[start : start + size] for start in range(0, len(data), size))
        columns[port.name] = [int.from_bytes(word, "little") for word in words]
        start += size
    return columns
