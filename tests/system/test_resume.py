"""An interrupted run: what it leaves, and that going on from there gives what an uninterrupted run gives."""

import json

import pytest

from radit import cli
from radit.cosim import run_state as state
from radit.cosim.engines.verilator import VerilatorEngine

pytestmark = pytest.mark.needs("verilator")
TIMESTEPS = 3
RUN = ["cosim", "--array", "8x8", "--blocks", "3", "--steps", "50", "--timesteps", str(TIMESTEPS)]
SKIPPING = ["--policy", "radit:threshold=0.3:first_dense=1"]
SUB_BLOCKS = 6
INTERRUPTED = 130  # exit status after Ctrl-C


@pytest.fixture(autouse=True)
def save_always(monkeypatch):
    """At the end of every block."""
    monkeypatch.setattr(state, "SHORTEST_PAUSE", 0.0)
    monkeypatch.setattr(state, "MOST_SHARE", float("inf"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The summary of an uninterrupted run."""
    out = tmp_path_factory.mktemp("whole")
    assert cli.main([*RUN, *SKIPPING, "--out", str(out)]) == 0
    assert not (out / "state").exists()
    return summary_in(out)


def summary_in(out):
    """What must not depend on interruptions."""
    found = json.loads((out / "summary.json").read_text())
    del found["results"]["radit"]["gmac_per_second"]
    return {name: value for name, value in found.items() if name not in ("seconds", "gmac_per_second", "provenance")}


def interrupted(monkeypatch, out, steps: int, *options: str) -> list[int]:
    """Run until ``steps`` sub-blocks have been simulated; returns them."""
    seen = []
    run_sub_block = VerilatorEngine.run_sub_block

    def stop(engine):
        if len(seen) == steps:
            raise KeyboardInterrupt
        seen.append(run_sub_block(engine))
        return seen[-1]

    with monkeypatch.context() as patch:
        patch.setattr(VerilatorEngine, "run_sub_block", stop)
        assert cli.main([*RUN, *SKIPPING, "--out", str(out), *options]) == INTERRUPTED
    return seen


def test_interrupted_twice_and_resumed(whole, tmp_path, monkeypatch, capsys):
    """In the middle of a block, and again in a later timestep."""
    assert interrupted(monkeypatch, tmp_path, 5) == [0, 1, 2, 3, 4]
    assert "--resume goes on from timestep 0, block 2" in capsys.readouterr().err
    assert not (tmp_path / "summary.json").exists()
    seen = interrupted(monkeypatch, tmp_path, 8, "--resume")
    assert seen == [*range(4, SUB_BLOCKS), None, *range(5)], "simulated again, or not at all"
    again = capsys.readouterr().err
    assert "starting from timestep 0, block 2 on" in again and "goes on from timestep 1, block 2" in again
    assert cli.main([*RUN, *SKIPPING, "--out", str(tmp_path), "--resume"]) == 0
    assert summary_in(tmp_path) == whole
    assert whole["results"]["radit"]["mac_skip_rate"] > 0, "nothing was skipped: the cache was not needed"
    assert not (tmp_path / "state").exists()


def test_after_the_last_block_of_a_timestep(whole, tmp_path, monkeypatch):
    """The last pass of the timestep is what comes next."""
    interrupted(monkeypatch, tmp_path, SUB_BLOCKS)
    assert cli.main([*RUN, *SKIPPING, "--out", str(tmp_path), "--resume"]) == 0
    assert summary_in(tmp_path) == whole


def test_without_resume_a_run_starts_over(whole, tmp_path, monkeypatch, capsys):
    interrupted(monkeypatch, tmp_path, 3)
    capsys.readouterr()
    seen = interrupted(monkeypatch, tmp_path, 2)
    assert seen == [0, 1]
    assert "starting over; --resume would have gone on from timestep 0, block 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, words",
    [
        (["--seed", "1"], "an interrupted run of seed 0 in"),
        (["--bandwidth", "8"], "of bandwidth 32.0 in"),
        (["--policy", "dense"], "of policy radit:threshold=0.3:schedule=cosine"),
        (["--timesteps", "2"], "of timesteps 3 in"),
        (["--images", "2"], "--resume continues one image under one policy on verilator"),
    ],
)
def test_other_settings_are_refused(tmp_path, monkeypatch, capsys, options, words):
    interrupted(monkeypatch, tmp_path, 2)
    capsys.readouterr()
    policy = [] if "--policy" in options else SKIPPING
    assert cli.main([*RUN, *policy, "--out", str(tmp_path), "--resume", *options]) == 2
    assert words in capsys.readouterr().err
    assert (tmp_path / "state").exists(), "the state of the interrupted run is gone"


def test_nothing_to_resume(tmp_path, capsys):
    assert cli.main([*RUN, "--out", str(tmp_path), "--resume"]) == 2
    assert "finds no interrupted run in" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["run.json", "1-engine", "1-memories.npz"])
def test_a_damaged_state_is_refused(tmp_path, monkeypatch, capsys, name):
    interrupted(monkeypatch, tmp_path, 2)
    capsys.readouterr()
    path = tmp_path / "state" / name
    path.write_bytes(path.read_bytes()[:40])
    assert cli.main([*RUN, *SKIPPING, "--out", str(tmp_path), "--resume"]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert str(path) in said[-1]


def test_a_run_whose_results_cannot_be_written_can_be_resumed(whole, tmp_path, monkeypatch, capsys):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "mine.txt").write_text("of the user")
    with monkeypatch.context() as patch:
        patch.setattr("radit.reports.run.runs.write_arrays", fail)
        assert cli.main([*RUN, *SKIPPING, "--out", str(tmp_path)]) == 2
    assert "No space left on device" in capsys.readouterr().err and {p.name for p in tmp_path.iterdir()} == {"state"}
    assert cli.main([*RUN, *SKIPPING, "--out", str(tmp_path), "--resume"]) == 0
    assert summary_in(tmp_path) == whole
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["mine.txt"], "what is not the run's stays"
