"""The result of ``radit frontier`` as Markdown."""

from __future__ import annotations

from radit.reports.common.markdown import code, paragraph, power_text, table
from radit.reports.frontier.schema import OURS, Frontier, FrontierPoint, Winner

HEADS = ("policy", "base steps", "cycles /", "MACs /", "energy /", "bytes /", "error", "Frechet distance", "accuracy")


def frontier_tables(result: Frontier) -> str:
    """Who errs least at each reduction of cycles, and every point, with what was run above."""
    noise = f"; Frechet distances within {result.fd_noise:.2g} of each other say nothing" if result.fd_noise else ""
    setting = (
        f"{result.samples:,} images of seed {result.seed}, model {code(result.model)}, guidance {result.cfg:g}. "
        f"Reductions are the dense run of {result.reference_steps} steps over the policy; the error is the mean "
        f"squared difference to its images{noise}. Images and decisions are measured on the bit-exact integer model; "
        "cycles, bytes and energy are modelled."
    )
    winners = (_winner(one) for one in result.winners)
    heads = ("cycles /", "least error of", "that error", f"error of `{OURS}`", "fewer steps over it")
    points = sorted(result.points, key=lambda point: (-point.base_steps, point.policy, point.cycle_reduction))
    return "\n\n".join(
        [
            paragraph(setting),
            "At equal cycles, on the line through each policy's own points:",
            table(heads, winners),
            table(HEADS, (_point(point) for point in points)),
        ]
    )


def _winner(one: Winner) -> list[str]:
    ours, fewer = one.forecast_mse, one.fewer_steps_over_forecast
    return [
        f"{one.budget:g}",
        f"`{one.policy}`",
        power_text(one.mse),
        "" if ours is None else power_text(ours),
        "" if fewer is None else f"{fewer:.1f}",
    ]


def _point(point: FrontierPoint) -> list[str]:
    reductions = (point.cycle_reduction, point.mac_reduction, point.energy_reduction, point.external_bytes_reduction)
    name = f"{point.policy}:{point.settings}" if point.settings else point.policy
    texts = [f"{value:.2f}" for value in reductions]
    return [
        f"`{name}`",
        str(point.base_steps),
        *texts,
        power_text(point.mse),
        f"{point.fd:.2f}",
        f"{point.accuracy:.1%}",
    ]
