"""Commands of the command line (`radit.py`) that compare: policies, solvers, one thing at a time, exact differences.

Each imports what it needs when it runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from radit.model.dit.sampler_names import DDIM, SOLVERS, SPACINGS, SWEPT_SOLVERS, SWEPT_SPACINGS, UNIFORM
from radit.model.errors import UserError, shown
from radit.options import (
    BUILD,
    ArraysOption,
    BandwidthsOption,
    CfgOption,
    JobsOption,
    LatencyOption,
    ModelOption,
    SamplerOption,
    SamplersOption,
    SchedulerOption,
    SeedOption,
    SpacingOption,
    SpacingsOption,
    StepsOption,
    filled,
    folder_to_write,
    number,
    parse_array,
    parse_bandwidths,
    parse_policies,
    parse_reductions,
    parse_steps,
    parse_words,
    split_list,
)
from radit.terminal.console import console, say
from radit.terminal.interruption import at_work
from radit.terminal.messages import asked_for

app = typer.Typer()


@app.command()
def frontier(
    model: ModelOption = "digits",
    samples: Annotated[int, number("--samples", "Images or clips per point (count).")] = 512,
    sampler: SamplersOption = None,
    spacing: SpacingsOption = None,
    steps: Annotated[
        str,
        typer.Option(metavar="N,..", help="Timesteps of the dense runs (counts); policies run on top of each."),
    ] = "6,8,10,12,14,16,20,25",
    policies: Annotated[
        list[str] | None,
        typer.Option(
            metavar="all|NAME[:FIELD=VALUE..],..",
            help="Policies on top of the best solver: all, names of which to run the whole sweep (fora, taylorseer, "
            "smoothcache, fbcache, dbcache, dbprune, bwcache, teacache, magcache, radit, forecast, planned), or one "
            "point each such as fora:interval=3; also ours with another detector such as sketch:projections=64 "
            "(model/detectors/).",
            show_default="all",
        ),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history/--no-history", help="Also 50 steps of DDIM: dense, radit and forecast.")
    ] = True,
    cfg: CfgOption = 1.5,
    seed: SeedOption = 0,
    jobs: JobsOption = None,
    scheduler: SchedulerOption = None,
    out: Annotated[
        Path, folder_to_write("Folder for frontier.json, .csv, .svg, .png; finished points stay in its points/.")
    ] = BUILD / "frontier",
) -> int:
    """Compare dense solvers, published caches and ours: error to the converged image against cycles (modelled).

    Points that OUT/points/ holds are not run again.
    """
    counts, names = tuple(parse_steps(steps)), tuple(split_list(policies or ["all"]))
    solvers, spacings = (
        parse_words(sampler or [*SWEPT_SOLVERS], "--sampler", SOLVERS),
        parse_words(spacing or [*SWEPT_SPACINGS], "--spacing", SPACINGS),
    )
    from radit.model.system.workers import chosen_workers
    from radit.reports.frontier.frontier import Wanted, run_frontier
    from radit.reports.frontier.measure import Settings
    from radit.terminal.frontier import show_frontier

    settings, wanted = Settings(model, samples, cfg, seed), Wanted(solvers, spacings, counts, names, history)
    with chosen_workers(scheduler, jobs) as workers, at_work(out, kept="points"):
        result = run_frontier(settings, wanted, workers=workers, out=out)
    show_frontier(result, console())
    say(f"wrote {out / 'frontier.json'}")
    return 0


@app.command()
def ablate(
    model: ModelOption = "digits",
    samples: Annotated[int, number("--samples", "Images per variant and reduction (count).")] = 200,
    steps: StepsOption = 50,
    sampler: SamplerOption = DDIM,
    spacing: SpacingOption = UNIFORM,
    variants: Annotated[
        list[str] | None,
        typer.Option(
            metavar="all|NAME[:FIELD=VALUE..],..",
            help="Variants to compare with ours, as reports/ablation/variants.py lists them.",
            show_default="all",
        ),
    ] = None,
    reductions: Annotated[
        str, typer.Option(metavar="R,..", help="Reductions of MACs at which they are compared (factors).")
    ] = "2.5,3.33",
    cfg: CfgOption = 1.5,
    seed: SeedOption = 0,
    jobs: JobsOption = None,
    scheduler: SchedulerOption = None,
    out: Annotated[
        Path, folder_to_write("Folder for ablations.json, .csv, .svg, .png; finished points stay in its points/.")
    ] = BUILD / "ablations",
) -> int:
    """Change one thing of our policy at a time, detector, decision or forecast, and compare errors at equal MACs.

    Points that OUT/points/ holds are not run again.
    """
    factors, texts = parse_reductions(reductions), split_list(variants or ["all"])
    from radit.model.dit.sampler import Sampler
    from radit.model.system.workers import chosen_workers
    from radit.reports.ablation.ablations import run_ablations
    from radit.reports.frontier.measure import Settings
    from radit.terminal.ablation import show_ablations

    settings, way = Settings(model, samples, cfg, seed), Sampler(steps, None, sampler, spacing)
    with chosen_workers(scheduler, jobs) as workers, at_work(out, kept="points"):
        result = run_ablations(
            settings, sampler=way, variants=texts, reductions=factors, workers=workers, out=out
        )  # fmt: skip
    show_ablations(result, console())
    say(f"wrote {out / 'ablations.json'}")
    return 0


@app.command()
def differences(
    model: ModelOption = "digits",
    blocks: Annotated[int | None, number("--blocks", "Keep only the model's first blocks (count).", "all")] = None,
    sampler: SamplerOption = "unipc",
    spacing: SpacingOption = "quadratic",
    steps: Annotated[
        str, typer.Option(metavar="N,..", help="Timesteps of the sampler (counts): a run of each.")
    ] = "12,20",
    timesteps: Annotated[
        int | None, number("--timesteps", "Run only the first of the sampler's steps (count).", "all")
    ] = None,
    samples: Annotated[int, number("--samples", "Images or clips whose words are counted (count).")] = 64,
    policy: Annotated[
        str,
        typer.Option(
            metavar="NAME[:FIELD=VALUE..]",
            help="What is computed, with and without differences: dense, radit or forecast, with settings.",
            callback=filled("give dense, radit or forecast"),
        ),
    ] = "dense",
    cfg: CfgOption = 1.5,
    seed: SeedOption = 0,
    array: ArraysOption = "16x16,32x32,64x64",
    latency: LatencyOption = 100,
    bandwidth: BandwidthsOption = "32,64",
    jobs: JobsOption = None,
    out: Annotated[Path, folder_to_write("Folder for differences.json, .csv.")] = BUILD / "differences",
) -> int:
    """Predict what exact differences would save: words counted on the integer model, cycles, traffic, energy and gates.

    Of what it compares, cells of two products are in the hardware, differences are not (docs/differences.md).
    """
    counts, shapes = parse_steps(steps), [parse_array(text) for text in split_list([array])]
    if any(len(shape) > 2 for shape in shapes):
        raise UserError(
            f"--array is {shown(array)}: give rows x columns alone, cells of two products are among the results."
        )
    bandwidths, (text,) = parse_bandwidths(bandwidth), _one_policy(policy)
    from radit.model.dit.sampler import Sampler
    from radit.reports.differences.differences import run_differences
    from radit.reports.differences.measure import Sampled
    from radit.terminal.differences import show_differences

    ways = [Sampler(count, timesteps, sampler, spacing) for count in counts]
    sampled = Sampled(model, blocks, timesteps, samples, cfg, seed, text)
    with at_work(out):
        result = run_differences(
            sampled, samplers=ways, arrays=shapes, bandwidths=bandwidths, latency=latency, jobs=jobs, out=out,
            command=asked_for(),
        )  # fmt: skip
    show_differences(result, console())
    say(f"wrote {out / 'differences.json'}")
    return 0


def _one_policy(text: str) -> list[str]:
    """The policy of a text that names one."""
    found = parse_policies([text])
    if len(found) > 1:
        raise UserError(f"--policy is {shown(text)}: give one policy.")
    return found
