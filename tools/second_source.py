"""Compute the values of reports/tables/second-source.toml that come from packages, and print them.

hwcomponents needs Python 3.12 or newer, which the project does not: run this with an environment of its own.

    python3.12 -m venv /tmp/second && /tmp/second/bin/pip install hwcomponents hwcomponents-cacti \
        hwcomponents-library energydram
    /tmp/second/bin/python tools/second_source.py

The program in hwcomponents-cacti needs glibc 2.38; on an older system compile it from the sources that lie beside it:
``g++ -O1 -DNTHREADS=4 *.cc -pthread -o cacti`` in the folder ``hwcomponents_cacti/cacti``, without the option -c.
"""

from __future__ import annotations

from typing import Any

NODE = 28e-9  # m
PICO = 1e-12
KIB = 8192  # bits
MEMORIES = ((8, 64), (32, 64), (64, 512), (256, 512), (1024, 512), (4096, 512))  # KiB, bits
LPDDR3_BURST, LPDDR3_ROW = 256, 4 * KIB  # bits
BURST_CYCLES = 4


def picojoules(component: Any, action: str) -> float:
    """Energy of an action."""
    return float(getattr(component, action)().energy / PICO)


def logic() -> dict[str, float]:
    """Arithmetic and registers, pJ."""
    from hwcomponents_library.library import aladdin

    return {
        "mac_int8": picojoules(aladdin.AladdinIntMAC(NODE, adder_width=32, multiplier_width=8), "mac"),
        "multiply_bit2": picojoules(aladdin.AladdinMultiplier(NODE, width=32), "multiply") / 32**2,
        "add_bit": picojoules(aladdin.AladdinAdder(NODE, 32), "add") / 32,
        "register_bit": picojoules(aladdin.AladdinRegister(NODE, 1), "read"),
    }


def memories() -> dict[str, tuple[float, float]]:
    """On-chip memories: pJ of a read, and a write over a read."""
    from hwcomponents_cacti import SRAM

    found = {}
    for kib, width in MEMORIES:
        memory = SRAM(tech_node=NODE, width=width, size=kib * KIB)
        read = picojoules(memory, "read")
        found[f"{kib} KiB x {width} bit"] = read, picojoules(memory, "write") / read
    return found


def external() -> dict[str, float]:
    """External memories, pJ per bit read; of LPDDR3 with the currents that energydram's tests hold."""
    import energydram
    from energydram.tests.test_energy_lpddr import TestEnergyDDR as Sheet
    from hwcomponents_cacti import HBM2, HBM3, LPDDR4

    chip = energydram.EnergyLPDDR(
        Sheet.tck, Sheet.timing, Sheet.vdd1, Sheet.idds1, Sheet.vdd2, Sheet.idds2, Sheet.vddcaq, Sheet.iddsin,
        Sheet.chipcnt, ddr=3,
    )  # fmt: skip
    burst = chip.readwrite_energy(1, 0) + chip.background_energy(cycles_bankact_ckehi=BURST_CYCLES)
    widths = {LPDDR4: 64, HBM2: 2048, HBM3: 2048}
    listed = {kind.__name__: picojoules(kind(width), "read") / width for kind, width in widths.items()}
    return listed | {"LPDDR3, energydram": burst / LPDDR3_BURST + chip.activate_energy(1) / LPDDR3_ROW}


if __name__ == "__main__":
    for name, value in {**logic(), **external()}.items():
        print(f"{name}: {value:.4g} pJ")
    for name, (read, ratio) in memories().items():
        print(f"SRAM {name}: {read:.4g} pJ, write / read {ratio:.3f}")
