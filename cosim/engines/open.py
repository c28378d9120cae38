"""Opens the accelerator in an engine by name, exporting and compiling only what changed."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import astuple
from importlib.metadata import version
from pathlib import Path

from radit.accel.axi.bus_config import BusConfig
from radit.accel.config import BuildConfig
from radit.accel.control.registers import COUNTER_BITS
from radit.cosim.engines.base import Engine, Setup
from radit.cosim.engines.myhdl import MyhdlEngine
from radit.cosim.engines.toolchain import find_compiler, find_verilator
from radit.cosim.engines.verilator import Practise, VerilatorEngine
from radit.model.errors import UserError
from radit.model.source_code import code_digest, text_digest
from radit.model.system.caches import made_once
from radit.model.system.processes import in_thread

ENGINES = ("verilator", "myhdl")
AXI_TOP = "radit_axi"  # behind AXI
SOURCES = ("radit.accel.top", "radit.accel.export.convert")  # what the exported Verilog depends on

log = logging.getLogger("radit")


def open_engine(
    name: str,
    config: BuildConfig,
    setup: Setup | None = None,
    build: Path = Path("build"),
    practise: Practise | None = None,
) -> Engine:
    """The accelerator of one build in the named engine; close it after use.

    Args:
        practise: what a compiled simulator is profiled on, for a run that is so long that a second compilation pays.

    Raises:
        UserError: an unknown engine, a missing tool, or a build without the counters that a run is compared by.
    """
    if config.counters != COUNTER_BITS:
        raise UserError(
            f"build parameter counters is {config.counters}: a co-simulation compares counters of {COUNTER_BITS} bits, "
            "build with them."
        )
    if name == "myhdl":
        from radit.accel.top import radit_top

        return MyhdlEngine(config, radit_top, setup)
    if name == "verilator":
        check_tools(name)
        return VerilatorEngine(
            config, exported_verilog(config, build / "rtl"), setup, cache=build / "verilated", practise=practise
        )
    raise UserError(f"engine is {name!r}; choose from {', '.join(ENGINES)}.")


def check_tools(name: str) -> None:
    """Refuse an engine whose programs are missing, before other work begins.

    Raises:
        UserError: Verilator or a C++ compiler is missing or does not work.
    """
    if name == "verilator":
        find_verilator()
        find_compiler()


def exported_verilog(
    config: BuildConfig, cache: Path, convert: Callable | None = None, bus: BusConfig | None = None
) -> Path:
    """The top as Verilog, with ``bus`` behind AXI, converted again only when the build or a source file changed.

    ``convert(config, "verilog", folder)`` writes the file; ``radit.accel.export.convert.convert`` unless given.
    """
    behind = () if bus is None else (AXI_TOP, bus)

    def make(folder: Path) -> None:
        log.info("exporting the %dx%d accelerator%s (once) ...", config.rows, config.cols, " with AXI" if bus else "")
        in_thread(convert or _exporter(), config, "verilog", folder, *behind)

    folder = made_once(cache.resolve() / file_key(config, bus=bus), make)
    return next(folder.glob("*.v"))


def exported_files(config: BuildConfig, cache: Path) -> list[Path]:
    """The Verilog of ``exported_verilog`` with all that ``radit export`` writes beside it, the VHDL among it."""
    from radit.accel.export.convert import LANGUAGES
    from radit.accel.export.export_folder import EXPORTED, write_files

    verilog = exported_verilog(config, cache)

    def make(folder: Path) -> None:
        log.info("writing the %dx%d accelerator as VHDL (once) ...", config.rows, config.cols)
        (folder / verilog.name).write_bytes(verilog.read_bytes())
        write_files(config, tuple(LANGUAGES), folder)

    folder = made_once(cache.resolve() / file_key(config, "radit.accel.export.export_folder"), make)
    return sorted(path for name in EXPORTED for path in folder.glob(name))


def _exporter() -> Callable:
    from radit.accel.export.convert import convert

    return convert


def export_key(config: BuildConfig, bus: BusConfig | None = None) -> str:
    """Of the build, and of the code that the exported Verilog depends on, but for its comments."""
    behind = () if bus is None else (astuple(bus),)
    facts = (astuple(config), version("myhdl"), code_digest(*SOURCES), *behind)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def file_key(config: BuildConfig, *sources: str, bus: BusConfig | None = None) -> str:
    """The same with the comments, which name files and repeat docstrings; also of further modules."""
    facts = (export_key(config, bus), text_digest(*SOURCES, *sources))
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
