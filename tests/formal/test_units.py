"""Bounded proofs of the host's side, the skip controller and the FIFO; every planted fault breaks one."""

import pytest

from tests.formal.host_properties import REGISTER_CUTS, lite_rules, register_rules
from tests.formal.prove import first_failure
from tests.formal.unit_properties import SKIP_CUTS, fifo_rules, skip_rules
from tests.formal.units import converted, tops

pytestmark = pytest.mark.needs("yosys")
# Cycles from reset, the reset's own included; a decision of the skip controller takes ten.
DEPTHS = {"fifo": 18, "lite": 28, "registers": 20, "skips": 43}
RULES = {"fifo": fifo_rules, "lite": lite_rules, "registers": register_rules, "skips": skip_rules}
CUTS = {"registers": REGISTER_CUTS, "skips": SKIP_CUTS}
STATE, COMPARE = "skip_controller0_dtsm_unit0_state_memory0", "skip_controller0_dtsm_unit0_compare0"
WRITES, STARTS = "register_file0_sort_writes0", "register_file0_start_runs0"
FAULTS = {
    "a full FIFO takes a word": ("fifo", "stream_fifo0_ready = (stream_fifo0_count != 4)", "stream_fifo0_ready = 1"),
    "a FIFO drops what waits": ("fifo", "&& (dst_tready || (!stream_fifo0_shown)))", ")"),
    "a FIFO repeats a word": ("fifo", "stream_fifo0_raddr <= (stream_fifo0_raddr + 1);", ""),
    "a FIFO forgets one at the end": ("fifo", "(stream_fifo0_stored != 0) &&", "(stream_fifo0_stored > 1) &&"),
    "a write's answer does not wait": ("lite", "if (s_axil_bready) begin", "if (1) begin"),
    "a read's data does not wait": ("lite", "if (s_axil_rready) begin", "if (1) begin"),
    "a write is taken in the way of an answer": ("lite", "&& s_axil_wvalid && (!s_axil_bvalid));",
                                                 "&& s_axil_wvalid);"),
    "a read is never answered": ("lite", "s_axil_rvalid <= 1;", "s_axil_rvalid <= (lite_side0_host_addr != 5);"),
    "an answer without an access": ("lite", "2'b00: begin\n                if (lite_side0_may_write) begin",
                                    "2'b00: begin\n                if (run_ended) s_axil_bvalid <= 1;\n"
                                    "                if (lite_side0_may_write) begin"),
    "a write without its strobes": ("lite", "(s_axil_wstrb == 15)", "(s_axil_wstrb != 0)"),
    "a refused write is answered OKAY": ("lite", "s_axil_bresp <= 2;", "s_axil_bresp <= 0;"),
    "an illegal answer": ("lite", "s_axil_bresp <= 2;", "s_axil_bresp <= 1;"),
    "written while busy": ("lite", "(run_busy && (host_registers0_pass_registers0_is_base ||",
                           "(run_busy && host_registers0_pass_registers0_is_base && (1 ||"),
    "two registers of one address": ("lite", "(lite_side0_host_addr[9-1:0] == 16)",
                                     "(lite_side0_host_addr[9-1:0] >= 16)"),
    "the wrapper's registers read as the others": ("lite", "s_axil_rdata <= lite_side0_host_rdata;",
                                                   "s_axil_rdata <= reg_rdata;"),
    "a write changes its neighbour": ("registers", "(register_file0_stored_register0_reg_addr == 9)",
                                      "(register_file0_stored_register0_reg_addr[8:1] == 4)"),
    "registers open while busy": ("registers", f"{WRITES}_allowed = ((!{WRITES}_guard_busy) ||",
                                  f"{WRITES}_allowed = ((!host_running) ||"),
    "an unknown address is a register": ("registers", "(register_file0_stored_register0_reg_addr == 42)",
                                         "(register_file0_stored_register0_reg_addr[6:0] == 42)"),
    "a register reads as another": ("registers", "if ((reg_addr == 33)) begin", "if ((reg_addr == 32)) begin"),
    "START while busy": ("registers", f"{WRITES}_begins && reg_wdata[0] && (!{WRITES}_guard_busy))",
                         f"{WRITES}_begins && reg_wdata[0])"),
    "a refused START leaves no error": ("registers", f"({WRITES}_guard_busy && {WRITES}_commands && {WRITES}_begins)",
                                        "0"),
    "a START that nobody asked for": ("registers", f"{STARTS}_verdict_passes);",
                                      f"{STARTS}_verdict_passes) || run_fails;"),
    "reuse of nothing": ("skips", f"{COMPARE}_allowed <= (skip_controller0_dtsm_unit0_known &&",
                         f"{COMPARE}_allowed <= ("),
    "reuse across images": ("skips", f"if (host_new_image) begin\n            {STATE}_known_bits <= 0;",
                            f"if (host_new_image) begin\n            {STATE}_known_bits[0] <= 0;"),
    "a streak too long": ("skips", "(skip_controller0_dtsm_unit0_streak < regs_max_streak)",
                          "(skip_controller0_dtsm_unit0_streak <= regs_max_streak)"),
    "forced, and reused": ("skips", "&& (!header_force) &&", "&&"),
    "contexts share a memory": ("skips", "skip_controller0_unit_index = decisions_decision_index[2-1:0]",
                                "skip_controller0_unit_index = decisions_decision_index[2-1:1] * 2"),
    "a context answers for another": ("skips", "decisions_computes_contexts[i] <= (!decisions_decision_reuse);",
                                      "decisions_computes_contexts[0] <= (!decisions_decision_reuse);"),
    "the streak is not kept": ("skips", f"{STATE}_next_streak = (skip_controller0_dtsm_unit0_streak + 1);",
                               f"{STATE}_next_streak = skip_controller0_dtsm_unit0_streak;"),
    "the other slot": ("skips", "(skip_controller0_dtsm_unit0_known && (!skip_controller0_dtsm_unit0_last_slot));",
                       "0;"),
    "a follower leads": ("skips", "turn_leads = (!header_plan[1]);", "turn_leads = (!header_plan[0]);"),
    "a context is left out": ("skips", "(skip_controller0_take_turns0_next_turn == regs_contexts)", "1"),
}  # fmt: skip


@pytest.fixture(scope="module")
def verilog(tmp_path_factory) -> dict[str, str]:
    return {name: converted(name, tmp_path_factory.mktemp(name)) for name in tops()}


@pytest.mark.parametrize("unit", DEPTHS)
def test_no_rule_is_broken(unit, verilog, tmp_path):
    assert first_failure(verilog[unit], RULES[unit](), unit, DEPTHS[unit], tmp_path, CUTS.get(unit, ())) is None


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault, verilog, tmp_path):
    unit, old, new = FAULTS[fault]
    assert verilog[unit].count(old) == 1, f"{fault}: plant it anew"
    changed = verilog[unit].replace(old, new)
    assert first_failure(changed, RULES[unit](), unit, DEPTHS[unit], tmp_path, CUTS.get(unit, ())) is not None
