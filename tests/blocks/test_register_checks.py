"""The register file alone: rules checked at START, writes while busy, abort, watchdog, read back."""

import pytest
from myhdl import always_comb, block

from radit.accel.config import BuildConfig
from radit.accel.control.check_registers import most_check_cycles
from radit.accel.control.register_file import Events, RegisterValues, register_file
from radit.accel.control.register_rules import FEWEST_WORDS, Rule, broken_rule, register_rules
from radit.accel.control.registers import (
    ABORT,
    ACCOUNT_BITS,
    ADDRESS,
    CODE,
    CODE_LOW,
    CONSTANTS,
    NEW_IMAGE,
    PLACE_LOW,
    REGISTERS,
    START,
    STATES,
    build_constants,
    built_events,
    stored_registers,
)
from radit.accel.dims import Dims, Group, registers, text_registers
from radit.accel.interfaces.signals import flag, word
from radit.accel.interfaces.top_ports import RESET_CYCLES, RunPort
from radit.accel.residual_pass import front_half
from tests.blocks.test_register_file import Host, Port
from tests.units.bench import Bench, reset, run_everywhere

SIZES = {"max_hidden": 24, "max_mlp": 48, "max_tokens": 32, "max_sub_blocks": 6, "counters": 32}
BUILDS = {
    "4x8 in frame banks": BuildConfig(4, 8, **SIZES, frame_banks=2, max_frames=2),
    "8x4x2 with text": BuildConfig(8, 4, **SIZES, products=2, max_text=20, max_contexts=3),
}
DIMS = {
    "4x8 in frame banks": [
        Dims(16, 2, 8, 24, 13, 4, 2),
        Dims(24, 4, 6, 36, 16, 4, 2, even=Group(keys=8), odd=Group(frames=2), frames=2),
        Dims(12, 1, 12, 36, 16, 4, 2, even=Group(frames=2), odd=Group(keys=8)),
        Dims(4, 1, 4, 4, 1, 2, 1),
    ],
    "8x4x2 with text": [
        Dims(20, 4, 5, 20, 17, 6, 3, text=20, cross_even=True, cross_odd=True, texts=(20, 1, 7)),
        Dims(16, 2, 8, 24, 13, 5, 3, text=9, cross_even=True, texts=(9, 9, 9)),
        Dims(16, 2, 8, 24, 32, 4, 2, even=Group(frames=2), odd=Group(frames=2)),
        Dims(16, 2, 8, 24, 16, 4, 2, even=Group(keys=8)),
    ],
}
DONE, ERROR, CHECKING = (1 << STATES[i].low for i in (1, 2, 3))


@block
def sign(moves, event):
    """What shows that a timestep goes on."""

    @always_comb
    def show():
        event.next = moves

    return show


@block
def register_side(
    clk, aresetn, write, addr, wdata, rdata, running, moves, busy, starts, fails, aborts, start, new_image, core_reset,
    hidden, build
):  # fmt: skip
    """``register_file`` with flat ports."""
    config = BUILDS[build]
    events, regs, core_resetn, account = Events(), RegisterValues(config), reset(), word(ACCOUNT_BITS)
    run = RunPort()
    unit = register_file(
        clk=clk, aresetn=aresetn, core_resetn=core_resetn, reg=Port(addr, rdata, write, wdata), busy=busy,
        run=run, host=Host(running, start, new_image), regs=regs, events=events, account=account, config=config,
    )  # fmt: skip

    signs = [sign(moves, getattr(events, name)) for name in built_events(config)]

    @always_comb
    def connect():
        core_reset.next = not core_resetn
        hidden.next = regs.hidden
        starts.next = run.starts
        fails.next = run.fails
        aborts.next = run.aborts
        account.next = 0
        if moves:
            account.next = 1

    return unit, signs, connect


FLAGS = "write running moves busy starts fails aborts start new_image core_reset".split()


class RegisterBench(Bench):
    """The host's side of a register file."""

    def __init__(self, build: str) -> None:
        ports = {name: flag() for name in FLAGS}
        words = {"addr": word(9), "wdata": word(32), "rdata": word(32), "hidden": word(16)}
        super().__init__(register_side, {"aresetn": reset(), **ports, **words}, build=build)
        self.told = 0

    def wake(self):
        for cycle in range(RESET_CYCLES + 4):
            self.aresetn.next = cycle >= RESET_CYCLES
            yield self.clk.posedge

    def put(self, name: str, value: int):
        self.write.next, self.addr.next, self.wdata.next = True, ADDRESS[name], value
        yield self.clk.posedge
        self.write.next = False

    def get(self, name: str):
        """Into ``told``."""
        self.addr.next = ADDRESS[name]
        for _ in range(3):
            yield self.clk.posedge
        self.told = int(self.rdata)

    def settle(self):
        """Wait until nothing is being checked and nothing goes on."""
        for _ in range(most_check_cycles(BUILDS[self.parameters["build"]])):
            yield self.get("status")
            if not self.told & (CHECKING | 1):
                return
        raise AssertionError("the check does not end")


