"""Results are the same on any number of threads, and torch has as many afterwards as before."""

import threading

import pytest
import torch

from radit.model.dit.checkpoint import load_model
from radit.model.dit.sampler import Sampler, make_noise, sample
from radit.model.integer.calibration import calibrate
from radit.model.integer.generate import generate
from radit.model.integer.quantize import quantize
from radit.model.integer.reference import Reference
from radit.model.policy.skip_policy import radit
from radit.model.threads import one_thread

STEPS, IMAGES = 2, 3
THREADS = (1, 2, 3)


@pytest.fixture(autouse=True)
def _threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def dit():
    return load_model("digits")


@pytest.fixture(scope="module")
def calibration(dit):
    return calibrate(dit, Sampler(STEPS), images=IMAGES)


def on_threads(work):
    """What `work` gives on one, two and three threads; the number stays."""
    found = []
    for count in THREADS:
        torch.set_num_threads(count)
        found.append(work())
        assert torch.get_num_threads() == count
    return found


def test_images_and_decisions(dit):
    """From the float model on: calibrated, quantized, generated."""
    noise, y = make_noise(dit.config, IMAGES, 4), torch.arange(IMAGES)

    def run():
        integer = quantize(dit, calibrate(dit, Sampler(STEPS), images=IMAGES), Sampler(STEPS))
        reference = Reference(integer, radit(0.5, first_dense=1, last_dense=0).tables(integer))
        images, record = generate(reference, dit, y, noise)
        return images, record.counts

    (images, counts), *others = on_threads(run)
    for other, others_counts in others:
        assert torch.equal(images, other) and torch.equal(counts, others_counts)


def test_images_of_the_float_model(dit):
    first, *others = on_threads(
        lambda: sample(dit, make_noise(dit.config, IMAGES, 4), torch.arange(IMAGES), Sampler(STEPS))
    )
    assert all(torch.equal(first, other) for other in others)


def test_calibration(dit):
    first, *others = on_threads(lambda: calibrate(dit, Sampler(STEPS), images=IMAGES))
    names = [name for name, value in vars(first).items() if isinstance(value, torch.Tensor)]
    for other in others:
        assert all(torch.equal(getattr(first, name), getattr(other, name)) for name in names)


def test_the_integer_model(dit, calibration):
    first, *others = on_threads(lambda: quantize(dit, calibration, Sampler(STEPS)).digest())
    assert [first] * len(others) == others


def test_the_last_to_leave_restores_the_number():
    """Two Python threads are inside at a time, and leave in the order in which they came."""
    torch.set_num_threads(3)
    inside, leave = threading.Event(), threading.Event()

    def stay():
        with one_thread():
            inside.set()
            assert leave.wait(10)

    other = threading.Thread(target=stay)
    other.start()
    assert inside.wait(10)
    with one_thread():
        leave.set()
        other.join()
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3


def test_the_number_is_restored_after_an_error():
    torch.set_num_threads(2)
    with pytest.raises(ValueError, match="on purpose"), one_thread():
        raise ValueError("on purpose")
    assert torch.get_num_threads() == 2
