"""One unit of the accelerator on three simulators: MyHDL, its Verilog in Icarus, its VHDL in GHDL.

The requantizer takes 32-bit sums to int8, one word of four lanes per cycle. MyHDL runs it first, and every word is
compared with the golden function. Its converted Verilog and VHDL then get the same inputs in every cycle, and every
output of every cycle is compared with MyHDL's. A unit of your own is tried in the same way.

Expected output:

    requant_unit, 4 lanes: a word per cycle, 5 cycles latency
    MyHDL: 40 of 40 words equal to the golden function
    Verilog (iverilog): 260 values compared with MyHDL, none differs
    VHDL (ghdl): 260 values compared with MyHDL, none differs
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the bench of the unit tests is not installed

from radit.accel.units.requant import requant_unit  # noqa: E402
from radit.model.formats import ACC_BITS, BIAS_BITS, INT8_BITS, MULT_BITS, SHIFT_BITS, WIDE_BITS  # noqa: E402
from radit.model.ops.requant import requant  # noqa: E402
from tests.units.bench import Bench, Vectors, flag, number, pack, unpack, word  # noqa: E402

LANES, WORDS = 4, 40


def main() -> None:
    ports = {
        "src_valid": flag(), "acc": word(LANES * ACC_BITS), "bias": number(BIAS_BITS), "mult": word(MULT_BITS),
        "shift": word(SHIFT_BITS), "per_token": flag(), "token_mult": word(LANES * MULT_BITS),
        "token_shift": word(LANES * SHIFT_BITS), "dst_valid": flag(), "wide": word(LANES * WIDE_BITS),
        "narrow": word(LANES * INT8_BITS), "saturated": word(LANES),
    }  # fmt: skip
    bench = Bench(requant_unit, ports, lanes=LANES)

    rng = np.random.default_rng(1)
    sums = rng.integers(-100_000, 100_000, (WORDS, LANES)).tolist()
    biases, mults = rng.integers(-1000, 1000, WORDS).tolist(), rng.integers(1 << 14, 1 << 16, WORDS).tolist()
    words = [
        {"acc": pack(acc, ACC_BITS), "bias": bias, "mult": mult, "shift": 25}
        for acc, bias, mult in zip(sums, biases, mults, strict=True)
    ]
    vectors = Vectors(bench, words)
    bench.simulate(vectors)
    print(f"requant_unit, {LANES} lanes: a word per cycle, {vectors.latency()} cycles latency")

    found = [unpack(narrow, INT8_BITS, LANES) for (narrow,) in vectors.results("narrow")]
    wanted = [requant(torch.tensor(acc), b, m, 25).tolist() for acc, b, m in zip(sums, biases, mults, strict=True)]
    equal = sum(a == b for a, b in zip(found, wanted, strict=True))
    print(f"MyHDL: {equal} of {WORDS} words equal to the golden function")

    for language, tool, check in (
        ("Verilog", "iverilog", bench.check_verilog),
        ("VHDL", "ghdl", bench.check_vhdl),
    ):
        if shutil.which(tool) is None:
            print(f"{language} ({tool}): skipped, {tool} is not installed")
            continue
        compared = check()  # raises where a value differs
        print(f"{language} ({tool}): {sum(compared.values())} values compared with MyHDL, none differs")


if __name__ == "__main__":
    main()
