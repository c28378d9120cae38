"""`--scheduler`: the workers of a Dask cluster give the results of this machine, bit for bit, and killed ones cost
only what they were at."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from radit import cosimulate
from radit.cli import main
from radit.model.dit.checkpoint import save_checkpoint
from radit.model.dit.config import DiTConfig
from radit.model.dit.sampler import Sampler
from radit.model.dit.seeded import seeded_dit
from radit.model.errors import UserError
from radit.model.system import cluster as cluster_module
from radit.model.system.cluster import ClusterWorkers, connected
from radit.model.system.workers import chosen_workers, local_workers
from radit.reports.ablation import ablations
from radit.reports.explore import explore as exploring
from radit.reports.explore.explore import run_explore
from radit.reports.explore.space import load_space
from radit.reports.frontier import frontier as comparing
from tests.radit.remote_calls import definitions_of, doubled, killed_once, refused

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")
ROOT = Path(__file__).resolve().parents[2]
DIGITLIKE = DiTConfig(hidden_size=16, depth=2, num_heads=1, mlp_ratio=2)
SPACE = """
question = "Which?"
models = ["digits"]
steps = [2]
[[machines]]
base = "edge"
array = ["8x8"]
bandwidth = [4, 8, 16, inf]
reuse_sram_kib = [0, 64, 512]
[policies]
skip_rates = [0.1, 0.3, 0.5]
forecast = [false, true]
"""


def local_cluster(workers: int) -> distributed.LocalCluster:
    """Worker processes that work where the tests do."""
    return distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    )


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster of two worker processes, which nobody kills."""
    with local_cluster(2) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def mortal() -> Iterator[str]:
    """Of a cluster whose workers can be killed."""
    with local_cluster(3) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def model(tmp_path: Path) -> list[str]:
    """Two copies of a small model: results are stored beside it."""
    paths = [str(tmp_path / name / "tiny.safetensors") for name in ("here", "there")]
    for path in paths:
        Path(path).parent.mkdir()
        save_checkpoint(path, seeded_dit(DIGITLIKE))
    return paths


def test_results_come_in_the_order_of_calls_or_of_ends(address: str) -> None:
    with connected(address) as workers:
        assert (workers.count, workers.here) == (2, 1)
        pauses = [0.4, *[0.0] * 7]
        calls = [(doubled, number, pause) for number, pause in enumerate(pauses)]
        assert list(workers.over(calls)) == [2 * number for number in range(8)]
        ends = list(workers.over(calls, in_order=False))
        assert ends[0] != 0 and sorted(ends) == [2 * number for number in range(8)]
        assert list(workers.over([])) == []
        with pytest.raises(UserError, match="^field is 1: give 2.$"):
            list(workers.over([(refused,)]))
        left = workers.over([(doubled, number, 0.05) for number in range(50)])
        assert next(left) == 0
        left.close()
        assert list(workers.over(calls[1:2])) == [2]  # what was given up is in nobody's way


def test_workers_forget_what_they_have_read_for_another_command(address: str, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    for text in ("old", "new"):
        path.write_text(text)
        with connected(address) as workers:
            assert all(text in found for found in workers.over([(definitions_of, str(path))] * 4))


def test_a_killed_worker_costs_its_own_call(mortal: str, tmp_path: Path) -> None:
    for in_order in (True, False):
        mark = str(tmp_path / f"killed{in_order}")
        calls = [(doubled, number, 0.02) for number in range(3)]
        calls += [(killed_once, number, mark) for number in range(3, 6)]
        for where in (mortal, None):
            with chosen_workers(where, None if where else 2) as workers:
                found = list(workers.over(calls, in_order=in_order))
            assert (found if in_order else sorted(found)) == [0, 2, 4, 6, 8, 10]
            Path(mark).unlink()


def test_the_last_call_is_done_again_in_a_process_of_its_own(tmp_path: Path) -> None:
    """Never in this one, which a second death would end."""
    calls = [(doubled, 1, 0.0), (killed_once, 3, str(tmp_path / "killed"))]
    assert sorted(local_workers(2).over(calls, in_order=False)) == [2, 6]
    with pytest.raises(UserError, match="one of 2 processes was killed"):
        list(local_workers(2).over([(doubled, 1, 0.0), (os._exit, 1)]))


def test_a_call_that_kills_every_worker_is_one_sentence() -> None:
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), local_cluster(1) as cluster:
        with (
            connected(cluster.scheduler_address) as workers,
            pytest.raises(UserError, match="a call was lost with 1 workers, one after the other"),
        ):
            list(workers.over([(os._exit, 1)]))


