"""Machines in files: named ones, what a file states and options replace, and what is refused in one sentence."""

import json
import math
from pathlib import Path

import pytest

from radit import cli
from radit.model.errors import UserError
from radit.reports.energy.energy_table import DEFAULT_TABLE
from radit.reports.machine.description import load_machine, named_machines
from radit.reports.project.projection import Projection

GOOD = 'array = "8x4"\n[memory]\nlatency = 7\nbandwidth = 16\n'
QUICK = ["--model", "digits", "--steps", "2"]


def projected(folder: Path, *arguments: str) -> Projection:
    """The project.json of a command."""
    assert cli.main(["project", *QUICK, *arguments, "--out", str(folder)]) == 0
    return Projection.model_validate(json.loads((folder / "project.json").read_text()))


def same(one: Projection, other: Projection) -> bool:
    """Alike but for the machine's name and what told the command."""
    apart = {"machine", "created", "command"}
    return one.model_dump(exclude=apart) == other.model_dump(exclude=apart)


def test_the_named_machines_can_be_read():
    assert {"edge", "paper", "large"} == set(named_machines())
    shapes = {name: load_machine(name).shape for name in named_machines()}
    assert shapes == {"edge": (16, 16), "paper": (64, 64), "large": (128, 128)}
    assert all(load_machine(name).name == name for name in shapes)


def test_the_papers_machine_is_what_project_takes_by_default(tmp_path):
    usual, named = projected(tmp_path), projected(tmp_path, "--machine", "paper")
    assert same(usual, named) and (usual.machine, named.machine) == (None, "paper")


