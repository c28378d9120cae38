"""The integer DiT: every constant of the machine for one model and one sampler, and the host's conditioning.

How the constants are made: `model/integer/quantize.py`. What the machine does with them: `model/integer/reference.py`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

import torch
from torch import Tensor

from radit.model.dit.config import CROSS, DiTConfig
from radit.model.dit.sampler import Sampler
from radit.model.dit.transformer import DiT
from radit.model.formats import ACT_FRAC, GATE_BITS, INT8_MAX, LN_FRAC, MOD_BITS
from radit.model.integer.calibration import config_facts, model_digest
from radit.model.text.cross_attention import Captions
from radit.model.threads import one_thread

HEADER_FIELDS = (
    "gate_shift",
    "mod_shift",
    "score_mult",
    "score_shift",
    "v_mult",
    "v_shift",
    "gain",
    "gain_shift",
    "h_shift",
)
TEXT_HEADER_FIELDS = ("bypass",)  # beside them, of a model with text


def header_fields(config: DiTConfig) -> tuple[str, ...]:
    """Return the names of a model's header fields."""
    return (*HEADER_FIELDS, *TEXT_HEADER_FIELDS) if config.has_text else HEADER_FIELDS


@dataclass(frozen=True)
class ChannelTables:
    """Requantization of one product: bias, mult and shift, each (steps, channels) int64; after, the same, multiplies
    what GELU gives (0: no GELU)."""

    bias: Tensor
    mult: Tensor
    shift: Tensor
    after: Tensor


@dataclass(frozen=True)
class SubBlock:
    """One sub-block.

    Fields:
        kind: "attention", "cross" or "mlp".
        weights: int8 (outputs, inputs) by name: q, k, v, o, of cross q, o, or fc1, fc2.
        tables: requantization by the same names; v has none (header fields v_mult, v_shift).
    """

    kind: str
    weights: dict[str, Tensor]
    tables: dict[str, ChannelTables]


@dataclass(frozen=True)
class PromptWords:
    """Keys and values of the prompts of N images, made once per image. X sub-blocks of kind cross, n text tokens.

    Fields:
        k, v: (N, contexts, X, n, D) int8, in the order of the sub-blocks' numbers, 0 behind a context's last token.
        counts: (N, contexts) int64, valid tokens, 1 .. n; the first ones are.
    """

    k: Tensor
    v: Tensor
    counts: Tensor


@dataclass(frozen=True)
class Conditioning:
    """What the host prepares for N images: all timesteps in one batch. S sub-blocks.

    Fields:
        c: (N, contexts, steps, D) float32, for the final layer.
        scale, shift: (N, contexts, steps, S, D) int64, modulation of the input of sub-block s.
        gate: (N, contexts, steps, S, D) int64, gate of the branch of sub-block s (used in the pass of s + 1).
        saturated: values that did not fit 16 bit.
        prompts: keys and values of a model with text, else None.
    """

    c: Tensor
    scale: Tensor
    shift: Tensor
    gate: Tensor
    saturated: int
    prompts: PromptWords | None = None


