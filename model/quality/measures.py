"""How good generated images are: against the real ones (Frechet distance, accuracy) and against a reference (paired).

Library code throughout (torchmetrics). Sources: M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule
Converge to a Local Nash Equilibrium", 2017 (Frechet distance); Z. Wang et al., "Image Quality Assessment", 2004
(SSIM). What only clips have is measured in `model/quality/video_quality.py`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure
from torchmetrics.functional.regression import mean_squared_error
from torchmetrics.image.fid import FrechetInceptionDistance

from radit.model.errors import UserError
from radit.model.quality.classifier import Classifier, DigitClassifier
from radit.model.training.digits import all_digits

PIXEL_RANGE = (-1.0, 1.0)
SSIM_WINDOW = 7
SSIM_SIGMA = 0.8
MIN_SAMPLES = 2


class _GivenFeatures(nn.Module):
    """Feature extractor of the metric that takes the features themselves: (N, F) -> (N, F)."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet(features_a: Tensor, features_b: Tensor) -> float:
    """Return the Frechet distance, unitless, of two sets of features (N, F) and (M, F), computed in float64.

    Raises:
        UserError: the sets differ in F, or one has fewer than two samples.
    """
    for field, features in (("features_a", features_a), ("features_b", features_b)):
        if features.dim() != 2 or len(features) < MIN_SAMPLES:
            raise UserError(f"{field} has shape {tuple(features.shape)}: give (N, F) with N of at least {MIN_SAMPLES}.")
    if features_a.shape[1] != features_b.shape[1]:
        raise UserError(
            f"features_b has {features_b.shape[1]} features where features_a has {features_a.shape[1]}: "
            "take both from one classifier."
        )
    metric = FrechetInceptionDistance(feature=_GivenFeatures(features_a.shape[1])).set_dtype(torch.float64)
    metric.update(features_a.double(), real=True)
    metric.update(features_b.double(), real=False)
    return float(metric.compute())


def frechet_to_digits(images: Tensor, classifier: DigitClassifier) -> float:
    """Return the Frechet distance, unitless, of images (N, 1, 8, 8) to all 1797 real digits."""
    return frechet(classifier.features(all_digits().images), classifier.features(images))


def accuracy(images: Tensor, labels: Tensor, classifier: Classifier) -> float:
    """Return the share, 0 .. 1, of images, frames or clips (N, ...) that the classifier takes for their labels (N,).

    Raises:
        UserError: images and labels differ in number, or there are none.
    """
    if len(images) != len(labels) or len(labels) == 0:
        raise UserError(f"labels number {len(labels)} for {len(images)} images: give one label per image.")
    return float((classifier.predict(images) == labels).double().mean())


def mse(images: Tensor, reference: Tensor) -> float:
    """Return the mean squared pixel difference of paired images (N, C, H, W) or clips (N, F, C, H, W).

    The unit is a pixel's squared (-1 .. 1).

    Raises:
        UserError: the shapes differ.
    """
    _check_pairs(images, reference)
    return float(mean_squared_error(images.double().flatten(), reference.double().flatten()))


def squared_errors(images: Tensor, reference: Tensor) -> Tensor:
    """Return the mean squared pixel difference (N,) float64 of every pair of images or clips, see `mse`.

    Raises:
        UserError: the shapes differ.
    """
    _check_pairs(images, reference)
    return (images.double() - reference.double()).square().flatten(1).mean(1)


def psnr(images: Tensor, reference: Tensor) -> float:
    """Return the peak signal-to-noise ratio of paired images or clips, see `mse`, in dB; infinite for equal ones.

    The peak is the range of 2 from -1 to 1.

    Raises:
        UserError: the shapes differ.
    """
    _check_pairs(images, reference)
    span = PIXEL_RANGE[1] - PIXEL_RANGE[0]
    return float(peak_signal_noise_ratio(images.double(), reference.double(), data_range=span))


def ssim(images: Tensor, reference: Tensor) -> float:
    """Return the mean structural similarity, up to 1, of paired images, or of the frames of clips, see `mse`, unitless.

    A Gaussian window of sigma 0.8 pixels (7 x 7): the usual 1.5 pixels do not fit into 8 x 8 images.
    Values beyond -1 .. 1 are clipped first.

    Raises:
        UserError: the shapes differ.
    """
    _check_pairs(images, reference)
    frames = (part.double().flatten(0, -4) for part in (images, reference))
    value = structural_similarity_index_measure(
        *frames, sigma=SSIM_SIGMA, kernel_size=SSIM_WINDOW, data_range=PIXEL_RANGE
    )
    assert isinstance(value, Tensor)
    return float(value)


def _check_pairs(images: Tensor, reference: Tensor) -> None:
    """Both (N, C, H, W), or clips (N, F, C, H, W), of one shape."""
    if images.shape != reference.shape or images.dim() not in (4, 5):
        raise UserError(
            f"images have shape {tuple(images.shape)} and reference {tuple(reference.shape)}: "
            "give two (N, C, H, W) of one shape, or two clips (N, F, C, H, W)."
        )
