"""cocotb: the exported Verilog, compiled by Verilator, under a testbench in Python that acts in every cycle.

Only the top's ports are made visible to Python: cocotb's own makefiles show it every signal, which keeps Verilator from
optimizing and makes a large array several times slower.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from radit.accel.interfaces.top_ports import TopPorts
from radit.cosim.engines.toolchain import find_compiler, find_verilator
from radit.cosim.engines.verilate import WAVES, Build, build_seconds, built
from radit.cosim.speed.vectors import Vectors
from radit.cosim.speed.watch import Command
from radit.model.errors import UserError

TESTBENCH = "radit.cosim.speed.play_cocotb"


@dataclass(frozen=True)
class CocotbBuild(Build):
    """The model with cocotb's main program."""

    product: ClassVar[str] = "simulation"

    @property
    def verilate(self) -> tuple[str, ...]:
        return (*super().verilate, "--vpi", "--prefix", "Vtop")

    @property
    def compile(self) -> tuple[str, ...]:
        return (*super().compile, "-UVL_TIME_CONTEXT")  # cocotb's main program keeps the time

    @property
    def sources(self) -> tuple[Path, ...]:
        return (_cocotb().share_dir / "lib" / "verilator" / "verilator.cpp",)

    @property
    def runtime(self) -> tuple[str, ...]:
        return (*super().runtime, "verilated_vpi.cpp")

    @property
    def link(self) -> tuple[str, ...]:
        libraries = _cocotb().libs_dir
        return (f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-lcocotbvpi_verilator")

    @property
    def files(self) -> dict[str, str]:
        return {"ports.vlt": self.shown(port.name for port in TopPorts(self.config).table())}

    def shown(self, names: Iterable[str]) -> str:
        """What makes signals of the top visible."""
        lines = (f'public_flat_rw -module "{self.top}" -var "{name}"\n' for name in names)
        return "`verilator_config\n" + "".join(lines)


def find_cocotb() -> str:
    """Its version.

    Raises:
        UserError: it is not installed.
    """
    if find_spec("cocotb") is None or find_spec("cocotb_tools") is None:  # before version 2 there was one package
        raise UserError("cocotb 2.1 or newer is missing: pip install 'cocotb>=2.1,<3'.")
    return version("cocotb")


def _cocotb():
    """cocotb's own description of its installation."""
    import cocotb_tools.config

    return cocotb_tools.config


def build_cocotb(vectors: Vectors, verilog: Path, top: str, folder: Path, cache: Path) -> tuple[Command, float]:
    """Compile the simulator, where the cache has none, and save the vectors in ``folder``; also the seconds it took.

    Raises:
        UserError: Verilator, a compiler or Python's shared library is missing.
    """
    environment = cocotb_environment(TESTBENCH, top, folder / "results.xml")
    build = CocotbBuild(vectors.config, verilog, top, WAVES[""], 1, find_verilator(), find_compiler())
    simulation = built(build, cache)
    path = folder / "vectors"
    vectors.save(path)
    environment |= {"PYTHONPATH": ":".join([str(Path(__file__).parents[3]), *sys.path]), "RADIT_VECTORS": str(path)}
    return Command((str(simulation),), folder, environment), build_seconds(simulation)


def cocotb_environment(bench: str, top: str, results: Path) -> dict[str, str]:
    """Environment variables for a simulation that runs the tests of module ``bench``.

    Raises:
        UserError: Python's shared library is missing.
    """
    return {
        "COCOTB_TEST_MODULES": bench,
        "COCOTB_TOPLEVEL": top,
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_RESULTS_FILE": str(results),
        "GPI_USERS": f"{_python_library()};{_cocotb().pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
    }


def _python_library() -> str:
    import find_libpython

    found = find_libpython.find_libpython()
    if found is None:
        raise UserError(
            "cocotb needs Python's shared library, which is missing: install it (on Debian: libpython3.11)."
        )
    return found
