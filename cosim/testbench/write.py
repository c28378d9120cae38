"""Writes a run's bench, memory images, golden words and facts beside the exported RTL."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from radit.cosim.prepare import Prepared
from radit.cosim.testbench.bench_text import (
    BENCH,
    DECISIONS,
    IMAGES,
    X_IN,
    X_OUT,
    bench_text,
    decision_bits,
    decision_fields,
    filled,
    image_file,
)
from radit.cosim.testbench.golden import GoldenRun, ShownDecision, golden_run
from radit.cosim.testbench.hex_files import write_numbers, write_words
from radit.model.plain_text import one_line
from radit.model.policy.skip_policy import Policy


def write_testbench(folder: Path, prepared: Prepared, policy: Policy) -> None:
    """Write ``radit_top_tb.v``, ``radit_top_tb.json`` and ``images/`` of the request's first image."""
    run = golden_run(prepared, policy)
    (folder / IMAGES).mkdir()
    for memory in filled(run):
        write_words(folder / image_file(memory), memory.words)
    for name, part in ((X_IN, "x_in"), (X_OUT, "x_out")):
        write_words(folder / name, np.concatenate([getattr(step, part) for step in run.timesteps]))
    decisions = [packed(one, run) for step in run.timesteps for one in step.decisions]
    write_numbers(folder / DECISIONS, decisions or [0], decision_bits(run.build))
    (folder / f"{BENCH}.v").write_text(bench_text(run, title_of(prepared, policy)), encoding="ascii")
    (folder / f"{BENCH}.json").write_text(
        json.dumps(facts_of(run, prepared, policy), indent=2) + "\n", encoding="utf-8"
    )


def title_of(prepared: Prepared, policy: Policy) -> str:
    """What the bench runs, on one line."""
    request = prepared.request
    model = one_line(request.model).encode("ascii", "replace").decode()
    return (
        f"{request.count} of {request.steps} timesteps of {model}, policy {policy.name}, {prepared.build.shape} array"
    )


def packed(decision: ShownDecision, run: GoldenRun) -> int:
    """A decision as a word of ``decisions.hex``."""
    places = decision_fields(run.build)
    return sum(value << places[name][0] for name, value in asdict(decision).items())


def facts_of(run: GoldenRun, prepared: Prepared, policy: Policy) -> dict[str, object]:
    """The run in words: what it is of, its files, its register writes and decisions."""
    request = prepared.request
    return {
        "model": request.model,
        "integer_model": prepared.digest,
        "policy": policy.text,
        "steps": request.steps,
        "solver": request.solver,
        "spacing": request.spacing,
        "seed": request.seed,
        "cfg": request.cfg,
        "label": request.label(0, prepared.dit.config.num_classes),
        "build": asdict(run.build),
        "memories": [
            {
                "name": memory.name,
                "ports": [port.name for port in memory.ports],
                "word_bits": memory.bits,
                "words": len(memory.words),
                "file": image_file(memory) if memory.words.any() else None,
            }
            for memory in run.memories
        ],
        "x_words": len(run.timesteps[0].x_in),
        "registers": [write._asdict() for write in run.writes],
        "timesteps": [
            {
                "registers": [write._asdict() for write in step.writes],
                "decisions": [asdict(decision) for decision in step.decisions],
            }
            for step in run.timesteps
        ],
    }
