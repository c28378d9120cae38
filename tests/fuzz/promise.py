"""The rule that every invocation is held to, and the only one.

| exit status | what holds |
|---|---|
| 0 | what was asked for is there and can be read again; nothing else was written, but for caches |
| 1 | something differs that should be equal, and stdout says what |
| 2 | stderr ends with one sentence `radit: ..`; nothing was written, but for caches; earlier results are as they were |

In every case: the process ends by itself, there is no traceback, no library's warning, no escape code.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from tests.fuzz.child import Ended
from tests.fuzz.plan import COMMANDS
from tests.fuzz.sandbox import TEMPORARY, WORK

CACHES = tuple(f"build/{name}" for name in ("calibration", "quality", "policies", "rtl", "verilated"))
FINISHED = ("points", "pieces")  # in a folder of results: what a sweep need not do again
BESIDE = (".policy.json", ".quality.json", ".calibration.safetensors")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|[\ud800-\udfff]")
INTERNAL = re.compile(r"<class |object at 0x|Traceback|Error\(|\berrno\b|\[Errno", re.IGNORECASE)
FRAME = re.compile(r'File ".*?/((?:radit|model|cosim|reports|accel)/[^"]*)", line (\d+), in (\w+)')
MOST_LETTERS = 1500  # of a sentence


def broken(arguments: Sequence[str], ended: Ended, changed: Mapping[str, str]) -> list[str]:
    """What an invocation broke, each as a kind of breach and, after a colon, its particulars.

    Args:
        changed: what became of the files of its sandbox, see `sandbox.changes`.
    """
    if ended.late or ended.signal:
        return [f"does not end by itself: {ended.how}"]
    if ended.raised:
        return [f"traceback: {_last_line(ended.err)}"]
    found = list(_said(ended))
    if ended.status == 2:
        found += _refused(arguments, ended)
    elif ended.status == 1:
        if not re.search(r"\bDIFFER\b|[1-9][\d,]* differ", ended.out):
            found.append("status 1 without a difference: " + _last_line(ended.out + ended.err))
    elif ended.status != 0:
        found.append(f"status: {ended.status}")
    allowed = _allowed(arguments, results=ended.status != 2)
    strange = {name: what for name, what in changed.items() if not _is_among(name, allowed, changed)}
    if strange:
        kind = "left after a refusal" if ended.status == 2 else "written elsewhere"
        found.append(f"{kind}: {dict(sorted(strange.items())[:6])!r}")
    return found


def _said(ended: Ended) -> Iterable[str]:
    """What no output holds, whatever the status."""
    for name, text in (("stdout", ended.out), ("stderr", ended.err)):
        if strange := CONTROL.search(text):
            yield f"control characters on {name}: {text[max(strange.start() - 60, 0) : strange.end() + 20]!r}"
        if "Traceback (most recent call last)" in text:
            yield f"traceback on {name}: {_last_line(text)}"
    if warned := re.search(r"^.*Warning: .*$", ended.err, re.MULTILINE):
        yield f"a library's warning: {warned[0]}"


def _refused(arguments: Sequence[str], ended: Ended) -> Iterable[str]:
    """What the sentence of a refusal should be and is not."""
    if not arguments:
        return  # the help
    *before, last = ended.err.rstrip("\n").split("\n")
    if not last.startswith("radit: ") or any(line.startswith("radit: ") for line in before):
        yield f"not one sentence: {ended.err[-300:]!r}"
        return
    if len(last) > MOST_LETTERS:
        yield f"a long sentence: {len(last)} characters, {last[:200]!r}"
    if INTERNAL.search(last):
        yield f"internal names: {last[:300]!r}"
    if not re.search(r"[:;,] ", last.removeprefix("radit: ")) and "--help" not in last:
        yield f"no remedy: {last[:300]!r}"


def _last_line(text: str) -> str:
    """The last line, and of a traceback the last frame of the project."""
    lines = text.strip().split("\n")
    frames = FRAME.findall(text)
    return " ".join([lines[-1][:200], *("{}:{} {}".format(*frame) for frame in frames[-1:])])


def parameters(arguments: Sequence[str]) -> dict[str, Any]:
    """The values that a command gets, unchecked; empty where its arguments do not parse."""
    if not arguments or arguments[0] not in COMMANDS:
        return {}
    command = COMMANDS[arguments[0]]
    try:
        with redirect_stdout(io.StringIO()), command.make_context(arguments[0], list(arguments[1:])) as context:
            return dict(context.params)
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit) or type(error).__module__.startswith(("typer", "click")):
            return {}
        raise


def places(arguments: Sequence[str]) -> list[str]:
    """Folders and files that a command is asked to write, in the sandbox."""
    given = parameters(arguments)
    command = arguments[0] if arguments else ""
    found = [given.get("out"), given.get("readme")]
    if command == "report":
        found.append(given.get("run"))
    if command == "train" and given:
        out = given["out"] or Path("build") / f"{given['model']}.safetensors"
        found += [out, Path(out).with_suffix(".training")]
    if command == "demo" and given and not given["out"]:
        found += ["build/demo", "build/moving-digits"]
    return [os.path.normpath(place) for place in found if place is not None]


def _allowed(arguments: Sequence[str], results: bool) -> list[str]:
    """Paths below which something may be written."""
    allowed = [*CACHES]
    given = parameters(arguments)
    if arguments and arguments[0] in ("quality", "calibrate", "demo") and (results or arguments[0] == "demo"):
        model = Path(str(given.get("model", "")))
        stem = Path("shipped") / model if not model.suffix else model
        allowed += [str(stem.with_suffix(ending)) for ending in BESIDE if stem.name]
    here = places(arguments)
    allowed += here if results else [f"{place}/{name}" for place in here for name in FINISHED]
    return [os.path.normpath(os.path.join(WORK, place)) for place in allowed]


def _is_among(name: str, allowed: Sequence[str], changed: Iterable[str]) -> bool:
    """Whether a path is one of these, below one, or a folder on the way to one where something was written."""
    if name == TEMPORARY:
        return True
    for place in allowed:
        if _is_in(name, place) or (_is_in(place, name) and any(_is_in(other, place) for other in changed)):
            return True
    return False


def _is_in(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}/")


def unreadable(arguments: Sequence[str], ended: Ended) -> str:
    """What is wrong with the results of an invocation that ended with status 0; empty: nothing.

    Runs in the sandbox's working directory, with the readers of the project.
    """
    if "--help" in arguments or not arguments:
        return "" if "Usage" in ended.out else "the help is not shown"
    given = parameters(arguments)
    try:
        return _result_of(arguments[0], given, ended) or ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _result_of(command: str, given: dict[str, Any], ended: Ended) -> str | None:
    from radit.model.dit.checkpoint import load_checkpoint
    from radit.model.policy.policy_file import policy_path, read_policy
    from radit.model.text.prompt_files import read_prompts
    from radit.reports.run.arrays import load_arrays
    from radit.reports.run.summary import load_summary

    out = Path(given.get("out") or "build/demo")
    if command in ("cosim", "demo"):
        summary, arrays = load_summary(out / "summary.json"), load_arrays(out / "arrays.npz")
        if not summary.check.passed or set(arrays.images) != set(summary.results):
            return "summary and arrays do not belong together"
        return "its state is left" if (out / "state").exists() else None
    if command == "report":
        page = (Path(given["run"]) / "report.html").read_text(encoding="utf-8")
        return None if page.rstrip().endswith("</html>") else "the page is cut off"
    if command == "train":
        load_checkpoint(given["out"] or Path("build") / f"{given['model']}.safetensors")
    elif command == "embed":
        read_prompts(str(given["out"]), tokens=300, channels=16)
    elif command == "calibrate":
        read_policy(Path(given["out"] or policy_path(given["model"])))
    elif command == "quality":
        json.loads(ended.out[ended.out.index("{\n") :])
    elif command == "export":
        return None if (out / "radit_top.json").stat().st_size else "an empty file"
    else:
        name = {"ablate": "ablations"}.get(command, command)
        content = json.loads((out / f"{name}.json").read_text(encoding="utf-8"), parse_constant=_not_json)
        return None if isinstance(content, dict) else "no object"
    return None


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
