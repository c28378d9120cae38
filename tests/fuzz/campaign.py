"""Runs invocations in sandboxes and collects those that broke the promise, each with what it takes to repeat it."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import promise
from tests.fuzz.child import Ended, call, calls
from tests.fuzz.mutate import mutated
from tests.fuzz.plan import Invocation, chosen
from tests.fuzz.sandbox import WORK, changes, copy, marks
from tests.fuzz.template import cheapen

Run = Callable[[list[str]], int]  # a command line, as `radit.cli.main`


@dataclass(frozen=True)
class Breach:
    """An invocation that broke the promise; `kept` is its sandbox as it was before."""

    invocation: Invocation
    kinds: list[str]
    kept: Path

    def __str__(self) -> str:
        what = "\n".join(f"    {kind}" for kind in self.kinds)
        file = f" (with {self.invocation.file} damaged)" if self.invocation.file else ""
        return f"invocation {self.invocation.number}{file}:\n{what}\n  to repeat: {command_line(self)}"


def command_line(breach: Breach) -> str:
    """For a shell; in Python where an argument has no place on a command line."""
    arguments = breach.invocation.arguments
    go = f"cd {shlex.quote(str(breach.kept / WORK))} && "
    if any("\0" in one for one in arguments):
        return go + shlex.join([sys.executable, "-c", f"from radit.cli import main; main({list(arguments)!r})"])
    return go + " ".join(["radit", *map(quoted, arguments)])


def quoted(argument: str) -> str:
    """An argument for bash, with bytes that are no text as escapes."""
    data = os.fsencode(argument)
    if all(32 <= byte < 127 for byte in data):
        return shlex.quote(argument)
    return "$'" + "".join(chr(b) if 32 <= b < 127 and chr(b) not in "\\'" else f"\\x{b:02x}" for b in data) + "'"


def run_radit(arguments: list[str]) -> int:
    """The command line itself, made cheap."""
    from radit.cli import main

    cheapen(Path.cwd())
    sys.argv = ["radit", *arguments]
    return main(arguments)


class Campaign:
    """Runs invocations against a template, two side by side.

    Args:
        template: see `template.make_template`.
        folder: for sandboxes; those of breaches stay in it, under kept/.
        run: what is called with the arguments.
    """

    def __init__(self, template: Path, folder: Path, run: Run = run_radit) -> None:
        self.template, self.folder, self.run = template, folder, run
        self.statuses: dict[object, int] = {}
        self._before = marks(template)
        self._damaged: dict[int, tuple[Path, bytes]] = {}  # by number, until the invocation has ended

    def breaches(self, invocations: Iterable[Invocation]) -> list[Breach]:
        """Those that broke the promise, by number."""
        found = []
        for invocation, ended in calls(invocations, self._prepared):
            self.statuses[ended.status] = self.statuses.get(ended.status, 0) + 1
            if kinds := self._kinds(invocation, ended):
                found.append(Breach(invocation, kinds, self._keep(invocation, ended)))
            shutil.rmtree(self._sandbox(invocation), ignore_errors=True)
        return sorted(found, key=lambda breach: breach.invocation.number)

    def _sandbox(self, invocation: Invocation) -> Path:
        return self.folder / f"{invocation.number}"

    def _said(self, invocation: Invocation) -> Path:
        return self.folder / "said" / f"{invocation.number}"

    def _prepared(self, invocation: Invocation) -> tuple[Callable[[], int], Path, Path]:
        sandbox = self._fresh(invocation, self._sandbox(invocation))
        arguments = list(invocation.arguments)
        return lambda: self.run(arguments), sandbox / WORK, self._said(invocation)

    def _fresh(self, invocation: Invocation, sandbox: Path) -> Path:
        """A copy of the template, with the file of the invocation damaged."""
        shutil.rmtree(sandbox, ignore_errors=True)
        copy(self.template, sandbox)
        if invocation.file:
            path = chosen(invocation.file, sandbox / WORK, random.Random(invocation.seed))
            assert path is not None, f"{invocation.file} is not in the template"
            data = mutated(path, invocation.seed)
            path.write_bytes(data)
            self._damaged[invocation.number] = (path, data)
        return sandbox

    def _kinds(self, invocation: Invocation, ended: Ended) -> list[str]:
        sandbox = self._sandbox(invocation)
        changed = changes(sandbox, self._before, self.template)
        if damaged := self._damaged.pop(invocation.number, None):
            path, data = damaged
            if path.is_file() and path.read_bytes() == data:
                changed.pop(str(path.relative_to(sandbox)), None)
        kinds = promise.broken(invocation.arguments, ended, changed)
        if ended.status == 0 and not kinds:
            reading = self.folder / "reading" / f"{invocation.number}"

            def read() -> int:
                print(wrong := promise.unreadable(invocation.arguments, ended))
                return bool(wrong)

            read_again = call(read, sandbox / WORK, reading)
            if read_again.status:
                kinds.append(f"unreadable results: {(read_again.out + read_again.err).strip()[-300:]}")
            shutil.rmtree(reading)
        return kinds

    def _keep(self, invocation: Invocation, ended: Ended) -> Path:
        kept = self._fresh(invocation, self.folder / "kept" / f"{invocation.number}")
        for name in ("out", "err"):
            shutil.copy(self._said(invocation) / name, kept / name)
        (kept / "arguments.json").write_text(json.dumps(invocation.arguments))
        return kept


def by_kind(breaches: Iterable[Breach]) -> dict[str, list[Breach]]:
    """Breaches that look alike: by the kind without its numbers and names."""
    found: dict[str, list[Breach]] = {}
    for breach in breaches:
        for kind in breach.kinds:
            found.setdefault(re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "..", kind)[:160], []).append(breach)
    return dict(sorted(found.items(), key=lambda one: -len(one[1])))
