"""Values for options: good and cheap ones, and hostile ones, by what the option is."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from radit.model.dit.sampler_names import SOLVERS, SPACINGS

LONG = "9" * 5000
STRANGE = (
    "", " ", "-", "--", "-1", "[/red]", "[red]x[/red]", "\x1b[31mred\x1b[0m", "a\0b", "\udcff", "new\nline", "tab\t",
    "\u202eabc", "\u0663", "%s%n", "{0}", "$(touch x)", "`touch x`", "None", "True", "*", "~", "\\", "'", '"',
    "a" * 5000,
)  # fmt: skip

INTS = (
    "-1", "0", "-0", "+3", "1.5", "1e3", "nan", "inf", "1_0", "0x10", "\u0661\u0662", "\uff11", " 3", "3 ", "1\n",
    str(2**31), str(2**32), str(2**63), str(10**24), LONG, f"-{LONG}",
)  # fmt: skip
REALS = (
    "nan", "-nan", "inf", "-inf", "infinity", "0", "-0.0", "-1", "1e400", "-1e400", "1e308", "5e-324", "1e-320", "1,5",
    "1_0.5", "0x1p3", "\u0663.\u0665", "1e", ".", "1.5.2", LONG, f"0.{LONG}",
)  # fmt: skip

DEEP = "/".join(["d"] * 3000)
PATHS_TO_WRITE = (
    "full", "full/x", "pipe", "socket", "file", "file/x", "file/x/y", "loop", "loop/x", "dangling", "dangling/x",
    "closed", "closed/x", "/sys/none", "/proc/none/x", "a" * 255, "a" * 256, "a" * 300, f"d/{'a' * 5000}", DEEP,
    ".", "..", "./", "out/", "out/.", "out/../out", "out//x", "used", "run", "sp ace/\u00f6", "~/x", "con", "nul",
    "empty", "run/images", "run/summary.json", "build", "used/summary.json/x", "out/a\0b", "out/\udcff", "out/[/red]",
    "out/[bold]x", "out/\x1b[31m", "out/new\nline", "out/%s", "-out", "--out", "'", '"', "a\\b", "\u202eout",
)  # fmt: skip
PATHS_TO_READ = (
    "nothing", "full", "pipe", "socket", "file", "file/x", "loop", "dangling", "closed/x", "/proc/self/mem", ".", "..",
    "", "empty", "run", "run/summary.json", "run/arrays.npz", "a" * 300, DEEP, "a" * 5000, "a\0b", "\udcff", "[/red]",
    "[red]x", "\x1b[31m", "new\nline", "~", "-", "clips/a.gif", "clips/d.mp4", "build", "table.toml", "cells.lib",
)  # fmt: skip
MODELS = (
    "pipe.safetensors", "empty.safetensors", "folder.safetensors", "full.safetensors", "nothing.safetensors",
    "pipe.pt", "empty.pt", "folder.pt", "a\0b.safetensors", "\udcff.safetensors", "[/red].safetensors",
    f"{'a' * 5000}.safetensors", f"{'a' * 5000}", f"{DEEP}.pt", "loop.safetensors", "tiny.pt", "./tiny.safetensors",
    "tiny", "tiny.safetensors/", "DIGITS", "digits ", "dit-xl-3", "table.toml", "run", "clips/a.gif", "",
    "tiny.policy.json", "\x1b[31m.pt", "new\nline.pt", "/sys/none.safetensors", "/proc/self/mem",
)  # fmt: skip
ARRAYS = (
    "0x0", "0x4", "4x0", "4", "x", "4x", "x4", "4X4", "4x4x4", "-4x4", "3x4", "4x5", "1x1", "2x2", "256x256", "4x256",
    f"4x{LONG}", "1e1x4", "\u0664x\u0664", "4x4 ", " 4x4", "+4x4", "04x4", "4.0x4", "4x4,4x4", "4x4,,4x4",
    "4\u00d74", "infx4", "4x4x1", "4x4x3", "4x4x2x2", "4x4x",
)  # fmt: skip
FIELDS = (
    "threshold", "schedule", "start", "end", "streak_step", "tight", "loose", "max_streak", "first_dense", "last_dense",
    "small", "large", "gain", "reach", "scope", "name", "self", "", "[/red]", "interval",
    "projections", "order", "tokens", "share", "bits",
)  # fmt: skip
SETTINGS = (
    *REALS, *INTS, "1e16", "1e-300", "0.5", "1", "63", "64", "1000", "True", "stream", "timestep", "all", "None", "",
    "linear", "cosine", "1/2/3", "1/2/", "/", "nan/nan", "1/inf", "/".join(["1"] * 20000), "[/red]", "\x1b[31m", "a\0b",
)  # fmt: skip
NAMES = {
    "policy": ("dense", "radit", "forecast"),
    "policies": (
        "fora", "taylorseer", "smoothcache", "fbcache", "dbcache", "dbprune", "bwcache", "teacache", "magcache",
        "radit", "forecast",
        "sketch", "codes", "dense", "l1", "pooled", "path", "miss", "static",
    ),
    "variants": ("codes", "l1", "pooled", "sketch", "path", "miss", "static", "of codes", "all", "radit"),
    "start": ("forecast", "radit"),
    "radit": ("radit", "forecast"),
}  # fmt: skip
TEXTS = (
    ",", ":", "=", "radit:", "radit:=", "radit:threshold", "radit:threshold=", "radit,radit", "RADIT", "radit::",
    "dense:threshold=1", "radit:threshold=0.3:threshold=0.4", "radit:threshold=0.3:", "all,all", "radit=1",
    "radit:" * 2000, "none", "dense,", ",dense",
)  # fmt: skip
TARGETS = (
    "speedup", "speedup=", "speedup=nan", "speedup=inf", "speedup=0", "speedup=1", "speedup=0.5", "speedup=1e300",
    "speedup=1e16", "speedup=-2", "error=-1", "error=0", "error=1e-320", "error=nan", "error=inf", "error=1e308",
    "x=1", "speedup=2=3", "=", "=3", "speedup=2,error=1", "SPEEDUP=2", f"speedup={LONG}", "speedup=\u0662", "error=1_0",
    "speedup=1.2", "error=10",
)  # fmt: skip
MOTIONS = (
    "slowest=1:fastest=0", "slowest=-1", "slowest=nan", "fastest=inf", "fastest=1e300", "fastest=1000", "bounce=maybe",
    "bounce=1", "digits=0", "digits=3", "digits=1.5", f"digits={10**24}", "self=1", "slowest", ":", "slowest=0.25:",
    "slowest=1:slowest=2", "fastest=0", "slowest=0:fastest=0", "slowest=1e-320", "digits=2", "bounce=False",
)  # fmt: skip
ENGINES = ("verilator", "verilator,verilator", "spice", ",", "verilator,", "Verilator", "icarus", "verilator-3", "all")
LISTS = {
    "steps-list": ("3,2", "2,,3", "0", "-1", "1001", "1.5", "2;3", ",", "3,3", str(10**24), "\u0662", "1_0", LONG,
    "3 ,2"),
    "labels": ("3,2", "2,,3", "-1", "9999", "1.5", "2;3", ",", "3,3", str(10**24), "\u0662", "1_0", LONG, "3 ,2", "1"),
    "bandwidths": ("0", "-1", "nan", "inf", "32,,64", "32,64", ",", "1e9", "0.001", "infinity", LONG, "\u0662", "1_0",
    "32 ,8"),
    "reductions": ("1", "0", "-2", "nan", "inf", "6.1", "1e1", "2,", "\u0662.5", "1.05,1.1", LONG, ".5", "2..5",
    "1.0000001"),
}  # fmt: skip
MACHINES = ("Edge", "edge.toml", "pipe.toml", "empty.toml", "folder.toml", "table.toml", "huge", "edge ")
TABLES = ("default", "Default", "pipe.toml", "empty.toml", "folder.toml", "table.toml", "default.toml", "none")

SCHEDULERS = (  # none of which answers
    "localhost:1",
    "tcp://127.0.0.1:1",
    "tcp://127.0.0.1:65535",
    "tcp://127.0.0.1:0",
    "tcp://:8786",
    "tcp://a:b",
    "8786",
    "http://127.0.0.1:1",
    "inproc://1/2/3",
    "tcp://[::1]:1",
    "tcp://[::1",
    "file",
    "tcp://127.0.0.1:1/x",
    f"tcp://127.0.0.1:{LONG}",
    f"{LONG}:1",
    "none.invalid:1",
    "[/red]:1",
    "\x1b[31m:1",
    "a\0b:1",
)
ROLES: Mapping[str, Sequence[str]] = {
    "int": INTS,
    "float": REALS,
    "choice": ("", "None", "VERILATOR", "verilog,vhdl", "both ", "[/red]"),
    "write": PATHS_TO_WRITE,
    "read": PATHS_TO_READ,
    "model": MODELS,
    "models": (*MODELS, "tiny.safetensors,", ",", "tiny.safetensors,tiny.safetensors", "tiny.safetensors,tiny.pt"),
    "array": ARRAYS,
    "arrays": ARRAYS,
    "policy": TEXTS,
    "policies": TEXTS,
    "variants": TEXTS,
    "start": TEXTS,
    "radit": TEXTS,
    "target": TARGETS,
    "motion": MOTIONS,
    "text": STRANGE,
    "engines": ENGINES,
    "table": (*TABLES, *PATHS_TO_READ),
    "machine": (*MACHINES, *PATHS_TO_READ),
    "space": (*MACHINES, *PATHS_TO_READ),
    "sampler": (*SOLVERS, "DDIM", "ddim,heun", "dpm", "euler ", "unipc:order=2"),
    "spacing": (*SPACINGS, "Uniform", "log", "log-snr,uniform", "quadratic "),
    "scheduler": SCHEDULERS,
    "recipe": ("digits", "moving-digits", "cats", "Digits", "digits ", "tiny.safetensors", "dit-xl-2"),
    **LISTS,
}
SUFFIXES = {
    "train.out": ".safetensors",
    "embed.out": ".safetensors",
    "calibrate.out": ".json",
}  # of files to write: half of the paths get one


def hostile(role: str, rng: random.Random) -> str:
    """A value that an option of a role should refuse, or take and do what it says."""
    if rng.random() < 0.12:
        return rng.choice(STRANGE)
    if role in NAMES and rng.random() < 0.7:
        return _settings(role, rng)
    return rng.choice(ROLES[role])


def _settings(role: str, rng: random.Random) -> str:
    """A policy with settings, or several."""

    def one() -> str:
        fields = [f"{rng.choice(FIELDS)}={rng.choice(SETTINGS)}" for _ in range(rng.choice((1, 1, 1, 2, 3)))]
        return ":".join([rng.choice(NAMES[role]), *fields])

    several = role in ("policy", "policies", "variants") and rng.random() < 0.2
    return ",".join(one() for _ in range(2 if several else 1))
