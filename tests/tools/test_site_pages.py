"""The documentation site's own pages: every public module has one, links of the repository lead to them.

`tox run -e docs` builds the whole site and takes every warning for an error; these tests need a second.
"""

import pytest

pytest.importorskip("mkdocs", reason="the documentation's packages are not installed: run make setup")

import site_docstrings
import site_pages
from mkdocs.config import load_config
from mkdocs.structure.files import get_files
from mkdocs.structure.pages import Page


@pytest.fixture
def config():
    return load_config(str(site_pages.ROOT / "mkdocs.yml"), plugins=[])  # hooks stay


@pytest.fixture
def files(config):
    return config.plugins.on_files(get_files(config), config=config)


def pages_of(nav) -> list[str]:
    """Of an entry of the navigation: a page, a section of one title, or a list of such."""
    if isinstance(nav, str):
        return [nav]
    return [page for entry in (nav.values() if isinstance(nav, dict) else nav) for page in pages_of(entry)]


def shown(config, files, page: str, text: str) -> str:
    file = files.get_file_from_path(page)
    return config.plugins.on_page_markdown(text, page=Page(None, file, config), config=config, files=files)


def test_the_navigation_names_every_page_once(config, files):
    listed = pages_of(config.nav)
    assert sorted(listed) == sorted(set(listed)) == sorted(file.src_uri for file in files.documentation_pages())


def test_every_public_module_has_a_page(files):
    modules = [path for layer in site_pages.LAYERS for path in (site_pages.ROOT / layer).rglob("*.py")]
    public = {path.relative_to(site_pages.ROOT) for path in modules if not path.stem.startswith("_")}
    assert len(public) > 150
    for module in public:
        page = files.get_file_from_path(f"reference/{module.with_suffix('.md').as_posix()}")
        assert f"::: {site_pages.module_name(module.with_suffix(''))}\n" in page.content_string


@pytest.mark.parametrize(
    "page, written, led",
    [
        ("index.md", "docs/policies.md#formulas", "policies.md#formulas"),
        ("index.md", "docs/decisions/", "decisions/index.md"),
        ("index.md", "accel/units/ccu.py", "reference/accel/units/ccu.md"),
        ("index.md", "model/ops/", "reference/model/ops/index.md"),
        ("policies.md", "../README.md", "index.md"),
        ("policies.md", "results/frontier.svg", "results/frontier.svg"),
        ("decisions/0008-whole-timesteps.md", "../policies.md", "../policies.md"),
        ("policies.md", "../setup.cfg", "files/setup.cfg"),
        ("index.md", "https://example.org/docs/policies.md", "https://example.org/docs/policies.md"),
        ("index.md", "#limits", "#limits"),
    ],
)
def test_links(config, files, page, written, led):
    assert shown(config, files, page, f"see [this]({written}).") == f"see [this]({led})."


def test_code_is_left_alone(config, files):
    text = "`a[i](docs/x.md)`\n\n```\n[x](docs/policies.md)\n```\n"
    assert shown(config, files, "index.md", text) == text


def test_a_linked_file_comes_along(config, files):
    assert files.get_file_from_path("files/LICENSE") is None
    shown(config, files, "index.md", "[terms](LICENSE)")
    assert files.get_file_from_path("files/LICENSE").abs_src_path == str(site_pages.ROOT / "LICENSE")


def test_docstrings():
    entry, rest = "bounds, uJ:\n        both kept.\n", "    name: its own.\n\nRaises:\n    E: x, y: z\n"
    read = site_docstrings.readable(f"A thing.\n\nFields:\n    low, high: {entry}{rest}")
    assert read == f"A thing.\n\nAttributes:\n    low: {entry}    high: {entry}{rest}"
