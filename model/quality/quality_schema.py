"""What quality results hold: the files beside checkpoints, and the field ``quality`` of summary.json."""

from __future__ import annotations

import math

from pydantic import model_validator

from radit.model.quality.names import DATA, DENSE, FLOAT
from radit.model.schema import Amount, Count, Part, Share


class ClipMeasures(Part):
    """Of clips of moving digits (model/quality/video_quality.py): frame by frame, then motion.

    Fields:
        accuracy_frames: share of frames with the label's class.
        same_class: share of frames with the class that most frames of their clip have.
        speed, acceleration: of the ink's centre, pixels per frame, and per frame squared.
        departure: from the nearest bouncing path, pixels.
        straight: share of clips that depart by no more than half a pixel.
    """

    accuracy_frames: Share
    same_class: Share
    speed: Amount
    acceleration: Amount
    departure: Amount
    straight: Share


class Spread(Part):
    """Of paired errors over the samples: the standard error of their mean, and their median."""

    standard_error: Amount
    median: Amount


class PairedErrors(Part):
    """Mean squared pixel differences, -1 .. 1, of samples to the converged ones of the same noise.

    Fields:
        standard_error: of the mean.
        percentile_95: 95 % of the samples stay below.
        tipped_over: share of samples that became another picture, see `model/quality/converged.py`.
    """

    mean: Amount
    standard_error: Amount
    median: Amount
    percentile_95: Amount
    tipped_over: Share


class PolicyQuality(Part):
    """Quality of the samples of one policy, or of what it is compared with; None: not measured.

    Fields:
        text: the policy as `--policy` reads it; empty: no policy.
        steps: of the sampler, where they are not the run's.
        same_macs_as: policy whose MACs these steps take.
        fd: Frechet distance to the data, no unit.
        accuracy: label accuracy, share; of prompted digits, of all digits at their place.
        complete: share of prompts spelled as a whole (model/quality/prompted_quality.py); None: no prompts.
        mac_reduction: MACs dense over these.
        to_converged: paired errors to the model's own solution of the same noise (`model/quality/converged.py`).
        mse_to_dense: mean squared difference to the dense samples, pixels from -1 to 1.
        clips: None: the samples are images.
    """

    text: str = ""
    steps: Count | None = None
    same_macs_as: str | None = None
    fd: Amount | None = None
    accuracy: Share | None = None
    complete: Share | None = None
    mac_reduction: Amount | None = None
    to_converged: PairedErrors | None = None
    mse_to_dense: Amount | None = None
    mse_spread: Spread | None = None
    clips: ClipMeasures | None = None

    @property
    def error_text(self) -> str:
        """The mean error to the dense samples with its standard error, for tables; empty where it was not measured."""
        return _error_text(self.mse_to_dense, self.mse_spread)

    @property
    def converged_text(self) -> str:
        """The same of the error to the converged samples."""
        found = self.to_converged
        return _error_text(found.mean if found else None, found)


def _error_text(mean: float | None, spread: Spread | PairedErrors | None) -> str:
    """A mean with its standard error: 2.78e-3 +- 0.56e-3."""
    if mean is None:
        return ""
    if mean == 0:
        return "0"
    power = math.floor(math.log10(mean))
    values = [mean] if spread is None else [mean, spread.standard_error]
    return " +- ".join(f"{value / 10.0**power:.2f}e{power}" for value in values)


class Quality(Part):
    """Quality of generated samples.

    Fields:
        fd_noise: spread of the distance over re-seeded float runs.
        by_policy: of ``float``, ``dense`` (the integer model) and every skipping policy; of ``fewer_steps``, the dense
            model with as many steps as the MACs of a skipping policy leave; of DDIM ``30_of_50``, with three fifths of
            the steps, the bar of equal quality, of another solver ``ddim_50``, 50 steps of DDIM for the record; of
            clips and garments also of ``data``.
        origin: stored with the checkpoint, or recomputed in this run.
    """

    samples: Count
    fd_noise: Amount
    by_policy: dict[str, PolicyQuality]
    origin: str = ""

    @model_validator(mode="after")
    def _check_compared(self) -> Quality:
        for name in (FLOAT, DENSE):
            if name not in self.by_policy or self.by_policy[name].fd is None:
                raise ValueError(f"by_policy lacks the Frechet distance of {name}")
        return self

    @property
    def data(self) -> ClipMeasures | None:
        """What the data's own clips have; None of images."""
        return self.by_policy[DATA].clips if DATA in self.by_policy else None
