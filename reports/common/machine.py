"""What the measurements ran on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Machine(BaseModel):
    """The computer of a measurement.

    Fields:
        processor: as the kernel names it.
        cores: that this process may use.
        memory_gib: main memory, GiB.
        load: processes that were running or waiting on average in the minute before (None: unknown); what is above 0
            competes with a measurement.
        system: operating system.
    """

    model_config = ConfigDict(extra="forbid")

    processor: str
    cores: int
    memory_gib: float
    load: float | None
    system: str


def this_machine() -> Machine:
    """The one this runs on, now."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        system=f"{platform.system()} {platform.release()}",
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
