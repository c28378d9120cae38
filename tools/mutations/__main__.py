"""python -m tools.mutations: how many mutants of the RTL the tests catch.

Prints the score, a table by kind and by file, and every survivor with its change. Exit status 1 when fewer than 97 %
of the mutants that change the behaviour are caught, or an entry of ``equivalent.toml`` explains nothing.
"""

import argparse
import logging
import sys
from collections.abc import Sequence

from tools.mutations.mutants import ROOT, Mutant, all_mutants, hardware_files, sample
from tools.mutations.report import report
from tools.mutations.verdicts import Original, Record
from tools.mutations.workers import judged
from tools.mutations.workshop import Workshop

OUT = ROOT / "build" / "mutations"
COUNT, SEED = 245, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    options = _parser().parse_args(arguments)
    mutants = _chosen(options)
    if options.list:
        for mutant in mutants:
            print(f"{mutant.id} {mutant.place}: {mutant.change.kind}\n{mutant.diff}")
        return 0
    OUT.mkdir(parents=True, exist_ok=True)
    logging.disable(logging.INFO)
    shop = Workshop(OUT / "original", OUT / "cache")
    original = Original.of(shop)
    original.prove(shop)
    record = Record(OUT, original)
    known = {} if options.again else record.read()
    todo = [mutant for mutant in mutants if mutant.id not in known]
    print(f"{len(mutants)} mutants, {len(mutants) - len(todo)} of them judged before", flush=True)
    for verdict in judged(todo, original, options.workers, OUT):
        record.add(verdict)
        known[verdict.id] = verdict
        if options.verbose:
            print(f"{verdict.id} {verdict.state} {verdict.seconds} s: {verdict.stage} {verdict.found}", flush=True)
    return report(mutants, known, is_whole=not options.ids)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mutations", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--count", type=int, default=COUNT, help="mutants in the sample (default %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of the sample (default %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default %(default)s)")
    parser.add_argument("--ids", nargs="+", default=[], help="these mutants and no sample")
    parser.add_argument("--again", action="store_true", help="also those that were judged before")
    parser.add_argument("--list", action="store_true", help="show the mutants and stop")
    parser.add_argument("--verbose", action="store_true", help="a line for every verdict")
    return parser


def _chosen(options: argparse.Namespace) -> list[Mutant]:
    mutants = all_mutants(hardware_files())
    if not options.ids:
        return sample(mutants, options.count, options.seed)
    found = [mutant for mutant in mutants if mutant.id in options.ids]
    if missing := set(options.ids) - {mutant.id for mutant in found}:
        sys.exit(f"mutations: there is no mutant {', '.join(sorted(missing))}: see --list.")
    return found


if __name__ == "__main__":
    sys.exit(main())
