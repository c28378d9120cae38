#!/usr/bin/env python3
"""Set up everything a make target needs, on a machine that has Python 3.11 and nothing else of ours.

usage: python3.11 tools/bootstrap.py venv|demo|test

  venv   the virtual environment .venv with the pinned packages (what tox calls)
  demo   also the compiler of the Verilog engine; fails when there is none to be had
  test   also the simulators the tests compare with; what cannot be had is named, its tests are skipped

Standard library only. System tools come through apt when we are root or have sudo, and only those that
are missing. A second run finds everything in place and returns at once.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "radit-stamp.json"
PYTHON = (3, 11)  # constraints.txt holds the versions for this Python
LOG = ROOT / "build" / "setup.log"
SHOWN_LINES = 8  # of the log, where something fails
PINNED = ("constraints.txt", "setup.cfg", "pyproject.toml")

PICOLIBC = "/usr/lib/picolibc/riscv64-unknown-elf/picolibc.specs"  # a file, not a program

# Debian package, the programs it must bring, and what lies idle without it.
NEEDED = {
    "g++": (["g++"], "the Verilog engine cannot be compiled"),
}
OPTIONAL = {
    "iverilog": (["iverilog", "vvp"], "tests on Icarus Verilog are skipped"),
    "ghdl": (["ghdl"], "tests of the converted VHDL are skipped"),
    "yosys": (["yosys"], "tests that read or synthesize the export with Yosys are skipped"),
    "opensta": (["sta"], "tests of static timing are skipped"),
    "gcc-riscv64-unknown-elf": (["riscv64-unknown-elf-gcc"], "tests on the soft core are skipped"),
    "picolibc-riscv64-unknown-elf": ([PICOLIBC], "tests on the soft core are skipped"),
}


class SetupError(Exception):
    """A sentence that names what is missing and the remedy."""


def say(text):
    print(f"setup: {text}", file=sys.stderr, flush=True)


# -- system tools -------------------------------------------------------------------------------------------------


def is_there(programs):
    return all(shutil.which(program) or os.path.isabs(program) and os.path.isfile(program) for program in programs)


def apt_prefix():
    """The command that runs apt-get with the rights to install, or None where there is no such way."""
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    if not shutil.which("sudo"):
        return None
    ask = [] if sys.stdin.isatty() else ["-n"]  # without a terminal nobody can type the password
    return ["sudo", *ask, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]


def apt_install(packages):
    """Try to install each package; what fails stays missing and is named by the caller."""
    prefix = apt_prefix()
    if not packages or prefix is None:
        return
    say(f"installing through apt: {' '.join(packages)}")
    if logged([*prefix, "update", "-q"]):
        say(f"apt-get update failed, {LOG} says why; trying with the package lists that are there")
    for package in packages:
        if logged([*prefix, "install", "-q", "-y", "--no-install-recommends", package]):
            say(f"apt-get could not install {package}:\n{last_lines()}")


def ensure_tools(tools):
    """Install the missing tools of a table; returns those still missing."""

    def absent():
        return [package for package, (programs, _) in tools.items() if not is_there(programs)]

    apt_install(absent())
    missing = absent()
    for package in missing:
        say(f"{package} is missing and could not be installed, so {tools[package][1]}: {remedy(package)}")
    return missing


def remedy(package):
    return f"install it with `sudo apt-get install {package}`, or your system's own package manager, and run this again"


# -- the virtual environment --------------------------------------------------------------------------------------


def check_python():
    if sys.version_info[:2] != PYTHON:
        want, have = (".".join(map(str, version)) for version in (PYTHON, sys.version_info[:3]))
        raise SetupError(
            f"the pinned packages are for Python {want} and this is Python {have}: "
            f"install python{want} and run `make PYTHON=python{want} ...`"
        )
    if importlib.util.find_spec("ensurepip") is None:  # Debian keeps it in a package of its own
        package = f"python{PYTHON[0]}.{PYTHON[1]}-venv"
        apt_install([package])
        importlib.invalidate_caches()
        if importlib.util.find_spec("ensurepip") is None:
            raise SetupError(f"this Python cannot create virtual environments (no ensurepip): {remedy(package)}")


def fingerprint():
    """What decides whether .venv is up to date: another `place` makes a new one, other `content` reinstalls into it."""
    content = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in PINNED)).hexdigest()
    return {"place": str(VENV), "content": content}


def read_stamp():
    """The fingerprint of the last finished installation; empty where none was finished or its Python is gone."""
    if not (VENV / "bin" / "python").exists():
        return {}
    try:
        return json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}


@contextmanager
def only_one():
    """Two setups at once (tox -p, two terminals) take turns, with apt as with .venv."""
    with open(ROOT / "constraints.txt") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure_venv():
    want, have = fingerprint(), read_stamp()
    if want == have:
        return
    check_python()
    if want["place"] != have.get("place"):
        say(f"creating {VENV.relative_to(ROOT)}")
        run(sys.executable, "-m", "venv", "--clear", str(VENV))
    STAMP.unlink(missing_ok=True)
    say("installing the pinned packages, 1.7 GB on disk, a minute or two (torch is most of it)")
    # Build with the pinned setuptools rather than whatever is newest on the day.
    pip("install", "--quiet", "setuptools")
    pip("install", "--no-build-isolation", "--editable", ".[test,docs]")
    say(f"{VENV.relative_to(ROOT)} is ready")
    STAMP.write_text(json.dumps(want))


def pip(verb, *arguments):
    """pip's own settings (index, wheel folder, cache) hold as usual."""
    options = ["--disable-pip-version-check", "--constraint", str(ROOT / "constraints.txt")]
    run(str(VENV / "bin" / "python"), "-m", "pip", verb, *options, *arguments)


def run(*command):
    if logged(command):
        raise SetupError(
            f"`{' '.join(command)}` failed (no network? disk full?); {LOG} has all that was said, and ends with\n"
            f"{last_lines()}"
        )


# -- what the programs say ----------------------------------------------------------------------------------------


def logged(command):
    """Run a program; what it says goes to the log. Returns its exit status.

    The password that sudo may ask for is typed at the terminal, which sudo opens by itself.
    """
    LOG.parent.mkdir(exist_ok=True)
    with open(LOG, "a") as log:
        print("$", *command, file=log, flush=True)
        return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log).returncode


def last_lines():
    return "\n".join(f"  {line}" for line in LOG.read_text(errors="replace").splitlines()[-SHOWN_LINES:])


# -- the front ----------------------------------------------------------------------------------------------------


def main(arguments):
    if arguments not in (["venv"], ["demo"], ["test"]):
        print(__doc__, file=sys.stderr)
        return 2
    goal = arguments[0]
    try:
        with only_one():
            if goal in ("demo", "test"):
                missing = ensure_tools(NEEDED)
                if missing and goal == "demo":
                    raise SetupError(f"the demo needs {', '.join(missing)} and stops here")
            if goal == "test":
                ensure_tools(OPTIONAL)
            ensure_venv()
    except SetupError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
