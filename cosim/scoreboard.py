"""The scoreboard: every word that the accelerator showed against every word that the reference expects.

The trace taps show words in the order in which the machine makes them; ``expected_words`` brings the reference's
tensors into the same order (docs/interface.md), so that one comparison per stage settles a timestep. A mismatch is
explained with its place: image, timestep, sub-block, stage, context, token, channel.
"""

from dataclasses import dataclass, field

import numpy as np

from accel.config import BuildConfig
from accel.dims import Dims
from cosim.engines.base import Trace
from cosim.pack import groups_of, temporal_order, to_words, token_order
from model.groups import Groups
from model.reference import StageCapture, StepRecord

# In the order in which a sub-block makes them.
STAGES = ("x", "a", "q", "k", "v", "score", "prob", "o", "h", "branch")
# Stage -> kind of the drain tap.
DRAIN_KINDS = {"q": 0, "k": 1, "v": 2, "score": 3, "o": 4, "branch": 5, "h": 6}
DECISIONS = ("changed codes", "reuse")
ORDER = ("x", "a", *DECISIONS, *STAGES[2:])  # of what is wrong, the first is explained
UNSEEN = 1 << 20  # beyond every word: a score of which the reference knows nothing

Part = tuple[int, np.ndarray]  # sub-block, words


@dataclass(frozen=True)
class Place:
    """Where a mismatch was found. ``word`` counts the stage's words of the sub-block, ``lane`` is the tile's row.

    Of a decision, ``word`` is the context.
    """

    image: int
    timestep: int
    sub_block: int
    stage: str
    word: int
    lane: int
    expected: int | None  # None: the reference has no such word
    found: int | None  # None: the accelerator showed no such word

    def explain(self, rerun: str = "") -> str:
        """One sentence, and how to see it again."""
        kind = "MLP" if self.sub_block % 2 else "attention"
        index = f"context {self.word}" if self.stage in DECISIONS else f"word {self.word}, lane {self.lane}"
        text = (
            f"image {self.image}, timestep {self.timestep}, block {self.sub_block // 2} ({kind}), stage {self.stage}, "
            f"{index}: expected {self.expected}, found {self.found}."
        )
        return f"{text} Rerun with a waveform: {rerun}" if rerun else text


