"""``explore.html``: one self-contained page of a design space; no network, no scripts."""

from __future__ import annotations

import base64

import jinja2

from radit.reports.explore.schema import Exploration, ExploredPoint
from radit.reports.run.render import TEMPLATES

MOST_ROWS = 300  # of a front on the page; explore.csv has all
FRONTS = {
    "front": "Time and energy",
    "area_front": "Time, energy, gates, on-chip memory",
    "error_front": "Time, energy, error",
}


def page(result: Exploration, picture: bytes) -> str:
    """The page; ``picture`` is the plot as PNG."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    fronts = {title: _front(result, name) for name, title in FRONTS.items()}
    return environment.get_template("explore.html.j2").render(
        e=result,
        plot=f"data:image/png;base64,{base64.b64encode(picture).decode()}",
        fronts={title: found for title, found in fronts.items() if found},
        most=MOST_ROWS,
    )


def _front(result: Exploration, name: str) -> list[ExploredPoint]:
    found = [one for one in result.points if getattr(one, name)]
    return sorted(found, key=lambda one: (one.model, one.evaluations, one.policy, one.milliseconds))
