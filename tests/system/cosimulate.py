"""A small seeded model on an engine, against the reference: what every test of the whole accelerator starts from."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from radit.accel.config import BuildConfig
from radit.accel.control.registers import PHASES
from radit.accel.dims import Dims, Group
from radit.cosim.driver import Driver
from radit.cosim.engines import Setup, Trace, open_engine
from radit.cosim.pack import groups_of, with_prompts
from radit.cosim.scoreboard import Comparison, Scoreboard, Words
from radit.cosim.support.sizes import dims_of
from radit.model.dit.config import DiTConfig
from radit.model.dit.groups import Groups
from radit.model.dit.sampler import Sampler
from radit.model.dit.seeded import seeded_dit
from radit.model.dit.transformer import with_prompts as prompted
from radit.model.integer.calibration import calibrate
from radit.model.integer.decision_record import DecisionRecord
from radit.model.integer.integer_dit import Conditioning, IntegerDiT, PromptWords
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference, StageCapture
from radit.model.policy.skip_policy import Policy, radit
from radit.model.text.prompts import seeded_prompts
from radit.reports.cost.counts import UNCOUNTED, add_counts, expected_counts
from radit.reports.cost.run_tables import RunTables
from radit.reports.cycles.cycle_model import MemoryModel, predict

OUT = Path(__file__).resolve().parent.parent.parent / "build"
MOST_CYCLES = 200_000  # of a timestep; the longest here take 50,000
X_LIMIT = 1 << 15
# What becomes of a context's input at a timestep, and the share of it that is new.
NEW = {"s": 0.0, "d": 0.03, "j": 1.0}  # it stands still, drifts, jumps
SKIPPING = radit(0.8, max_streak=3, first_dense=1, last_dense=0, streak_step=0.1, tight=0.75, loose=1.25)


FORECASTING = replace(SKIPPING, gain=1.0)
# The first sub-block of a timestep decides for all; the schedule forbids reuse nowhere.
LEADING = replace(FORECASTING, name="forecast", reach=1.5, scope="timestep")
STREAM = replace(LEADING, scope="stream")  # and the stream is forecast at its end
DIFFERING = replace(STREAM, difference=True)  # of the second context, what it differs by from the first

TEXT = {"context_dim": 8, "adaln": "single"}  # of a config with text
# Every array shape passes the same tests.
ARRAYS = [(8, 8), (16, 16), (16, 32), (32, 16), (32, 32), (64, 64)]
TWO_PRODUCTS = (8, 8, 2)  # of each cell
EIGHTH = 8  # shapes are written for arrays of 8 lanes and scale with the wider side


def small_build(rows: int, cols: int, products: int = 1) -> BuildConfig:
    """The build that all tests of this array share."""
    times = max(rows, cols) // EIGHTH
    sizes = {"max_hidden": 48 * times, "max_mlp": 96 * times, "max_tokens": 32 * times}
    return BuildConfig(rows, cols, **sizes, max_sub_blocks=4, frame_banks=4, products=products)


@dataclass(frozen=True)
class Shape:
    """A model to make up. ``motion``: per context one letter of ``NEW`` per timestep. ``spread`` of x in real units.
    Its prompts have up to as many text tokens as the longest of ``texts``."""

    tokens: int
    hidden: int
    heads: int
    mlp: int
    depth: int = 2
    motion: tuple[str, ...] = ("jsdj", "jjss")
    even: Group = Group()
    odd: Group = Group()
    seed: int = 0
    spread: float = 1.0
    scales: bool = True  # with the array
    texts: tuple[tuple[int, ...], ...] = ()  # text tokens of every context, by image in turn
    cross: str = "all"  # blocks with a cross-attention, where there is text
    frames: int = 0  # of the tokens, whose embeddings are added after block 0; 0: none are

    def on(self, build: BuildConfig) -> "Shape":
        """As many tiles on a larger array; what did not fill its tiles does not fill them there."""
        times = build.wide // EIGHTH if self.scales else 1
        texts = tuple(tuple(text * times for text in image) for image in self.texts)
        return replace(self, tokens=self.tokens * times, hidden=self.hidden * times, mlp=self.mlp * times, texts=texts)

    @property
    def text(self) -> int:
        """Most text tokens of a prompt."""
        return max((text for image in self.texts for text in image), default=0)

    def uneven(self) -> "Shape":
        """A few tokens and channels less."""
        hidden = self.hidden - 4 * self.heads if self.hidden > 4 * self.heads else self.hidden
        return replace(self, tokens=self.tokens - 1 or 1, hidden=hidden, mlp=max(4, self.mlp - 4))


@dataclass(frozen=True)
class Task:
    """Images to run: the model, its conditioning, and x (contexts, T, D) by image and timestep."""

    integer: IntegerDiT
    dims: Dims
    conditioning: Conditioning
    inputs: list[list[np.ndarray]]

    def image(self, number: int) -> "Task":
        """The same for one of the images alone."""
        one = slice(number, number + 1)
        names = ("c", "scale", "shift", "gate")
        parts = {name: getattr(self.conditioning, name)[one] for name in names}
        if (prompts := self.conditioning.prompts) is not None:
            parts["prompts"] = PromptWords(prompts.k[one], prompts.v[one], prompts.counts[one])
        return replace(self, conditioning=replace(self.conditioning, **parts), inputs=self.inputs[one])


@lru_cache(maxsize=16)
def _quantized(config: DiTConfig, steps: int, seed: int) -> IntegerDiT:
    torch.set_num_threads(1)
    dit = seeded_dit(config, seed)
    if config.has_text:  # label n - 1 is a prompt of n tokens
        most = config.context_tokens
        prompts = seeded_prompts(most, config.context_dim, most, seed, lengths=range(1, most + 1))
        dit = prompted(dit, prompts)
    return quantize(dit, calibrate(dit, Sampler(steps), images=2), Sampler(steps))


def make_task(shape: Shape, images: int = 1) -> Task:
    """A random model and random inputs; x does not come from its embedding, so that any number of tokens will do."""
    config = DiTConfig(
        input_size=4,
        hidden_size=shape.hidden,
        depth=shape.depth,
        num_heads=shape.heads,
        mlp_ratio=shape.mlp / shape.hidden,
        num_classes=3,
        **(TEXT | {"context_tokens": shape.text, "cross_attention": shape.cross} if shape.texts else {}),
        **(_clip(shape) if shape.frames else {}),
    )
    integer = _quantized(config, len(shape.motion[0]), shape.seed)
    contexts = len(shape.motion)
    dims = replace(dims_of(config, contexts), tokens=shape.tokens, even=shape.even, odd=shape.odd)
    conditioning = conditioning_of(integer, images, contexts)
    if shape.texts:
        texts = [shape.texts[image % len(shape.texts)] for image in range(images)]
        conditioning = replace(conditioning, prompts=integer.prompt_words(torch.tensor(texts) - 1))
    rng = np.random.default_rng(shape.seed)
    scale = shape.spread * 2.0**integer.x_frac
    return Task(integer, dims, conditioning, [_moving(shape, scale, rng) for _ in range(images)])


def _clip(shape: Shape) -> dict[str, object]:
    """Fields of a config whose frames have as many tokens as the shape's."""
    attention = "alternating" if shape.odd.frames > 1 and shape.depth % 2 == 0 else "joint"
    columns = shape.tokens // shape.frames // 4
    return {
        "frames": shape.frames, "frame_embedding": "first-block", "attention": attention, "input_columns": columns,
    }  # fmt: skip


