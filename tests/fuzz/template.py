"""The folder that every sandbox is a copy of: one good file of each kind, made by the commands themselves.

`cheapen` is for everything that runs there: fewer samples, no work on other processors, and stand-ins for what takes
long and starts other programs (a new simulator, the conversion to Verilog and VHDL, synthesis).
"""

from __future__ import annotations

import os
import shutil
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from radit.model.errors import UserError
from tests.fuzz.child import call
from tests.fuzz.sandbox import TEMPORARY, WORK, add_traps

MODEL = "tiny.safetensors"
SHIPPED = "shipped"  # links to the shipped checkpoints: what is written beside them stays in the sandbox
MAKING = (
    f"demo --model {MODEL} --array 4x4 --steps 3 --images 1 --out run",
    f"quality --model {MODEL} --samples 2 --steps 2",
    f"calibrate --model {MODEL} --target error=1 --images 1 --steps 3 --jobs 1",
    f"frontier --model {MODEL} --samples 2 --steps 3 --sampler unipc --spacing quadratic --no-history "
    "--policies fora:interval=2,radit --jobs 1 --out frontier",
    f"ablate --model {MODEL} --samples 2 --steps 4 --variants codes:gain=0 --reductions 1.1 --jobs 1 --out ablation",
    f"project --model {MODEL} --array 4x4 --steps 3 --out project",
    "explore space.toml --jobs 1 --out explored",
)
MAKING_SECONDS = 600  # of processor time: a simulator is compiled


def make_template(folder: Path) -> None:
    """Fill a folder; takes a minute, most of it for the compiler."""
    work = folder / WORK
    work.mkdir(parents=True)
    (folder / TEMPORARY).mkdir()
    for command in (_make_files, *MAKING, _interrupt_training, _interrupt_run):
        ended = call(partial(_make, command), work, folder.parent / "said", MAKING_SECONDS)
        if ended.status != 0:
            raise RuntimeError(f"{command} failed, {ended.how}:\n{ended.out}{ended.err}")
    shutil.rmtree(folder / TEMPORARY)
    (folder / TEMPORARY).mkdir()
    shutil.copytree(work / "run", work / "used")
    add_traps(work)


def _make(command: Any) -> int | None:
    from radit.cli import main

    if not isinstance(command, str):
        return command()
    cheapen(Path.cwd(), stand_ins=False)
    return main(command.split())


def _make_files() -> None:
    """Model, clips, and copies of the tables."""
    from radit.model.dit.checkpoint import CHECKPOINT_DIR, save_checkpoint
    from radit.model.dit.config import DiTConfig
    from radit.model.dit.sampler import Sampler
    from radit.model.dit.transformer import DiT
    from radit.model.integer.calibration import calibrate, calibration_path, save_calibration
    from radit.reports.area.synthesis import SHIPPED_LIBERTY
    from radit.reports.energy.energy_table import DEFAULT_TABLE
    from tests.text_encoders import make_pipeline

    torch.manual_seed(1)
    model = DiT(DiTConfig(hidden_size=16, depth=2, num_heads=1, mlp_ratio=2))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = 0.05 * torch.randn_like(parameter)
    save_checkpoint(MODEL, model)
    save_calibration(calibration_path(MODEL), calibrate(model.eval(), Sampler(2)))
    torch.save({"ema": model.state_dict()}, "tiny.pt")
    shutil.copy(DEFAULT_TABLE, "table.toml")
    Path("own.toml").write_text('base = "edge"\narray = "4x4"\nenergy_table = "table.toml"\n[memory]\nlatency = 9\n')
    shutil.copy(SHIPPED_LIBERTY, "cells.lib")
    Path("space.toml").write_text(
        f'question = "?"\nmodels = ["{MODEL}"]\nsteps = [2]\n[[machines]]\nbase = "own.toml"\nbandwidth = [8, inf]\n'
        "[policies]\nskip_rates = [0.5]\n"
    )
    make_pipeline(Path("pipeline"))
    Path("README.md").write_text("# Results\n\n<!-- results:begin -->\n<!-- results:end -->\n\nThe end.\n")
    Path(SHIPPED).mkdir()
    for path in CHECKPOINT_DIR.iterdir():
        (Path(SHIPPED) / path.name).symlink_to(path)
    _make_clips(Path("clips"))


