"""Whole digits by the driver in Python over cocotbext-axi, dense and skipping; `tox run -e axi`."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from cocotb_tools.runner import get_results

from radit.accel.axi.bus_config import BusConfig
from radit.accel.axi.bus_ports import AxiTopPorts
from radit.accel.export.convert import AXI_TOP
from radit.cosim.drive.compare import expected_image
from radit.cosim.drive.model_file import pack_model
from radit.cosim.engines.open import exported_verilog
from radit.cosim.engines.toolchain import find_compiler, find_verilator
from radit.cosim.engines.verilate import WAVES, built
from radit.cosim.prepare import Request, prepare
from radit.cosim.speed.cocotb_sim import CocotbBuild, cocotb_environment
from radit.model.policy.policy_file import own_sampler
from tests.axi.simulate import ROOT, SETTINGS

BUS = BusConfig(256)

pytestmark = pytest.mark.needs("verilator")


@dataclass(frozen=True)
class AxiCocotbBuild(CocotbBuild):
    """The wrapper; cocotb sees its ports."""

    @property
    def files(self) -> dict[str, str]:
        return {"ports.vlt": self.shown(port.name for port in AxiTopPorts(self.config, BUS).table())}


@pytest.mark.parametrize("policy", ["dense", "radit"])
def test_a_whole_digit(policy, tmp_path, seed):
    way = own_sampler("digits", None, None, None)
    request = Request(
        model="digits",
        steps=way.steps,
        solver=way.solver,
        spacing=way.spacing,
        engine="verilator",
        images=1,
        seed=0,
        cfg=1.5,
        array=(16, 16),
    )
    prepared = prepare(request)
    chosen = prepared.policy(policy)
    model = pack_model(prepared, chosen)
    expected = expected_image(prepared, chosen, model, 0)
    (tmp_path / "packed").write_bytes(model.to_bytes())
    np.savez(tmp_path / "expected.npz", x_in=expected.x_in, x_out=expected.x_out, image=expected.image)
    verilog = exported_verilog(prepared.build, ROOT / "build" / "rtl", bus=BUS)
    build = AxiCocotbBuild(prepared.build, verilog, AXI_TOP, WAVES[""], 1, find_verilator(), find_compiler())
    simulation = built(build, ROOT / "build" / "verilated")
    told = {
        "packed": str(tmp_path / "packed"), "expected": str(tmp_path / "expected.npz"), "pause": 0.1,
        "found": str(tmp_path / "found.json"), "memory_bytes": model.memory_bytes, "data_bits": BUS.data_bits,
        "burst": BUS.burst_beats,
    }  # fmt: skip
    environment = cocotb_environment("tests.axi.bench_images", AXI_TOP, tmp_path / "results.xml")
    path = os.pathsep.join([str(ROOT), *sys.path])
    environment |= {"PYTHONPATH": path, "COCOTB_RANDOM_SEED": str(seed), SETTINGS: json.dumps(told)}
    ran = subprocess.run([simulation], cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True)
    tests, failed = get_results(Path(tmp_path / "results.xml"))
    assert tests and not failed, ran.stdout[-6000:] + ran.stderr[-3000:]
    found = json.loads((tmp_path / "found.json").read_text())
    print(policy, found)
    assert found["words"] == 2 * way.steps * expected.x_in[0].size and found["values"] == expected.image.size
    assert found["wrong_words"] == found["wrong_values"] == 0
