"""The schema of ``summary.json``, on which other tools rely.

Cycles, MACs and checks are *measured* in the RTL simulation, energies *modelled*; field ``basis`` says which is which.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from radit.accel.control.registers import CAUSES, PHASES
from radit.model.errors import UserError
from radit.model.quality.names import DATA, DENSE, FLOAT
from radit.reports.common.schema_parts import Amount, Array, Bounds, Count, ExternalMemory, Part, Share
from radit.reports.cycles.roofline import Roofline
from radit.reports.energy.memory_plan import MemoryPlan

SCHEMA_VERSION = 3
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
        text: the policy as `--policy` reads it.
        settings: every field of the policy (model/policy/skip_policy.py).
        memory_plan: where the cache of results and the history of codes live.
        stalls: cycles by phase and cause (accel/control/cycle_accounts.py); they add up to ``cycles``, unless the run
            stopped in the middle of a timestep, where the clock goes on while the counters are read.
        gmac_per_second: simulated useful GMACs over the engine's seconds; of one engine, where several ran at a time.
        cycle_model: None: the run stopped at a mismatch.
        counters: every counter of accel/control/registers.py.
    """

    text: str
    settings: dict[str, Any]
    memory_plan: MemoryPlan
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
    """Of clips of moving digits (model/quality/video_quality.py): frame by frame, then motion.

    Fields:
        accuracy_frames: share of frames with the label's class.
        same_class: share of frames with the class that most frames of their clip have.
        speed, acceleration: of the ink's centre, pixels per frame, and per frame squared.
        departure: from the nearest bouncing path, pixels.
        straight: share of clips that depart by no more than half a pixel.
    """

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


class PolicyQuality(Part):
    """Quality of the samples of one policy, or of what it is compared with; None: not measured.

    Fields:
        text: the policy as `--policy` reads it; empty: no policy.
        steps: of the sampler, where they are fewer than the run's.
        same_macs_as: policy whose MACs these steps take.
        fd: Frechet distance to the data, no unit.
        accuracy: label accuracy, share.
        mac_reduction: MACs dense over these.
        mse_to_dense: mean squared difference to the dense samples, pixels from -1 to 1.
        clips: None: the samples are images.
    """

    text: str = ""
    steps: Count | None = None
    same_macs_as: str | None = None
    fd: Amount | None = None
    accuracy: Share | None = None
    mac_reduction: Amount | None = None
    mse_to_dense: Amount | None = None
    mse_spread: Spread | None = None
    clips: ClipMeasures | None = None

    @property
    def error_text(self) -> str:
        """The mean error with its standard error, for tables: 2.78e-3 +- 0.56e-3; empty where it was not measured."""
        mean = self.mse_to_dense
        if mean is None:
            return ""
        if mean == 0:
            return "0"
        power = math.floor(math.log10(mean))
        values = [mean] if self.mse_spread is None else [mean, self.mse_spread.standard_error]
        return " +- ".join(f"{value / 10.0**power:.2f}e{power}" for value in values)


class Quality(Part):
    """Quality of generated samples.

    Fields:
        fd_noise: spread of the distance over re-seeded float runs.
        by_policy: of ``float``, ``dense`` (the integer model) and every skipping policy; of ``fewer_steps``, the dense
            model with as many steps as the MACs of a skipping policy leave, and ``30_of_50``, with three fifths of the
            steps, the bar of equal quality; of clips also of ``data``.
        origin: stored with the checkpoint, or recomputed in this run.
    """

    samples: Count
    fd_noise: Amount
    by_policy: dict[str, PolicyQuality]
    origin: str = ""

    @model_validator(mode="after")
    def _check_compared(self) -> Quality:
        for name in (FLOAT, DENSE):
            if name not in self.by_policy or self.by_policy[name].fd is None:
                raise ValueError(f"by_policy lacks the Frechet distance of {name}")
        return self

    @property
    def data(self) -> ClipMeasures | None:
        """What the data's own clips have; None of images."""
        return self.by_policy[DATA].clips if DATA in self.by_policy else None


class Provenance(Part):
    """What the numbers rest on."""

    created: str
    command: str = ""
    versions: dict[str, str]
    hashes: dict[str, str]
    energy_table: str
    energy_sources: list[dict[str, Any]]


class Summary(Part):
    """The whole of summary.json; ``stalls``, ``gmac_per_second`` and ``cycle_model`` of all policies that were run.

    Fields:
        sub_blocks: what every sub-block is, in order.
        results: of every policy that was run, by name.
        ratios: of every skipping policy that was run beside dense, by name; empty where a run stopped.
    """

    schema_version: int = SCHEMA_VERSION
    model: str
    sampler: Sampler
    blocks: Count | None = None  # the model's first ones; None: all
    timesteps: Count | None = None  # the sampler's first ones; None: all
    sub_blocks: list[str]
    engine: str
    array: Array
    memory: Memory
    results: dict[str, PolicyResult]
    ratios: dict[str, Ratios]
    stalls: Stalls
    gmac_per_second: Amount
    cycle_model: CycleModel | None
    check: Check
    quality: Quality | None = None
    seconds: dict[str, Amount]
    basis: dict[str, str] = BASIS
    provenance: Provenance

    @property
    def cycle_models(self) -> dict[str, CycleModel]:
        """Of the policies that ran to their end."""
        return {name: result.cycle_model for name, result in self.results.items() if result.cycle_model}

    def compared(self) -> Summary:
        """The same, known to hold a skipping run beside a dense one.

        Raises:
            UserError: it does not.
        """
        if not self.ratios:
            raise UserError(
                f"summary field results holds {', '.join(self.results)}: a report compares finished runs with a dense "
                "one, run with --policy dense,radit."
            )
        return self
