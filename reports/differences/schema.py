"""``differences.json``: shares of narrow words and what exact differences would save.

Words are *measured* on the bit-exact integer model; cycles, traffic, energy and gates are *modelled*.
"""

from __future__ import annotations

from typing import Literal

from radit.model.dit.sampler_names import Solver, Spacing
from radit.reports.common.schema_parts import Amount, Array, Count, Part, Positive, Share

BaseName = Literal["none", "context", "timestep"]
Choosing = Literal["none", "context", "timestep", "best"]


class WordShares(Part):
    """Words of one kind of input, over all its sub-blocks, tiles, images and timesteps.

    Fields:
        input: which (`radit.reports.differences.tally.INPUTS`).
        base: that they are compared with; only where there is one.
        lanes: tokens of a word.
        width, offset: how they are narrowed.
        zero, narrow, wide, split: shares of the words, zero ones not narrow.
        cycles: of a tile, over one cycle per word; any_pairs: if any two words could share a cycle; skipping: if zero
            words took none.
        narrow_by_timestep: zero ones included, in the order of the run; 0 where nothing has a base.
    """

    input: str
    steps: Count
    base: BaseName
    lanes: Count
    width: Count
    offset: bool
    zero: Share
    narrow: Share
    wide: Share
    split: Share
    cycles: Positive
    any_pairs: Positive
    skipping: Amount
    narrow_by_timestep: list[Share]


class DifferencePoint(Part):
    """One machine on one run. Costs are of one image.

    Fields:
        steps: of the sampler.
        bandwidth: bytes per cycle; None: unlimited.
        products: whole products of a cell in a cycle; a narrow word is half of one.
        width: bits of a narrow value; 8: nothing is narrow, nothing is compared.
        base: what the machine may compare with; it takes the cheapest of that in every product.
        choices: the base of each product, first context / others.
        cycles, dense_cycles: with differences, and without on the same machine and decisions.
        factor: dense_cycles over cycles.
        kept_bytes: moved for kept sums and inputs to compare with.
        energy_uj, dense_energy_uj: nominal, the host's included; None: not modelled.
        gates, dense_gates: NAND2 equivalents, without memories.
        factor_per_area: factor over gates / dense_gates.
    """

    steps: Count
    array: Array
    bandwidth: Positive | None
    products: Count
    width: Count
    offset: bool
    base: Choosing
    choices: str
    cycles: Positive
    dense_cycles: Positive
    factor: Positive
    kept_bytes: Amount
    energy_uj: Positive | None
    dense_energy_uj: Positive
    gates: Positive
    dense_gates: Positive
    factor_per_area: Positive
    cycles_are: Literal["modelled"] = "modelled"


class DifferenceReport(Part):
    """The whole of differences.json.

    Fields:
        blocks, timesteps: of the model and the sampler, if not all.
        policy: which decides what is computed.
        priced: images whose decisions are priced; 1 and a dense policy: the mean of all samples' words.
        rules: how costs are counted.
        sum_bits: of a kept sum, by product, the widest sub-block's.
    """

    model: str
    blocks: Count | None
    solver: Solver
    spacing: Spacing
    timesteps: Count | None
    samples: Count
    cfg: Amount
    seed: Count
    policy: str
    priced: Count
    rules: list[str]
    sum_bits: dict[str, Count]
    shares: list[WordShares]
    points: list[DifferencePoint]
    command: str
    versions: dict[str, str]
