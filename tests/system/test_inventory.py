"""accel/memory/inventory.py: the list of on-chip memories is what the converted design has."""

from collections import defaultdict

import pytest

from radit.accel.config import BuildConfig
from radit.accel.control.registers import EVENTS
from radit.accel.export.provenance import convert_marked
from radit.accel.memory.inventory import on_chip_memories
from radit.model.system.processes import in_thread

BUILDS = {
    "tall": BuildConfig(rows=8, cols=4, max_hidden=32, max_mlp=96, max_tokens=24, max_sub_blocks=4),
    "wide": BuildConfig(rows=4, cols=8, max_hidden=48, max_mlp=64, max_tokens=16, max_sub_blocks=6, max_contexts=3),
    "frames": BuildConfig(rows=4, cols=8, max_tokens=64, frame_banks=4, max_frames=6, max_hidden=36),
    "two products": BuildConfig(
        rows=8, cols=4, max_hidden=20, max_mlp=28, max_tokens=24, frame_banks=2, products=2, max_text=40
    ),
}  # fmt: skip
# Queues and state that no event counts: the last blocks of their path.
UNCOUNTED = {("compare_words", "stream_fifo"), ("branch_writer", "stream_fifo"), ("dtsm_unit", "state_memory")}


@pytest.mark.parametrize("config", BUILDS.values(), ids=BUILDS)
def test_the_list_is_what_the_design_has(config, tmp_path):
    banks = defaultdict(list)
    for origin, shape in in_thread(convert_marked, config, tmp_path).memories().items():
        blocks = origin.path[:-2]  # without the RAM and its process
        if blocks[-2:] not in UNCOUNTED:
            names = origin.names[: -2 if "banked_ram" in blocks else -1]  # the banks of a memory are one
            banks[names].append(shape)
    assert all(len({shape.depth for shape in shapes}) == 1 for shapes in banks.values())
    found = sorted((shapes[0].depth, sum(shape.bits for shape in shapes)) for shapes in banks.values())
    assert found == sorted(
        (memory.depth, memory.bits) for memory in on_chip_memories(config).values() for _ in range(memory.banks)
    )


def test_reads_of_every_memory_are_counted():
    for name in on_chip_memories(BuildConfig(max_frames=2)):
        assert any(event.startswith(f"{name}_reads") for event in EVENTS), name