def test_a_space_with_a_killed_worker_is_that_of_this_machine(
    mortal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was finished before an interruption is not evaluated again."""
    monkeypatch.setattr(exploring, "plot", lambda result, kind: kind.encode())
    monkeypatch.setattr(exploring, "PIECE", 3)
    (tmp_path / "space.toml").write_text(SPACE)
    space = load_space(str(tmp_path / "space.toml"))
    here = run_explore(space, workers=local_workers(1), check=0, seed=0, out=tmp_path / "here")
    with connected(mortal) as workers:

        class Killing:
            """The cluster, one worker of which is killed once a few results are there, and which then is given up."""

            count, here = workers.count, workers.here

            def over(self, calls, *, in_order):
                for number, result in enumerate(workers.over(calls, in_order=in_order)):
                    if number == 3:
                        with distributed.Client(mortal, set_as_default=False) as client:
                            os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)
                    if number == 20:
                        raise KeyboardInterrupt
                    yield result

        with pytest.raises(KeyboardInterrupt):
            run_explore(space, workers=Killing(), check=0, seed=0, out=tmp_path / "there")
        there = run_explore(space, workers=workers, check=0, seed=0, out=tmp_path / "there")
    assert there.points == here.points and there.tables == here.tables
    assert here.speed.evaluated == 84 and there.speed.evaluated == 84 - 20 * 3 and there.speed.kept == 20 * 3
    for path in (tmp_path / "here" / "points").iterdir():
        lines = (tmp_path / "there" / "points" / path.name).read_text().splitlines()
        assert sorted(lines) == sorted(path.read_text().splitlines())


COMMANDS = {  # their results, without what depends on the place
    "frontier --samples 2 --steps 3 --sampler unipc --spacing quadratic --no-history --policies radit --out {out}": (
        "{out}/frontier.json"
    ),
    "ablate --samples 3 --steps 5 --variants codes:gain=0 --reductions 1.1 --out {out}": "{out}/ablations.json",
    "calibrate --target error=0.1 --images 3 --steps 4 --threshold-only --out {out}.json": "{out}.json",
    "quality --samples 3 --steps 4": "{folder}/tiny.quality.json",
}
OF_THE_PLACE = ("model", "seconds", "settings", "jobs")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[0])
def test_commands_have_the_results_of_this_machine(
    command: str, address: str, model: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    for module in (comparing, ablations):
        monkeypatch.setattr(module, "plot", lambda result, kind: kind.encode())
    monkeypatch.setattr(comparing, "CONVERGED", Sampler(7))  # in the place of 200 timesteps
    monkeypatch.setattr(comparing, "CHECKS", (Sampler(5),))
    found = []
    for path, options in zip(model, ([], ["--scheduler", address]), strict=True):
        places = {"out": str(tmp_path / f"out{len(found)}"), "folder": str(Path(path).parent)}
        assert main([*command.format(**places).split(), "--model", path, *options]) == 0
        result = json.loads(Path(COMMANDS[command].format(**places)).read_text())
        found.append({name: value for name, value in result.items() if name not in OF_THE_PLACE})
    assert found[0] == found[1] and found[0]


@pytest.mark.needs("verilator")
def test_images_are_simulated_on_a_cluster(address: str) -> None:
    settings = {"array": "8x8", "steps": 20, "timesteps": 1, "images": 2}
    one, other = (cosimulate("digits", ["dense"], scheduler=where, **settings) for where in (address, None))
    assert one.passed and other.passed and one.check == other.check
    assert np.array_equal(one["dense"].images, other["dense"].images)
    assert one["dense"].counters == other["dense"].counters


MALFORMED = ["", "node", "ftp://node:8786", "tcp://node:0", "tcp://node:65536", "a b:1", "a:1\n"]


@pytest.mark.parametrize("address", MALFORMED)
def test_malformed_addresses_are_refused(address: str) -> None:
    with pytest.raises(UserError, match="^--scheduler is .*: give a scheduler's address, such as tcp://node1:8786.$"):
        with connected(address):
            pass


def test_a_scheduler_that_does_not_answer_is_refused(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_SECONDS", 0.3)
    assert main(["explore", "--scheduler", "127.0.0.1:1"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("radit: --scheduler is '127.0.0.1:1', where no Dask scheduler of this version answers")
    assert said.count("\n") == 1


def test_dask_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"for which Dask is missing: pip install 'radit\[cluster\]'\."):
        with connected("node:8786"):
            pass


def test_processes_are_of_one_place_or_the_other(address: str) -> None:
    with pytest.raises(UserError, match="--jobs is 2 beside --scheduler"):
        with chosen_workers(address, 2):
            pass
    for option in ({"resume": True}, {"waves": Path("x.vcd")}):
        with pytest.raises(UserError, match="is given beside scheduler, but is for this machine: leave one of"):
            cosimulate("digits", scheduler=address, **option)


WITHOUT_RADIT = "import sys; sys.modules['radit'] = None; from distributed.cli.dask_worker import main; main()"
CHANGED = (
    "from radit.model.system import cluster; cluster.files_digest = lambda *folders: 'f' * 12; "
    "from distributed.cli.dask_worker import main; main()"
)
AS_IT_IS = "from distributed.cli.dask_worker import main; main()"
UNFIT = {
    "without radit": (WITHOUT_RADIT, "1", ROOT, "does not have package radit.*: start it with the Python that"),
    "other code": (CHANGED, "1", ROOT, "the project's files of worker .* is ffffffffffff, here it is .*: start it"),
    "other folder": (AS_IT_IS, "1", ROOT / "tests", "the folder it works in of worker .*tests, here it is .*: start"),
    "threads": (AS_IT_IS, "3", ROOT, "has 3 threads: start workers of one thread each"),
}


@contextmanager
def started(program: str, options: list[str], folder: Path) -> Iterator[None]:
    """A worker process of its own."""
    worker = subprocess.Popen(
        [sys.executable, "-c", program, *options], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        worker.kill()
        worker.wait(30)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Of a cluster without workers."""
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as cluster:
        yield cluster.scheduler_address


def test_a_cluster_without_workers_is_refused(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "WORKER_SECONDS", 0.1)
    with pytest.raises(UserError, match="which has no workers: start some with `dask worker tcp://.*`, of one thread"):
        with connected(scheduler):
            pass


@pytest.mark.parametrize("kind", UNFIT)
def test_workers_that_do_not_fit_are_refused(kind: str, scheduler: str) -> None:
    program, threads, folder, sentence = UNFIT[kind]
    options = [scheduler, "--nthreads", threads, "--no-nanny", "--no-dashboard"]
    refused_with = pytest.raises(UserError, match=f"^--scheduler: .*{sentence}")
    with started(program, options, folder), refused_with, connected(scheduler):
        pass


def test_a_worker_that_joins_without_the_package_is_one_sentence(scheduler: str) -> None:
    """While work goes on; what only passes calls on, such as the scheduler, need not know the project."""
    options = [scheduler, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    client = distributed.Client(scheduler, set_as_default=False)
    with client, started(WITHOUT_RADIT, options, ROOT):
        client.wait_for_workers(1, timeout=30)
        with pytest.raises(UserError, match="worker that joined later does not have package radit"):
            list(ClusterWorkers(client, scheduler).over([(doubled, 1)]))
