"""``project.json``: the schema of ``radit project``. All of it is *modelled*: nothing has been simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from radit.model.files import write_json
from radit.reports.common.schema_parts import Amount, Array, Count, ExternalMemory, Part, Share
from radit.reports.run.schema import Costs, Ratios

SCHEMA_VERSION: Literal[1] = 1
FILE = "project.json"


class Projected(Costs):
    """One image or clip, both sides of guidance included; the mean where the decisions are those of several images.

    Fields:
        milliseconds: at the projection's clock.
        phases: share of the cycles by phase (accel/control/cycle_accounts.py).
    """

    milliseconds: Amount
    phases: dict[str, Share]


class Projection(Part):
    """The whole of project.json.

    Fields:
        frames: of a clip; 1: an image.
        tokens: per context.
        contexts: 2 under guidance.
        machine: the named machine, and what options have changed of it; None: options alone describe it.
        axi: data bits of the AXI wrapper's bus; None: no wrapper.
        decisions: where the skipping run's decisions come from; None: dense alone.
        ratios: dense over skipping.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    basis: Literal["modelled"] = "modelled"
    model: str
    frames: Count = 1
    tokens: Count
    contexts: Count
    steps: Count
    cfg: Amount
    machine: str | None = None
    array: Array
    clock_mhz: Amount
    memory: ExternalMemory
    axi: Count | None = None
    decisions: str | None
    dense: Projected
    skipping: Projected | None
    ratios: Ratios | None
    energy_table: str
    memory_plan: str
    created: str
    command: str
    versions: dict[str, str]

    @property
    def noun(self) -> str:
        """What the costs are of."""
        return "image" if self.frames == 1 else "clip"


def write_projection(folder: Path, projection: Projection) -> Path:
    """Check and write ``project.json`` in a folder, whole or not at all; return its path."""
    path = folder / FILE
    write_json(path, projection)
    return path
