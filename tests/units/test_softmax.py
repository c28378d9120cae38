"""softmax_unit: jobs back to back against golden softmax and recip, on MyHDL, converted Verilog and VHDL."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from radit.accel.config import bits_for
from radit.accel.units.softmax import FIRST_LATENCY, done_latency, softmax_unit
from radit.model.formats import INT8_BITS, INT8_MAX, MULT_BITS, SCORE_FRAC, SHIFT_BITS, WIDE_BITS
from radit.model.ops.recip import recip
from radit.model.ops.softmax import softmax
from tests.units.bench import Bench, edge_values, flag, mixed, pack, reset, run_everywhere, unpack, word

MAX_KEYS = 24  # no power of two


@dataclass
class Job:
    scores: torch.Tensor  # (lanes, keys)
    valid: torch.Tensor  # (lanes, keys) bool

    @property
    def keys(self) -> int:
        return self.scores.shape[1]


def make_bench(lanes: int) -> Bench:
    ports = {"aresetn": reset(), "src_valid": flag(), "src_first": flag(), "src_last": flag()}
    ports |= {"src": word(lanes * WIDE_BITS), "mask": word(lanes), "restart": flag()}
    ports |= {"gain": word(MULT_BITS), "gain_shift": word(SHIFT_BITS)}
    ports |= {"dst_valid": flag(), "dst": word(lanes * INT8_BITS), "dst_slot": word(bits_for(MAX_KEYS))}
    ports |= {"dst_last": flag(), "dst_parity": flag(), "done": flag(), "busy": flag()}
    for parity in ("even", "odd"):
        ports |= {f"mult_{parity}": word(lanes * MULT_BITS), f"shift_{parity}": word(lanes * SHIFT_BITS)}
    ports |= {"score_write": flag(), "score_read": flag(), "recip_valid": flag()}
    return Bench(softmax_unit, ports, lanes=lanes, max_keys=MAX_KEYS)


def draw(rng, lanes: int) -> list[Job]:
    """Edge scores, flat rows, spread rows, masked keys, lanes without any key, one key, as many as fit."""
    jobs = []
    for index, keys in enumerate((1, 1, 2, MAX_KEYS, 7, 16, 1, MAX_KEYS, 5, 12)):
        count = lanes * keys
        if index % 3 == 0:
            values = mixed(rng, WIDE_BITS, count)
        else:
            values = (rng.integers(-6, 6, count) * rng.integers(1, 64, count) - 500 * (index % 2)).tolist()
        valid = rng.random((lanes, keys)) < (1.0 if index % 2 else 0.6)
        if index >= 4:
            valid[index % lanes] = False
        jobs.append(Job(torch.tensor(values).view(lanes, keys), torch.tensor(valid)))
    edges = edge_values(WIDE_BITS)[:MAX_KEYS]
    scores = torch.tensor(edges).repeat(lanes, 1)
    jobs.append(Job(scores, torch.ones_like(scores, dtype=torch.bool)))
    return jobs


def play(bench: Bench, jobs: list[Job], gain: tuple[int, int], gaps: float, rng, apart: bool) -> None:
    """Stream the jobs in; job i+2 waits for job i's done, and with ``apart`` every job for the one before."""
    clk, finished = bench.clk, [0]

    def feed():
        bench.gain.next, bench.gain_shift.next = gain
        for cycle in range(24):
            bench.aresetn.next = cycle >= 4
            yield clk.posedge
        for index, job in enumerate(jobs):
            while finished[0] < (index if apart else index - 1):
                bench.src_valid.next = False
                yield clk.posedge
            for key in range(job.keys):
                while rng.random() < gaps:
                    bench.src_valid.next = False
                    yield clk.posedge
                bench.src_valid.next = True
                bench.src_first.next = key == 0
                bench.src_last.next = key == job.keys - 1
                bench.src.next = pack(job.scores[:, key].tolist(), WIDE_BITS)
                bench.mask.next = pack(job.valid[:, key].tolist(), 1)
                yield clk.posedge
        bench.src_valid.next = False
        while finished[0] < len(jobs):
            yield clk.posedge
        yield clk.posedge

    def count_done():
        while True:
            yield clk.posedge
            finished[0] += int(bench.done)

    bench.simulate(feed, count_done)


