"""Convert the accelerator to Verilog or VHDL.

Conversion warnings are errors: MyHDL warns where the HDL it writes may not mean what the Python says. The text is
the same for the same build: no dates, no paths.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import myhdl
from myhdl import ToVerilogWarning, ToVHDLWarning
from myhdl._always_comb import _AlwaysComb
from myhdl._always_seq import _AlwaysSeq
from myhdl._block import _Block, _name_set
from myhdl._extractHierarchy import _memInfoMap
from myhdl._simulator import _blocks, _signals

from radit.accel.axi.bus_config import BusConfig
from radit.accel.axi.bus_ports import AxiTopPorts
from radit.accel.axi.top import radit_axi
from radit.accel.config import BuildConfig
from radit.accel.export.hierarchy import COMMENT, Notes, noted, section_notes, with_overview
from radit.accel.interfaces.top_ports import TopPorts
from radit.accel.top import radit_top
from radit.model.errors import UserError

TOP, AXI_TOP = "radit_top", "radit_axi"
LANGUAGES = {"verilog": "Verilog", "vhdl": "VHDL"}
SUFFIX = {"verilog": "v", "vhdl": "vhd"}
OPTIONS: dict[str, dict[str, bool]] = {"verilog": {"testbench": False}, "vhdl": {"std_logic_ports": True}}


def convert(
    config: BuildConfig, language: str, folder: Path, name: str = TOP, bus: BusConfig | None = None,
    notes: Notes | None = None,
) -> Path:  # fmt: skip
    """Convert one build into ``folder``; returns the file of the top. VHDL also needs the package pck_myhdl_*.vhd.

    With ``bus`` it is the accelerator behind AXI, ``AXI_TOP``. ``notes`` take the place of the headlines of instances.

    MyHDL inspects the call stack for every block. Call it by `in_thread` (`model/system/processes.py`), whose stack is
    short: deep inside a program it takes ten times as long.

    Raises:
        UserError: an unknown language.
    """
    if language not in LANGUAGES:
        raise UserError(f"language is {language!r}; choose from {', '.join(LANGUAGES)}.")
    folder.mkdir(parents=True, exist_ok=True)
    start_numbering()
    with forgotten_signals():
        return _write(config, language, folder, name, bus, notes)


def _write(
    config: BuildConfig, language: str, folder: Path, name: str, bus: BusConfig | None, notes: Notes | None
) -> Path:
    if bus is None:
        top = radit_top(config=config, **TopPorts(config).arguments())
        return write_hdl(top, language, folder, name, f"RADiT, {config}", notes)
    top = radit_axi(config=config, bus=bus, **AxiTopPorts(config, bus).arguments())
    return write_hdl(top, language, folder, name, f"RADiT, {config}, {bus}", notes)


def write_hdl(top: Any, language: str, folder: Path, name: str, title: str, notes: Notes | None = None) -> Path:
    """Convert an elaborated block into ``folder``; warnings of the converter are errors.

    notes: lines ahead of processes; None: headlines of the instances, and their list at the top of the file.
    """
    order_signals(top)
    header = f"{COMMENT[language]} {title}, converted by MyHDL {myhdl.__version__}"
    with warnings.catch_warnings(), noted(language, notes or section_notes(language)):
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
    path = folder / f"{name}.{SUFFIX[language]}"
    if notes is None:
        path.write_text(with_overview(path.read_text(encoding="utf-8"), language, top), encoding="utf-8")
    return path


def order_signals(top: Any) -> None:
    """Bring what MyHDL keeps of each process in the order of sets of names, its sensitivity list and the registers that
    reset clears, into the order in which the signals were made: the order of sets differs between programs."""
    places = {id(signal): place for place, signal in enumerate(_signals)}

    def made(signal: Any) -> int:
        return places[id(signal)]

    blocks = [top]
    while blocks:
        for each in blocks.pop().subs:
            if isinstance(each, _Block):
                blocks.append(each)
            elif isinstance(each, _AlwaysComb):
                each.senslist = tuple(sorted(each.senslist, key=made))
            elif isinstance(each, _AlwaysSeq):
                each.sigregs.sort(key=made)


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


def start_numbering() -> None:
    """Forget the instance names that MyHDL gave out: it never uses one twice in a process, and the text shows them."""
    _name_set.clear()
    for each in _blocks:
        each.calls = 0
