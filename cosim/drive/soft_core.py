"""The C driver on a RISC-V soft core beside the accelerator, in one simulation: PicoRV32 and one shared memory.

The core is the PyPI package pythondata-cpu-picorv32; its program is compiled by Debian's gcc-riscv64-unknown-elf with
picolibc. A system of LiteX would bring a bus, a memory controller and firmware of its own around the same core; here
the core's memory port and an AXI4-Lite bridge of a page of Verilog do.
"""

from __future__ import annotations

import hashlib
from ctypes import POINTER, byref, c_char_p, c_int, c_uint64, c_void_p
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from radit.accel.axi.bus_config import PAGE_BYTES, BusConfig
from radit.accel.axi.bus_ports import AxiMaster
from radit.accel.config import BuildConfig
from radit.accel.host.layout import FAILURES
from radit.accel.host.packed import DriverError, PackedModel
from radit.cosim.drive.c_driver import HOST, SOURCES, STRICT
from radit.cosim.drive.simulated import CHANCES, HARNESS, AxiBuild, BusTiming, CBusTiming, loaded
from radit.cosim.engines.open import exported_verilog
from radit.cosim.engines.toolchain import find_compiler, find_verilator
from radit.cosim.engines.verilate import WAVES, BuildError, built
from radit.cosim.support.programs import ProgramError, run_program
from radit.model.errors import UserError
from radit.model.system.caches import made_once

PARTS = HARNESS.parent / "soft_core"
CORE_PACKAGE = "pythondata_cpu_picorv32"
COMPILER = "riscv64-unknown-elf"
TARGET = "-march=rv32im -mabi=ilp32 --specs=picolibc.specs".split()
TOP = "core_system"
MIB = 1 << 20
PROGRAM_BYTES = MIB  # of program, data and stack, from address 0 on
MAILBOX = PROGRAM_BYTES  # what the program is told, behind it
MAILBOX_BYTES = PAGE_BYTES
LOOKS = 100_000_000
COMPILE_SECONDS = 300.0
CHUNK = 200_000  # cycles between two looks at Ctrl-C
STATES = ("runs", "is over", "has trapped", "has left its memory")
FROM_MEMORY = (
    "awready", "wready", "bid", "bresp", "bvalid", "arready", "rid", "rdata", "rresp", "rlast", "rvalid",
)  # fmt: skip
SIGNATURES: dict[str, tuple] = {
    "create": (c_void_p, c_void_p, c_void_p, c_uint64),
    "destroy": (None, c_void_p),
    "run": (c_int, c_void_p, c_uint64),
    "counts": (None, c_void_p, POINTER(c_uint64)),
    "broken": (c_char_p, c_void_p),
}


class CoreBuild(AxiBuild):
    """The library of a system with the soft core."""

    product = "core.so"

    @property
    def sources(self) -> tuple[Path, ...]:
        return (HARNESS / "soft_core.cpp",)


@dataclass(frozen=True)
class CoreRun:
    """What a program has done.

    Fields:
        pictures: float32, of all images one after the other.
        cycles, interrupts, steps: of the whole run.
        problem: a rule of the bus that was broken, or empty.
    """

    pictures: np.ndarray
    cycles: int
    interrupts: int
    steps: int
    problem: str


def core_verilog() -> Path:
    """The soft core's source.

    Raises:
        UserError: its package is missing.
    """
    spec = find_spec(CORE_PACKAGE)
    if spec is None or spec.origin is None:
        raise UserError("the soft core needs the package pythondata-cpu-picorv32: pip install 'radit[core]'.")
    return Path(spec.origin).parent / "verilog" / "picorv32.v"


def system_text(bus: BusConfig) -> str:
    """The top: core, bridge and accelerator; the memory's channels and the core's memory port lead outside."""
    widths = {name: len(signal) for name, signal in vars(AxiMaster(bus)).items()}
    ports, wires = [], []
    for name, width in widths.items():
        way, bits = "input" if name in FROM_MEMORY else "output", f"[{width - 1}:0] " if width > 1 else ""
        ports.append(f"    {way} {bits}m_axi_{name}")
        wires.append(f"        .m_axi_{name}(m_axi_{name})")
    lite = {
        "awaddr": 32, "awvalid": 1, "awready": 1, "wdata": 32, "wstrb": 4, "wvalid": 1, "wready": 1, "bresp": 2,
        "bvalid": 1, "bready": 1, "araddr": 32, "arvalid": 1, "arready": 1, "rdata": 32, "rresp": 2, "rvalid": 1,
        "rready": 1,
    }  # fmt: skip
    declared = "".join(f"    wire [{width - 1}:0] s_{name};\n" for name, width in lite.items())
    outer = "".join(f"        .{name}(s_{name}),\n" for name in lite)
    inner = "".join(f"        .s_axil_{name}(s_{name}),\n" for name in lite)
    listed, joined = ",\n".join(ports), ",\n".join(wires)
    return f"""module {TOP} (
    input clk, input aresetn, output irq, output trap, output [1:0] device_response,
    output cpu_valid, output [31:0] cpu_addr, output [31:0] cpu_wdata, output [3:0] cpu_wstrb,
    input cpu_ready, input [31:0] cpu_rdata,
{listed}
);
{declared}    core_bridge bridge (
        .clk(clk), .aresetn(aresetn), .irq(irq), .trap(trap), .device_response(device_response),
        .cpu_valid(cpu_valid), .cpu_addr(cpu_addr), .cpu_wdata(cpu_wdata), .cpu_wstrb(cpu_wstrb),
{outer}        .cpu_ready(cpu_ready), .cpu_rdata(cpu_rdata)
    );
    radit_axi accelerator (
        .clk(clk), .aresetn(aresetn), .irq(irq),
{inner}{joined}
    );
endmodule
"""


