"""Mutants: single changes of the sources with an id and a diff, and a sample of them over all files."""

import difflib
import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tools.mutations.operators import Change, changes, processes, syntax_tree

ROOT = Path(__file__).resolve().parent.parent.parent
FEWEST_PER_FILE = 3


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Fields:
        file: from the root of the repository.
        source: its text.
        change: what becomes of it.
        turn: which of the changes of this file that read alike.
    """

    file: str
    source: str = field(repr=False)
    change: Change
    turn: int = 0

    @cached_property
    def id(self) -> str:
        """Stays the same while the lines around it stay, wherever they move."""
        facts = self.file, *_reading(self.source, self.change), str(self.turn)
        return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:8]

    @property
    def text(self) -> str:
        """The whole file with the change."""
        return self.source[: self.change.start] + self.change.new + self.source[self.change.end :]

    @property
    def diff(self) -> str:
        """The lines that differ."""
        sides = self.source.splitlines(), self.text.splitlines()
        return "\n".join(list(difflib.unified_diff(*sides, lineterm="", n=0))[2:])

    @property
    def line(self) -> str:
        """The first line of the change, before it."""
        first = self.source.rfind("\n", 0, self.change.start) + 1
        return self.source[first : self.source.find("\n", self.change.start)].strip()

    @property
    def place(self) -> str:
        """File, line and scope."""
        line = self.source.count("\n", 0, self.change.start) + 1
        return f"{self.file}:{line} ({self.change.scope})"


def _reading(text: str, change: Change) -> tuple[str, ...]:
    """What a change is, without its place: several of a file may read alike."""
    first, last = text.rfind("\n", 0, change.start) + 1, text.find("\n", change.end)
    new = text[first : change.start] + change.new + text[change.end : last]
    return change.scope, change.kind, text[first:last].strip(), new.strip()


def _read(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def hardware_files() -> list[str]:
    """Files of accel/ with processes."""
    paths = sorted((ROOT / "accel").rglob("*.py"))
    return [str(path.relative_to(ROOT)) for path in paths if processes(syntax_tree(path.read_text(encoding="utf-8")))]


def all_mutants(files: Sequence[str]) -> list[Mutant]:
    """Every mutant of the files."""
    found = []
    for file in files:
        text = _read(file)
        seen: Counter[tuple[str, ...]] = Counter()
        for change in changes(text):
            reading = _reading(text, change)
            found.append(Mutant(file, text, change, seen[reading]))
            seen[reading] += 1
    return found


def sample(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """A part of the mutants: the same for the same sources, some of every file, of as many kinds as there are.

    Large files give more than small ones, by the square root of what they offer.
    """
    by_file: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in mutants:
        by_file[mutant.file].append(mutant)
    weights = {file: len(found) ** 0.5 for file, found in by_file.items()}
    scale = count / sum(weights.values())
    chosen = []
    for file, found in sorted(by_file.items()):
        wanted = max(FEWEST_PER_FILE, round(weights[file] * scale))
        chosen += _of_all_kinds(found, wanted, random.Random(f"{seed} {file}"))
    return chosen


def _of_all_kinds(mutants: Sequence[Mutant], count: int, rng: random.Random) -> list[Mutant]:
    """So many, kind after kind in turn."""
    by_kind: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in sorted(mutants, key=lambda mutant: mutant.id):
        by_kind[mutant.change.kind].append(mutant)
    kinds = list(by_kind.values())
    rng.shuffle(kinds)
    for found in kinds:
        rng.shuffle(found)
    chosen = []
    while len(chosen) < count and any(kinds):
        chosen += [found.pop() for found in kinds if found][: count - len(chosen)]
    return chosen
