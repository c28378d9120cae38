"""Calibration: the ranges of the float model on its own trajectories, per timestep and sub-block.

The float model generates a few dozen seeded images with guidance; at every timestep of the sampler the largest
magnitudes of all values that become integers are recorded. With ``tail`` > 0 a range leaves out that share of the
values (they will clip in int8); 16-bit formats always take the maximum.

S sub-blocks in the order of their numbers (`DiTConfig.places`), X of them of kind cross, L blocks, D hidden features, M
of the MLP.
The shipped checkpoint's result is stored beside it, others' in build/calibration, with a hash of what determines it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from dataclasses import dataclass, fields, replace
from glob import escape
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from radit.model.dit.config import ATTENTION, CROSS, DiTConfig, check_guidance
from radit.model.dit.layers.block import Block
from radit.model.dit.sampler import Sampler, make_noise, predict
from radit.model.dit.sampler_names import DDIM
from radit.model.dit.transformer import DiT, with_texts
from radit.model.errors import UserError
from radit.model.system.caches import kept, read_tensors, write_tensors
from radit.model.text.cross_attention import Captions, CrossAttention
from radit.model.threads import one_thread

FORMAT_VERSION = "3"
DEFAULT_IMAGES = 40
DEFAULT_TAIL = 0.0
DEFAULT_SEED = 20_000
DEFAULT_CFG = 1.5
CACHE = Path("build") / "calibration"
MOST_GMACS = 250.0  # of a calibration that is not stored, unless one image takes more: seconds on two cores

CONSTANT_RANGES = ("branch", "cross_k", "cross_v")  # over all timesteps

log = logging.getLogger("radit")


@dataclass(frozen=True)
class Calibration:
    """Largest magnitudes in real units, float32, at `steps` timesteps.

    Fields:
        timesteps: (steps,) int64, diffusion steps, as the sampler visits them.
        act: (steps, S, D) modulated input of a sub-block, per channel.
        act_rms: (steps, S, D) its root mean square.
        q, k: (steps, L, D) queries and keys with bias, per channel.
        v, o: (steps, L, D) values before their bias, and their averages over the attended tokens, per channel.
        h: (steps, L, M) MLP features after GELU, per channel.
        u: (steps, L) before GELU (maximum).
        branch: (S, D) branch before the gate, per channel, over all timesteps.
        x: (steps,) residual stream anywhere in the network (maximum).
        digest: hash of the checkpoint and all settings.
        cross_q, cross_o: (steps, X, D) the same as q and o of cross-attention, o without the values' bias.
        cross_k, cross_v: (X, D) keys and values of the prompts before their biases, per channel, over all timesteps.
            These four are None without text.
    """

    timesteps: Tensor
    act: Tensor
    act_rms: Tensor
    q: Tensor
    k: Tensor
    v: Tensor
    o: Tensor
    h: Tensor
    u: Tensor
    branch: Tensor
    x: Tensor
    digest: str
    cross_q: Tensor | None = None
    cross_o: Tensor | None = None
    cross_k: Tensor | None = None
    cross_v: Tensor | None = None

    def ranges(self) -> dict[str, Tensor]:
        """Return the tensors by name, those of text where there are any."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "digest"}
        return {name: value for name, value in values.items() if value is not None}

    def fits(self, config: DiTConfig, steps: int) -> bool:
        """Whether the ranges are numbers of a model's shapes, 0 or more, at so many timesteps."""
        blocks, subs, hidden = config.depth, config.sub_blocks, config.hidden_size
        per_block, per_sub_block = (steps, blocks, hidden), (steps, subs, hidden)
        shapes: dict[str, tuple[int, ...]] = {"act": per_sub_block, "act_rms": per_sub_block}
        shapes |= {"branch": (subs, hidden), **dict.fromkeys("qkvo", per_block)}
        shapes |= {"h": (steps, blocks, config.mlp_hidden), "u": (steps, blocks), "x": (steps,)}
        crosses = len(config.cross_sub_blocks)
        if crosses:
            shapes |= dict.fromkeys(("cross_q", "cross_o"), (steps, crosses, hidden))
            shapes |= dict.fromkeys(("cross_k", "cross_v"), (crosses, hidden))
        elif self.cross_q is not None:
            return False
        tensors = {name: getattr(self, name) for name in shapes}
        if any(tensor is None for tensor in tensors.values()):
            return False
        return self.timesteps.shape == (steps,) and all(
            tensor.shape == shapes[name]
            and tensor.dtype == torch.float32
            and bool((tensor >= 0).all() & tensor.isfinite().all())
            for name, tensor in tensors.items()
        )


