"""IP-XACT (IEEE 1685-2014) of either top: ports, bus interfaces, registers with fields and resets, parameters.

``component_text`` is what ``radit export`` writes beside the HDL. It is made of the lists that the hardware itself is
made of, like ``interface_map.py``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import NamedTuple
from xml.etree import ElementTree

from radit.accel.axi.bus_config import BusConfig
from radit.accel.axi.bus_ports import BYTE_ADDRESS_BITS, STROBE_BITS, AxiTopPorts
from radit.accel.axi.bus_registers import bus_addresses, bus_registers, constant_values
from radit.accel.config import BuildConfig
from radit.accel.control.registers import (
    ADDRESS,
    COUNTER_ADDRESS,
    COUNTERS,
    REGISTERS,
    build_constants,
    missing_counters,
    stored_registers,
)
from radit.accel.export.convert import AXI_TOP, SUFFIX, TOP
from radit.accel.interfaces.top_ports import REGISTER_ADDRESS_BITS, REGISTER_DATA_BITS, Port, TopPorts

NAMESPACE = "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"
VENDOR, LIBRARY, VERSION = "radit", "accelerator", "1.0"
COMPONENT_FILE = {TOP: f"{TOP}.xml", AXI_TOP: f"{AXI_TOP}.xml"}
FILE_KIND = {"verilog": "verilogSource", "vhdl": "vhdlSource"}
AMBA, SIGNAL = ("amba.com", "AMBA4"), ("xilinx.com", "signal")  # vendor and library of bus definitions
PLAIN = ("vendor", "library", "name", "version", "addressSpaceRef", "memoryMapRef")  # attributes without a namespace
ACCESS = {"constant": "read-only", "read": "read-only", "write": "read-write", "command": "write-only",
          "status": "read-write", "clear": "read-write"}  # fmt: skip
CLEARED = {"status": ("done", "error"), "irq_status": ("irq_status",)}  # fields that a written 1 clears


class MapField(NamedTuple):
    """A field: place, what it is after a reset, access as IP-XACT has it; ``clears``: a written 1 clears it."""

    name: str
    low: int
    bits: int
    reset: int
    access: str
    clears: bool
    meaning: str


class MapRegister(NamedTuple):
    """A register: its number from the map's first, in registers."""

    name: str
    number: int
    access: str
    is_volatile: bool
    meaning: str
    fields: tuple[MapField, ...]


class BusDefinition(NamedTuple):
    """A kind of bus, and of an interface of it the ports by their logical names."""

    owner: tuple[str, str]
    name: str
    abstraction: str
    version: str
    mode: str
    ports: dict[str, str]


def component_text(config: BuildConfig, languages: Sequence[str], bus: BusConfig | None = None) -> str:
    """The component of a build as XML; with ``bus`` the accelerator behind AXI."""
    ElementTree.register_namespace("ipxact", NAMESPACE)
    name, ports = (TOP, TopPorts(config).table()) if bus is None else (AXI_TOP, AxiTopPorts(config, bus).table())
    root = ElementTree.Element(_tag("component"))
    _texts(root, vendor=VENDOR, library=LIBRARY, name=name, version=VERSION)
    interfaces = _add(root, "busInterfaces")
    for interface, definition in bus_interfaces(ports, bus).items():
        _interface(interfaces, interface, definition)
    if bus is not None:
        space = _add(_add(root, "addressSpaces"), "addressSpace")
        _texts(space, name="memories", range=1 << bus.address_bits, width=bus.data_bits, addressUnitBits=8)
    _memory_map(_add(_add(root, "memoryMaps"), "memoryMap"), map_registers(config, bus), bus)
    _model(_add(root, "model"), name, ports, languages)
    _file_sets(_add(root, "fileSets"), name, languages)
    _texts(root, description=f"RADiT, {config}" + ("" if bus is None else f", {bus}"))
    parameters = _add(root, "parameters")
    for parameter, value in {**asdict(config), **({} if bus is None else asdict(bus))}.items():
        each = _add(parameters, "parameter", parameterId=parameter, type="int")
        _texts(each, name=parameter, value=int(value))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def map_registers(config: BuildConfig, bus: BusConfig | None = None) -> list[MapRegister]:
    """Every register that a build has, counters among them, in the order of their addresses."""
    found = [*_registers(config), *_counters(config)]
    if bus is not None:
        found += _bus_registers(config, bus)
    return sorted(found, key=lambda register: register.number)


