"""The engines of the reference: int8 sub-block input in, int8 branch out.

Attention: ``a -> q, k, v int8 -> score Q9.6 -> numerators 0 .. 127 and their sum -> o int8 -> branch int8``.
Cross-attention: the same, of the pair's prompt k and v, of whose keys the first ones are valid.
MLP: ``a -> u Q5.10 -> h int8 -> branch int8``. K (image, context) pairs at once; T tokens, D and M features.
Integers are carried by float64 (`model/integer/exact_float64.py`), weights by int8.
"""

from __future__ import annotations

import torch
from torch import Tensor

from radit.model.dit.config import ATTENTION, CROSS
from radit.model.dit.groups import Groups
from radit.model.formats import WIDE_BITS
from radit.model.integer import exact_float64
from radit.model.integer.exact_float64 import Tally
from radit.model.integer.integer_dit import ChannelTables, IntegerDiT
from radit.model.text.cross_attention import valid_keys

Stages = dict[str, Tensor]
Keys = tuple[Tensor, Tensor, Tensor]
"""k and v (K, n, D), and how many of them are valid (K,), of K pairs at one cross-attention."""


class Engines:
    """The engines of all sub-blocks and timesteps.

    Args:
        integer: the integer model.
        groups: attention groups of even and odd blocks.
        device: where the weights are kept and all inputs are.
    """

    def __init__(self, integer: IntegerDiT, groups: tuple[Groups, Groups], device: torch.device) -> None:
        self._integer, self._groups = integer, groups
        self._weights = []
        for sub_block in integer.sub_blocks:
            weights = {name: weight.to(device) for name, weight in sub_block.weights.items()}
            if sub_block.kind == ATTENTION:
                weights["qkv"] = torch.cat([weights.pop(name) for name in "qkv"])
            self._weights.append(weights)

    def run(
        self, a: Tensor, s: int, index: int, tally: Tally, stages: Stages | None = None, keys: Keys | None = None
    ) -> Tensor:
        """Branch (K, T, D) of sub-block s at timestep `index`; a is (K, T, D). `stages` receives every stage.

        Args:
            keys: of the pairs' prompts, where s is a cross-attention.
        """
        stages = {} if stages is None else stages
        kind = self._integer.sub_blocks[s].kind
        if kind == CROSS:
            assert keys is not None
            return self._cross(a, keys, s, index, tally, stages)
        return (self._attention if kind == ATTENTION else self._mlp)(a, s, index, tally, stages)

    def _attention(self, a: Tensor, s: int, index: int, tally: Tally, stages: Stages) -> Tensor:
        block, _ = self._integer.config.places[s]
        tables, weights, groups = self._integer.sub_blocks[s].tables, self._weights[s], self._groups[block % 2]
        header = {name: int(column[index, s]) for name, column in self._integer.header.items()}
        qkv = torch.cat(
            [_bias_and_scale(tables["q"], index, a.device), _bias_and_scale(tables["k"], index, a.device)], 1
        )
        v_scale = header["v_mult"] * 2.0 ** -header["v_shift"]
        v_part = torch.tensor([[0.0], [v_scale]], dtype=torch.float64, device=a.device).expand(2, a.shape[2])
        bias, scale = torch.cat([qkv, v_part], 1)
        q, k, v = (
            tally.clip("qkv", exact_float64.linear(a.flatten(0, 1), weights["qkv"], bias, scale))
            .view(*a.shape[:2], -1)
            .chunk(3, dim=2)
        )
        stages.update(q=q, k=k, v=v)
        heads = self._integer.config.num_heads
        split = groups.split(q, heads), groups.split(k, heads), groups.split(v, heads)
        mixed = self._averaged(split, None if groups.mask is None else groups.mask.to(a.device), header, tally, stages)
        o = stages["o"] = groups.join(tally.clip("o", mixed))
        branch = exact_float64.linear(o.flatten(0, 1), weights["o"], *_bias_and_scale(tables["o"], index, a.device))
        return tally.clip("branch", branch).view(a.shape)

    def _cross(self, a: Tensor, keys: Keys, s: int, index: int, tally: Tally, stages: Stages) -> Tensor:
        tables, weights = self._integer.sub_blocks[s].tables, self._weights[s]
        header = {name: int(column[index, s]) for name, column in self._integer.header.items()}
        k, v = (part.to(a.device).double() for part in keys[:2])
        q = exact_float64.linear(a.flatten(0, 1), weights["q"], *_bias_and_scale(tables["q"], index, a.device))
        q = tally.clip("qkv", q).view(a.shape)
        stages.update(q=q, k=k, v=v)
        split = self._one_group(q), self._one_group(k), self._one_group(v)
        valid = valid_keys(keys[2].to(a.device), k.shape[1])[:, None, None, None]
        mixed = self._averaged(split, valid, header, tally, stages).squeeze(2)
        o = stages["o"] = tally.clip("o", mixed).transpose(1, 2).flatten(2)
        branch = exact_float64.linear(o.flatten(0, 1), weights["o"], *_bias_and_scale(tables["o"], index, a.device))
        return tally.clip("branch", branch).view(a.shape)

    def _one_group(self, value: Tensor) -> Tensor:
        """(K, n, D) -> (K, heads, 1, n, head_dim)."""
        return value.unflatten(2, (self._integer.config.num_heads, -1)).transpose(1, 2).unsqueeze(2)

    @staticmethod
    def _averaged(
        split: tuple[Tensor, Tensor, Tensor], valid: Tensor | None, header: dict[str, int], tally: Tally, stages: Stages
    ) -> Tensor:
        """Averages (K, heads, groups, n, head_dim), not yet clipped, of queries, keys and values of such a shape."""
        score_scale = header["score_mult"] * 2.0 ** -header["score_shift"]
        gain = (header["gain"], header["gain_shift"])
        mixed, stages["score"], stages["prob"] = exact_float64.attend(*split, score_scale, gain, valid, tally)
        return mixed

    def _mlp(self, a: Tensor, s: int, index: int, tally: Tally, stages: Stages) -> Tensor:
        tables, weights = self._integer.sub_blocks[s].tables, self._weights[s]
        u = exact_float64.linear(a.flatten(0, 1), weights["fc1"], *_bias_and_scale(tables["fc1"], index, a.device))
        after, shift = tables["fc1"].after[index].to(a.device), int(self._integer.header["h_shift"][index, s])
        h = exact_float64.activate(tally.saturate("u", u, WIDE_BITS), after, shift, tally)
        stages["h"] = h.view(*a.shape[:2], -1)
        branch = exact_float64.linear(h, weights["fc2"], *_bias_and_scale(tables["fc2"], index, a.device))
        return tally.clip("branch", branch).view(a.shape)


def _bias_and_scale(table: ChannelTables, index: int, device: torch.device) -> Tensor:
    """Bias and mult * 2**-shift of one timestep, stacked: (2, channels) float64."""
    bias, scale = table.bias[index].double(), exact_float64.scale_of(table.mult[index], table.shift[index])
    return torch.stack([bias, scale]).to(device)