def test_a_file_is_the_same_as_its_options(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("clock_mhz = 250\nreuse_sram_kib = 64\n" + GOOD)
    found = projected(tmp_path, "--machine", str(path), "--skip-rate", "0.5")
    options = "--array 8x4 --latency 7 --bandwidth 16 --clock-mhz 250 --reuse-sram 64 --skip-rate 0.5".split()
    assert same(found, projected(tmp_path, *options)) and found.machine == "own"
    assert "64 KiB" in found.memory_plan


def test_cells_of_two_products_are_told_with_the_array(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(GOOD.replace("8x4", "8x4x2"))
    found, single = (projected(tmp_path, "--machine", str(path), *more) for more in ([], ["--array", "8x4"]))
    assert (found.array.shape, single.array.shape, single.machine) == ("8x4x2", "8x4", "own with array 8x4")
    assert same(found, projected(tmp_path, *"--array 8x4x2 --latency 7 --bandwidth 16".split()))
    assert single.dense.cycles > found.dense.cycles > single.dense.cycles / 2


def test_options_replace_single_fields(tmp_path):
    found = projected(tmp_path, "--machine", "edge", "--latency", "9", "--bandwidth", "inf")
    assert found.machine == "edge with latency 9, bandwidth inf"
    assert (found.array.rows, found.memory.latency, found.memory.bandwidth) == (16, 9, None)
    assert same(found, projected(tmp_path, *"--array 16x16 --latency 9 --bandwidth inf".split()))
    assert projected(tmp_path, "--machine", "edge", "--array", "64x64").array.rows == 64  # the default, but given


def test_more_room_on_chip_saves_energy(tmp_path):
    small, large = (
        projected(tmp_path, "--skip-rate", "0.5", "--reuse-sram", text).skipping.energy_uj.nominal
        for text in ("0", "4096")
    )
    assert large < small


def test_a_base_is_changed_field_by_field(tmp_path):
    path = tmp_path / "near.toml"
    path.write_text('base = "large"\n[memory]\nbandwidth = inf\n')
    found, base = load_machine(str(path)), load_machine("large")
    assert (found.name, found.shape, found.memory.latency) == ("near", base.shape, base.memory.latency)
    assert math.isinf(found.memory.bandwidth) and found.memory.limit is None


def test_parameters_of_the_build_count(tmp_path):
    path = tmp_path / "roomy.toml"
    path.write_text('base = "edge"\n[build]\nmax_tokens = 1024\n')
    roomy, edge = projected(tmp_path, "--machine", str(path)), projected(tmp_path, "--machine", "edge")
    assert roomy.dense.energy_uj.nominal > edge.dense.energy_uj.nominal  # larger memories
    path.write_text('base = "edge"\n[build]\nmax_tokens = 16\n')
    assert cli.main(["project", *QUICK, "--machine", str(path), "--out", str(tmp_path)]) == 2


def test_an_energy_table_lies_beside_the_machine(tmp_path, monkeypatch):
    text = DEFAULT_TABLE.read_text().replace('name = "default-28nm"', 'name = "own"')
    (tmp_path / "own-table.toml").write_text(text)
    path = tmp_path / "own.toml"
    path.write_text('energy_table = "own-table.toml"\n' + GOOD)
    assert projected(tmp_path / "out", "--machine", str(path)).energy_table == "own"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour = 1\n" + GOOD, ["field colour is unknown: remove it"]),
        ("given_beside = []\n" + GOOD, ["field given_beside is unknown: remove it"]),
        ("clock_mhz = -5\n" + GOOD, ["field clock_mhz is -5", "from 0.001 to 100000"]),
        ('clock_mhz = "fast"\n' + GOOD, ["field clock_mhz is 'fast'", "valid number"]),
        ("clock_mhz = nan\n" + GOOD, ["field clock_mhz is nan", "from 0.001"]),
        (GOOD.replace("8x4", "48x4"), ["field array is '48x4'", "power of two"]),
        (GOOD.replace('"8x4"', "8"), ["field array is 8", "valid string"]),
        (GOOD.replace("7", "7.5"), ["field memory.latency is 7.5", "valid integer"]),
        (GOOD.replace("16", "0"), ["field memory.bandwidth is 0", "from 0.01 to 1048575, or inf"]),
        (GOOD + "stall = 1\n", ["field memory.stall is 1", "from 0 to 0.99"]),
        ('array = "8x4"\n', ["field memory is missing: add it"]),
        (GOOD + "[build]\nmax_token = 4\n", ["field build", "entry max_token is unknown", "max_tokens"]),
        (GOOD + "[build]\nrows = 4\n", ["field build", "entry rows belongs to the array", "16x16x2"]),
        (GOOD + "[build]\nproducts = 2\n", ["field build", "entry products belongs to the array", "16x16x2"]),
        (GOOD.replace("8x4", "8x4x3"), ["field array is '8x4x3'", "16x16x2 with cells of 2 products"]),
        (GOOD + "[build]\nmax_tokens = 0\n", ["field build.max_tokens is 0", "greater than or equal to 1"]),
        ("node_nm = 7\n" + GOOD, ["field node_nm is 7", "default-28nm is for 28 nm"]),
        ('energy_table = "none"\n' + GOOD, ["energy table none cannot be read"]),
        ("reuse_sram_kib = -1\n" + GOOD, ["field reuse_sram_kib is -1", "from 0 to 1000000000"]),
        ('base = "none"\n', ["field base is 'none'", "edge, large, paper"]),
        ("base = 1\n", ["field base is 1"]),
        ("[memory\n", ["is not valid TOML"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["project", "cosim", "demo"])
def test_a_bad_file_is_one_sentence(command, text, words, tmp_path, capsys):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    assert cli.main([command, "--machine", str(path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("radit: ") and said.count("\n") == 1 and len(said) < 500 and not (tmp_path / "out").exists()
    assert all(word in said for word in words), said


def test_an_unknown_machine_is_refused():
    with pytest.raises(UserError, match="machine is 'huge': give edge, large, paper, or the path"):
        load_machine("huge")
    with pytest.raises(UserError, match=r"machine none.toml cannot be read"):
        load_machine("none.toml")
