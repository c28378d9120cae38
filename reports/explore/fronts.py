"""Pareto fronts: the points that nothing beats."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

import numpy as np

from radit.reports.explore.schema import ExploredPoint

Objectives = Callable[[ExploredPoint], tuple[float, ...]]


def unbeaten(values: np.ndarray) -> np.ndarray:
    """Which rows no other row beats: bool [n] of float [n, objective], less is better.

    A row is beaten by one that is nowhere worse and somewhere better; equal rows beat neither.
    """
    order = np.lexsort(values.T[::-1])
    kept: list[int] = []
    best = np.empty((0, values.shape[1]))
    for index in order:  # who comes first is never beaten by who comes later
        row = values[index]
        no_worse = (best <= row).all(axis=1)
        if not (no_worse & (best < row).any(axis=1)).any():
            kept.append(int(index))
            best = np.vstack([best, row])
    found = np.zeros(len(values), bool)
    found[kept] = True
    return found


def with_fronts(points: list[ExploredPoint]) -> list[ExploredPoint]:
    """The points, each with the fronts that it is on."""
    marks: list[dict[str, bool]] = [{} for _ in points]
    known = [i for i, one in enumerate(points) if one.gates is not None]
    judged = [i for i, one in enumerate(points) if one.error is not None]
    _mark("front", range(len(points)), points, marks, _work, _cost)
    _mark("area_front", known, points, marks, _work, lambda one: (*_cost(one), one.gates or 0.0, _sram(one)))
    _mark("error_front", judged, points, marks, _subject, lambda one: (*_cost(one), one.error or 0.0))
    return [one.model_copy(update=mark) for one, mark in zip(points, marks, strict=True)]


def _mark(
    name: str,
    chosen: Iterable[int],
    points: list[ExploredPoint],
    marks: list[dict[str, bool]],
    group: Callable[[ExploredPoint], Hashable],
    objectives: Objectives,
) -> None:
    """Mark the points of a front, each group's own."""
    groups: dict[Hashable, list[int]] = {}
    for index in chosen:
        groups.setdefault(group(points[index]), []).append(index)
    for members in groups.values():
        found = unbeaten(np.array([objectives(points[index]) for index in members]))
        for index, on_front in zip(members, found, strict=True):
            marks[index][name] = bool(on_front)


def _work(one: ExploredPoint) -> Hashable:
    return one.model, one.cfg, one.evaluations, one.sampler, one.policy


def _subject(one: ExploredPoint) -> Hashable:
    return one.model, one.cfg


def _cost(one: ExploredPoint) -> tuple[float, float]:
    return one.milliseconds, one.energy_uj.nominal


def _sram(one: ExploredPoint) -> float:
    return one.sram_kib + one.reuse_sram_kib
