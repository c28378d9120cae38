"""The schema of ``summary.json``, on which other tools rely.

Cycles, MACs and checks are *measured* in the RTL simulation, energies *modelled*; field ``basis`` says which is which.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_serializer, model_validator

from radit.accel.control.registers import CAUSES, PHASES, SATURATIONS, TEXT_PHASES
from radit.model.dit.config import DiTConfig
from radit.model.dit.sampler_names import DDIM, UNIFORM, Solver, Spacing
from radit.model.errors import UserError
from radit.model.quality.quality_schema import Quality
from radit.model.ranges import RANGES
from radit.model.schema import Whole
from radit.reports.common.schema_parts import Amount, Array, Bounds, Count, ExternalMemory, Part, Share
from radit.reports.cycles.memory import MemoryModel
from radit.reports.cycles.roofline import Roofline
from radit.reports.energy.memory_plan import MemoryPlan
from radit.reports.energy.standing import TABLE_MHZ
from radit.reports.machine.description import MOST_BUILT, within
from radit.reports.run.consistency import check_summary

SCHEMA_VERSION: Literal[3] = 3
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
MOST_STEPS, MOST_IMAGES, MOST_SUB_BLOCKS = 1000, 10**9, 4096
KINDS = ("attention", "spatial attention", "temporal attention", "cross-attention", "MLP")  # of sub-blocks

Steps = Annotated[int, Field(ge=1, le=MOST_STEPS)]


class Sampler(Part):
    """Sampler settings: evaluations of the network, guidance factor, images, seed of the noise, solver and spacing.

    Fields:
        images: or clips.
        frames: of a clip; 1: images.
        guided_channels: channels that guidance was for, from the first on; None: all.
        labels: of the images in turn; None: 0, 1, 2, .. in turn.
    """

    steps: Steps
    cfg: Amount
    images: Annotated[int, Field(ge=1, le=MOST_IMAGES)]
    frames: Annotated[int, Field(ge=1, le=MOST_IMAGES)] = 1
    seed: Whole
    solver: Solver = DDIM
    spacing: Spacing = UNIFORM
    guided_channels: Annotated[int, Field(ge=1)] | None = None
    labels: Annotated[list[Whole], Field(min_length=1)] | None = None

    @property
    def way(self) -> str:
        """Timesteps and solver in words."""
        if self.solver == DDIM and self.spacing == UNIFORM:
            return f"{self.steps} DDIM steps"
        return f"{self.steps} steps of {self.solver}, {self.spacing} spacing"

    @property
    def noun(self) -> str:
        """What is generated, in the singular."""
        return "image" if self.frames == 1 else "clip"


class Memory(ExternalMemory):
    """The same with the seed of the pauses."""

    seed: Whole

    @property
    def as_model(self) -> MemoryModel:
        """As the cycle model takes it."""
        return MemoryModel(self.latency, self.bandwidth, self.stall)


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

    def imprecise(self, memory: MemoryModel) -> str:
        """A sentence where the prediction is outside the tolerance of a memory, else nothing."""
        if abs(self.error) <= memory.tolerance:
            return ""
        return (
            f"the cycle model is {abs(self.error):.1%} off (tolerance {memory.tolerance:.0%}) in this regime: "
            f"{memory.regime}."
        )


def _complete(stalls: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    if stalls.keys() | set(TEXT_PHASES) != set(PHASES) or any(part.keys() != set(CAUSES) for part in stalls.values()):
        raise ValueError(f"must have the phases {', '.join(PHASES)}, each with the causes {', '.join(CAUSES)}")
    return stalls


OF_KIND = {  # phases of each kind of sub-block
    "attention": ("qkv", "attend", "projection"),
    "cross-attention": TEXT_PHASES,
    "MLP": ("fc1", "fc2"),
    "pass": ("pass",),
}
Stalls = Annotated[dict[str, dict[str, Count]], AfterValidator(_complete)]  # cycles by phase and cause


def booked(stalls: dict[str, dict[str, int]]) -> int:
    """Cycles of all phases and causes."""
    return sum(sum(causes.values()) for causes in stalls.values())


class Costs(Part):
    """What a run takes.

    Fields:
        cycles: clock cycles the accelerator is busy.
        macs: MACs of the model in the computed sub-blocks, without padding.
        mac_utilization: macs over the array's peak in ``cycles``; above 1 only where the RTL counts wrongly.
        mac_skip_rate: share of the dense run's MACs that is not computed.
        external_bytes: bytes over the memory ports and the x streams, by cause.
        roofline: of the first image.
        energy_uj, energy_breakdown_uj: uJ, total and by component.
    """

    cycles: Count
    macs: Count
    mac_utilization: Amount
    mac_skip_rate: Share
    external_bytes: dict[str, Count]
    roofline: Roofline
    energy_uj: Bounds
    energy_breakdown_uj: dict[str, Bounds]


Setting = bool | int | float | str | None


class PolicyResult(Costs):
    """One run, whole: all images and timesteps.

    Fields:
        text: the policy as `--policy` reads it.
        settings: every field of the policy (model/policy/skip_policy.py).
        memory_plan: where the cache of results and the history of codes live.
        stalls: cycles by phase and cause (accel/control/cycle_accounts.py); they add up to ``cycles``, unless the
            counters are wrong, or the run stopped in the middle of a timestep, where the clock goes on while the
            counters are read.
        gmac_per_second: simulated useful GMACs over the engine's seconds; of one engine, where several ran at a time.
        cycle_model: None: the run stopped at a mismatch, or its accounts of cycles are wrong.
        counters: every counter of accel/control/registers.py.
        host_saturations: values that the host's conversions to 16 bit clamped.
    """

    text: str
    settings: dict[str, Setting | list[float]]
    memory_plan: MemoryPlan
    stalls: Stalls
    gmac_per_second: Amount
    cycle_model: CycleModel | None
    counters: dict[str, Count]
    host_saturations: Count = 0

    @property
    def kind_shares(self) -> dict[str, float]:
        """Share of the cycles by kind of sub-block, and of the pass between them; empty without cross-attention."""
        if not set(TEXT_PHASES) <= self.stalls.keys():
            return {}
        spent = {phase: sum(causes.values()) for phase, causes in self.stalls.items()}
        return {kind: sum(spent[phase] for phase in phases) / max(1, self.cycles) for kind, phases in OF_KIND.items()}

    @property
    def saturated_words(self) -> dict[str, int]:
        """Words in which the RTL clamped a value to 16 bit, by place; only where there are any."""
        words = {name.removesuffix("_saturations"): self.counters.get(name, 0) for name in SATURATIONS}
        return {place: count for place, count in words.items() if count}

    @property
    def saturated(self) -> str:
        """What was clamped to 16 bit, in words; empty where nothing was."""
        words, parts = self.saturated_words, []
        if words:
            places = ", ".join(f"{place} {count:,}" for place, count in words.items())
            parts.append(f"{sum(words.values()):,} words in the RTL ({places})")
        if self.host_saturations:
            parts.append(f"{self.host_saturations:,} values at the host")
        return ", ".join(parts)


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
        return not self.failed

    @property
    def failed(self) -> list[str]:
        """What is not equal, one name each."""
        parts = {
            "nothing was compared": self.words_compared == 0,
            "words": self.words_mismatched > 0,
            "decisions": self.decisions_mismatched > 0,
            "images": not self.images_identical,
            "counters": not self.counters_equal,
        }
        return [name for name, differs in parts.items() if differs]


class EnergySource(Part):
    """An entry of an energy table, at the target node; a scaling has no bounds, a note no values."""

    entry: str
    unit: str
    per: str
    node_nm: Amount | None
    low: Amount = 0.0
    nominal: Amount = 0.0
    high: Amount = 0.0
    source: str


def _are_sources(rows: list[dict[str, str | float | None]]) -> list[dict[str, str | float | None]]:
    for row in rows:
        EnergySource.model_validate(row, strict=True)
    return rows


Sources = Annotated[list[dict[str, str | float | None]], AfterValidator(_are_sources)]  # as tables make them


class Provenance(Part):
    """What the numbers rest on."""

    created: str
    command: str = ""
    versions: dict[str, str]
    hashes: dict[str, str]
    energy_table: str
    energy_sources: Sources


def _known(kinds: list[str]) -> list[str]:
    if not 0 < len(kinds) <= MOST_SUB_BLOCKS or not set(kinds) <= set(KINDS):
        raise ValueError(f"must be 1 to {MOST_SUB_BLOCKS} of {', '.join(KINDS)}")
    return kinds


class Summary(Part):
    """The whole of summary.json; ``stalls``, ``gmac_per_second`` and ``cycle_model`` of all policies that were run.

    Fields:
        config: of the whole model, with every field; None: an earlier summary.
        sub_blocks: what every sub-block is, in order.
        machine: the named machine, and what options have changed of it; None: options alone describe it.
        build: parameters of the build that do not follow from the model; None: all do.
        clock_mhz: of the machine, MHz; leakage is spread over it.
        reuse_sram_kib: on-chip memory of the machine for what is reused, KiB; None: the energy table's.
        results: of every policy that was run, by name.
        ratios: of every skipping policy that was run beside dense, by name; empty where a run stopped.
        arrays_digest: SHA-256 (hex) of the arrays.npz of the same run, empty where it was stopped and has none; None:
            written by an earlier version.
    """

    schema_version: Literal[3] = SCHEMA_VERSION
    model: str
    config: DiTConfig | None = None
    sampler: Sampler
    blocks: Annotated[int, Field(ge=1, le=MOST_SUB_BLOCKS)] | None = None  # the model's first ones; None: all
    timesteps: Steps | None = None  # the sampler's first ones; None: all
    ranges_cfg: Amount | None = None  # guidance of the images that int8 ranges were taken from; None: not told
    sub_blocks: Annotated[list[str], AfterValidator(_known)]
    engine: str
    machine: str | None = None
    build: dict[str, Annotated[int, Field(ge=1, le=MOST_BUILT)]] | None = None
    clock_mhz: Annotated[float, within(RANGES["clock_mhz"])] = TABLE_MHZ
    reuse_sram_kib: Annotated[int, within(RANGES["reuse_sram"])] | None = None
    array: Array
    memory: Memory
    results: dict[str, PolicyResult]
    ratios: dict[str, Ratios]
    stalls: Stalls
    gmac_per_second: Amount
    cycle_model: CycleModel | None
    check: Check
    quality: Quality | None = None
    arrays_digest: str | None = None
    seconds: dict[str, Amount]
    basis: dict[str, str] = BASIS
    provenance: Provenance

    @field_serializer("config")
    def _whole_config(self, config: DiTConfig | None) -> dict[str, Any] | None:
        """With every field, whatever its default."""
        return None if config is None else config.whole()

    @model_validator(mode="after")
    def _check(self) -> Summary:
        check_summary(self)
        return self

    @property
    def cycle_models(self) -> dict[str, CycleModel]:
        """Of the policies that ran to their end."""
        return {name: result.cycle_model for name, result in self.results.items() if result.cycle_model}

    @property
    def failed(self) -> list[str]:
        """The checks that failed, one name each; the cycle model only where it must equal the RTL."""
        unequal = any(model.error for model in self.cycle_models.values())
        return self.check.failed + ["cycle model"] * (unequal and self.memory.as_model.tolerance == 0)

    @property
    def imprecise(self) -> list[str]:
        """Where the cycle model is outside its tolerance, a sentence each: no verdict on the hardware."""
        memory = self.memory.as_model
        return [
            f"{name}: {model.imprecise(memory)}"
            for name, model in self.cycle_models.items()
            if memory.tolerance and model.imprecise(memory)
        ]

    @property
    def other_ranges(self) -> str:
        """That int8 ranges are those of another guidance scale; empty where they are not."""
        if self.ranges_cfg is None or self.ranges_cfg == self.sampler.cfg:
            return ""
        return f"int8 ranges are those of guidance {self.ranges_cfg:g}, this run's guidance is {self.sampler.cfg:g}"

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
