"""The cycle model: how many cycles a run takes, from the model's dimensions and its decisions, without simulating it.

``predict`` walks the timestep's sequencer (``radit.accel.control.timestep_sequencer``) over the sub-blocks;
``reports/cycles`` has one short function per unit of the machine. The result equals the RTL's counters cycle by cycle
as long as the external memory delivers a word in every cycle (any latency); limited bandwidth and random pauses are
met within ``MemoryModel.tolerance``. All results are *modelled*.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from radit.accel.config import BuildConfig
from radit.accel.control.registers import PHASES
from radit.accel.dims import CROSS, Dims, check_fit
from radit.accel.interfaces.conditioning import HEADER_BEATS
from radit.accel.units.dtsm import LATENCY as DTSM_LATENCY
from radit.model.formats import CODE_BITS
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.cost.counts import check_record
from radit.reports.cost.forecasts import results_read
from radit.reports.cost.run_tables import RunTables
from radit.reports.cost.traffic import BEAT_BYTES
from radit.reports.cycles.engines import Engines
from radit.reports.cycles.memory import COMMAND_TO_STREAM, HISTORY_WORD, LOAD_TO_PASS, MemoryModel, Traffic
from radit.reports.cycles.residual_pass import Pass, residual_pass

__all__ = ["MemoryModel", "Prediction", "predict"]

IDEAL = MemoryModel()
GUARD = 1  # LOAD looks for the conditioning from its second cycle on
FOLLOW = 3  # more of it where the sub-block is decided before, beside the turns
TURN = DTSM_LATENCY + 1  # cycles of a decision before the pass
LAST_TURN_TO_PASS = 2  # the last turn's request for weights -> start pulse of the pass
DONE_TO_ENGINE = 2  # end of the pass -> start pulse of the engine
DONE_TO_ADVANCE = 2  # end of the pass -> the next sub-block, when all contexts reuse
ADVANCE_TO_LOAD = 1  # also from the engine's done pulse
DONE_TO_FINISH = 1
DECIDED_TO_FETCH = 1
HISTORY_LOOKS = 2  # of it before and behind the contexts


@dataclass(frozen=True)
class Prediction:
    """Cycles of all images.

    Fields:
        phases: by phase (``radit.accel.control.registers.PHASES``).
        timesteps: int64 [image, timestep].
    """

    phases: dict[str, int]
    timesteps: np.ndarray

    @property
    def cycles(self) -> int:
        return sum(self.phases.values())


def predict(
    dims: Dims,
    build: BuildConfig,
    record: DecisionRecord,
    tables: RunTables,
    memory: MemoryModel = IDEAL,
    sequencer: TimestepSequencer | None = None,
) -> Prediction:
    """Cycles of a run.

    Args:
        record: what was computed.
        tables: of the run.
        memory: external memory.
        sequencer: that of another run with the same dims, build and memory, whose tables differ by timestep alone (in
            the number of timesteps, forced and gains); it knows much already. None: a new one.

    Raises:
        UserError: the record does not fit the model or the policy, or the model not the build.
    """
    check_fit(dims, build)
    check_record(dims, record, tables.policy_on)
    sequencer = sequencer or TimestepSequencer(dims, build, tables, memory)
    phases: Counter[str] = Counter(dict.fromkeys(PHASES, 0))
    timesteps = np.zeros((record.images, record.timesteps), np.int64)
    forecasts, follow = results_read(record, tables.gains, tables.order).astype(np.uint8), tables.following(record)
    for image, index in np.ndindex(timesteps.shape):
        parts = record.computed[image, index], forecasts[image, index], follow[index]
        spent = sequencer.timestep(*(part.tobytes() for part in parts), index == 0, tables.known(index))
        phases.update(spent)
        timesteps[image, index] = sum(spent.values())
    return Prediction(dict(phases), timesteps)


def _contexts(wanted: np.ndarray) -> tuple[int, ...]:
    """Numbers of the contexts of which a bool [context] is True."""
    return tuple(int(ctx) for ctx in np.flatnonzero(wanted))


@dataclass
class Progress:
    """Where a timestep stands, in cycles from its first one.

    Fields:
        load: the LOAD state of the sub-block at hand.
        fetched: the pulse that asked for its conditioning, or so much later as codes held that up.
        history, branch: first cycle in which the codes, and the branches, of the sub-blocks before are written.
        reused: contexts whose branch the next pass takes from the cache.
        forecast: those of them whose branch before it takes as well, once for each branch before.
    """

    load: float = 0.0
    fetched: float = 0.0
    history: float = 0.0
    branch: float = 0.0
    reused: tuple[int, ...] = ()
    forecast: tuple[int, ...] = ()


class TimestepSequencer:
    """``radit.accel.control.timestep_sequencer``: pass, decide, compute or skip, sub-block after sub-block."""

    def __init__(self, dims: Dims, build: BuildConfig, tables: RunTables, memory: MemoryModel) -> None:
        self._dims, self._build, self._policy_on, self._memory = dims, build, tables.policy_on, memory
        self._stream_scope, self._joined = tables.stream_scope, tables.joined
        self._last = Pass((), (), last=True, stream_scope=tables.stream_scope, differs=tables.difference)
        self._spans = {s: span for span in tables.spans for s in span}
        self._words, self._code_bytes = dims.sub_block_words(build), build.rows * CODE_BITS / 8
        self._beats = HEADER_BEATS + dims.contexts * dims.hidden
        self.timestep = lru_cache(maxsize=None)(self._timestep)
        self._engine = lru_cache(maxsize=None)(
            Engines(dims, build, memory, self._policy_on and not self._stream_scope).run
        )
        self._pass = lru_cache(maxsize=None)(lambda todo: residual_pass(todo, dims, build, memory))

    def _timestep(
        self, decisions: bytes, forecasts: bytes, follow: bytes, first_step: bool, known: bool
    ) -> dict[str, int]:
        """Cycles by phase of a timestep.

        Args:
            decisions: bool [sub_block, context] as bytes, True where computed.
            forecasts: uint8 [sub_block, context] as bytes, results before the latest that a forecast takes.
            follow: bool [sub_block] as bytes, decided before its pass.
            first_step: no codes are stored yet.
            known: everything is computed, and it is known beforehand.
        """
        computed, forecast = (
            np.frombuffer(part, dtype=kind).reshape(self._dims.sub_blocks, self._dims.contexts)
            for part, kind in ((decisions, bool), (forecasts, np.uint8))
        )
        phases = dict.fromkeys(PHASES, 0.0)
        state = Progress()
        for sub_block, (decision, follows) in enumerate(zip(computed, np.frombuffer(follow, bool), strict=True)):
            if decision.any() or sub_block not in self._joined:
                spent = self._sub_block(state, sub_block, decision, bool(follows), first_step, known)
                phases.update({phase: phases[phase] + cycles for phase, cycles in spent.items()})
            state.forecast = tuple(np.repeat(np.arange(len(decision)), forecast[sub_block]).tolist())
            if sub_block in self._spans:
                self._bridge(state, self._spans[sub_block], sub_block, _contexts(~decision))
            if self._stream_scope and not decision.any():
                break
        cut_short = self._stream_scope and not computed.any()  # then the second sub-block's conditioning is there
        start = self._start(state, 1 if cut_short else len(computed))
        times = self._pass(replace(self._last, cached=state.reused, forecast=state.forecast))
        written = start + times.written
        phases["pass"] += (
            max(start + times.done + DONE_TO_FINISH, state.history, state.branch, written) + 1 - state.load
        )
        return {phase: round(cycles) for phase, cycles in phases.items()}

    @staticmethod
    def _bridge(state: Progress, span: range, sub_block: int, reused: tuple[int, ...]) -> None:
        """The pass behind a span takes the residual, which has 16 bits: two words for one of a branch."""
        state.reused = state.forecast = reused if sub_block == span[-1] else ()

    def _sub_block(
        self, state: Progress, sub_block: int, decision: np.ndarray, follows: bool, first_step: bool, known: bool
    ) -> dict[str, float]:
        """Pass and engine of a sub-block; moves ``at`` to the next one. Returns cycles by phase."""
        active, reused = _contexts(decision), _contexts(~decision)
        compares = self._policy_on and not follows
        settled = self._stream_scope and sub_block > 0  # by sub-block 0
        known = known or settled
        led = FOLLOW + len(decision) * TURN if follows and not settled else 0
        cached, forecast = ((), ()) if self._stream_scope else (state.reused, state.forecast)
        place = self._dims.places[sub_block]
        todo = Pass(
            cached, forecast, ahead=led, light=follows and not active, detect=compares,
            with_history=compares and not first_step, first=sub_block == 0, bypass=place.kind == CROSS,
            fetches=(0 if known or follows else active[0] + 1) if active and sub_block == 0 else None,
        )  # fmt: skip
        start, times = self._start(state, sub_block) + led, self._pass(todo)
        load, state.load = state.load, start + times.done + DONE_TO_ADVANCE + ADVANCE_TO_LOAD
        state.fetched = start + times.late
        state.reused = reused
        if not active:
            return {"pass": state.load - load}
        engine = start + times.done + DONE_TO_ENGINE
        if follows and not settled:
            asked = start + (active[0] + 1 - len(decision)) * TURN - LAST_TURN_TO_PASS
        else:
            asked = start + (0.0 if known else times.decided[active[0]] + DECIDED_TO_FETCH)
        traffic = self._traffic(todo, -1 if known or follows else active[0], len(active), sub_block)
        spans, written = self._engine(place.kind, place.block % 2, active, asked - engine, traffic)
        state.load = engine + sum(spans.values()) + ADVANCE_TO_LOAD
        state.branch, state.history = engine + written, engine + (self._history(len(active)) if compares else 0.0)
        return {"pass": state.load - load - sum(spans.values())} | spans

    def _start(self, state: Progress, sub_block: int) -> float:
        """Start pulse of the pass of a sub-block, the last pass's being their number."""
        command = COMMAND_TO_STREAM + self._memory.latency + self._memory.pause
        loaded = state.fetched + command + self._beats * self._memory.spacing(BEAT_BYTES)
        if sub_block == 0:
            loaded += self._memory.held_up(self._build, self._dims.contexts * self._words, self._beats)
        if frames := self._frame_beats(sub_block):
            loaded += command + frames * self._memory.spacing(BEAT_BYTES)
        return max(state.load + GUARD, loaded, state.history) + LOAD_TO_PASS

    def _frame_beats(self, sub_block: int) -> int:
        """Beats of the frame embedding that come with the conditioning of a sub-block."""
        return self._dims.frame_beats if sub_block == self._dims.frames_before else 0

    def _history(self, contexts: int) -> float:
        """Cycles from the engine's start until the codes of ``contexts`` are written."""
        pause = self._memory.pause
        pace = max(HISTORY_WORD + pause, self._memory.write_spacing(self._code_bytes))
        return HISTORY_LOOKS + self._build.max_contexts + contexts * (1 + pause + self._words * pace)

    def _traffic(self, todo: Pass, decided: int, computed: int, sub_block: int) -> Traffic:
        """What comes before the weights once they are asked for, with context ``decided`` (-1: before the pass)."""
        beats = self._beats + self._frame_beats(sub_block + 1)
        traffic: list[tuple[float, float]] = [(beats * BEAT_BYTES, BEAT_BYTES)] if decided < 0 else []
        for ctx in range(decided + 1, self._dims.contexts):
            word = self._code_bytes * todo.with_history + todo.branch_bytes(ctx, self._build.rows)
            traffic.append((self._words * word, word))
        if todo.detect and not self._memory.writes_apart:
            traffic.append((computed * self._words * self._code_bytes, self._code_bytes / HISTORY_WORD))
        return tuple(traffic)
