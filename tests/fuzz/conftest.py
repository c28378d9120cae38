"""One template for all tests of the suite, and what its size and randomness are."""

import os
from pathlib import Path

import pytest

from tests.fuzz.template import make_template, warm_up

SEED = int(os.environ.get("RADIT_FUZZ_SEED", "20"))
COUNT = int(os.environ.get("RADIT_FUZZ_COUNT", "1100"))  # invocations
FILES = int(os.environ.get("RADIT_FUZZ_FILES", "330"))  # mutated files of each format
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """A sandbox with one good file of every kind; this process has everything loaded that calls need."""
    warm_up()
    folder = tmp_path_factory.mktemp("fuzz") / "template"
    make_template(folder)
    return folder


@pytest.fixture(scope="session")
def kept() -> Path:
    """A folder for what breaks the promise, emptied before each run."""
    import shutil

    folder = ROOT / "build" / "fuzz"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
