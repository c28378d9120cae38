"""Cycles of a matrix product by SCALE-Sim (PyPI ``scalesim``), output stationary as our array is.

Its compute part is asked (``systolic_compute_os``), which writes down what the edges of a systolic array take in every
cycle. All folds, tiles of the result, take equally long; one of each K is asked. Its memory part, which adds stalls, is
left out: with numpy 2.4, version 3.0.0 ends there with a TypeError.

Source: Samajdar et al., "A systematic methodology for characterizing scalability of DNN accelerators using SCALE-Sim",
ISPASS 2020.
"""

from __future__ import annotations

import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from radit.model.errors import UserError
from radit.reports.crosscheck.gemms import Gemm

PACKAGE = "scalesim"
CONFIG = """[general]
run_name = radit
[architecture_presets]
ArrayHeight: {rows}
ArrayWidth: {cols}
IfmapSramSzkB: 1024
FilterSramSzkB: 1024
OfmapSramSzkB: 1024
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Dataflow: os
Bandwidth: 10
ReadRequestBuffer: 512
WriteRequestBuffer: 512
[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport: false
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""


def check_scale_sim() -> str:
    """The package's name and version.

    Raises:
        UserError: it is not installed.
    """
    try:
        import scalesim.compute.systolic_compute_os  # noqa: F401
    except ImportError:
        raise UserError(
            "SCALE-Sim, which cycles are set against, is missing: pip install 'radit[crosscheck]'."
        ) from None
    return f"{PACKAGE} {version(PACKAGE)}"


def gemm_cycles(gemm: Gemm, rows: int, cols: int) -> int:
    """Of all its folds, one after the other."""
    return gemm.folds(rows, cols) * simulated_cycles(rows, cols, rows, cols, gemm.k)


@cache
def simulated_cycles(rows: int, cols: int, m: int, n: int, k: int) -> int:
    """What SCALE-Sim says of (m x k) times (k x n) on an array; memory and time grow with all of them."""
    from scalesim.compute.systolic_compute_os import systolic_compute_os
    from scalesim.scale_config import scale_config

    config, compute = scale_config(), systolic_compute_os()
    with tempfile.TemporaryDirectory(prefix="radit-scalesim-") as folder:
        path = Path(folder) / "array.cfg"
        path.write_text(CONFIG.format(rows=rows, cols=cols))
        config.read_conf_file(str(path))
    compute.set_params(
        config_obj=config, ifmap_op_mat=np.zeros((m, k)), filter_op_mat=np.zeros((k, n)), ofmap_op_mat=np.zeros((m, n))
    )  # fmt: skip
    compute.create_demand_matrices()
    return int(compute.ofmap_demand_matrix.shape[0])
