"""mac_array equals model.ops.mac_array.matmul, tile after tile without a gap, and freezes when disabled."""

import numpy as np
import pytest
import torch

from radit.accel.units.mac_array import DRAIN_LATENCY, FINISH_TO_DRAIN, mac_array
from radit.model.formats import ACC_BITS, INT8_BITS
from radit.model.ops.mac_array import matmul
from tests.units.bench import Bench, flag, mixed, pack, run_everywhere, unpack, word


def array_bench(rows: int, cols: int, products: int = 1) -> Bench:
    ports = {"enable": flag(), "first": flag(), "finish": flag()}
    ports |= {"rows_word": word(products * rows * INT8_BITS), "cols_word": word(products * cols * INT8_BITS)}
    ports |= {"drain_col": word((cols - 1).bit_length()), "drained": word(rows * ACC_BITS)}
    return Bench(mac_array, ports, rows=rows, cols=cols, products=products)


def run_tiles(bench: Bench, tiles: list, gaps: float, rng) -> list[int]:
    """Play the tiles back to back; a second stimulus drains each. Return the cycle of every finish."""
    columns, finishes, clk = bench.parameters["cols"], [], bench.clk
    products = bench.parameters["products"]

    def feed():
        for a, b in tiles:
            depth = a.shape[1]
            for k in range(0, depth, products):
                while rng.random() < gaps:
                    bench.enable.next = False
                    yield clk.posedge
                bench.enable.next = True
                bench.first.next = k == 0
                bench.finish.next = k + products >= depth
                bench.rows_word.next = pack(a[:, k : k + products].T.flatten().tolist(), INT8_BITS)  # none: zero
                bench.cols_word.next = pack(b[k : k + products].flatten().tolist(), INT8_BITS)
                yield clk.posedge
        bench.enable.next = False
        for _ in range(columns + 8):
            yield clk.posedge

    def sweep():
        """Present column 0 FINISH_TO_DRAIN (two) cycles after a finish and the others after it."""
        column, finished = columns, False
        while True:
            yield clk.posedge  # the ports still hold the values of the cycle that ends here
            column = 0 if finished else column + 1
            finished = bool(bench.enable and bench.finish)
            bench.drain_col.next = min(column, columns - 1)

    trace = bench.simulate(feed, sweep)
    for cycle, (enable, finish) in enumerate(zip(trace["enable"], trace["finish"], strict=True)):
        if enable and finish:
            finishes.append(cycle)
    return finishes


@pytest.mark.parametrize(
    ("rows", "cols", "gaps", "products"),
    [(4, 4, 0.0, 1), (4, 8, 0.4, 1), (16, 4, 0.4, 1), (16, 16, 0.0, 1), (8, 4, 0.4, 2), (4, 8, 0.0, 2)],
)
def test_tiles_match_golden_everywhere(rows, cols, gaps, products):
    rng = np.random.default_rng(rows * 100 + cols)
    depths = (cols * products, cols * products + 3)
    tiles = []
    for depth in depths:
        a = torch.tensor(mixed(rng, INT8_BITS, rows * depth)).view(rows, depth)
        b = torch.tensor(mixed(rng, INT8_BITS, depth * cols)).view(depth, cols)
        tiles.append((a, b))
    tiles.append((torch.full((rows, products * cols), -128), torch.full((products * cols, cols), -128)))
    bench = array_bench(rows, cols, products)
    finishes = run_tiles(bench, tiles, gaps, rng)
    assert len(finishes) == len(tiles)
    compared = 0
    for (a, b), finish in zip(tiles, finishes, strict=True):
        expected = matmul(a, b)
        for column in range(cols):
            cycle = finish + FINISH_TO_DRAIN + column + DRAIN_LATENCY
            assert bench.trace["drain_col"][cycle - DRAIN_LATENCY] == column
            assert unpack(bench.trace["drained"][cycle], ACC_BITS, rows) == expected[:, column].tolist()
            compared += rows
    assert compared == len(tiles) * rows * cols
    run_everywhere(bench)


def test_single_step_tiles_follow_each_other():
    """K = 1: first and finish in the same cycle, a new tile every cycle; one column of each is seen."""
    rows, cols, count = 4, 4, 40
    rng = np.random.default_rng(7)
    tiles = [
        (
            torch.tensor(mixed(rng, INT8_BITS, rows)).view(rows, 1),
            torch.tensor(mixed(rng, INT8_BITS, cols)).view(1, cols),
        )
        for _ in range(count)
    ]
    bench = array_bench(rows, cols)
    finishes = run_tiles(bench, tiles, 0.0, rng)
    assert finishes == list(range(finishes[0], finishes[0] + count))
    for (a, b), finish in zip(tiles, finishes, strict=True):
        seen = bench.trace["drained"][finish + FINISH_TO_DRAIN + DRAIN_LATENCY]
        column = bench.trace["drain_col"][finish + FINISH_TO_DRAIN]
        assert unpack(seen, ACC_BITS, rows) == matmul(a, b)[:, column].tolist()
    run_everywhere(bench)
