"""The integer DiT: int8 weights and every constant of the machine, made from a float DiT and its calibration.

Scales (real = integer * scale), c a channel, t a timestep, s a sub-block:

| value | scale | where it goes |
|---|---|---|
| modulated input a | s_a(t, s) e(s, c) | adaLN scale and shift are divided by it, weights multiplied by e |
| weight | s_w(c) per output channel | requantization multipliers |
| q, k | s_q(t, c), s_k(t, c); s_q s_k is the same for all channels | score_mult |
| v | s_w(c) kappa(t) | columns of the projection are multiplied by s_w(c), kappa goes to its multipliers |
| o | s_w(c) kappa(t) / gain(t) | the same |
| h | s_h(t) e_h(c) | multipliers after GELU, FC2 multipliers; columns of FC2 are multiplied by e_h |
| branch | s_b(s, c), constant over time | adaLN gate is multiplied by it |
| x | 2**-x_frac | gate, LayerNorm eps |

Cross-attention has no norm, gate and modulation: its input's step is put into the scale, its branch's into the gate.
Keys and values of a prompt are made by the host, in int8 of one scale for all timesteps.

| value | scale | where it goes |
|---|---|---|
| k, without its bias | s_k(s, c) | the host |
| q | g(t) / s_k(s, c) | score_mult, the same for all channels |
| v, without its bias | s_v(s, c) | columns of the projection are multiplied by it |
| o | s_v(s, c) / gain(t) | the projection's multipliers |

e and e_h equalize: the share of the tensor's range that a channel takes, so that every channel fills int8 although the
array knows one step for all. Rounding of these values, rolled anew, is most of what separates two int8 images of nearly
the same noise (docs/decisions/0009). Source of moving ranges into weights: G. Xiao et al., "SmoothQuant", 2022.

A multiplier ``m`` stands for the real ``m.mult * 2**-m.shift``, mult normalized to [2**15, 2**16).
V's bias reaches the projection's bias exactly: the weights of an average sum to 1. The bias of a prompt's keys adds the
same to all scores of a query, which the softmax takes out.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from radit.model.dit.config import ATTENTION, CROSS, MLP, DiTConfig
from radit.model.dit.config_fields import LAYER_NORM_EPS
from radit.model.dit.layers.block import Block
from radit.model.dit.sampler import Sampler
from radit.model.dit.transformer import DiT
from radit.model.errors import UserError
from radit.model.formats import (
    ACT_FRAC,
    AFTER_BITS,
    BIAS_BITS,
    GATE_BITS,
    GELU_FRAC,
    INT8_MAX,
    MOD_BITS,
    MULT_BITS,
    SCORE_FRAC,
    SHIFT_MAX,
    X_BITS,
)
from radit.model.integer.calibration import Calibration
from radit.model.integer.integer_dit import ChannelTables, IntegerDiT, SubBlock, header_fields, input_frac
from radit.model.threads import one_thread

HEADROOM = 2.0  # of every 16-bit format over its calibrated maximum
SMALLEST_SHARE = 1e-4  # a channel's range is at least this share of the largest channel's
SMALLEST_INPUT_SHARE = 2.0**-4  # the same of modulated inputs: 16-bit modulation must hold all channels
SMALLEST_HIDDEN_SHARE = 2.0**-2  # and after GELU: so must the multipliers there
LARGEST_GAIN = 127.0  # beyond it the softmax average would only magnify int8 steps
BIAS_LIMIT = 2.0 ** (BIAS_BITS - 2)
CONDITIONING_LABELS = 64  # labels whose adaLN vectors set mod_shift and gate_shift
LOG2_E = math.log2(math.e)

Header = dict[str, Tensor]  # (steps,) int64 by field name
Input = tuple[Tensor, Tensor]  # integer step (steps,) in real units and shares (D,) of a modulated input


def normalize(real: Tensor) -> tuple[Tensor, Tensor]:
    """Return (mult, shift), int64, with mult * 2**-shift next to real (any shape) > 0, mult in [2**15, 2**16).

    Reals below 2**-48 become 2**-48: their products round to 0 anyway.

    Raises:
        UserError: a real is 2**15 or larger, or not finite.
    """
    if not torch.isfinite(real).all() or (real >= 2.0 ** (MULT_BITS - 1)).any():
        raise UserError(
            f"The model needs a multiplier of {float(real.max()):.3g} between two products, and the machine's are "
            f"below {1 << (MULT_BITS - 1)}: use a model without weights that dwarf all others."
        )
    fraction, exponent = torch.frexp(real.double().clamp(min=2.0 ** (MULT_BITS - 1 - SHIFT_MAX)))
    mult = torch.floor(fraction * 2**MULT_BITS + 0.5).long()
    carry = mult == 1 << MULT_BITS
    return torch.where(carry, mult >> 1, mult), MULT_BITS - exponent.long() - carry.long()


@one_thread()
@torch.no_grad()
def quantize(dit: DiT, calibration: Calibration, sampler: Sampler) -> IntegerDiT:
    """Return the integer model at the sampler's timesteps.

    Raises:
        UserError: the calibration belongs to other timesteps, or the model needs a multiplier beyond the machine's.
    """
    timesteps = tuple(int(t) for t in sampler.timesteps)
    if tuple(calibration.timesteps.tolist()) != timesteps:
        raise UserError(
            f"Calibration covers {len(calibration.timesteps)} timesteps that are not the sampler's {len(timesteps)}: "
            f"calibrate with steps = {len(timesteps)}."
        )
    share = shares(calibration.act.double(), SMALLEST_INPUT_SHARE)
    act = _scale((calibration.act / share).amax(2))
    branch = _scale(_floored(calibration.branch))
    sub_blocks, columns = [], []
    for s, (index, kind) in enumerate(dit.config.places):
        number = dit.config.cross_sub_blocks.index(s) if kind == CROSS else index
        sub_block, header = BUILDERS[kind](
            dit.config, dit.blocks[index], calibration, number, (act[:, s], share[s]), branch[s]
        )
        sub_blocks.append(sub_block)
        columns.append(header)
    x_frac = _stream_frac(dit, calibration)
    header = _headers(header_fields(dit.config), columns, len(timesteps))
    header |= _conditioning_shifts(dit, timesteps, act, share, branch, x_frac)
    prompts = () if calibration.cross_k is None else (calibration.cross_k, calibration.cross_v)
    scales = dict(zip(("key_scale", "value_scale"), (_scale(_floored(each)) for each in prompts), strict=False))
    return IntegerDiT(
        config=dit.config,
        timesteps=timesteps,
        sampler=sampler,
        sub_blocks=tuple(sub_blocks),
        header=header,
        x_frac=x_frac,
        eps=max(1, round(dit.config.hidden_size**2 * LAYER_NORM_EPS * 4.0**x_frac)),
        act_share=share,
        act_scale=act,
        act_rms=(calibration.act_rms.double() / share).square().mean((0, 2)).sqrt(),
        branch_scale=branch,
        dit=dit,
        frame_offsets=_frame_offsets(dit, x_frac),
        **scales,
    )


def _stream_frac(dit: DiT, calibration: Calibration) -> int:
    """Fraction bits of the residual stream, and of the frame embedding that is added to it."""
    largest = float(calibration.x.max())
    largest = max(largest, float(dit.temp_embed.abs().max())) if dit.config.adds_frames_later else largest
    return math.floor(math.log2((2 ** (X_BITS - 1) - 1) / (HEADROOM * largest)))


def _frame_offsets(dit: DiT, x_frac: int) -> Tensor:
    """The frame embedding (F, D) int64, rounded half up; (0, D) where the host adds it, or there is none."""
    if not dit.config.adds_frames_later:
        return torch.zeros(0, dit.config.hidden_size, dtype=torch.int64)
    return torch.floor(dit.temp_embed[0].double().cpu() * 2.0**x_frac + 0.5).long()


def shares(ranges: Tensor, smallest: float) -> Tensor:
    """Return the largest share (.., channels), at least `smallest`, of the tensor's range that each channel takes.

    Args:
        ranges: (steps, .., channels) real.
    """
    largest = ranges.amax(-1, keepdim=True).clamp(min=1e-12)
    return (ranges / largest).amax(0).clamp(min=smallest)


def quantize_linear(weight: Tensor, bias: Tensor, scale_in: Tensor, scale_out: Tensor) -> tuple[Tensor, ChannelTables]:
    """Return int8 weights (out, in) and requantization (steps, out) of a product.

    Args:
        weight: (out, in) in units of the input's and output's real values.
        bias: (out,) real.
        scale_in: (steps,) real value of the input's integer step.
        scale_out: (out,) or (steps, out), the same of the output.
    """
    smallest = bias.abs() / (scale_in.min() * BIAS_LIMIT)
    step = torch.maximum(_weight_scale(weight), smallest)
    acc_scale = scale_in.unsqueeze(1) * step
    mult, shift = normalize(acc_scale / scale_out)
    return _to_int8(weight, step), ChannelTables(
        torch.floor(bias / acc_scale + 0.5).long(), mult, shift, torch.zeros_like(mult)
    )


def _quantize_attention(
    config: DiTConfig, block: Block, ranges: Calibration, index: int, modulated: Input, branch: Tensor
) -> tuple[SubBlock, Header]:
    """Attention of block `index`; branch (D,) are integer steps in real units."""
    act, share = modulated
    wq, wk, wv = (block.attn.qkv.weight.double() * share).chunk(3)
    bq, bk, bv = block.attn.qkv.bias.double().chunk(3)
    scale_q, scale_k = _balanced(ranges.q[:, index].double(), ranges.k[:, index].double())
    step_v = _weight_scale(wv)
    kappa = (ranges.v[:, index].double() / step_v).amax(1) / INT8_MAX
    reach = (ranges.o[:, index].double() / step_v).amax(1) / kappa
    gain = (INT8_MAX / reach).clamp(1.0, LARGEST_GAIN)
    wo = block.attn.proj.weight.double()
    q, tables_q = quantize_linear(wq, bq, act, scale_q)
    k, tables_k = quantize_linear(wk, bk, act, scale_k)
    o, tables_o = quantize_linear(wo * step_v, wo @ bv + block.attn.proj.bias.double(), kappa / gain, branch)
    score = (scale_q * scale_k)[:, 0] * LOG2_E / math.sqrt(config.head_dim) * 2**SCORE_FRAC
    header: Header = {}
    header["score_mult"], header["score_shift"] = normalize(score)
    header["v_mult"], header["v_shift"] = normalize(act / kappa)
    header["gain"], header["gain_shift"] = normalize(gain)
    weights = {"q": q, "k": k, "v": _to_int8(wv, step_v), "o": o}
    return SubBlock(ATTENTION, weights, {"q": tables_q, "k": tables_k, "o": tables_o}), header


def _quantize_cross(
    config: DiTConfig, block: Block, ranges: Calibration, index: int, plain: Input, branch: Tensor
) -> tuple[SubBlock, Header]:
    """Cross-attention number `index` of its kind; branch (D,) are integer steps in real units."""
    assert ranges.cross_q is not None and ranges.cross_o is not None  # fits() has seen them
    assert ranges.cross_k is not None and ranges.cross_v is not None
    (act, share), cross = plain, block.cross_attn
    scale_k, scale_v = (_scale(_floored(each[index])) for each in (ranges.cross_k, ranges.cross_v))
    score = _scale((_floored(ranges.cross_q[:, index].double()) * scale_k).amax(1))
    reach = (ranges.cross_o[:, index].double() / scale_v).amax(1)
    gain = (INT8_MAX / reach).clamp(1.0, LARGEST_GAIN)
    bias_v, wo = cross.kv_linear.bias.double()[config.hidden_size :], cross.proj.weight.double()
    weight_q = cross.q_linear.weight.double() * share
    q, tables_q = quantize_linear(weight_q, cross.q_linear.bias.double(), act, score.unsqueeze(1) / scale_k)
    o, tables_o = quantize_linear(wo * scale_v, wo @ bias_v + cross.proj.bias.double(), 1.0 / gain, branch)
    header: Header = {"bypass": torch.ones_like(act, dtype=torch.int64)}
    units = LOG2_E / math.sqrt(config.head_dim) * 2**SCORE_FRAC
    header["score_mult"], header["score_shift"] = normalize(score * units)
    header["gain"], header["gain_shift"] = normalize(gain)
    return SubBlock(CROSS, {"q": q, "o": o}, {"q": tables_q, "o": tables_o}), header


def _quantize_mlp(
    config: DiTConfig, block: Block, ranges: Calibration, index: int, modulated: Input, branch: Tensor
) -> tuple[SubBlock, Header]:
    """MLP of block `index`; branch (D,) are integer steps in real units."""
    act, share = modulated
    largest = ranges.h[:, index].double()
    equal = shares(largest, SMALLEST_HIDDEN_SHARE)
    hidden = _scale((largest / equal).amax(1))
    wide = torch.full((config.mlp_hidden,), 2.0**-GELU_FRAC, dtype=torch.float64, device=act.device)
    fc1, tables_1 = quantize_linear(block.mlp.fc1.weight.double() * share, block.mlp.fc1.bias.double(), act, wide)
    fc2, tables_2 = quantize_linear(block.mlp.fc2.weight.double() * equal, block.mlp.fc2.bias.double(), hidden, branch)
    after, shift = _after_gelu(2.0**-GELU_FRAC / (hidden.unsqueeze(1) * equal))
    tables = {"fc1": replace(tables_1, after=after), "fc2": tables_2}
    return SubBlock(MLP, {"fc1": fc1, "fc2": fc2}, tables), {"h_shift": shift}


def _after_gelu(real: Tensor) -> tuple[Tensor, Tensor]:
    """Multipliers (steps, M) of `AFTER_BITS` and shift (steps,) next to real (steps, M) > 0."""
    most = (1 << AFTER_BITS) - 1
    shift = torch.floor(torch.log2(most / real.amax(1))).long().clamp(1, SHIFT_MAX)
    scaled = torch.ldexp(real, shift.unsqueeze(1))
    return torch.floor(scaled + 0.5).long().clamp(1, most), shift


def _balanced(q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """Integer steps of queries and keys, (steps, D) each, of their ranges: every channel's product of steps is the
    same, so that scores need one multiplier, and both sides of a channel fill the same share of int8."""
    q, k = _floored(q), _floored(k)
    largest = (q * k).amax(1, keepdim=True).sqrt()
    ratio = (q / k).sqrt()
    return largest * ratio / INT8_MAX, largest / ratio / INT8_MAX


def _scale(largest: Tensor) -> Tensor:
    """Integer step, float64, of an int8 range."""
    return largest.double().clamp(min=1e-12) / INT8_MAX


def _weight_scale(weight: Tensor) -> Tensor:
    """Integer step (out,) of each output channel's weights (out, in); an empty channel gets a small one."""
    largest = torch.maximum(weight.amax(1), -weight.amin(1))
    return _scale(torch.maximum(largest, SMALLEST_SHARE * largest.max()))


