"""Which part of the machine each process of the accelerator belongs to, and what of it exists only to skip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from radit.accel.control.registers import ADDRESS, FRAME_REGISTERS, TEXT_REGISTERS
from radit.accel.export.hierarchy import ProcessOrigin
from radit.accel.interfaces.conditioning import FRAME_FIELDS, HEADER_FIELDS, TEXT_FIELDS
from radit.accel.residual_pass.front_half import FIRE_TO_FACTORS, FIRE_TO_READ
from radit.model.errors import UserError

Group = Literal["machine", "detection", "reuse", "observation"]


@dataclass(frozen=True)
class MachinePart:
    """A row of the account; ``group``: what it is for."""

    title: str
    group: Group


# detection: decides. reuse: keeps, fetches and extrapolates branches. observation: counts and shows, computes nothing.
PARTS = {
    "array": MachinePart("MAC array", "machine"),
    "operands": MachinePart("array front, operand and write routing", "machine"),
    "requant": MachinePart("drain and requantization", "machine"),
    "gelu": MachinePart("GELU", "machine"),
    "softmax": MachinePart("softmax", "machine"),
    "norm": MachinePart("LayerNorm", "machine"),
    "modulate": MachinePart("modulation", "machine"),
    "residual": MachinePart("residual add and pass control", "machine"),
    "loaders": MachinePart("conditioning, weight and parameter loaders", "machine"),
    "control": MachinePart("sequencers and registers", "machine"),
    "text": MachinePart("prompt loader and cross-attention", "machine"),
    "frames": MachinePart("frame embedding", "machine"),
    "ccu": MachinePart("CCU", "detection"),
    "dtsm": MachinePart("DTSM and skip controller", "detection"),
    "history": MachinePart("code history", "detection"),
    "forecast": MachinePart("forecast", "reuse"),
    "cache": MachinePart("branch cache traffic", "reuse"),
    "observation": MachinePart("event counters, accounts, trace", "observation"),
}

# Registers and header fields that only skipping, text or a frame embedding reads.
SETTINGS = {
    "ccu": "b1 b2 b3 b4 b5 b6 b7",
    "dtsm": "threshold force follow plan policy stream_scope streak_step tight loose max_streak codes_total",
    "history": "history_base",
    "forecast": "slope_gain slope_max difference",
    "cache": "cache_base cache_base_other",
    "text": " ".join((*TEXT_REGISTERS, *TEXT_FIELDS)),  # that only cross-attention reads
    "frames": " ".join((*FRAME_REGISTERS, *FRAME_FIELDS)),  # that only adding a frame embedding reads
}
BUILT = frozenset({"text", "frames"})  # parts that some builds do without

DELAY = "gated_delay.gated_chain.gated_register"  # a register of a chain, by its number

# Block functions from the top on, a detail or process last -> part; the longest beginning of a process's path counts.
OWNERS = {
    "timestep_sequencer": "control",
    "engines": "control",
    "select_group": "control",
    "select_group.select_keys": "text",
    "prompt_loader": "text",
    "timestep_sequencer.order_prompt": "text",
    "timestep_sequencer.walk_blocks": "text",
    "engines.attention_sequencer.job_keys": "text",
    "engines.attention_sequencer.score_tile.count_keys": "text",
    "engines.sub_block_sequencer.await_prompt": "text",
    "compute_core.route_writes.share_write": "text",
    "conditioning.load_frames": "frames",
    "residual_pass.front_half.frame_words": "frames",
    "residual_pass.front_half.add_branch.residual_unit.carry_offset": "frames",
    "step_mode": "control",
    "register_file": "control",
    "register_file.counters": "observation",
    "register_file.counters.read_registers": "control",
    "register_file.counters.read_state_alone": "control",
    "classify_cycle": "observation",
    "count_events": "observation",
    "trace_taps": "observation",
    "compute_core": "operands",
    "compute_core.array_front.mac_array": "array",
    "compute_core.drain_unit": "requant",
    "compute_core.drain_unit.drain_gelu.gelu_unit": "gelu",
    "compute_core.score_softmax": "softmax",
    "a_memory": "operands",
    "pair_a_memory": "operands",
    "conditioning": "loaders",
    "weight_streamer": "loaders",
    "param_loader": "loaders",
    "narrow_memory": "residual",  # of x
    "residual_pass": "residual",
    "residual_pass.layernorm_unit": "norm",
    "residual_pass.back_half.modulate_words.modulate_unit": "modulate",
    "residual_pass.back_half.compare_words": "ccu",
    "residual_pass.back_half.compare_words.meet_codes": "history",
    "residual_pass.back_half.compare_words.stream_fifo": "history",
    "residual_pass.front_half.reuse_unit": "forecast",
    "residual_pass.front_half.take_cached": "forecast",
    "residual_pass.front_half.read_operands.delay_chain": "forecast",  # what meets its words is delayed as much
    **{f"residual_pass.front_half.read_operands.{DELAY}.{k}": "forecast" for k in range(FIRE_TO_READ)},
    **{f"residual_pass.front_half.read_operands.read_factors.{DELAY}.{k}": "forecast" for k in range(FIRE_TO_FACTORS)},
    "skip_controller": "dtsm",
    "skip_controller.dtsm_unit.extrapolate": "forecast",
    "skip_controller.keep_decisions.choose_slope": "forecast",
    "cache_traffic": "cache",
    "cache_traffic.cache_reader.context_reader.prev_rd_cmd": "forecast",
    "cache_traffic.history_ports": "history",
    **{f"conditioning.header_field.{name}": part for part, names in SETTINGS.items() for name in names.split()},
    **{f"register_file.stored_register.{name}": part for part, names in SETTINGS.items() for name in names.split()},
}

FIELDS = {where: name for name, where in HEADER_FIELDS.items()}
REGISTERS = {number: name for name, number in ADDRESS.items()}


def _field(origin: ProcessOrigin, top: Any) -> str:
    return FIELDS[origin.blocks[-1].kwargs["where"]]


def _register(origin: ProcessOrigin, top: Any) -> str:
    return REGISTERS[origin.blocks[-1].kwargs["number"]]


def _command(origin: ProcessOrigin, top: Any) -> str:
    """The port whose commands a reader gives."""
    command = origin.blocks[-1].kwargs["cmd"]
    return next(name for name, port in vars(top.kwargs["m"]).items() if port is command)


def _stage(origin: ProcessOrigin, top: Any) -> str:
    """Number of a register in its chain."""
    return str(origin.blocks[-2].subs.index(origin.blocks[-1]))


DETAILS: dict[str, Callable[[ProcessOrigin, Any], str]] = {
    "header_field": _field,
    "stored_register": _register,
    "context_reader": _command,
    "gated_register": _stage,
}


def part_of(origin: ProcessOrigin, top: Any) -> str:
    """Key of ``PARTS``. top: the accelerator's block.

    Raises:
        UserError: it belongs to none.
    """
    path = list(origin.path)
    if origin.blocks and (detail := DETAILS.get(path[-2])):
        path[-1:-1] = [detail(origin, top)]
    for length in range(len(path), 0, -1):
        if part := OWNERS.get(".".join(path[:length])):
            return part
    raise UserError(f"process {'.'.join(path)} belongs to no part of the machine: name one in reports/area/parts.py.")


def unit_of(origin: ProcessOrigin) -> str:
    """What is there many times, so that one of them stands for all: the lane or array row, '' outside of any."""
    names = zip(origin.names, origin.path, strict=False)
    return next((name for name, function in names if function.endswith(("_lane", "_row"))), "")
