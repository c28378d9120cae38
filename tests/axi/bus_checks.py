"""The rules of AXI4 that a manager must keep, checked in every cycle; and a memory that answers as it may."""

from collections import defaultdict, deque

from cocotb.triggers import ReadOnly, RisingEdge

OFTEN = 0.8  # share of cycles in which a memory that mixes shows something
HELD = {
    "ar": ("arid", "araddr", "arlen", "arsize", "arburst"),
    "aw": ("awid", "awaddr", "awlen", "awsize", "awburst"),
    "w": ("wdata", "wstrb", "wlast"),
}


class BusWatch:
    """Valid and payload held, bursts legal and within 4 KiB, W beats as announced, R and B always taken."""

    def __init__(self, dut, data_bytes: int, burst: int) -> None:
        self.dut, self.data_bytes, self.burst = dut, data_bytes, burst
        self.cycle = 0
        self.reads = self.read_beats = self.writes = self.write_beats = 0
        self.busy_cycles: list[int] = []  # cycles with a read beat
        self.announced: deque[int] = deque()
        self.most_outstanding = 0
        self._before: dict[str, tuple] = {}

    def _get(self, name: str) -> int:
        return int(getattr(self.dut, f"m_axi_{name}").value)

    async def run(self) -> None:
        outstanding = in_burst = 0
        lengths: list[int] = []
        while True:
            await RisingEdge(self.dut.clk)
            await ReadOnly()  # what the registers show now is what the next edge transfers
            self.cycle += 1
            if not self.dut.aresetn.value:
                self._before.clear()
                continue
            moved = {each: self._get(f"{each}valid") and self._get(f"{each}ready") for each in HELD}
            self._hold(moved)
            if moved["ar"]:
                self._check_burst("ar")
                self.reads += 1
                outstanding += 1
            if moved["aw"]:
                self.writes += 1
                lengths.append(self._check_burst("aw"))
            if moved["w"]:
                in_burst += 1
                self.write_beats += 1
                if self._get("wlast"):
                    self.announced.append(in_burst)
                    in_burst = 0
            while lengths and self.announced:
                assert lengths.pop(0) == self.announced.popleft(), "W beats differ from AW"
            if self._get("rvalid"):
                assert self._get("rready"), "R stalls"
                self.read_beats += 1
                self.busy_cycles.append(self.cycle)
                outstanding -= self._get("rlast")
            if self._get("bvalid"):
                assert self._get("bready"), "B stalls"
            self.most_outstanding = max(self.most_outstanding, outstanding)

    def _hold(self, moved: dict[str, int]) -> None:
        for each, names in HELD.items():
            shown = (
                tuple(str(getattr(self.dut, f"m_axi_{name}").value) for name in names)
                if self._get(f"{each}valid")
                else None
            )
            if self._before.get(each) is not None:
                assert shown == self._before[each], f"{each} changed while it waited"
            self._before[each] = None if moved[each] else shown

    def _check_burst(self, channel: str) -> int:
        address, beats = self._get(f"{channel}addr"), self._get(f"{channel}len") + 1
        assert self._get(f"{channel}burst") == 1 and 1 << self._get(f"{channel}size") == self.data_bytes
        assert address % self.data_bytes == 0 and beats <= self.burst
        assert address // 4096 == (address + beats * self.data_bytes - 1) // 4096, "a burst crosses 4 KiB"
        return beats


class SplitMemory:
    """Reads after a latency, several bursts on the way; with ``mixes``, of different IDs in any order, beat by beat."""

    def __init__(self, dut, memory, data_bytes: int, latency: int, mixes=None) -> None:
        self.dut, self.mem, self.data_bytes, self.latency, self.random = dut, memory, data_bytes, latency, mixes
        self.origin = 0
        self.queues: dict[int, deque] = defaultdict(deque)

    async def run(self) -> None:
        dut, now, order = self.dut, 0, deque()
        dut.m_axi_arready.value, dut.m_axi_rvalid.value, dut.m_axi_rresp.value = 1, 0, 0
        while True:
            await RisingEdge(dut.clk)
            now += 1
            self._show(now, order)
            await ReadOnly()
            if dut.aresetn.value and dut.m_axi_arvalid.value:
                self._accept(now, order)

    def _accept(self, now: int, order: deque) -> None:
        which, address = int(self.dut.m_axi_arid.value), int(self.dut.m_axi_araddr.value)
        beats = int(self.dut.m_axi_arlen.value) + 1
        for beat in range(beats):
            place = address - self.origin + beat * self.data_bytes
            data = int.from_bytes(self.mem[place : place + self.data_bytes], "little")
            self.queues[which].append((now + self.latency + beat, data, beat == beats - 1))
            order.append(which)

    def _show(self, now: int, order: deque) -> None:
        dut = self.dut
        due = [which for which, queue in self.queues.items() if queue and queue[0][0] <= now]
        chosen = None
        if self.random and due:
            chosen = self.random.choice(due) if self.random.random() < OFTEN else None
        elif order and order[0] in due:
            chosen = order.popleft()
        dut.m_axi_rvalid.value = chosen is not None
        if chosen is not None:
            _, data, last = self.queues[chosen].popleft()
            dut.m_axi_rid.value, dut.m_axi_rdata.value, dut.m_axi_rlast.value = chosen, data, last
