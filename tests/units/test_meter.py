"""Error meter: RTL against golden on MyHDL, converted Verilog and converted VHDL, over several images and contexts."""

import torch

from radit.accel.config import bits_for
from radit.accel.units.meter import COST_BITS, LATENCY, meter_unit
from radit.model.formats import COUNT_BITS, ERROR_BITS, ERROR_CUT, ERROR_WEIGHT_BITS
from radit.model.ops.meter import ERROR_MAX, spend
from tests.units.bench import Bench, flag, reset, run_everywhere, word

CONTEXTS = 3
PAUSE = 3  # cycles from the answer to the decision


def make_bench():
    number = word(bits_for(CONTEXTS))
    ports = dict(aresetn=reset(), new_image=flag(), start=flag(), number=number, cost=word(COST_BITS))
    ports |= dict(limit=word(ERROR_BITS), keep=flag(), spent=word(ERROR_BITS))
    ports |= dict(affordable=flag(), show=word(bits_for(CONTEXTS)), shown=word(ERROR_BITS))
    return Bench(meter_unit, ports, contexts=CONTEXTS)


def draw(rng, number):
    """(new_image, context, count, weight, wanted): small and large steps, the largest in a row to saturation."""
    drawn = []
    for i in range(number):
        extreme = rng.random() < 0.2 or i > number - 8
        count = (1 << COUNT_BITS) - 1 if extreme else int(rng.integers(0, 5000))
        weight = (1 << ERROR_WEIGHT_BITS) - 1 if extreme else int(rng.integers(0, 400))
        context = 1 if i > number - 8 else int(rng.integers(0, CONTEXTS))
        drawn.append((i % 60 == 0, context, count, weight, bool(rng.random() < 0.8)))
    return drawn


def test_matches_golden(rng):
    drawn, bench = draw(rng, 200), make_bench()
    limits = [int(rng.choice([2000, 200_000, ERROR_MAX - 1, ERROR_MAX])) for _ in range(150)] + [ERROR_MAX] * 50
    errors, expected = [0] * CONTEXTS, []
    for (new_image, context, count, weight, wanted), limit in zip(drawn, limits, strict=True):
        errors = [0] * CONTEXTS if new_image else errors
        spent = int(spend(torch.tensor(errors[context]), torch.tensor(count), weight))
        errors[context] = spent if wanted and spent <= limit else errors[context]
        expected.append((spent, spent <= limit, errors[context]))

    def stimulus():
        for cycle in range(12):
            bench.aresetn.next = cycle >= 2
            yield bench.clk.posedge
        for (new_image, context, count, weight, wanted), limit in zip(drawn, limits, strict=True):
            bench.new_image.next = new_image
            yield bench.clk.posedge
            bench.new_image.next = False
            for name, value in dict(number=context, show=context, limit=limit).items():
                bench.ports[name].next = value
            bench.start.next = True
            yield bench.clk.posedge
            bench.start.next = False
            bench.cost.next = weight * count >> ERROR_CUT
            yield bench.clk.posedge
            bench.cost.next = 0
            for _ in range(LATENCY + PAUSE - 1):
                yield bench.clk.posedge
            bench.keep.next = wanted and bool(bench.affordable)
            yield bench.clk.posedge
            bench.keep.next = False
            yield bench.clk.posedge

    trace = bench.simulate(stimulus)
    starts = [i for i, value in enumerate(trace["start"]) if value]
    answers = [(trace["spent"][i + LATENCY], bool(trace["affordable"][i + LATENCY])) for i in starts]
    shown = [trace["shown"][i + LATENCY + PAUSE + 2] for i in starts]
    assert [(*answer, kept) for answer, kept in zip(answers, shown, strict=True)] == expected
    assert 20 < sum(affordable for _, affordable, _ in expected) < 200 and max(errors) == ERROR_MAX
    run_everywhere(bench)
