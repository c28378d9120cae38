"""The exported bench of a model's run: passes on the exported RTL, and tells where a word is another."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from radit.accel.control.registers import ADDRESS
from radit.cli import main
from radit.cosim.engines.toolchain import find_verilator
from radit.cosim.testbench.hex_files import write_numbers, write_words
from radit.model.dit.checkpoint import save_checkpoint
from radit.model.dit.config import DiTConfig
from radit.model.dit.seeded import seeded_dit

TINY = DiTConfig(input_size=4, hidden_size=8, depth=1, num_heads=2, mlp_ratio=1, num_classes=3)
POLICY = "radit:threshold=0.9:first_dense=1:last_dense=0:streak_step=0"
STEPS = 3
PARTS = {
    "x": ("x_out", 50, "x word 49"),
    "decision": ("decisions", 3, "decision 2"),
    "weights": ("weight", 7, "x word"),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    model, out = folder / "tiny.safetensors", folder / "rtl"
    save_checkpoint(model, seeded_dit(TINY))
    asked = ["export", "--model", str(model), "--array", "4x4", "--steps", str(STEPS), "--policy", POLICY]
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main([*asked, "--cfg", "1.5", "--language", "verilog", "--out", str(out)]) == 0
    finally:
        os.chdir(before)
    return out


@pytest.fixture(scope="module")
def bench(exported) -> Path:
    """Compiled by Icarus without a warning."""
    program = exported / "bench.vvp"
    command = ["iverilog", "-g2005", "-o", program, "radit_top_tb.v", "radit_top.v"]
    done = subprocess.run(command, cwd=exported, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and done.stderr == ""
    return program


def played(bench: Path, *options: str) -> tuple[int, list[str]]:
    """The exit status and what was said."""
    done = subprocess.run(["vvp", "-n", bench, *options], cwd=bench.parent, capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout.splitlines()


def facts(folder: Path) -> dict:
    return json.loads((folder / "radit_top_tb.json").read_text())


@pytest.mark.needs("iverilog")
@pytest.mark.parametrize("options", [(), ("+pause=100", "+seed=3", "+latency=0")], ids=["steady", "pausing"])
def test_the_bench_passes(bench, options):
    status, said = played(bench, *options)
    told = facts(bench.parent)
    decisions = [one for step in told["timesteps"] for one in step["decisions"]]
    words = STEPS * told["x_words"]
    assert {one["reuse"] for one in decisions} == {0, 1}
    assert status == 0 and said[-1] == f"PASS: {words} words of x and {len(decisions)} decisions in {STEPS} timesteps"
    assert len(said) == STEPS + 1


@pytest.mark.needs("iverilog")
@pytest.mark.parametrize("part", PARTS)
def test_another_word_fails(bench, part):
    name, line, told = PARTS[part]
    path = bench.parent / "images" / f"{name}.hex"
    kept = path.read_text()
    lines = kept.splitlines()
    lines[line - 1] = f"{int(lines[line - 1], 16) ^ 0x10:0{len(lines[0])}x}"
    path.write_text("\n".join(lines))
    try:
        status, said = played(bench)
    finally:
        path.write_text(kept)
    assert status != 0 and any(line.startswith("FAIL: ") for line in said)
    assert f": {told}" in said[0] and said[0].startswith("timestep ")


@pytest.mark.needs("iverilog")
def test_a_timestep_without_an_end_fails(bench):
    status, said = played(bench, "+limit=100")
    assert status != 0 and said[0] == "timestep 0: it has not ended after 100 cycles"


@pytest.mark.needs("verilator")
def test_verilator_reads_it(exported):
    tool = find_verilator()
    command = [tool.command, "--lint-only", "--timing", "-Wno-lint", "-Wno-INITIALDLY", "--top-module", "radit_top_tb"]
    environment = {**os.environ, **dict(tool.environment)}
    done = subprocess.run(
        [*command, "radit_top_tb.v", "radit_top.v"], cwd=exported, env=environment, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == ""


def test_the_facts_are_those_of_the_bench(exported):
    told, text = facts(exported), (exported / "radit_top_tb.v").read_text()
    for write in [*told["registers"], *(one for step in told["timesteps"] for one in step["registers"])]:
        assert f"write({ADDRESS[write['name']]}, {write['value']}); // {write['name']}\n" in text
    for memory in told["memories"]:
        lines = (exported / memory["file"]).read_text().splitlines() if memory["file"] else []
        assert len(lines) in (0, memory["words"]) and all(4 * len(line) == memory["word_bits"] for line in lines)
    assert {memory["name"] for memory in told["memories"]} == {"weight", "mod", "param", "cache", "hist"}
    assert "/" not in told["policy"] and told["steps"] == STEPS


def test_words_are_written_highest_digit_first(rng, tmp_path):
    words = rng.integers(0, 1 << 16, (3, 4), "uint16")
    write_words(tmp_path / "words.hex", words)
    found = [int(line, 16) for line in (tmp_path / "words.hex").read_text().split()]
    assert found == [int.from_bytes(word.tobytes(), "little") for word in words]
    write_numbers(tmp_path / "numbers.hex", [1, 255], 12)
    assert (tmp_path / "numbers.hex").read_text() == "001\n0ff\n"
