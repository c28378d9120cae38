"""What `radit demo` and `radit cosim` do: co-simulate, write the results, say what came out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from radit.cosim.run_state import forget
from radit.cosimulation import cosimulate
from radit.model.dit.checkpoint import load_config
from radit.model.dit.sampler_names import Solver, Spacing
from radit.model.outputs import output_folder
from radit.model.policy.policy_file import own_sampler, usual_policies
from radit.model.policy.skip_policy import parse_policy
from radit.model.quality.judge import judge_of
from radit.reports.run.run_folder import FILES, FOLDERS, STATE, UNFINISHED_WAVES
from radit.terminal.interruption import at_work
from radit.terminal.messages import asked_for, complain
from radit.terminal.progress import MacBar
from radit.terminal.run import show_run

DEMO_IMAGES, DEMO_CLIPS = 10, 4
DEMO, CLIP_DEMO = Path("build") / "demo", Path("build") / "moving-digits"


def run_demo(
    *,
    model: str,
    images: int | None,
    out: Path | None,
    steps: int | None = None,
    sampler: Solver | None = None,
    spacing: Spacing | None = None,
    prompt: str | None = None,
    **settings: Any,
) -> bool:
    """Digits or clips through the hardware under every policy, with quality, energy and the Verilog; True if all is
    equal.

    Args:
        images, out: None: those of the kind, images or clips; of prompts that were asked for, an image of each.
        steps, sampler, spacing: None: as the model is sampled, see `own_sampler`.
        settings: further arguments of `cosimulate`.

    Raises:
        UserError: the model is unknown, or nobody judges what it generates.
    """
    judge_of(model)
    clips = load_config(model).frames > 1
    usual = DEMO_CLIPS if clips else len(prompt.split(",")) if prompt else DEMO_IMAGES
    images, out = images or usual, out or (CLIP_DEMO if clips else DEMO)
    way, policies = own_sampler(model, steps, sampler, spacing), usual_policies(model)
    settings |= {"steps": way.steps, "sampler": way.solver, "spacing": way.spacing, "prompt": prompt}
    return _told(out, verilog=True, model=model, policies=policies, images=images, with_quality=True, **settings)


def run_cosim(*, policies: list[str], out: Path, with_waves: bool, **settings: Any) -> bool:
    """Any model through the hardware under one or several policies; True if all is equal.

    The state of the run is kept in ``out``/state, where it can be resumed.
    """
    for text in policies:
        parse_policy(text)  # a bad one is refused before a folder is made
    waves = out / UNFINISHED_WAVES if with_waves else None
    return _told(out, policies=policies, waves=waves, state=out / STATE, keep_state=True, **settings)


def _told(out: Path, *, engine: str, verilog: bool = False, **settings: Any) -> bool:
    """A co-simulation with a progress bar; its problems on stderr, its results in a folder and on the terminal."""
    output_folder(out, files=FILES, folders=FOLDERS)
    started = time.perf_counter()
    with at_work(out):
        with MacBar(engine) as bar:
            found = cosimulate(engine=engine, progress=bar, command=asked_for(), **settings)
        complain(*found.problems)
        found.save(out, verilog=verilog, waves=settings.get("waves"))
        if state := settings.get("state"):
            forget(state)  # not before: where its results cannot be written, the run can be resumed
    show_run(found.summary, found.passed, out, time.perf_counter() - started)
    return found.passed
