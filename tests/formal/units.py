"""Units of the accelerator as flat Verilog for the prover, each with the ports that its properties name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from myhdl import ResetSignal, block

from radit.accel.axi.bus_config import BusConfig, memories
from radit.accel.axi.bus_ports import AxiLite, Fault, HostAccess, XShape
from radit.accel.axi.host_registers import RunState, host_registers
from radit.accel.axi.lite_side import lite_side
from radit.accel.config import BuildConfig
from radit.accel.control.register_file import Events, RegisterValues, register_file
from radit.accel.control.registers import PROGRESS, built_events
from radit.accel.control.skip_controller import skip_controller
from radit.accel.export.convert import forgotten_signals, start_numbering, write_hdl
from radit.accel.interfaces.conditioning import SubBlockHeader
from radit.accel.interfaces.control import FollowControl, HostControl, PassControl, Progress, StepMode
from radit.accel.interfaces.decisions import Decisions
from radit.accel.interfaces.signals import flag, word
from radit.accel.interfaces.streams import Stream
from radit.accel.interfaces.top_ports import RegisterPort, RunPort
from radit.accel.units.fifo import stream_fifo
from radit.model.system.processes import in_thread

BUILD = BuildConfig(4, 4, max_hidden=8, max_mlp=8, max_tokens=16, max_contexts=2, max_sub_blocks=2, counters=0)
BUS = BusConfig(data_bits=64, address_bits=32, burst=2, latency=1)
FIFO_DEPTH = 4


class Part:
    """The members of an interface that a unit uses."""

    def __init__(self, whole: Any, *names: str) -> None:
        vars(self).update({name: getattr(whole, name) for name in names})


def reset() -> ResetSignal:
    return ResetSignal(0, active=0, isasync=False)


@block
def fifo(clk, aresetn, src, dst, level):
    """A FIFO of four bytes."""
    return stream_fifo(clk, aresetn, src, dst, level, FIFO_DEPTH)


@block
def lite(clk, aresetn, awake, s_axil, reg, run, fails, shape, read_fault, write_fault, irq):
    """The AXI4-Lite side of the wrapper with its registers; run: RunState."""
    host, pages = HostAccess(), {memory: word(BUS.page_bits) for memory in memories(BUILD)}
    side = lite_side(clk=clk, aresetn=aresetn, awake=awake, s_axil=s_axil, host=host)
    registers = host_registers(
        clk=clk, aresetn=aresetn, host=host, reg=reg, run=run, fails=fails, shape=shape,
        faults=(read_fault, write_fault), pages=pages, irq=irq, config=BUILD, bus=BUS,
    )  # fmt: skip
    return side, registers


@block
def skips(clk, aresetn, host, streaming_pass, follow, progress, mode, decisions, header, regs):
    """The skip controller with its DTSM, of two sub-blocks and two contexts."""
    return skip_controller(
        clk=clk, aresetn=aresetn, host=host, streaming_pass=streaming_pass, follow=follow, progress=progress,
        mode=mode, decisions=decisions, header=header, regs=regs, config=BUILD,
    )  # fmt: skip


@block
def registers(clk, aresetn, core_resetn, reg, busy, run, host, regs, events):
    """The accelerator's registers with all that guards them."""
    return register_file(
        clk=clk, aresetn=aresetn, core_resetn=core_resetn, reg=reg, busy=busy, run=run, host=host, regs=regs,
        events=events, account=None, config=BUILD,
    )  # fmt: skip


def tops() -> dict[str, Callable[[], Any]]:
    """The blocks by name."""
    return {
        "fifo": lambda: fifo(flag(), reset(), Stream(8), Stream(8), word(FIFO_DEPTH.bit_length())),
        "lite": lambda: lite(
            flag(), reset(), flag(), AxiLite(), RegisterPort(), RunState(), flag(), XShape(), Fault(), Fault(), flag()
        ),
        "skips": lambda: skips(
            flag(), reset(), Part(HostControl(), "new_image"), Part(PassControl(), "begin"), FollowControl(),
            Part(Progress(), "sub_block", "first_pass"), Part(StepMode(), "stream_scope"), Decisions(BUILD),
            Part(SubBlockHeader(BUILD), "threshold", "force", "follow", "plan", "slope_gain"),
            Part(RegisterValues(BUILD), "contexts", "policy", "codes_total", "streak_step", "tight", "loose",
                 "max_streak", "slope_max"),
        ),
        "registers": lambda: registers(
            flag(), reset(), reset(), RegisterPort(), flag(), RunPort(), HostControl(), RegisterValues(BUILD),
            Part(Events(), *(name for name in PROGRESS if name in built_events(BUILD))),
        ),
    }  # fmt: skip


def converted(name: str, folder: Path) -> str:
    """The Verilog of one of ``tops``."""
    return in_thread(_convert, name, folder)


def _convert(name: str, folder: Path) -> str:
    start_numbering()
    with forgotten_signals():
        return write_hdl(tops()[name](), "verilog", folder, name, name).read_text()
