"""reports/cost/counts.py against a case counted by hand, and its refusals."""

from dataclasses import replace

import numpy as np
import pytest

from radit.accel.config import BuildConfig
from radit.accel.control.registers import COUNTERS
from radit.accel.dims import Dims, Group
from radit.model.errors import UserError
from radit.model.integer.decision_record import DecisionRecord
from radit.reports.cost.counts import UNCOUNTED, add_counts, expected_counts, model_macs
from radit.reports.cost.run_tables import POLICY_OFF, RunTables
from radit.reports.cycles.cycle_model import predict
from radit.reports.energy.energy_model import in_words

# R = 4, C = 8, W = 8. D = 12, 2 heads of 6, M = 20, T = 5 -> 1 supertile of 8 tokens, 2 row tiles, 1 column tile.
BUILD = BuildConfig(rows=4, cols=8, max_hidden=12, max_mlp=20, max_tokens=8, max_sub_blocks=2)
DIMS = Dims(hidden=12, heads=2, head_dim=6, mlp=20, tokens=5, sub_blocks=2, contexts=2)
DENSE = DecisionRecord.dense(1, 1, 2, 2)

# One context's attention. Q, K, projection: 2 channel tiles x 2 row tiles x 12 cycles = 48 each.
# V: 3 channel tiles (of R = 4) x 1 column tile x 12 = 36. Scores: 2 heads x 2 row tiles x 1 column tile x 6 = 24.
# Values: head 0 = channels 0..5 in tile 0, head 1 = 6..11 in tiles 0 and 1: 3 tiles x 2 row tiles x 8 keys = 48.
# One context's MLP. FC1: 3 tiles x 2 x 12 = 72. FC2: 2 tiles x 2 x 20 = 80.
BY_HAND = {
    "array_cycles": 2 * (3 * 48 + 36 + 24 + 48 + 72 + 80),
    # Drained per context: Q, K, O, projection, FC2 24 each (12 channels x 2 row tiles), V 3 x 8, scores 4 x 8, H 40.
    "requant_words": 2 * (4 * 24 + 24 + 32 + 40 + 24),
    "gelu_words": 2 * 40,
    "exp_words": 2 * 32,
    "recip_ops": 2 * 4 * 4,
    "residual_words": 3 * 48,  # a pass: 2 contexts x 2 row tiles x 12 channels = 48 words
    "norm_words": 2 * 48,
    "rsqrt_tiles": 2 * 2 * 2,
    "ccu_words": 0,
    "dtsm_ops": 0,
    "a_reads_row": 2 * (48 + 48 + 72) + 2 * 2 * 24,
    "a_reads_col": 2 * 36,
    "a_writes": 2 * 48 + 2 * (24 + 24),
    "hidden_reads": 2 * (24 + 48 + 80),
    "hidden_writes": 2 * (24 + 24 + 40),
    "k_reads": 2 * 24,
    "k_writes": 2 * 24,
    "v_reads": 2 * 48,
    "v_writes": 2 * 24,
    "prob_reads": 2 * 48,
    "prob_writes": 2 * 32,
    "score_reads": 2 * 32,
    "score_writes": 2 * 32,
    "weight_reads": 2 * (3 * 48 + 36 + 72 + 80),
    "weight_writes": (2 + 2 + 3 + 2) * 12 + 3 * 12 + 2 * 20,
    "x_reads": 2 * 48,
    "x_writes": 2 * 48,
    "fifo_reads": 3 * 48,
    "fifo_writes": 3 * 48,
    "gate_reads": 2 * 48,
    "modulation_reads": 2 * 48,
    "mod_writes": 3 * (8 + 2 * 12),
    "param_reads": 2 * (3 * 24 + 40 + 24),
    "param_writes": 3 * 12 + 20 + 12,
    "code_reads": 0,
    "code_writes": 0,
    "history_reads": 0,
    "cache_reads": 0,
    "slope_reads": 0,
    "cache_writes": 0,
    "x_in_words": 48,
    "x_out_words": 48,
    "prompt_words": 0,
    "bypass_words": 0,
    "frame_reads": 0,
    "frame_writes": 0,
}


