"""Co-simulation: images through the simulated hardware, every word compared with the integer reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from radit.arguments import as_arguments
from radit.cosim.engines.open import exported_files
from radit.cosim.prepare import Prepared, Request, prepare
from radit.cosim.run import PolicyRun
from radit.decisions import Decisions
from radit.generation import Progress, decisions_of
from radit.machine import Array, Memory, machine_around
from radit.model.dit.sampler_names import DDIM, UNIFORM, Solver, Spacing
from radit.model.errors import UserError, shown
from radit.model.outputs import output_file, output_folder
from radit.model.policy.skip_policy import POLICIES, Policy, parse_policy
from radit.model.ranges import checked, checked_or_none
from radit.model.system.workers import chosen_workers
from radit.models import Model, QuantizedModel
from radit.reports.cost.policy_costs import PolicyCosts
from radit.reports.energy.workload import Workload
from radit.reports.machine.description import MachineDescription
from radit.reports.run.runs import Outcome, run_policies, write_run
from radit.reports.run.schema import Check, PolicyResult, Summary


@dataclass(frozen=True, eq=False)
class PolicyCosimulation:
    """One policy's images through the hardware. N images; all numbers are measured, and totals of them.

    Fields:
        policy: which.
        images: (N, C, H, W), clips (N, F, C, H, W), float32, pixels from -1 to 1.
        decisions: what was computed.
        counters: every event counter of the accelerator, by name (accel/control/registers.py).
        result: cycles by phase and cause, MACs, traffic, roofline, energy under the machine's table.
        workload: counters, the clock, and what `account_energy` needs beside them.
    """

    policy: Policy
    images: np.ndarray
    decisions: Decisions
    counters: dict[str, int]
    result: PolicyResult
    workload: Workload

    @property
    def cycles(self) -> int:
        """Of the accelerator's clock."""
        return self.result.cycles

    @property
    def macs(self) -> int:
        """Multiplications that the computed sub-blocks need, without padding."""
        return self.result.macs

    @property
    def predicted_cycles(self) -> int:
        """What the cycle model says of the same decisions."""
        assert self.result.cycle_model is not None  # a run that stopped has no PolicyCosimulation
        return self.result.cycle_model.predicted


@dataclass(frozen=True, eq=False)
class Cosimulation:
    """Images under one or several policies through the hardware.

    Fields:
        policies: by name, those that ran to their end.
        check: words and decisions compared and mismatched, images, counters.
        problems: what is not equal, one sentence each; empty when all is well.
        outcome: the runs as reports take them.
    """

    policies: dict[str, PolicyCosimulation]
    check: Check
    problems: tuple[str, ...]
    outcome: Outcome = field(repr=False)
    prepared: Prepared = field(repr=False)

    @property
    def passed(self) -> bool:
        """Every word, decision, image and counter is equal, and the cycles are as predicted where they must be."""
        return self.outcome.equal

    @property
    def summary(self) -> Summary:
        """What summary.json holds."""
        return self.outcome.summary

    def __getitem__(self, policy: str) -> PolicyCosimulation:
        """The run of a policy.

        Raises:
            UserError: it was not run, or stopped at a mismatch.
        """
        if policy not in self.policies:
            names = ", ".join(self.policies) or "none"
            raise UserError(f"policy is {shown(policy)}, of which there is no finished run: choose from {names}.")
        return self.policies[policy]

    def save(self, folder: Path, *, verilog: bool = False, waves: Path | None = None) -> None:
        """Write summary.json and arrays.npz, and of skipping runs beside a dense one images/ and report.html.

        They take the place of all files of an earlier run in that folder, at once.

        Args:
            folder: made where it is not there.
            verilog: also write the Verilog that was simulated, and all that `radit export` writes beside it, into rtl/.
            waves: file of this run's waveform, which is moved there.

        Raises:
            UserError: nothing can be written to the folder.
        """
        folder = output_folder(folder, "folder")
        hdl = exported_files(self.prepared.build, Path("build") / "rtl") if verilog else []
        write_run(folder, self.outcome, hdl=hdl, waves=waves)


