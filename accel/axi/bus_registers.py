"""The wrapper's own registers: the one list that its RTL, its documentation and its drivers share.

The accelerator's registers and counters (``accel/control/registers.py``) stand at byte address 4 x their own address;
the wrapper's follow from ``FIRST_BYTE`` on, 4 bytes each, in the order of the list.
"""

from typing import NamedTuple

from radit.accel.axi.bus_config import PAGE_BYTES, BusConfig, bridged_ports, memories
from radit.accel.axi.bus_ports import STROBE_BITS
from radit.accel.config import BuildConfig, log2_exact
from radit.accel.control.registers import build_constants
from radit.accel.interfaces.top_ports import REGISTER_ADDRESS_BITS, REGISTER_DATA_BITS

FIRST_BYTE = STROBE_BITS << REGISTER_ADDRESS_BITS
IDENTIFICATION = int.from_bytes(b"RADT", "big")
VERSION = 1, 1  # of the wrapper's registers: major where a driver must change
DONE_BIT, FAULT_BIT = range(2)  # of the interrupts
INTERRUPTS = FAULT_BIT + 1
PAGE_SHIFT = log2_exact(PAGE_BYTES)

# Codes of an error.
ERRORS = {
    "SLVERR": "a memory answered SLVERR",
    "DECERR": "the interconnect answered DECERR: nothing is at that address",
    "BUSY": "a register was written while busy; the write was left out",
    "BASE": f"a base address is no multiple of {PAGE_BYTES}; the write was left out",
    "INSIDE": "the accelerator refused or ended something: its register status says what, and has to be cleared",
}
CODE = {name: code for code, name in enumerate(ERRORS, 1)}
WRITE_PLACE, PORT_PLACE = 3, 4  # in register error
ERROR_BITS = 8


class BusRegister(NamedTuple):
    """Width of a register, who may do what, and what stands in it.

    ``access``: "constant", "read", "write" (and read back) or "clear" (write 1 to clear a bit).
    """

    bits: int
    access: str
    meaning: str


def _constants() -> dict[str, str]:
    return {
        "identification": f"{IDENTIFICATION:#010x}, the letters RADT",
        "wrapper_version": "bits 31:16 major, 15:0 minor",
        "array": "bits 7:0 rows, 15:8 columns, 23:16 products of a cell, 31:24 frame banks",
        "max_hidden": "largest D",
        "max_mlp": "largest M",
        "max_tokens": "most tokens of a context",
        "max_contexts": "most contexts",
        "max_sub_blocks": "most sub-blocks",
        "bus": "bits 15:0 data width in bits, 23:16 address width in bits",
        "burst": "beats of the longest burst",
    }


def bus_registers(config: BuildConfig) -> dict[str, BusRegister]:
    """Every register of the wrapper, in order."""
    found = {name: BusRegister(REGISTER_DATA_BITS, "constant", meaning) for name, meaning in _constants().items()}
    found["run_status"] = BusRegister(1, "read", "bit 0 busy: from START, or an abort, until all is answered")
    found["irq_enable"] = BusRegister(INTERRUPTS, "write", f"bit {DONE_BIT} end of a timestep, bit {FAULT_BIT} error")
    found["irq_status"] = BusRegister(INTERRUPTS, "clear", "the same bits: pending; 1 clears")
    found["error"] = BusRegister(
        ERROR_BITS,
        "read",
        "the first since its interrupt was cleared: bits 2:0 code, bit 3 of a write, 7:4 AXI ID",
    )
    for memory in memories(config):
        found[f"{memory}_base_low"] = BusRegister(
            REGISTER_DATA_BITS, "write", f"byte address of memory {memory}, bits 31:{PAGE_SHIFT}; the others are 0"
        )
        found[f"{memory}_base_high"] = BusRegister(REGISTER_DATA_BITS, "write", "the same, bits 63:32")
    return found


def bus_addresses(config: BuildConfig) -> dict[str, int]:
    """Byte address of every register of the wrapper."""
    return {name: FIRST_BYTE + STROBE_BITS * position for position, name in enumerate(bus_registers(config))}


def constant_values(config: BuildConfig, bus: BusConfig) -> tuple[int, ...]:
    """Of the constant registers, in order."""
    major, minor = VERSION
    values = build_constants(config) | {
        "identification": IDENTIFICATION,
        "wrapper_version": major << 16 | minor,
        "bus": bus.data_bits | bus.address_bits << 16,
        "burst": bus.burst_beats,
    }
    return tuple(int(values[name]) for name in _constants())


def port_numbers(config: BuildConfig) -> dict[str, dict[str, int]]:
    """AXI ID of every port, among "read" and among "write"; register error names a port by it."""
    return {
        kind: {port.name: port.number for port in bridged_ports(config, is_write=kind == "write")}
        for kind in ("read", "write")
    }
