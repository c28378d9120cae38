"""What a key of stored results and builds depends on: definitions behind it, and nothing else."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from radit.accel.config import BuildConfig
from radit.cosim.engines.open import SOURCES, export_key, file_key
from radit.model import source_code
from radit.model.source_code import code_digest, import_closure

ROOT = source_code.ROOT
EXPORT = {f"radit.accel.export.{name}" for name in ("convert", "hierarchy")}
SHARED = {"radit.model.errors", "radit.model.formats", "radit.model.roms"}


def test_the_export_depends_on_the_hardware_and_its_formats_alone():
    closure = import_closure(*SOURCES)
    assert {module for module in closure if not module.startswith("radit.accel.")} == SHARED
    assert {module for module in closure if module.startswith("radit.accel.export")} == EXPORT
    assert {"radit.accel.units.ccu", "radit.accel.control.skip_controller", "radit.accel.interfaces.streams"} < closure


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A copy of the sources that the digest reads; files may be changed after `key` was asked for."""
    for layer in ("accel", "model"):
        shutil.copytree(ROOT / layer, tmp_path / layer, ignore=shutil.ignore_patterns("__pycache__", "checkpoints"))
    monkeypatch.setattr(source_code, "ROOT", tmp_path)
    return tmp_path


def key() -> str:
    for kept in (source_code._tree, source_code._imports, source_code._definitions):
        kept.cache_clear()
    return export_key(BuildConfig())


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text, f"{old!r} is no longer in {name}"
        (root / name).write_text(text.replace(old, new, 1))

    return apply


def move_a_unit(root: Path) -> None:
    """To another room, with every import of it."""
    shutil.move(root / "accel/units/ccu.py", root / "accel/memory/comparison.py")
    for path in root.rglob("*.py"):
        path.write_text(path.read_text().replace("radit.accel.units.ccu", "radit.accel.memory.comparison"))


SAME = {
    "docstring of a module": edit("accel/units/ccu.py", '"""', '"""Other words. '),
    "docstring of a format": edit("model/formats.py", '"""', '"""Other words. '),
    "comment": edit("accel/top.py", "\n\n\n", "\n\n\n# A remark.\n"),
    "layout": edit("accel/units/ccu.py", "\n\n\n", "\n\n\n\n\n"),
    "moved": move_a_unit,
    "quality": edit("model/quality/measures.py", "\n\n\n", "\n\n\nMORE = 1\n\n\n"),
    "reference": edit("model/integer/reference.py", "\n\n\n", "\n\n\nMORE = 1\n\n\n"),
    "golden function": edit("model/ops/ccu.py", "\n\n\n", "\n\n\nMORE = 1\n\n\n"),
    "waivers": edit("accel/export/waivers.py", "\n\n\n", "\n\n\nMORE = 1\n\n\n"),
}
OTHER = {
    "unit": edit("accel/units/ccu.py", "\n\n\n", "\n\n\nMORE = 1\n\n\n"),
    "format": edit("model/formats.py", "COUNT_BITS = 24", "COUNT_BITS = 25"),
    "table": edit("model/roms.py", "2**15", "2**14"),
    "top": edit("accel/top.py", "\n\n\n", "\n\n\nMORE = 1\n\n\n"),
    "options of the conversion": edit("accel/export/convert.py", "no_myhdl_header=True", "no_myhdl_header=False"),
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_the_export_is_kept(change, checkout):
    before = key()
    change(checkout)
    assert key() == before


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
def test_the_export_is_made_again(change, checkout):
    before = key()
    change(checkout)
    assert key() != before


@pytest.mark.parametrize("change", ["docstring of a module", "moved", "comment"])
def test_comments_of_the_export_are_of_today(change, checkout):
    before = key(), file_key(BuildConfig())
    SAME[change](checkout)
    assert key() == before[0] and file_key(BuildConfig()) != before[1]


def test_builds_have_exports_of_their_own():
    assert export_key(BuildConfig()) != export_key(BuildConfig(rows=8))


def test_a_digest_is_that_of_its_modules():
    digests = {code_digest(f"radit.model.{name}") for name in ("formats", "roms")}
    assert len(digests) == 2 and {len(each) for each in digests} == {64}
