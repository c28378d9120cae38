"""Commands of the command line (`radit.py`) that are about models and policies: training, quality, comparisons.

Each imports what it needs when it runs.
"""

import time
from pathlib import Path
from typing import Annotated

import typer

from radit.model.dit.sampler_names import DDIM, SOLVERS, SPACINGS, SWEPT_SOLVERS, SWEPT_SPACINGS, UNIFORM
from radit.model.errors import UserError, shown
from radit.model.ranges import RANGES, Range
from radit.options import (
    BUILD,
    ArraysOption,
    BandwidthsOption,
    CfgOption,
    ImagesOption,
    JobsOption,
    LatencyOption,
    ModelOption,
    OwnSamplerOption,
    OwnSpacingOption,
    OwnStepsOption,
    SamplerOption,
    SamplersOption,
    SchedulerOption,
    SeedOption,
    SpacingOption,
    SpacingsOption,
    StepsOption,
    file_to_write,
    filled,
    folder_to_write,
    number,
    parse_array,
    parse_bandwidths,
    parse_policies,
    parse_reductions,
    parse_steps,
    parse_words,
    path_to_read,
    split_list,
)
from radit.terminal.console import console, say, say_json
from radit.terminal.interruption import at_work
from radit.terminal.messages import asked_for

BaselineOption = Annotated[
    str | None,
    typer.Option(
        metavar="radit:FIELD=VALUE..",
        help="Baseline to store, measured as it is, which saves most of the evaluations.",
        show_default="of two shapes the one that saves most at the same error",
    ),
]

TOKENS = Range(1, 300)  # of an embedded prompt

app = typer.Typer()


@app.command()
def train(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            callback=filled("use 'digits', 'moving-digits', 'fashion' or 'cifar10'"),
            help="What to train: digits, moving-digits, fashion, cifar10 or prompted-digits.",
        ),
    ] = "digits",
    steps: Annotated[
        int | None,
        number(
            "--steps",
            "Optimizer steps (count).",
            "4500 for digits, 24000 for moving-digits, 30000 for fashion, 40000 for cifar10, 16000 for prompted-digits",
            RANGES["training_steps"],
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        number(
            "--batch-size",
            "Images or clips per step (count).",
            "64 for digits, 32 for moving-digits, 32 for fashion, 128 for cifar10, 64 for prompted-digits",
        ),
    ] = None,
    seed: SeedOption = 0,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            **path_to_read("give a folder"),
            help="What to learn from. moving-digits: clips instead of the digits, GIF, APNG or MP4 files, or folders "
            "of frame images; sub-folders are labels. fashion: the four files of Fashion-MNIST, by default Debian's. "
            "cifar10: images, a sub-folder per class.",
        ),
    ] = None,
    motion: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD=VALUE:..",
            help="How moving-digits move: slowest and fastest (pixels per frame), bounce (True, or False: leave on one "
            "side and come in on the other), digits (per clip, 1 or 2).",
            show_default="slowest=0.25:fastest=1:bounce=True:digits=1",
        ),
    ] = None,
    out: Annotated[
        Path | None, file_to_write("--out", "Checkpoint to write (.safetensors).", "build/MODEL.safetensors")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted training of the same settings.")
    ] = False,
) -> int:
    """Train a float model from scratch: digits in minutes on two cores, fashion in an hour, moving-digits and
    prompted-digits in hours, or all of them in minutes on a GPU; cifar10 on a GPU.

    The shipped checkpoint of digits was made with the defaults, that of moving-digits with more clips (docs/video.md).
    """
    from radit.model.training.moving_digits import parse_motion
    from radit.model.training.train import train_model

    target, moving = out or BUILD / f"{model}.safetensors", parse_motion(motion) if motion is not None else None
    train_model(model, target, steps=steps, seed=seed, batch_size=batch_size, data=data, motion=moving, resume=resume)
    return 0


