"""What ``radit timing`` is asked for: builds and parts of the machine."""

from __future__ import annotations

from dataclasses import replace

from radit.accel.config import BuildConfig
from radit.cosim.support.sizes import fitted
from radit.model.errors import UserError, shown
from radit.reports.area.parts import PARTS
from radit.reports.machine.description import MachineDescription
from radit.reports.project.project import config_of

CONTEXTS = 2  # an image under guidance


def builds_of(
    shapes: list[tuple[int, ...]], machine: MachineDescription | None, model: str, counters: int | None
) -> list[BuildConfig]:
    """A build per array, sized for a model, with the build parameters of a machine.

    Args:
        counters: bits of the event counters; None: the build's.

    Raises:
        UserError: an array that cannot be built, an unknown model, or counters of another width than 0, 32 or 64.
    """
    config, built = config_of(model), machine.build if machine else None
    builds = [fitted(config, CONTEXTS, *shape, built=built)[1] for shape in shapes]
    return builds if counters is None else [replace(build, counters=counters) for build in builds]


def parts_named(text: str | None) -> list[str]:
    """'ccu,dtsm' -> parts of the machine; none named: none.

    Raises:
        UserError: there is no such part.
    """
    names = [] if text is None else [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in PARTS:
            raise UserError(f"--units is {shown(name)}: choose from {', '.join(PARTS)}, with commas between.")
    return names
