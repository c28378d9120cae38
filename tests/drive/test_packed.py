"""The packed model file: written, read back, and refused by both readers when anything is wrong with it."""

import ctypes
import zlib

import numpy as np
import pytest

from radit.accel.host import tables
from radit.accel.host.layout import FAILURE, FAILURES, HEADER, KIND, SECTION, offsets, size
from radit.accel.host.packed import DriverError, PackedModel
from radit.cosim.drive.c_driver import CDriverFailure, driver_library
from radit.model.policy.skip_policy import POLICIES
from tests.drive.tiny import BUILD, tiny_packed

MODEL_BYTES = 256  # more than a radit_model has


def c_result(data: bytes) -> str:
    """What the C driver says of a file; it may not read beyond it."""
    library = ctypes.CDLL(str(driver_library(BUILD)))
    library.radit_check.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
    model, failure = ctypes.create_string_buffer(MODEL_BYTES), CDriverFailure()
    content = ctypes.create_string_buffer(data, max(len(data), 1))
    result = library.radit_check(model, content, len(data), ctypes.byref(failure))
    assert failure.result == result
    return list(FAILURES)[result]


def python_result(data: bytes) -> str:
    """What the Python reader says."""
    try:
        PackedModel.from_bytes(data)
    except DriverError as error:
        assert error.code == FAILURE[error.name] and str(error).count("\n") == 0
        return error.name
    return "OK"


@pytest.mark.parametrize("path", tables.PARTS, ids=lambda path: path.name)
def test_generated_parts_are_current(path):
    """To bring them up to date: python -m radit.accel.host.tables."""
    text = path.read_text(encoding="utf-8")
    assert tables.updated(text, *tables.PARTS[path]) == text


def test_tables_without_marks_are_refused():
    with pytest.raises(ValueError, match="lacks the line"):
        tables.updated("no marks", *tables.PARTS[tables.DOCUMENT])


def test_a_file_read_back_is_the_same():
    packed = tiny_packed()
    data = packed.to_bytes()
    found = PackedModel.from_bytes(data)
    assert found.to_bytes() == data and c_result(data) == "OK"
    assert found.sections == packed.sections and found.registers == packed.registers
    assert found.needs["images"] == 2 and found.needs["rows"] == 4
    assert found.memory_bytes % 256 == 0 and found.memory_bytes >= sum(found.memories().values())


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_can_be_packed(policy):
    assert c_result(tiny_packed(policy).to_bytes()) == "OK"


def test_all_results_have_a_text():
    library = ctypes.CDLL(str(driver_library(BUILD)))
    library.radit_text.restype = ctypes.c_char_p
    assert [library.radit_text(code).decode() for code in range(len(FAILURES))] == list(FAILURES.values())
    assert library.radit_text(len(FAILURES)) == library.radit_text(-1) == b"an unknown result"


def test_checksums_of_both_are_equal(rng):
    library = ctypes.CDLL(str(driver_library(BUILD)))
    library.radit_crc32.restype = ctypes.c_uint32
    library.radit_crc32.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    for count in (0, 1, 7, 1000):
        data = rng.integers(0, 256, count, np.uint8).tobytes()
        assert library.radit_crc32(data, count) == zlib.crc32(data)


def with_directory(change) -> bytes:
    """A file whose directory is changed, and its checksum made to fit."""
    data = bytearray(tiny_packed().to_bytes())
    change(data)
    begun, where = offsets(HEADER)["file_bytes"], offsets(HEADER)["directory_crc"]
    end = int.from_bytes(data[8:12], "little")
    data[where : where + 4] = zlib.crc32(data[begun:end]).to_bytes(4, "little")
    return bytes(data)


def put(data: bytearray, place: int, value: int, count: int = 4) -> None:
    data[place : place + count] = value.to_bytes(count, "little")


