"""What solvers and spacings of timesteps are called; without torch, for options and their help."""

from typing import Literal, get_args

Solver = Literal["ddim", "dpmpp-2m", "dpmpp-3m", "unipc", "euler", "heun"]
Spacing = Literal["uniform", "quadratic", "log-snr", "leading"]

SOLVERS: tuple[Solver, ...] = get_args(Solver)
SPACINGS: tuple[Spacing, ...] = get_args(Spacing)
SWEPT_SPACINGS = SPACINGS[:3]  # what a comparison takes where none is named
DDIM: Solver = "ddim"
HEUN: Solver = "heun"
UNIFORM: Spacing = "uniform"
QUADRATIC: Spacing = "quadratic"
LOG_SNR: Spacing = "log-snr"
LEADING: Spacing = "leading"  # "ddim50" of the official programs
