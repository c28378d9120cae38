#!/usr/bin/env python3
"""The structure of the code in figures, and what is beyond the house's limits.

A room is a package of a layer, or a module at the layer's top. tests/test_house.py holds the limits.
"""

import argparse
import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lint_myhdl import check
from myhdl_rules import decorators

LAYERS = ("model", "accel", "cosim", "reports")
PACKAGE = "radit."  # what imports put before a layer's name; older checkouts did not
BESIDE = ("radit", "tools")  # no layers, but code whose functions count
MOST_ARGUMENTS, MOST_FILES, MOST_LINES, MOST_COLUMNS = 12, 15, 60, 120
NAME_WIDTH, COLUMN_WIDTH, SHOWN = 44, 12, 5
ARITHMETIC = ("units", "ops")  # flat ports, a file each
NOT_OURS = {"build", "node_modules"}  # and what begins with a dot


class Sized(NamedTuple):
    """Something countable and where it stands."""

    size: int
    place: str


class House:
    """A checkout, measured."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sources = {path: path.read_text(encoding="utf-8") for layer in LAYERS for path in self._python(layer)}
        self.trees = {path: ast.parse(source, str(path)) for path, source in self.sources.items()}
        self.beside = {
            path: ast.parse(path.read_text(encoding="utf-8")) for name in BESIDE for path in self._python(name)
        }

    def _python(self, folder: str) -> list[Path]:
        return sorted((self.root / folder).rglob("*.py"))

    def _place(self, path: Path, line: int) -> str:
        return f"{path.relative_to(self.root)}:{line}"

    def functions(self) -> Iterator[tuple[Path, ast.FunctionDef]]:
        """Every function with its file, those inside others too."""
        for path, tree in (self.trees | self.beside).items():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    yield path, node

    def block_arguments(self) -> list[Sized]:
        """Of every block between the top and the units, most first; the top's are its ports."""
        return _largest(
            Sized(len([*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]), self._named(path, node))
            for path, node in self.functions()
            if _is_block(node) and path.parent.name not in ARITHMETIC and node.name != "radit_top"
        )

    def function_lines(self) -> list[Sized]:
        """Of every function that is no block, most first; a block holds its processes, which count by themselves."""
        return _largest(
            Sized(_lines(node), self._named(path, node)) for path, node in self.functions() if not _is_block(node)
        )

    def top_lines(self) -> int:
        """Of radit_top."""
        return next(_lines(node) for _, node in self.functions() if node.name == "radit_top")

    def files_per_room(self) -> list[Sized]:
        """Most first."""
        folders = Counter(path.parent for path in self.sources if path.stem != "__init__")
        return _largest(
            Sized(count, str(folder.relative_to(self.root)))
            for folder, count in folders.items()
            if folder.name not in ARITHMETIC
        )

    def arrows(self) -> set[tuple[str, str]]:
        """Which room of a layer imports from which other one of it."""
        found = set()
        for path, tree in self.trees.items():
            room = self._room(path.relative_to(self.root).with_suffix("").parts)
            for module in _imported(tree):
                other = self._room(tuple(module.split(".")))
                if other and other[0] == room[0] and other != room:
                    found.add((".".join(room), ".".join(other)))
        return found

    def _room(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        return parts[:2] if len(parts) > 1 and parts[0] in LAYERS and parts[1] != "__init__" else ()

    def backward_arrows(self) -> set[tuple[str, str]]:
        """Arrows that lie on a circle."""
        arrows = self.arrows()
        after: dict[str, set[str]] = {}
        for start, end in arrows:
            after.setdefault(start, set()).add(end)

        def reaches(start: str, goal: str) -> bool:
            seen, todo = set(), [start]
            while todo:
                for room in after.get(todo.pop(), set()) - seen:
                    seen.add(room)
                    todo.append(room)
            return goal in seen

        return {(start, end) for start, end in arrows if reaches(end, start)}

    def markdown_columns(self) -> list[Sized]:
        """Of every line of every document, most first."""
        documents = (path for path in self.root.rglob("*.md") if self._is_ours(path.relative_to(self.root).parts))
        return _largest(
            Sized(len(line), self._place(path, number))
            for path in documents
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        )

    def _is_ours(self, parts: tuple[str, ...]) -> bool:
        return not any(part in NOT_OURS or part.startswith(".") for part in parts)

    def width_literals(self) -> list[str]:
        """Places in the hardware where a width stands as a number."""
        return [
            self._place(path, line)
            for path, source in self.sources.items()
            if "accel" in path.relative_to(self.root).parts[:1]
            for line, rule, _ in check(source)
            if rule == "width-literal"
        ]

    def classes_twice(self) -> dict[str, list[str]]:
        """Class names that a layer has more than once, with their places."""
        found: dict[str, list[str]] = {}
        for path, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    layer = path.relative_to(self.root).parts[0]
                    found.setdefault(f"{layer}.{node.name}", []).append(self._place(path, node.lineno))
        return {name: places for name, places in found.items() if len(places) > 1}

    def _named(self, path: Path, node: ast.FunctionDef) -> str:
        return f"{self._place(path, node.lineno)} {node.name}"


def beyond(sizes: list[Sized], limit: int) -> list[Sized]:
    """Those above a limit."""
    return [each for each in sizes if each.size > limit]


def _largest(sizes: Iterator[Sized]) -> list[Sized]:
    return sorted(sizes, reverse=True)


def _lines(node: ast.FunctionDef) -> int:
    """From `def` to the end, without the docstring."""
    first = node.body[0]
    is_text = ast.get_docstring(node, clean=False) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if is_text else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def _is_block(node: ast.FunctionDef) -> bool:
    return "block" in decorators(node)


def _imported(tree: ast.Module) -> Iterator[str]:
    """Modules and packages from the layer's name on; of `from radit.model import x`, the module x."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix(PACKAGE) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            module = node.module.removeprefix(PACKAGE)
            yield from [f"{module}.{alias.name}" for alias in node.names] if module in LAYERS else [module]


def figures(house: House) -> dict[str, int]:
    """By name, as the table shows them."""
    arguments, files = house.block_arguments(), house.files_per_room()
    functions, columns = house.function_lines(), house.markdown_columns()
    return {
        "blocks between top and units": len(arguments),
        "arguments of a block, at most": arguments[0].size if arguments else 0,
        f"blocks with more than {MOST_ARGUMENTS} arguments": len(beyond(arguments, MOST_ARGUMENTS)),
        "lines of radit_top": house.top_lines(),
        "files in a room, at most": files[0].size,
        f"rooms with more than {MOST_FILES} files": len(beyond(files, MOST_FILES)),
        "imports between rooms (arrows)": len(house.arrows()),
        "arrows on a circle": len(house.backward_arrows()),
        f"functions above {MOST_LINES} lines": len(beyond(functions, MOST_LINES)),
        f"Markdown lines above {MOST_COLUMNS} characters": len(beyond(columns, MOST_COLUMNS)),
        "places where a width stands as a number": len(house.width_literals()),
        "class names twice in a layer": len(house.classes_twice()),
    }


def beyond_the_limits(house: House) -> list[str]:
    """The worst places, with what they measure."""
    worst = [
        *beyond(house.block_arguments(), MOST_ARGUMENTS),
        *beyond(house.files_per_room(), MOST_FILES),
        *beyond(house.function_lines(), MOST_LINES),
        *beyond(house.markdown_columns(), MOST_COLUMNS)[:SHOWN],
    ]
    twice = [f"class {name}: {', '.join(places)}" for name, places in house.classes_twice().items()]
    return [*(f"{place} ({size})" for size, place in worst), *twice, *house.width_literals()]


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="house.py", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--repo",
        action="append",
        type=Path,
        metavar="FOLDER",
        help="a checkout of this repository at any commit; given again, one more column; by default this one",
    )
    options = parser.parse_args(arguments)
    options.repo = options.repo or [Path(__file__).resolve().parent.parent]
    for folder in options.repo:
        if not (folder / "accel").is_dir():
            parser.error(f"--repo is '{folder}', which is no checkout of this repository: give its top folder")
    return options


def main(arguments: list[str]) -> int:
    houses = [House(folder.resolve()) for folder in parse(arguments).repo]
    columns = [figures(house) for house in houses]
    if len(houses) > 1:
        print(" " * NAME_WIDTH, *(f"{house.root.name[-COLUMN_WIDTH:]:>{COLUMN_WIDTH}}" for house in houses))
    for name in columns[0]:
        print(f"{name:{NAME_WIDTH}}", *(f"{column[name]:>{COLUMN_WIDTH}}" for column in columns))
    places = beyond_the_limits(houses[-1])
    if places:
        print("\nbeyond the limits:", *places, sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
