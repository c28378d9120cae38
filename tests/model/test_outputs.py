"""Paths to write are checked before the work, by writing, and nothing is left behind."""

import os

import pytest

from radit.model.errors import UserError
from radit.model.outputs import output_file, output_folder
from radit.model.plain_text import one_line, quoted, visible
from tests.hostile_paths import AS_FILE, AS_FOLDER, BOTH, FINE, everything, make_hostile


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_hostile(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", [*BOTH.values(), *AS_FOLDER.values()], ids=[*BOTH, *AS_FOLDER])
def test_what_cannot_be_a_folder(path, here):
    refused(output_folder, path, here)


@pytest.mark.parametrize("path", [*BOTH.values(), *AS_FILE.values()], ids=[*BOTH, *AS_FILE])
def test_what_cannot_be_a_file(path, here):
    refused(output_file, path, here)


def refused(check, path, here):
    """One printable sentence names option and value, and nothing is made."""
    before = everything(here)
    with pytest.raises(UserError) as error:
        check(path, "--out")
    said = str(error.value)
    assert said.startswith(f"--out is {quoted(path)}, ") and said.isprintable() and said.endswith(".")
    assert ": give a" in said and len(said) < 500
    assert everything(here) == before


@pytest.mark.parametrize("path", FINE.values(), ids=FINE)
@pytest.mark.parametrize("check", [output_folder, output_file])
def test_what_only_looks_bad(check, path, here):
    before = everything(here)
    assert str(check(path)) == path
    assert everything(here) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_permissions(here):
    (here / "folder").chmod(0o555)
    for check in (output_folder, output_file):
        with pytest.raises(UserError, match="where nothing can be written"):
            check("folder/results")


def test_names_inside_a_folder_are_checked_too(here):
    (here / "folder" / "points").write_text("")
    (here / "folder" / "frontier.json").mkdir()
    assert str(output_folder("folder", files=["bench.json"], folders=["pieces"])) == "folder"
    with pytest.raises(UserError, match="--out is 'folder/points', which is a file: give a folder"):
        output_folder("folder", folders=["points"])
    with pytest.raises(UserError, match="--out is 'folder/frontier.json', which is a folder: give a file"):
        output_folder("folder", files=["frontier.json"])


def test_a_link_to_a_file_leads_to_the_file(here):
    assert output_file("to_file") == here / "file"
    (here / "elsewhere").symlink_to("/dev/null")
    with pytest.raises(UserError, match="no regular file"):
        output_file("elsewhere")


def test_a_full_disk_is_found_before_the_work(monkeypatch):
    import tempfile

    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def write(self, data):
            raise OSError(28, os.strerror(28))

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: Full())
    with pytest.raises(UserError, match="where nothing can be written .No space left on device."):
        output_folder("new")


@pytest.mark.parametrize(
    "text, shown",
    [
        ("plain café ", "plain café "),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31m\x07\x9b", "\\x1b[31m\\x07\\x9b"),
        ("\u202eabc\u2066\u200b\u2028", "\\u202eabc\\u2066\\u200b\\u2028"),
        ("\udce9\ue000\U000e0041", "\\udce9\\ue000\\U000e0041"),
        ("thin\u202fspace\xa0", "thin\u202fspace\xa0"),
    ],
)
def test_visible(text, shown):
    assert visible(text) == shown and shown.encode()


@pytest.mark.parametrize("value, text", [("a\x1b[31m\n", "a\\x1b[31m\\n"), ("x" * 1000, "x" * 40 + ".." + "x" * 20)])
def test_values_stay_on_one_line(value, text):
    assert one_line(value, 80) == text


def test_long_values_are_cut_in_the_middle():
    text = quoted("a" * 5000 + "end")
    assert len(text) < 160 and text.startswith("'aaa") and text.endswith("aend'") and ".." in text
