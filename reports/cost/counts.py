"""Independent count of what the accelerator does, from a model's dimensions and a record of its decisions.

No simulation: the formulas follow the data flow of ``docs/interface.md`` (tiles, drained columns, memory
accesses), one function per unit of ``accel/units``. The counters read from the RTL must equal these, number by number;
Cycles and saturations depend on timing and data and have no formula here.
Units: words, beats, cycles and operations, as ``accel/control/registers.py`` defines each counter.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from radit.accel.config import FRAME_CHANNELS, BuildConfig
from radit.accel.control.registers import ACCOUNTS, COUNTERS, SATURATIONS
from radit.accel.dims import ATTENTION, CROSS, MLP, Dims, check_fit
from radit.accel.interfaces.conditioning import HEADER_BEATS
from radit.accel.interfaces.top_ports import STREAM_WORDS
from radit.model.errors import UserError
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.cost.forecasts import results_read
from radit.reports.cost.products import branch_product, fc1, input_product, projection, prompt, qkv, scores_and_values
from radit.reports.cost.run_tables import RunTables

UNCOUNTED = frozenset(("cycles", "pass_cycles", *SATURATIONS)) | ACCOUNTS.keys()

SATURATED = {  # counter -> the place of the reference whose values it counts, in words
    "residual_saturations": "residual",
    "norm_saturations": "layernorm",
    "modulate_saturations": "modulate",
    "score_saturations": "score",
    "gelu_saturations": "u",
}


@dataclass(frozen=True)
class Work:
    """How often each kind of sub-block ran, over all timesteps of all images.

    Fields:
        timesteps: of all images.
        attention: computed (timestep, attention sub-block, context) in even and odd blocks.
        cross: computed (timestep, cross-attention) of every context.
        mlp: computed (timestep, MLP sub-block, context).
        attention_fetches, cross_fetches, mlp_fetches: (timestep, sub-block) in which any context computes.
        passes: (timestep, pass), the first and the last of a timestep among them.
        gated: (timestep, pass, context) that added a branch.
        result_words: words of the cache to a word of what is cached: 1 for branches, 2 for streams and residuals.
        cached: (timestep, sub-block, context) whose branch was cached; of streams, (timestep, context); of residuals,
            (timestep, span, context).
        reused: the same, that took what was cached.
        forecast: results before the latest that those of them took for forecasts.
        cached_x: (timestep, context) whose x came from the cache.
        paired: (timestep, odd context) whose words meet those of the one before, which stay for it in x memory;
            subtracted: those of them that were computed.
        decisions: (timestep, sub-block, context) that were decided.
        encoded: (timestep, sub-block, context) whose input was encoded.
        compared: those of them after the first timestep, compared with the codes kept.
        kept: those of them that were computed, so that their codes were kept.
        normalized: (timestep, sub-block, context) whose input was normalized, or, ``bypassed``, modulated as it was:
            those of cross-attention.
        framed: (timestep, context) to which the frame embedding was added; frame_loads: timesteps that fetched it.
    """

    timesteps: int
    attention: tuple[int, int]
    cross: tuple[int, ...]
    mlp: int
    attention_fetches: int
    cross_fetches: int
    mlp_fetches: int
    passes: int
    gated: int
    result_words: int
    cached: int
    reused: int
    forecast: int
    cached_x: int
    paired: int
    subtracted: int
    decisions: int
    encoded: int
    compared: int
    kept: int
    normalized: int
    bypassed: int
    framed: int
    frame_loads: int

    @property
    def computed(self) -> int:
        """Computed (timestep, sub-block, context)."""
        return sum(self.attention) + sum(self.cross) + self.mlp

    @classmethod
    def of(cls, dims: Dims, record: DecisionRecord, tables: RunTables) -> Work:
        """From what was computed, and the run's tables."""
        attention, cross, mlp = (dims.numbers(kind) for kind in (ATTENTION, CROSS, MLP))
        even, odd = (dims.numbers(ATTENTION, parity) for parity in (0, 1))
        computed = record.computed
        fetched: np.ndarray = np.any(computed, axis=3)  # [image, timestep, sub_block]
        following = tables.following(record)
        encoding = ~following & tables.policy_on
        stream, spans = tables.stream_scope, [span.start for span in tables.spans]
        timesteps, contexts = record.images * record.timesteps, record.contexts
        deciding = [0] if stream else spans or slice(None)
        results = computed[:, :, deciding]
        short = int((~fetched[:, :, 0]).sum()) if stream else 0  # timesteps of two passes
        pairs = timesteps * (contexts // 2) * tables.difference
        joined = int((~fetched[:, :, sorted(tables.joined)]).sum())  # passes of which there are none
        place = dims.frames_before  # the embedding joins the branch of the sub-block before, if that pass is there
        unframed = short + (int((~fetched[:, :, place]).sum()) if place in tables.joined and not stream else 0)
        added = computed[:, :, place - 1] if stream or spans else np.ones_like(computed[:, :, place - 1])
        return cls(
            timesteps=timesteps,
            attention=(int(computed[:, :, even].sum()), int(computed[:, :, odd].sum())),
            cross=tuple(int(count) for count in computed[:, :, cross].sum((0, 1, 2))),
            mlp=int(computed[:, :, mlp].sum()),
            attention_fetches=int(fetched[:, :, attention].sum()),
            cross_fetches=int(fetched[:, :, cross].sum()),
            mlp_fetches=int(fetched[:, :, mlp].sum()),
            passes=timesteps * (record.sub_blocks + 1) - short * (record.sub_blocks - 1) - joined,
            gated=int(computed.sum()) if stream or spans else computed.size,
            result_words=STREAM_WORDS if stream or spans else 1,
            cached=int(results.sum()),
            reused=int((~results).sum()),
            forecast=int(results_read(record, tables.gains, tables.order)[:, :, deciding].sum()),
            cached_x=int((~results).sum()) if stream else 0,
            paired=pairs,
            subtracted=int(computed[:, :, 0, 1::2].sum()) if pairs else 0,
            decisions=results.size,
            encoded=record.images * int(encoding.sum()) * contexts,
            compared=record.images * int(encoding[1:].sum()) * contexts,
            kept=int(computed[:, encoding].sum()),
            normalized=int((fetched | ~following).sum()) * contexts,
            bypassed=int((fetched | ~following)[:, :, cross].sum()) * contexts,
            framed=int(added.sum()) if dims.frames else 0,
            frame_loads=timesteps - unframed if dims.frames else 0,
        )


def expected_counts(dims: Dims, build: BuildConfig, record: DecisionRecord, tables: RunTables) -> dict[str, int]:
    """Every counter but ``UNCOUNTED``, summed over the record's images (each from START with "new image" to its last
    timestep).

    Args:
        record: what was computed.
        tables: of the run.

    Raises:
        UserError: the record's shape or content does not fit ``dims`` or the policy, or the model not the build.
    """
    check_fit(dims, build)
    check_record(dims, record, tables.policy_on)
    work = Work.of(dims, record, tables)
    counts: Counter[str] = Counter(dict.fromkeys(COUNTERS.keys() - UNCOUNTED, 0))
    for unit in (attention, cross_attention, mlp, weight_streamer, parameters, conditioning, residual_pass, norm_pass):
        counts.update(unit(dims, build, work))
    if tables.policy_on:
        counts.update(detection(dims, build, work))
        counts.update(branch_cache(dims, build, work))
    return {name: counts[name] for name in COUNTERS if name not in UNCOUNTED}


def add_counts(*parts: dict[str, int]) -> dict[str, int]:
    """Sum of counters, for several runs."""
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)


