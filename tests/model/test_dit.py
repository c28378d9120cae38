"""The float model: names, shapes and arithmetic of the published DiT."""

from __future__ import annotations

import math

import pytest
import torch

from radit.model.dit.config import NAMED_MODELS, DiTConfig
from radit.model.dit.layers.embedders import position_embedding, timestep_features
from radit.model.dit.shapes import MODULATIONS
from radit.model.dit.transformer import DiT, blank_model
from radit.model.errors import UserError

SMALL = DiTConfig(
    input_size=4, patch_size=2, in_channels=3, hidden_size=16, depth=2, num_heads=2, num_classes=5, learn_sigma=True
)

# The tensors of the published DiT at the dimensions of SMALL: T = 4, D = 16, MLP 64, output 2 * 2 * 6.
BLOCK_SHAPES = {
    "attn.qkv.weight": (48, 16),
    "attn.qkv.bias": (48,),
    "attn.proj.weight": (16, 16),
    "attn.proj.bias": (16,),
    "mlp.fc1.weight": (64, 16),
    "mlp.fc1.bias": (64,),
    "mlp.fc2.weight": (16, 64),
    "mlp.fc2.bias": (16,),
    "adaLN_modulation.1.weight": (96, 16),
    "adaLN_modulation.1.bias": (96,),
}
OFFICIAL_SHAPES = {
    "pos_embed": (1, 4, 16),
    "x_embedder.proj.weight": (16, 3, 2, 2),
    "x_embedder.proj.bias": (16,),
    "t_embedder.mlp.0.weight": (16, 256),
    "t_embedder.mlp.0.bias": (16,),
    "t_embedder.mlp.2.weight": (16, 16),
    "t_embedder.mlp.2.bias": (16,),
    "y_embedder.embedding_table.weight": (6, 16),
    **{f"blocks.{index}.{name}": shape for index in range(2) for name, shape in BLOCK_SHAPES.items()},
    "final_layer.linear.weight": (24, 16),
    "final_layer.linear.bias": (24,),
    "final_layer.adaLN_modulation.1.weight": (32, 16),
    "final_layer.adaLN_modulation.1.bias": (32,),
}