def cosimulate(
    model: Model | QuantizedModel | str | Path,
    policies: Sequence[str | Policy] = ("dense", "radit"),
    *,
    array: Array = "16x16",
    blocks: int | None = None,
    images: int = 1,
    steps: int = 50,
    timesteps: int | None = None,
    seed: int = 0,
    cfg: float = 1.5,
    memory: Memory | None = None,
    engine: str = "verilator",
    sampler: Solver = DDIM,
    spacing: Spacing = UNIFORM,
    guided_channels: int | None = None,
    labels: Sequence[int] | None = None,
    prompt: str | None = None,
    with_quality: bool = False,
    waves: Path | None = None,
    state: Path | None = None,
    resume: bool = False,
    keep_state: bool = False,
    progress: Progress | None = None,
    command: str = "",
    clock_mhz: float = 500.0,
    machine: MachineDescription | None = None,
    scheduler: str | None = None,
) -> Cosimulation:
    """Generate images through the simulated hardware and compare every word and decision with the reference.

    The accelerator is exported and compiled for its array once (under build/, a minute or more); then digits take
    seconds. The images are those of `generate` with the same seed, bit for bit.

    Args:
        model: a name or checkpoint file, or what `load_model` or `quantize` made of one. It is calibrated as the
            command line does it.
        policies: texts, which start from what is stored with the model, or policies of the hardware; one of each name.
        array: rows and columns of the MAC array, powers of two from 4 to 128.
        blocks: keep only the first of a named model's blocks (count); None: all.
        images: how many (count).
        steps: timesteps of the sampler, that is evaluations of the network (count).
        sampler, spacing: see `quantize`.
        guided_channels: guide the first channels only, as the official DiT does with three of four (count); None: all.
        labels: of the images in turn; None: 0, 1, 2, .. in turn.
        prompt: what a model with text draws, files of embeddings separated by commas; see `load_model`.
        timesteps: run only the first of them (count); None: all.
        seed: of the starting noise.
        cfg: guidance scale (factor); 1 is no guidance.
        memory: the external memory; None: `Memory()`.
        engine: "verilator", the compiled Verilog, or "myhdl", MyHDL's own simulator, thousands of times slower.
        with_quality: also the quality of the model's samples, as `radit quality` measures it.
        waves: file to write a waveform to (.vcd or .fst).
        state: folder that keeps the state of a single image under one policy while it runs.
        resume: go on from what that folder holds.
        keep_state: leave the state there when the run is complete; it is removed otherwise.
        progress: called with the MACs simulated, and the MACs of everything not skipped so far.
        command: what the summary names as its origin.
        clock_mhz: of the machine (MHz); leakage follows from it.
        machine: a whole machine (`radit.reports.machine.description.load_machine`), in the place of array, memory and
            clock.
        scheduler: address of a Dask cluster whose workers simulate the images (docs/cluster.md); None: this machine.

    Raises:
        UserError: the model or a policy is unknown, the array cannot be built or does not hold the model, a value is
            out of range, a tool is missing, nothing can be written to waves or state, or the cluster is not there, has
            unfit workers, or is to resume a run or write a waveform.
    """
    waves = None if waves is None else output_file(waves, "waves")
    state = None if state is None else output_folder(state, "state")
    shape, charge, clock = machine_around(machine, array, memory, clock_mhz)
    if charge.axi is not None:
        raise UserError(f"memory has axi {charge.axi}, but co-simulation has no bus: leave it out, or use radit drive.")
    images, steps, seed, cfg = checked(images=images, steps=steps, seed=seed, cfg=cfg)
    blocks, timesteps, guided_channels = checked_or_none(
        blocks=blocks, timesteps=timesteps, guided_channels=guided_channels
    )
    given = model.model if isinstance(model, QuantizedModel) else model
    name = given.name if isinstance(given, Model) else str(given)
    if isinstance(given, Model):
        blocks, prompt = blocks or given.blocks, prompt or given.prompt
    with as_arguments(), chosen_workers(_possible(scheduler, resume, waves)) as workers:
        _refuse(policies)
        request = Request(
            name, steps, images, seed, cfg, shape, engine, waves=waves, timesteps=timesteps, blocks=blocks,
            latency=charge.latency, bandwidth=charge.bandwidth, stall=charge.stall, memory_seed=charge.seed,
            solver=sampler, spacing=spacing, guided_channels=guided_channels,
            labels=None if labels is None else tuple(np.atleast_1d(np.asarray(labels)).tolist()), prompt=prompt,
            built=tuple(machine.build.items()) if machine else (), machine=machine.title if machine else None,
        )  # fmt: skip
        prepared = prepare(request)
        chosen = [prepared.policy(one) for one in policies]
        outcome = run_policies(
            prepared, chosen, with_quality=with_quality, state=state, resume=resume, keep_state=keep_state,
            progress=progress, command=command, machine=machine, clock_mhz=clock, workers=workers,
        )  # fmt: skip
    done = [one for one in outcome.runs if not one.problems]
    finished = {one.policy.name: _finished(prepared, one, outcome.summary) for one in done}
    return Cosimulation(finished, outcome.summary.check, tuple(outcome.problems), outcome, prepared)


def _possible(scheduler: str | None, resume: bool, waves: Path | None) -> str | None:
    """The scheduler; refused together with what other machines cannot do."""
    if scheduler is not None and (resume or waves is not None):
        option = "--resume" if resume else "--waves"
        raise UserError(f"{option} is given beside --scheduler, but is for this machine: leave one of them out.")
    return scheduler


def _refuse(policies: Sequence[str | Policy]) -> None:
    """Refuse bad policies before the model is made ready."""
    if isinstance(policies, str | Policy):
        given = policies if isinstance(policies, str) else policies.name
        raise UserError(f"policies is {shown(given)}: give a list of policies, such as ['dense', 'radit'].")
    names = [one.partition(":")[0] if isinstance(one, str) else one.name for one in policies]
    if not names:
        raise UserError(f"policies is empty: give one or several of {', '.join(POLICIES)}.")
    for one in policies:
        if isinstance(one, str):
            parse_policy(one)
    for name in names:
        if name not in POLICIES:
            raise UserError(f"policy {name} is not in the hardware: choose {', '.join(POLICIES)}, or use generate.")
        if names.count(name) > 1:
            raise UserError(f"policies name {name} more than once: give it once, and run others apart.")


def _finished(prepared: Prepared, one: PolicyRun, summary: Summary) -> PolicyCosimulation:
    """A policy's run as a Python program takes it."""
    request, result = prepared.request, summary.results[one.policy.name]
    decisions = decisions_of(one.decisions, PolicyCosts(one.policy), prepared.integer)
    return PolicyCosimulation(
        policy=one.policy,
        images=np.stack([image.picture for image in one.results]),
        decisions=decisions,
        counters=result.counters,
        result=result,
        workload=Workload(
            prepared.dit.config,
            prepared.dims,
            prepared.build,
            decisions.tables[0],
            result.counters,
            request.images,
            request.count,
            clock_mhz=summary.clock_mhz,
        ),  # fmt: skip
    )
