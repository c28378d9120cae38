"""MyHDL's simulator: a whole block of the shipped model, and the same cycles as the compiled Verilog."""

from dataclasses import replace

import pytest
import torch

from radit.accel.config import BuildConfig
from radit.cosim.support.sizes import dims_of
from radit.model.dit.checkpoint import find_checkpoint, load_model
from radit.model.dit.sampler import Sampler, make_noise
from radit.model.integer.calibration import load_or_calibrate
from radit.model.integer.generate import Host
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.policy.skip_policy import Policy
from tests.system.cosimulate import SKIPPING, Shape, Task, cosimulate, make_task, small_build

STEPS = 50
REUSING = Policy("radit", threshold=1.0, max_streak=1, last_dense=0)


def first_blocks(integer: IntegerDiT, depth: int) -> IntegerDiT:
    """The integer model without its later blocks."""
    subs = 2 * depth
    return replace(
        integer,
        config=integer.config.model_copy(update={"depth": depth}),
        sub_blocks=integer.sub_blocks[:subs],
        header={name: column[:, :subs] for name, column in integer.header.items()},
        act_share=integer.act_share[:subs],
        act_scale=integer.act_scale[:, :subs],
        act_rms=integer.act_rms[:subs],
        branch_scale=integer.branch_scale[:subs],
    )


def digit_block(timesteps: int) -> Task:
    """The shipped model's first block on a noisy image that stays the same."""
    dit = load_model("digits")
    integer = quantize(dit, load_or_calibrate(dit, find_checkpoint("digits"), Sampler(STEPS)), Sampler(STEPS))
    host = Host(dit, integer, torch.tensor([3]), make_noise(dit.config, 1, seed=0), 1.5, dit.config.tokens)
    vectors = {name: getattr(host.tables, name)[:, :, :, :2] for name in ("scale", "shift", "gate")}
    block = first_blocks(integer, 1)
    x = host.enter()[0].numpy()
    return Task(block, dims_of(block.config, 2), replace(host.tables, **vectors), [[x] * timesteps])


def test_a_block_of_the_shipped_model_computed_and_skipped():
    build = BuildConfig(rows=64, cols=32, max_sub_blocks=2)  # the larger the array, the fewer cycles to simulate
    outcome = cosimulate("myhdl", build, digit_block(2), REUSING)
    outcome.assert_exact()
    assert outcome.computed.shape == (2, 2, 2)
    assert outcome.computed[0].all() and not outcome.computed[1].any()
    assert outcome.check.decisions_compared == 8 and not any(outcome.saturated.values())


@pytest.mark.needs("verilator")
def test_both_engines_take_the_same_cycles():
    task = make_task(Shape(9, 8, 2, 12, depth=1, motion=("js", "jj"), seed=2))
    runs = [cosimulate(engine, small_build(8, 8), task, SKIPPING) for engine in ("myhdl", "verilator")]
    for run in runs:
        run.assert_exact()
    assert runs[0].mixed > 0
    assert runs[0] == replace(runs[1], computed=runs[0].computed) and (runs[0].computed == runs[1].computed).all()
