"""The bridges alone against cocotbext-axi's memory and one that mixes the answers: words, rules, idle at the end."""

import pytest

from radit.accel.axi.bus_config import BusConfig
from radit.model.errors import UserError
from tests.axi.bridges import NAME, BridgeSet
from tests.axi.simulate import simulate

# Bytes of the words of ports that read and ports that write: narrower and wider than a beat, and as wide.
SETS = {
    "64 bit": BridgeSet((2, 8, 16), (4, 8, 32), BusConfig(64, 40, burst=8, latency=16)),
    "256 bit": BridgeSet((2, 16, 32, 64), (2, 32, 64), BusConfig(256, 64, burst=16, latency=40)),
    "512 bit": BridgeSet((2, 64, 256), (2, 64, 128), BusConfig(512, 32, burst=256, latency=16)),
}
COMMANDS = 8  # of every port


@pytest.fixture(scope="module", params=SETS)
def bridges(request, tmp_path_factory):
    """A set and its Verilog."""
    chosen = SETS[request.param]
    return chosen, chosen.convert(tmp_path_factory.mktemp("bridges"))


def run(bridges, seed: int, **settings) -> dict:
    chosen, verilog = bridges
    bus = chosen.bus
    return simulate(
        verilog, NAME, "bench_bridges", seed, reads=chosen.reads, writes=chosen.writes, data_bits=bus.data_bits,
        burst=bus.burst_beats, **{"commands": COMMANDS, "latency": 20} | settings,
    )  # fmt: skip


@pytest.mark.needs("iverilog")
@pytest.mark.parametrize("memory", ["ram", "mixing"])
def test_random_commands(bridges, memory, seed):
    found = run(bridges, seed, memory=memory, stall=0.2, pause=0.3 if memory == "ram" else 0)
    assert found["words"] > 1000 and found["reads"] > 10 and found["writes"] > 10


@pytest.mark.needs("iverilog")
def test_a_wide_port_reads_at_full_speed(tmp_path, seed):
    """32 bytes per cycle over 256 bits, 100 cycles of latency: 95 % of a word in every cycle, or more."""
    chosen = BridgeSet((32,) * 2, (32,) * 2, BusConfig(256, 40))
    bridges = chosen, chosen.convert(tmp_path)
    found = run(bridges, seed, memory="fast", latency=100, stall=0, pause=0, commands=0, long_read=2000)
    assert found["read_words"] == 2000 and found["read_words"] / found["read_cycles"] >= 0.95


@pytest.mark.parametrize(
    ("field", "value"), [("data_bits", 96), ("data_bits", 1024), ("address_bits", 31), ("burst", 3), ("latency", 0)]
)
def test_impossible_buses_are_refused(field, value):
    with pytest.raises(UserError, match=f"{field} is {value}"):
        BusConfig(**{field: value})