def legal(dims: Dims, build: BuildConfig) -> dict[str, int]:
    """Every register of a model."""
    values = dict.fromkeys(stored_registers(build), 0) | registers(dims, build)
    return values | (text_registers(dims) if build.max_text and dims.text else {})


def error(code: str, place: str) -> int:
    return ERROR | CODE[code] << CODE_LOW | ADDRESS[place] << PLACE_LOW


def expected_error(rule: Rule) -> int:
    return ERROR | rule.code << CODE_LOW | ADDRESS[rule.register] << PLACE_LOW


def hostile(values: dict[str, int], rng) -> dict[str, int]:
    """One or two registers hold something else."""
    changed = dict(values)
    for _ in range(int(rng.integers(1, 3))):
        name = str(rng.choice([name for name in changed if name != "watchdog"]))
        most = (1 << REGISTERS[name].bits) - 1
        value = changed[name]
        choices = [0, 1, most, value + 1, value - 1, 2 * value, value // 2, int(rng.integers(0, most, endpoint=True))]
        changed[name] = int(rng.choice(choices)) & most
    return changed


@pytest.mark.parametrize("build", BUILDS)
def test_a_start_is_refused_where_a_rule_is_broken(build, rng):
    """As ``broken_rule`` says, for models that fit and for hostile changes of them; nothing starts, what is wrong is
    told, and a right start follows."""
    bench, config = RegisterBench(build), BUILDS[build]
    cases = [legal(dims, config) for dims in DIMS[build]]
    cases += [hostile(cases[i % len(cases)], rng) for i in range(30)]
    seen = []

    def drive():
        yield bench.wake()
        before: dict[str, int] = {}
        for values in cases:
            for name, value in values.items():
                if before.get(name) != value:
                    yield bench.put(name, value)
            before = values
            yield bench.put("control", START)
            started, cycles = False, 0
            while not started and (cycles < 2 or bench.busy):
                yield bench.clk.posedge
                started, cycles = bool(bench.start), cycles + 1
            yield bench.settle()
            seen.append((started, bench.told))
            yield bench.put("status", DONE | ERROR)

    bench.simulate(drive)
    rules = [broken_rule(values, config) for values in cases]
    assert [rule for rule in rules[: len(DIMS[build])] if rule] == []
    assert seen == [(rule is None, expected_error(rule) if rule else 0) for rule in rules]
    assert len({rule.register for rule in rules if rule}) > 8
    run_everywhere(bench)


@pytest.mark.parametrize("build", BUILDS)
def test_every_rule_can_be_broken(build, rng):
    """No rule is idle, but for two that have tests of their own, and the change of any register by one is seen."""
    config = BUILDS[build]
    values = [legal(dims, config) for dims in DIMS[build]]
    found = {broken_rule(hostile(values[i % len(values)], rng), config) for i in range(6000)} - {None}
    idle = [rule for rule in register_rules(config) if rule not in found and rule.when != "differs"]
    idle = [rule for rule in idle if (rule.when, rule.kind) != ("adds_frames", "divides")]
    assert idle == []
    free = {name for name in values[0] if name.endswith("_base") or name in FREE}
    for one in values:
        seen = {name for name in one for step in (-1, 1) if broken_rule(one | {name: one[name] + step}, config)}
        unread = set() if one.get("frame_beats") else {"frame_row_tiles"}
        assert seen >= set(one) - free - unread - {name for name in one if "text" in name or "cross" in name}


FREE = {
    "cache_base_other", "policy", "stream_scope", "difference", "streak_step", "tight", "loose", "max_streak",
    "slope_max", "watchdog", "prompt_words", "contexts", "sub_blocks", "group_keys_even", "group_keys_odd",
    "log_interleave_even", "log_interleave_odd", "frame_stride_even", "frame_stride_odd",
}  # fmt: skip


def test_frames_divide_the_tokens():
    """As many values of the embedding as there are words do not say so."""
    config = BUILDS["4x8 in frame banks"]
    values = legal(DIMS["4x8 in frame banks"][1], config)
    assert values["row_tiles"] == 4 and values["frame_row_tiles"] == 2 and broken_rule(values, config) is None
    rule = broken_rule(values | {"frame_row_tiles": 6, "frame_beats": 4}, config)
    assert rule is not None and (rule.register, rule.kind) == ("frame_row_tiles", "divides")


def test_differences_need_words():
    """A context of as few words as the pass cannot bear is refused."""
    config = BUILDS["4x8 in frame banks"]
    values = legal(Dims(4, 1, 4, 4, 1, 2, 2), config) | {"policy": 1, "stream_scope": 1, "difference": 1}
    assert broken_rule(values, config) is None  # two row tiles of four channels
    narrow = BuildConfig(8, 8, **SIZES)
    few = legal(Dims(4, 1, 4, 4, 1, 2, 2), narrow)
    assert broken_rule(few, narrow) is None
    assert broken_rule(few | {"policy": 1, "stream_scope": 1, "difference": 1}, narrow).register == "sub_block_words"
    assert front_half.FEWEST_WORDS == FEWEST_WORDS


def test_registers_are_gated_while_busy():
    """Writes are left out and told; a new image and a start as well. Registers and constants are read back."""
    build = "4x8 in frame banks"
    bench, config = RegisterBench(build), BUILDS[build]
    values = legal(DIMS[build][0], config)
    found, kept, status = {}, [], []

    def drive():
        yield bench.wake()
        for name, value in values.items():
            yield bench.put(name, value)
        for name in (*values, *CONSTANTS, "control"):
            yield bench.get(name)
            found[name] = bench.told
        yield bench.settle()
        yield bench.put("control", START)
        yield bench.clk.posedge
        bench.running.next = True
        for name, value in (("hidden", 8), ("cache_base", 4), ("control", START), ("control", NEW_IMAGE)):
            yield bench.put(name, value)
            yield bench.get("status")
            status.append(bench.told)
            kept.append((int(bench.hidden), bool(bench.start), bool(bench.new_image), bool(bench.busy)))
            yield bench.put("status", ERROR)
        yield bench.put("watchdog", 1000)
        yield bench.get("status")
        status.append(bench.told)
        bench.running.next = False
        for _ in range(4):
            yield bench.clk.posedge
        yield bench.get("status")
        status.append(bench.told)

    bench.simulate(drive)
    assert found == values | build_constants(config) | {"control": 0}
    refused = [error("BUSY", name) | 1 for name in ("hidden", "cache_base", "control", "control")]
    assert status == [*refused, 1, DONE]
    assert kept == [(values["hidden"], False, False, True)] * 4
    run_everywhere(bench, vhdl=False)


@pytest.mark.parametrize("how", ["abort", "watchdog", "a lively watchdog", "an idle abort"])
def test_a_run_ends_early(how):
    """An abort, or nothing that moves for the watchdog's cycles, resets the core; then a new image begins."""
    build = "4x8 in frame banks"
    bench, status = RegisterBench(build), []
    values = legal(DIMS[build][0], BUILDS[build]) | {"watchdog": 20 if "watchdog" in how else 0}

    def drive():
        yield bench.wake()
        for name, value in values.items():
            yield bench.put(name, value)
        yield bench.settle()
        if how != "an idle abort":
            yield bench.put("control", START)
            yield bench.clk.posedge
            bench.running.next = True
        for cycle in range(60):
            bench.moves.next = how == "a lively watchdog" and cycle % 19 == 0
            yield bench.clk.posedge
            if bench.core_reset:
                bench.running.next = False
        if "abort" in how:
            yield bench.put("control", ABORT)
        for _ in range(60):
            yield bench.clk.posedge
            if bench.core_reset:
                bench.running.next = False
        yield bench.get("status")
        status.append(bench.told)

    trace = bench.simulate(drive)
    lasts = [sum(trace["core_reset"][RESET_CYCLES + 4 :]), sum(trace["new_image"])]
    busy_after = trace["busy"][-1]
    if how == "an idle abort":
        assert (status, lasts, busy_after) == ([0], [RESET_CYCLES, 1], 0)
    elif how == "abort":
        assert (status, lasts, busy_after) == ([error("ABORTED", "control")], [RESET_CYCLES, 1], 0)
    else:  # one whose run stays lively ends only when it does
        assert (status, lasts, busy_after) == ([error("WATCHDOG", "watchdog")], [RESET_CYCLES, 1], 0)
        first = trace["core_reset"][RESET_CYCLES + 4 :].index(1)
        begun = trace["running"][RESET_CYCLES + 4 :].index(1)
        assert (first - begun < 30) == (how == "watchdog")
    run_everywhere(bench, vhdl=how == "watchdog")
