"""Bounded proofs of the AXI bridges' rules; every planted fault breaks one."""

import pytest

from tests.axi.bridges import NAME, BridgeSet
from tests.formal.properties import BUS, WORDS, data, rules
from tests.formal.prove import first_failure

pytestmark = pytest.mark.needs("yosys")
# Cycles from reset, the reset's own included.
DEPTHS = {"rules r": 13, "rules w": 14, "rules rw": 12, "data r": 11, "data w": 11}
R0, W0, W1 = "memory_side0_read_bridge0", "memory_side0_write_bridge0", "memory_side0_write_bridge1"
W2 = "memory_side0_write_channel0"
FAULTS = {
    "asks without room": ("rules r", f"<= {R0}_room);", "<= 8);"),
    "bursts cross 4 KiB": ("rules r", f"{R0}_split_bursts0_until_end = (2 - ", f"{R0}_split_bursts0_until_end = (2 | "),
    "the address moves": ("rules r", "((!m_axi_arvalid) || m_axi_arready)", "1"),
    "a credit is not taken": (
        "rules r", f"{R0}_room <= ({R0}_room - memory_side0_read_channel0_choose_burst0_counts[0]);", ""
    ),
    "a buffer overflows": ("rules w", f"{W1}_stream_fifo3_ready = ({W1}_stream_fifo3_count != 4)",
                           f"{W1}_stream_fifo3_ready = 1"),
    "wlast is early": ("rules w", f"m_axi_wlast = ({W2}_left == 1)", f"m_axi_wlast = ({W2}_left == 2)"),
    "bursts overlap": ("rules w", f"({W2}_left == 0) && ((!m_axi_awvalid)", "((!m_axi_awvalid)"),
    "idle before the answer": ("rules w", f"({W0}_unanswered == 0)", "1"),
    "the wrong lane": ("data r", "take_run0_pick_lanes0_lane == 3", "take_run0_pick_lanes0_lane == 2"),
    "the wrong port": ("data r", "(m_axi_rid == 1)", "(m_axi_rid == 0)"),
    "the wrong place": ("data r", "(p_r0_cmd_taddr >>> 2)", "(p_r0_cmd_taddr >>> 1)"),
    "strobes stay": ("data w", f"{W0}_words_to_beats0_fill_beat0_used <= 0;\n        end\n        if",
                     "end\n        if"),
}  # fmt: skip


@pytest.fixture(scope="module")
def verilog(tmp_path_factory) -> str:
    return BridgeSet(WORDS, WORDS, BUS).convert(tmp_path_factory.mktemp("bridges")).read_text()


def properties(group: str) -> str:
    kind, ways = group.split()
    return {"rules": rules, "data": data}[kind](ways)


@pytest.mark.parametrize("group", DEPTHS)
def test_no_rule_is_broken(group, verilog, tmp_path):
    assert first_failure(verilog, properties(group), NAME, DEPTHS[group], tmp_path) is None


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault, verilog, tmp_path):
    group, old, new = FAULTS[fault]
    assert verilog.count(old) == 1, f"{fault}: plant it anew"
    failed = first_failure(verilog.replace(old, new), properties(group), NAME, DEPTHS[group], tmp_path)
    assert failed is not None
