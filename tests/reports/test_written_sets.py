"""Results in several files are written all or none."""

import pytest
from pydantic import BaseModel

from radit.model.errors import UserError
from radit.reports.common import files
from radit.reports.common.files import point_files, write_points


class Point(BaseModel):
    """A point of a result."""

    name: str


class Points(BaseModel):
    """A result with points."""

    points: list[Point]


def test_points_are_written_all_or_none(tmp_path, monkeypatch):
    folder = tmp_path / "new"
    write_points(folder, "sweep", Points(points=[Point(name="a")]), {"svg": b"a", "png": b"a"})
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(before) == sorted(point_files("sweep"))

    def fail(path, data):
        if path.suffix == ".png":
            raise OSError(28, "No space left on device")
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_file", fail)
        with pytest.raises(UserError, match="No space left on device"):
            write_points(folder, "sweep", Points(points=[Point(name="b")]), {"svg": b"b", "png": b"b"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    write_points(folder, "sweep", Points(points=[Point(name="b")]), {"svg": b"b", "png": b"b"})
    assert all(b"b" in path.read_bytes() for path in folder.iterdir())
