"""``radit.core``: the exported folder as a FuseSoC core (CAPI2), with targets to lint, simulate and synthesize it."""

from collections.abc import Iterable
from pathlib import Path

from radit.accel.export.convert import TOP
from radit.accel.export.memories import RAM_FILE
from radit.accel.export.register_bench import BENCH_ENDING
from radit.accel.export.waivers import WAIVERS_FILE

CORE_FILE = "radit.core"
VERSION = "0.1.0"
MODEL_BENCH = "_tb.v"  # of a model's run, after the name of the top
FILE_TYPES = {"sdc": "SDC", "xdc": "xdc", "lpf": "LPF"}  # of constraints, by ending


def core_text(names: Iterable[str], top: str = TOP) -> str:
    """The core file of a folder that holds files of these names.

    The simulation runs the bench of a model where there is one, else the bench of the registers.
    """
    known = sorted(names)
    benches = [name for name in (f"{top}{MODEL_BENCH}", f"{top}{BENCH_ENDING}") if name in known]
    images = [name for name in known if name.endswith((".hex", ".json")) and name.startswith((f"{top}_tb", "images/"))]
    constraints = [name for name in known if name.partition(".")[0] == top and name.rpartition(".")[2] in FILE_TYPES]
    rtl = [*(name for name in known if name == RAM_FILE), f"{top}.v"]
    lines = [
        "CAPI=2:",
        "",
        f"name: radit:accelerator:{top}:{VERSION}",
        "description: RADiT, an accelerator for diffusion transformers that skips redundant blocks",
        "",
        "filesets:",
        "  rtl:",
        f"    files: [{', '.join(rtl)}]",
        "    file_type: verilogSource",
        "  waivers:",
        f"    files: [{WAIVERS_FILE}]",
        "    file_type: vlt",
        "  constraints:",
        "    files:",
        *(f"      - {name}: {{file_type: {FILE_TYPES[name.rpartition('.')[2]]}}}" for name in constraints),
    ]
    if benches:
        lines += ["  bench:", "    files:", f"      - {benches[0]}: {{file_type: systemVerilogSource}}"]
        if benches[0].endswith(MODEL_BENCH):
            lines += [f"      - {name}: {{file_type: user, copyto: {name}}}" for name in images]
    lines += ["", "targets:", "  default:", "    filesets: [rtl]", f"    toplevel: {top}"]
    lines += _target("lint", ["waivers", "rtl"], top, "lint", "tool: verilator", "verilator_options: [-Wall]")
    if benches:
        name = benches[0].removesuffix(".v")
        lines += _target("sim", ["rtl", "bench"], name, "sim", "tool: icarus", "iverilog_options: [-g2012]")
    lines += [
        "  synth:",
        "    description: a netlist of ECP5 (Yosys)",
        "    default_tool: yosys",
        "    filesets: [rtl, constraints]",
        f"    toplevel: {top}",
        "    tools:",
        "      yosys: {arch: ecp5, output_format: json, makefile_name: yosys.mk}",
    ]
    return "\n".join([*lines, ""])


def _target(name: str, filesets: list[str], toplevel: str, flow: str, *options: str) -> list[str]:
    return [
        f"  {name}:",
        f"    flow: {flow}",
        "    flow_options:",
        *(f"      {option}" for option in options),
        f"    filesets: [{', '.join(filesets)}]",
        f"    toplevel: {toplevel}",
    ]


def write_core(folder: Path, top: str = TOP) -> None:
    """Write the core file of what a folder holds now."""
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    (folder / CORE_FILE).write_text(core_text(names, top), encoding="utf-8")
