"""What a build is synthesized for: Yosys's script, the cells of the family that are counted, and the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from radit.accel.export.convert import TOP

ECP5, XILINX, OSU018 = "ecp5", "xilinx", "osu018"
SOURCE, NETLIST, NETLIST_VERILOG = f"{TOP}.v", f"{TOP}_netlist.json", f"{TOP}_netlist.v"
LUTS, FLIP_FLOPS, BLOCK_RAMS, MULTIPLIERS = "LUTs", "flip-flops", "block RAMs", "multipliers"
COUNTED = (LUTS, FLIP_FLOPS, BLOCK_RAMS, MULTIPLIERS)


@dataclass(frozen=True)
class Family:
    """A family of FPGAs.

    Fields:
        title: for readers.
        command: of Yosys, which maps to it.
        cells: how many of each of ``COUNTED`` a cell of a type takes.
        device: the largest one that is asked, and what it has; none: nothing is placed.
    """

    title: str
    command: str
    cells: Mapping[str, Mapping[str, float]]
    device: str
    room: Mapping[str, int]

    def count(self, by_type: Mapping[str, int]) -> dict[str, float]:
        """Resources of cells by type."""
        return {
            name: sum(each.get(kind, 0) * count for kind, count in by_type.items()) for name, each in self.cells.items()
        }


FAMILIES = {
    ECP5: Family(
        "ECP5",
        f"synth_ecp5 -top {TOP}",
        {
            LUTS: {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4},
            FLIP_FLOPS: {"TRELLIS_FF": 1},
            BLOCK_RAMS: {"DP16KD": 1, "PDPW16KD": 1},
            MULTIPLIERS: {"MULT18X18D": 1},
        },
        "LFE5U-85F",
        {LUTS: 83640, FLIP_FLOPS: 83640, BLOCK_RAMS: 208, MULTIPLIERS: 156},
    ),
    XILINX: Family(
        "Xilinx 7 series",
        f"synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {TOP}",
        {
            LUTS: {
                **{f"LUT{inputs}": 1 for inputs in range(1, 7)}, "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2,
                "SRL16E": 1, "SRLC32E": 1,
            },
            FLIP_FLOPS: {"FDRE": 1, "FDSE": 1, "FDCE": 1, "FDPE": 1},
            BLOCK_RAMS: {"RAMB36E1": 1, "RAMB18E1": 0.5},
            MULTIPLIERS: {"DSP48E1": 1},
        },
        "",
        {},
    ),
}  # fmt: skip
TARGETS = (*FAMILIES, OSU018)


def script_of(family: Family, soft: Sequence[int] = ()) -> str:
    """Yosys's script: from the converted Verilog to a netlist.

    Args:
        soft: lines of the Verilog whose products are made of tables, not of the device's multipliers.
    """
    steps = [f"read_verilog {SOURCE}", f"hierarchy -top {TOP}", "proc", "select -assert-none t:$dlatch"]
    if soft:
        lines = " ".join(f"a:src=*{SOURCE}:{line}.*" for line in soft)
        unions = " ".join(["%u"] * (len(soft) - 1))
        steps += ["opt -nodffe -nosdff", "wreduce", "opt_clean", f"select -set soft {lines} {unions} t:$mul %i"]
        steps += ["select -assert-any @soft", "booth @soft", "select -clear"]
    return "\n".join([*steps, family.command, f"write_json {NETLIST}", f"write_verilog -noattr {NETLIST_VERILOG}", ""])
