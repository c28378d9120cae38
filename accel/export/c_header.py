"""``radit_regs.h``: registers, fields, limits and codes of one build as C, from the lists that the RTL is made of."""

from collections.abc import Iterator

from radit.accel.axi.bus_config import BusConfig
from radit.accel.axi.bus_ports import STROBE_BITS
from radit.accel.axi.bus_registers import CODE as BUS_CODE
from radit.accel.axi.bus_registers import bus_addresses
from radit.accel.config import BuildConfig
from radit.accel.control.register_rules import register_rules
from radit.accel.control.registers import (
    ADDRESS,
    CODE,
    COUNTER_ADDRESS,
    ERRORS,
    REGISTERS,
    build_constants,
    missing_counters,
    stored_registers,
)

HEADER_FILE = "radit_regs.h"
GUARD = "RADIT_REGS_H"


def header_text(config: BuildConfig, bus: BusConfig | None = None) -> str:
    """The header of a build; addresses count words of 32 bits, with ``bus`` bytes."""
    unit = "words of the register port (32 bits)" if bus is None else "bytes"
    lines = [
        f"/* Registers of the accelerator, {config}.",
        f" * Addresses are in {unit}. Written by radit export; docs/interface.md explains. */",
        f"#ifndef {GUARD}",
        f"#define {GUARD}",
    ]
    for title, names in _parts(config, bus).items():
        lines += ["", f"/* {title} */", *(f"#define RADIT_{name} {value}" for name, value in names)]
    return "\n".join([*lines, "", "#endif", ""])


def _parts(config: BuildConfig, bus: BusConfig | None) -> dict[str, list[tuple[str, str]]]:
    scale = 1 if bus is None else STROBE_BITS
    parts = {
        "Registers that this build has": list(_addresses(config, scale)),
        "Their fields": list(_fields(config)),
        "What the registers may hold: from LOW to HIGH in multiples of STEP": list(_limits(config)),
        "What the constant registers read as": [
            (f"BUILD_{name.upper()}", _hex(value)) for name, value in build_constants(config).items()
        ],
        "Codes of errors in register status": [
            (f"ERROR_{name}", f"{CODE[name]}u /* {meaning} */") for name, meaning in ERRORS.items()
        ],
        "Counters, low word; the high word follows": [
            (f"COUNTER_{name.upper()}", _hex(scale * low))
            for name, low in COUNTER_ADDRESS.items()
            if config.counters and name not in missing_counters(config)
        ],
    }
    if bus is not None:
        parts["Registers of the AXI wrapper"] = [
            (f"BUS_{name.upper()}", _hex(address)) for name, address in bus_addresses(config).items()
        ]
        parts["Codes of its register error"] = [(f"BUS_ERROR_{name}", f"{code}u") for name, code in BUS_CODE.items()]
    return {title: names for title, names in parts.items() if names}


def _hex(value: int) -> str:
    return f"{value:#x}u"


def _built(config: BuildConfig) -> list[str]:
    """Names of the registers that a build has, stored or not, in order."""
    stored = set(stored_registers(config))
    return [name for name, each in REGISTERS.items() if each.access != "write" or name in stored]


def _addresses(config: BuildConfig, scale: int) -> Iterator[tuple[str, str]]:
    for name in _built(config):
        yield f"REG_{name.upper()}", f"{_hex(scale * ADDRESS[name])} /* {REGISTERS[name].meaning} */"


def _fields(config: BuildConfig) -> Iterator[tuple[str, str]]:
    for name in _built(config):
        register = REGISTERS[name]
        if not register.fields:
            yield f"{name.upper()}_MASK", _hex((1 << register.bits) - 1)
        for field in register.fields:
            part = f"{name}_{field.name}".upper()
            yield f"{part}_SHIFT", str(field.low)
            yield f"{part}_MASK", _hex(((1 << field.bits) - 1) << field.low)


def _limits(config: BuildConfig) -> Iterator[tuple[str, str]]:
    for rule in register_rules(config):
        if rule.kind == "limit" and not rule.when:
            for part in ("low", "high", "step"):
                yield f"{rule.register}_{part}".upper(), f"{getattr(rule, part)}u"
