"""A detector of your own: how to see that an input has hardly changed, at a quarter of the memory.

Ours compares 4-bit codes of the first sub-block's input with those kept from the last computed timestep. This one
keeps one bit per value, its sign, and takes the share of signs that have flipped. All else stays the same: threshold
schedule, guards, forecast. The thresholds are moved until both compute as much.

Expected output (mean squared error to the dense images, 8 digits, pixels from -1 to 1):

    signs  1 bit  kept  MACs / 3.2  error 1.1e-04  history 530 KB
    codes  4 bits kept  MACs / 3.0  error 1.4e-04  history 2144 KB
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

import radit
from radit.model.integer.integer_dit import IntegerDiT

IMAGES, REDUCTION = 8, 3.0


@dataclass(frozen=True)
class Signs(radit.SignatureDetector):
    """The share of values whose sign has flipped."""

    name: ClassVar[str] = "signs"

    def signature(self, sight: radit.Sight, integer: IntegerDiT) -> Tensor:
        """What is kept of an input, bool (N, contexts, T, D)."""
        return sight.act < 0

    def apart(self, now: Tensor, then: Tensor, integer: IntegerDiT, s: int) -> Tensor:
        """The distance of two signatures (N, contexts), 0 to 1; it is compared with the threshold."""
        return (now != then).mean((-2, -1), dtype=torch.float64)

    def cost(self, values: int) -> radit.Cost:
        """One bit kept; one comparison and one addition of a bit per value."""
        return radit.Cost(stored_bits=1, operations=2, bit_operations=2)


def main() -> None:
    model = radit.quantize("digits", steps=50)
    dense = radit.generate(model, "dense", images=IMAGES)
    for detector, bits in ((Signs(), "1 bit "), (radit.policy("codes"), "4 bits")):
        run = radit.generate(model, radit.match_macs(model, detector, REDUCTION), images=IMAGES)
        error = radit.paired_errors(run.images, dense.images).mean()
        moved = radit.predict_cycles(model, run.decisions).external_bytes
        history = moved["code_history_read"] + moved["code_history_write"]
        print(
            f"{run.policy.name}  {bits} kept  MACs / {run.mac_reduction:.1f}  error {error:.1e}  "
            f"history {history / 1e3:.0f} KB"
        )


if __name__ == "__main__":
    main()
