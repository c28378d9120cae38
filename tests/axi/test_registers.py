"""The one list of the wrapper's registers: where they are, what is documented and exported."""

import json

from radit.accel.axi.bus_config import MEMORY_OF, BusConfig, bridged_ports, memories
from radit.accel.axi.bus_registers import FIRST_BYTE, bus_addresses, bus_registers, constant_values
from radit.accel.config import BuildConfig
from radit.accel.control.registers import ADDRESS, COUNTER_ADDRESS
from radit.accel.export.interface_map import AXI_DOCUMENT, AXI_PARTS, map_text, updated
from radit.accel.interfaces.top_ports import memory_ports

BUILD = BuildConfig(8, 16, products=2)


def test_the_documented_tables_are_current():
    text = AXI_DOCUMENT.read_text(encoding="utf-8")
    assert updated(text, AXI_PARTS) == text, "run: python -m radit.accel.export.interface_map"


def test_registers_follow_the_accelerators():
    where = bus_addresses(BUILD)
    assert list(where.values()) == list(range(FIRST_BYTE, FIRST_BYTE + 4 * len(where), 4))
    assert 4 * (max(COUNTER_ADDRESS.values()) + 1) < FIRST_BYTE and max(where.values()) < 2 * FIRST_BYTE


def test_every_port_has_a_memory_with_a_base_address():
    bridged = [port for way in (False, True) for port in bridged_ports(BUILD, is_write=way)]
    assert {port.name for port in bridged} == {port.name for port in memory_ports(BUILD)} | {"x_in", "x_out"}
    registers = bus_registers(BUILD)
    for port in bridged:
        assert port.memory == MEMORY_OF.get(port.name, port.name) and port.memory in memories(BUILD)
        assert {f"{port.memory}_base_low", f"{port.memory}_base_high"} <= registers.keys()
        assert port.word_bytes & (port.word_bytes - 1) == 0


def test_the_build_can_be_read():
    names, bus = list(bus_registers(BUILD)), BusConfig(512, 48)
    values = dict(zip(names, constant_values(BUILD, bus), strict=False))
    assert values["array"].to_bytes(4, "little") == bytes([8, 16, 2, 1])
    assert values["bus"] == 48 << 16 | 512 and values["max_mlp"] == BUILD.max_mlp
    assert values["identification"].to_bytes(4, "big") == b"RADT"
    assert all(bus_registers(BUILD)[name].access == "constant" for name in values)


def test_the_map_tells_what_the_documents_do():
    told = json.loads(map_text(BUILD, BusConfig()))
    found = {one["name"]: one["byte_address"] for one in told["registers"]}
    assert bus_addresses(BUILD).items() <= found.items() and found["mod_base"] == 4 * ADDRESS["mod_base"]
    assert len(set(found.values())) == len(found)
