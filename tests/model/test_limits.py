"""Sizes have a limit with a reason, before anything is made: this machine's memory, and what the hardware counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import radit
from radit.cli import main
from radit.cosim.support.sizes import fitted
from radit.model import limits
from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.dit.memory_needs import of_generation, of_integers
from radit.model.dit.sampler import Sampler
from radit.model.dit.seeded import seeded_dit
from radit.model.dit.shapes import BLOCK_OVERHEAD, float_bytes
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.limits import MachineMemory, amount, check_memory, machine_memory
from radit.model.policy.skip_policy import Policy, forecast
from radit.model.policy.skip_policy import radit as skipping

SMALL = DiTConfig(input_size=4, hidden_size=32, depth=2, num_heads=2, num_classes=3)
STEPS = 3


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (25_300_000_000, "25 GB"),
        (3_200_000_000_000, "3.2 TB"),
        (10**40, f"{10**28:,} TB"),
    ],
)
def test_amounts(count: int, words: str) -> None:
    assert amount(count) == words


def test_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "machine_memory", lambda: MachineMemory(24 * 10**9, 9 * 10**9))
    check_memory("Model x", {"weights": 9 * 10**9}, "use a smaller one")
    with pytest.raises(UserError) as caught:
        check_memory("Model x", {"images": 0, "weights": 2_900 * 10**9, "int8 weights": 300 * 10**9}, "use another")
    assert str(caught.value) == (
        "Model x needs 3.2 TB of memory (weights 2.9 TB, int8 weights 300 GB): this machine has 24 GB, of which 9.0 GB "
        "are free; use another."
    )


def test_this_machine_has_memory() -> None:
    found = machine_memory()
    assert 10**8 < found.free <= found.total * 2 and found.total < 10**15


@pytest.mark.parametrize(
    ("folder", "files"),
    [
        ("", {"memory.max": "3000", "memory.current": "1000", "memory.stat": "anon 7\ninactive_file 200\n"}),
        ("a/b", {"memory.max": "3000", "memory.current": "900", "memory.stat": "inactive_file 100"}),
        (
            "memory",
            {"memory.limit_in_bytes": "3000", "memory.usage_in_bytes": "800", "memory.stat": "total_inactive_file 0"},
        ),
    ],
)
def test_a_control_group_has_less(
    folder: str, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (tmp_path / folder / name).write_text(text)
    (tmp_path / "self").write_text("0::/a/b/c\n")
    monkeypatch.setattr(limits, "CGROUPS", tmp_path)
    monkeypatch.setattr(limits, "CGROUP", tmp_path / "self")
    assert machine_memory() == MachineMemory(3000, 2200)


@pytest.mark.parametrize("text", ["max", "", "many"])
def test_a_control_group_without_limit_is_none(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text(text)
    monkeypatch.setattr(limits, "CGROUPS", tmp_path)
    monkeypatch.setattr(limits, "CGROUP", tmp_path / "none")
    monkeypatch.setattr(limits, "MEMORY_INFO", tmp_path / "none")
    assert machine_memory().total == machine_memory().free > 10**8


def size(*tensors: torch.Tensor) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def test_estimates_are_what_is_there() -> None:
    dit = seeded_dit(SMALL)
    ranges = calibrate(dit, Sampler(STEPS), images=1)
    integer = quantize(dit, ranges, Sampler(STEPS))
    parts = of_integers(SMALL, STEPS)
    assert parts["weights"] == size(*dit.state_dict().values()) + SMALL.depth * BLOCK_OVERHEAD
    assert parts["int8 weights"] == sum(size(*part.weights.values()) for part in integer.sub_blocks)
    tables = [table for part in integer.sub_blocks for table in part.tables.values()]
    constants = sum(size(table.bias, table.mult, table.shift, table.after) for table in tables)
    kept = [getattr(ranges, name) for name in ("act", "act_rms", "q", "k", "v", "o", "h")]
    assert parts["constants of the timesteps"] == pytest.approx(constants + size(*kept), rel=0.02)


@pytest.mark.parametrize(("policy", "kept"), [(skipping(0.5), 4), (forecast(), 1)])
def test_the_estimate_of_what_is_kept_is_what_is_there(policy: Policy, kept: int) -> None:
    dit = seeded_dit(SMALL)
    integer = quantize(dit, calibrate(dit, Sampler(STEPS), images=1), Sampler(STEPS))
    reference = Reference(integer, policy.tables(integer))
    reference.start(2, 2)
    tables = integer.conditioning_tables(torch.tensor([0, 1]))
    parts = of_generation(SMALL, 2, 2, STEPS, at_a_time=2, kept=kept)
    assert parts["cached results"] == size(*reference.cache, *reference.before, *reference.history)
    assert parts["conditioning"] == size(tables.scale, tables.shift, tables.gate)


COMMANDS = [
    ["cosim", "--model", "dit-xl-2"],
    ["drive", "--model", "dit-xl-2"],
    ["pack", "dit-xl-2"],
    ["cosim", "--model", "dit-s-2", "--blocks", "1", "--images", "1000000"],
    ["demo"],
    ["quality"],
    ["quality", "--samples", "1000000"],
    ["calibrate", "--target", "speedup=3"],
    ["frontier", "--samples", "100"],
    ["ablate", "--samples", "100"],
    ["differences"],
    ["train", "moving-digits"],
    ["bench", "--model", "dit-s-2"],
    ["explore", "wide"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_refuses_what_does_not_fit(
    command: list[str], capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it makes a model, loads weights or builds anything."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(limits, "machine_memory", lambda: MachineMemory(2 * 10**6, 10**6))
    for place in ("dit.checkpoint.seeded_dit", "dit.checkpoint.load_checkpoint", "training.train.Trainer"):
        monkeypatch.setattr(f"radit.model.{place}", None)
    assert main(command) == 2
    told = capsys.readouterr().err
    assert told.startswith("radit: ") and told.count("\n") == 1
    assert "of memory (" in told and "this machine has 2.0 MB, of which 1.0 MB are free; " in told


MANY = [
    ["cosim", "--images", "1000000"],
    ["drive", "--images", "1000000"],
    ["pack", "--images", "1000000"],
    ["quality", "--samples", "1000000"],
    ["calibrate", "--target", "speedup=3", "--images", "1000000"],
    ["frontier", "--samples", "1000000"],
    ["ablate", "--samples", "1000000"],
    ["differences", "--samples", "1000000"],
]


@pytest.mark.parametrize("command", MANY, ids=" ".join)
def test_a_small_model_on_many_images_is_refused_before_it_is_loaded(
    command: list[str], capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(limits, "machine_memory", lambda: MachineMemory(2 * 10**8, 10**8))
    monkeypatch.setattr("radit.model.dit.checkpoint.load_checkpoint", None)
    assert main(command) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "of memory (" in told and "fewer images" in told


def test_images_in_python_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = radit.quantize("digits")
    monkeypatch.setattr(limits, "machine_memory", lambda: MachineMemory(2 * 10**9, 10**9))
    with pytest.raises(UserError, match="generate with 1000000 images needs .* use|generate fewer at a time"):
        radit.generate(model, images=1_000_000)


BASE: dict[str, Any] = {"input_size": 8, "hidden_size": 64, "depth": 2, "num_heads": 2}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"hidden_size": 2**40}, "model dimension hidden is 1099511627776, above the 4095"),
        ({"mlp_ratio": 1030.0}, r"needs 65920 where the machine counts to 65535 \(M, channels between FC1 and FC2"),
        ({"input_size": 2**40}, "above the 4096 that the softmax's sum"),
        ({"hidden_size": 4092, "num_heads": 1, "input_size": 68}, "above the 4096|count of changed codes"),
        ({"frames": 2**40}, "tokens x hidden is .*, above the 16777215 that the count of changed codes"),
        ({"frames": 32}, "group frames of the odd blocks is 32, above the 16 lanes"),
        ({"frames": 6}, "frames is 6: the machine attends over a power of two of frames"),
        ({"frames": 4, "input_size": 6}, "use an array of fewer lanes"),
    ],
)
def test_what_the_machine_counts_is_limited(fields: dict[str, Any], words: str) -> None:
    config = DiTConfig(**(BASE | fields))
    with pytest.raises(UserError, match=words):
        fitted(config, 2, 16, 16)
    with pytest.raises(UserError, match=words):
        radit.predict_cycles(config, radit.dense_decisions(NAMED_MODELS["digits"], steps=2))


def test_all_named_models_fit_an_array() -> None:
    for name, config in NAMED_MODELS.items():
        dims, build = fitted(config, 2, 64, 64) if name != "moving-digits" else fitted(config, 2, 16, 16)
        assert build.max_hidden >= dims.hidden
    assert float_bytes(NAMED_MODELS["dit-xl-2"]) == pytest.approx(4 * 675e6, rel=0.01)
