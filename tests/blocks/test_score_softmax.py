"""accel/array/score_softmax.py: which keys a query may see."""

import pytest
from myhdl import always, block

from radit.accel.array.score_softmax import score_mask
from radit.accel.config import BuildConfig
from radit.accel.interfaces.array_ports import AttentionGroup
from radit.accel.interfaces.signals import LOG_BITS, dim, word
from tests.units.bench import Bench, run_everywhere


@block
def masked(clk, key, part, keys, log_frames, log_interleave, mask, config):
    """``score_mask`` with flat ports, its answer one cycle later."""
    group, now = AttentionGroup(), word(config.rows)
    group.keys, group.log_frames, group.log_interleave = keys, log_frames, log_interleave
    unit = score_mask(key=key, part=part, group=group, mask=now, config=config)

    @always(clk.posedge)
    def keep():
        mask.next = now

    return unit, keep


@pytest.mark.parametrize("rows, cols", [(4, 16), (16, 4), (4, 4)])
def test_keys_of_the_group_are_seen(rows, cols, rng):
    """Valid keys, and in groups over time those of the query's place; the lanes of a row tile are those of its part."""
    config, wide = BuildConfig(rows=rows, cols=cols), max(rows, cols)
    ports = dict(key=dim(), part=dim(), keys=dim(), log_frames=word(LOG_BITS), log_interleave=word(LOG_BITS))
    bench = Bench(masked, {**ports, "mask": word(rows)}, config=config)
    sent = []
    for log_frames in range(wide.bit_length()):
        log_interleave = wide.bit_length() - 1 - log_frames if log_frames else 0
        for _ in range(40):
            keys = wide if log_frames else int(rng.integers(1, 2 * wide))
            sent.append(
                (int(rng.integers(2 * wide)), int(rng.integers(wide // rows)), keys, log_frames, log_interleave)
            )

    def drive():
        for values in [*sent, sent[-1]]:
            for name, value in zip(ports, values, strict=True):
                ports[name].next = value
            yield bench.clk.posedge

    bench.simulate(drive)
    expected = []
    for key, part, keys, log_frames, log_interleave in sent:
        lanes = range(part * rows, part * rows + rows)
        places = (1 << log_interleave) if log_frames else 1
        expected.append(sum(1 << i for i, lane in enumerate(lanes) if key < keys and key % places == lane % places))
    assert bench.trace["mask"][1 : len(expected) + 1] == expected
    assert len(set(expected)) > 2
    run_everywhere(bench)