TEXT_NAMES = {"cross_q", "cross_o", "cross_k", "cross_v"}
RANGE_NAMES = {field.name for field in fields(Calibration)} - {"digest"} - TEXT_NAMES


def model_digest(dit: DiT) -> str:
    """Return the SHA-256 (hex) of a model's config and weights, whatever prompts it draws."""
    state = hashlib.sha256(json.dumps(config_facts(dit.config), sort_keys=True).encode())
    for name, tensor in sorted(dit.state_dict().items()):
        state.update(name.encode())
        state.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return state.hexdigest()


def config_facts(config: DiTConfig) -> dict[str, Any]:
    """Return a model's config by field, without the number of the prompts that it draws."""
    return config.model_dump(exclude={"num_classes"} if config.has_text else None)


def calibration_digest(dit: DiT, sampler: Sampler, cfg: float, images: int, tail: float, seed: int) -> str:
    """Return the hash (hex) of everything that determines a calibration."""
    walk, probe = sampler.start(dit.config.has_pixels), torch.linspace(-2.0, 2.0, 5)
    probe = probe.expand(1, dit.config.in_channels, 1, 5)
    places = range(len(sampler.timesteps)) if sampler.solver != DDIM else (0, len(sampler.timesteps) - 1)
    moves = [[round(value, 4) for value in walk.step(probe, probe, i).flatten().tolist()] for i in places]
    facts = [FORMAT_VERSION, model_digest(dit), sampler.timesteps, moves, cfg, images, tail, seed]
    prompts = _calibrated(dit).prompts
    facts += [prompts.digest()] if prompts is not None else []
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _calibrated(dit: DiT) -> DiT:
    """A model with the prompts that its ranges are taken from: of its own characters the same ones, else the run's."""
    return with_texts(dit) if dit.config.characters else dit


