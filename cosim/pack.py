"""Memory images: the integer model, laid out as docs/interface.md says.

Everything here only rearranges integers; the layouts stand in the interface's tables.
"""

from dataclasses import replace

import numpy as np
import torch

from radit.accel.config import BuildConfig
from radit.accel.dims import Dims, Group
from radit.accel.interfaces.conditioning import BEAT_FIELDS, CHANNEL_FIELDS, FIELD_BITS, HEADER_BEATS, HEADER_FIELDS
from radit.model.dit.groups import Groups
from radit.model.formats import BIAS_BITS, MULT_BITS, SHIFT_BITS
from radit.model.integer.integer_dit import Conditioning, IntegerDiT, PromptWords
from radit.model.integer.policy_tables import PolicyTables

FIELD_MASK = (1 << FIELD_BITS) - 1


def weight_tiles(weight: np.ndarray, lanes: int, wide: int) -> np.ndarray:
    """int8 (outputs, K) -> words (tiles * K, W): tile after tile of ``lanes`` outputs, one word per input."""
    outputs, inputs = weight.shape
    tiles = -(-outputs // lanes)
    padded = np.zeros((tiles * lanes, inputs), np.int8)
    padded[:outputs] = weight
    words = np.zeros((tiles, inputs, wide), np.int8)
    words[:, :, :lanes] = padded.reshape(tiles, lanes, inputs).transpose(0, 2, 1)
    return words.reshape(-1, wide)


def pack_weights(integer: IntegerDiT, build: BuildConfig) -> np.ndarray:
    """Words of the weight port (n, W of each product) int8 of all sub-blocks in the order of use."""
    images = []
    for sub_block in integer.sub_blocks:
        for name, weight in sub_block.weights.items():
            lanes = build.rows if name == "v" else build.cols
            images.append(weight_tiles(weight.cpu().numpy(), lanes, build.wide))
    return np.concatenate(images).reshape(-1, build.products * build.wide)


def pack_params(integer: IntegerDiT) -> np.ndarray:
    """Entries (steps, n) uint64 ``{bias, mult, shift, after}`` of every product with parameters of its own."""
    columns = []
    for sub_block in integer.sub_blocks:
        for table in sub_block.tables.values():
            bias = table.bias.cpu().numpy().astype(np.int64) & ((1 << BIAS_BITS) - 1)
            mult = table.mult.cpu().numpy() << BIAS_BITS
            shift = table.shift.cpu().numpy().astype(np.uint64) << np.uint64(BIAS_BITS + MULT_BITS)
            after = table.after.cpu().numpy().astype(np.uint64) << np.uint64(BIAS_BITS + MULT_BITS + SHIFT_BITS)
            columns.append((bias | mult).astype(np.uint64) | shift | after)
    return np.ascontiguousarray(np.concatenate(columns, axis=1))


def pack_headers(integer: IntegerDiT, policy: PolicyTables) -> np.ndarray:
    """Headers (steps, sub_blocks + 1, beats, 4) uint16; the last one only carries the last branch's gate_shift."""
    steps, subs = integer.header["mod_shift"].shape
    headers = np.zeros((steps, subs + 1, HEADER_BEATS, BEAT_FIELDS), np.uint16)

    def put(name: str, value: torch.Tensor | int, where: slice) -> None:
        beat, position, bits, _ = HEADER_FIELDS[name]
        rest = value if isinstance(value, int) else value.cpu().numpy()
        for low in range(0, bits, FIELD_BITS):
            headers[:, where, beat, position + low // FIELD_BITS] = rest >> low & FIELD_MASK

    own = slice(0, subs)
    for name, value in integer.header.items():
        put(name, value, slice(1, subs + 1) if name == "gate_shift" else own)
    put("gate_shift", 1, slice(0, 1))
    put("threshold", policy.thresholds, own)
    put("force", policy.force.long().unsqueeze(1), own)
    put("slope_gain", policy.gains, own)
    put("follow", policy.follow.long(), own)
    put("plan", (policy.plan.long() @ torch.tensor([1, 2])).unsqueeze(1) * policy.follow[:, :1], slice(0, 1))
    for level in range(policy.boundaries.shape[2]):
        put(f"b{level + 1}", policy.boundaries[:, :, level], own)
    put("eps", integer.eps, own)
    if (place := integer.config.frames_before) is not None:
        put("frames", 1, slice(place, place + 1))
    return headers


def pack_frames(integer: IntegerDiT) -> np.ndarray:
    """Beats (n, 4) uint16 of the frame embedding: frame after frame, four channels each; none where no pass adds it."""
    return integer.frame_offsets.cpu().numpy().astype(np.int16).view(np.uint16).reshape(-1, BEAT_FIELDS)


def with_prompts(dims: Dims, tables: Conditioning, image: int) -> Dims:
    """The dimensions of one image, whose prompts have their own numbers of text tokens.

    Raises:
        UserError: a prompt without tokens, or of more than the model takes.
    """
    if tables.prompts is None:
        return dims
    return replace(dims, texts=tuple(tables.prompts.counts[image].tolist()))


def pack_prompts(prompts: PromptWords, image: int, dims: Dims, build: BuildConfig) -> np.ndarray:
    """Words of the prompt port (n, R) int8 of one image: per cross-attention and context its keys, then its values.

    As many of either as the context has text tokens; contexts begin ``prompt_words`` apart.
    """
    rows, each = build.rows, dims.prompt_words(build)
    k, v, counts = (part[image].cpu().numpy() for part in (prompts.k, prompts.v, prompts.counts))
    words = np.zeros((k.shape[1], dims.contexts, each, rows), np.int8)
    for context, count in enumerate(counts.tolist()):
        keys = _whole_tiles(k[context, :, :count], rows, axis=1)  # (X, row tiles, R, D)
        values = _whole_tiles(v[context, :, :count], rows, axis=2)  # (X, tokens, channel tiles, R)
        parts = [part.reshape(len(k[context]), -1, rows) for part in (keys.transpose(0, 1, 3, 2), values)]
        found = np.concatenate(parts, axis=1)
        words[:, context, : found.shape[1]] = found
    return np.ascontiguousarray(words.reshape(-1, rows))


def _whole_tiles(value: np.ndarray, lanes: int, axis: int) -> np.ndarray:
    """An axis, padded with zeros, as two: tiles and the ``lanes`` of each."""
    size = value.shape[axis]
    tiles = -(-size // lanes)
    padded = np.pad(value, [(0, tiles * lanes - size if each == axis else 0) for each in range(value.ndim)])
    return padded.reshape(*value.shape[:axis], tiles, lanes, *value.shape[axis + 1 :])


def pack_conditioning(tables: Conditioning, image: int, headers: np.ndarray) -> np.ndarray:
    """Beats (steps, n, 4) uint16 of one image: per sub-block its header and ``{gate, scale, shift}`` per channel."""
    steps, places = headers.shape[:2]
    scale, shift, gate = (part[image].cpu().numpy() for part in (tables.scale, tables.shift, tables.gate))
    contexts, _, _, hidden = scale.shape
    vectors = np.zeros((steps, places, contexts, hidden, BEAT_FIELDS), np.int16)
    before, own = slice(1, None), slice(None, -1)  # the gate belongs to the branch of the sub-block before
    for name, values, where in (("gate", gate, before), ("scale", scale, own), ("shift", shift, own)):
        vectors[:, where, :, :, CHANNEL_FIELDS[name][0]] = values.transpose(1, 2, 0, 3)
    beats = vectors.reshape(steps, places, contexts * hidden, BEAT_FIELDS).view(np.uint16)
    return np.ascontiguousarray(np.concatenate([headers, beats], axis=2).reshape(steps, -1, BEAT_FIELDS))


def to_words(tokens: np.ndarray, rows: int) -> np.ndarray:
    """(contexts, T, D) -> words (contexts * row tiles * D, R) in the order of the pass."""
    contexts, count, hidden = tokens.shape
    tiles = tokens.reshape(contexts, count // rows, rows, hidden).transpose(0, 1, 3, 2)
    return np.ascontiguousarray(tiles.reshape(-1, rows))


def from_words(words: np.ndarray, contexts: int, hidden: int) -> np.ndarray:
    """Inverse of ``to_words``."""
    rows = words.shape[-1]
    tiles = words.reshape(contexts, -1, hidden, rows).transpose(0, 1, 3, 2)
    return tiles.reshape(contexts, -1, hidden)


def token_order(dims: Dims, build: BuildConfig) -> np.ndarray:
    """Token at each place of a context. A video's token (p, f) is number f * S + p; its frames turn in the lanes."""
    place = np.arange(dims.padded_tokens(build))
    frames = max(dims.even.frames, dims.odd.frames)
    frame, position = np.divmod(place, len(place) // frames)
    lane = position % build.wide
    turned = (lane - frame * (build.wide // frames)) % build.wide
    return place - lane + turned


def temporal_order(dims: Dims, build: BuildConfig, frames: int) -> np.ndarray:
    """Place of each row of a temporal block: supertiles in which every lane keeps its place and takes its own frame."""
    supertile, lane = np.divmod(np.arange(dims.padded_tokens(build)), build.wide)
    frame = (lane // (build.wide // frames) - supertile) % frames
    stride = dims.tokens // frames // build.wide
    return (supertile // frames + frame * stride) * build.wide + lane


def groups_of(dims: Dims, build: BuildConfig) -> tuple[Groups, Groups]:
    """Attention groups of the even and odd blocks, in tokens: spatial ones by frame, temporal ones by position."""
    tokens = dims.padded_tokens(build)

    def one(group: Group) -> Groups:
        if group.frames > 1:
            return Groups(torch.arange(tokens).view(group.frames, -1).T)
        keys = group.keys or dims.tokens
        return Groups.single(keys, tokens) if keys == dims.tokens else Groups(torch.arange(tokens).view(-1, keys))

    return one(dims.even), one(dims.odd)
