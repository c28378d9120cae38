"""The code behind a result, as one hash: what stored results and compiled builds are kept under.

What belongs to it follows from the imports. Names and places of files, comments, docstrings and import lines do not
count, so that moving a file makes nothing stale.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # of the four layers: of a checkout, or radit/ where it is installed
LAYERS = ("model", "accel", "cosim", "reports")


def code_digest(*modules: str) -> str:
    """SHA-256 (hex) of all definitions in the named modules and in those of the project that they import.

    Args:
        modules: dotted names, such as "radit.accel.top".
    """
    return definitions_digest(*import_closure(*modules))


def definitions_digest(*modules: str) -> str:
    """SHA-256 (hex) of all definitions in the named modules alone."""
    found = sorted(each for module in modules for each in _definitions(_path(module)))
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def text_digest(*modules: str) -> str:
    """SHA-256 (hex) of places and texts, comments included, of the named modules and of those that they import."""
    texts = [(module, _path(module).read_bytes()) for module in sorted(import_closure(*modules))]
    return hashlib.sha256(repr(texts).encode()).hexdigest()


def import_closure(*modules: str) -> set[str]:
    """The named modules and all of the project that they import, wherever in a file they do."""
    seen: set[str] = set()
    todo = list(modules)
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo += direct_imports(module)
    return seen


def direct_imports(module: str) -> frozenset[str]:
    """Modules of the project that a module names in its imports."""
    return _imports(_path(module))


def _path(module: str) -> Path:
    base = ROOT.joinpath(*module.split(".")[1:])
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _is_module(name: str) -> bool:
    package, layer = (*name.split("."), "")[:2]
    return package == "radit" and layer in LAYERS and _path(name).is_file()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def _imports(path: Path) -> frozenset[str]:
    found = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(name for name in found if _is_module(name))


@cache
def _definitions(path: Path) -> tuple[str, ...]:
    """Every statement of a file but its imports, without docstrings."""
    return tuple(_dumped(_tree(path)))


def _dumped(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:] or [ast.Pass()]
    for statement in tree.body:
        if not isinstance(statement, ast.Import | ast.ImportFrom):
            yield ast.dump(statement)
