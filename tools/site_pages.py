"""Pages of the documentation site that are not in docs/: a hook of MkDocs, named in mkdocs.yml.

- README, ARCHITECTURE and others that lie outside docs/ (``OUTSIDE``).
- A page for every module of every layer, from its docstrings (mkdocstrings reads the source and imports nothing).
- Lists of both the decisions and the modules, put into the navigation.

Links of these pages are those that hold in the repository. A link to a module leads to its page, one to another file
to a copy of that file.
"""

import ast
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "ARCHITECTURE.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "SECURITY.md": "SECURITY.md",
    "examples/README.md": "examples/index.md",
}
LAYERS = ("radit", "model", "accel", "cosim", "reports")
REFERENCE, DECISIONS, FILES = "reference", "decisions", "files"
LINK = re.compile(r"(?<=\]\()(?!#)(?![a-z]+:)([^)#\s]+)(?=[)#])")
CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, and list them in the navigation."""
    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    parts = {DECISIONS: _decisions(files, config), REFERENCE: _reference(files, config)}
    config.nav = [_with_parts(entry, parts) for entry in config.nav or []]
    return files


def _with_parts(entry: dict, parts: dict[str, list]) -> dict:
    """An entry of the navigation, with a list in the place of a part's name."""
    ((title, target),) = entry.items()
    return {title: parts.get(target, target)}


def _decisions(files: Files, config: MkDocsConfig) -> list[str]:
    """Entries of the navigation: a list of the decisions, then each."""
    pages = sorted((ROOT / "docs" / DECISIONS).glob("*.md"))
    lines = ["# Decisions", "", "Why it is built this way: question, decision, reasons, price.", ""]
    lines += [f"- [{_title(page)}]({page.name})" for page in pages]
    index = f"{DECISIONS}/index.md"
    files.append(File.generated(config, index, content="\n".join(lines)))
    return [index, *(f"{DECISIONS}/{page.name}" for page in pages)]


def _title(page: Path) -> str:
    return page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def reference_page(module: Path) -> str:
    """The page of a module, by its path in the repository: accel/units/ccu.py has reference/accel/units/ccu.md."""
    name = "index" if module.stem == "__init__" else module.stem
    return f"{REFERENCE}/{module.parent.as_posix()}/{name}.md"


def module_name(path: Path) -> str:
    """Under which a file or folder of a layer is imported: layers are packages of radit."""
    return ".".join(path.parts if path.parts[0] == LAYERS[0] else (LAYERS[0], *path.parts))


def modules(layer: str) -> list[Path]:
    """Of a layer, without private ones; paths in the repository."""
    found = (path.relative_to(ROOT) for path in (ROOT / layer).rglob("*.py"))
    return sorted(path for path in found if path.stem in ("__init__", "__main__") or not path.stem.startswith("_"))


def _reference(files: Files, config: MkDocsConfig) -> list:
    """Entries of the navigation: a page about all layers, then a section for each, with its rooms as sections."""
    lines = ["# Reference", "", "Every public name of every layer, from its docstring.", ""]
    entries: list = [f"{REFERENCE}/index.md"]
    for layer in LAYERS:
        lines.append(f"- [`{layer}`]({layer}/index.md): {_purpose(ROOT / layer / '__init__.py')}")
        entries.append({layer: _section(Path(layer), files, config)})
    files.append(File.generated(config, entries[0], content="\n".join(lines)))
    return entries


def _section(package: Path, files: Files, config: MkDocsConfig) -> list:
    """Pages of a package and what is in it; entries of the navigation."""
    inside = [path for path in modules(package.as_posix()) if path.parent == package and path.stem != "__init__"]
    folders = (path.parent for path in (ROOT / package).glob("*/__init__.py"))
    rooms = sorted(folder.relative_to(ROOT) for folder in folders if not folder.is_symlink())
    lines = [f"# {module_name(package)}", "", f"::: {module_name(package)}", ""]
    lines += [f"- [`{room.name}`]({room.name}/index.md): {_purpose(ROOT / room / '__init__.py')}" for room in rooms]
    lines += [f"- [`{path.stem}`]({path.stem}.md): {_purpose(ROOT / path)}" for path in inside]
    index = reference_page(package / "__init__.py")
    files.append(File.generated(config, index, content="\n".join(lines)))
    entries: list = [index, *({room.name: _section(room, files, config)} for room in rooms)]
    for path in inside:
        name = module_name(path.with_suffix(""))
        files.append(File.generated(config, reference_page(path), content=f"# {name}\n\n::: {name}\n"))
        entries.append({path.stem: reference_page(path)})
    return entries


def _purpose(module: Path) -> str:
    """The first paragraph of a module's docstring."""
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of a page to where their targets are in the site."""
    here = page.file.src_uri
    if here.startswith(f"{REFERENCE}/"):
        return markdown
    source = next((name for name, target in OUTSIDE.items() if target == here), f"docs/{here}")

    def in_site(match: re.Match) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[0]))
        return posixpath.relpath(_place(target, config, files), posixpath.dirname(here) or ".")

    pieces, end = [], 0
    for code in CODE.finditer(markdown):
        pieces += [LINK.sub(in_site, markdown[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*pieces, LINK.sub(in_site, markdown[end:])])


def _place(target: str, config: MkDocsConfig, files: Files) -> str:
    """Where a path of the repository is in the site; MkDocs warns of one that is nowhere."""
    module, inside = reference_page(Path(target)), target.removeprefix("docs/")
    for place in (OUTSIDE.get(target), module, f"{REFERENCE}/{target}/index.md", inside, f"{inside}/index.md"):
        if place and files.get_file_from_path(place):
            return place
    copied = f"{FILES}/{target}"
    if (ROOT / target).is_file() and Path(target).suffix != ".md" and not files.get_file_from_path(copied):
        files.append(File.generated(config, copied, abs_src_path=str(ROOT / target)))
    return copied
