"""Limits of this machine's memory, asked before anything large is made.

What a run needs is estimated from below: an estimate that does not fit would have ended in a killed process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from radit.model.errors import UserError

UNITS = ("bytes", "kB", "MB", "GB", "TB")  # powers of 1000
MEMORY_INFO, CGROUP, CGROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
# Files of a control group: limit, use, statistics, and in those the pages that can be dropped. Version 2, version 1.
GROUP_FILES = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat", "total_inactive_file"),
)


@dataclass(frozen=True)
class MachineMemory:
    """Memory that this process may use, in bytes: all of it, and what is free now (swap and caches included)."""

    total: int
    free: int


def machine_memory() -> MachineMemory:
    """Return the memory of the machine, or of the control group that the process runs in where that has less."""
    found = [_physical(), *_groups()]
    return MachineMemory(min(one.total for one in found), min(one.free for one in found))


def check_memory(what: str, parts: Mapping[str, int], remedy: str) -> None:
    """Refuse what this machine has no memory for.

    Args:
        what: the subject of the sentence, such as "Model dit-xl-2".
        parts: bytes by what they are for.
        remedy: what to do instead.

    Raises:
        UserError: the parts together are more than what is free.
    """
    needed, machine = sum(parts.values()), machine_memory()
    if needed <= machine.free:
        return
    largest = sorted(parts, key=lambda name: -parts[name])[:3]
    shown = ", ".join(f"{name} {amount(parts[name])}" for name in largest if parts[name])
    raise UserError(
        f"{what} needs {amount(needed)} of memory ({shown}): this machine has {amount(machine.total)}, of which "
        f"{amount(machine.free)} are free; {remedy}."
    )


def amount(count: int) -> str:
    """Bytes in words, two digits or more: 3.2 TB, 24 GB, 512 bytes."""
    power = min((len(str(max(count, 1))) - 1) // 3, len(UNITS) - 1)
    tenths = count * 10 // 1000**power
    whole = tenths // 10
    return f"{whole}.{tenths % 10} {UNITS[power]}" if power and whole < 10 else f"{whole:,} {UNITS[power]}"


def _physical() -> MachineMemory:
    """Of the kernel's table, or where there is none of what the system says."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        lines = (line.split() for line in MEMORY_INFO.read_text(encoding="ascii").splitlines())
        kilobytes = {words[0]: int(words[1]) for words in lines if len(words) > 1}
        free = kilobytes["MemAvailable:"] + kilobytes.get("SwapFree:", 0)
    except (OSError, ValueError, KeyError):
        return MachineMemory(total, total)
    return MachineMemory(kilobytes.get("MemTotal:", total // 1024) * 1024, free * 1024)


def _groups() -> Iterator[MachineMemory]:
    """Of the control groups above this process that have a limit."""
    for folder in _group_folders():
        for limit_file, use_file, statistics, droppable in GROUP_FILES:
            try:
                limit, used = int((folder / limit_file).read_text()), int((folder / use_file).read_text())
                lines = (line.split() for line in (folder / statistics).read_text().splitlines())
                caches = next((int(words[1]) for words in lines if words[0] == droppable), 0)
            except (OSError, ValueError, IndexError):  # there is no such file, or it says "max"
                continue
            yield MachineMemory(limit, max(0, limit - used + caches))


def _group_folders() -> Iterator[Path]:
    """Where the limits of this process may stand: in a container, at the top."""
    yield from (CGROUPS, CGROUPS / "memory")
    try:
        names = [line.split(":", 2)[2] for line in CGROUP.read_text().splitlines() if line.count(":") >= 2]
    except (OSError, ValueError):
        return
    for name in names:
        inside = Path(name.lstrip("/"))
        for part in (inside, *inside.parents):
            if part != Path():
                yield from (CGROUPS / part, CGROUPS / "memory" / part)
