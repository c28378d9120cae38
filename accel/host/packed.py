"""A packed model in Python: made of registers and sections, or read with the checks of the C driver."""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from radit.accel.axi.bus_registers import VERSION as WRAPPER_VERSION
from radit.accel.control.registers import VERSION as REGISTER_VERSION
from radit.accel.host.layout import (
    ALL_IMAGES,
    FAILURE,
    FAILURES,
    HEADER,
    HOST_SIZES,
    KIND,
    KINDS,
    MAGIC,
    MOST_MEMORIES,
    MOST_REGISTERS,
    MOST_SECTIONS,
    REGISTER,
    SECTION,
    SECTION_BYTES,
    SIZES,
    VERSION,
    FileField,
    offsets,
    size,
)
from radit.model.errors import UserError

MOST_BYTES = 1 << 44  # of a section, so that sums do not overflow anywhere
X_KINDS = (KIND["x_in"], KIND["x_out"])
ROOM_KINDS = (KIND["room"], *X_KINDS)


class DriverError(UserError):
    """A call of the driver failed.

    Attributes:
        name, code: of `FAILURES`.
    """

    def __init__(self, name: str, detail: str = "") -> None:
        self.name, self.code = name, FAILURE[name]
        super().__init__(f"{FAILURES[name]}{f' ({detail})' if detail else ''}.")


class RegisterValue(NamedTuple):
    """An entry of the register list."""

    address: int
    value: int
    image: int = ALL_IMAGES


class Section(NamedTuple):
    """An entry of the section table, of ``size`` bytes; ``content`` is empty where there is room alone."""

    kind: int
    base: int
    image: int
    size: int
    content: bytes = b""

    @property
    def name(self) -> str:
        """Of its kind; its number where there is no such kind."""
        return list(KINDS)[self.kind - 1] if 1 <= self.kind <= len(KINDS) else str(self.kind)