def check_record(dims: Dims, record: DecisionRecord, policy_on: bool) -> None:
    """Refuse a record of decisions that cannot be.

    Raises:
        UserError: its shape or content does not fit ``dims`` or the policy.
    """
    wanted = (dims.sub_blocks, dims.contexts)
    if (record.sub_blocks, record.contexts) != wanted:
        raise UserError(
            f"record of decisions is of {record.sub_blocks} sub-blocks and {record.contexts} contexts: give one of "
            f"{wanted[0]} and {wanted[1]}."
        )
    if not (record.starts_dense if policy_on else record.computed.all()):
        raise UserError(
            "record of decisions reuses a branch "
            + ("in the first timestep, where none is cached" if policy_on else "although the policy is off")
            + "; record every computed sub-block as True."
        )


def attention(dims: Dims, build: BuildConfig, work: Work) -> dict[str, int]:
    """Attention engine: Q, K, V, scores, softmax, values, projection of every computed context."""
    counts: Counter[str] = Counter()
    for block, runs in enumerate(work.attention):
        keys = dims.group_supertiles(build, block) * build.wide
        for product in (qkv(dims, build), scores_and_values(dims, build, keys), projection(dims, build)):
            counts.update({name: runs * count for name, count in product.items()})
    return counts


def cross_attention(dims: Dims, build: BuildConfig, work: Work) -> dict[str, int]:
    """Cross-attention of every computed context: Q, the prompt, scores, softmax, values, projection."""
    counts: Counter[str] = Counter()
    for runs, text in zip(work.cross, dims.prompts, strict=True):
        parts = (
            input_product(dims, build, dims.hidden),
            prompt(dims, build, text),
            scores_and_values(dims, build, text),
            projection(dims, build),
        )
        for part in parts if runs else ():
            counts.update({name: runs * count for name, count in part.items()})
    return counts


