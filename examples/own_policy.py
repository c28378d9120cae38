"""A caching policy of your own, on the bit-exact integer model, against RADiT's and ours at equal MACs.

The policy computes whole timesteps at gaps that shrink from `widest` to 1: images change little at first and fast at
the end. In between it takes the cached branches along their slope. It is planned: decisions do not depend on the image.
`radit` and `forecast` decide by the input, image by image; their thresholds are moved until they compute as much.

Expected output (mean squared error to the dense images, 8 digits, pixels from -1 to 1):

    shrinking gaps  MACs / 2.63  error 2.4e-04  million cycles per image 3.74
    radit           MACs / 2.64  error 4.7e-04  million cycles per image 3.79
    forecast        MACs / 2.68  error 8.0e-05  million cycles per image 3.50
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

import radit
from radit.model.integer.integer_dit import IntegerDiT

IMAGES = 8


@dataclass(frozen=True)
class ShrinkingGaps(radit.Method):
    """Compute at gaps that shrink linearly from `widest` timesteps to 1."""

    name: ClassVar[str] = "shrinking gaps"
    planned: ClassVar[bool] = True
    widest: int = 8

    def rule(self, integer: IntegerDiT, images: int) -> radit.Rule:
        """The decisions of a batch of images."""
        computed, place = {0, 1}, 1.0  # two results, for the first slope
        while place < integer.steps:
            place += max(1.0, self.widest * (1.0 - place / integer.steps))
            computed.add(round(place))
        return Planned(images, computed)

    @property
    def slope_gain(self) -> int:
        """Along the whole slope, Q1.7."""
        return 128


class Planned(radit.Rule):
    """Computes every sub-block of the given timesteps, and reuses all others."""

    def __init__(self, images: int, computed: set[int]) -> None:
        super().__init__(images)
        self.computed = computed

    def decide(self, s: int, index: int) -> Tensor:
        """Whether sub-block `s` is reused at timestep `index`, by image."""
        return self.every(index not in self.computed)


def main() -> None:
    model = radit.quantize("digits", steps=50)
    dense = radit.generate(model, "dense", images=IMAGES)
    mine = radit.generate(model, ShrinkingGaps(), images=IMAGES)
    runs = [mine]
    for name in ("radit", "forecast"):
        policy = radit.match_macs(model, radit.policy(name, model), mine.mac_reduction, images=4, trials=7)
        runs.append(radit.generate(model, policy, images=IMAGES))
    for run in runs:
        error = radit.paired_errors(run.images, dense.images).mean()
        cycles = radit.predict_cycles(model, run.decisions, array="16x16").cycles / IMAGES / 1e6
        print(
            f"{run.policy.name:14}  MACs / {run.mac_reduction:.2f}  error {error:.1e}  "
            f"million cycles per image {cycles:.2f}"
        )


if __name__ == "__main__":
    main()
