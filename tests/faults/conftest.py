"""One folder with a small model and a compiled simulator, of which every test has a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from radit.model.dit.checkpoint import save_checkpoint
from radit.model.dit.config import DiTConfig
from radit.model.dit.seeded import seeded_dit
from tests.conftest import missing_program
from tests.faults.sandbox import COMMANDS, MODEL, Sandbox

SMALL = DiTConfig(
    input_size=8, patch_size=2, in_channels=1, hidden_size=16, depth=2, num_heads=2, mlp_ratio=2.0, num_classes=10
)
KEPT = Path("build") / "tests" / "faults"  # of the compiled simulator, between two runs of the suite


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """Model, and the caches of a co-simulation that has run to its end."""
    if missing_program("verilator"):
        pytest.skip("needs verilator: g++ is not installed")
    folder = tmp_path_factory.mktemp("template")
    save_checkpoint(folder / MODEL, seeded_dit(SMALL, 0))
    if KEPT.is_dir():
        shutil.copytree(KEPT, folder / "build")
    sandbox = Sandbox(folder)
    sandbox.run(COMMANDS["cosim"].words).check(0)
    shutil.rmtree(folder / "made")
    shutil.rmtree(KEPT, ignore_errors=True)
    shutil.copytree(folder / "build", KEPT)
    return folder


@pytest.fixture
def sandbox(template: Path, tmp_path: Path) -> Sandbox:
    """A copy of the template; its folder has a name as people give them."""
    folder = tmp_path / "my runs, ü [1]"
    shutil.copytree(template, folder)
    return Sandbox(folder)
