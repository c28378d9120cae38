"""The engine on MyHDL's own simulator: slow, but every signal and every line of Python can be inspected."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from myhdl import Simulation, always, delay, instance, traceSignals

from radit.accel.config import BuildConfig
from radit.accel.control.registers import ADDRESS, START
from radit.accel.export.convert import forgotten_signals
from radit.accel.interfaces.top_ports import RESET_CYCLES, TopPorts
from radit.cosim.engines.base import Engine, EngineError, Failure, Trace, trace_fields
from radit.cosim.engines.memory import Bandwidth, HostStreams, Memory, Monitor
from radit.cosim.engines.setup import MemoryTiming, Setup, by_priority
from radit.model.errors import UserError
from radit.model.files import unwritable
from radit.model.system.processes import in_thread

PERIOD = 2  # time steps of a clock cycle


class PortBench:
    """A memory port: its memory, its signals and their monitors."""

    def __init__(self, memory: Memory, name: str, is_write: bool, ports: TopPorts) -> None:
        self.memory = memory
        self.is_write = is_write
        self.command = getattr(ports.m, f"{name}_cmd")
        self.data = getattr(ports.m if is_write else ports.s, name)
        self.clear()

    def clear(self) -> None:
        """As after a reset."""
        self.memory.clear()
        self.command_monitor = Monitor()
        self.data_monitor = Monitor()
        self.command.tready.next = False
        (self.data.tready if self.is_write else self.data.tvalid).next = False

    def step(self, now: int, fail: Callable) -> None:
        """The transfers of this clock edge, and what the port shows after it."""
        memory, command, data = self.memory, self.command, self.data
        valid, request = bool(command.tvalid), (int(command.taddr), int(command.tlen))
        if not self.command_monitor.holds(valid, memory.command_ready, request):
            fail(Failure.UNSTABLE, memory.position, 0)
        if valid and memory.command_ready:
            if not request[1]:
                fail(Failure.EMPTY_COMMAND, memory.position, request[0])
            elif not memory.accept_command(*request, now):
                fail(Failure.OUT_OF_RANGE, memory.position, *request, memory.size)
        if self.is_write:
            if not self.data_monitor.holds(bool(data.tvalid), memory.offered, int(data.tdata)):
                fail(Failure.UNSTABLE, memory.position, 1)
            memory.starved += bool(data.tvalid) and memory.refused
            if data.tvalid and memory.offered:
                memory.accept_word(int(data.tdata))
            memory.write(now)
            data.tready.next = memory.offered
        else:
            memory.read(memory.offered and bool(data.tready), now)
            data.tdata.next = memory.bus
            data.tvalid.next = memory.offered
        command.tready.next = memory.command_ready


def _open_waves(dut, waves: Path) -> None:
    if waves.suffix != ".vcd":
        raise UserError(f"waveform file {waves} is not a .vcd, the only format MyHDL writes: name it .vcd.")
    try:
        waves.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(waves, error) from None
    traceSignals.name = None
    traceSignals.directory, traceSignals.filename = str(waves.parent), waves.stem
    traceSignals.tracebackup = False
    traceSignals(dut)


class MyhdlEngine(Engine):
    """The accelerator in MyHDL's simulator. There can be one at a time in a process: close it before the next.

    ``top`` is the block of docs/interface.md, called as ``top(config, **TopPorts(config).arguments())``.
    """

    def __init__(self, config: BuildConfig, top: Callable, setup: Setup | None = None) -> None:
        super().__init__(config, setup or Setup())
        if self.setup.threads > 1:
            raise UserError("MyHDL simulates on one thread: choose the engine verilator, or leave threads at 1.")
        if Simulation._no_of_instances:
            raise RuntimeError("MyHDL simulates one accelerator at a time: close the other engine first")
        self._ports = ports = TopPorts(config)
        self._shared = Bandwidth(self.setup.rate, max(port.word_bytes for _, port in self._memories.values()))
        self._benches = {  # by position, first served first
            position: PortBench(Memory(position, port.word_bytes, self._shared), port.name, port.is_write, ports)
            for position, port in by_priority(config)
        }
        self._host = HostStreams(len(self._benches), len(ports.s.x.tdata) // 8, self.setup.timing_of("x"))
        self._fields = trace_fields(config)
        self._taps = self._trace_taps()
        self._signals = {name: signal for name, signal in ports.signals().items() if name != "clk"}
        self._columns: dict[str, list[int]] = {}
        self._to_note = 0  # cycles
        self._failure: EngineError | None = None
        self._advance = [ports.signals()[f"trace_advance_{part}"] for part in ("valid", "sub_block")]
        self._ended: int | None = None  # the sub-block that was over in the last cycle
        with forgotten_signals():
            self._simulation = in_thread(self._elaborate, top)  # MyHDL inspects the call stack for every block
        self.reset()

    def _trace_taps(self) -> list:
        """For each tap its valid signal and per field (signal, bytes of an event, buffer)."""
        self._buffers = {field.name: bytearray() for field in self._fields}
        signals = self._ports.signals()
        taps: dict[str, list] = {}
        for f in self._fields:
            taps.setdefault(f.tap, []).append((signals[f"trace_{f.name}"], f.event_bytes, f.name))
        return [(signals[f"trace_{tap}_valid"], fields) for tap, fields in taps.items()]

    def _elaborate(self, top: Callable) -> Simulation:
        clk, aresetn = self._ports.clk, self._ports.aresetn
        dut = top(self.config, **self._ports.arguments())

        @instance
        def clock():
            while True:
                yield delay(PERIOD // 2)
                clk.next = not clk

        @always(clk.posedge)
        def surroundings():
            if self._to_note:
                self._note()
            if aresetn:
                self._step()

        if self.setup.waves is not None:
            _open_waves(dut, self.setup.waves)
        return Simulation(dut, clock, surroundings)

    def _fail(self, code: Failure, position: int, address: int = 0, length: int = 0, limit: int = 0) -> None:
        if self._failure is None:
            self._failure = self._error(code, position, address, length, limit, self._now)

    def _step(self) -> None:
        """Everything around the accelerator at one clock edge, from the signals before it."""
        if self.setup.trace:
            self._sample_taps()
        self._ended = int(self._advance[1]) if self._advance[0] else None
        self._step_x()
        for bench in self._benches.values():
            bench.step(self._now, self._fail)
        self._ports.reg.write.next = False
        self._now += 1

    def _step_x(self) -> None:
        host, source, sink = self._host, self._ports.s.x, self._ports.m.x
        valid, word = bool(sink.tvalid), int(sink.tdata)
        if not self._x_monitor.holds(valid, host.ready, word):
            self._fail(Failure.UNSTABLE, host.position + 1, 1)
        if valid and host.ready:
            if host.received == host.words:
                self._fail(Failure.SURPLUS, host.position + 1, host.received, 0, host.words)
            else:
                host.accept(word)
        host.advance(host.offered and bool(source.tready))
        source.tdata.next = host.bus
        source.tvalid.next = host.offered
        sink.tready.next = host.ready

    def _sample_taps(self) -> None:
        for valid, fields in self._taps:
            if valid:
                for signal, size, name in fields:
                    self._buffers[name] += int(signal).to_bytes(size, "little")

    def _record(self, cycles: int) -> None:
        self._to_note = cycles
        self._columns = {name: [] for name in self._signals}

    def _note(self) -> None:
        for name, signal in self._signals.items():
            self._columns[name].append(int(signal))
        self._to_note -= 1

    def take_record(self) -> dict[str, list[int]]:
        self._to_note = 0
        return self._columns

    def _reset(self) -> None:
        ports = self._ports
        ports.aresetn.next = ports.reg.write.next = False
        self._now = 0
        self._forget()
        self._clock(RESET_CYCLES)
        ports.aresetn.next = True

    def _forget(self) -> None:
        self._shared.clear()
        for bench in self._benches.values():
            bench.clear()
        self._host.clear()
        self._x_monitor = Monitor()
        self._ports.s.x.tvalid.next = self._ports.m.x.tready.next = False
        self._failure = None

    def _clock(self, cycles: int = 1) -> None:
        try:
            self._simulation.run(cycles * PERIOD, quiet=1)
        except OSError as error:  # of the waveform
            raise unwritable(self.setup.waves or Path(), error) from None

    def _write(self, address: int, value: int) -> None:
        self._ports.reg.write.next = True
        self._ports.reg.addr.next = address
        self._ports.reg.wdata.next = value
        self._clock()

    def _read(self, address: int) -> int:
        self._ports.reg.addr.next = address
        self._clock()
        return int(self._ports.reg.rdata)

    def _bind(self, position: int, words: np.ndarray, count: int, timing: MemoryTiming) -> None:
        self._benches[position].memory.bind(words, count, timing)

    def _start(self, x_in: np.ndarray, x_out: np.ndarray) -> None:
        self._host.start(x_in, x_out)
        for bench in self._benches.values():
            bench.memory.start()
        self._write(ADDRESS["control"], START)
        if not self._ports.busy:
            self._fail(Failure.NOT_BUSY, 0)

    def _run_sub_block(self) -> int | None:
        self._ended = None
        while self._ports.busy and self._failure is None and self._ended is None:
            if self.cycles == self.setup.max_cycles:
                self._fail(Failure.TIMEOUT, 0, limit=self.cycles)
                break
            self._clock()
            self.cycles += 1
        if self._failure is None and self._ended is None:
            self._look_for_leftovers()
        if self._failure is not None:
            raise self._failure
        return self._ended

    def _traffic(self, position: int) -> tuple[int, int]:
        memory = self._benches[position].memory
        return memory.moved * memory.word_bytes, memory.starved

    def _look_for_leftovers(self) -> None:
        for bench in sorted(self._benches.values(), key=lambda bench: not bench.is_write):
            rest = bench.memory.rest()
            if rest is None and bench.memory.offered and not bench.is_write:
                rest = 0, 1
            if rest is not None:
                self._fail(Failure.LEFT_OVER, bench.memory.position, *rest)
        host = self._host
        if host.sent < host.words or host.offered:
            sent = host.sent - host.offered
            self._fail(Failure.LEFT_OVER, host.position, sent, host.words - sent)
        if host.received < host.words:
            self._fail(Failure.LEFT_OVER, host.position + 1, host.received, host.words - host.received)

    def take_trace(self) -> Trace:
        taken = {field.name: field.view(self._buffers[field.name]) for field in self._fields}
        for name in self._buffers:
            self._buffers[name] = bytearray()
        return Trace(**taken)

    def close(self) -> None:
        if not self._simulation._finished:
            with suppress(OSError):  # of the waveform: it has been told
                self._simulation.quit()
