"""A stage without a value rests: whatever stands at the inputs of an idle unit, none of its registers changes.

The accounts of energy count on it.
"""

import numpy as np
import pytest
from myhdl import always, block, delay
from myhdl._always import _Always
from myhdl._always_comb import _AlwaysComb
from myhdl._always_seq import _AlwaysSeq

from radit.model.system.processes import in_thread
from tests.units import test_gelu, test_modulate, test_recip, test_requant, test_residual, test_reuse
from tests.units.bench import HALF_PERIOD, Bench, _driver

LANES = 2
UNITS = {
    "gelu": (test_gelu.make_bench, LANES),
    "modulate": (test_modulate.make_bench, LANES),
    "recip": (test_recip.make_bench,),
    "requant": (test_requant.make_bench, LANES),
    "residual": (test_residual.make_bench, LANES),
    "reuse": (test_reuse.make_bench, LANES),
}
CLOCKED = (_Always, _AlwaysSeq)
CONTROL = ("clk", "src_valid")
LIMITS = {"gain_shift": 40}  # values that a unit takes, where not all of its port
AT_WORK, FLUSH, IDLE = 20, 30, 40  # cycles


def driven(unit, kinds: tuple[type, ...]) -> dict[str, object]:
    """Name in the hierarchy -> signal, of everything that processes of these kinds drive."""
    found = {}
    for part in unit.subs:
        if type(part) in kinds:
            found |= {f"{unit.name}.{name}": part.sigdict[name] for name in part.outputs if name in part.sigdict}
        elif hasattr(part, "subs"):
            found |= {f"{unit.name}.{name}": signal for name, signal in driven(part, kinds).items()}
    return found


class Watch:
    """A stimulus: words in every cycle, none until the last has left, then other inputs. ``moved``: what changed."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.rng = bench, np.random.default_rng(1)
        self.kept: dict[str, object] = {}
        self.outputs: set[int] = set()
        self.moved: set[str] = set()

    def watch(self, unit) -> None:
        """Know the registers of the unit, and which ports it drives."""
        self.kept = driven(unit, CLOCKED)
        self.outputs = {id(signal) for signal in driven(unit, (*CLOCKED, _AlwaysComb)).values()}

    def __call__(self):
        ports, kept = self.bench.ports, self.kept
        inputs = {n: signal for n, signal in ports.items() if n not in CONTROL and id(signal) not in self.outputs}
        assert len(kept) > 5 and len(inputs) > 1
        before: dict[str, int] = {}
        for cycle in range(AT_WORK + FLUSH + IDLE):
            ports["src_valid"].next = 2 < cycle < AT_WORK
            for name, signal in inputs.items():
                low, high = (0, 2) if signal.min is None else (signal.min, min(signal.max, 1 << 62))
                signal.next = int(self.rng.integers(low, LIMITS.get(name, high)))
            yield self.bench.clk.posedge
            now = {name: int(signal) for name, signal in kept.items()}
            if cycle > AT_WORK + FLUSH:
                self.moved |= {name for name in now if now[name] != before[name]}
            before = now
        assert any(before.values())


@block
def surroundings(bench, watch):
    """The unit of a bench, its clock and the stimulus."""
    clk = bench.clk
    unit = bench.factory(**bench.ports, **bench.parameters)
    watch.watch(unit)
    drive = _driver(clk, watch, last=True)

    @always(delay(HALF_PERIOD))
    def tick():
        clk.next = not clk

    return unit, drive, tick


@pytest.mark.parametrize("unit", UNITS)
def test_an_idle_unit_rests(unit):
    make, *arguments = UNITS[unit]
    watch = Watch(make(*arguments))
    in_thread(lambda: surroundings(watch.bench, watch).run_sim(quiet=1))
    assert watch.moved == set()