def conditioning_of(integer: IntegerDiT, images: int, contexts: int) -> Conditioning:
    """Of one context the label's alone; of more, labels and the null class in turn."""
    if contexts == 1:
        return integer.conditioning_tables(torch.arange(images) % 3, guidance=False)
    pairs = [integer.conditioning_tables((torch.arange(images) + pair) % 3) for pair in range(contexts // 2)]
    parts = {name: torch.cat([getattr(pair, name) for pair in pairs], 1) for name in ("c", "scale", "shift", "gate")}
    return replace(pairs[0], **parts)


def _moving(shape: Shape, scale: float, rng: np.random.Generator) -> list[np.ndarray]:
    """x (contexts, T, D) int64 of every timestep of an image."""
    size = (shape.tokens, shape.hidden)
    real, found = [np.zeros(size) for _ in shape.motion], []
    for letters in zip(*shape.motion, strict=True):
        shares = [NEW[letter] for letter in letters]
        real = [x * (1 - share) + rng.normal(size=size) * share for x, share in zip(real, shares, strict=True)]
        found.append(np.round(np.stack(real) * scale).clip(-X_LIMIT, X_LIMIT - 1).astype(np.int64))
    return found


@dataclass
class Seen:
    """One sub-block before the comparison: what the reference has and expects, what was traced. A test may plant a
    defect here. ``capture`` is None for what follows the last sub-block; only the trace counts there."""

    timestep: int
    sub_block: int
    trace: Trace
    capture: StageCapture | None = None
    words: dict[str, Words] = field(default_factory=dict)


@dataclass
class Outcome:
    """What a run gave. ``computed``: (timesteps of all images, sub_blocks, contexts) bool."""

    check: Comparison
    computed: np.ndarray
    counters: dict[str, int]
    expected: dict[str, int]
    saturated: dict[str, int]
    dims: list[Dims] = field(default_factory=list)  # by image
    cycles: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def counted(self) -> dict[str, int]:
        """The counters that have a formula."""
        return {name: value for name, value in self.counters.items() if name not in UNCOUNTED}

    def decisions(self, images: int = 1) -> DecisionRecord:
        """The same as a record of so many images."""
        return DecisionRecord(self.computed.reshape(images, -1, *self.computed.shape[1:]))

    def predicted(self, build: BuildConfig, tables: RunTables, memory: MemoryModel) -> dict[str, int]:
        """Cycles by phase, of all images, that the cycle model predicts."""
        images = self.decisions(len(self.dims))
        each = [predict(dims, build, images.image(i), tables, memory).phases for i, dims in enumerate(self.dims)]
        return {phase: sum(phases[phase] for phases in each) for phase in PHASES}

    @property
    def mixed(self) -> int:
        """How often one context computed while another reused."""
        return int((self.computed.any(2) & ~self.computed.all(2)).sum())

    def note(self, check: Comparison) -> None:
        """Keep what a comparison found wrong."""
        if check.first:
            self.problems.append(check.first.explain())

    def assert_exact(self) -> None:
        """Every word, decision and counter is right, and there were some."""
        assert self.problems == []
        assert self.check.clean and self.check.words_compared > 0
        assert min(self.check.by_stage.values()) > 0 and len(self.check.by_stage) == 10
        assert self.counted == self.expected


def cosimulate(
    engine: str,
    build: BuildConfig,
    task: Task,
    policy: Policy,
    setup: Setup | None = None,
    groups: tuple[Groups, Groups] | None = None,
    reference_policy: Policy | None = None,
    spoil: Callable[[Driver, int], None] = lambda driver, timestep: None,
    bend: Callable[[Seen], None] = lambda seen: None,
) -> Outcome:
    """Run a task on an engine and compare every word.

    Args:
        groups: of the reference, in tokens; by default those that the dimensions stand for.
        reference_policy: another policy for the reference.
        spoil: called with the driver before every timestep, to plant a defect in the memories.
        bend: called before every comparison, to plant a defect there.
    """
    torch.set_num_threads(1)
    dims, integer = task.dims, task.integer
    tables = policy.tables(integer)
    padded = dims.padded_tokens(build)
    other = tables if reference_policy is None else reference_policy.tables(integer)
    reference = Reference(integer, other, padded, groups or groups_of(dims, build))
    board = Scoreboard(dims, build)
    outcome = Outcome(board.check, np.zeros(0), {}, {}, {})
    records = []
    with open_engine(engine, build, setup or Setup(max_cycles=MOST_CYCLES), OUT) as machine:
        driver = Driver(machine, integer, tables, dims)
        driver.clear_counters()
        for image, inputs in enumerate(task.inputs):
            reference.start(1, dims.contexts)
            driver.start_image(task.conditioning, image)
            board.dims = with_prompts(dims, task.conditioning, image)
            outcome.dims.append(board.dims)
            alone = task.image(image).conditioning
            for index, tokens in enumerate(inputs):
                x = np.zeros((dims.contexts, padded, dims.hidden), np.int64)
                x[:, : dims.tokens] = tokens
                steps = reference.sub_blocks(torch.from_numpy(x)[None], index, alone)
                spoil(driver, index)
                driver.start(x, index)
                while True:
                    try:
                        capture = next(steps)
                    except StopIteration as end:
                        expected, record = end.value
                        break
                    assert machine.run_sub_block() == capture.sub_block
                    words = board.expected_words(capture)
                    seen = Seen(index, capture.sub_block, machine.take_trace(), capture, words)
                    bend(seen)
                    outcome.note(board.compare(image, index, seen.capture, seen.words, seen.trace))
                records.append(record)
                found, x_out = driver.finish(), expected[0].numpy()
                outcome.cycles.append(machine.cycles)
                seen = Seen(index, dims.sub_blocks, machine.take_trace())
                bend(seen)
                check = board.compare_output(image, index, x_out, seen.trace)
                outcome.note(check)
                if not check.first and not np.array_equal(found, x_out):
                    outcome.problems.append(f"image {image}, timestep {index}: x differs at the host.")
        outcome.counters = machine.counters()
    outcome.computed = np.concatenate([record.computed for record in records])
    decisions = outcome.decisions(len(task.inputs))
    each = [
        expected_counts(own, build, decisions.image(image), RunTables.of(tables))
        for image, own in enumerate(outcome.dims)
    ]
    outcome.expected = add_counts(*each)
    for record in records:
        for name, count in record.saturated.items():
            outcome.saturated[name] = outcome.saturated.get(name, 0) + count
    return outcome
