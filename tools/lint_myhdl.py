#!/usr/bin/env python3
"""Find MyHDL code that simulates correctly in Python and converts to something else.

usage: lint_myhdl.py FILE_OR_FOLDER ...      exit status 1 when anything is found

The rules are in myhdl_rules.py. The converted Verilog run in the unit tests is the proof; this is the net in
front of it. A line that is known to be right carries the comment ``# myhdl: allow RULE, REASON``.
"""

import ast
import re
import sys
from collections.abc import Set
from pathlib import Path

from myhdl_rules import (
    BLOCK_RULES,
    GENERATOR_RULES,
    MODULE_RULES,
    Generator,
    constant_tuples,
    decorators,
    is_generator,
)

ALLOW = re.compile(r"#\s*myhdl:\s*allow\s+([\w-]+)\s*,\s*\S")


def block_names(tree: ast.Module) -> set[str]:
    return {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and "block" in decorators(n)}


def check(source: str, blocks: Set[str] = frozenset(), filename: str = "<source>") -> list[tuple[int, str, str]]:
    """Findings (line, rule, message) of one module; `blocks` are the blocks that other modules define."""
    tree = ast.parse(source, filename)
    known, roms = blocks | block_names(tree), constant_tuples(tree)
    found = [(line, rule, text) for rule, apply in MODULE_RULES.items() for line, text in apply(tree)]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and is_generator(node):
            generator = Generator(node, roms)
            found += [(line, rule, text) for rule, apply in GENERATOR_RULES.items() for line, text in apply(generator)]
        elif isinstance(node, ast.FunctionDef) and "block" in decorators(node):
            found += [(line, rule, text) for rule, apply in BLOCK_RULES.items() for line, text in apply(node, known)]
    lines = source.splitlines()
    return sorted({(line, rule, text) for line, rule, text in found if rule not in ALLOW.findall(lines[line - 1])})


def main(arguments: list[str]) -> int:
    paths = [Path(argument) for argument in arguments]
    missing = [path for path in paths if not path.exists()]
    if missing or not paths:
        print(f"no such file or folder: {missing[0]}" if missing else __doc__, file=sys.stderr)
        return 2
    files = [f for path in paths for f in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    sources = {path: path.read_text(encoding="utf-8") for path in files}
    blocks = set().union(*(block_names(ast.parse(source, str(path))) for path, source in sources.items()))
    count = 0
    for path, source in sources.items():
        for line, rule, message in check(source, blocks, str(path)):
            print(f"{path}:{line}: {rule}: {message}")
            count += 1
    print(f"{len(files)} files, {count} findings")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
