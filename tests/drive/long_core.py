"""Whole images by the C driver on a RISC-V soft core beside the accelerator; `tox run -e core`."""

import numpy as np
import pytest

from radit.accel.host.packed import DriverError, PackedModel
from radit.cosim.drive.compare import drive, expected_image
from radit.cosim.drive.simulated import BusTiming
from radit.model.errors import UserError
from tests.drive.tiny import BUILD, BUS, tiny_packed, tiny_prepared

pytest.importorskip("pythondata_cpu_picorv32")
from radit.cosim.drive.soft_core import core_library, core_program, run_core  # noqa: E402

pytestmark = pytest.mark.needs("riscv")
POLICY = "radit:threshold=0.9:first_dense=1"
MOST_CYCLES = 40_000_000


@pytest.fixture(scope="module")
def simulation():
    return core_library(tiny_prepared().build, BUS, BUILD), core_program(BUILD)


@pytest.mark.parametrize("by_interrupt", [False, True], ids=["polling", "interrupt"])
@pytest.mark.parametrize("policy", ["dense", POLICY])
def test_images_are_the_hosts_bit_for_bit(policy, by_interrupt, simulation):
    """Those of the reference, and of the same C compiled for this machine."""
    prepared, packed = tiny_prepared(), tiny_packed(policy)
    found = run_core(*simulation, packed, by_interrupt, MOST_CYCLES, BusTiming(20, 0.1))
    print(f"{policy}, by interrupt {by_interrupt}: {found.cycles} cycles, {found.interrupts} interrupts")
    expected = [expected_image(prepared, prepared.policy(policy), packed, image) for image in range(2)]
    assert np.array_equal(
        found.pictures.view(np.uint32), np.concatenate([one.image for one in expected]).view(np.uint32)
    )
    assert np.ptp(found.pictures) > 0.1
    assert (found.steps, found.interrupts, found.problem) == (8, 8, "")
    here = drive(prepared, prepared.policy(policy), BUS, BusTiming(), "c", BUILD)
    assert [one.is_equal for one in here] == [True, True]


def test_what_the_driver_refuses_there(simulation):
    packed = tiny_packed()
    other = PackedModel({**packed.needs, "rows": 8}, packed.registers, packed.sections)
    with pytest.raises(DriverError, match="another array"):
        run_core(*simulation, other, False, MOST_CYCLES)


def test_a_program_that_never_ends(simulation):
    library, _ = simulation
    endless = (0x0000006F).to_bytes(4, "little")  # j 0
    with pytest.raises(UserError, match="runs after"):
        run_core(library, endless, tiny_packed(), False, 400_000)
    with pytest.raises(UserError, match="trapped"):
        run_core(library, b"\0\0\0\0", tiny_packed(), False, 400_000)
