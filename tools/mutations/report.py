"""The result of a run: score, tables, survivors, and what explains them."""

import fnmatch
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.mutations.mutants import Mutant
from tools.mutations.verdicts import CAUGHT, SAME, STAGES, SURVIVED, Verdict

EXPLAINED = Path(__file__).with_name("equivalent.toml")
ENOUGH = 0.97


@dataclass(frozen=True)
class Explanation:
    """Why a change does not change the behaviour: of one mutant by its id, or of a kind of change in a scope."""

    reason: str
    id: str = "*"
    file: str = "*"
    scope: str = "*"
    kind: str = "*"
    line: str = "*"

    def holds(self, mutant: Mutant) -> bool:
        """Whether it is about this mutant."""
        facts = (
            (mutant.id, self.id),
            (mutant.file, self.file),
            (mutant.change.scope, self.scope),
            (mutant.change.kind, self.kind),
            (mutant.line, self.line),
        )
        return all(fnmatch.fnmatchcase(fact, pattern) for fact, pattern in facts)


def explanations() -> list[Explanation]:
    """Those that are checked in."""
    entries = tomllib.loads(EXPLAINED.read_text(encoding="utf-8")).get("equivalent", [])
    return [Explanation(**entry) for entry in entries]


def report(mutants: Sequence[Mutant], verdicts: Mapping[str, Verdict], is_whole: bool) -> int:
    """Print everything; returns the exit status. A whole sample must use every explanation."""
    by_state = {state: [m for m in mutants if verdicts[m.id].state == state] for state in (SAME, CAUGHT, SURVIVED)}
    known = explanations()
    reasons = {m.id: next((e for e in known if e.holds(m)), None) for m in by_state[SURVIVED]}
    open_ones = [mutant for mutant in by_state[SURVIVED] if reasons[mutant.id] is None]
    explained = [mutant for mutant in by_state[SURVIVED] if reasons[mutant.id] is not None]
    _table("kind", mutants, verdicts, open_ones, lambda mutant: mutant.change.kind)
    _table("file", mutants, verdicts, open_ones, lambda mutant: mutant.file)
    for title, group in (("Survivors that are equivalent", explained), ("Survivors", open_ones)):
        print(f"\n{title}: {len(group)}")
        for mutant in group:
            reason = reasons[mutant.id]
            print(f"\n{mutant.id} {mutant.place}: {mutant.change.kind}\n{mutant.diff}")
            print(f"    {reason.reason}" if reason else "    not explained")
    caught, changing = len(by_state[CAUGHT]), len(by_state[CAUGHT]) + len(open_ones)
    stages = Counter(verdicts[mutant.id].stage for mutant in by_state[CAUGHT])
    print(f"\n{len(mutants)} mutants: {len(by_state[SAME])} leave the design as it is, {len(explained)} are equivalent")
    print(f"{changing} change the behaviour, {caught} of them are caught:", end=" ")
    print(", ".join(f"{stages[stage]} by {stage}" for stage in STAGES))
    score = caught / changing if changing else 1.0
    print(f"score {score:.1%}, wanted {ENOUGH:.0%}")
    stale = [e for e in known if e not in reasons.values()] if is_whole else []
    for explanation in stale:
        print(f"equivalent.toml explains no survivor with: {explanation}")
    return 1 if score < ENOUGH or stale else 0


def _table(
    title: str,
    mutants: Sequence[Mutant],
    verdicts: Mapping[str, Verdict],
    open_ones: Sequence[Mutant],
    group: Callable[[Mutant], str],
) -> None:
    caught = Counter(group(mutant) for mutant in mutants if verdicts[mutant.id].state == CAUGHT)
    survived = Counter(map(group, open_ones))
    print(f"\n{title:<44}{'caught':>8}{'survived':>10}")
    for name in sorted({*caught, *survived}):
        print(f"{name:<44}{caught[name]:>8}{survived[name]:>10}")
