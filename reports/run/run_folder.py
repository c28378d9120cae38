"""The folder of a run: its files belong together, and are written and read together.

summary.json names the digest of its arrays.npz, so that files which somebody mixed are not taken for a run.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from radit.accel.export.export_folder import EXPORTED
from radit.model.errors import UserError
from radit.model.integer.decision_record import DecisionRecord
from radit.model.plain_text import quoted
from radit.model.policy.skip_policy import POLICIES
from radit.model.result_folder import open_results
from radit.reports.run.arrays import ARRAYS_FILE, RunArrays, load_arrays, load_decisions
from radit.reports.run.consistency import check_arrays, check_decisions
from radit.reports.run.pictures import SHEET_FILE
from radit.reports.run.render import REPORT_FILE
from radit.reports.run.schema import Summary
from radit.reports.run.summary import SUMMARY_FILE, load_summary

IMAGES, RTL, STATE = "images", "rtl", "state"
WAVES_FILE, UNFINISHED_WAVES = "waves.vcd", "waves.unfinished.vcd"
FILES = (SUMMARY_FILE, ARRAYS_FILE, REPORT_FILE, WAVES_FILE, UNFINISHED_WAVES)
FOLDERS = (IMAGES, RTL, STATE)
RUN_FILES = (
    *FILES,
    *(f"{IMAGES}/{name}_[0-9][0-9]*.{kind}" for name in POLICIES for kind in ("png", "gif")),
    f"{IMAGES}/{SHEET_FILE}",
    *(f"{RTL}/{name}" for name in EXPORTED),
)


def arrays_digest(path: Path) -> str:
    """SHA-256 (hex) of an arrays.npz; empty where there is none."""
    if not path.is_file():
        return ""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_run(folder: Path) -> tuple[Summary, RunArrays]:
    """Summary and arrays of a finished run that compares policies; the folder is `open_results`.

    Raises:
        UserError: a file is missing or bad, or they are of different runs.
    """
    summary = load_summary(folder / SUMMARY_FILE).compared()
    arrays = load_arrays(folder / ARRAYS_FILE)
    _check_same_run(folder, summary)
    check_arrays(summary, arrays, folder / ARRAYS_FILE)
    return summary, arrays


def load_run(folder: Path) -> tuple[Summary, RunArrays]:
    """The same of a folder that is not open.

    Raises:
        UserError: see `read_run`.
    """
    with open_results(folder, RUN_FILES):
        return read_run(folder)


def load_trace(folder: Path, policy: str) -> DecisionRecord:
    """Decisions of a run, see `load_decisions`.

    Raises:
        UserError: the file is missing, broken or incomplete, nothing was skipped, or the summary is another run's.
    """
    with open_results(folder, RUN_FILES):
        summary = load_summary(folder / SUMMARY_FILE) if (folder / SUMMARY_FILE).exists() else None
        record = load_decisions(folder / ARRAYS_FILE, policy)
        if summary is not None:
            _check_same_run(folder, summary)
            check_decisions(summary, {policy: record}, folder / ARRAYS_FILE)
        return record


def _check_same_run(folder: Path, summary: Summary) -> None:
    path = folder / ARRAYS_FILE
    if summary.arrays_digest is not None and path.exists() and arrays_digest(path) != summary.arrays_digest:
        raise _mixed(folder)


def _mixed(folder: Path) -> UserError:
    return UserError(
        f"folder {quoted(folder)} holds {SUMMARY_FILE} of one run and {ARRAYS_FILE} of another: run `radit demo` or "
        "`radit cosim` again, into it or another."
    )
