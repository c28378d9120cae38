"""The rules of the house that no other tool checks: same stem everywhere, short files, one direction of imports."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from house import MOST_ARGUMENTS, MOST_COLUMNS, MOST_LINES, House, beyond
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from radit.model.source_code import direct_imports

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ["model", "accel", "cosim", "reports"]  # each may import the ones before it
BESIDE = ["radit", "tools", "tests", "examples"]
MAX_LINES = 400

# Units that only move or store data: no golden function of their own.
NO_ARITHMETIC = {"delay_lines", "fifo", "lanes", "ram"}
# Golden functions that other golden functions use; no unit of their own.
NO_UNIT = {"rounding"}


def stems(folder: str) -> set[str]:
    return {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__"}


def modules(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


def imports(path: Path) -> set[str]:
    """Layers and top-level names of everything a file imports, wherever in the file it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            found |= {layer_of(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(layer_of(node.module or ""))
    return found


def layer_of(module: str) -> str:
    """Of radit.model.ops, model; of any other module, its top-level name."""
    top, inside = (*module.split("."), "")[:2]
    return inside if top == "radit" and inside in LAYERS else top


def test_layers_are_imported_under_one_name():
    """As radit.model, not as model: installed, there is no package of that name, and here it would be a second copy."""
    found = {}
    for path in [path for folder in [*LAYERS, *BESIDE] for path in modules(folder)]:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0}
        if wrong := {name.partition(".")[0] for name in names} & set(LAYERS):
            found[path.relative_to(ROOT)] = wrong
    assert found == {}


def test_layers_are_part_of_the_package():
    """Links in radit/ to the four folders, for checkouts; the wheel holds the folders themselves."""
    assert {layer: (ROOT / "radit" / layer).readlink().as_posix() for layer in LAYERS} == {
        layer: f"../{layer}" for layer in LAYERS
    }


def test_every_unit_has_a_golden_function():
    assert stems("accel/units") - stems("model/ops") - NO_ARITHMETIC == set(), "write model/ops/<unit>.py"


def test_every_golden_function_has_a_unit():
    assert stems("model/ops") - stems("accel/units") - NO_UNIT == set(), "write accel/units/<unit>.py"


def test_every_unit_has_a_test():
    tests = {stem.removeprefix("test_") for stem in stems("tests/units")}
    assert stems("accel/units") - tests == set(), "write tests/units/test_<unit>.py"


def test_the_exceptions_are_still_needed():
    assert NO_ARITHMETIC <= stems("accel/units") - stems("model/ops")
    assert NO_UNIT <= stems("model/ops") - stems("accel/units")


def test_files_are_short():
    files = [path for folder in [*LAYERS, *BESIDE] for path in modules(folder)]
    lengths = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {path: length for path, length in lengths.items() if length >= MAX_LINES} == {}, "split them"


def test_functions_are_short():
    """Without their docstrings; a block's processes count by themselves."""
    assert beyond(House(ROOT).function_lines(), MOST_LINES) == []


def test_lines_of_documents_are_short():
    """Generated tables too."""
    assert beyond(House(ROOT).markdown_columns(), MOST_COLUMNS) == []


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_one_way(layer):
    later = {*LAYERS[LAYERS.index(layer) + 1 :], "radit", "tests", "tools"}
    wrong = {path.relative_to(ROOT): imports(path) & later for path in modules(layer)}
    assert {path: names for path, names in wrong.items() if names} == {}


def test_the_hardware_does_not_import_torch():
    wrong = [path.relative_to(ROOT) for path in modules("accel") if "torch" in imports(path)]
    assert wrong == []


def test_torch_is_not_loaded_for_hardware_or_help():
    """Nor through anything that accel and the command line import."""
    names = [*map(name_of, modules("accel")), "radit"]
    program = f"import sys; sys.modules['torch'] = None; import {', '.join(names)}"  # None: importing it is an error
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


# What may print: a protocol between processes, and what shows other people's texts without markup and escape codes.
PRINTING = {Path("cosim/speed/vectors.py"), Path("radit/terminal/console.py")}
CONSOLES = {"model/console.py"}  # where the terminal library's consoles and bars are made


def prints(path: Path) -> bool:
    """Whether a file calls print, but for what it does as a program."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    library = [node for node in tree.body if not (isinstance(node, ast.If) and "__main__" in ast.unparse(node.test))]
    calls = (node for part in library for node in ast.walk(part) if isinstance(node, ast.Call))
    return any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls)


def test_only_the_commands_print():
    """Layers tell the logger "radit" and the callbacks they are given (radit/terminal shows both)."""
    found = {path.relative_to(ROOT) for layer in LAYERS for path in modules(layer) if prints(path)}
    found |= {path.relative_to(ROOT) for path in modules("radit") if prints(path)}
    assert found == PRINTING


def test_consoles_are_made_in_one_place():
    """Which takes no text for markup."""
    texts = {path: path.read_text(encoding="utf-8") for folder in (*LAYERS, "radit") for path in modules(folder)}
    makers = re.compile(r"[^`]\b(Console|Progress|TextColumn)\(")
    found = {str(path.relative_to(ROOT)) for path, text in texts.items() if "from rich" in text and makers.search(text)}
    assert found == CONSOLES


def test_everything_installed_is_pinned():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(re.fullmatch(r"([\w.-]+)==([\w.]+)", line).groups() for line in lines if line and line[0] != "#")
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    try:
        todo = [Requirement("radit[test,docs]")]
        importlib.metadata.distribution("radit")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("radit is not installed in this Python: run through tox or make test")
    seen = set()
    while todo:
        wanted = todo.pop()
        if (key := (wanted.name, *sorted(wanted.extras))) in seen:
            continue
        seen.add(key)
        found = importlib.metadata.distribution(wanted.name)
        if wanted.name != "radit":
            assert pins.get(canonicalize_name(wanted.name)) == found.version.split("+")[0], f"pin {wanted.name}"
        for text in found.requires or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in (wanted.extras or {""})):
                todo.append(requirement)


# Rooms (packages of a layer, or modules at its top) from the lowest up: each imports only from rooms before it.
ROOMS = {
    "model": "errors plain_text console ranges reading files source_code system outputs result_folder limits schema "
    "settings_text formats roms threads ops differences weights text dit training integer policy baselines detectors "
    "comparison quality tuning",
    "accel": "config dims interfaces units memory control sequencers array cache residual_pass trace top axi "
    "export host",
    "cosim": "support pack engines scoreboard driver run_state prepare image run testbench speed drive",
    "reports": "common cost cycles energy machine run project bench area timing synth frontier ablation differences "
    "explore crosscheck results",
}
ANY_SIZE = {"units", "ops"}
MAX_FILES = 15


def room_of(module: str) -> str:
    return module.split(".")[2]


def name_of(path: Path) -> str:
    """The module that a file of a layer is."""
    return ".".join(("radit", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


@pytest.mark.parametrize("layer", LAYERS)
def test_rooms_import_one_way(layer):
    order = ROOMS[layer].split()
    wrong = set()
    for path in modules(layer):
        here, top = name_of(path), f"radit.{layer}"
        if here == top:
            continue
        for module in direct_imports(here) - {here, top}:
            if module.startswith(f"{top}.") and order.index(room_of(module)) > order.index(room_of(here)):
                wrong.add(f"{here} imports {module}")
    assert wrong == set()


@pytest.mark.parametrize("layer", LAYERS)
def test_rooms_are_small(layer):
    counts = Counter(path.parent.relative_to(ROOT) for path in modules(layer) if path.stem != "__init__")
    assert {room: count for room, count in counts.items() if count > MAX_FILES and room.name not in ANY_SIZE} == {}


@pytest.mark.parametrize("layer", [*LAYERS, "radit"])
def test_a_layer_has_no_class_name_twice(layer):
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in modules(layer)]
    names = Counter(node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert {name: count for name, count in names.items() if count > 1} == {}, "rename one by what it is"


# Bundles: signals that travel together are one interface.
MAX_TOP_LINES = 80


def decorated(node: ast.AST, name: str) -> bool:
    """A function with this decorator."""
    return isinstance(node, ast.FunctionDef) and any(
        name == getattr(each.func if isinstance(each, ast.Call) else each, "id", "") for each in node.decorator_list
    )


def blocks_of(path: Path) -> list[ast.FunctionDef]:
    """The MyHDL blocks of a file, inner ones included."""
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if decorated(node, "block")]


def between_top_and_units() -> list[Path]:
    return [path for path in modules("accel") if path.parent.name != "units"]


def test_blocks_take_few_arguments():
    counts = House(ROOT).block_arguments()
    assert len(counts) > 50 and beyond(counts, MOST_ARGUMENTS) == [], "bundle what travels together"
    for path in between_top_and_units():
        for block in blocks_of(path):
            assert not block.args.vararg and not block.args.kwarg, f"{block.name} takes any argument"


def test_blocks_are_called_by_keyword():
    names = {block.name for path in modules("accel") for block in blocks_of(path)}
    wrong, right = set(), 0
    for path in between_top_and_units():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in names:
                right += not node.args
                if node.args:
                    wrong.add(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert right > 50 and wrong == set()


def test_the_top_is_wiring():
    (top,) = blocks_of(ROOT / "accel/top.py")
    processes = [node.name for node in ast.walk(top) if isinstance(node, ast.FunctionDef) and node is not top]
    assert top.end_lineno - top.lineno + 1 < MAX_TOP_LINES and processes == []


def test_blocks_are_short():
    """With docstring and processes; the top has a limit of its own."""
    blocks = [block for path in between_top_and_units() for block in blocks_of(path) if block.name != "radit_top"]
    lengths = {block.name: block.end_lineno - block.lineno + 1 for block in blocks}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def signals_of(interface: ast.ClassDef) -> set[str]:
    """What its constructor puts into ``self``, other than by a loop."""
    return {
        target.attr
        for node in ast.walk(interface)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute) and getattr(target.value, "id", "") == "self"
    }


def test_interfaces_name_their_signals():
    seen, missing = 0, set()
    for path in modules("accel/interfaces"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                words = set(re.findall(r"\w+", ast.get_docstring(node) or ""))
                seen += len(signals_of(node))
                missing |= {f"{node.name}.{name}" for name in signals_of(node) - words}
    assert seen > 100 and missing == set(), "say what each signal is in the class's docstring"
