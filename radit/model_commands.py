"""Commands of the command line (`radit.py`) that are about models and policies: training, prompts, quality, thresholds.

Each imports what it needs when it runs.
"""

import time
from pathlib import Path
from typing import Annotated

import typer

from radit.model.dit.sampler_names import DDIM, UNIFORM
from radit.model.ranges import RANGES, Range
from radit.options import (
    BUILD,
    CfgOption,
    ImagesOption,
    JobsOption,
    ModelOption,
    OwnSamplerOption,
    OwnSpacingOption,
    OwnStepsOption,
    SamplerOption,
    SchedulerOption,
    SeedOption,
    SpacingOption,
    StepsOption,
    file_to_write,
    filled,
    number,
    path_to_read,
)
from radit.terminal.console import say, say_json

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
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="What to draw.", callback=filled("say what is to be drawn"))
    ],
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
    negative: Annotated[
        str | None,
        typer.Option(
            "--negative",
            metavar="TEXT",
            help="What guidance leads away from.",
            show_default="an empty text",
            callback=filled("say what is not to be drawn, or leave it out"),
        ),
    ] = None,
    tokens: Annotated[
        int, number("--tokens", "Tokens of the file: 120 for PixArt-alpha and Latte, 300 for Sigma.", limits=TOKENS)
    ] = 120,
) -> int:
    """Embed a prompt with the text encoder of a pipeline that is on this machine (the extra `text`), as a file that
    --prompt takes.
    """
    from radit.model.text.encoder import TextEncoder, write_prompt

    found = write_prompt(TextEncoder(pipeline), text, out, tokens, negative or "")
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
