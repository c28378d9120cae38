"""The IP-XACT component: read back, it has the ports, registers, fields and resets of the other exported files."""

from xml.etree import ElementTree

import pytest

from radit.accel.axi.bus_config import BusConfig
from radit.accel.config import BuildConfig
from radit.accel.export.convert import convert
from radit.accel.export.interface_map import axi_map, interface_map
from radit.accel.export.ip_xact import COMPONENT_FILE, NAMESPACE, component_text
from radit.model.system.processes import in_thread
from tests.units.replay import VERILOG_PORT

BUILD = BuildConfig(4, 4, max_hidden=8, max_mlp=8, max_tokens=16, max_sub_blocks=2, max_text=3, counters=32)
BUSES = {"radit_top": None, "radit_axi": BusConfig(data_bits=64, address_bits=36)}
AMBA = {
    "AXI4": "AWID AWADDR AWLEN AWSIZE AWBURST AWCACHE AWPROT AWVALID AWREADY WDATA WSTRB WLAST WVALID WREADY BID BRESP "
    "BVALID BREADY ARID ARADDR ARLEN ARSIZE ARBURST ARCACHE ARPROT ARVALID ARREADY RID RDATA RRESP RLAST RVALID RREADY",
    "AXI4-Lite": "AWADDR AWVALID AWREADY WDATA WSTRB WVALID WREADY BRESP BVALID BREADY ARADDR ARVALID ARREADY RDATA "
    "RRESP RVALID RREADY",
    "AXI4Stream": "TDATA TVALID TREADY",
    "clock": "CLK", "reset": "RST", "interrupt": "INTERRUPT",
}  # fmt: skip


@pytest.fixture(scope="module", params=BUSES)
def top(request):
    return request.param


@pytest.fixture(scope="module")
def component(top):
    return ElementTree.fromstring(component_text(BUILD, ("verilog", "vhdl"), BUSES[top]))


def all_of(element, path: str) -> list:
    return element.findall("/".join(f"{{{NAMESPACE}}}{part}" for part in path.split("/")))


def text(element, name: str) -> str:
    found = all_of(element, name)
    assert len(found) == 1
    return found[0].text


def number(element, name: str) -> int:
    written = text(element, name)
    return int(written[2:], 16) if written.startswith("'h") else int(written)


def registers(component) -> dict[str, tuple]:
    """Address, access, and fields: name, place, width, reset, of every register read back."""
    found = {}
    for each in all_of(component, "memoryMaps/memoryMap/addressBlock/register"):
        fields = [
            (
                text(one, "name"),
                number(one, "bitOffset"),
                number(one, "bitWidth"),
                number(*all_of(one, "resets/reset"), "value"),
            )
            for one in all_of(each, "field")
        ]
        assert number(each, "size") == 32 and text(each, "name") not in found
        found[text(each, "name")] = number(each, "addressOffset"), text(each, "access"), fields
    return found


def test_registers_are_those_of_the_map(component, top):
    bus, read = BUSES[top], registers(component)
    told = interface_map(BUILD) if bus is None else axi_map(BUILD, bus)
    place = "address" if bus is None else "byte_address"
    known = {}
    for one in told["registers"]:
        known[f"wrapper_{one['name']}" if one["name"] in known else one["name"]] = one
    counters = {f"{one['name']}_low": one[place] for one in told["counters"]}
    assert read.keys() - counters.keys() < known.keys() and "text_keys_5" not in read and "text_keys_0" in read
    assert {name: read[name][0] for name in read.keys() & counters.keys()}.items() <= counters.items()
    for name in read.keys() - counters.keys():
        address, access, fields = read[name]
        one = known[name]
        assert address == one[place]
        assert access == {"constant": "read-only", "read": "read-only", "command": "write-only"}.get(
            one["access"], "read-write"
        )
        wanted = [(part["name"], part["low"], part["bits"]) for part in one.get("fields") or []]
        assert [part[:3] for part in fields] == (wanted or [(name, 0, one["bits"])])
        if "reset" in one:
            assert sum(reset << low for _, low, _, reset in fields) == one["reset"]
    assert "cycles_low" in read and "cycles_high" not in read  # counters of 32 bits


def test_ports_are_those_of_the_verilog(component, top, tmp_path):
    bus = BUSES[top]
    verilog = in_thread(convert, BUILD, "verilog", tmp_path, top, bus).read_text()
    ports = {name: (way, int(high or 0) + 1) for way, high, name in VERILOG_PORT.findall(verilog)}
    read = {}
    for each in all_of(component, "model/ports/port"):
        left = all_of(each, "wire/vectors/vector/left")
        way = all_of(each, "wire/direction")[0].text
        read[text(each, "name")] = f"{way}put", int(left[0].text) + 1 if left else 1
    assert read == ports
    mapped = [
        one.text
        for one in all_of(
            component, "busInterfaces/busInterface/abstractionTypes/abstractionType/portMaps/portMap/physicalPort/name"
        )
    ]
    assert len(set(mapped)) == len(mapped) > 10 and set(mapped) <= ports.keys()


def test_bus_interfaces_are_complete(component, top):
    for each in all_of(component, "busInterfaces/busInterface"):
        kind = all_of(each, "busType")[0].attrib["name"]
        logical = [
            one.text for one in all_of(each, "abstractionTypes/abstractionType/portMaps/portMap/logicalPort/name")
        ]
        assert sorted(logical) == sorted(AMBA[kind].split())
    names = {text(each, "name") for each in all_of(component, "busInterfaces/busInterface")}
    assert {"clk", "aresetn"} | (
        {"s_x", "m_x", "s_weight"} if top == "radit_top" else {"irq", "s_axil", "m_axi"}
    ) <= names


def test_files_and_parameters_are_told(component, top):
    files = [text(each, "name") for each in all_of(component, "fileSets/fileSet/file")]
    assert files == [f"{top}.v", f"{top}.vhd"] and COMPONENT_FILE[top] == f"{top}.xml"
    parameters = {text(each, "name"): text(each, "value") for each in all_of(component, "parameters/parameter")}
    assert parameters["rows"] == "4" and parameters["max_text"] == "3"
    assert ("address_bits" in parameters) is (top == "radit_axi")


def test_a_reader_of_ip_xact_finds_the_same(component, top, tmp_path):
    reader = pytest.importorskip("ipyxact.ipyxact", reason="ipyxact is not installed")
    path = tmp_path / COMPONENT_FILE[top]
    path.write_text(component_text(BUILD, ("verilog",), BUSES[top]), encoding="utf-8")
    found = reader.Component()
    found.load(str(path))
    read = found.memoryMaps.memoryMap[0].addressBlock[0].register
    assert {each.name: int(each.addressOffset) for each in read} == {
        name: address for name, (address, *_) in registers(component).items()
    }
