"""Clips: names and shapes of the published Latte, attention within a frame and over time, and the integer model."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from radit.model.dit.checkpoint import load_checkpoint, save_checkpoint
from radit.model.dit.config import CLIP_FIELDS, LATER_FIELDS, NAMED_MODELS, DiTConfig
from radit.model.dit.facts import Facts, infer_config
from radit.model.dit.groups import Groups, attention_groups
from radit.model.dit.sampler import Sampler, make_noise, predict_noise, sample
from radit.model.dit.schedule import add_noise
from radit.model.dit.seeded import seeded_dit
from radit.model.dit.transformer import DiT, blank_model
from radit.model.errors import UserError
from radit.model.integer.calibration import calibrate
from radit.model.integer.generate import generate
from radit.model.integer.integer_dit import IntegerDiT
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.policy.skip_policy import dense, radit
from radit.model.quality.measures import mse
from tests.model.test_dit import OFFICIAL_SHAPES as IMAGE_SHAPES
from tests.model.test_dit import random_model

FRAMES, PLACES = 4, 4
CLIP = DiTConfig(
    input_size=4,
    patch_size=2,
    in_channels=3,
    hidden_size=16,
    depth=2,
    num_heads=2,
    num_classes=5,
    learn_sigma=True,
    frames=FRAMES,
)
JOINT = CLIP.model_copy(update={"attention": "joint"})
IMAGE = CLIP.model_copy(update={"frames": 1})
STEPS = 6
SEEDED = DiTConfig(input_size=4, hidden_size=32, depth=2, num_heads=2, num_classes=3, frames=4)

# The tensors of the published Latte with classes at the dimensions of CLIP, whose frames are the images of test_dit.
OFFICIAL_SHAPES = IMAGE_SHAPES | {"temp_embed": (1, FRAMES, 16)}


@pytest.fixture(scope="module")
def dit() -> DiT:
    return seeded_dit(SEEDED)


@pytest.fixture(scope="module")
def integer(dit: DiT) -> IntegerDiT:
    return quantize(dit, calibrate(dit, Sampler(STEPS), images=4), Sampler(STEPS))


def clips(count: int = 2, config: DiTConfig = CLIP, seed: int = 2) -> Tensor:
    return torch.randn(count, *config.sample_shape, generator=torch.Generator().manual_seed(seed))


def seen(block: int, config: DiTConfig) -> Tensor:
    """(T, T) bool by arithmetic on token numbers: whether a query may see a key."""
    frame, place = (number.expand(config.tokens, -1) for number in divmod_tokens(config))
    if not config.alternates:
        return torch.ones(config.tokens, config.tokens, dtype=torch.bool)
    return place == place.T if block % 2 else frame == frame.T


def divmod_tokens(config: DiTConfig) -> tuple[Tensor, Tensor]:
    """Frame and place of every token."""
    number = torch.arange(config.tokens)
    return number // config.frame_tokens, number % config.frame_tokens


def naive_attention(dit: DiT, block: int, x: Tensor) -> Tensor:
    """Masked softmax over all tokens, head by head."""
    attention, out = dit.blocks[block].attn, []
    size = dit.config.head_dim
    q, k, v = attention.qkv(x).chunk(3, dim=2)
    for head in range(dit.config.num_heads):
        at = slice(head * size, (head + 1) * size)
        score = q[..., at] @ k[..., at].transpose(1, 2) / math.sqrt(size)
        weights = torch.where(seen(block, dit.config), score.exp(), 0.0)
        out.append(weights / weights.sum(-1, keepdim=True) @ v[..., at])
    return attention.proj(torch.cat(out, 2))


def test_tensor_names_and_shapes_are_the_published_ones() -> None:
    assert {name: tuple(value.shape) for name, value in DiT(CLIP).state_dict().items()} == OFFICIAL_SHAPES


def test_xl_has_the_published_number_of_weights() -> None:
    """Table 5 of the Latte paper, class embedding included."""
    model = blank_model(NAMED_MODELS["latte-xl-2"])
    assert round(sum(value.numel() for value in model.parameters()) / 1e6) == 674


@pytest.mark.parametrize("config", [CLIP, JOINT], ids=["alternating", "joint"])
@pytest.mark.parametrize("block", [0, 1])
def test_attention_sees_its_group_and_nothing_else(config: DiTConfig, block: int) -> None:
    model, x = random_model(config), torch.randn(2, 16, 16, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(model.blocks[block].attn(x), naive_attention(model, block, x))


def test_tokens_are_frame_by_frame_with_both_position_embeddings() -> None:
    model, x = random_model(CLIP), clips()
    tokens = model.embed(x)
    assert tokens.shape == (2, CLIP.tokens, 16)
    plain = DiT(IMAGE)
    plain.load_state_dict({name: value for name, value in model.state_dict().items() if name != "temp_embed"})
    for frame in range(FRAMES):
        wanted = plain.embed(x[:, frame]) + model.temp_embed[0, frame]
        torch.testing.assert_close(tokens[:, frame * PLACES : (frame + 1) * PLACES], wanted)


def test_frame_embedding_formula() -> None:
    embedding = DiT(CLIP).temp_embed[0, 3]
    octaves = 10_000.0 ** (-torch.arange(8) / 8)
    torch.testing.assert_close(embedding, torch.cat([torch.sin(3 * octaves), torch.cos(3 * octaves)]))


def test_final_puts_every_frame_back_in_its_place() -> None:
    model, plain = random_model(CLIP), random_model(IMAGE)
    plain.final_layer.load_state_dict(model.final_layer.state_dict())
    tokens, c = torch.randn(2, CLIP.tokens, 16), torch.randn(2, 16)
    out = model.final(tokens, c)
    assert out.shape == (2, FRAMES, 6, 4, 4)
    for frame in range(FRAMES):
        torch.testing.assert_close(out[:, frame], plain.final(tokens[:, frame * PLACES : (frame + 1) * PLACES], c))


def test_forward_keeps_the_shape_of_a_clip() -> None:
    out = random_model(CLIP)(clips(), torch.tensor([0, 999]), torch.tensor([0, 5]))
    assert out.shape == (2, FRAMES, CLIP.out_channels, 4, 4)


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (2, 3, 4, 4, 4), (2, 5, 3, 4, 4)])
def test_a_wrong_clip_shape_is_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError) as caught:
        random_model(CLIP).embed(torch.zeros(shape))
    assert str(caught.value) == f"Clip x has shape {shape}: give it (N, 4, 3, 4, 4)."


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"frames": 0}, "frames is 0: give it a value that is greater than or equal to 1"),
        ({"frames": 2, "attention": "time"}, "attention is 'time': give it a value that is 'alternating' or 'joint'"),
        ({"frames": 2, "depth": 3}, "depth 3 is odd, but alternating attention needs pairs"),
    ],
)
def test_a_bad_config_is_named(values: dict[str, object], words: str) -> None:
    with pytest.raises(UserError) as caught:
        DiTConfig(**values)
    assert words in str(caught.value)


def test_an_odd_depth_is_no_matter_without_pairs() -> None:
    assert DiTConfig(depth=3).depth == DiTConfig(depth=3, frames=2, attention="joint").depth == 3


def test_a_clip_knows_its_sizes() -> None:
    config = NAMED_MODELS["latte-xl-2"]
    assert (config.tokens, config.frame_tokens, config.sample_shape) == (4096, 256, (16, 4, 32, 32))
    assert NAMED_MODELS["moving-digits"].tokens == 128 and DiTConfig().sample_shape == (1, 8, 8)


def test_the_config_of_an_image_says_nothing_of_frames() -> None:
    """Hashes of models, and with them of calibrations and results, rest on it."""
    assert set(DiTConfig.model_fields) - set(DiTConfig().model_dump()) == {*CLIP_FIELDS, *LATER_FIELDS}
    assert DiTConfig(**JOINT.model_dump()) == JOINT and DiTConfig(**IMAGE.model_dump()) == IMAGE


@pytest.mark.parametrize("config", [CLIP, JOINT, IMAGE], ids=["alternating", "joint", "image"])
def test_macs_count_the_pairs_of_queries_and_keys(config: DiTConfig) -> None:
    found = config.sub_block_macs()
    for block in range(config.depth):
        pairs = int(seen(block, config).sum())
        products = config.tokens * 16 * 64 + 2 * pairs * 16
        assert found[2 * block : 2 * block + 2] == [products, 2 * config.tokens * 16 * 64]
        assert config.macs(block=block) == tuple(found[2 * block : 2 * block + 2])


@pytest.mark.parametrize("config", [CLIP, JOINT], ids=["alternating", "joint"])
def test_groups_are_those_of_the_config(config: DiTConfig) -> None:
    for block, groups in enumerate(attention_groups(config)):
        number = torch.empty(config.tokens, dtype=torch.int64)
        number[groups.index] = torch.arange(len(groups.index)).unsqueeze(1)
        assert torch.equal(number.unsqueeze(0) == number.unsqueeze(1), seen(block, config))


def test_alternating_groups_refuse_padding_and_joint_ones_mask_it() -> None:
    with pytest.raises(UserError, match="padded_tokens is 20 for a clip of 16 tokens: .* give 16"):
        attention_groups(CLIP, 20)
    groups, _ = attention_groups(JOINT, 20)
    assert groups.mask is not None and groups.mask.flatten().tolist() == [True] * 16 + [False] * 4


def test_a_checkpoint_keeps_the_frames(tmp_path) -> None:
    for config in (CLIP, JOINT):
        model = random_model(config)
        save_checkpoint(tmp_path / "clip.safetensors", model)
        read, state = load_checkpoint(tmp_path / "clip.safetensors")
        assert read == config
        assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    facts = Facts(2, CLIP.num_classes, "noise", "pixels", "alternating", "input")
    assert infer_config(random_model(CLIP).state_dict(), facts, "File") == CLIP


def test_the_sampler_takes_clips() -> None:
    x, eps = clips(), clips(seed=5)
    noisy = add_noise(x, eps, torch.tensor([10, 900]))
    for index, t in enumerate((10, 900)):
        for frame in range(FRAMES):
            alone = add_noise(x[index : index + 1, frame], eps[index : index + 1, frame], torch.tensor([t]))
            assert torch.equal(noisy[index, frame], alone[0])
    model, y = random_model(CLIP), torch.tensor([1, 2])
    assert predict_noise(model, x, 10, y, 1.5, CLIP.null_class).shape == x.shape, "the variance was not dropped"
    images = sample(model, make_noise(CLIP, 2, 0), y, Sampler(3))
    assert images.shape == x.shape and float(images.abs().max()) <= 1.0, "pixels must be held to their range"


def test_the_integer_model_follows_the_float_one(dit: DiT, integer: IntegerDiT) -> None:
    """And not with the groups of another model."""
    y, noise = torch.tensor([0, 1, 2]), make_noise(SEEDED, 3, seed=7)
    wanted = sample(dit, noise, y, Sampler(STEPS))
    reference = Reference(integer, dense().tables(integer))
    found, record = generate(reference, dit, y, noise)
    assert record.saturations == 0 and found.shape == noise.shape
    single = Groups.single(SEEDED.tokens, SEEDED.tokens)
    other, _ = generate(Reference(integer, dense().tables(integer), groups=(single, single)), dit, y, noise)
    close, far = mse(found, wanted), mse(other, wanted)
    assert close < 1e-3 * float(wanted.var()) and far > 5 * close, (close, far, float(wanted.var()))


def test_a_skipping_clip_counts_its_macs(dit: DiT, integer: IntegerDiT) -> None:
    policy = radit(0.6, schedule="linear", start=1.0, end=1.0, max_streak=3).tables(integer)
    y, noise = torch.tensor([0, 1]), make_noise(SEEDED, 2, seed=7)
    clip, record = generate(Reference(integer, policy), dit, y, noise)
    assert clip.shape == noise.shape and record.decisions.reused_share > 0
    macs = SEEDED.sub_block_macs()
    spent = sum(macs[s] * int(record.decisions.computed[:, :, s].sum()) for s in range(len(macs)))
    assert record.mac_reduction(integer) == pytest.approx(sum(macs) * record.decisions.computed[:, :, 0].size / spent)
