"""What skipping has to beat: a better solver with fewer timesteps, judged by the image that all solvers converge to.

The converged image is the float model's after 200 steps of DPM-Solver++. Errors are those of the bit-exact integer
model and, in brackets, of the float model at the same timesteps: their difference is rounding. An evaluation runs the
network once for both contexts; for a policy that skips it is a dense evaluation's worth of MACs.

Expected output (mean squared error, pixels from -1 to 1, 16 digits, guidance 1.5):

    50.0 evaluations  ddim uniform              error 6.6e-04 (4.8e-04)
    26.4 evaluations  ddim uniform, radit       error 8.2e-04
    13.3 evaluations  ddim uniform, forecast    error 7.4e-04
    12.0 evaluations  ddim quadratic            error 2.5e-03 (2.0e-03)
    12.0 evaluations  dpmpp-2m log-snr          error 6.1e-04 (2.8e-04)
    12.0 evaluations  unipc quadratic           error 6.6e-04 (2.1e-04)
    8.0 evaluations   unipc quadratic           error 1.2e-03 (7.2e-04)

With 12 evaluations two solvers are as close as all 50 steps of DDIM: what skipping saves of 50 steps of DDIM, they give
for nothing. Sixteen images rank no two that are near each other.
"""

import torch

import radit
from radit.model.dit.sampler import Sampler, make_noise, sample

IMAGES, CFG, SEED = 16, 1.5, 0
SAMPLERS = [
    Sampler(50),
    Sampler(12, spacing="quadratic"),
    Sampler(12, solver="dpmpp-2m", spacing="log-snr"),
    Sampler(12, solver="unipc", spacing="quadratic"),
    Sampler(8, solver="unipc", spacing="quadratic"),
]


def main() -> None:
    model = radit.load_model("digits")
    noise, labels = make_noise(model.dit.config, IMAGES, SEED), torch.arange(IMAGES) % model.dit.config.num_classes

    def drawn(sampler: Sampler) -> torch.Tensor:
        return sample(model.dit, noise, labels, sampler, CFG)

    converged = drawn(Sampler(200, solver="dpmpp-2m", spacing="log-snr")).numpy()
    for sampler in SAMPLERS:
        quantized = radit.quantize(model, sampler.steps, sampler=sampler.solver, spacing=sampler.spacing)
        rounding = radit.paired_errors(drawn(sampler).numpy(), converged).mean()
        for policy in ("dense", "radit", "forecast") if sampler.is_ddim else ("dense",):
            run = radit.generate(quantized, policy, images=IMAGES, seed=SEED, cfg=CFG)
            error = radit.paired_errors(run.images, converged).mean()
            name = f"{sampler.solver} {sampler.spacing}" + (f", {policy}" if policy != "dense" else "")
            alone = f" ({rounding:.1e})" if policy == "dense" else ""
            cost = f"{sampler.steps / run.mac_reduction:.1f} evaluations"
            print(f"{cost:16}  {name:24}  error {error:.1e}{alone}")


if __name__ == "__main__":
    main()
