"""tools/house.py: it counts what stands there, in this layout and in an older one."""

import textwrap
from pathlib import Path

import pytest
from house import House, figures, main

ROOT = Path(__file__).resolve().parents[2]
BLOCK = """
    @block
    def wide(clk, a, b, *, c):
        narrow = unit(clk)
        word = Signal(intbv(0)[16:])

        @always_comb
        def drive():
            a.next = b
            c.next = word

        return narrow, drive


    @block
    def radit_top(clk):
        return wide(clk, clk, clk, c=clk)
"""


@pytest.fixture
def house(tmp_path):
    """A small checkout: rooms low, high and a module beside them, on a circle."""
    files = {
        "accel/top.py": BLOCK,
        "accel/units/adder.py": "@block\ndef adder(a, b, c, d, e, f):\n    return []\n",
        "model/low/one.py": "import radit.model.high.two\n\n\nclass Same:\n    pass\n",
        "model/low/__init__.py": "",
        "model/high/two.py": "from radit.model import beside\n",
        "model/beside.py": "from radit.model.low import one\n\n\nclass Same:\n    pass\n",
        "tools/one.py": "def short():\n    pass\n",
        "cosim/run.py": "def long():\n"
        + "    pass\n" * 80
        + 'def told():\n    """A\n'
        + "    word.\n" * 80
        + '    """\n',
        "reports/empty.py": "from radit.model.low.one import Same\n",
        "README.md": "x" * 130 + "\nshort\n",
        ".venv/NEWS.md": "x" * 500,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return House(tmp_path)


def test_figures(house):
    assert figures(house) == {
        "blocks between top and units": 1,
        "arguments of a block, at most": 4,
        "blocks with more than 12 arguments": 0,
        "lines of radit_top": 2,
        "files in a room, at most": 1,
        "rooms with more than 15 files": 0,
        "imports between rooms (arrows)": 3,
        "arrows on a circle": 3,
        "functions above 60 lines": 1,
        "Markdown lines above 120 characters": 1,
        "places where a width stands as a number": 1,
        "class names twice in a layer": 1,
    }


def test_places(house):
    assert house.function_lines()[0] == (81, "cosim/run.py:1 long")
    assert house.arrows() == {
        ("model.low", "model.high"),
        ("model.high", "model.beside"),
        ("model.beside", "model.low"),
    }
    assert house.markdown_columns()[0] == (130, "README.md:1")
    assert house.width_literals() == ["accel/top.py:5"]
    assert house.classes_twice() == {"model.Same": ["model/beside.py:4", "model/low/one.py:4"]}


def test_command_line(house, capsys):
    assert main(["--repo", str(house.root)]) == 0
    said = capsys.readouterr().out
    assert "lines of radit_top" in said and "cosim/run.py:1 long (81)" in said and "accel/top.py:5" in said
    (house.root / "accel/top.py").write_text("@block\ndef radit_top(clk):\n    return []\n")
    assert main(["--repo", str(house.root), "--repo", str(ROOT)]) == 0
    first = capsys.readouterr().out.splitlines()[2].split()
    assert first[-2] == "0" and int(first[-1]) > 2, "one column per checkout"


def test_a_folder_that_is_no_checkout_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--repo", str(tmp_path / "nowhere")])
    assert "nowhere', which is no checkout of this repository: give its top folder" in capsys.readouterr().err