@app.command()
def embed(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to draw.")],
    pipeline: Annotated[
        Path,
        typer.Option(
            "--pipeline",
            metavar="FOLDER",
            help="Folder of a pipeline of diffusers with its T5 (PixArt, Latte).",
            **path_to_read("give the folder of a pipeline"),
        ),
    ],
    out: Annotated[Path, file_to_write("--out", "File to write (.safetensors), for --prompt.")],
    negative: Annotated[str, typer.Option("--negative", metavar="TEXT", help="What guidance leads away from.")] = "",
    tokens: Annotated[
        int, number("--tokens", "Tokens of the file: 120 for PixArt-alpha and Latte, 300 for Sigma.", limits=TOKENS)
    ] = 120,
) -> int:
    """Embed a prompt with the text encoder of a pipeline that is on this machine (the extra `text`), as a file that
    --prompt takes.
    """
    from radit.model.text.encoder import TextEncoder, write_prompt

    found = write_prompt(TextEncoder(pipeline), text, out, tokens, negative)
    say(f"wrote {out}: {found} of {tokens} tokens")
    return 0


@app.command()
def quality(
    model: ModelOption = "digits",
    samples: Annotated[
        int | None,
        number(
            "--samples",
            "Images or clips per variant: float, int8 dense, int8 skipping (count); a clip takes as long as about "
            "eight images.",
            "1000, of clips 512",
        ),
    ] = None,
    steps: OwnStepsOption = None,
    sampler: OwnSamplerOption = None,
    spacing: OwnSpacingOption = None,
    cfg: CfgOption = 1.5,
    seed: SeedOption = 0,
    force: Annotated[bool, typer.Option("--force", help="Measure again even if the stored result is current.")] = False,
    scheduler: SchedulerOption = None,
) -> int:
    """Measure the quality of images, or of clips of moving digits, on the bit-exact integer model (minutes).

    The result is stored beside the checkpoint.
    """
    from radit.model.policy.policy_file import own_sampler
    from radit.model.quality.quality_run import run_quality
    from radit.model.system.workers import chosen_workers

    chosen = own_sampler(model, steps, sampler, spacing)
    with chosen_workers(scheduler) as workers:
        found = run_quality(
            model=model, samples=samples, sampler=chosen, cfg=cfg, seed=seed, force=force, workers=workers
        )  # fmt: skip
    say_json(found)
    return 0


@app.command()
def calibrate(
    target: Annotated[
        str,
        typer.Option(
            metavar="speedup=FACTOR|error=MSE",
            help="What to reach: so many times fewer MACs with the smallest error found, or at most this error with "
            "the fewest MACs. The error is the mean squared difference to the dense int8 images of the same noise.",
        ),
    ],
    model: ModelOption = "digits",
    images: ImagesOption = 48,
    seed: Annotated[
        int,
        number("--seed", "Seed of the images (smaller ones are for evaluations).", limits=RANGES["calibration_seed"]),
    ] = 1000,
    steps: StepsOption = 50,
    sampler: SamplerOption = DDIM,
    spacing: SpacingOption = UNIFORM,
    cfg: CfgOption = 1.5,
    jobs: JobsOption = None,
    scheduler: SchedulerOption = None,
    threshold_only: Annotated[
        bool,
        typer.Option(
            "--threshold-only",
            help="Keep the ranges and the shape of the stored policy, or of --start: move its threshold.",
        ),
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="forecast|planned[:FIELD=VALUE..]",
            help="Policy to start from, what it leaves out being its defaults.",
            show_default="forecast, or with --threshold-only the stored one",
        ),
    ] = None,
    radit: BaselineOption = None,
    out: Annotated[
        Path | None, file_to_write("--out", "File to write.", "MODEL.policy.json beside the checkpoint")
    ] = None,
) -> int:
    """Find the thresholds of policy forecast, or a plan, for a model on a few seeded images (minutes).

    What is found is stored beside the checkpoint; that policy of the model then starts from it.
    """
    from radit.model.dit.sampler import Sampler
    from radit.model.policy.policy_file import policy_path
    from radit.model.system.workers import chosen_workers
    from radit.model.tuning.calibrate_run import run_calibrate
    from radit.terminal.calibration import show_calibration, told_trials

    since, way = time.perf_counter(), Sampler(steps, None, sampler, spacing)
    with chosen_workers(scheduler, jobs) as workers, told_trials() as on_point:
        stored = run_calibrate(
            model=model, target=target, images=images, seed=seed, sampler=way, cfg=cfg, workers=workers,
            out=out, threshold_only=threshold_only, start=start, radit=radit, on_point=on_point,
        )  # fmt: skip
    show_calibration(stored, out or policy_path(model), time.perf_counter() - since)
    return 0


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