@dataclass
class Check:
    """What has been compared so far."""

    words_compared: int = 0
    words_mismatched: int = 0
    decisions_compared: int = 0
    decisions_mismatched: int = 0
    by_stage: dict[str, int] = field(default_factory=dict)
    first: Place | None = None

    @property
    def clean(self) -> bool:
        """Nothing differs, and something was compared."""
        return self.words_compared > 0 and self.words_mismatched == 0 and self.decisions_mismatched == 0

    def add(self, other: "Check") -> None:
        """Take over another check's counts."""
        for name in ("words_compared", "words_mismatched", "decisions_compared", "decisions_mismatched"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for stage, count in other.by_stage.items():
            self.by_stage[stage] = self.by_stage.get(stage, 0) + count
        self.first = self.first or other.first


def linear_words(value: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """(K, T, channels) -> words in the order of a linear product: output tile, context, row tile, column."""
    count, tokens, channels = value.shape
    tiles = value.reshape(count, tokens // rows, rows, channels)
    parts = [
        tiles[..., first : first + cols].transpose(0, 1, 3, 2).reshape(-1, rows) for first in range(0, channels, cols)
    ]
    return np.concatenate(parts)


def transposed_words(value: np.ndarray, rows: int) -> np.ndarray:
    """V (K, T, D) -> words of R channels: channel tile, context, token."""
    count, tokens, channels = value.shape
    tiles = -(-channels // rows)
    padded = np.zeros((count, tokens, tiles * rows), value.dtype)
    padded[..., :channels] = value
    return padded.reshape(count, tokens, tiles, rows).transpose(2, 0, 1, 3).reshape(-1, rows)


class Jobs:
    """Where the scores of a block's jobs stand in the reference's tensors.

    Args:
        rows_of: token of each row of the block's supertiles.
        slots: key slots of a job, those of its group's supertiles.
        index: tokens of each group, (G, n).
    """

    def __init__(self, rows_of: np.ndarray, slots: int, index: np.ndarray) -> None:
        group, member = np.zeros(index.size, int), np.zeros(index.size, int)
        group[index], member[index] = np.indices(index.shape)
        keys = rows_of.reshape(-1, 1, slots).repeat(slots, 1).reshape(-1, slots)
        self.group, self.query, self.key = group[rows_of][:, None], member[rows_of][:, None], member[keys]
        self.seen = group[keys] == self.group

    def words(self, value: np.ndarray, rows: int, unseen: int) -> np.ndarray:
        """Scores or numerators (K, heads, G, n, n), query before key -> words: context, head, row tile, key slot.

        ``unseen`` stands where query and key belong to different groups.
        """
        slots = np.where(self.seen, value[:, :, self.group, self.query, self.key], unseen)
        tiles = slots.reshape(*slots.shape[:2], -1, rows, slots.shape[3])
        return tiles.transpose(0, 1, 2, 4, 3).reshape(-1, rows)


def output_words(value: np.ndarray, rows: int, heads: int) -> np.ndarray:
    """O (K, T, D) -> words: context, head, row tile, channel of the head."""
    count, tokens, hidden = value.shape
    tiles = value.reshape(count, tokens // rows, rows, heads, hidden // heads)
    return tiles.transpose(0, 3, 1, 4, 2).reshape(-1, rows)


def locate(parts: list[Part], word: int) -> tuple[int, int]:
    """Sub-block of a stage's word, and its number there; surplus words are the last sub-block's."""
    for sub_block, words in parts[:-1]:
        if word < len(words):
            return sub_block, word
        word -= len(words)
    return parts[-1][0] if parts else 0, word


class Scoreboard:
    """Compares timesteps of one model on one build."""

    def __init__(self, dims: Dims, build: BuildConfig) -> None:
        self.dims, self.build = dims, build
        self.check = Check()
        self.order = token_order(dims, build)
        self.blocks = [self._block_rows(block, groups) for block, groups in enumerate(groups_of(dims, build))]

    def _block_rows(self, block: int, groups: Groups) -> tuple[np.ndarray, Jobs]:
        """Token of each row of an even (0) or odd (1) attention block, and its jobs."""
        frames = self.dims.group(block).frames
        rows_of = self.order
        if frames > 1:
            rows_of = rows_of[temporal_order(self.dims, self.build, frames)]
        slots = self.dims.group_supertiles(self.build, block) * self.build.wide
        return rows_of, Jobs(rows_of, slots, groups.index.numpy())

    def expected_words(self, capture: StageCapture, sub_block: int) -> dict[str, np.ndarray]:
        """Every stage of one sub-block of one image in the order of the trace."""
        rows, cols = self.build.rows, self.build.cols
        x, a, branch = (part[0].numpy()[:, self.order] for part in (capture.x, capture.a, capture.branch))
        words = {"x": to_words(x, rows), "a": to_words(a, rows)}
        if not bool(capture.computed.any()):
            return words
        stages = {name: value.numpy() for name, value in capture.stages.items()}
        words["branch"] = linear_words(branch[capture.computed[0].numpy()], rows, cols)
        if "h" in stages:
            words["h"] = linear_words(stages["h"][:, self.order], rows, cols)
            return words
        rows_of, jobs = self.blocks[sub_block // 2 % 2]
        q, k, v, o = (stages[name][:, rows_of] for name in "qkvo")
        words |= {"q": linear_words(q, rows, cols), "k": linear_words(k, rows, cols), "v": transposed_words(v, rows)}
        words["o"] = output_words(o, rows, self.dims.heads)
        words["score"] = jobs.words(stages["score"], rows, UNSEEN)
        words["prob"] = jobs.words(stages["prob"], rows, 0)
        return words

    def compare(
        self,
        image: int,
        timestep: int,
        trace: Trace,
        captures: list[StageCapture],
        record: StepRecord,
        x_out: np.ndarray,
    ) -> Check:
        """Compare one timestep; captures and record hold one image. Returns this timestep's check."""
        check = Check()
        found = {name: trace.drain_data[trace.drain_kind == kind] for name, kind in DRAIN_KINDS.items()}
        found |= {"prob": trace.prob_data, "x": trace.x_data, "a": trace.act_data}
        expected: dict[str, list[Part]] = {name: [] for name in STAGES}
        for sub_block, capture in enumerate(captures):
            for name, words in self.expected_words(capture, sub_block).items():
                expected[name].append((sub_block, words))
        expected["x"].append((len(captures), to_words(x_out[:, self.order], self.build.rows)))
        wrong = [
            place
            for name in STAGES
            if (place := self._compare_stage(check, image, timestep, name, expected[name], found[name]))
        ]
        decided = self._compare_decisions(check, image, timestep, trace, record, captures[0].codes is not None)
        wrong += [decided] if decided else []
        check.first = min(wrong, key=lambda place: (place.sub_block, ORDER.index(place.stage)), default=None)
        self.check.add(check)
        return check

    def _compare_stage(
        self, check: Check, image: int, timestep: int, name: str, parts: list[Part], found: np.ndarray
    ) -> Place | None:
        """Count a stage's words; returns the first that differs."""
        empty = np.zeros((0, self.build.rows), np.int16)
        whole = np.concatenate([empty, *(words for _, words in parts)])
        shared = min(len(whole), len(found))
        known = whole[:shared] != UNSEEN
        differs = known & (whole[:shared] != found[:shared])
        missing = abs(len(whole) - len(found)) * self.build.rows
        compared = int(known.sum())
        check.words_compared += compared
        check.by_stage[name] = check.by_stage.get(name, 0) + compared
        wrong = int(differs.sum()) + missing
        check.words_mismatched += wrong
        if not wrong:
            return None
        word, lane = (int(i) for i in np.argwhere(differs)[0]) if differs.any() else (shared, 0)
        values = [int(words[word, lane]) if word < len(words) else None for words in (whole, found)]
        sub_block, word = locate(parts, word)
        return Place(image, timestep, sub_block, name, word, lane, *values)

    def _compare_decisions(
        self, check: Check, image: int, timestep: int, trace: Trace, record: StepRecord, detect: bool
    ) -> Place | None:
        """Count the decisions and their metric; returns the first that differs."""
        due = record.reuse[:, 0].numel() if detect else 0
        reuse, counts = (part[:, 0].reshape(-1).numpy()[:due] for part in (record.reuse, record.counts))
        found = len(trace.decide_index)
        same = min(len(reuse), found)
        miscounted = counts[:same] != trace.decide_count[:same]
        wrong = (
            miscounted
            | (reuse[:same] != trace.decide_reuse[:same].astype(bool))
            | (np.arange(same) != trace.decide_index[:same])
        )
        check.decisions_compared += same
        check.decisions_mismatched += int(wrong.sum()) + abs(len(reuse) - found)
        if not wrong.any() and len(reuse) == found:
            return None
        at = int(np.argmax(wrong)) if wrong.any() else same
        by_count = at < same and bool(miscounted[at])
        pair = (counts, trace.decide_count) if by_count else (reuse, trace.decide_reuse)
        values = [int(part[at]) if at < len(part) else None for part in pair]
        sub_block, context = divmod(at, self.dims.contexts)
        return Place(image, timestep, sub_block, DECISIONS[0 if by_count else 1], context, 0, *values)
