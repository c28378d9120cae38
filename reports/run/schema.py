"""The schema of ``summary.json``, on which other tools rely.

Cycles, MACs and checks are *measured* in the RTL simulation, energies *modelled*; field ``basis`` says which is which.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from accel.control.registers import CAUSES, PHASES
from model.errors import UserError
from reports.common.schema_parts import Amount, Array, Bounds, Count, ExternalMemory, Part, Share
from reports.cycles.roofline import Roofline

SCHEMA_VERSION = 2
POLICY_LABELS = {"dense": "dense", "radit": "RADiT", "forecast": "forecast"}  # in the order of every account
BASIS = {
    "cycles": "measured",
    "counters": "measured",
    "macs": "measured",
    "mac_utilization": "measured",
    "mac_skip_rate": "measured",
    "stalls": "measured",
    "gmac_per_second": "measured",
    "cycle_model": "modelled and measured",
    "external_bytes": "measured",
    "roofline": "modelled",
    "check": "measured",
    "quality": "measured",
    "seconds": "measured",
    "energy_uj": "modelled",
    "energy_breakdown_uj": "modelled",
    "host": "assumed",
    "memory_plan": "assumed",
}


class Sampler(Part):
    """Sampler settings: steps of DDIM, guidance factor, images, seed of the noise.

    Fields:
        images: or clips.
        frames: of a clip; 1: images.
    """

    steps: Annotated[int, Field(ge=1)]
    cfg: Amount
    images: Annotated[int, Field(ge=1)]
    frames: Annotated[int, Field(ge=1)] = 1
    seed: int

    @property
    def noun(self) -> str:
        """What is generated, in the singular."""
        return "image" if self.frames == 1 else "clip"


class Memory(ExternalMemory):
    """The same with the seed of the pauses."""

    seed: int


class CycleModel(Part):
    """Cycles from dimensions and decisions alone (``reports/cycles/cycle_model.py``), and those of the simulated
    RTL."""

    predicted: Count
    measured: Count

    @property
    def error(self) -> float:
        """Of the prediction, relative to what was measured."""
        return self.predicted / self.measured - 1 if self.measured else 0.0

    @property
    def found(self) -> str:
        """The error in words."""
        return "equal" if self.predicted == self.measured else f"{self.error:+.3%}"


def _complete(stalls: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    if stalls.keys() != set(PHASES) or any(part.keys() != set(CAUSES) for part in stalls.values()):
        raise ValueError(f"must have the phases {', '.join(PHASES)}, each with the causes {', '.join(CAUSES)}")
    return stalls


Stalls = Annotated[dict[str, dict[str, Count]], AfterValidator(_complete)]  # cycles by phase and cause


def booked(stalls: dict[str, dict[str, int]]) -> int:
    """Cycles of all phases and causes."""
    return sum(sum(causes.values()) for causes in stalls.values())


class Costs(Part):
    """What a run takes.

    Fields:
        cycles: clock cycles the accelerator is busy.
        macs: MACs of the model in the computed sub-blocks, without padding.
        mac_utilization: macs over the array's peak in ``cycles``.
        mac_skip_rate: share of the dense run's MACs that is not computed.
        external_bytes: bytes over the memory ports and the x streams, by cause.
        roofline: of the first image.
        energy_uj, energy_breakdown_uj: uJ, total and by component.
    """

    cycles: Count
    macs: Count
    mac_utilization: Share
    mac_skip_rate: Share
    external_bytes: dict[str, Count]
    roofline: Roofline
    energy_uj: Bounds
    energy_breakdown_uj: dict[str, Bounds]


class PolicyResult(Costs):
    """One run, whole: all images and timesteps.

    Fields:
        stalls: cycles by phase and cause (accel/control/cycle_accounts.py); they add up to ``cycles``, unless the run
            stopped in the middle of a timestep, where the clock goes on while the counters are read.
        gmac_per_second: simulated useful GMACs over the engine's seconds; of one engine, where several ran at a time.
        cycle_model: None: the run stopped at a mismatch.
        counters: every counter of accel/control/registers.py.
    """

    stalls: Stalls
    gmac_per_second: Amount
    cycle_model: CycleModel | None
    counters: dict[str, Count]

    @model_validator(mode="after")
    def _check_cycles(self) -> PolicyResult:
        if self.cycle_model and booked(self.stalls) != self.cycles:
            raise ValueError(f"stalls add up to {booked(self.stalls)} cycles, not to {self.cycles}")
        return self


class Ratios(Part):
    """Dense over skipping."""

    cycles: Amount
    macs: Amount
    energy_nominal: Amount


class Check(Part):
    """RTL against the integer reference, all runs."""

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


class ClipMeasures(Part):
    """Of clips of moving digits (model/quality/video_quality.py): what all samples have, then frame by frame, then
    motion.

    Fields:
        fd, accuracy: Frechet distance (no unit) and label accuracy (share) of whole clips.
        accuracy_frames: share of frames with the label's class.
        same_class: share of frames with the class that most frames of their clip have.
        speed, acceleration: of the ink's centre, pixels per frame, and per frame squared.
        departure: from the nearest bouncing path, pixels.
        straight: share of clips that depart by no more than half a pixel.
    """

    fd: Amount
    accuracy: Share
    accuracy_frames: Share
    same_class: Share
    speed: Amount
    acceleration: Amount
    departure: Amount
    straight: Share


class Spread(Part):
    """Of paired errors over the samples: the standard error of their mean, and their median."""

    standard_error: Amount
    median: Amount


class Quality(Part):
    """Frechet distances (no unit), accuracies (share), mean squared pixel differences (pixels from -1 to 1).

    Fields:
        fd_noise: spread of the distance over re-seeded dense runs.
        mse_fewer_steps_same_macs: of the dense sampler with as many steps as the skipped MACs leave.
        fewer_steps: those steps.
        mse_30_of_50: of the dense integer model with 30 of the 50 steps, the bar of equal quality.
        mac_reduction, mac_reduction_forecast: MACs dense over skipping of the samples.
        mse_spread: of the errors of "radit", "fewer_steps", "forecast" and "30_of_50".
        ..._forecast, mse_30_of_50, mse_spread: None where they were not measured.
        clips: of "data", "float" and the policies; None: the samples are images.
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
    fd_forecast: Amount | None = None
    accuracy_forecast: Share | None = None
    mse_forecast_to_dense: Amount | None = None
    mse_30_of_50: Amount | None = None
    mac_reduction_forecast: Amount | None = None
    mse_spread: dict[str, Spread] | None = None
    clips: dict[str, ClipMeasures] | None = None
    origin: str = ""

    @property
    def paired_errors(self) -> dict[str, float]:
        """The mean errors that were measured, by the names of ``mse_spread``."""
        found = {
            "radit": self.mse_radit_to_dense,
            "fewer_steps": self.mse_fewer_steps_same_macs,
            "forecast": self.mse_forecast_to_dense,
            "30_of_50": self.mse_30_of_50,
        }
        return {name: value for name, value in found.items() if value is not None}

    def error_text(self, name: str) -> str:
        """A mean error with its standard error, for tables: 2.78e-3 +- 0.56e-3."""
        mean = self.paired_errors[name]
        power = math.floor(math.log10(mean)) if mean else 0
        values = [mean] if self.mse_spread is None else [mean, self.mse_spread[name].standard_error]
        return " +- ".join(f"{value / 10.0**power:.2f}e{power}" for value in values)


