"""accel/dims.py: tile counts, shape registers, and the refusals."""

from dataclasses import replace

import pytest

from radit.accel.config import MOST_TEXTS, BuildConfig
from radit.accel.control.registers import FRAME_REGISTERS, REGISTERS, TEXT_REGISTERS
from radit.accel.dims import Dims, Group, registers
from radit.model.errors import UserError

DIGITS = {"hidden": 64, "heads": 2, "head_dim": 32, "mlp": 256, "tokens": 64, "sub_blocks": 12, "contexts": 2}
# What the driver sets from the skip policy and its memory map.
DRIVER_REGISTERS = frozenset(
    "watchdog policy stream_scope difference streak_step tight loose max_streak slope_max "
    "weight_base mod_base param_base cache_base cache_base_other history_base".split()
)


def test_every_register_is_set_by_shape_or_by_driver():
    written = {name for name, register in REGISTERS.items() if register.access == "write"}
    found = registers(Dims(**DIGITS), BuildConfig()).keys()
    assert found | DRIVER_REGISTERS == written - set(TEXT_REGISTERS) - set(FRAME_REGISTERS)
    text = replace(Dims(**DIGITS), text=5, cross_even=True, cross_odd=True, sub_blocks=18)
    found = registers(text, BuildConfig(max_text=5, max_sub_blocks=18, max_contexts=8, max_frames=1)).keys()
    texts = {f"text_keys_{context}" for context in range(MOST_TEXTS)}  # of the image at hand
    assert found | DRIVER_REGISTERS | {"prompt_base", "frame_base"} | texts == written
    assert not registers(Dims(**DIGITS), BuildConfig()).keys() & DRIVER_REGISTERS


def test_padded_rectangular_array():
    dims, build = Dims(12, 3, 4, 20, 9, 2, 2), BuildConfig(rows=4, cols=8)
    got = registers(dims, build)
    assert (got["row_tiles"], got["col_tiles"], got["supertiles_all"]) == (4, 2, 4)
    assert (got["row_tiles_all"], got["tokens_all"], got["codes_total"]) == (8, 32, 16 * 12)
    assert (got["group_row_tiles_even"], got["group_col_tiles_even"], got["group_keys_even"]) == (4, 2, 9)
    assert got["attention_words"] == (2 + 2 + 3 + 2) * 12
    assert got["mlp_words"] == 3 * 12 + 2 * 20


def test_temporal_groups():
    dims = Dims(**DIGITS | {"tokens": 128}, even=Group(keys=32), odd=Group(frames=4))
    got = registers(dims, BuildConfig(max_tokens=128, frame_banks=4))
    assert (got["group_row_tiles_even"], got["group_keys_even"], got["log_frames_even"]) == (2, 32, 0)
    assert (got["group_row_tiles_odd"], got["group_col_tiles_odd"]) == (1, 1)
    assert (got["log_frames_odd"], got["log_interleave_odd"], got["frame_stride_odd"]) == (2, 2, 2)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"hidden": 128, "heads": 4}, ("hidden is 128", "limit of 64", "max_hidden")),
        ({"mlp": 260}, ("mlp is 260", "limit of 256", "max_mlp")),
        ({"tokens": 65}, ("tokens is 65", "limit of 64", "max_tokens")),
        ({"contexts": 3}, ("contexts is 3", "limit of 2", "max_contexts")),
        ({"sub_blocks": 14}, ("sub_blocks is 14", "limit of 12", "max_sub_blocks")),
        ({"hidden": 30, "head_dim": 15}, ("hidden is 30", "multiple of 4")),
        ({"heads": 3}, ("hidden is 64", "3 heads of 32")),
        ({"tokens": 0}, ("tokens is 0", "positive")),
        ({"even": Group(keys=24)}, ("group keys of the even blocks is 24", "multiple of 16")),
        ({"odd": Group(frames=8)}, ("tokens is 64", "multiple of 128")),
        ({"odd": Group(frames=4)}, ("frames of the odd blocks is 4", "frame_banks of 4")),
        ({"odd": Group(frames=32)}, ("frames of the odd blocks is 32", "16 lanes")),
    ],
)
def test_refuses_in_one_sentence(change, words):
    with pytest.raises(UserError) as caught:
        registers(Dims(**DIGITS | change), BuildConfig())
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert message.endswith(".") and "\n" not in message
