"""The command line: options are checked before anything heavy is loaded, and a complaint is one sentence."""

import inspect
from pathlib import Path

import pytest

from radit.cli import cosim, demo, main
from radit.model.errors import UserError
from radit.model_commands import train
from radit.options import POLICIES, parse_array, parse_policies

COMMANDS = [
    "demo",
    "train",
    "embed",
    "quality",
    "calibrate",
    "cosim",
    "export",
    "pack",
    "drive",
    "bench",
    "project",
    "explore",
    "frontier",
    "ablate",
    "differences",
    "crosscheck",
    "area",
    "timing",
    "synth",
    "report",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"radit {command}" in capsys.readouterr().out


def test_help_lists_all_commands(capsys):
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(f" {command} " in listed for command in COMMANDS)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["cosim", "--array", "0x16"], ["--array", "'0x16'", "such as 16x16"]),
        (["cosim", "--array", "16"], ["--array", "'16'", "such as 16x16"]),
        (["export", "--array", "-4x4"], ["--array", "'-4x4'", "such as 16x16"]),
        (["demo", "--steps", "0"], ["--steps", "0", "1 to 1000"]),
        (["demo", "--cfg", "nan"], ["--cfg", "nan", "1 to 100"]),
        (["quality", "--samples", "1"], ["--samples", "1", "from 2 to 1000000"]),
        (["cosim", "--policy", "dense,none"], ["--policy", "'none'", "dense, radit, forecast"]),
        (["cosim", "--bandwidth", "0"], ["--bandwidth", "0", "from 0.01 to 1048575, or inf"]),
        (["demo", "--stall", "1"], ["--stall", "1", "0 to 0.99"]),
        (["cosim", "--engine", "spice"], ["--engine", "'spice'", "choose myhdl or verilator"]),
        (["bench", "--engines", "myhdl,spice"], ["--engines", "'spice'", "verilator-2"]),
        (["bench", "--seconds", "0"], ["--seconds", "0", "0.01 to 86400"]),
        (["area", "--array", "16x16,x"], ["--array", "'x'", "such as 16x16"]),
        (["timing", "--array", "4x4,x"], ["--array", "'x'", "such as 16x16"]),
        (["timing", "--units", "ccu,spam"], ["--units", "'spam'", "array, operands"]),
        (["timing", "--counters", "16"], ["counters", "16", "64 or 32 bits, or 0"]),
        (["timing", "--machine", "none"], ["--machine", "'none'", "edge, large, paper"]),
        (["synth", "--target", "asic"], ["--target", "'asic'", "ecp5 or xilinx or osu018"]),
        (["synth", "--counters", "16"], ["counters", "16", "64 or 32 bits, or 0"]),
        (["synth", "--speed", "5"], ["--speed", "5", "6 to 8"]),
        (["synth", "--target-mhz", "0"], ["--target-mhz", "0", "1 to 1000"]),
        (["timing", "--activity", ""], ["--activity", "''", ".vcd"]),
        (["calibrate", "--target", "fast"], ["--target", "'fast'", "speedup=FACTOR", "error=2.5e-4"]),
        (["calibrate", "--target", "speedup=3", "--seed", "5"], ["--seed", "'5'", "1000 to 4294967295"]),
        (["train", "cats"], ["MODEL", "'cats'", "'digits'"]),
        (["ablate", "--reductions", "1,2"], ["--reductions", "'1,2'", "above 1"]),
        (["cosim", "--labels", "3,x"], ["--labels", "'3,x'", "such as 3,7"]),
        (["cosim", "--labels", ""], ["--labels", "''", "such as 3,7"]),
        (["cosim", "--prompt", "cat.npy"], ["--prompt", "'cat.npy'", "the model has no text"]),
        (["cosim", "--labels", "10"], ["--labels", "10", "from 0 to 9"]),
        (["demo", "--labels", "3,11"], ["--labels", "11", "from 0 to 9"]),
        (["demo", "--guided-channels", "0"], ["--guided-channels", "'0'", "from 1 to 1024"]),
        (["cosim", "--guided-channels", "2"], ["--guided-channels", "2", "give 1 to 1"]),
        (["cosim", "--spacing", "leading", "--steps", "600"], ["--steps", "600", "give 500"]),
        (["cosim", "--color"], ["--color", "(see radit cosim --help)"]),
        (["cosi"], ["'cosi'", "'cosim'", "(see radit --help)"]),
        (["demo", "--images", "9" * 5000], ["--images", "(5,000 characters)", "from 1 to 1000000"]),
        (["export", "--array", "10000000000x1"], ["--array", "from 4 to 128"]),
        (["export", "--array", "48x16"], ["--array", "'48x16'", "a power of two"]),
        (["export", "--language", ""], ["--language", "''", "verilog or vhdl or both"]),
        (["frontier", "--steps", "50,10000000"], ["--steps", "'50,10000000'", "from 1 to 1000", "such as 8,12"]),
        (["differences", "--bandwidth", "32,0"], ["--bandwidth", "'32,0'", "such as 32,64"]),
        (["differences", "--policy", "dense,radit"], ["--policy", "'dense,radit'", "give one policy"]),
        (["ablate", "--reductions", "2,nan"], ["--reductions", "'2,nan'", "above 1, up to 6"]),
        (["cosim", "--model", ""], ["--model", "''", "name of a model"]),
        (["bench", "--model", " "], ["--model", "' '", "names of models"]),
        (["cosim", "--policy", ""], ["--policy", "''", "dense, radit, forecast"]),
        (["cosim", "--policy", "radit:large=1e16"], ["--policy", "large", "'1e16'", "from 0.001 to 4096"]),
        (["cosim", "--policy", "radit:gain=1:gain=1"], ["--policy", "gain", "twice"]),
        (["frontier", "--policies", "sketch:projections=1000000"], ["projections", "'1000000'", "1 to 1024"]),
        (["train", "moving-digits", "--motion", "fastest=1e9"], ["--motion", "fastest", "'1e9'", "0 to 16"]),
        (["train", "moving-digits", "--motion", "slowest=3"], ["--motion", "slowest 3.0 above fastest 1.0"]),
        (["train", "moving-digits", "--motion", ""], ["--motion", "''", "slowest"]),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(arguments, words, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("radit: ") and said.err.count("\n") == 1
    assert all(word in said.err for word in words), said.err


def test_no_arguments_show_the_help(capsys):
    assert main([]) == 2
    said = capsys.readouterr()
    assert "demo" in said.out + said.err


def test_array():
    assert parse_array("16x32") == (16, 32)
    assert parse_array("16x32x2") == (16, 32, 2)
    for text in (
        "",
        "x",
        "16x",
        "16x16x16",
        "16x16x1",
        "16x16x2x2",
        "16x16x",
        "1.5x2",
        " 4x4",
        "4X4",
        "+4x4",
        "04x4",
        "3x4",
        "12x4",
        "4x256",
        "4x４",
    ):
        with pytest.raises(UserError, match="--array"):
            parse_array(text)


def test_policies():
    assert parse_policies(["dense,radit"]) == ["dense", "radit"]
    assert parse_policies(["forecast:gain=0.5,dense"]) == ["forecast:gain=0.5", "dense"]
    assert parse_policies(["radit", "dense", "radit"]) == ["radit", "dense"]
    with pytest.raises(UserError, match="--policy is ''"):
        parse_policies([""])


def test_every_policy_of_the_model_can_be_chosen(capsys):
    assert main(["cosim", "--help"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in POLICIES)


@pytest.mark.parametrize("command", [demo, cosim])
def test_memory_defaults_are_those_of_a_request(command):
    from radit.cosim.prepare import Request

    shown, used = inspect.signature(command).parameters, inspect.signature(Request).parameters
    names = ("latency", "bandwidth", "stall", "memory_seed")
    assert [shown[name].default for name in names] == [used[name].default for name in names]


def test_training_shows_its_defaults_and_how_the_shipped_checkpoints_were_made(capsys):
    from radit.model.dit.checkpoint import find_checkpoint, read_metadata
    from radit.model.training.recipes import RECIPES

    assert inspect.signature(train).parameters["seed"].default == 0
    assert main(["train", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for model, recipe in RECIPES.items():
        assert f"{recipe.steps} for {model}" in shown and f"{recipe.batch_size} for {model}" in shown
    for model in ("digits", "moving-digits"):
        facts, recipe = read_metadata(find_checkpoint(model)), RECIPES[model]
        assert facts["seed"] == "0" and facts["peak_rate"] == str(recipe.peak_rate)
    digits, clips = (read_metadata(find_checkpoint(model)) for model in ("digits", "moving-digits"))
    recipe = RECIPES["digits"]
    assert (digits["steps"], digits["batch_size"]) == (str(recipe.steps), str(recipe.batch_size))
    command = f"radit train moving-digits --steps {clips['steps']} --batch-size {clips['batch_size']}"
    assert command in (Path(__file__).parents[1] / "docs" / "video.md").read_text() and command in clips["provenance"]
