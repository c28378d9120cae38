"""Solvers of diffusers as samplers: their schedulers, at timesteps of our own.

DPM-Solver++: C. Lu et al., 2022 (multistep, data prediction). UniPC: W. Zhao et al., 2023 (order 2, which its authors
advise for guided sampling). Euler and Heun: T. Karras et al., 2022, whose x grows with the noise:
x * sqrt(1 + sigma^2) with sigma^2 = (1 - ab) / ab.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    UniPCMultistepScheduler,
)
from torch import Tensor

from radit.model.dit.sampler import Sampler, held_to_range
from radit.model.dit.schedule import BETA_END, BETA_START, DIFFUSION_STEPS, alpha_bars
from radit.model.errors import UserError

SCHEDULERS: dict[str, tuple[type, dict[str, int]]] = {
    "dpmpp-2m": (DPMSolverMultistepScheduler, {"solver_order": 2}),
    "dpmpp-3m": (DPMSolverMultistepScheduler, {"solver_order": 3}),
    "unipc": (UniPCMultistepScheduler, {"solver_order": 2}),
    "euler": (EulerDiscreteScheduler, {}),
    "heun": (HeunDiscreteScheduler, {}),
}
GROWING = ("euler", "heun")  # their x is ours times sqrt(1 + sigma^2)


class LibraryWalk:
    """One run of a solver of the library; it remembers earlier timesteps, which therefore come in order."""

    def __init__(self, sampler: Sampler, pixels: bool | None) -> None:
        self._sampler, self._pixels, self._next = sampler, pixels, 0
        timesteps = replace(sampler, first=None).timesteps
        self._bars = alpha_bars()[timesteps].tolist()
        self._sigmas = [*((1.0 - bar) ** 0.5 / bar**0.5 for bar in self._bars), 0.0]
        self._scheduler = scheduler(sampler.solver, timesteps, self._sigmas)

    def step(self, x: Tensor, eps: Tensor, index: int, variance: Tensor | None = None) -> Tensor:
        """See `Walk`."""
        count = len(self._sampler.timesteps)
        if not 0 <= index < count or index != self._next:
            raise UserError(
                f"step index is {index}: {self._sampler.solver} remembers earlier timesteps, "
                f"take all of 0 to {count - 1} in turn; the next is {self._next}."
            )
        self._next += 1
        _, eps = held_to_range(x, eps, self._bars[index], self._pixels)
        grown = (self._growth(index), self._growth(index + 1))
        timestep = self._scheduler.timesteps[index]
        (moved, *_) = self._scheduler.step(eps, timestep, x * grown[0], return_dict=False)
        return (moved / grown[1]).to(x.dtype)

    def _growth(self, index: int) -> float:
        return (1.0 + self._sigmas[index] ** 2) ** 0.5 if self._sampler.solver in GROWING else 1.0


def scheduler(solver: str, timesteps: list[int], sigmas: list[float]) -> Any:
    """Return the library's scheduler at timesteps of our own.

    Args:
        timesteps: of all evaluations, descending.
        sigmas: at the timesteps, and 0 at the end.
    """
    kind, options = SCHEDULERS[solver]
    found = kind(
        num_train_timesteps=DIFFUSION_STEPS,
        beta_start=BETA_START,
        beta_end=BETA_END,
        beta_schedule="linear",
        prediction_type="epsilon",
        **options,
    )
    found.set_timesteps(len(timesteps))
    found.timesteps, found.sigmas = (torch.tensor(each, dtype=torch.float32) for each in (timesteps, sigmas))
    found.num_inference_steps = len(timesteps)
    found.set_begin_index(0)
    found.is_scale_input_called = True  # the network sees x as it is
    return found
