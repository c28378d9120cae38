"""Small tensors gain nothing from threads, and tests run beside each other: one thread each."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
