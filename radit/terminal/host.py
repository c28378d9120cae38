"""Packed models, and images driven through the bus, on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console

from radit.accel.host.layout import ALL_IMAGES, KIND
from radit.accel.host.packed import PackedModel
from radit.cosim.drive.compare import DrivenImage
from radit.reports.cycles.memory import MemoryModel
from radit.reports.run.schema import CycleModel
from radit.terminal.tables import show_table, table_of

KIB = 1024
COLUMNS = (
    "image", "timesteps", "computed", "16-bit words", "wrong", "wrong values", "cycles", "in timesteps", "predicted",
    "off", "interrupts", "accesses", "seconds",
)  # fmt: skip


def show_packed(packed: PackedModel, console: Console) -> None:
    """Sizes of the sections, and what the accelerator must be."""
    table = table_of("section", ("entries", "KiB"))
    sizes: Counter[str] = Counter()
    entries: Counter[str] = Counter()
    for one in packed.sections:
        part = "of every image" if one.image != ALL_IMAGES else "of all"
        what = one.name if one.kind != KIND["memory"] else f"memory at base register {one.base:#05x}"
        sizes[f"{what}, {part}"] += one.size
        entries[f"{what}, {part}"] += 1
    for name, count in entries.items():
        table.add_row(name, str(count), f"{sizes[name] / KIB:,.1f}")
    show_table(console, table)
    needs = packed.needs
    array = "x".join(str(needs[name]) for name in ("rows", "cols"))
    console.print(
        f"array {array}, {needs['images']} images of {needs['steps']} timesteps, {len(packed.registers)} registers; "
        f"device memory {packed.memory_bytes / KIB:,.0f} KiB",
        highlight=False,
    )


def show_driven(
    found: Sequence[DrivenImage], predicted: Sequence[CycleModel], memory: MemoryModel, console: Console
) -> None:
    """Every image: what was compared, what differs, and what it took; what the cycle model says with ``memory``."""
    table = table_of("policy", COLUMNS)
    for one, model in zip(found, predicted, strict=True):
        table.add_row(
            one.policy, str(one.image), str(one.steps), f"{one.decisions.computed.mean():.1%}", f"{one.words:,}",
            f"{one.wrong_words:,}", f"{one.wrong_values:,}", f"{one.cycles:,}", f"{one.busy:,}",
            f"{model.predicted:,}", model.found, str(one.counts["interrupts"]), f"{one.counts['accesses']:,}",
            f"{one.seconds:.1f}",
        )  # fmt: skip
    show_table(console, table)
    for one, model in zip(found, predicted, strict=True):
        if sentence := model.imprecise(memory):
            console.print(f"{one.policy}, image {one.image}: {sentence}", highlight=False)
        if one.problem:
            console.print(f"{one.policy}, image {one.image}: {one.problem}.", highlight=False, markup=False)
        if one.first_wrong is not None:
            console.print(f"{one.policy}, image {one.image}: x differs from timestep {one.first_wrong} on.")
    verdict = "every bit equal" if all(one.is_equal for one in found) else "not equal"
    most = max(one.difference for one in found)
    console.print(
        f"x and images: {verdict}; largest difference to the images of radit cosim {most:.2e} of 2", highlight=False
    )
