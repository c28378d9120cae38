#!/usr/bin/env python3
"""The structure of the code in figures, and what is beyond the house's limits.

usage: house.py [FOLDER]      a checkout of this repository at any commit; by default this one

A room is a package of a layer, or a module at the layer's top. tests/test_house.py holds the limits.
"""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lint_myhdl import check
from myhdl_rules import decorators

LAYERS = ("model", "accel", "cosim", "reports")
MOST_ARGUMENTS, MOST_FILES, MOST_LINES, MOST_COLUMNS = 12, 15, 60, 120
ARITHMETIC = ("units", "ops")  # flat ports, a file each
NOT_OURS = {".venv", ".tox", "build", "node_modules", ".git"}


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

    def _python(self, folder: str) -> list[Path]:
        return sorted((self.root / folder).rglob("*.py"))

    def _place(self, path: Path, line: int) -> str:
        return f"{path.relative_to(self.root)}:{line}"

    def functions(self) -> Iterator[tuple[Path, ast.FunctionDef]]:
        for path, tree in self.trees.items():
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
            here = self._room(path.relative_to(self.root).with_suffix("").parts)
            for module in _imported(tree):
                there = self._room(tuple(module.split(".")))
                if there and there[0] == here[0] and there != here:
                    found.add((".".join(here), ".".join(there)))
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
        documents = (path for path in self.root.rglob("*.md") if not NOT_OURS & set(path.relative_to(self.root).parts))
        return _largest(
            Sized(len(line), self._place(path, number))
            for path in documents
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        )

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
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _is_block(node: ast.FunctionDef) -> bool:
    return "block" in decorators(node)


def _imported(tree: ast.Module) -> Iterator[str]:
    """Modules and packages; of `from model import x`, the module x."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from inside if node.module in LAYERS else [node.module]


def figures(house: House) -> dict[str, object]:
    """By name, as the table shows them."""
    arguments, files = house.block_arguments(), house.files_per_room()
    functions, columns = house.function_lines(), house.markdown_columns()
    return {
        "blocks between top and units": len(arguments),
        "arguments of a block, at most": arguments[0].size,
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


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    if len(arguments) > 1 or not (root / "accel").is_dir():
        print(f"no checkout of this repository: {root}" if len(arguments) == 1 else __doc__, file=sys.stderr)
        return 2
    house = House(root)
    for name, value in figures(house).items():
        print(f"{name:50} {value}")
    over = [
        *beyond(house.block_arguments(), MOST_ARGUMENTS),
        *beyond(house.files_per_room(), MOST_FILES),
        *beyond(house.function_lines(), MOST_LINES),
        *beyond(house.markdown_columns(), MOST_COLUMNS)[:5],
    ]
    for size, place in over:
        print(f"  {place} ({size})")
    for name, places in house.classes_twice().items():
        print(f"  {name}: {', '.join(places)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
