"""``radit crosscheck``: cycles of a block's matrix products against SCALE-Sim, energies against a second source."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path

from radit.model.errors import UserError
from radit.model.files import write_json
from radit.model.outputs import output_folder
from radit.reports.common.schema_parts import Array
from radit.reports.crosscheck.gemms import BlockProduct, Gemm, block_products
from radit.reports.crosscheck.scale_sim import check_scale_sim, gemm_cycles
from radit.reports.crosscheck.schema import FILE, CrossCheck, GemmCycles
from radit.reports.crosscheck.second_source import compared
from radit.reports.energy.energy_table import DEFAULT_TABLE, load_table

TOTAL = "the block"


def run_crosscheck(
    *, models: Sequence[str], arrays: Sequence[tuple[int, ...]], table: str, out: Path, command: str = ""
) -> CrossCheck:
    """Compare, and write ``out``/crosscheck.json.

    Args:
        arrays: rows and columns.
        table: of energies: "default", or the path of a TOML file.

    Raises:
        UserError: SCALE-Sim is missing, a model is unknown, an array does not hold it or has cells of two products, a
            table is bad, or nothing can be written to ``out``.
    """
    out = output_folder(out, files=[FILE])
    for shape in arrays:
        if len(shape) > 2:
            text = "x".join(map(str, shape))
            raise UserError(f"--array is {text}: SCALE-Sim knows one product per cell, give rows x columns alone.")
    prices = load_table(DEFAULT_TABLE if table == "default" else Path(table))
    result = CrossCheck(
        simulator=check_scale_sim(),
        energy_table=prices.name,
        cycles=[one for model in models for rows, cols in arrays for one in _cycles(model, rows, cols)],
        energies=compared(prices),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=command,
    )
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / FILE, result)
    return result


def _cycles(model: str, rows: int, cols: int) -> Iterable[GemmCycles]:
    """The products of a model's block, and their sum."""
    found = block_products(model, rows, cols)
    every = tuple(gemm for one in found for gemm in one.gemms)
    for one in [*found, BlockProduct(TOTAL, every, sum(one.cycles for one in found))]:
        yield GemmCycles(
            model=model,
            array=Array(rows=rows, cols=cols),
            product=one.name,
            gemms=[] if one.name == TOTAL else [_text(gemm) for gemm in one.gemms],
            folds=sum(gemm.folds(rows, cols) for gemm in one.gemms),
            busy=sum(gemm.folds(rows, cols) * gemm.k for gemm in one.gemms),
            ours=one.cycles,
            other=sum(gemm_cycles(gemm, rows, cols) for gemm in one.gemms),
        )


def _text(gemm: Gemm) -> str:
    return f"{gemm.count} of {gemm.m}x{gemm.n}x{gemm.k}"
