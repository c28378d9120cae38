"""From the error meter of a run to the error of its image; `model/tuning/error_meter.py` fits it."""

from __future__ import annotations

import math

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from radit.model.ranges import RANGES
from radit.model.schema import Positive


class Meter(BaseModel):
    """From the error meter to an image's predicted mse.

    Fields:
        scale, power: see `model/tuning/error_meter.py`.
        rank_injected, rank_final: Spearman's correlation, over the calibration images, of the meter with the true error
            that reuses brought into the predicted noise, and with the mse of the final image.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: Positive
    power: Positive
    rank_injected: float = Field(ge=-1.0, le=1.0)
    rank_final: float = Field(ge=-1.0, le=1.0)

    def predicted(self, error: Tensor, cfg: float) -> Tensor:
        """Return the predicted mse (N,) of the contexts' errors (N, contexts): meters over the policy's `unit`."""
        return self.scale * (error.double() @ guidance_weights(cfg)[: error.shape[1]]) ** self.power

    def limit(self, mse: float, cfg: float, contexts: int = 2) -> float:
        """Return the error per context that keeps the predicted mse of an image to `mse`, or the largest limit."""
        try:
            error = (mse / self.scale) ** (1 / self.power)
        except OverflowError:
            error = math.inf
        return min(error / float(guidance_weights(cfg)[:contexts].sum()), RANGES["max_error"].high)


def guidance_weights(cfg: float) -> Tensor:
    """Return the weights (2,) of the contexts' squared errors in that of the guided noise."""
    return torch.tensor([cfg**2, (cfg - 1.0) ** 2], dtype=torch.float64)
