"""Small runs: torch's threads cost more than they bring."""

import pytest
import torch

import radit

STEPS = 4


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits(one_thread):
    """The digits model, quantized for a few timesteps."""
    return radit.quantize("digits", steps=STEPS)
