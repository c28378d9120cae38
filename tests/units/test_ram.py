"""word_ram and banked_ram against a Python list: old data on read-during-write, held reads, own bank addresses."""

import time

import numpy as np
import pytest

from radit.accel.units.ram import READ_LATENCY, banked_ram, word_ram
from radit.model.formats import INT8_BITS
from tests.units.bench import Bench, flag, pack, run_everywhere, unpack, word

CYCLES = 300


def play(bench: Bench, steps: list[dict]) -> dict[str, list[int]]:
    """One dict of port values per cycle."""

    def stimulus():
        for step in steps:
            for name, value in step.items():
                bench.ports[name].next = value
            yield bench.clk.posedge
        yield bench.clk.posedge

    return bench.simulate(stimulus)


def test_word_ram_matches_a_list():
    depth, width, rng = 16, 24, np.random.default_rng(1)
    ports = {"write": flag(), "waddr": word(4), "wdata": word(width), "read": flag(), "raddr": word(4)}
    bench = Bench(word_ram, ports | {"rdata": word(width)}, depth=depth)
    steps = [{"write": 1, "waddr": a, "wdata": a * 3, "read": 0, "raddr": 0} for a in range(depth)]
    for _ in range(CYCLES):
        same = int(rng.integers(0, depth))
        steps.append(
            {
                "write": int(rng.integers(0, 2)),
                "waddr": same,
                "wdata": int(rng.integers(0, 1 << width)),
                "read": int(rng.integers(0, 2)),
                "raddr": same if rng.random() < 0.5 else int(rng.integers(0, depth)),
            }
        )
    trace = play(bench, steps)
    memory, expected, collisions, reads = [0] * depth, 0, 0, 0
    for cycle in range(bench.cycles - READ_LATENCY):
        values = {name: trace[name][cycle] for name in ports}
        if values["read"]:
            expected, reads = memory[values["raddr"]], reads + 1
            collisions += values["write"] and values["waddr"] == values["raddr"]
        if values["write"]:
            memory[values["waddr"]] = values["wdata"]
        assert trace["rdata"][cycle + READ_LATENCY] == expected
    assert reads > 100 and collisions > 20
    run_everywhere(bench)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("banks", [1, 4])
def test_banked_ram_matches_lists(banks, apart):
    depth, lanes, bits, rng = 8, 2, 3, np.random.default_rng(2)
    width, address = lanes * INT8_BITS, bits * (banks if apart else 1)
    ports = {"write": word(banks), "waddr": word(address), "wdata": word(banks * width)}
    ports |= {"read": flag(), "raddr": word(address), "rdata": word(banks * width)}
    bench = Bench(banked_ram, ports, depth=depth, bank=lanes, addressed_apart=apart)
    everywhere = (1 << banks) - 1
    fill = [{"write": everywhere, "waddr": pack([a] * (banks if apart else 1), bits), "wdata": a} for a in range(depth)]
    steps = fill + [
        {
            "write": int(rng.integers(0, 1 << banks)),
            "waddr": int(rng.integers(0, 1 << address)),
            "wdata": pack(rng.integers(0, 1 << width, banks).tolist(), width),
            "read": int(rng.integers(0, 2)),
            "raddr": int(rng.integers(0, 1 << address)),
        }
        for _ in range(CYCLES)
    ]
    trace = play(bench, steps)
    memory, expected, reads = [[0] * depth for _ in range(banks)], [0] * banks, 0
    for cycle in range(bench.cycles - READ_LATENCY):
        waddr = unpack(trace["waddr"][cycle], bits, banks, signed=False) if apart else [trace["waddr"][cycle]] * banks
        raddr = unpack(trace["raddr"][cycle], bits, banks, signed=False) if apart else [trace["raddr"][cycle]] * banks
        wdata = unpack(trace["wdata"][cycle], width, banks, signed=False)
        if trace["read"][cycle]:
            expected, reads = [memory[b][raddr[b]] for b in range(banks)], reads + 1
        for b in range(banks):
            if trace["write"][cycle] >> b & 1:
                memory[b][waddr[b]] = wdata[b]
        assert unpack(trace["rdata"][cycle + READ_LATENCY], width, banks, signed=False) == expected
    assert reads > 100
    run_everywhere(bench)


def test_a_big_memory_elaborates_and_converts_in_seconds(tmp_path):
    started = time.process_time()
    ports = {"write": flag(), "waddr": word(16), "wdata": word(512), "read": flag(), "raddr": word(16)}
    text = Bench(word_ram, ports | {"rdata": word(512)}, depth=40_000).convert("Verilog", tmp_path)
    assert "[0:40000-1]" in text
    assert time.process_time() - started < 20