def section_place(kind: str, field: str) -> int:
    """Of a field of the first section of a kind."""
    packed = tiny_packed()
    number = [one.kind for one in packed.sections].index(KIND[kind])
    return size(HEADER) + len(packed.registers) * 12 + number * size(SECTION) + offsets(SECTION)[field]


HOSTILE = {
    "empty": (lambda: b"", "NOT_A_MODEL"),
    "text": (lambda: b"not a model, " * 40, "NOT_A_MODEL"),
    "letters alone": (lambda: tiny_packed().to_bytes()[:4], "FILE_SIZE"),
    "cut off": (lambda: tiny_packed().to_bytes()[:-1], "FILE_SIZE"),
    "half": (lambda: tiny_packed().to_bytes()[: 5000], "FILE_SIZE"),
    "longer": (lambda: tiny_packed().to_bytes() + b"\0", "FILE_SIZE"),
    "other version": (lambda: with_directory(lambda data: put(data, 4, 9 << 16)), "FILE_VERSION_DIFFERS"),
    "many sections": (
        lambda: with_directory(lambda data: put(data, offsets(HEADER)["sections"], 0xFFFFFFFF)), "FILE_DAMAGED"
    ),
    "section beyond the end": (
        lambda: with_directory(lambda data: put(data, section_place("noise", "offset"), 1 << 40, 8)), "FILE_WRONG"
    ),
    "section at an odd place": (
        lambda: with_directory(lambda data: put(data, section_place("noise", "offset"), 1025, 8)), "FILE_WRONG"
    ),
    "endless section": (
        lambda: with_directory(lambda data: put(data, section_place("noise", "bytes"), 2**64 - 1, 8)), "FILE_WRONG"
    ),
    "endless room": (
        lambda: with_directory(lambda data: put(data, section_place("room", "bytes"), 2**64 - 1, 8)), "FILE_WRONG"
    ),
    "room without base": (
        lambda: with_directory(lambda data: put(data, section_place("room", "base"), 0)), "FILE_WRONG"
    ),
    "no x in": (
        lambda: with_directory(lambda data: put(data, section_place("x_in", "kind"), KIND["room"])), "FILE_WRONG"
    ),
    "short x out": (
        lambda: with_directory(lambda data: put(data, section_place("x_out", "bytes"), 8, 8)), "FILE_WRONG"
    ),
    "image that is none": (
        lambda: with_directory(lambda data: put(data, section_place("noise", "image"), 2)), "FILE_WRONG"
    ),
    "odd register": (lambda: with_directory(lambda data: put(data, size(HEADER), 5)), "FILE_WRONG"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_packed_model_is_refused(name):
    make, expected = HOSTILE[name]
    data = make()
    assert (python_result(data), c_result(data)) == (expected, expected)


def test_every_flipped_bit_is_found(rng):
    """But for those of the zeros between sections, which nothing reads."""
    data = tiny_packed().to_bytes()
    packed = PackedModel.from_bytes(data)
    end = int.from_bytes(data[8:12], "little")
    places = [*range(0, end, 3), *rng.integers(end, len(data), 200)]
    found = 0
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(8))
        results = python_result(bytes(flipped)), c_result(bytes(flipped))
        assert results[0] == results[1]
        if results[0] == "OK":
            assert PackedModel.from_bytes(bytes(flipped)) == packed
        found += results[0] != "OK"
    assert found > len(range(0, end, 3))


def test_random_directories_are_survived(rng):
    """Whatever numbers stand in a directory whose checksum fits, both readers say the same."""
    end = int.from_bytes(tiny_packed().to_bytes()[8:12], "little")
    for _ in range(300):

        def change(data: bytearray) -> None:
            for _ in range(int(rng.integers(1, 4))):
                put(data, 4 * int(rng.integers(4, end // 4)), int(rng.integers(0, 2**32)) >> int(rng.integers(32)))

        data = with_directory(change)
        assert python_result(data) == c_result(data)
