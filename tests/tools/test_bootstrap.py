"""Setting up: installs only what is missing, names what cannot be had, and does nothing the second time."""

import fcntl

import bootstrap
import pytest


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of its own: `there` are its programs, `ran` what was run on it; apt brings what it is asked for."""

    class Machine:
        there = {program for programs, _ in (bootstrap.NEEDED | bootstrap.OPTIONAL).values() for program in programs}
        root = True
        apt_works = True

        def __init__(self):
            self.there = set(self.there)
            self.ran = []

        status = 0

        def run(self, command, stdout, **_):
            self.ran.append(list(command))
            print("\n".join(f"line {i} of {command[0]}" for i in range(100)), file=stdout)
            if "install" in command and "apt-get" in command and self.apt_works:
                self.there.add(command[-1])
            if "venv" in command:
                (tmp_path / ".venv/bin").mkdir(parents=True, exist_ok=True)
                (tmp_path / ".venv/bin/python").touch()
            return type("Result", (), {"returncode": self.status})

    machine = Machine()
    machine.there |= {"apt-get"}
    for name in bootstrap.PINNED:
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "LOG", tmp_path / "build" / "setup.log")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / ".venv" / "stamp.json")
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: name if name in machine.there else None)
    monkeypatch.setattr(bootstrap.subprocess, "run", machine.run)
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0 if machine.root else 1000)
    return machine


def installed(machine):
    return [command[-1] for command in machine.ran if "apt-get" in command and "install" in command]


def test_a_complete_machine_installs_nothing_and_the_second_run_does_nothing(machine):
    assert bootstrap.main(["test"]) == 0
    assert installed(machine) == []
    machine.ran.clear()
    assert bootstrap.main(["test"]) == 0
    assert machine.ran == []


def test_nothing_runs_while_another_setup_does(machine, tmp_path, monkeypatch):
    """Whoever else asks for the lock has to wait, from the first program of apt to the last of pip."""
    machine.there -= {"ghdl"}
    waited = []

    def run(command, **options):
        with open(tmp_path / "constraints.txt") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        waited.append(command)
        return machine.run(command, **options)

    monkeypatch.setattr(bootstrap.subprocess, "run", run)
    assert bootstrap.main(["test"]) == 0
    assert installed(machine) == ["ghdl"] and len(waited) == len(machine.ran) > 4


def test_new_pins_install_into_the_same_environment(machine, tmp_path):
    bootstrap.main(["venv"])
    machine.ran.clear()
    (tmp_path / "constraints.txt").write_text("other")
    assert bootstrap.main(["venv"]) == 0
    assert not any("venv" in command for command in machine.ran)
    assert sum("pip" in command for command in machine.ran) == 2


def test_only_the_missing_are_installed(machine):
    machine.there -= {"g++", "ghdl"}
    assert bootstrap.main(["test"]) == 0
    assert installed(machine) == ["g++", "ghdl"]


def test_the_demo_does_not_install_simulators(machine):
    machine.there -= {"g++", "ghdl"}
    assert bootstrap.main(["demo"]) == 0
    assert installed(machine) == ["g++"]


@pytest.mark.parametrize("cause", ["no rights", "apt fails", "no apt"])
def test_the_demo_stops_and_names_what_is_missing(machine, capsys, cause):
    machine.there -= {"g++", *(["apt-get"] if cause == "no apt" else [])}
    machine.root = cause != "no rights"
    machine.apt_works = cause != "apt fails"
    assert bootstrap.main(["demo"]) == 1
    said = capsys.readouterr().err
    assert "g++ is missing" in said and "sudo apt-get install g++" in said
    assert said.strip().endswith("the demo needs g++ and stops here")


def test_the_tests_go_on_without_a_simulator(machine, capsys):
    machine.there -= {"ghdl", "g++"}
    machine.root = False
    assert bootstrap.main(["test"]) == 0
    said = capsys.readouterr().err
    assert "ghdl is missing" in said and "tests of the converted VHDL are skipped" in said and "g++ is missing" in said


def test_sudo_is_used_where_there_is_one(machine):
    machine.there = (machine.there - {"ghdl"}) | {"sudo"}
    machine.root = False
    assert bootstrap.main(["test"]) == 0
    assert installed(machine) == ["ghdl"]
    assert all(command[0] == "sudo" for command in machine.ran if "apt-get" in command)


def test_a_few_lines_say_what_is_done(machine, capsys):
    machine.there -= {"ghdl"}
    assert bootstrap.main(["test"]) == 0
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 4 and "line 0 of" not in said.err


def test_what_failed_ends_with_the_end_of_its_log(machine, capsys):
    machine.status = 1
    assert bootstrap.main(["venv"]) == 1
    said = capsys.readouterr().err
    assert "failed (no network? disk full?)" in said and str(bootstrap.LOG) in said
    assert "line 99 of" in said and "line 90 of" not in said
    assert "line 0 of" in bootstrap.LOG.read_text()


def test_another_python_is_named(machine, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 9, 2))
    assert bootstrap.main(["venv"]) == 1
    assert "this is Python 3.9.2: install python3.11" in capsys.readouterr().err


def test_usage(capsys):
    assert bootstrap.main([]) == bootstrap.main(["all"]) == 2
