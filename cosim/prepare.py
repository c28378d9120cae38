"""What to run, and the model made ready for it: loaded, calibrated, quantized, and a build that holds it."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims
from radit.cosim.engines.setup import MemoryTiming, Setup
from radit.cosim.support.sizes import fitted
from radit.cosim.support.stopwatch import Stopwatch
from radit.model.detectors.plans import with_plan
from radit.model.dit.checkpoint import find_checkpoint, load_config, load_model
from radit.model.dit.config import DiTConfig, check_guidance, check_labels
from radit.model.dit.memory_needs import SMALLER, joined, of_calibration, of_generation, of_integers
from radit.model.dit.sampler import Sampler
from radit.model.dit.sampler_names import DDIM, UNIFORM, Solver, Spacing
from radit.model.dit.transformer import DiT
from radit.model.integer.calibration import affordable_images, load_or_calibrate
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.limits import check_memory
from radit.model.plain_text import one_line
from radit.model.policy.policy_file import policy_of
from radit.model.policy.skip_policy import Policy

UNSTATED = ("waves", "images", "built", "machine")  # of a request: its images are alike without them, or the build says
LARGE_SUB_BLOCK = 50e6  # MACs from which on a sub-block is long enough to simulate in threads of one process
LONG_RUN = 300e6  # cycles of an array that is always busy: ten minutes of a core and more


@dataclass(frozen=True)
class Request:
    """What to run: a model (name or checkpoint file), the sampler, the array and the engine.

    Fields:
        steps: of the sampler, from noise to image.
        solver, spacing: of the sampler.
        timesteps: how many of them to run; None: all.
        blocks: how many of the model's blocks to keep; None: all.
        guided_channels: how many channels guidance is for, from the first on; None: all.
        labels: of the images in turn; None: 0, 1, 2, .. in turn.
        prompt: what a model with text draws: files of embeddings, separated by commas; None: what it has by itself.
        latency, bandwidth, stall, memory_seed: external memory: cycles, bytes per cycle that all ports share (None:
            unlimited), probability of a pause and its seed.
        built: parameters of the build that do not follow from the model, by name.
        machine: what a named machine is called.
    """

    model: str
    steps: int
    images: int
    seed: int
    cfg: float
    array: tuple[int, ...]  # rows, columns, and products where they are not 1
    engine: str
    waves: Path | None = None
    timesteps: int | None = None
    blocks: int | None = None
    latency: int = 100
    bandwidth: float | None = 32.0
    stall: float = 0.0
    memory_seed: int = 1
    solver: Solver = DDIM
    spacing: Spacing = UNIFORM
    guided_channels: int | None = None
    labels: tuple[int, ...] | None = None
    prompt: str | None = None
    built: tuple[tuple[str, int], ...] = ()
    machine: str | None = None

    def setup(self) -> Setup:
        """How the engine is to run.

        Raises:
            UserError: a memory that cannot be.
        """
        timing = MemoryTiming(self.latency, self.stall, self.memory_seed)
        return Setup(timing, bandwidth=self.bandwidth, waves=self.waves)

    @property
    def sampler(self) -> Sampler:
        """The timesteps to run.

        Raises:
            UserError: a sampler that cannot be.
        """
        return Sampler(self.steps, self.timesteps, self.solver, self.spacing)

    @property
    def count(self) -> int:
        """Timesteps of a run."""
        return self.timesteps or self.steps

    @property
    def contexts(self) -> int:
        """The two sides of guidance, or the label alone."""
        return 1 if self.cfg == 1.0 else 2

    def label(self, image: int, classes: int) -> int:
        """Of an image, of so many classes."""
        return image % classes if self.labels is None else self.labels[image % len(self.labels)]

    def command(self, policy: str, image: int) -> str:
        """The command that runs ``image`` again, with a waveform."""
        array = "x".join(map(str, self.array))
        parts = {"blocks": self.blocks, "timesteps": self.timesteps, "guided-channels": self.guided_channels}
        solver = "" if self.sampler.is_ddim else f" --sampler {self.solver} --spacing {self.spacing}"
        labels = "" if self.labels is None else f" --labels {','.join(map(str, self.labels))}"
        labels += "" if self.prompt is None else f" --prompt {shlex.quote(self.prompt)}"
        kept = "".join(f" --{name} {value}" for name, value in parts.items() if value is not None)
        return (
            f"radit cosim --model {self.model} --policy {policy} --engine {self.engine} --array {array} "
            f"--steps {self.steps}{solver}{kept}{labels} --images {image + 1} --seed {self.seed} --cfg {self.cfg:g} "
            f"--latency {self.latency} --bandwidth {'inf' if self.bandwidth is None else f'{self.bandwidth:g}'} "
            f"--stall {self.stall:g} --memory-seed {self.memory_seed} --waves"
        )


@dataclass(frozen=True)
class Prepared:
    """A model ready to run: float and integer form, dimensions, build.

    Fields:
        seconds: spent on it, by stage (load, calibrate, quantize).
        whole: dimensions of the model before it was cut to its first blocks.
    """

    request: Request
    dit: DiT
    integer: IntegerDiT
    dims: Dims
    build: BuildConfig
    seconds: dict[str, float]
    whole: DiTConfig | None = None

    @property
    def is_large(self) -> bool:
        """Sub-blocks take long enough that threads do not wait for each other."""
        return min(self.dit.config.sub_block_macs()) * self.dims.contexts >= LARGE_SUB_BLOCK

    @property
    def is_long(self) -> bool:
        """The images take so long to simulate that it pays to compile the simulator twice."""
        cells = self.build.rows * self.build.cols * self.build.products
        return self.request.waves is None and self.request.images * self.macs >= LONG_RUN * cells

    @property
    def macs(self) -> int:
        """Of one image if nothing is skipped."""
        return self.request.count * sum(self.dit.config.sub_block_macs()) * self.dims.contexts

    @cached_property
    def digest(self) -> str:
        """Of the integer model and the float model behind it."""
        return self.integer.digest()

    def policy(self, given: str | Policy) -> Policy:
        """A policy, or that of a text for this model, with its plan where it has one; a model cut to its first blocks
        has the defaults.

        Raises:
            UserError: a bad text, a stored policy that does not fit, or no plan can be made.
        """
        model = self.request.model if self.request.blocks is None else None
        found = policy_of(given, model, self.integer, self.request.cfg) if isinstance(given, str) else given
        return with_plan(found, self.integer, self.request.cfg)

    def facts(self) -> dict[str, object]:
        """Everything that determines a run, but for the policy and the image."""
        asked = {name: value for name, value in asdict(self.request).items() if name not in UNSTATED}
        return asked | {"build": asdict(self.build), "integer model": self.digest}


def prepare(request: Request) -> Prepared:
    """Load, calibrate and quantize the model; choose the build.

    Raises:
        UserError: an unknown model, a broken checkpoint, blocks or timesteps that it has not, an array that cannot be
            built, a model that does not fit, a memory that cannot be.
    """
    sampler = request.sampler
    request.setup()
    watch = Stopwatch()
    whole = load_config(request.model)
    config = whole if request.blocks is None else whole.first_blocks(request.blocks)
    if request.prompt is None:
        check_guidance(config, request.cfg, request.guided_channels)
        check_labels(config, request.labels)
    dims, build = fitted(config, request.contexts, *request.array, built=dict(request.built))
    _check_memory(request, config, dims, build)
    with watch("load"):
        dit = load_model(request.model, request.blocks, request.prompt)
    if request.prompt is not None:  # which say how many there are, and whether there is a null prompt
        check_guidance(dit.config, request.cfg, request.guided_channels)
        check_labels(dit.config, request.labels)
    with watch("calibrate"):
        calibration = load_or_calibrate(dit, find_checkpoint(request.model), sampler)
    with watch("quantize"):
        integer = quantize(dit, calibration, replace(sampler, first=len(calibration.timesteps)))
    return Prepared(request, dit, integer, dims, build, watch.seconds, whole)


def _check_memory(request: Request, config: DiTConfig, dims: Dims, build: BuildConfig) -> None:
    """Refuse a run that this machine has no memory for, before anything is loaded."""
    words = dims.contexts * dims.sub_blocks * dims.sub_block_words(build)
    images = affordable_images(config, request.count, dims.contexts)
    machine = {"memories of the machine": words * build.rows * 3 // 2}  # branches of int8, codes of 4 bit
    check_memory(
        f"Model {one_line(request.model)}",
        joined(
            of_integers(config, request.count),
            of_calibration(config, images, dims.contexts),
            of_generation(config, request.images, dims.contexts, request.count),
            machine,
        ),
        SMALLER,
    )
