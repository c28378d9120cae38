"""The scoreboard: every word that the accelerator showed against every word that the reference expects.

The trace taps show words in the order in which the machine makes them; ``expected_words`` brings a sub-block of the
reference into the same order (docs/interface.md), so that one comparison per stage settles it. A mismatch is
explained with its place: image, timestep, sub-block, stage, context, token, channel.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from radit.accel.config import BuildConfig
from radit.accel.dims import CROSS, MLP, Dims, SubBlockPlace
from radit.cosim.engines.base import Trace
from radit.cosim.pack import groups_of, temporal_order, to_words, token_order
from radit.model.dit.groups import Groups
from radit.model.integer.reference import StageCapture

# In the order in which a sub-block makes them.
STAGES = ("x", "a", "q", "k", "v", "score", "prob", "o", "h", "branch")
# Stage -> kind of the drain tap.
DRAIN_KINDS = {"q": 0, "k": 1, "v": 2, "score": 3, "o": 4, "branch": 5, "h": 6}
KIND_NAMES = {CROSS: "cross-attention", MLP: "MLP"}  # of sub-blocks, where other than the kind
DECISIONS = ("changed codes", "computed", "slope")
ORDER = ("x", "a", *DECISIONS, *STAGES[2:])  # of what is wrong, the first is explained


@dataclass(frozen=True)
class Words:
    """What a stage is to show: words (n, R), and which of them the reference knows (None: all)."""

    data: np.ndarray
    known: np.ndarray | None = None


@dataclass(frozen=True)
class Place:
    """Where a mismatch was found. ``word`` counts the stage's words of the sub-block, ``lane`` is the tile's row.

    Of a decision, ``word`` is the context.
    """

    image: int
    timestep: int
    sub_block: int
    where: SubBlockPlace
    stage: str = "x"
    word: int = 0
    lane: int = 0
    expected: int | None = None  # None: the reference has no such word
    found: int | None = None  # None: the accelerator showed no such word

    def explain(self, rerun: str = "") -> str:
        """One sentence, and how to see it again."""
        kind = KIND_NAMES.get(self.where.kind, self.where.kind)
        index = f"context {self.word}" if self.stage in DECISIONS else f"word {self.word}, lane {self.lane}"
        text = (
            f"image {self.image}, timestep {self.timestep}, block {self.where.block} ({kind}), stage {self.stage}, "
            f"{index}: expected {self.expected}, found {self.found}."
        )
        return f"{text} Rerun with a waveform: {rerun}" if rerun else text


@dataclass
class Comparison:
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

    def add(self, other: "Comparison") -> None:
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
        rows: lanes of a word.
    """

    def __init__(self, rows_of: np.ndarray, slots: int, index: np.ndarray, rows: int) -> None:
        group, member = np.zeros(index.size, int), np.zeros(index.size, int)
        group[index], member[index] = np.indices(index.shape)
        keys = rows_of.reshape(-1, 1, slots).repeat(slots, 1).reshape(-1, slots)
        seen = group[keys] == group[rows_of][:, None]
        at = (group[rows_of] * index.shape[1] + member[rows_of])[:, None] * index.shape[1] + member[keys]
        self._at, self._seen = (self._in_words(part, rows) for part in (np.where(seen, at, 0), seen))

    @staticmethod
    def _in_words(value: np.ndarray, rows: int) -> np.ndarray:
        """(rows of a context, key slots) -> words (n, R): row tile, key slot."""
        return value.reshape(-1, rows, value.shape[1]).transpose(0, 2, 1).reshape(-1, rows)

    def words(self, value: np.ndarray, unseen_is_zero: bool) -> Words:
        """Scores or numerators (K, heads, G, n, n), query before key -> words: context, head, row tile, key slot.

        Where query and key belong to different groups, numerators are zero and scores unknown.
        """
        of_head = value.reshape(value.shape[0] * value.shape[1], -1)
        data = of_head.take(self._at.reshape(-1), axis=1).reshape(-1, self._at.shape[1])
        if self._seen.all():
            return Words(data)
        known = np.tile(self._seen, (len(of_head), 1))
        data[~known] = 0
        return Words(data) if unseen_is_zero else Words(data, known)