def core_library(config: BuildConfig, bus: BusConfig, build: Path = Path("build")) -> Path:
    """The simulation of core and accelerator, compiled where the cache has none.

    Raises:
        UserError: the core, Verilator or the C++ compiler is missing, or one fails.
    """
    texts = [exported_verilog(config, build / "rtl", bus=bus), PARTS / "bridge.v", core_verilog()]
    text = "\n".join([*(path.read_text() for path in texts), system_text(bus)])
    folder = (build / "rtl" / f"core-{_digest(text)}").resolve()
    verilog = made_once(folder, lambda work: (work / f"{TOP}.v").write_text(text)) / f"{TOP}.v"
    tools = find_verilator(), find_compiler()
    return built(CoreBuild(config, verilog, TOP, WAVES[""], 1, *tools, bus), build / "verilated")


def core_program(build: Path = Path("build")) -> bytes:
    """The program: driver, host's arithmetic and main, from address 0 on.

    Raises:
        UserError: the compiler is missing or fails.
    """
    sources = [PARTS / "start.S", PARTS / "main.c", *SOURCES]
    read = [*sources, PARTS / "memory.ld", *sorted(HOST.glob("*.h"))]
    numbers = [f"-DMAILBOX={MAILBOX:#x}u", f"-Wl,--defsym=PROGRAM_BYTES={PROGRAM_BYTES:#x}"]
    flags = [*TARGET, *STRICT, "-O2", "-ffunction-sections", "-nostartfiles", "-Wl,--gc-sections", *numbers]
    key = _digest("\0".join([*(path.read_text() for path in read), *flags]))

    def make(folder: Path) -> None:
        linked = folder / "program.elf"
        script = ["-T", PARTS / "memory.ld", f"-I{HOST}"]
        _run(f"{COMPILER}-gcc", *flags, *script, *sources, "-lm", "-o", linked)
        _run(f"{COMPILER}-objcopy", "-O", "binary", linked, folder / "program.bin")

    return (made_once((build / "driver" / f"core-{key}").resolve(), make) / "program.bin").read_bytes()


def _run(*command: object) -> None:
    try:
        run_program([str(word) for word in command], seconds=COMPILE_SECONDS)
    except ProgramError as error:
        raise BuildError(
            f"the soft core's program was not compiled ({error}): install gcc-riscv64-unknown-elf and "
            "picolibc-riscv64-unknown-elf."
        ) from None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_core(
    library: Path,
    program: bytes,
    model: PackedModel,
    by_interrupt: bool,
    most_cycles: int,
    timing: BusTiming | None = None,
) -> CoreRun:
    """Let the soft core make every image of a packed model.

    Args:
        library, program: of `core_library` and `core_program`.
        by_interrupt: the core sleeps until the interrupt; else it polls.
        most_cycles: after which it counts as hanging.

    Raises:
        DriverError: the driver on the core says that something went wrong.
        UserError: the program traps, or takes longer.
    """
    sizes, data = model.sizes(), model.to_bytes()
    values = sizes["frames"] * sizes["channels"] * sizes["rows"] * sizes["columns"]
    work = values * (1 + sizes["steps"] + sizes["contexts"]) + sizes["hidden"] + model.needs["x_bytes"] // 2 + 2
    places, place = {}, MAILBOX + MAILBOX_BYTES
    counts = {"file": len(data), "memory": model.memory_bytes, "work": 4 * work,
              "pictures": 4 * values * model.needs["images"]}  # fmt: skip
    for name, count in counts.items():
        places[name] = place
        place += -(-count // PAGE_BYTES) * PAGE_BYTES
    memory = np.zeros(place, np.uint8)
    memory[: len(program)] = np.frombuffer(program, np.uint8)
    memory[places["file"] : places["file"] + len(data)] = np.frombuffer(data, np.uint8)
    told = [places["file"], len(data), places["memory"], model.memory_bytes, places["work"], work, places["pictures"],
            int(by_interrupt), LOOKS]  # fmt: skip
    memory[MAILBOX : MAILBOX + 4 * len(told)] = np.array(told, "<u4").view(np.uint8)
    found = _simulated(library, memory, most_cycles, timing or BusTiming())
    begun = places["pictures"]
    return replace(found, pictures=memory[begun : begun + counts["pictures"]].view("<f4").copy())


def _simulated(library: Path, memory: np.ndarray, most_cycles: int, timing: BusTiming) -> CoreRun:
    c = loaded(library, SIGNATURES, "radit_core_")
    settings = CBusTiming(timing.latency, int(timing.stall * CHANCES), timing.seed, timing.depth)
    handle = c["create"](byref(settings), memory.ctypes.data, memory.size)
    try:
        state, counts = 0, (c_uint64 * 4)()
        while not state and counts[1] < most_cycles:
            state = c["run"](handle, CHUNK)
            c["counts"](handle, counts)
        code, cycles, interrupts, steps = counts
        if state != STATES.index("is over"):
            raise UserError(f"the soft core's program {STATES[state]} after {cycles} cycles: it never ended.")
        if code:
            raise DriverError(list(FAILURES)[code], "on the soft core")
        return CoreRun(np.zeros(0), cycles, interrupts, steps, (c["broken"](handle) or b"").decode())
    finally:
        c["destroy"](handle)
