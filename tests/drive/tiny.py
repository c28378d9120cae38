"""A tiny model, packed, and the simulated accelerator that holds it: what the tests of the drivers share."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from radit.accel.axi.bus_config import BusConfig
from radit.accel.host.packed import PackedModel
from radit.cosim.drive.c_driver import driver_library
from radit.cosim.drive.model_file import pack_model
from radit.cosim.drive.simulated import axi_library
from radit.cosim.prepare import Prepared, Request, prepare
from radit.model.dit.checkpoint import save_checkpoint
from radit.model.dit.config import DiTConfig
from radit.model.dit.transformer import DiT

BUILD = Path("build") / "drive-tests"
CONFIG = DiTConfig(input_size=4, patch_size=2, hidden_size=8, depth=1, num_heads=2, num_classes=3)
BUS = BusConfig(data_bits=64, burst=4, latency=32)
STEPS = 4


@cache
def tiny_model() -> str:
    """A checkpoint with seeded weights, none of them zero."""
    path = BUILD / "tiny.safetensors"
    torch.manual_seed(1)
    dit = DiT(CONFIG)
    with torch.no_grad():
        for weights in dit.parameters():
            if weights.requires_grad:
                weights.add_(0.3 * torch.randn_like(weights))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, dit)
    return str(path)


@cache
def tiny_prepared(**changes) -> Prepared:
    """Two images of it on a 4x4 array."""
    request = Request(tiny_model(), STEPS, images=2, seed=0, cfg=1.5, array=(4, 4), engine="verilator")
    return prepare(replace(request, **changes))


@cache
def tiny_packed(policy: str = "radit:threshold=0.9:first_dense=1") -> PackedModel:
    """Packed with a policy that skips some."""
    return pack_model(tiny_prepared(), tiny_prepared().policy(policy))


@cache
def libraries() -> tuple[Path, Path]:
    """The simulated accelerator, and the C driver."""
    return axi_library(tiny_prepared().build, BUS, BUILD), driver_library(BUILD)
