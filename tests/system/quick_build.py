"""The accelerator compiled in seconds: slow to run, with registers and memories that hold anything at power-up."""

import hashlib
import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from radit.accel.config import BuildConfig
from radit.accel.export.convert import TOP
from radit.cosim.engines import open as engines
from radit.cosim.engines import verilate, verilator
from radit.cosim.engines.harness_config import harness_config
from radit.cosim.engines.toolchain import find_compiler, find_verilator
from radit.cosim.engines.verilate import HARNESS, LIBRARY, SECONDS, WAVES, Build
from radit.model.system.caches import made_once

KNOWN, RANDOM = ("--x-initial", "fast"), ("--x-initial", "unique")
POWER_UP, SEED = "-DRADIT_POWER_UP=2", "RADIT_POWER_UP_SEED"
OPTIMIZATION = "-O0"
HEADERS = ("verilated.h", "verilated_save.h", "algorithm", "cstdlib", "cstring", "new")
MODEL = "Vradit*"  # what Verilator writes


def random_at_first(options: Iterable[str]) -> list[str]:
    """Verilator's options, for registers and memories that hold anything at power-up."""
    return " ".join(options).replace(" ".join(KNOWN), " ".join(RANDOM)).split()


def power_up(seed: int) -> None:
    """Let every simulator of this program start so, as ``seed`` has it."""
    os.environ[SEED] = str(seed)
    verilate.VERILATE = random_at_first(verilate.VERILATE)
    verilate.COMPILE = [*verilate.COMPILE, POWER_UP]


class QuickBuild(Build):
    """As the everyday build, in one piece and without optimization."""

    @property
    def verilate(self) -> tuple[str, ...]:
        return tuple(random_at_first(super().verilate))

    @property
    def compile(self) -> tuple[str, ...]:
        return (*super().compile, POWER_UP)

    def verilated(self, folder: Path) -> str:
        """Verilator's C++ of the design, written into ``folder``, as one text."""
        folder.mkdir(parents=True, exist_ok=True)
        self._verilate(folder, [self.verilog])
        return "".join(path.read_text() for path in sorted(folder.glob(MODEL)))

    def compiled(self, folder: Path, cache: Path) -> Path:
        """The library of what ``verilated`` wrote there; what all designs share is in the cache."""
        (folder / "harness_config.h").write_text(harness_config(self.config))
        sources = [*sorted(path.name for path in folder.glob(f"{MODEL}.cpp")), HARNESS / "harness.cpp"]
        (folder / "all.cc").write_text("".join(f'#include "{source}"\n' for source in sources))
        headers, runtime = self._headers(cache.resolve()), self._runtime(cache.resolve())
        self._call("-include", headers, f"-I{folder}", *self.link, folder / "all.cc", *runtime, "-lpthread",
                   "-o", folder / self.product)  # fmt: skip
        (folder / SECONDS).write_text("0\n")
        return folder / self.product

    def _headers(self, cache: Path) -> Path:
        """The headers that all designs include, compiled once."""

        def make(folder: Path) -> None:
            (folder / "common.h").write_text("".join(f"#include <{name}>\n" for name in HEADERS))
            self._call("-x", "c++-header", folder / "common.h", "-o", folder / "common.h.gch")

        return made_once(cache / f"headers-{digest(self.tools())}", make) / "common.h"

    def _call(self, *arguments: str | Path) -> None:
        include = self.verilator.include
        folders = [f"-I{path}" for path in (HARNESS, include, include / "vltstd")]
        command = [*self.compiler.split(), *self.compile, OPTIMIZATION, *folders, *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, text=True)


def digest(text: str) -> str:
    """As a name of a folder."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def quick_build(config: BuildConfig, verilog: Path) -> QuickBuild:
    """The build of an exported file."""
    return QuickBuild(config, verilog, TOP, WAVES[""], 1, find_verilator(), find_compiler())


def quick_library(config: BuildConfig, verilog: Path, cache: Path) -> Path:
    """The library of an exported file, from the cache or made now."""
    build = quick_build(config, verilog)

    def make(folder: Path) -> None:
        build.verilated(folder)
        build.compiled(folder, cache)

    return made_once(cache.resolve() / f"quick-{build.key()}", make) / LIBRARY


@contextmanager
def using(library: Path) -> Iterator[None]:
    """The engine verilator takes this library, whatever it is asked for."""
    with (
        patch.object(engines, "exported_verilog", lambda *_: library),
        patch.object(verilator, "build_library", lambda *_, **__: library),
    ):
        yield