@one_thread()
@torch.no_grad()
def calibrate(
    dit: DiT,
    sampler: Sampler,
    cfg: float = DEFAULT_CFG,
    images: int = DEFAULT_IMAGES,
    tail: float = DEFAULT_TAIL,
    seed: int = DEFAULT_SEED,
) -> Calibration:
    """Return the ranges of `images` generated images, labels 0, 1, 2, .. in turn.

    Args:
        dit: float model.
        sampler: the way of the images.
        cfg: guidance scale, unitless; 1 runs the conditional context alone.
        images: generated images.
        tail: share of the values that an int8 range may leave out, 0 .. 0.1.
        seed: of the starting noise.
    """
    check_guidance(dit.config, cfg)
    dit = _calibrated(dit)
    walk = sampler.start(dit.config.has_pixels)
    y = torch.arange(images) % dit.config.num_classes
    noise = make_noise(dit.config, images, seed)
    x = noise.to(dit.pos_embed.device)
    rows: list[dict[str, Tensor]] = []

    def observed(image: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        c = dit.conditioning(t, labels)
        tokens, ranges = observe(dit, dit.embed(image), dit.block_modulation(c), tail, captions=dit.captions(labels))
        rows.append(ranges)
        return dit.final(tokens, c)

    for index, t in enumerate(sampler.timesteps):
        eps, variance = predict(observed, x, t, y.to(x.device), cfg, dit.config.null_class)
        x = walk.step(x, eps, index, variance)
    table = {name: torch.stack([row[name] for row in rows]).cpu() for name in rows[0]}
    if not all(bool(torch.isfinite(values).all()) for values in table.values()):
        raise UserError("The model's values are not finite in float32: use a model whose weights are not as large.")
    table |= {name: table[name].amax(0) for name in CONSTANT_RANGES if name in table}
    digest = calibration_digest(dit, sampler, cfg, images, tail, seed)
    return Calibration(timesteps=torch.tensor(sampler.timesteps), digest=digest, **table)


def load_or_calibrate(
    dit: DiT, checkpoint: str | Path | None, sampler: Sampler, cfg: float = DEFAULT_CFG
) -> Calibration:
    """Return the calibration stored with a checkpoint file, which covers all timesteps, where one fits the sampler.

    It may have been widened (`model/tuning/skipping_ranges.py`): its hash then goes on after a "+".
    Else one of the sampler's timesteps on as many images as `MOST_GMACS` allow: from the cache, or a fresh one. A model
    that cannot be guided is calibrated without.
    """
    cfg = cfg if dit.config.has_null_class else 1.0
    whole = calibration_digest(dit, replace(sampler, first=None), cfg, DEFAULT_IMAGES, DEFAULT_TAIL, DEFAULT_SEED)
    for path in [] if checkpoint is None else stored_calibrations(checkpoint):
        stored = load_calibration(path)
        if stored is not None and stored.digest.partition("+")[0] == whole and stored.fits(dit.config, sampler.steps):
            return stored
    count = len(sampler.timesteps)
    images = affordable_images(dit.config, count, contexts=1 if cfg == 1.0 else 2)
    digest = calibration_digest(dit, sampler, cfg, images, DEFAULT_TAIL, DEFAULT_SEED)

    def read(path: Path) -> Calibration | None:
        found = load_calibration(path)
        return found if found is not None and found.digest == digest and found.fits(dit.config, count) else None

    def make() -> Calibration:
        log.info("calibrating on %d image(s), %d timestep(s) each ...", images, count)
        return calibrate(dit, sampler, cfg, images)

    return kept(CACHE / f"{digest[:16]}.safetensors", read, make, save_calibration)


def affordable_images(config: DiTConfig, timesteps: int, contexts: int) -> int:
    """Return how many images a calibration takes: `DEFAULT_IMAGES`, fewer where they would be more than `MOST_GMACS`.

    Small models are calibrated on many images, large ones have many tokens and channels to take ranges from.
    """
    macs = sum(config.sub_block_macs()) * timesteps * contexts
    return max(1, min(DEFAULT_IMAGES, int(MOST_GMACS * 1e9 / macs)))


def stored_calibrations(checkpoint: str | Path) -> list[Path]:
    """Return where calibrations of a checkpoint file may be stored: `calibration_path`, and those of further samplers,
    ``<stem>.<sampler>.calibration.safetensors``."""
    path = calibration_path(checkpoint)
    return [path, *sorted(path.parent.glob(f"{escape(Path(checkpoint).stem)}.*.calibration.safetensors"))]


def calibration_path(checkpoint: str | Path) -> Path:
    """Return where the calibration of a checkpoint file is stored: beside it, ``<stem>.calibration.safetensors``."""
    return Path(checkpoint).with_suffix(".calibration.safetensors")


def save_calibration(path: str | Path, calibration: Calibration) -> None:
    """Write a calibration as .safetensors, its hash in the metadata entry "digest"."""
    arrays = {name: tensor.numpy() for name, tensor in calibration.ranges().items()}
    write_tensors(Path(path), arrays, {"digest": calibration.digest})


def load_calibration(path: str | Path) -> Calibration | None:
    """Return a stored calibration, or None where there is none that can be read: it can always be computed anew."""
    found = read_tensors(Path(path), sealed=False)
    if found is None or found[0].keys() not in (RANGE_NAMES, RANGE_NAMES | TEXT_NAMES):
        return None
    arrays, facts = found
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return Calibration(digest=facts.get("digest", ""), **tensors)


def observe(
    dit: DiT,
    x: Tensor,
    modulation: Tensor,
    tail: float = DEFAULT_TAIL,
    streams: Tensor | None = None,
    captions: Captions | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Run all blocks on x (N, T, D): the next x, and the ranges of one timestep.

    Args:
        modulation: of the blocks, as `DiT.block_modulation` gives it.
        tail: share of the values that an int8 range may leave out.
        streams: (S, N, T, D) residual stream that each sub-block is to see in the place of what those before it make.
        captions: what the contexts read, of a model with text.
    """
    found: dict[str, list[Tensor]] = {}
    largest = x.abs().amax()
    for s, (index, kind) in enumerate(dit.config.places):
        block, vectors = dit.blocks[index], modulation[:, index]
        x = x if streams is None else streams[s]
        act = block.input_of(kind, x, vectors)
        branch, ranges = _observed(kind, block, act, captions, tail)
        ranges |= {"act": _per_channel(act, tail), "act_rms": act.square().mean((0, 1)).sqrt()}
        ranges["branch"] = _per_channel(branch, tail)
        for name, value in ranges.items():
            found.setdefault(name, []).append(value)
        x = dit.entering(s + 1, block.add(kind, x, branch, vectors))
        largest = torch.maximum(largest, x.abs().amax())
    return x, {name: torch.stack(values) for name, values in found.items()} | {"x": largest}


def _observed(
    kind: str, block: Block, act: Tensor, captions: Captions | None, tail: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """Branch (N, T, D) of a sub-block's input (N, T, D), and ranges."""
    if kind == CROSS:
        assert captions is not None
        return _cross_attention(block.cross_attn, act, captions, tail)
    return _attention(block, act, tail) if kind == ATTENTION else _mlp(block, act, tail)


def _attention(block: Block, act: Tensor, tail: float) -> tuple[Tensor, dict[str, Tensor]]:
    """Attention branch (N, T, D) of its input (N, T, D), and ranges."""
    q, k, v = (value.transpose(1, 2).flatten(2) for value in block.attn.heads(act))
    bias = block.attn.qkv.bias[2 * act.shape[-1] :]
    heads = (value.unflatten(2, (block.attn.num_heads, -1)).transpose(1, 2) for value in (q, k, v))
    o = block.attn.average(*heads).transpose(1, 2).flatten(2)
    values = {"q": q, "k": k, "v": v - bias, "o": o - bias}
    return block.attn.proj(o), {name: _per_channel(value, tail) for name, value in values.items()}


def _cross_attention(
    cross: CrossAttention, act: Tensor, captions: Captions, tail: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-attention branch (N, T, D) of its input (N, T, D), and ranges, of keys and values those of valid tokens."""
    q, (k, v) = cross.q_linear(act), cross.keys_and_values(captions.tokens, bias=False)
    o = cross.average(q, k, v, captions.valid)
    values = {"cross_q": q, "cross_o": o, "cross_k": k[captions.valid], "cross_v": v[captions.valid]}
    bias = cross.kv_linear.bias[act.shape[-1] :]
    return cross.proj(o + bias), {name: _per_channel(value, tail) for name, value in values.items()}


def _mlp(block: Block, act: Tensor, tail: float) -> tuple[Tensor, dict[str, Tensor]]:
    """MLP branch (N, T, D) of its input (N, T, D), and ranges."""
    u = block.mlp.fc1(act)
    h = functional.gelu(u, approximate="tanh")
    return block.mlp.fc2(h), {"u": u.abs().amax(), "h": _per_channel(h, tail)}


def _per_channel(value: Tensor, tail: float) -> Tensor:
    """Range of each channel of a value (.., D): the (1 - tail) quantile of its magnitude."""
    return _upper(value.reshape(-1, value.shape[-1]).abs(), tail)


def _upper(magnitude: Tensor, tail: float) -> Tensor:
    """The largest of (n, ..) along the first axis after leaving out a share `tail` of them."""
    left_out = math.floor(magnitude.shape[0] * tail)
    if left_out == 0:
        return magnitude.amax(0)
    return magnitude.topk(left_out + 1, dim=0).values[-1]