def check(bench: Bench, jobs: list[Job], gain: tuple[int, int], lanes: int) -> int:
    """Numerators, slots, parities, and both multiplier banks at every done; return the values compared."""
    trace = bench.trace
    words = [cycle for cycle, valid in enumerate(trace["dst_valid"]) if valid]
    dones = [cycle for cycle, value in enumerate(trace["done"]) if value]
    assert len(words) == sum(job.keys for job in jobs) and len(dones) == len(jobs)
    compared, position, earlier = 0, 0, {}
    for index, (job, done) in enumerate(zip(jobs, dones, strict=True)):
        expected, total = softmax(job.scores, job.valid)
        for key in range(job.keys):
            cycle = words[position]
            assert unpack(trace["dst"][cycle], INT8_BITS, lanes) == expected[:, key].tolist()
            assert trace["dst_slot"][cycle] == key and trace["dst_parity"][cycle] == index % 2
            assert trace["dst_last"][cycle] == (key == job.keys - 1)
            position, compared = position + 1, compared + lanes
        mant, shift = recip(total.clamp(min=1).flatten(), *gain)
        parity = ("even", "odd")[index % 2]
        earlier[parity] = (mant.tolist(), shift.tolist())
        for bank, (mants, shifts) in earlier.items():  # job i-1's multipliers still stand when job i is done
            assert unpack(trace[f"mult_{bank}"][done], MULT_BITS, lanes, signed=False) == mants
            assert unpack(trace[f"shift_{bank}"][done], SHIFT_BITS, lanes, signed=False) == shifts
            compared += 2 * lanes
    return compared


@pytest.mark.parametrize(("gaps", "apart"), [(0.0, False), (0.4, False), (0.0, True)])
@pytest.mark.parametrize("lanes", [4, 16])
def test_jobs_match_golden_everywhere(lanes, gaps, apart):
    rng = np.random.default_rng(lanes + int(10 * gaps))
    jobs, gain, bench = draw(rng, lanes), (40961, 17), make_bench(lanes)
    play(bench, jobs, gain, gaps, rng, apart)
    compared = check(bench, jobs, gain, lanes)
    keys = sum(job.keys for job in jobs)
    assert compared == lanes * keys + 2 * lanes * (2 * len(jobs) - 1)
    assert sum(bench.trace["score_write"]) == sum(bench.trace["score_read"]) == keys
    assert sum(bench.trace["recip_valid"]) == lanes * len(jobs)
    run_everywhere(bench, vhdl=not gaps)


def test_latency_and_busy():
    lanes, rng = 4, np.random.default_rng(3)
    jobs, bench = draw(rng, lanes), make_bench(lanes)
    play(bench, jobs, (32768, 16), 0.0, rng, apart=True)
    trace = bench.trace
    lasts = [c for c, (v, last) in enumerate(zip(trace["src_valid"], trace["src_last"], strict=True)) if v and last]
    ends = [c for c, done in enumerate(trace["done"]) if done]
    starts = [c for c, (v, s) in enumerate(zip(trace["dst_valid"], trace["dst_slot"], strict=True)) if v and s == 0]
    for job, last, start, end in zip(jobs, lasts, starts, ends, strict=True):
        assert start - last == FIRST_LATENCY
        assert end - last == done_latency(job.keys, lanes)
        assert all(trace["busy"][last + 2 : end + 1]) and not trace["busy"][end + 1]


def test_restart_makes_the_next_job_even():
    lanes, rng, bench = 4, np.random.default_rng(4), make_bench(4)
    jobs = draw(rng, lanes)[:1]

    def twice():
        for _ in range(2):
            yield from once()
            bench.restart.next = True
            yield bench.clk.posedge
            bench.restart.next = False
            yield bench.clk.posedge

    def once():
        bench.gain.next, bench.gain_shift.next = 32768, 16
        bench.aresetn.next = True
        for job in jobs:
            bench.src_valid.next, bench.src_first.next, bench.src_last.next = True, True, True
            bench.src.next = pack(job.scores[:, 0].tolist(), WIDE_BITS)
            bench.mask.next = pack(job.valid[:, 0].tolist(), 1)
            yield bench.clk.posedge
        bench.src_valid.next = False
        for _ in range(done_latency(1, lanes) + 2):
            yield bench.clk.posedge

    trace = bench.simulate(twice)
    assert [p for v, p in zip(trace["dst_valid"], trace["dst_parity"], strict=True) if v] == [0, 0]


@pytest.mark.parametrize("keys", [4, 64, 256])
@pytest.mark.parametrize("spread", [0.5, 2.0, 6.0])
def test_golden_is_close_to_float(keys, spread):
    """A numerator is within d = 0.51 of 127 * 2**-z (half up, and 1/256 for the bits shifted out), so that a weight
    w is within d (1 + keys * w) / sum of the exact softmax, to first order, and the reciprocal adds 2**-13 of it."""
    generator = torch.Generator().manual_seed(5)
    logits = spread * torch.randn(256, keys, generator=generator, dtype=torch.float64)
    scores = (logits / np.log(2) * (1 << SCORE_FRAC)).round().long()
    exact = (scores.double() * np.log(2) / (1 << SCORE_FRAC)).softmax(-1)
    numerators, total = softmax(scores)
    assert numerators.amax(-1).eq(INT8_MAX).all() and numerators.min() >= 0
    mant, shift = recip(total, 1 << 15, 16)  # gain 1/2
    weights = numerators * mant * 2.0 ** (1 - shift.double())
    bound = 0.51 * (1 + keys * exact) / total + 2.0**-13 * exact
    assert ((weights - exact).abs() <= bound).all()