def _floored(ranges: Tensor) -> Tensor:
    """Ranges (.., channels), none below a share of the largest: a channel that never moves gets a usable step."""
    return torch.maximum(ranges, SMALLEST_SHARE * ranges.amax(-1, keepdim=True)).clamp(min=1e-12)


def _to_int8(weight: Tensor, step: Tensor) -> Tensor:
    """Weights (out, in) in steps (out,), rounded half up."""
    return torch.div(weight, step.unsqueeze(1)).add_(0.5).floor_().clamp_(-INT8_MAX, INT8_MAX).to(torch.int8)


def _headers(names: tuple[str, ...], columns: list[Header], steps: int) -> Header:
    """The sub-blocks' own header fields, (steps, S) each."""
    zero = torch.zeros(steps, dtype=torch.int64)
    return {name: torch.stack([column.get(name, zero).cpu() for column in columns], 1) for name in names}


def _conditioning_shifts(
    dit: DiT, timesteps: tuple[int, ...], act: Tensor, share: Tensor, branch: Tensor, x_frac: int
) -> Header:
    """mod_shift and gate_shift (steps, S): the adaLN vectors of a sample of the labels fill 16 bit less headroom."""
    labels, config = _sampled_labels(dit.config), dit.config
    t = torch.tensor(timesteps, device=dit.pos_embed.device)
    c = torch.cat([dit.conditioning(t, torch.full_like(t, label)) for label in labels])
    scales, gates = [], []
    for index, block in enumerate(dit.blocks):
        own = slice(config.first_sub_block(index), config.first_sub_block(index + 1))
        vectors = block.vectors(dit.modulation(c, index)).unflatten(0, (len(labels), len(t))).double()
        _, scale, gate = vectors.unbind(3)  # (labels, steps, K, D) each, of the block's K sub-blocks
        scales.append(((1.0 + scale) / share[own]).abs().amax((0, 3)))
        gates.append((gate * branch[own]).abs().amax((0, 3)))
    unit = torch.exp2((ACT_FRAC - input_frac(config, x_frac)).double()).to(act.device)
    modulation = torch.cat(scales, 1).cpu() / act * unit
    lift = torch.cat(gates, 1).cpu() * 2.0**x_frac
    return {"mod_shift": _left_shift(modulation, MOD_BITS), "gate_shift": _left_shift(lift, GATE_BITS)}


def _sampled_labels(config: DiTConfig) -> list[int]:
    """Labels whose adaLN vectors are looked at; with text they are the same for all."""
    if config.has_text:
        return [0]
    null = [config.null_class] if config.has_null_class else []
    return [*range(min(config.num_classes, CONDITIONING_LABELS)), *null]


def _left_shift(largest: Tensor, bits: int) -> Tensor:
    """Fraction bits, 1 .. 63, that a two's-complement format of `bits` has left for values up to `largest`."""
    room = (2 ** (bits - 1) - 1) / (HEADROOM * largest.clamp(min=1e-12))
    return torch.floor(torch.log2(room)).long().clamp(1, SHIFT_MAX)


BUILDERS = {ATTENTION: _quantize_attention, CROSS: _quantize_cross, MLP: _quantize_mlp}
