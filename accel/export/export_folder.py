"""Write the accelerator into a folder: HDL, the waivers of the lint, the map of its interface, its C header."""

import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from radit.accel.axi.bus_config import BusConfig
from radit.accel.config import BuildConfig
from radit.accel.export.c_header import HEADER_FILE, header_text
from radit.accel.export.constraints import CLOCK_MHZ, constraint_texts
from radit.accel.export.convert import AXI_TOP, LANGUAGES, TOP, convert
from radit.accel.export.fusesoc import CORE_FILE, FILE_TYPES, write_core
from radit.accel.export.interface_map import AXI_MAP_FILE, MAP_FILE, map_text
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
EXPORTED = (
    *HDL, "pck_*.vhd", WAIVERS_FILE, MAP_FILE, AXI_MAP_FILE, HEADER_FILE, *CONSTRAINTS, *BENCHES, CORE_FILE, RAM_FILE,
)  # fmt: skip

SIDES = ("rows", "cols", "products")  # of an array

log = logging.getLogger("radit")


def export(
    array: tuple[int, ...], languages: Sequence[str], out: Path, bus: BusConfig | None = None, apart: bool = False
) -> list[Path]:
    """Write the accelerator with an array of rows x columns (x products), with ``bus`` behind AXI; the files."""
    return export_build(BuildConfig(**dict(zip(SIDES, array, strict=False))), languages, out, bus, apart)


def export_build(
    config: BuildConfig, languages: Sequence[str], out: Path, bus: BusConfig | None = None, apart: bool = False
) -> list[Path]:
    """Write a build in every language, what goes with the Verilog, the map of ports and registers, and the C header.

    Everything is made in a folder beside ``out`` first: a failure leaves ``out`` as it was. Files of another build
    that an earlier export left there are removed.

    Args:
        apart: memories of the Verilog as instances of ``radit_ram``.

    Raises:
        UserError: an unknown language, or a folder that cannot be written.
    """
    out = output_folder(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as made:
            _write_all(config, bus, languages, Path(made), apart)
            out.mkdir(exist_ok=True)
            files = [out / path.name for path in sorted(Path(made).iterdir())]
            with open_results(out, EXPORTED, to_write=True) as folder:
                known = out / _map_file(bus)
                same = known.is_file() and known.read_bytes() == map_text(config, bus).encode()
                with folder.replaced(keep=same) as part:
                    for path in files:
                        os.replace(Path(made) / path.name, part / path.name)
    except OSError as error:
        raise UserError(
            f"--out is '{out}', where nothing can be written ({error.strerror}): give another folder."
        ) from None
    return files


def _map_file(bus: BusConfig | None) -> str:
    return MAP_FILE if bus is None else AXI_MAP_FILE


def _write_all(config: BuildConfig, bus: BusConfig | None, languages: Sequence[str], folder: Path, apart: bool) -> None:
    top = TOP if bus is None else AXI_TOP
    for language in languages:
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
        **dict.fromkeys(CONSTRAINTS, f"timing constraints at {CLOCK_MHZ:g} MHz"),
        **dict.fromkeys(BENCHES, "self-checking bench of the registers"),
    }
    if path.name.startswith("pck_"):
        return "VHDL package, to be analysed first (--std=08)"
    return known.get(path.name, f"the accelerator, top {path.stem}")
