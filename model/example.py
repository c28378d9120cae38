"""A seeded DiT with random weights in which every part matters: for tests, and for shapes without a checkpoint."""

from __future__ import annotations

import torch

from model.config import DiTConfig
from model.dit import DiT

SMALL = DiTConfig(input_size=4, hidden_size=32, depth=2, num_heads=2, num_classes=3)


@torch.no_grad()
def random_dit(config: DiTConfig = SMALL, seed: int = 0) -> DiT:
    """Return a float DiT in evaluation mode whose adaLN vectors, biases and output are not zero."""
    generator = torch.Generator().manual_seed(seed)

    def fill(parameter: torch.Tensor, spread: float) -> None:
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)

    dit = DiT(config)
    for name, parameter in dit.named_parameters():
        if name == "pos_embed":
            continue
        if "adaLN" in name or name.endswith("bias"):
            fill(parameter, 0.1)
        elif "embed" in name:
            fill(parameter, 0.5 if "table" in name else parameter[0].numel() ** -0.5)
        else:
            fill(parameter, parameter[0].numel() ** -0.5)
    fill(dit.final_layer.linear.weight, 0.3 * config.hidden_size**-0.5)
    return dit.eval().requires_grad_(False)
