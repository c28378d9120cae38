"""LayerNorm: golden against float; RTL against golden with overlapping tiles, gaps on both sides, and its pace."""

import numpy as np
import pytest
import torch
from myhdl import delay

from radit.accel.units.layernorm import BYPASS_LATENCY, LATENCY, STAT_LATENCY, layernorm_unit
from radit.model.formats import LN_BITS, LN_FRAC, X_BITS
from radit.model.ops.layernorm import layernorm
from tests.units.bench import Bench, flag, mixed, pack, reset, run_everywhere, unpack, word


def tile_of(rng, kind, lanes, hidden):
    """x (lanes, hidden): ordinary features, edge values, equal channels, an outlier, the largest variance."""
    if kind == "plain":
        return rng.normal(rng.uniform(-2000, 2000), rng.uniform(1, 6000), (lanes, hidden)).round().clip(-32768, 32767)
    if kind == "edges":
        return np.array([mixed(rng, X_BITS, hidden) for _ in range(lanes)])
    x = np.full((lanes, hidden), -32768)
    if kind == "equal":
        x[: lanes // 2] = 32767
        x[-1] = 0
    elif kind == "outlier":
        x[:, rng.integers(0, hidden)] = 32767
        x[0] = -x[0] - 1
    else:
        x[:, ::2] = 32767
    return x


class Caller:
    """Both sides of the unit, as the accelerator uses it: ``statistics`` keeps to the contract on started tiles,
    ``normalize`` takes words whenever ``tile_ready`` allows it in that cycle."""

    def __init__(self, bench, tiles, eps, gaps, seed):
        self.bench, self.tiles, self.eps, self.gaps = bench, tiles, eps, gaps
        self.random = [np.random.default_rng(seed + i) for i in range(2)]
        self.moved = 0

    def cycle(self):
        """To the next cycle, with its registered outputs visible."""
        yield self.bench.clk.posedge
        yield delay(1)

    def statistics(self):
        bench, started = self.bench, 0
        bench.hidden.next = self.tiles[0].shape[1]
        bench.eps.next = self.eps
        for cycle in range(20):
            bench.aresetn.next = cycle >= 2
            yield from self.cycle()
        for tile in self.tiles:
            for channel, values in enumerate(tile.T.tolist()):
                while True:
                    self.moved += int(bench.moved)
                    if self.random[0].random() >= self.gaps and (channel or started - self.moved <= 1):
                        break
                    bench.stat_valid.next = False
                    yield from self.cycle()
                started += channel == 0
                bench.stat_valid.next = True
                bench.stat_x.next = pack(values, X_BITS)
                bench.stat_last.next = channel == tile.shape[1] - 1
                yield from self.cycle()
        bench.stat_valid.next = False
        while True:
            self.moved += int(bench.moved)
            yield from self.cycle()

    def normalize(self):
        bench = self.bench
        for tile in self.tiles:
            for channel, values in enumerate(tile.T.tolist()):
                while True:
                    yield from self.cycle()
                    if bench.tile_ready and self.random[1].random() >= self.gaps:
                        break
                    bench.norm_valid.next = False
                bench.norm_valid.next = True
                bench.norm_x.next = pack(values, X_BITS)
                bench.norm_last.next = channel == tile.shape[1] - 1
        yield from self.cycle()
        bench.norm_valid.next = False
        for _ in range(LATENCY + 2):
            yield from self.cycle()


def run(lanes, tiles, eps=1, gaps=0.0, seed=1, bypass=None):
    """Simulate and compare with golden, or with x itself under ``bypass``; return the bench."""
    hidden = tiles[0].shape[1]
    ports = dict(aresetn=reset(), hidden=word(13), eps=word(32))
    ports |= dict(stat_valid=flag(), stat_x=word(lanes * X_BITS), stat_last=flag(), tile_ready=flag())
    ports |= dict(norm_valid=flag(), norm_x=word(lanes * X_BITS), norm_last=flag())
    ports |= dict(dst_valid=flag(), dst=word(lanes * LN_BITS), saturated=flag(), moved=flag())
    if bypass is not None:
        ports |= dict(bypass=flag(bypass))
    bench = Bench(layernorm_unit, ports, lanes=lanes)
    caller = Caller(bench, tiles, eps, gaps, seed)
    bench.simulate(caller.normalize, caller.statistics)
    trace = bench.trace
    found = [unpack(dst, LN_BITS, lanes) for dst, v in zip(trace["dst"], trace["dst_valid"], strict=True) if v]
    x = torch.tensor(np.stack(tiles)).long()
    expected = x if bypass else layernorm(x, eps)
    assert len(found) == len(tiles) * hidden
    assert found == expected.transpose(1, 2).reshape(-1, lanes).tolist()
    assert sum(trace["moved"]) == len(tiles)
    starts, ends = (np.flatnonzero(trace[name]) for name in ("norm_valid", "dst_valid"))
    assert set((ends - starts).tolist()) == {LATENCY}
    return bench


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("lanes", [4, 16])
def test_matches_golden(lanes, gaps, rng, seed):
    kinds = ["plain", "edges", "equal", "plain", "outlier", "widest", "plain"]
    hidden = 44 if gaps == 0 else 12  # with 12 channels the roots take longer than a tile
    tiles = [tile_of(rng, kind, lanes, hidden) for kind in kinds]
    run_everywhere(run(lanes, tiles, eps=int(rng.integers(1, 1 << 32)), gaps=gaps, seed=seed))


def test_wide_sums_and_saturation(rng):
    """1100 channels: sums of 2**40, d * mant of 43 bit, and an outlier beyond Q5.10."""
    tiles = [tile_of(rng, kind, 4, 1100) for kind in ("widest", "outlier")]
    bench = run(4, tiles)
    assert any(s and v for s, v in zip(bench.trace["saturated"], bench.trace["dst_valid"], strict=True))
    run_everywhere(bench)


@pytest.mark.parametrize("lanes", [4, 16])
def test_keeps_pace(lanes, rng):
    """With D = R + STAT_LATENCY both sides move one word per cycle, without a gap between tiles."""
    hidden = lanes + STAT_LATENCY
    bench = run(lanes, [tile_of(rng, "plain", lanes, hidden) for _ in range(6)])
    last = bench.trace["stat_last"].index(1)
    assert bench.trace["tile_ready"].index(1) - last == lanes + STAT_LATENCY
    for name in ("stat_valid", "norm_valid"):
        busy = np.flatnonzero(bench.trace[name])
        assert busy[-1] - busy[0] + 1 == len(busy) == 6 * hidden, name


@pytest.mark.parametrize("lanes", [4, 16])
def test_a_bypassed_word_leaves_as_it_came(lanes, rng):
    """Also the widest ones, and without waiting for roots: no faster tiles make a gap."""
    tiles = [tile_of(rng, kind, lanes, 12) for kind in ("edges", "widest", "plain", "equal", "edges", "plain")]
    bench = run(lanes, tiles, bypass=True)
    assert not any(bench.trace["saturated"])
    last = bench.trace["stat_last"].index(1)
    assert bench.trace["tile_ready"].index(1) - last == BYPASS_LATENCY
    for name in ("stat_valid", "norm_valid"):
        busy = np.flatnonzero(bench.trace[name])
        assert busy[-1] - busy[0] + 1 == len(busy) == len(tiles) * 12, name
    run_everywhere(bench)


def test_a_unit_that_can_bypass_normalizes(rng):
    run_everywhere(run(4, [tile_of(rng, kind, 4, 12) for kind in ("plain", "edges", "widest")], bypass=False))


def test_golden_error_is_bounded(rng):
    """Half a step of Q5.10 and the root's relative error, for eps as the model sets it."""
    x = torch.tensor(np.stack([tile_of(rng, "plain", 32, hidden=384) for _ in range(20)])).long()
    x_frac = 8
    eps = round(384**2 * 1e-6 * 4**x_frac)
    reference = torch.nn.functional.layer_norm(x.double() / 2**x_frac, x.shape[-1:], eps=1e-6)
    found = layernorm(x, eps).double() / 2**LN_FRAC
    error = (found - reference).abs() - (2.0 ** -(LN_FRAC + 1) + reference.abs() * 2.0**-14)
    assert error.max().item() < 2.0**-20
    assert (found - reference).abs().max().item() > 2.0**-13