def _make_clips(folder: Path) -> None:
    import av
    import numpy as np
    from PIL import Image

    frames = [Image.new("L", (20, 16), 10 * number) for number in range(8)]
    (folder / "frames").mkdir(parents=True)
    for number, frame in enumerate(frames):
        frame.save(folder / "frames" / f"{number}.png")
    for name in ("a.gif", "b.png", "c.webp"):
        frames[0].save(folder / name, save_all=True, append_images=frames[1:], lossless=True)
    with av.open(folder / "d.mp4", "w") as video:
        stream = video.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number in range(8):
            image = np.full((32, 32, 3), 10 * number, np.uint8)
            video.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        video.mux(stream.encode())


def _interrupt_training() -> None:
    """Leave what a training of two steps keeps while it lasts."""
    from radit.model.training import train

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    replace("radit.model.training.train", "STATE_EVERY", 1)
    replace("radit.model.training.train", "save_checkpoint", interrupted)
    try:
        train.train_model("digits", "resumed.safetensors", steps=2, batch_size=2)
    except KeyboardInterrupt:
        assert Path("resumed.training").is_file()


def _interrupt_run() -> int:
    """Leave what a run of one image under one policy keeps while it lasts."""
    from radit.cli import main

    cheapen(Path.cwd(), stand_ins=False)
    replace("radit.cosim.run_state", "SHORTEST_PAUSE", 0.0)
    replace("radit.cosim.run_state", "MOST_SHARE", 1e9)
    replace("radit.run_commands", "forget", lambda folder: None)
    status = main(f"cosim --model {MODEL} --array 4x4 --steps 2 --out interrupted".split())
    assert list(Path("interrupted/state").iterdir())
    for path in Path("interrupted").iterdir():
        if path.is_file():
            path.unlink()
    return status


def cheapen(work: Path, stand_ins: bool = True) -> None:
    """Make a process's work small. Call it in a process that is for one call only."""
    torch.set_num_threads(1)
    os.environ.update(LOKY_MAX_CPU_COUNT="1", TMPDIR=str(work.parent / TEMPORARY), COLUMNS="80", MPLBACKEND="agg")
    import tempfile

    tempfile.tempdir = None
    replace("os", "cpu_count", lambda: 1)
    replace("radit.model.quality.judge", "DigitJudge.samples", 8)
    replace("radit.model.quality.judge", "ClipJudge.samples", 4)
    replace("radit.model.dit.checkpoint", "CHECKPOINT_DIR", work / SHIPPED)
    replace("radit.model.system.cluster", "CONNECT_SECONDS", 0.2)
    if stand_ins:
        replace("radit.accel.export.export_folder", "convert", _converted)
        replace("radit.cosim.engines.verilate", "Build.run", _refused)
        replace("radit.cosim.engines.open", "_exporter", lambda: _converted)
        replace("radit.reports.area.area", "elaborate", _refused)


def _converted(config: Any, language: str, folder: Path) -> None:
    """In the place of a conversion, which takes ten seconds."""
    (folder / {"verilog": "radit_top.v", "vhdl": "radit_top.vhd"}[language]).write_text(f"-- {config}\n")


def _refused(*_: Any, **__: Any) -> None:
    """In the place of a compiler and of synthesis, which take minutes."""
    raise UserError("STAND-IN is not made here: the fuzz suite ends where another program would begin.")


def replace(module: str, name: str, value: Any) -> None:
    """Set what a module or a class of it has under a name; it is an error where it has nothing of the name."""
    owner: Any = import_module(module)
    *parts, last = name.split(".")
    for part in parts:
        owner = getattr(owner, part)
    assert hasattr(owner, last), f"{module} has no {name}"
    setattr(owner, last, value)


def warm_up() -> None:
    """Load everything that a command can need, once for all calls."""
    import pkgutil

    import distributed  # noqa: F401  # of --scheduler

    import radit

    for found in pkgutil.walk_packages(radit.__path__, "radit."):
        if not found.name.endswith("__main__"):
            import_module(found.name)
    from matplotlib import font_manager, pyplot

    pyplot.figure().text(0, 0, str(font_manager.fontManager.defaultFamily))
    pyplot.close("all")
    torch.set_num_threads(1)
    weights = torch.nn.Parameter(torch.ones(2, 2))
    (weights @ weights).sum().backward()
    torch.optim.AdamW([weights]).step()  # the first step of an optimizer loads a compiler
