"""Write the accelerator into a folder: HDL, the waivers of the lint, the map of its interface, its C header."""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from radit.accel.axi.bus_config import BusConfig
from radit.accel.config import BuildConfig
from radit.accel.export.c_header import HEADER_FILE, header_text
from radit.accel.export.constraints import CLOCK_MHZ, constraint_texts
from radit.accel.export.convert import AXI_TOP, LANGUAGES, SUFFIX, TOP, convert
from radit.accel.export.fusesoc import CORE_FILE, FILE_TYPES, write_core
from radit.accel.export.interface_map import AXI_MAP_FILE, MAP_FILE, map_text
from radit.accel.export.ip_xact import COMPONENT_FILE, component_text
from radit.accel.export.memories import MODULE, RAM_FILE, memories_apart
from radit.accel.export.register_bench import BENCH_ENDING, bench_text
from radit.accel.export.waivers import WAIVERS_FILE, waiver_text
from radit.model.errors import UserError
from radit.model.outputs import output_folder
from radit.model.result_folder import open_results
from radit.model.system.processes import in_thread

TOPS = (TOP, AXI_TOP)
# What an export may have.
HDL = tuple(f"{top}.{ending}" for top in TOPS for ending in ("v", "vhd"))
CONSTRAINTS = tuple(f"{top}.{ending}" for top in TOPS for ending in FILE_TYPES)
BENCHES = tuple(f"{top}{BENCH_ENDING}" for top in TOPS)
BENCH_FILES = ("radit_top_tb.v", "radit_top_tb.json", "images/*.hex")  # of a model's run (cosim/testbench)
EXPORTED = (
    *HDL, "pck_*.vhd", WAIVERS_FILE, MAP_FILE, AXI_MAP_FILE, HEADER_FILE, *COMPONENT_FILE.values(), *CONSTRAINTS,
    *BENCHES, CORE_FILE, RAM_FILE, *BENCH_FILES,
)  # fmt: skip

SIDES = ("rows", "cols", "products")  # of an array

log = logging.getLogger("radit")


def export_build(
    config: BuildConfig, languages: Sequence[str], out: Path, bus: BusConfig | None = None,
    more: Callable[[Path], None] | None = None, apart: bool = False,
) -> list[Path]:  # fmt: skip
    """Write a build in every language, what goes with the Verilog, the map of ports and registers, and the C header.

    Everything is made in a folder beside ``out`` first: a failure leaves ``out`` as it was. Files of another build
    that an earlier export left there are removed.

    Args:
        more: writes further files, of ``EXPORTED``, into the folder that it is given.
        apart: memories of the Verilog as instances of ``radit_ram``.

    Raises:
        UserError: an unknown language, or a folder that cannot be written.
    """
    out = output_folder(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
            made = Path(folder)
            write_files(config, languages, made, bus, apart)
            if more is not None:
                more(made)
            files = [path.relative_to(made) for path in sorted(made.rglob("*")) if path.is_file()]
            out.mkdir(exist_ok=True)
            with open_results(out, EXPORTED, to_write=True) as results:
                known = out / _map_file(bus)
                same = known.is_file() and known.read_bytes() == map_text(config, bus).encode()
                with results.replaced(keep=same) as part:
                    for path in files:
                        (part / path).parent.mkdir(exist_ok=True)
                        os.replace(made / path, part / path)
    except OSError as error:
        raise UserError(
            f"--out is '{out}', where nothing can be written ({error.strerror}): give another folder."
        ) from None
    return [out / path for path in files]


def _map_file(bus: BusConfig | None) -> str:
    return MAP_FILE if bus is None else AXI_MAP_FILE


def write_files(
    config: BuildConfig, languages: Sequence[str], folder: Path, bus: BusConfig | None = None, apart: bool = False
) -> None:
    """Everything that is exported of a build, into a folder; HDL that is there already stays as it is."""
    top = TOP if bus is None else AXI_TOP
    for language in languages:
        if (folder / f"{top}.{SUFFIX.get(language)}").is_file():
            continue
        started = time.monotonic()
        where = f"{config.shape} accelerator as {LANGUAGES.get(language, language)}"
        log.info("writing the %s (seconds to a minute) ...", where)
        if bus is None:
            in_thread(convert, config, language, folder)
        else:
            in_thread(convert, config, language, folder, top, bus)
        log.info("written in %.0f s", time.monotonic() - started)
    if "verilog" in languages:
        if apart:
            verilog = folder / f"{top}.v"
            verilog.write_text(memories_apart(verilog.read_text(encoding="utf-8")), encoding="utf-8")
            (folder / RAM_FILE).write_text(MODULE, encoding="utf-8")
        _write_around(config, bus, top, folder)
    (folder / _map_file(bus)).write_text(map_text(config, bus), encoding="utf-8")
    (folder / COMPONENT_FILE[top]).write_text(component_text(config, languages, bus), encoding="utf-8")
    (folder / HEADER_FILE).write_text(header_text(config, bus), encoding="utf-8")


def _write_around(config: BuildConfig, bus: BusConfig | None, top: str, folder: Path) -> None:
    """What goes with the Verilog: waivers, constraints, the bench of the registers, the core file."""
    verilog = (folder / f"{top}.v").read_text(encoding="utf-8")
    (folder / WAIVERS_FILE).write_text(waiver_text(verilog, top), encoding="utf-8")
    for ending, text in constraint_texts(top, CLOCK_MHZ).items():
        (folder / f"{top}.{ending}").write_text(text, encoding="utf-8")
    (folder / f"{top}{BENCH_ENDING}").write_text(bench_text(verilog, config, bus), encoding="utf-8")
    write_core(folder, top)


def describe(path: Path) -> str:
    """What an exported file is."""
    known = {
        WAIVERS_FILE: f"waivers for verilator --lint-only -Wall {WAIVERS_FILE} *.v, each with its reason",
        MAP_FILE: "ports, memories, registers and counters",
        AXI_MAP_FILE: "ports, memories, registers and counters",
        HEADER_FILE: "registers, fields, limits and error codes as C",
        RAM_FILE: "one memory, in whose place a macro can stand",
        CORE_FILE: "FuseSoC core with targets lint, sim and synth",
        BENCH_FILES[0]: "a self-checking bench of the model's run, Verilog-2005",
        BENCH_FILES[1]: "what that run is of: memories, register values, decisions",
        **dict.fromkeys(COMPONENT_FILE.values(), "the same and bus interfaces, as IP-XACT (IEEE 1685-2014)"),
        **dict.fromkeys(CONSTRAINTS, f"timing constraints at {CLOCK_MHZ:g} MHz"),
        **dict.fromkeys(BENCHES, "self-checking bench of the registers"),
    }
    if path.suffix == ".hex":
        return "words of a memory, of x or of decisions, for $readmemh"
    if path.name.startswith("pck_"):
        return "VHDL package, to be analysed first (--std=08)"
    return known.get(path.name, f"the accelerator, top {path.stem}")
