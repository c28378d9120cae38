"""The converged image as judge: what so many steps of a strong solver make of a noise that more change nothing.

Every shortcut, fewer steps, int8, a reused branch, ends in another image than the model's own solution of the same
noise. Its paired error to that solution counts them all, and lets a dense run of any solver be compared with a skipping
one. The error to a dense run of 50 steps cannot: that run has errors of its own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from radit.model.dit.sampler import Sampler
from radit.model.dit.sampler_names import LOG_SNR, QUADRATIC
from radit.model.quality.measures import squared_errors
from radit.model.quality.quality_schema import PairedErrors

CONVERGED = Sampler(200, solver="dpmpp-2m", spacing=LOG_SNR)
CHECKS = (Sampler(100, solver="dpmpp-2m", spacing=LOG_SNR), Sampler(200, solver="unipc", spacing=QUADRATIC))
TIPPED = 0.1  # of the squared distance of two pictures of one label: an error beyond it is another picture
FEW = 500  # samples below which single images decide a mean


def paired_errors(samples: Tensor, converged: Tensor, distance: float) -> PairedErrors:
    """Return how far samples (N, C, H, W), or clips, are from the converged ones.

    Args:
        distance: of two pictures of one label, see `picture_distance`; a sample whose error is beyond a tenth of it has
            tipped over into another picture.

    Raises:
        UserError: the shapes differ.
    """
    errors = squared_errors(samples, converged)
    spread = float(errors.std()) if len(errors) > 1 else 0.0
    return PairedErrors(
        mean=float(errors.mean()),
        standard_error=spread / math.sqrt(len(errors)),
        median=float(errors.median()),
        percentile_95=float(errors.quantile(0.95)),
        tipped_over=float((errors > TIPPED * distance).double().mean()),
    )


def picture_distance(converged: Tensor, labels: Tensor) -> float:
    """Return the mean squared difference of two converged samples with one label, over all labels (N,) that come twice.

    Of samples that all have labels of their own: the same over all of them.
    """
    groups = [converged[labels == label].double() for label in labels.unique()]
    groups = [each for each in groups if len(each) > 1] or [converged.double()]
    pairs = [squared_errors(each, torch.roll(each, 1, dims=0)) for each in groups]
    return float(torch.cat(pairs).mean())


def caution(samples: int) -> str:
    """Return a sentence where a mean over so many samples is not to be trusted, else nothing."""
    if samples >= FEW:
        return ""
    return (
        f"{samples} samples are few: single pictures that tip over decide the means, look at the medians, "
        f"and measure at least {FEW}."
    )