def prompt_words(value: np.ndarray, texts: list[int], rows: int) -> np.ndarray:
    """Scores or numerators (K, heads, 1, T, text tokens) of as many text tokens as each of K contexts has, query before
    key -> words: context, head, row tile, key slot."""
    count, heads, _, tokens, _ = value.shape
    tiles = value.reshape(count, heads, tokens // rows, rows, -1).transpose(0, 1, 2, 4, 3)
    return np.concatenate([tiles[one, :, :, :text].reshape(-1, rows) for one, text in enumerate(texts)])


def output_words(value: np.ndarray, rows: int, heads: int) -> np.ndarray:
    """O (K, T, D) -> words: context, head, row tile, channel of the head."""
    count, tokens, hidden = value.shape
    tiles = value.reshape(count, tokens // rows, rows, heads, hidden // heads)
    return tiles.transpose(0, 3, 1, 4, 2).reshape(-1, rows)


class Scoreboard:
    """Compares sub-blocks of one model on one build."""

    def __init__(self, dims: Dims, build: BuildConfig) -> None:
        self.dims, self.build = dims, build
        self.check = Comparison()
        self.order = token_order(dims, build)
        self.blocks = [self._block_rows(block, groups) for block, groups in enumerate(groups_of(dims, build))]

    def _block_rows(self, block: int, groups: Groups) -> tuple[np.ndarray, Jobs]:
        """Token of each row of an even (0) or odd (1) attention block, and its jobs."""
        frames = self.dims.group(block).frames
        rows_of = self.order
        if frames > 1:
            rows_of = rows_of[temporal_order(self.dims, self.build, frames)]
        slots = self.dims.group_supertiles(self.build, block) * self.build.wide
        return rows_of, Jobs(rows_of, slots, groups.index.numpy(), self.build.rows)

    def expected_words(self, capture: StageCapture) -> dict[str, Words]:
        """Every stage of one sub-block of one image in the order of the trace."""
        rows, cols = self.build.rows, self.build.cols
        x, a, branch = (part[0].numpy()[:, self.order] for part in (capture.x, capture.a, capture.branch))
        words = {"x": to_words(x, rows)}
        if bool(capture.normalized):
            words["a"] = to_words(a, rows)
        if not bool(capture.computed.any()):
            return {name: Words(data) for name, data in words.items()}
        stages = {name: value.numpy() for name, value in capture.stages.items()}
        words["branch"] = linear_words(branch[capture.computed[0].numpy()], rows, cols)
        if "h" in stages:
            words["h"] = linear_words(stages["h"][:, self.order], rows, cols)
            return {name: Words(data) for name, data in words.items()}
        place = self.dims.places[capture.sub_block]
        if place.kind == CROSS:
            words |= self._cross_words(capture, stages)
            return {name: Words(data) for name, data in words.items()}
        rows_of, jobs = self.blocks[place.block % 2]
        q, k, v, o = (stages[name][:, rows_of] for name in "qkvo")
        words |= {"q": linear_words(q, rows, cols), "k": linear_words(k, rows, cols), "v": transposed_words(v, rows)}
        words["o"] = output_words(o, rows, self.dims.heads)
        scores = {"score": jobs.words(stages["score"], unseen_is_zero=False)}
        scores["prob"] = jobs.words(stages["prob"], unseen_is_zero=True)
        return scores | {name: Words(data) for name, data in words.items()}

    def _cross_words(self, capture: StageCapture, stages: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The stages of a cross-attention between its input and its branch."""
        rows, cols = self.build.rows, self.build.cols
        texts = [self.dims.prompts[context] for context in np.flatnonzero(capture.computed[0].numpy())]
        q, o = (stages[name][:, self.order] for name in "qo")
        words = {"q": linear_words(q, rows, cols), "o": output_words(o, rows, self.dims.heads)}
        for name in ("score", "prob"):
            words[name] = prompt_words(stages[name][:, :, :, self.order], texts, rows)
        return words

    def compare(
        self, image: int, timestep: int, capture: StageCapture, expected: dict[str, Words], trace: Trace
    ) -> Comparison:
        """Compare one sub-block of one image with its ``expected_words``. Returns this sub-block's check."""
        origin = Place(image, timestep, capture.sub_block, self.dims.places[capture.sub_block])
        check = self._compare_words(origin, expected, trace)
        decided = self._compare_decisions(check, origin, capture, trace)
        wrong = [place for place in (check.first, decided) if place]
        check.first = min(wrong, key=lambda place: ORDER.index(place.stage), default=None)
        self.check.add(check)
        return check

    def compare_output(self, image: int, timestep: int, x_out: np.ndarray, trace: Trace) -> Comparison:
        """Compare what follows the last sub-block of a timestep: x_out (contexts, T, D). Returns its check."""
        words = to_words(x_out[:, self.order].astype(np.int16), self.build.rows)
        behind = SubBlockPlace("output", self.dims.places[-1].block + 1)
        check = self._compare_words(Place(image, timestep, self.dims.sub_blocks, behind), {"x": Words(words)}, trace)
        self.check.add(check)
        return check

    def _compare_words(self, origin: Place, expected: dict[str, Words], trace: Trace) -> Comparison:
        """Count all stages' words; ``first`` is the first that differs in the order of the stages."""
        found = {name: trace.drain_data[trace.drain_kind == kind] for name, kind in DRAIN_KINDS.items()}
        found |= {"prob": trace.prob_data, "x": trace.x_data, "a": trace.act_data}
        nothing = Words(np.zeros((0, self.build.rows), np.int16))
        check = Comparison()
        for name in STAGES:
            place = self._compare_stage(check, origin, name, expected.get(name, nothing), found[name])
            check.first = check.first or place
        return check

    def _compare_stage(
        self, check: Comparison, origin: Place, name: str, expected: Words, found: np.ndarray
    ) -> Place | None:
        """Count a stage's words; returns the first that differs."""
        whole = expected.data
        shared = min(len(whole), len(found))
        differs = whole[:shared] != found[:shared]
        compared = differs.size
        if expected.known is not None:
            differs &= expected.known[:shared]
            compared = int(expected.known[:shared].sum())
        check.words_compared += compared
        check.by_stage[name] = check.by_stage.get(name, 0) + compared
        wrong = int(differs.sum()) + abs(len(whole) - len(found)) * self.build.rows
        check.words_mismatched += wrong
        if not wrong:
            return None
        word, lane = (int(i) for i in np.argwhere(differs)[0]) if differs.any() else (shared, 0)
        values = [int(words[word, lane]) if word < len(words) else None for words in (whole, found)]
        return replace(origin, stage=name, word=word, lane=lane, expected=values[0], found=values[1])

    def _compare_decisions(self, check: Comparison, origin: Place, capture: StageCapture, trace: Trace) -> Place | None:
        """Count the decisions and their metric; returns the first that differs."""
        due = self.dims.contexts if capture.decided else 0
        parts = (
            (capture.counts, trace.decide_count),
            (capture.computed, trace.decide_reuse == 0),
            (capture.slopes, trace.decide_slope),
        )
        found = len(trace.decide_index)
        same = min(due, found)
        pairs = [(expected[0, :due].numpy().astype(np.int64), shown) for expected, shown in parts]
        differs = np.stack([expected[:same] != shown[:same] for expected, shown in pairs])
        misplaced = capture.sub_block * self.dims.contexts + np.arange(same) != trace.decide_index[:same]
        wrong = differs.any(0) | misplaced
        check.decisions_compared += same
        check.decisions_mismatched += int(wrong.sum()) + abs(due - found)
        if not wrong.any() and due == found:
            return None
        context = int(np.argmax(wrong)) if wrong.any() else same
        part = int(np.argmax(differs[:, context])) if context < same and differs[:, context].any() else 1
        values = [int(side[context]) if context < len(side) else None for side in pairs[part]]
        return replace(origin, stage=DECISIONS[part], word=context, expected=values[0], found=values[1])
