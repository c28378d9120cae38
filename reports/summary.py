"""``summary.json``: the schema other tools rely on, how it is filled, written and read.

Cycles, MACs and checks are *measured* in the RTL simulation, energies *modelled*; field ``basis`` says which is which.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from accel.config import BuildConfig
from model.errors import UserError
from reports.energy import EnergyReport
from reports.files import atomic_write, versions
from reports.table import EnergyTable

SCHEMA_VERSION = 1
BASIS = {
    "cycles": "measured",
    "counters": "measured",
    "macs": "measured",
    "mac_utilization": "measured",
    "mac_skip_rate": "measured",
    "check": "measured",
    "quality": "measured",
    "seconds": "measured",
    "energy_uj": "modelled",
    "energy_breakdown_uj": "modelled",
    "host": "assumed",
    "memory_plan": "assumed",
}

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Sampler(_Part):
    """Sampler settings: steps of DDIM, guidance factor, images, seed of the noise."""

    steps: Annotated[int, Field(ge=1)]
    cfg: Amount
    images: Annotated[int, Field(ge=1)]
    seed: int


class Array(_Part):
    """MAC array, in cells."""

    rows: int
    cols: int


class Bounds(_Part):
    """uJ."""

    low: Amount
    nominal: Amount
    high: Amount


class PolicyResult(_Part):
    """One run, whole: all images and timesteps.

    Fields:
        cycles: clock cycles the accelerator was busy.
        macs: MACs of the model in the computed sub-blocks, without padding.
        mac_utilization: macs over the array's peak in ``cycles``.
        mac_skip_rate: share of the dense run's MACs that was not computed.
        energy_uj, energy_breakdown_uj: uJ, total and by component.
        counters: every counter of accel/registers.py.
    """

    cycles: Count
    macs: Count
    mac_utilization: Share
    mac_skip_rate: Share
    energy_uj: Bounds
    energy_breakdown_uj: dict[str, Bounds]
    counters: dict[str, Count]


class Ratios(_Part):
    """Dense over radit."""

    cycles: Amount
    macs: Amount
    energy_nominal: Amount


class Check(_Part):
    """RTL against the integer reference, both runs."""

    words_compared: Count
    words_mismatched: Count
    decisions_compared: Count
    decisions_mismatched: Count
    images_identical: bool
    counters_equal: bool

    @property
    def passed(self) -> bool:
        mismatches = self.words_mismatched + self.decisions_mismatched
        return self.words_compared > 0 and not mismatches and self.images_identical and self.counters_equal


class Quality(_Part):
    """Frechet distances (no unit), accuracies (share), mean squared pixel differences (pixels from -1 to 1).

    Fields:
        fd_noise: spread of the distance over re-seeded dense runs.
        mse_fewer_steps_same_macs: of the dense sampler with as many steps as the skipped MACs leave.
        fewer_steps: those steps.
        mac_reduction: MACs dense over skipping of the samples.
        origin: stored with the checkpoint, or recomputed in this run.
    """

    samples: Count
    fd_float: Amount
    fd_int8: Amount
    fd_radit: Amount
    fd_noise: Amount
    accuracy_float: Share
    accuracy_int8: Share
    accuracy_radit: Share
    mse_radit_to_dense: Amount
    mse_fewer_steps_same_macs: Amount
    fewer_steps: Count = 0
    mac_reduction: Amount = 0.0
    origin: str = ""


class Provenance(_Part):
    """What the numbers rest on."""

    created: str
    command: str = ""
    versions: dict[str, str]
    hashes: dict[str, str]
    energy_table: str
    energy_sources: list[dict[str, Any]]
    memory_plan: str


class Summary(_Part):
    """The whole of summary.json."""

    schema_version: int = SCHEMA_VERSION
    model: str
    sampler: Sampler
    blocks: Count | None = None  # the model's first ones; None: all
    timesteps: Count | None = None  # the sampler's first ones; None: all
    engine: str
    array: Array
    dense: PolicyResult | None = None  # None: the policy was not run
    radit: PolicyResult | None = None
    ratios: Ratios | None = None
    check: Check
    quality: Quality | None = None
    seconds: dict[str, Amount]
    basis: dict[str, str] = BASIS
    provenance: Provenance

    def comparison(self) -> Comparison:
        """The same, known to hold both runs.

        Raises:
            UserError: one of the policies was not run.
        """
        for name in ("dense", "radit"):
            if getattr(self, name) is None:
                raise UserError(f"summary field {name} is missing; run with --policy dense,radit.")
        return Comparison.model_validate(self.model_dump())


class Comparison(Summary):
    """A summary of both runs."""

    dense: PolicyResult
    radit: PolicyResult
    ratios: Ratios


def policy_result(
    counters: dict[str, int], macs: int, dense_macs: int, build: BuildConfig, energy: EnergyReport
) -> PolicyResult:
    """Result of one run from its counters, its MACs (``reports.counts.model_macs``) and its energy."""
    peak = counters["cycles"] * build.rows * build.cols
    return PolicyResult(
        cycles=counters["cycles"],
        macs=macs,
        mac_utilization=macs / peak if peak else 0.0,
        mac_skip_rate=1 - macs / dense_macs,
        counters=counters,
        **energy.summary(),
    )


def ratios(dense: PolicyResult, radit: PolicyResult) -> Ratios:
    """Dense over radit: cycles, MACs, nominal energy."""
    return Ratios(
        cycles=dense.cycles / radit.cycles,
        macs=dense.macs / radit.macs,
        energy_nominal=dense.energy_uj.nominal / radit.energy_uj.nominal,
    )


def provenance(table: EnergyTable, memory_plan: str, hashes: dict[str, str], command: str = "") -> Provenance:
    """Provenance of a run made now. ``hashes``: what was hashed -> digest (checkpoint, config, rtl, table ...)."""
    return Provenance(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=command,
        versions=versions(),
        hashes=hashes,
        energy_table=table.name,
        energy_sources=table.sources(),
        memory_plan=memory_plan,
    )


def write_summary(path: Path, summary: Summary) -> None:
    """Check the summary against its schema and write it whole or not at all."""
    checked = Summary.model_validate(summary.model_dump())
    atomic_write(path, json.dumps(checked.model_dump(), indent=2, allow_nan=False) + "\n")


def load_summary(path: Path) -> Summary:
    """Read a summary.

    Raises:
        UserError: the file is missing, not JSON, or does not fit the schema.
    """
    try:
        return Summary.model_validate(json.loads(path.read_text()))
    except OSError as error:
        raise UserError(f"summary {path} cannot be read ({error.strerror}); run `radit demo` first.") from None
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"])
        raise UserError(
            f"summary {path} field {field} does not fit ({problem['msg']}); run `radit demo` again."
        ) from None
    except ValueError as error:
        raise UserError(f"summary {path} is not JSON ({error}); run `radit demo` again.") from None