class Provenance(Part):
    """What the numbers rest on."""

    created: str
    command: str = ""
    versions: dict[str, str]
    hashes: dict[str, str]
    energy_table: str
    energy_sources: list[dict[str, Any]]
    memory_plan: str


class Summary(Part):
    """The whole of summary.json; ``stalls``, ``gmac_per_second`` and ``cycle_model`` of all policies that were run.

    Fields:
        dense, radit, forecast: None: the policy was not run.
        sub_blocks: what every sub-block is, in order; empty: attention and MLP in turn.
        ratios, forecast_ratios: dense over radit, and dense over forecast; None: not both were run, or one stopped.
    """

    schema_version: int = SCHEMA_VERSION
    model: str
    sampler: Sampler
    blocks: Count | None = None  # the model's first ones; None: all
    timesteps: Count | None = None  # the sampler's first ones; None: all
    sub_blocks: list[str] = []
    engine: str
    array: Array
    memory: Memory
    dense: PolicyResult | None = None
    radit: PolicyResult | None = None
    forecast: PolicyResult | None = None
    ratios: Ratios | None = None
    forecast_ratios: Ratios | None = None
    stalls: Stalls
    gmac_per_second: Amount
    cycle_model: CycleModel | None
    check: Check
    quality: Quality | None = None
    seconds: dict[str, Amount]
    basis: dict[str, str] = BASIS
    provenance: Provenance

    @property
    def results(self) -> dict[str, PolicyResult]:
        """Of the policies that were run."""
        found = {name: getattr(self, name) for name in POLICY_LABELS}
        return {name: result for name, result in found.items() if result}

    @property
    def dense_over(self) -> dict[str, Ratios]:
        """Of the skipping policies that were run beside dense."""
        found = {"radit": self.ratios, "forecast": self.forecast_ratios}
        return {name: ratios for name, ratios in found.items() if ratios}

    @property
    def cycle_models(self) -> dict[str, CycleModel]:
        """Of the policies that ran to their end."""
        return {name: result.cycle_model for name, result in self.results.items() if result.cycle_model}

    def comparison(self) -> Comparison:
        """The same, known to hold the dense and the radit run.

        Raises:
            UserError: one of these policies was not run.
        """
        for name in ("dense", "radit"):
            if getattr(self, name) is None:
                raise UserError(f"summary field {name} is missing; run with --policy dense,radit.")
        return Comparison.model_validate(self.model_dump())


class Comparison(Summary):
    """A summary of the dense and the radit run, and of the forecast run where there is one."""

    dense: PolicyResult
    radit: PolicyResult
    ratios: Ratios