def mlp(dims: Dims, build: BuildConfig, work: Work) -> dict[str, int]:
    """MLP engine: FC1, GELU, FC2 of every computed context."""
    counts = Counter(fc1(dims, build)) + Counter(branch_product(dims, build, depth=dims.mlp))
    return {name: work.mlp * count for name, count in counts.items()}


def weight_streamer(dims: Dims, build: BuildConfig, work: Work) -> dict[str, int]:
    """A sub-block's weights are fetched once where any context computes."""
    words = work.attention_fetches * dims.attention_words(build) + work.mlp_fetches * dims.mlp_words(build)
    words += work.cross_fetches * dims.cross_words(build)
    return {"weight_writes": build.steps(words)}


def parameters(dims: Dims, build: BuildConfig, work: Work) -> dict[str, int]:
    """Requantization parameters of a sub-block (Q, K, projection | Q, projection | FC1, FC2), fetched with its
    weights."""
    attention_beats = (work.attention_fetches * 3 + work.cross_fetches * 2) * dims.hidden
    return {"param_writes": attention_beats + work.mlp_fetches * (dims.mlp + dims.hidden)}


def conditioning(dims: Dims, build: BuildConfig, work: Work) -> dict[str, int]:
    """Header and per-channel entries of every pass, the last residual pass of a timestep included; frame embedding.

    Where a timestep is reused as a whole, those of its second pass are fetched in vain.
    """
    beats, frames = HEADER_BEATS + dims.contexts * dims.hidden, work.frame_loads * dims.frame_beats
    return {"mod_writes": work.passes * beats + frames, "frame_writes": frames}


def _pass_words(dims: Dims, build: BuildConfig) -> int:
    """Words of one pass: all contexts."""
    return dims.contexts * dims.sub_block_words(build)


def residual_pass(dims: Dims, build: BuildConfig, work: Work) -> dict[str, int]:
    """Gated residual add: the first pass of a timestep has no branch, the last no LayerNorm.

    Words cross the FIFO on their way to the LayerNorm, and in the last pass to the host, or to the cache alone if they
    are of a difference, which takes the other context's word as well.
    """
    words = work.timesteps * _pass_words(dims, build)
    inner = work.passes * _pass_words(dims, build) - words
    each = dims.sub_block_words(build)
    queued = (work.normalized + work.subtracted) * each + words
    return {
        "residual_words": inner + words + work.paired * each,
        "x_in_words": words,
        "x_out_words": words,
        "x_reads": inner + (work.paired - work.cached_x) * each,
        "x_writes": inner + work.paired * each,
        "fifo_writes": queued,
        "fifo_reads": queued,
        "gate_reads": work.gated * each,
        "frame_reads": work.framed * each // FRAME_CHANNELS,
        "a_reads_row": work.computed * each,
    }


def norm_pass(dims: Dims, build: BuildConfig, work: Work) -> dict[str, int]:
    """LayerNorm, modulation and quantization of a sub-block's input, also where it is reused, but for light passes."""
    row_tiles = work.normalized * dims.row_tiles(build)
    words, bypassed = row_tiles * dims.hidden, work.bypassed * dims.row_tiles(build)
    return {
        "norm_words": words,
        "bypass_words": bypassed * dims.hidden,
        "rsqrt_tiles": row_tiles - bypassed,
        "modulation_reads": words,
        "a_writes": words,
    }


def detection(dims: Dims, build: BuildConfig, work: Work) -> dict[str, int]:
    """CCU, history and DTSM. In the first timestep no result is cached, so the history is not read."""
    words = dims.sub_block_words(build)
    return {
        "ccu_words": work.encoded * words,
        "code_writes": work.encoded * words,
        "history_reads": work.compared * words,
        "code_reads": work.kept * words,
        "dtsm_ops": work.decisions,
    }


def branch_cache(dims: Dims, build: BuildConfig, work: Work) -> dict[str, int]:
    """Computed results are written, reused ones read, with the one before where they are forecasts."""
    words = work.result_words * dims.sub_block_words(build)
    return {
        "cache_writes": work.cached * words,
        "cache_reads": work.reused * words,
        "slope_reads": work.forecast * words,
    }


def model_macs(dims: Dims, record: DecisionRecord) -> int:
    """MACs the model needs for the computed sub-blocks, without any padding (the useful work of the array)."""
    computed = record.computed.sum((0, 1))
    return sum(
        int(computed[number, context]) * dims.macs(place, context)
        for number, place in enumerate(dims.places)
        for context in range(dims.contexts)
    )
