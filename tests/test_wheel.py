"""The installed package: complete, and under no other name than radit."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("accel", "model", "cosim", "reports", "radit", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
PROGRAM = """
import model
import radit

assert model.MINE == 1
found = radit.load_model("digits"), radit.load_energy_table("default")
print(radit.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, since building leaves folders beside the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    pip(folder, "wheel", "--no-build-isolation", "--wheel-dir", str(folder / "made"), ".")
    return next((folder / "made").glob("*.whl"))


def pip(folder: Path, verb: str, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", verb, "--quiet", "--no-deps", "--no-index", *arguments]
    subprocess.run(command, cwd=folder, check=True)


def test_it_holds_one_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"radit"}


def test_it_is_complete(wheel):
    """Every file of the layers, data files too."""
    names = {name.removeprefix("radit/") for name in zipfile.ZipFile(wheel).namelist()}
    layers = subprocess.run(["git", "ls-files", *NEEDED[:4]], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(names) > 250 and set(layers.stdout.split()) - names == set()


def test_a_module_of_the_users_own_may_be_called_model(wheel, tmp_path):
    """What other names than radit would break; and data files are found where they are installed."""
    pip(tmp_path, "install", "--target", str(tmp_path / "site"), str(wheel))
    (tmp_path / "model.py").write_text("MINE = 1\n")
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "program.py"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(tmp_path / "site/radit/__init__.py")