def test_hand_counted_case():
    assert expected_counts(DIMS, BUILD, DENSE, POLICY_OFF) == BY_HAND
    assert BY_HAND.keys() == COUNTERS.keys() - UNCOUNTED


def test_frame_embeddings_by_hand():
    """Of two blocks and two frames."""
    build = replace(BUILD, max_sub_blocks=4, max_tokens=16, max_frames=2)
    dims, timesteps = replace(DIMS, sub_blocks=4, tokens=16), 3
    record = DecisionRecord.dense(1, timesteps, 4, 2)
    plain = expected_counts(dims, build, record, POLICY_OFF)
    found = expected_counts(replace(dims, frames=2), build, record, POLICY_OFF)
    beats, words = 2 * 12 // 4, 2 * 4 * 12  # frames x channels / 4; contexts, row tiles, channels
    added = {"frame_writes": timesteps * beats, "mod_writes": timesteps * beats, "frame_reads": timesteps * words // 4}
    assert found == plain | {name: plain[name] + count for name, count in added.items()}


def test_cross_attention_by_hand():
    """Q, prompt, scores, values and projection of prompts of 3 and 9 text tokens."""
    build = replace(BUILD, max_sub_blocks=3, max_text=10)
    dims = replace(DIMS, sub_blocks=3, text=10, cross_even=True, texts=(3, 9))
    found = expected_counts(dims, build, DecisionRecord.dense(1, 1, 3, 2), POLICY_OFF)
    scores = 2 * 2 * 6 * (1 + 2)  # heads, row tiles, channels, key tiles
    values = 3 * 2 * (3 + 9)  # channel tiles of both heads, row tiles, keys
    words = 2 * 2 * (3 + 9)  # of scores: heads, row tiles, keys
    keys, texts = (1 + 3) * 12, 3 * (3 + 9)  # row tiles x channels, channel tiles x tokens
    added = {
        "array_cycles": 2 * 2 * 48 + scores + values,
        "requant_words": 2 * 3 * 24 + words,
        "exp_words": words,
        "recip_ops": 2 * 4 * 4,
        "residual_words": 48,
        "norm_words": 48,
        "bypass_words": 48,
        "a_reads_row": 2 * 48 + 2 * 24,
        "a_writes": 48 + 2 * 24,
        "hidden_reads": 2 * 48 + scores,
        "hidden_writes": 2 * (24 + 24),
        "k_reads": scores,
        "k_writes": keys,
        "v_reads": values,
        "v_writes": texts,
        "prob_reads": values,
        "prob_writes": words,
        "score_reads": words,
        "score_writes": words,
        "weight_reads": 2 * 2 * 48,
        "weight_writes": (2 + 2) * 12,
        "x_reads": 48,
        "x_writes": 48,
        "fifo_reads": 48,
        "fifo_writes": 48,
        "gate_reads": 48,
        "modulation_reads": 48,
        "mod_writes": 8 + 2 * 12,
        "param_reads": 2 * 2 * 24,
        "param_writes": 2 * 12,
        "prompt_words": keys + texts,
    }
    assert {name: found[name] - BY_HAND[name] for name in found if found[name] != BY_HAND[name]} == added
    dense = DecisionRecord.dense(1, 1, 3, 2)
    cross = 5 * 12 * 2 * (2 * 12 + 3 + 9)
    assert model_macs(dims, dense) == model_macs(DIMS, DENSE) + cross
    longest = replace(dims, texts=())
    assert model_macs(longest, dense) == model_macs(DIMS, DENSE) + 2 * 5 * 12 * 2 * (12 + 10)


def test_policy_adds_detection_only():
    got = expected_counts(DIMS, BUILD, DENSE, RunTables(policy_on=True))
    detection = {"ccu_words": 96, "code_writes": 96, "code_reads": 96, "cache_writes": 96, "dtsm_ops": 4}
    assert got == BY_HAND | detection


def test_skipped_context_and_skipped_sub_block():
    computed = np.ones((2, 2, 2), bool)
    computed[1, 0, 1] = False  # one context's attention
    computed[1, 1, :] = False  # both contexts' MLP: no weights
    got = expected_counts(DIMS, BUILD, DecisionRecord.of_image(computed), RunTables(policy_on=True))
    assert got["array_cycles"] == BY_HAND["array_cycles"] + 3 * 48 + 36 + 24 + 48
    assert got["weight_writes"] == BY_HAND["weight_writes"] + 108
    assert got["param_writes"] == BY_HAND["param_writes"] + 36
    assert (got["cache_reads"], got["cache_writes"]) == (3 * 24, 5 * 24)
    assert (got["code_reads"], got["code_writes"], got["history_reads"]) == (5 * 24, 4 * 48, 2 * 48)
    assert got["norm_words"] == 2 * BY_HAND["norm_words"]
    assert got["a_reads_row"] == BY_HAND["a_reads_row"] + 2 * 48 + 24


def test_counts_are_linear_in_the_timesteps():
    twice = expected_counts(DIMS, BUILD, DecisionRecord.dense(1, 2, 2, 2), POLICY_OFF)
    assert (
        twice
        == add_counts(BY_HAND, BY_HAND)
        == expected_counts(DIMS, BUILD, DecisionRecord.joined([DENSE] * 2), POLICY_OFF)
    )


@pytest.mark.parametrize("scope", ["sub-block", "timestep", "stream"])
def test_counts_of_images_add_up(rng, scope):
    """Images in one record count as each by itself."""
    shape = 3, 6, DIMS.sub_blocks, DIMS.contexts
    computed = rng.random(shape) < 0.5
    computed[:, 0] = True
    if scope != "sub-block":
        computed[:] = computed[:, :, :1]
    follow = np.broadcast_to(np.arange(DIMS.sub_blocks) > 0, shape[1:3]) & (scope != "sub-block")
    tables = RunTables(True, gains=np.full(shape[1:3], 128), follow=follow, stream_scope=scope == "stream")
    record = DecisionRecord(computed)
    each = [expected_counts(DIMS, BUILD, image, tables) for image in record]
    assert expected_counts(DIMS, BUILD, record, tables) == add_counts(*each)
    assert model_macs(DIMS, record) == sum(model_macs(DIMS, image) for image in record)
    predictions, together = (
        [predict(DIMS, BUILD, image, tables) for image in record],
        predict(DIMS, BUILD, record, tables),
    )
    assert together.cycles == sum(one.cycles for one in predictions) == together.timesteps.sum()


def test_differences_by_hand():
    """Of one block; both contexts compute, then the label alone, then none: timesteps of 3, 3 and 2 passes."""
    computed = np.ones((1, 3, 2, 2), bool)
    computed[0, 1, :, 1] = computed[0, 2] = False
    record, follow = DecisionRecord(computed), np.ones((3, 2), bool)
    plain = RunTables(True, follow=follow, stream_scope=True)
    before, got = (
        expected_counts(DIMS, BUILD, record, replace(plain, difference=difference)) for difference in (False, True)
    )
    changed = {name: got[name] - count for name, count in before.items() if got[name] != count}
    each = 24  # words of a context
    assert changed == {
        "residual_words": 3 * each,  # every word of the null class meets one of the label's ..
        "x_reads": 3 * each,  # .. which is read once more ..
        "x_writes": 3 * each,  # .. where the last pass has left it
        "fifo_reads": each,  # differences of the one timestep that computes the null class
        "fifo_writes": each,
    }
    assert got["ccu_words"] == got["code_writes"] == got["history_reads"] == 0 and got["dtsm_ops"] == 3 * 2
    assert (got["cache_writes"], got["cache_reads"]) == (2 * 3 * each, 2 * 3 * each)


def test_groups_shorten_the_keys():
    build = BuildConfig(rows=8, cols=8, max_tokens=32, frame_banks=4)
    shape = {"hidden": 8, "heads": 1, "head_dim": 8, "mlp": 8, "tokens": 32, "sub_blocks": 4, "contexts": 1}
    dense = DecisionRecord.dense(1, 1, 4, 1)
    whole = expected_counts(Dims(**shape), build, dense, POLICY_OFF)
    video = Dims(**shape, even=Group(keys=16), odd=Group(frames=4))
    split = expected_counts(video, build, dense, POLICY_OFF)
    assert whole["score_writes"] == 2 * 4 * 32
    assert split["score_writes"] == 4 * 16 + 4 * 8
    assert split["v_reads"] == 4 * 16 + 4 * 8


def test_model_macs_leave_padding_out():
    attention = 5 * 12 * (4 * 12 + 2 * 5)
    assert model_macs(DIMS, DENSE) == 2 * (attention + 2 * 5 * 12 * 20)
    cells = BUILD.rows * BUILD.cols
    assert model_macs(DIMS, DENSE) < BY_HAND["array_cycles"] * cells


def test_array_cycles_are_exactly_the_macs_without_padding():
    dims = Dims(hidden=64, heads=2, head_dim=32, mlp=256, tokens=64, sub_blocks=12, contexts=2)
    dense = DecisionRecord.dense(1, 1, 12, 2)
    got = expected_counts(dims, BuildConfig(), dense, POLICY_OFF)
    assert got["array_cycles"] * 256 == model_macs(dims, dense)


@pytest.mark.parametrize(
    "computed, policy_on, words",
    [
        (np.ones((1, 2, 3), bool), True, "of 2 sub-blocks and 3 contexts: give one of 2 and 2"),
        (np.ones((1, 2, 2), int), True, "record of decisions is int64"),
        (np.zeros((1, 2, 2), bool), True, "in the first timestep"),
        (np.zeros((1, 2, 2), bool), False, "although the policy is off"),
    ],
)
def test_bad_record_is_refused(computed, policy_on, words):
    with pytest.raises(UserError) as caught:
        expected_counts(DIMS, BUILD, DecisionRecord.of_image(computed), RunTables(policy_on))
    assert words in str(caught.value)


def test_two_products_take_the_same_words_in_half_the_cycles():
    """Counters that count pairs, or cycles, are halves; in words everything is as with one product."""
    two, halves = replace(BUILD, products=2), ("array_cycles", "weight_reads", "weight_writes")
    once, paired = (expected_counts(DIMS, build, DENSE, POLICY_OFF) for build in (BUILD, two))
    assert paired["hidden_reads"] * 2 == once["hidden_reads"]
    found = in_words(paired, two)
    assert {name: found[name] * (2 if name in halves else 1) for name in once} == once


def test_a_head_that_begins_within_a_pair_takes_a_cycle_more():
    """Four heads of three channels, 0 1 2 | 3 4 5 | ..: two pairs each, the second head's from channel 2 on."""
    dims, two = replace(DIMS, heads=4, head_dim=3), replace(BUILD, products=2)
    counts = expected_counts(dims, two, DENSE, POLICY_OFF)
    assert counts["k_reads"] == 2 * 2 * (4 * 2)  # contexts, row tiles, cycles of the heads' score tiles
    for first in range(5):
        for depth in range(1, 6):
            assert two.steps(depth, first) == len({channel // 2 for channel in range(first, first + depth)})
            assert BUILD.steps(depth, first) == depth


def test_more_products_are_refused():
    for products in (0, 3):
        with pytest.raises(UserError, match=f"products is {products}; use 1 or 2"):
            replace(BUILD, products=products)
