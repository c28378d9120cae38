"""The comments of the exported HDL: every process lies below a headline that names its instance and file."""

import re
from collections import Counter
from pathlib import Path

import pytest

from radit.accel.axi.bus_config import BusConfig
from radit.accel.config import BuildConfig
from radit.accel.export.convert import AXI_TOP, TOP, convert
from radit.accel.export.hierarchy import COMMENT, RULE
from radit.model.system.processes import in_thread

ROOT = Path(__file__).resolve().parents[2]
SMALL = BuildConfig(rows=4, cols=4, max_hidden=8, max_mlp=8, max_tokens=16, max_sub_blocks=2)
PROCESS = {
    "verilog": re.compile(r"(?:always|assign|initial)\b.*"),
    "vhdl": re.compile(r"\w+(?:\(.*?\))? <= .*|\w+: process.*|with .* select"),
}
LABEL = {"verilog": re.compile(r"always .*begin: (\w+)"), "vhdl": re.compile(r"(\w+): process.*")}
HEADLINE = re.compile(rf"(?://|--) {RULE} ([\w.]+) \(([\w/]+\.py)\)(?:: .+)?")
ENTRY = re.compile(r"(?://|--) ( +)(\w+?\d+)(?: to (\w+\d+))? \((.+?\.py)\)(?:: .+)?")


@pytest.fixture(scope="module", params=COMMENT)
def language(request):
    return request.param


@pytest.fixture(scope="module")
def lines(language, tmp_path_factory):
    return in_thread(convert, SMALL, language, tmp_path_factory.mktemp(language)).read_text().splitlines()


def sections(lines: list[str], language: str) -> list[tuple[re.Match | None, str]]:
    """Every process and assignment outside of one, with the headline above it."""
    found, head = [], None
    for line in lines:
        if match := HEADLINE.fullmatch(line):
            head = match
        elif PROCESS[language].fullmatch(line):
            found.append((head, line))
    return found


def test_every_process_lies_below_its_instance(lines, language):
    found = sections(lines, language)
    assert len(found) > 900 and all(head for head, _ in found)
    assert all((ROOT / head[2]).is_file() for head, _ in found)
    labels = [(head, label) for head, line in found if (label := LABEL[language].fullmatch(line))]
    assert len(labels) > 300
    for head, label in labels:
        instance = "" if head[1] == TOP else f"{head[1].replace('.', '_')}_"
        assert label[1].lower().startswith(instance.lower())
    assert len({head[1] for head, _ in found}) > 300


def test_the_list_of_instances_is_at_the_top(lines):
    entries = [match for line in lines if (match := ENTRY.fullmatch(line))]
    assert lines.index(entries[-1][0]) == 3 + len(entries)  # a title, an empty line and two that explain come first
    assert all((ROOT / entry[4]).is_file() for entry in entries)
    blocks = Counter(re.sub(r"\d+$", "", entry[2]) for entry in entries)
    assert {"residual_pass", "skip_controller", "ccu_lane", "mac_row", "fetch_operands"} <= blocks.keys()
    assert [entry[3] for entry in entries if entry[2] == "mac_row0"] == ["mac_row3"]
    headed = {match[1].split(".")[-1] for line in lines if (match := HEADLINE.fullmatch(line))}
    assert {entry[2] for entry in entries} & headed and TOP in headed


def test_the_wrapper_has_them_too(tmp_path):
    text = in_thread(convert, SMALL, "verilog", tmp_path, AXI_TOP, BusConfig(data_bits=64)).read_text()
    assert "// ---- axi_shell0.lite_side0 (accel/axi/lite_side.py): " in text
    assert "// ---- radit_top0.step_mode0 (accel/control/step_mode.py): " in text