@dataclass(frozen=True)
class PackedModel:
    """What a packed model file says.

    Fields:
        needs: of the header, everything that concerns model and build (`BUILD_NEEDS` and the rest), by name.
        registers: in the order of writing.
        sections: in the order of the file.
    """

    needs: dict[str, int]
    registers: list[RegisterValue] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        """The file."""
        directory_bytes = size(HEADER) + len(self.registers) * size(REGISTER) + len(self.sections) * size(SECTION)
        place, table, content = directory_bytes, b"", []
        for one in self.sections:
            start = 0
            if one.kind not in ROOM_KINDS:
                start = -(-place // SECTION_BYTES) * SECTION_BYTES
                content += [bytes(start - place), one.content]
                place = start + one.size
            crc = zlib.crc32(one.content) if one.kind not in ROOM_KINDS else 0
            table += _packed(SECTION, kind=one.kind, base=one.base, image=one.image, crc=crc, offset=start,
                             bytes=one.size)  # fmt: skip
        listed = b"".join(_packed(REGISTER, **each._asdict()) for each in self.registers)
        values = {
            "magic": MAGIC, "version": VERSION[0] << 16 | VERSION[1], "directory_bytes": directory_bytes,
            "directory_crc": 0, "file_bytes": place, "registers": len(self.registers), "sections": len(self.sections),
            "register_version": REGISTER_VERSION[0], "wrapper_version": WRAPPER_VERSION[0], "reserved": 0,
        }  # fmt: skip
        directory = bytearray(_packed(HEADER, **(self.needs | values)) + listed + table)
        begun, where = offsets(HEADER)["file_bytes"], offsets(HEADER)["directory_crc"]
        directory[where : where + SIZES["u32"]] = zlib.crc32(directory[begun:]).to_bytes(SIZES["u32"], "little")
        return bytes(directory) + b"".join(content)

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> "PackedModel":
        """Read a file.

        Raises:
            DriverError: it is none, of another version, cut off, damaged, or contradicts itself.
        """
        data = bytes(data)
        values = _checked_header(data)
        place = size(HEADER)
        registers = [RegisterValue(**each) for each in _rows_of(REGISTER, data, place, values["registers"])]
        for one in registers:
            if one.address % 4 or not _is_image(one.image, values):
                raise DriverError("FILE_WRONG", f"register list: address {one.address:#x}, image {one.image}")
        place += values["registers"] * size(REGISTER)
        found = cls(values, registers, [])
        bases: set[int] = set()
        for entry in _rows_of(SECTION, data, place, values["sections"]):
            bases |= {entry["base"]} - {0}
            if len(bases) > MOST_MEMORIES:
                raise DriverError("FILE_WRONG", f"more than {MOST_MEMORIES} memories")
            found.sections.append(_section(entry, data, values))
        if not set(X_KINDS) <= {one.kind for one in found.sections}:
            raise DriverError("FILE_WRONG", "no room for x in or x out")
        return found

    def memories(self) -> dict[int, int]:
        """Bytes of every external memory by its base register, in order: the largest of its sections."""
        found: dict[int, int] = {}
        for one in self.sections:
            if one.base:
                found[one.base] = max(found.get(one.base, 0), one.size)
        return found

    @property
    def memory_bytes(self) -> int:
        """Device memory that it needs."""
        return sum(-(-size // SECTION_BYTES) * SECTION_BYTES for size in self.memories().values())

    def content(self, kind: str, image: int = ALL_IMAGES) -> bytes:
        """Of the section of a kind, for an image or for all.

        Raises:
            DriverError: there is none.
        """
        for one in self.sections:
            if one.name == kind and one.image == image:
                return one.content
        raise DriverError("FILE_WRONG", f"there is no section {kind}")

    def floats(self, kind: str, *shape: int, image: int = ALL_IMAGES) -> np.ndarray:
        """A section of float32, of a shape of which one side may be -1.

        Raises:
            DriverError: there is none, or it has another size.
        """
        return self._numbers(kind, "<f4", shape, image)

    def integers(self, kind: str, *shape: int, image: int = ALL_IMAGES) -> np.ndarray:
        """The same of uint32."""
        return self._numbers(kind, "<u4", shape, image)

    def _numbers(self, kind: str, dtype: str, shape: tuple[int, ...], image: int) -> np.ndarray:
        try:
            return np.frombuffer(self.content(kind, image), dtype).reshape(shape)
        except ValueError:
            raise DriverError("FILE_WRONG", f"section {kind} has not the size {shape}") from None

    def sizes(self) -> dict[str, int]:
        """Of the host's arithmetic."""
        content = self.content("sizes")
        if len(content) != size(HOST_SIZES):
            raise DriverError("FILE_WRONG", "section sizes has another size")
        return next(iter(_rows_of(HOST_SIZES, content, 0, 1)))


def host_sizes(**values: int) -> bytes:
    """The content of section sizes."""
    return _packed(HOST_SIZES, **values)


def _format(fields: dict[str, FileField]) -> str:
    return "<" + "".join("I" if field.kind == "u32" else "Q" for field in fields.values())


def _packed(fields: dict[str, FileField], **values: int) -> bytes:
    return b"".join(values[name].to_bytes(SIZES[field.kind], "little") for name, field in fields.items())


def _rows_of(fields: dict[str, FileField], data: bytes, place: int, count: int) -> Iterable[dict[str, int]]:
    chosen = data[place : place + count * size(fields)]
    return [dict(zip(fields, each, strict=True)) for each in struct.iter_unpack(_format(fields), chosen)]


def _checked_header(data: bytes) -> dict[str, int]:
    """The fields of the header, whose directory is whole."""
    is_model = data[:4] == MAGIC.to_bytes(4, "little")
    if len(data) < size(HEADER) or not is_model:
        raise DriverError("FILE_SIZE" if is_model else "NOT_A_MODEL")
    values = next(iter(_rows_of(HEADER, data, 0, 1)))
    if values["version"] >> 16 != VERSION[0]:
        raise DriverError("FILE_VERSION_DIFFERS", f"{values['version'] >> 16}, not {VERSION[0]}")
    if values["file_bytes"] != len(data):
        raise DriverError("FILE_SIZE", f"{len(data)}, not {values['file_bytes']}")
    count, sections, directory = values["registers"], values["sections"], values["directory_bytes"]
    fits = count <= MOST_REGISTERS and sections <= MOST_SECTIONS and directory <= len(data)
    if not fits or directory != size(HEADER) + count * size(REGISTER) + sections * size(SECTION):
        raise DriverError("FILE_DAMAGED", "its directory")
    if zlib.crc32(data[offsets(HEADER)["file_bytes"] : directory]) != values["directory_crc"]:
        raise DriverError("FILE_DAMAGED", "its directory")
    return values


def _is_image(image: int, values: dict[str, int]) -> bool:
    return image == ALL_IMAGES or image < values["images"]


def _section(entry: dict[str, int], data: bytes, values: dict[str, int]) -> Section:
    """A section with its content, checked."""
    kind, base, offset, count = (entry[name] for name in ("kind", "base", "offset", "bytes"))
    one = Section(kind, base, entry["image"], count)
    is_room = kind in ROOM_KINDS
    needs_base = is_room or kind == KIND["memory"]
    is_wrong = count > MOST_BYTES or base % 4 or not _is_image(one.image, values) or (needs_base and not base)
    if is_wrong or (is_room and offset) or (kind in X_KINDS and count < values["x_bytes"]):
        raise DriverError("FILE_WRONG", f"section {one.name}")
    if is_room:
        return one
    if offset % SECTION_BYTES or offset < values["directory_bytes"] or offset + count > len(data):
        raise DriverError("FILE_WRONG", f"section {one.name}")
    content = data[offset : offset + count]
    if zlib.crc32(content) != entry["crc"]:
        raise DriverError("FILE_DAMAGED", f"section {one.name}")
    return one._replace(content=content)
