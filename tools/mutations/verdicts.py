"""What becomes of a mutant, and the file that keeps it."""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.system.gauntlet import BUILDS
from tools.mutations.mutants import ROOT, Mutant
from tools.mutations.workshop import Fault, Workshop

SAME, CAUGHT, SURVIVED = "same", "caught", "survived"
STAGES = ("conversion", "elaboration", "gauntlet", "tests")


@dataclass(frozen=True)
class Verdict:
    """Of one mutant.

    Fields:
        state: SAME (the design is the original's), CAUGHT or SURVIVED.
        stage: of ``STAGES``, where it was caught.
        found: what was found there.
        seconds: it took.
    """

    id: str
    state: str
    stage: str = ""
    found: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Original:
    """The design without a change, by build: its Verilog, and what Verilator makes of it."""

    verilog: dict[str, str]
    model: dict[str, str]

    @classmethod
    def of(cls, shop: Workshop, builds: Sequence[str] = tuple(BUILDS)) -> "Original":
        """Made in a workshop."""
        shop.hold(None)
        verilog, model = {}, {}
        for name in builds:
            path = shop.convert(name)
            verilog[name], model[name] = path.read_text(), shop.verilate(name, path)
        return cls(verilog, model)

    def prove(self, shop: Workshop) -> None:
        """Send it through the tests that mutants meet.

        Raises:
            Fault: it does not pass: no verdict would mean anything.
        """
        shop.hold(None)
        for name in self.verilog:
            path = shop.convert(name)
            shop.verilate(name, path)
            shop.race(name, shop.compile(name, path))

    @property
    def key(self) -> str:
        """What verdicts are kept under."""
        return hashlib.sha256("".join(self.verilog.values()).encode()).hexdigest()[:12]


def judge(mutant: Mutant, original: Original, shop: Workshop) -> Verdict:
    """Try a mutant, cheapest first."""
    started = time.monotonic()

    def verdict(state: str, stage: str = "", found: str = "") -> Verdict:
        return Verdict(mutant.id, state, stage, found, round(time.monotonic() - started, 1))

    shop.hold(mutant)
    stage, differs = "conversion", False
    try:
        for name in original.verilog:
            stage = "conversion"
            verilog = shop.convert(name)
            if verilog.read_text() == original.verilog[name]:
                continue
            stage = "elaboration"
            if shop.verilate(name, verilog) == original.model[name]:
                continue
            library, differs = shop.compile(name, verilog), True
            stage = "gauntlet"
            shop.race(name, library)
        stage = "tests"
        for file in tests_of(mutant.file):
            shop.test(file)
    except Fault as fault:
        return verdict(CAUGHT, stage, str(fault))
    return verdict(SURVIVED if differs else SAME)


def tests_of(file: str) -> list[str]:
    """The files of tests that a file has for itself: those of units, and those of other blocks."""
    name = f"test_{Path(file).name}"
    units = [f"tests/units/{name}", "tests/units/test_rest.py"] if file.startswith("accel/units/") else []
    return [test for test in (*units, f"tests/blocks/{name}") if (ROOT / test).exists()]


class Record:
    """The verdicts on one design, a line each; those on survivors hold only as long as the tests stay."""

    def __init__(self, folder: Path, original: Original) -> None:
        self.path = folder / f"{original.key}.jsonl"
        self._tests = tests_digest()

    def read(self) -> dict[str, Verdict]:
        """By id."""
        found = {}
        for line in self._lines():
            tests = line.pop("tests")
            verdict = Verdict(**line)
            if verdict.state == SURVIVED and tests != self._tests:
                found.pop(verdict.id, None)
            else:
                found[verdict.id] = verdict
        return found

    def _lines(self) -> Iterator[dict]:
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                try:
                    yield json.loads(line)
                except ValueError:  # the last one, of a run that was broken off
                    continue

    def add(self, verdict: Verdict) -> None:
        """Keep one more."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(verdict) | {"tests": self._tests}) + "\n")


def tests_digest() -> str:
    """Of the tests that may catch a mutant."""
    paths = sorted(path for room in ("units", "blocks", "system") for path in (ROOT / "tests" / room).glob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()[:12]
