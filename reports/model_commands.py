"""Commands of the command line (`radit.py`) that are about models and policies: training, quality, comparisons.

Each imports what it needs when it runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from model.errors import UserError
from reports.options import (
    BUILD,
    CfgOption,
    JobsOption,
    ModelOption,
    SeedOption,
    StepsOption,
    number,
    parse_reductions,
    parse_steps,
    split_list,
)

app = typer.Typer()


@app.command()
def train(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Which model to train: digits.")] = "digits",
    steps: Annotated[int, number("--steps", 1, None, "Optimizer steps (count).")] = 4500,
    seed: SeedOption = 0,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Checkpoint to write (.safetensors).")] = BUILD
    / "digits.safetensors",
) -> int:
    """Train a float model from scratch (minutes on two cores). The shipped checkpoint was made with the defaults."""
    if model != "digits":
        raise UserError(f"MODEL is '{model}', which cannot be trained here: use 'digits'.")
    from model.train import train_digits

    train_digits(out=out, steps=steps, seed=seed)
    return 0


@app.command()
def quality(
    model: ModelOption = "digits",
    samples: Annotated[
        int, number("--samples", 2, None, "Images per variant: float, int8 dense, int8 skipping (count).")
    ] = 1000,
    steps: StepsOption = 50,
    cfg: CfgOption = 1.5,
    seed: SeedOption = 0,
    force: Annotated[bool, typer.Option("--force", help="Measure again even if the stored result is current.")] = False,
) -> int:
    """Measure image quality on the bit-exact integer model; the result is stored beside the checkpoint."""
    from model.quality_run import run_quality

    run_quality(model=model, samples=samples, steps=steps, cfg=cfg, seed=seed, force=force)
    return 0


@app.command()
def frontier(
    model: ModelOption = "digits",
    samples: Annotated[int, number("--samples", 2, None, "Images per point (count).")] = 1000,
    steps: Annotated[
        str,
        typer.Option(
            metavar="N,..",
            help="Timesteps of the dense runs that the policies speed up (counts); everything is compared with the "
            "dense run of the largest.",
        ),
    ] = "50,20",
    policies: Annotated[
        list[str] | None,
        typer.Option(
            metavar="all|NAME[:FIELD=VALUE..],..",
            help="Policies to compare: all, names of which to run the whole sweep (fewer-steps, fora, taylorseer, "
            "smoothcache, fbcache, teacache, blockl1, radit, forecast), or one point each such as fora:interval=3; "
            "also ours with another detector such as sketch:projections=64 (model/policies/).",
            show_default="all",
        ),
    ] = None,
    cfg: CfgOption = 1.5,
    seed: SeedOption = 0,
    jobs: JobsOption = None,
    out: Annotated[
        Path, typer.Option(help="Folder for frontier.json, .csv, .svg, .png; finished points stay in its points/.")
    ] = BUILD / "frontier",
) -> int:
    """Compare our policies with published ones and with fewer steps: image error against cycles saved (modelled).

    Points that OUT/points/ holds are not run again.
    """
    bases, names = parse_steps(steps), split_list(policies or ["all"])
    from reports.frontier import run_frontier

    run_frontier(model=model, samples=samples, steps=bases, policies=names, cfg=cfg, seed=seed, jobs=jobs, out=out)
    return 0


@app.command()
def ablate(
    model: ModelOption = "digits",
    samples: Annotated[int, number("--samples", 2, None, "Images per variant and reduction (count).")] = 200,
    steps: StepsOption = 50,
    variants: Annotated[
        list[str] | None,
        typer.Option(
            metavar="all|NAME[:FIELD=VALUE..],..",
            help="Variants to compare with ours, as reports/ablation_variants.py lists them.",
            show_default="all",
        ),
    ] = None,
    reductions: Annotated[
        str, typer.Option(metavar="R,..", help="Reductions of MACs at which they are compared (factors).")
    ] = "2.5,3.33",
    cfg: CfgOption = 1.5,
    seed: SeedOption = 0,
    jobs: JobsOption = None,
    out: Annotated[
        Path, typer.Option(help="Folder for ablations.json, .csv, .svg, .png; finished points stay in its points/.")
    ] = BUILD / "ablations",
) -> int:
    """Change one thing of our policy at a time, detector, decision or forecast, and compare errors at equal MACs.

    Points that OUT/points/ holds are not run again.
    """
    factors, texts = parse_reductions(reductions), split_list(variants or ["all"])
    from reports.ablations import run_ablations
    from reports.frontier_measure import Settings

    settings = Settings(model, samples, cfg, seed)
    run_ablations(settings, steps=steps, variants=texts, reductions=factors, jobs=jobs, out=out)
    return 0