@dataclass(frozen=True)
class IntegerDiT:
    """Bit-exact constants of one model at the timesteps of one sampler.

    Fields:
        config: dimensions.
        timesteps: diffusion steps in the order of the run, the sampler's first ones.
        sampler: the way that they are on.
        sub_blocks: S sub-blocks.
        header: (steps, S) int64 by the names of `header_fields`; 0 where a kind has no use for it. gate_shift[s]
            belongs to the branch of s.
        x_frac: fraction bits of the residual stream.
        eps: LayerNorm epsilon, D**2 * 1e-6 * 4**x_frac, at least 1.
        act_share: (S, D) float64, what every channel of the modulated input is divided by to fill the same int8 range.
        act_scale: (steps, S) float64, the int8 step of the modulated input so equalized, in real units.
        act_rms: (S,) float64, root mean square of the equalized modulated input over all timesteps, real units.
        branch_scale: (S, D) float64, the int8 step of a branch.
        dit: the float model, which runs on the host (conditioning, embedding, final layer).
        key_scale, value_scale: (X, D) float64, the int8 steps of a prompt's keys and values, in real units, without
            their biases; X = 0 without text.
        frame_offsets: (F, D) int64, what the pass before sub-block `config.frames_before` adds to the tokens of each
            frame, with `x_frac` fraction bits; F = 0 where no pass does.
    """

    config: DiTConfig
    timesteps: tuple[int, ...]
    sampler: Sampler
    sub_blocks: tuple[SubBlock, ...]
    header: dict[str, Tensor]
    x_frac: int
    eps: int
    act_share: Tensor
    act_scale: Tensor
    act_rms: Tensor
    branch_scale: Tensor
    dit: DiT = field(repr=False, compare=False)
    key_scale: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.float64))
    value_scale: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.float64))
    frame_offsets: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.int64))

    @property
    def sampler_steps(self) -> int:
        """Timesteps of the sampler's whole way."""
        return self.sampler.steps

    @property
    def steps(self) -> int:
        """Timesteps that the constants cover."""
        return len(self.timesteps)

    def input_step(self, index: int, s: int) -> Tensor:
        """Return the int8 step (D,) float64 of every channel of the modulated input of s at timestep `index`."""
        return self.act_scale[index, s] * self.act_share[s]

    def token_offsets(self, tokens: int) -> Tensor | None:
        """Return the frame embedding (T, D) float64 of every token, 0 in those from the model's on; None: no pass adds
        it.

        Args:
            tokens: T, at least the model's.
        """
        if not len(self.frame_offsets):
            return None
        each = self.frame_offsets.double().repeat_interleave(self.config.frame_tokens, 0)
        return torch.nn.functional.pad(each, (0, 0, 0, tokens - len(each)))

    @one_thread()
    @torch.no_grad()
    def conditioning_tables(self, y: Tensor, guidance: bool = True) -> Conditioning:
        """Return the conditioning of labels y (N,); contexts are (label, null class), or (label) without guidance.

        Each label is computed alone, so that an image's tables do not depend on its batch.
        """
        labels = contexts_of(y, self.config.null_class, guidance)
        prompts = self.prompt_words(labels) if self.config.has_text else None
        if prompts is not None:
            labels = torch.zeros_like(labels)  # adaLN is that of the timestep alone
        distinct, where = torch.unique(labels, return_inverse=True)
        c, vectors = adaln_vectors(self.dit, self.timesteps, distinct)
        tables, saturated = [], 0
        for value, bits in zip(self._integer_vectors(vectors), (MOD_BITS, MOD_BITS, GATE_BITS), strict=True):
            limit = 1 << (bits - 1)
            whole = torch.floor(value + 0.5)
            saturated += int(((whole < -limit) | (whole >= limit)).sum())
            tables.append(whole.clamp(-limit, limit - 1).long()[where])
        scale, shift, gate = tables
        return Conditioning(c[where], scale, shift, gate, saturated, prompts)

    @one_thread()
    @torch.no_grad()
    def prompt_words(self, labels: Tensor) -> PromptWords:
        """Return keys and values of contexts whose labels (N, contexts) are numbers of prompts; each computed alone."""
        distinct, where = torch.unique(labels, return_inverse=True)
        rows = []
        for label in distinct:
            captions = self.dit.captions(label.reshape(1))
            assert captions is not None
            rows.append(
                torch.stack([self._whole_words(s, x, captions) for x, s in enumerate(self.config.cross_sub_blocks)])
            )
        k, v = torch.stack(rows)[where].unbind(3)
        assert self.dit.prompts is not None
        return PromptWords(k, v, self.dit.prompts.counts[labels])

    def _whole_words(self, s: int, x: int, captions: Captions) -> Tensor:
        """Keys and values (2, n, D) int8 of one context at sub-block s, the x-th of its kind."""
        block = self.dit.blocks[self.config.places[s][0]]
        real = torch.stack(block.cross_attn.keys_and_values(captions.tokens, bias=False))[:, 0].double()
        steps = torch.stack([self.key_scale[x], self.value_scale[x]]).unsqueeze(1).to(real.device)
        whole = torch.floor(real / steps + 0.5).clamp_(-INT8_MAX, INT8_MAX) * captions.valid[0].unsqueeze(1)
        return whole.to(torch.int8).cpu()

    def _integer_vectors(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scale, shift and gate (labels, steps, S, D) in integer units, not yet rounded, of adaLN vectors."""
        shift, scale, gate = vectors.unbind(3)
        step = self.act_scale.unsqueeze(-1) * self.act_share
        frac = input_frac(self.config, self.x_frac)
        power = torch.exp2((self.header["mod_shift"] + ACT_FRAC - frac).double()).unsqueeze(-1)
        lift = torch.exp2((self.header["gate_shift"] + self.x_frac).double()).unsqueeze(-1)
        return (1.0 + scale) / step * power, shift / step * 2**ACT_FRAC, gate * self.branch_scale * lift

    def digest(self) -> str:
        """Return the SHA-256 (hex) of everything that an image depends on but its noise and its label."""
        found, prompts = self.quantization_digest(), self.dit.prompts
        return found if prompts is None else hashlib.sha256(f"{found} {prompts.digest()}".encode()).hexdigest()

    def quantization_digest(self) -> str:
        """Return the SHA-256 (hex) of every constant and of the float model behind it, whatever prompts it draws."""
        facts = [self.timesteps, self.sampler_steps, self.x_frac, self.eps]
        facts += [] if self.sampler.is_ddim else [self.sampler.solver, self.sampler.spacing]
        facts += [config_facts(self.config), model_digest(self.dit)]
        state = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        tensors = [self.header[name] for name in header_fields(self.config)]
        tensors += [self.key_scale, self.value_scale] if self.config.has_text else []
        tensors += [self.frame_offsets] if self.config.adds_frames_later else []
        tensors += [self.act_share, self.act_scale, self.act_rms, self.branch_scale]
        for sub_block in self.sub_blocks:
            tensors += sub_block.weights.values()
            for table in sub_block.tables.values():
                tensors += [table.bias, table.mult, table.shift, table.after]
        for tensor in tensors:
            state.update(tensor.cpu().contiguous().numpy().tobytes())
        return state.hexdigest()


def contexts_of(y: Tensor, null_class: int, guidance: bool) -> Tensor:
    """Return the labels (N, contexts) of contexts (label, null class), or (label) without guidance, of labels (N,)."""
    return torch.stack([y, torch.full_like(y, null_class)], 1) if guidance else y.unsqueeze(1)


def input_frac(config: DiTConfig, x_frac: int) -> Tensor:
    """Return the fraction bits (S,) int64 of what is modulated: LayerNorm's, or `x_frac` where x goes in as it is."""
    return torch.tensor([x_frac if kind == CROSS else LN_FRAC for kind in config.kinds])


@one_thread()
@torch.no_grad()
def adaln_vectors(dit: DiT, timesteps: tuple[int, ...], labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return c (labels, steps, D) float32 and the adaLN vectors (labels, steps, S, 3, D) float64.

    The three vectors of a sub-block are shift, scale and gate.
    """
    device = dit.pos_embed.device
    t = torch.tensor(timesteps, device=device)
    cs, vectors = [], []
    for label in labels.tolist():
        c = dit.conditioning(t, torch.full_like(t, label))
        cs.append(c)
        vectors.append(dit.vectors(dit.block_modulation(c)).double())
    return torch.stack(cs), torch.stack(vectors)