def _registers(config: BuildConfig) -> Iterable[MapRegister]:
    constants, stored = build_constants(config), set(stored_registers(config))
    for name, each in REGISTERS.items():
        if each.access == "write" and name not in stored:
            continue
        reset, access = constants.get(name, each.reset), ACCESS[each.access]
        places = [(field.name, field.low, field.bits, field.meaning) for field in each.fields]
        fields = [
            _field(name, part, low, bits, reset, access, meaning)
            for part, low, bits, meaning in places or [(name, 0, each.bits, each.meaning)]
        ]
        volatile = each.access == "status"
        yield MapRegister(name, ADDRESS[name], access, volatile, each.meaning, tuple(fields))


def _field(register: str, name: str, low: int, bits: int, reset: int, access: str, meaning: str) -> MapField:
    clears = name in CLEARED.get(register, ())
    own = "read-only" if register in CLEARED and not clears else access
    return MapField(name, low, bits, reset >> low & (1 << bits) - 1, own, clears, meaning)


def _counters(config: BuildConfig) -> Iterable[MapRegister]:
    missing, words = missing_counters(config), config.counters // REGISTER_DATA_BITS
    for name, low in COUNTER_ADDRESS.items():
        for word, half in enumerate(("low", "high")[:words] if name not in missing else ()):
            part, meaning = f"{name}_{half}", f"{COUNTERS[name]}; {half} word"
            field = MapField(part, 0, REGISTER_DATA_BITS, 0, "read-only", False, meaning)
            yield MapRegister(part, low + word, "read-only", True, meaning, (field,))


