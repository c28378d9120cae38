"""Diffusion transformer (DiT) in float32, with adaLN-Zero conditioning, for images and for clips.

Parameter names, shapes and arithmetic are those of the published DiT, so that its state dict loads unchanged.
Source: W. Peebles, S. Xie, "Scalable Diffusion Models with Transformers", 2023, section 3.

A model of several frames is a Latte: blocks attend within a frame and over time in turn, and `temp_embed` encodes the
frame. Source: X. Ma et al., "Latte: Latent Diffusion Transformer for Video Generation", 2024, variant 1; its names and
shapes as published. `temp_embed` is added to the tokens beside `pos_embed`, by the host, or with `frame_embedding`
"first-block" to the stream after the first spatial block, as published, by the accelerator.

A model with text is a PixArt: one adaLN of the timestep for all blocks, to which each adds a table of its own, and
cross-attention between attention and MLP, without norm and gate. Source: J. Chen et al., "PixArt-alpha", 2023, section
2.3; its names and shapes as published. Its labels are numbers of prompts (`DiT.prompts`).

A model with embedders of its own in every block is diffusers' `DiTTransformer2DModel`: its c is (N, L, D), one for each
block, wherever a shared one is (N, D).

Shapes: N images or clips, T tokens, D hidden features, C input channels, H = W = input size, P patch size, L blocks,
F frames. A clip is (N, F, C, H, W) where an image is (N, C, H, W); its token (f, p) is number f * T / F + p.
The split methods are the boundary between host and accelerator: the host calls `embed`, `conditioning`,
`block_modulation` and `final`; the accelerator runs the blocks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from radit.model.dit.config import CHOSEN_TEXTS, DiTConfig
from radit.model.dit.groups import attention_groups
from radit.model.dit.layers.block import Block, FinalLayer
from radit.model.dit.layers.embedders import (
    LabelEmbedder,
    PatchEmbedder,
    SizeEmbedder,
    TimestepEmbedder,
    frame_embedding,
    position_embedding,
)
from radit.model.dit.shapes import MODULATIONS
from radit.model.errors import UserError
from radit.model.text.characters import chosen_texts, spelled
from radit.model.text.cross_attention import CaptionEmbedder, Captions, CrossAttention
from radit.model.text.prompts import Prompts

LATENT_SIDE = 8  # pixels per row and column of a latent image, for size conditioning


class DiT(nn.Module):
    """Diffusion transformer: image (N, C, H, W), timesteps (N,), labels (N,) -> (N, Cout, H, W), float32.

    A clip (N, F, C, H, W) instead where the config has several frames, and then -> (N, F, Cout, H, W).

    Timesteps are in diffusion steps (0 .. 999, the original chain also when sampling is respaced).
    A fresh model has the published initialization (adaLN-Zero), so that it predicts zero.

    Attributes:
        prompts: what labels number, of a model with text; seeded ones until others are set (`with_prompts`).
    """

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        self.x_embedder = PatchEmbedder(config)
        self.prompts: Prompts | None = None
        if config.has_text:
            self._make_text()
        elif not config.has_own_embedders:
            self.t_embedder, self.y_embedder = TimestepEmbedder(config), LabelEmbedder(config)
        positions = position_embedding(config.hidden_size, *config.grid, config.position_scale)
        self.pos_embed = nn.Parameter(positions, requires_grad=False)
        if config.frames > 1:
            self.temp_embed = nn.Parameter(frame_embedding(config.hidden_size, config.frames), requires_grad=False)
        groups = attention_groups(config) if config.alternates else (None, None)
        self.blocks = nn.ModuleList(Block(config, groups[index % 2], index) for index in range(config.depth))
        self.final_layer = FinalLayer(config)
        self._initialize()

    def _make_text(self) -> None:
        """What a model with text has once."""
        config, width = self.config, self.config.hidden_size
        self.t_embedder = TimestepEmbedder(config)
        self.t_block = nn.Sequential(nn.SiLU(), nn.Linear(width, len(MODULATIONS) * width))
        characters = len(config.characters) + 1 if config.characters else 0
        sizes = config.context_dim, width, config.context_tokens
        self.y_embedder = CaptionEmbedder(*sizes, config.null_prompt, characters)
        if config.size_conditioning:
            self.csize_embedder, self.ar_embedder = SizeEmbedder(config), SizeEmbedder(config)

    def embed(self, x: Tensor) -> Tensor:
        """Return the tokens (N, T, D), position embeddings added, of an image x (N, C, H, W) or clip (N, F, C, H, W).

        Raises:
            UserError: x has not the shape that the config names.
        """
        wanted, frames = self.config.sample_shape, self.config.frames
        if x.dim() != len(wanted) + 1 or tuple(x.shape[1:]) != wanted:
            kind = "Image" if frames == 1 else "Clip"
            raise UserError(f"{kind} x has shape {tuple(x.shape)}: give it (N, {', '.join(map(str, wanted))}).")
        if frames == 1:
            return self.x_embedder(x) + self.pos_embed
        tokens = self.x_embedder(x.flatten(0, 1)).unflatten(0, (-1, frames)) + self.pos_embed
        later = self.config.adds_frames_later
        return (tokens if later else tokens + self.temp_embed.unsqueeze(2)).flatten(1, 2)

    def conditioning(self, t: Tensor, y: Tensor) -> Tensor:
        """Return the conditioning c of timesteps t (N,), in diffusion steps, and labels y (N,); with text, of t alone.

        It is (N, D), or (N, L, D) where every block has its own embedders.
        """
        if self.config.has_text:
            return self._with_size(self.t_embedder(t))
        if self.config.has_own_embedders:
            return torch.stack([block.t_embedder(t) + block.y_embedder(y) for block in self.blocks], dim=1)
        return self.t_embedder(t) + self.y_embedder(y)

    def _with_size(self, c: Tensor) -> Tensor:
        """c (N, D) with the embedding of the image's size, in pixels, where the model has one."""
        if not self.config.size_conditioning:
            return c
        side = 1 if self.config.has_pixels else LATENT_SIDE
        size = torch.tensor([[self.config.input_size, self.config.columns]], device=c.device) * float(side)
        return c + torch.cat([self.csize_embedder(size), self.ar_embedder(size[:, :1] / size[:, 1:])], dim=1)

    def captions(self, y: Tensor) -> Captions | None:
        """Return what contexts of labels y (N,), numbers of prompts, read; None without text."""
        if not self.config.has_text:
            return None
        if self.prompts is None:
            raise UserError("The model draws what prompts say, and there is none: give --prompt, a file of embeddings.")
        where = y.cpu()
        rows, counts = self.prompts.embeddings[where].to(y.device), self.prompts.counts[where].to(y.device)
        embedded = self.y_embedder.spell(rows) if self.config.characters else rows
        return Captions(self.y_embedder(embedded), counts)

    def modulation(self, c: Tensor, index: int) -> Tensor:
        """Return the adaLN vectors (N, 6, D) of block `index`, in the order of `MODULATIONS`; c is (N, [L,] D)."""
        if self.config.has_text:
            return self._own_modulation(self._shared_modulation(c), index)
        return self.blocks[index].modulation(self._own(c, index))

    def block_modulation(self, c: Tensor) -> Tensor:
        """Return the adaLN vectors (N, L, 6, D) of all blocks, in the order of `MODULATIONS`; c is (N, [L,] D)."""
        if self.config.has_text:
            shared = self._shared_modulation(c)
            return torch.stack([self._own_modulation(shared, index) for index in range(len(self.blocks))], dim=1)
        return torch.stack([self.modulation(c, index) for index in range(len(self.blocks))], dim=1)

    def vectors(self, modulation: Tensor) -> Tensor:
        """Return shift, scale and gate (N, S, 3, D) of every sub-block, of the blocks' adaLN vectors (N, L, 6, D)."""
        return torch.cat([block.vectors(modulation[:, index]) for index, block in enumerate(self.blocks)], dim=1)

    def _shared_modulation(self, c: Tensor) -> Tensor:
        """What all blocks of a model with text add their tables to, (N, 6, D)."""
        return self.t_block(c).unflatten(1, (len(MODULATIONS), -1))

    def _own_modulation(self, shared: Tensor, index: int) -> Tensor:
        return self.blocks[index].scale_shift_table + shared

    def run_blocks(self, tokens: Tensor, modulation: Tensor, captions: Captions | None = None) -> Tensor:
        """Return the residual stream (N, T, D) after all blocks: tokens (N, T, D), modulation (N, L, 6, D)."""
        for index, block in enumerate(self.blocks):
            behind = self.config.first_sub_block(index + 1)
            tokens = self.entering(behind, block(tokens, modulation[:, index], captions))
        return tokens

    def entering(self, s: int, x: Tensor) -> Tensor:
        """Return the stream (N, T, D) that sub-block s takes up, of what those before it leave: with the frame
        embedding where s is the first that sees it. s is the number of sub-blocks before the last layer."""
        if s != self.config.frames_before:
            return x
        return (x.unflatten(1, (self.config.frames, -1)) + self.temp_embed.unsqueeze(2)).flatten(1, 2)

    def final(self, tokens: Tensor, c: Tensor) -> Tensor:
        """Return the prediction (N, [F,] Cout, H, W) of the last residual stream (N, T, D) and c (N, [L,] D)."""
        c = self._own(c, 0)
        patch, channels = self.config.patch_size, self.config.out_channels
        patches = self.final_layer(tokens, c).reshape(-1, *self.config.grid, patch, patch, channels)
        image = patches.permute(0, 5, 1, 3, 2, 4).reshape(-1, channels, self.config.input_size, self.config.columns)
        return image if self.config.frames == 1 else image.unflatten(0, (-1, self.config.frames))

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """Return the predicted noise, and variance where learned, (N, [F,] Cout, H, W); see the class for shapes."""
        c = self.conditioning(t, y)
        return self.final(self.run_blocks(self.embed(x), self.block_modulation(c), self.captions(y)), c)

    def _own(self, c: Tensor, index: int) -> Tensor:
        """A block's conditioning (N, D) of c (N, [L,] D)."""
        return c[:, index] if self.config.has_own_embedders else c

    def _initialize(self) -> None:
        """Xavier for linear layers, normal for embeddings, zero for every adaLN and for the output."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.xavier_uniform_(self.x_embedder.proj.weight.view(self.config.hidden_size, -1))
        nn.init.zeros_(self.x_embedder.proj.bias)
        for place in self.blocks if self.config.has_own_embedders else (self,):
            tables = [self.t_block[1]] if self.config.has_text else [place.y_embedder.embedding_table]
            if self.config.has_text and not self.config.characters:
                tables += [place.y_embedder.y_proj.fc1, place.y_embedder.y_proj.fc2]
            for table in (*tables, place.t_embedder.mlp[0], place.t_embedder.mlp[2]):
                nn.init.normal_(table.weight, std=0.02)
        zeroed = [module.adaLN_modulation[1] for module in self.modules() if hasattr(module, "adaLN_modulation")]
        zeroed += [module.proj for module in self.modules() if isinstance(module, CrossAttention)]
        for layer in (*zeroed, self.final_layer.linear):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)


def null_prompt(dit: DiT) -> Tensor | None:
    """Return the embedding (n, C) of the null prompt that a model has learned; None: it has none."""
    return dit.y_embedder.y_embedding.detach().cpu() if dit.config.null_prompt else None


def with_texts(dit: DiT, texts: Sequence[str] = ()) -> DiT:
    """Return a model of its own characters that draws texts, by default some that are the same for every model.

    Raises:
        UserError: a text cannot be spelled.
    """
    alphabet, tokens = dit.config.characters, dit.config.context_tokens
    return with_prompts(dit, spelled(texts or chosen_texts(alphabet, tokens - 1, CHOSEN_TEXTS), alphabet, tokens))


def with_prompts(dit: DiT, prompts: Prompts) -> DiT:
    """Return a model that shares the weights of `dit` and whose labels number other prompts.

    Raises:
        UserError: the model has no text, or the prompts do not fit it.
    """
    config = dit.config
    if not config.has_text:
        raise UserError("--prompt is given, but the model has no text: give labels, or a model with cross-attention.")
    sizes, found = [config.context_tokens, config.context_dim], tuple(prompts.embeddings.shape[1:])
    wanted = tuple(sizes[:1] if config.characters else sizes)
    if found != wanted:
        raise UserError(f"prompts have {found} tokens and channels, the model {wanted}: give embeddings made for it.")
    dropped = config.class_dropout_prob or type(config).model_fields["class_dropout_prob"].default
    known = {"num_classes": len(prompts), "class_dropout_prob": dropped if prompts.has_null else 0.0}
    other = copy.copy(dit)
    other.__dict__ = {**dit.__dict__, "config": config.model_copy(update=known), "prompts": prompts}
    return other


def first_blocks(dit: DiT, count: int) -> DiT:
    """Return a model of the first `count` blocks of `dit`, which shares its weights.

    Raises:
        UserError: `count` is out of range.
    """
    part = blank_model(dit.config.first_blocks(count))
    state = dit.state_dict()
    part.load_state_dict({name: state[name] for name in part.state_dict()}, assign=True)
    part.prompts = dit.prompts
    return part.eval().requires_grad_(False)


def blank_model(config: DiTConfig) -> DiT:
    """Return a model whose tensors have shapes but no values (meta device), for weights to be assigned to."""
    with torch.device("meta"), _SkipInitialization():
        return DiT(config)


class _SkipInitialization(TorchFunctionMode):
    """Leave `torch.nn.init` out: on the meta device it has no effect but to import torch's compiler, for seconds."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))
