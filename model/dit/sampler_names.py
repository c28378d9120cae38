"""What solvers and spacings of timesteps are called; without torch, for options and their help."""

from typing import Literal, get_args

Solver = Literal["ddim", "dpmpp-2m", "dpmpp-3m", "unipc", "euler", "heun", "ddpm"]
Spacing = Literal["uniform", "quadratic", "log-snr", "leading"]

SOLVERS: tuple[Solver, ...] = get_args(Solver)
SWEPT_SOLVERS = SOLVERS[:-1]  # what a comparison takes where none is named: those that add no noise on the way
SPACINGS: tuple[Spacing, ...] = get_args(Spacing)
SWEPT_SPACINGS = SPACINGS[:3]  # what a comparison takes where none is named
DDIM: Solver = "ddim"
HEUN: Solver = "heun"
DDPM: Solver = "ddpm"  # the official programs' own, `p_sample`
UNIFORM: Spacing = "uniform"
QUADRATIC: Spacing = "quadratic"
LOG_SNR: Spacing = "log-snr"
LEADING: Spacing = "leading"  # "ddim50" of the official programs