def _bus_registers(config: BuildConfig, bus: BusConfig) -> Iterable[MapRegister]:
    where, listed = bus_addresses(config), bus_registers(config)
    constants = dict(zip(listed, constant_values(config, bus), strict=False))
    for name, each in listed.items():
        own = name if name not in REGISTERS else f"wrapper_{name}"
        field = _field(name, own, 0, each.bits, constants.get(name, 0), ACCESS[each.access], each.meaning)
        volatile = each.access in ("read", "clear")
        yield MapRegister(own, where[name] // STROBE_BITS, ACCESS[each.access], volatile, each.meaning, (field,))


def bus_interfaces(ports: Sequence[Port], bus: BusConfig | None) -> dict[str, BusDefinition]:
    """Clock, reset, interrupt, and AXI4, AXI4-Lite or AXI4-Stream, each with its ports."""
    names = [port.name for port in ports]
    found = {
        "clk": BusDefinition(SIGNAL, "clock", "clock_rtl", "1.0", "slave", {"CLK": "clk"}),
        "aresetn": BusDefinition(SIGNAL, "reset", "reset_rtl", "1.0", "slave", {"RST": "aresetn"}),
    }
    if bus is None:
        for name in [name.removesuffix("_tdata") for name in names if name.endswith("_tdata")]:
            mode = "master" if name.startswith("m_") else "slave"
            wires = {part.upper(): f"{name}_{part}" for part in ("tdata", "tvalid", "tready")}
            found[name] = BusDefinition(AMBA, "AXI4Stream", "AXI4Stream_rtl", "r0p0_1", mode, wires)
        return found
    found["irq"] = BusDefinition(SIGNAL, "interrupt", "interrupt_rtl", "1.0", "master", {"INTERRUPT": "irq"})
    for name, kind, mode in (("s_axil", "AXI4-Lite", "slave"), ("m_axi", "AXI4", "master")):
        wires = {port.removeprefix(f"{name}_").upper(): port for port in names if port.startswith(f"{name}_")}
        found[name] = BusDefinition(AMBA, kind, f"{kind}_rtl", "r0p0_0", mode, wires)
    return found


def _interface(parent: ElementTree.Element, name: str, definition: BusDefinition) -> None:
    vendor, library = definition.owner
    interface = _add(parent, "busInterface")
    _texts(interface, name=name)
    owner = {"vendor": vendor, "library": library, "version": definition.version}
    _add(interface, "busType", **owner, name=definition.name)
    kind = _add(_add(interface, "abstractionTypes"), "abstractionType")
    _add(kind, "abstractionRef", **owner, name=definition.abstraction)
    wires = _add(kind, "portMaps")
    for logical, physical in definition.ports.items():
        wire = _add(wires, "portMap")
        _texts(_add(wire, "logicalPort"), name=logical)
        _texts(_add(wire, "physicalPort"), name=physical)
    side = _add(interface, definition.mode)
    if name == "m_axi":
        _add(side, "addressSpaceRef", addressSpaceRef="memories")
    elif name == "s_axil":
        _add(side, "memoryMapRef", memoryMapRef="registers")


def _memory_map(parent: ElementTree.Element, registers: list[MapRegister], bus: BusConfig | None) -> None:
    step, size = (1, 1 << REGISTER_ADDRESS_BITS) if bus is None else (STROBE_BITS, 1 << BYTE_ADDRESS_BITS)
    _texts(parent, name="registers")
    block = _add(parent, "addressBlock")
    _texts(block, name="host", baseAddress=0, range=size, width=REGISTER_DATA_BITS, usage="register")
    for register in registers:
        each = _add(block, "register")
        _texts(each, name=register.name, description=register.meaning, addressOffset=f"'h{step * register.number:x}")
        _texts(each, size=REGISTER_DATA_BITS, volatile=str(register.is_volatile).lower(), access=register.access)
        for field in register.fields:
            _register_field(_add(each, "field"), field)
    _texts(parent, addressUnitBits=REGISTER_DATA_BITS if bus is None else 8)


def _register_field(parent: ElementTree.Element, field: MapField) -> None:
    _texts(parent, name=field.name, description=field.meaning, bitOffset=field.low)
    _texts(_add(_add(parent, "resets"), "reset"), value=f"'h{field.reset:x}")
    _texts(parent, bitWidth=field.bits, access=field.access)
    if field.clears:
        _texts(parent, modifiedWriteValue="oneToClear")


def _model(parent: ElementTree.Element, top: str, ports: Sequence[Port], languages: Sequence[str]) -> None:
    views, instances = _add(parent, "views"), _add(parent, "instantiations")
    for language in languages:
        _texts(_add(views, "view"), name=language, componentInstantiationRef=language)
        instance = _add(instances, "componentInstantiation")
        _texts(instance, name=language, language=language, moduleName=top)
        _texts(_add(instance, "fileSetRef"), localName=language)
    listed = _add(parent, "ports")
    for port in ports:
        each = _add(listed, "port")
        _texts(each, name=port.name)
        wire = _add(each, "wire")
        _texts(wire, direction=port.direction)
        if port.bits > 1:
            _texts(_add(_add(wire, "vectors"), "vector"), left=port.bits - 1, right=0)


def _file_sets(parent: ElementTree.Element, top: str, languages: Sequence[str]) -> None:
    for language in languages:
        each = _add(parent, "fileSet")
        _texts(each, name=language)
        _texts(_add(each, "file"), name=f"{top}.{SUFFIX[language]}", fileType=FILE_KIND[language])


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _add(parent: ElementTree.Element, child: str, /, **attributes: str) -> ElementTree.Element:
    named = {key if key in ("parameterId", "type", *PLAIN) else _tag(key): value for key, value in attributes.items()}
    return ElementTree.SubElement(parent, _tag(child), named)


def _texts(parent: ElementTree.Element, /, **children: object) -> None:
    """Children that hold a text each, in order."""
    for name, value in children.items():
        _add(parent, name).text = str(value)
