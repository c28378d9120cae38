"""A sampler as numbers: every next image as a sum of the noise and of the clean images predicted so far.

All solvers that add no noise are linear in both, whatever they remember, so the numbers are found by running the solver
itself on unit vectors. A host then needs no solver: it keeps the predicted clean images and adds.
"""

import numpy as np
import torch

from radit.model.dit.sampler import Sampler
from radit.model.dit.sampler_names import DDPM
from radit.model.dit.schedule import alpha_bars
from radit.model.errors import UserError
from radit.model.threads import one_thread


@one_thread()
@torch.no_grad()
def sampler_table(sampler: Sampler) -> np.ndarray:
    """Return float32 (steps, 3 + steps) of a sampler's timesteps.

    Row n, with the predicted noise e: clean = row[0] * x - row[1] * e, held to -1 .. 1 where x holds pixels, and the
    next x = row[2] * noise + sum of row[3 + j] * clean of timestep j, over j = 0 .. n.

    Raises:
        UserError: the sampler adds noise on its way.
    """
    if sampler.solver == DDPM:
        raise UserError(f"--sampler is {DDPM}, which adds noise on its way: choose one that does not, such as ddim.")
    steps = len(sampler.timesteps)
    walk = sampler.start(pixels=False)
    x = torch.zeros(1, 1, 1, 1 + steps, dtype=torch.float64)  # x as what it is made of: noise, then clean images
    x[..., 0] = 1.0
    table = np.zeros((steps, 3 + steps), np.float32)
    for index, bar in enumerate(alpha_bars()[sampler.timesteps].double().tolist()):
        kept, lost = bar**0.5, (1.0 - bar) ** 0.5
        clean = torch.zeros_like(x)
        clean[..., 1 + index] = 1.0
        x = walk.step(x, (x - kept * clean) / lost, index).double()
        table[index, :2] = 1.0 / kept, lost / kept
        table[index, 2:] = x.flatten().float().numpy()
    return table