def random_model(config: DiTConfig = SMALL, seed: int = 1) -> DiT:
    """A model whose every weight is random, so that no adaLN hides a branch."""
    model = DiT(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model.eval().requires_grad_(False)


def random_input(seed: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Three images, timesteps and labels, the null class among them."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, 3, 4, 4, generator=generator), torch.tensor([0, 500, 999]), torch.tensor([0, 4, 5])


def test_tensor_names_and_shapes_are_the_published_ones() -> None:
    assert {name: tuple(value.shape) for name, value in DiT(SMALL).state_dict().items()} == OFFICIAL_SHAPES


def test_xl_has_the_published_number_of_weights() -> None:
    model = blank_model(NAMED_MODELS["dit-xl-2"])
    assert round(sum(value.numel() for value in model.parameters()) / 1e6) == 675


def test_forward_is_the_composition_of_the_split_methods() -> None:
    model, (x, t, y) = random_model(), random_input()
    c = model.conditioning(t, y)
    modulation = model.block_modulation(c)
    assert c.shape == (3, 16)
    assert modulation.shape == (3, SMALL.depth, len(MODULATIONS), 16)
    tokens = model.embed(x)
    assert tokens.shape == (3, SMALL.tokens, 16)
    for index, block in enumerate(model.blocks):
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = modulation[:, index].unsqueeze(2).unbind(1)
        tokens = tokens + gate_a * block.attn(block.norm1(tokens) * (1 + scale_a) + shift_a)
        tokens = tokens + gate_m * block.mlp(block.norm2(tokens) * (1 + scale_m) + shift_m)
    out = model.final(tokens, c)
    assert out.shape == (3, 6, 4, 4)
    torch.testing.assert_close(model(x, t, y), out)


def test_attention_is_softmax_of_scaled_scores() -> None:
    attention = random_model().blocks[0].attn
    x = torch.randn(2, 4, 16, generator=torch.Generator().manual_seed(3))
    query, key, value = (part.reshape(2, 4, 2, 8).transpose(1, 2) for part in attention.qkv(x).chunk(3, dim=2))
    mixed = torch.softmax(query @ key.transpose(2, 3) / math.sqrt(8), dim=-1) @ value
    torch.testing.assert_close(attention(x), attention.proj(mixed.transpose(1, 2).reshape(2, 4, 16)))


def test_modulation_vectors_are_the_six_parts_of_the_published_projection() -> None:
    model, (_, t, y) = random_model(), random_input()
    c = model.conditioning(t, y)
    parts = model.blocks[1].adaLN_modulation(c).chunk(6, dim=1)
    for index, part in enumerate(parts):
        torch.testing.assert_close(model.block_modulation(c)[:, 1, index], part)


def test_final_puts_every_patch_back_in_its_place() -> None:
    model = random_model()
    with torch.no_grad():
        model.final_layer.linear.weight.zero_()
        model.final_layer.linear.bias.copy_(torch.arange(24.0))
    out = model.final(torch.zeros(1, 4, 16), torch.zeros(1, 16))
    # Output feature (row in patch, column in patch, channel) of a 2 x 2 patch with 6 channels.
    for row in range(4):
        for column in range(4):
            wanted = ((row % 2) * 2 + column % 2) * 6 + torch.arange(6.0)
            assert torch.equal(out[0, :, row, column], wanted)


def test_embedding_formulas() -> None:
    position = position_embedding(8, 3)[0]
    omega = torch.tensor([1.0, 0.01])
    row, column = 1.0, 2.0
    wanted = [torch.sin(column * omega), torch.cos(column * omega), torch.sin(row * omega), torch.cos(row * omega)]
    torch.testing.assert_close(position[1 * 3 + 2], torch.cat(wanted))
    features = timestep_features(torch.tensor([7]))[0]
    assert features[0].item() == pytest.approx(math.cos(7.0))
    assert features[128 + 64].item() == pytest.approx(math.sin(7.0 / 100.0))


def test_a_fresh_model_predicts_zero() -> None:
    assert torch.count_nonzero(DiT(SMALL)(*random_input())) == 0


def test_a_wrong_image_shape_is_named() -> None:
    with pytest.raises(UserError, match=r"\(3, 1, 4, 4\): give it \(N, 3, 4, 4\)"):
        random_model().embed(torch.zeros(3, 1, 4, 4))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"depth": 0}, "depth is 0: give it a value that is greater than or equal to 1"),
        ({"patch_size": 3}, "patch_size 3 does not divide input_size 8"),
        ({"num_heads": 3}, "num_heads 3 does not divide hidden_size 64"),
        ({"hidden_size": 66, "num_heads": 1}, "hidden_size 66 is not a multiple of 4"),
        ({"mlp_ratio": 0.001}, "mlp_ratio 0.001 leaves the MLP without hidden features"),
        ({"mlp_ratio": float("nan")}, "mlp_ratio is nan"),
        ({"class_dropout_prob": 1.0}, "class_dropout_prob is 1.0"),
        ({"layers": 3}, "field layers is unknown: remove it"),
    ],
)
def test_a_bad_config_is_named(values: dict[str, float], words: str) -> None:
    with pytest.raises(UserError) as caught:
        DiTConfig(**values)
    assert words in str(caught.value)


def test_config_is_frozen_and_knows_its_sizes() -> None:
    config = NAMED_MODELS["dit-xl-2"]
    assert (config.tokens, config.head_dim, config.mlp_hidden, config.out_channels) == (256, 72, 4608, 8)
    with pytest.raises(ValueError, match="frozen"):
        config.depth = 3
