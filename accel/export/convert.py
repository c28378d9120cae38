"""Write the accelerator as Verilog or VHDL.

Conversion warnings are errors: MyHDL warns where the HDL it writes may not mean what the Python says. The text is
the same for the same build: no dates, no paths.
"""

import logging
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import myhdl
from myhdl import ToVerilogWarning, ToVHDLWarning
from myhdl._block import _name_set
from myhdl._extractHierarchy import _memInfoMap
from myhdl._simulator import _blocks, _signals

from accel.config import BuildConfig
from accel.export.interface_map import MAP_FILE, map_text
from accel.export.waivers import WAIVERS_FILE, waiver_text
from accel.interfaces.top_ports import TopPorts
from accel.top import radit_top
from model.errors import UserError

TOP = "radit_top"
LANGUAGES = {"verilog": "Verilog", "vhdl": "VHDL"}
SUFFIX = {"verilog": "v", "vhdl": "vhd"}
COMMENT = {"verilog": "//", "vhdl": "--"}
OPTIONS: dict[str, dict[str, bool]] = {"verilog": {"testbench": False}, "vhdl": {"std_logic_ports": True}}

log = logging.getLogger("radit")


def convert(config: BuildConfig, language: str, folder: Path, name: str = TOP) -> Path:
    """Convert one build into ``folder``; returns the file of the top. VHDL also needs the package pck_myhdl_*.vhd.

    Raises:
        UserError: an unknown language.
    """
    if language not in LANGUAGES:
        raise UserError(f"language is {language!r}; choose from {', '.join(LANGUAGES)}.")
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as thread:  # MyHDL inspects the call stack for every block: a thread's is short
        return thread.submit(_convert, config, language, folder, name).result()


def _convert(config: BuildConfig, language: str, folder: Path, name: str) -> Path:
    _start_numbering()
    with forgotten_signals():
        return _write(config, language, folder, name)


def _write(config: BuildConfig, language: str, folder: Path, name: str) -> Path:
    ports = TopPorts(config)
    top = radit_top(config, **ports.arguments())
    header = f"{COMMENT[language]} RADiT, {config}, converted by MyHDL {myhdl.__version__}"
    with warnings.catch_warnings():
        warnings.simplefilter("error", ToVerilogWarning)
        warnings.simplefilter("error", ToVHDLWarning)
        # Outputs that a wiring block does not use are no error.
        warnings.filterwarnings("ignore", message="Signal is driven but not read")
        top.convert(
            hdl=LANGUAGES[language],
            path=str(folder),
            name=name,
            initial_values=False,
            no_myhdl_header=True,
            header=header,
            **OPTIONS[language],
        )
    return folder / f"{name}.{SUFFIX[language]}"


@contextmanager
def forgotten_signals() -> Iterator[None]:
    """Make MyHDL forget the signals, and lists of them, that are made inside: it keeps all for good, and every
    simulation starts and ends with a walk through them."""
    known = len(_signals)
    try:
        yield
    finally:
        del _signals[known:]
        _memInfoMap.clear()


def _start_numbering() -> None:
    """Forget the instance names that MyHDL gave out: it never uses one twice in a process, and the text shows them."""
    _name_set.clear()
    for each in _blocks:
        each.calls = 0


def export(array: tuple[int, int], languages: Sequence[str], out: Path) -> list[Path]:
    """Write the accelerator with an array of rows x columns; returns the files."""
    return export_build(BuildConfig(rows=array[0], cols=array[1]), languages, out)


def export_build(config: BuildConfig, languages: Sequence[str], out: Path) -> list[Path]:
    """Write a build in every language, the lint's waivers and the map of ports and registers into ``out``.

    Everything is made in a folder beside it first: a failure leaves ``out`` as it was.

    Raises:
        UserError: an unknown language, or a folder that cannot be written.
    """
    try:
        if out.exists() and not out.is_dir():
            raise UserError(f"--out is '{out}', which is a file: give a folder.")
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as made:
            _write_all(config, languages, Path(made))
            out.mkdir(exist_ok=True)
            files = [out / path.name for path in sorted(Path(made).iterdir())]
            for path in files:
                os.replace(Path(made) / path.name, path)
    except OSError as error:
        raise UserError(
            f"--out is '{out}', where nothing can be written ({error.strerror}): give another folder."
        ) from None
    return files


def _write_all(config: BuildConfig, languages: Sequence[str], folder: Path) -> None:
    for language in languages:
        started = time.monotonic()
        where = f"{config.rows}x{config.cols} accelerator as {LANGUAGES.get(language, language)}"
        log.info("writing the %s (seconds to a minute) ...", where)
        convert(config, language, folder)
        log.info("written in %.0f s", time.monotonic() - started)
    if "verilog" in languages:
        (folder / WAIVERS_FILE).write_text(waiver_text(), encoding="utf-8")
    (folder / MAP_FILE).write_text(map_text(config), encoding="utf-8")


def describe(path: Path) -> str:
    """What an exported file is."""
    if path.name == WAIVERS_FILE:
        return f"waivers for verilator --lint-only -Wall {WAIVERS_FILE} {TOP}.v, each with its reason"
    if path.name == MAP_FILE:
        return "ports, memories, registers and counters"
    if path.name.startswith("pck_"):
        return "VHDL package, to be analysed first (--std=08)"
    return f"the accelerator, top {TOP}"
