"""The packed model file, described once: writer, both readers, the C header and docs/driver.md follow this list.

Numbers are little endian. The file begins with a directory: header, register list, section table. Behind it lies the
content of the sections, each at a multiple of ``SECTION_BYTES``, with zeros between.
"""

from typing import NamedTuple

from radit.accel.axi.bus_config import PAGE_BYTES

MAGIC = int.from_bytes(b"RADP", "big")
VERSION = 1, 0  # of the layout: major where a reader must change
ALL_IMAGES = 0xFFFFFFFF  # in the place of an image's number
SECTION_BYTES = PAGE_BYTES  # that content begins at multiples of, in the file as in memory
MOST_REGISTERS, MOST_SECTIONS, MOST_MEMORIES = 65536, 65536, 16
SIZES = {"u32": 4, "u64": 8}


class FileField(NamedTuple):
    """A number of the file: "u32" or "u64"."""

    kind: str
    meaning: str


HEADER: dict[str, FileField] = {
    "magic": FileField("u32", f"{MAGIC:#010x}, the letters RADP"),
    "version": FileField("u32", "of the layout: bits 31:16 major, 15:0 minor"),
    "directory_bytes": FileField("u32", "of header, register list and section table"),
    "directory_crc": FileField("u32", "CRC-32 of the directory from the next byte on"),
    "file_bytes": FileField("u64", "of the file"),
    "registers": FileField("u32", "entries of the register list"),
    "sections": FileField("u32", "entries of the section table"),
    "images": FileField("u32", "images whose conditioning the file has"),
    "steps": FileField("u32", "timesteps of an image"),
    "mod_words": FileField("u32", "what register mod_base grows by from a timestep to the next"),
    "param_words": FileField("u32", "the same of param_base"),
    "x_bytes": FileField("u32", "of x, in as out"),
    "register_version": FileField("u32", "major version of the accelerator's registers that is needed"),
    "wrapper_version": FileField("u32", "the same of the AXI wrapper's"),
    "rows": FileField("u32", "rows of the array; the build must have as many"),
    "cols": FileField("u32", "columns, the same"),
    "products": FileField("u32", "products of a cell, the same"),
    "frame_banks": FileField("u32", "frame banks that the build must have at least"),
    "hidden": FileField("u32", "D, the same"),
    "mlp": FileField("u32", "M, the same"),
    "tokens": FileField("u32", "padded tokens of a context, the same"),
    "contexts": FileField("u32", "contexts, the same"),
    "sub_blocks": FileField("u32", "sub-blocks, the same"),
    "text": FileField("u32", "text tokens, the same; 0: only a build without cross-attention"),
    "frames": FileField("u32", "frames whose embeddings a pass adds, the same"),
    "reserved": FileField("u32", "0"),
}
REGISTER: dict[str, FileField] = {
    "address": FileField("u32", "byte address of the register"),
    "value": FileField("u32", "what to write"),
    "image": FileField("u32", f"before this image; {ALL_IMAGES:#x}: once, when the file is loaded"),
}
SECTION: dict[str, FileField] = {
    "kind": FileField("u32", "what it is, see the kinds"),
    "base": FileField("u32", "byte address of the low base register that its memory goes to; 0: none"),
    "image": FileField("u32", f"of this image alone; {ALL_IMAGES:#x}: of all"),
    "crc": FileField("u32", "CRC-32 of its bytes; 0 without content"),
    "offset": FileField("u64", "of its bytes in the file; 0 without content"),
    "bytes": FileField("u64", "of it"),
}

# What a section is. The driver takes the first four; a host program uses the others.
KINDS: dict[str, str] = {
    "memory": "content of an external memory",
    "room": "room for an external memory, without content: cache or history",
    "x_in": "room for x in",
    "x_out": "room for x out",
    "sizes": "of the host's arithmetic: see the sizes",
    "patch_weights": "float32 (channels x patch x patch, D): embedding of a patch",
    "positions": "float32 (tokens, D): added to it; bias, position and frame together",
    "token_order": "u32 (padded tokens): token at each place of a context",
    "last_weights": "float32 (D, patch x patch x channels): the last layer",
    "last_bias": "float32 (patch x patch x channels): its bias",
    "sampler": "float32 (steps, 3 + steps): the way from noise to image",
    "noise": "float32 (values of an image): where an image begins",
    "last_modulation": "float32 (steps, contexts, 2, D): factor and summand before the last layer",
}
KIND = {name: number for number, name in enumerate(KINDS, 1)}

HOST_SIZES: dict[str, FileField] = {
    "channels": FileField("u32", "of an image"),
    "guided": FileField("u32", "channels that guidance is for, the first ones"),
    "frames": FileField("u32", "of a clip; 1: an image"),
    "rows": FileField("u32", "of an image, in values"),
    "columns": FileField("u32", "the same"),
    "patch": FileField("u32", "values of a patch's side"),
    "hidden": FileField("u32", "D"),
    "tokens": FileField("u32", "of a context, without padding"),
    "places": FileField("u32", "the same, padded"),
    "lanes": FileField("u32", "of a word of x, R"),
    "contexts": FileField("u32", "1, or 2 with guidance"),
    "steps": FileField("u32", "timesteps"),
    "x_frac": FileField("u32", "fraction bits of x"),
    "epsilon": FileField("u32", "of the last norm, in units of x squared times D squared"),
    "clips": FileField("u32", "1: what is predicted of the image is held to -1 .. 1"),
    "guidance": FileField("u32", "guidance scale, the bits of a float32"),
}


def offsets(fields: dict[str, FileField]) -> dict[str, int]:
    """Byte offset of every field."""
    found, place = {}, 0
    for name, field in fields.items():
        found[name] = place
        place += SIZES[field.kind]
    return found


def size(fields: dict[str, FileField]) -> int:
    """Bytes of all fields."""
    return sum(SIZES[field.kind] for field in fields.values())


# Why a call of a driver failed, C and Python alike.
FAILURES: dict[str, str] = {
    "OK": "all is well",
    "BUS": "a register access was answered with an error",
    "NO_DEVICE": "there is no accelerator at these registers",
    "DEVICE_VERSION": "the accelerator's registers have another major version",
    "NOT_A_MODEL": "these bytes are no packed model",
    "FILE_VERSION_DIFFERS": "the packed model has another major version",
    "FILE_SIZE": "the packed model has not as many bytes as it says",
    "FILE_DAMAGED": "the packed model is damaged: a checksum differs",
    "FILE_WRONG": "the packed model contradicts itself",
    "OTHER_ARRAY": "the packed model is for another array, or for a build with text, or without",
    "BUILD_TOO_SMALL": "the build is too small for the packed model",
    "ALIGNMENT": "the memory does not begin at a multiple of 256",
    "NO_ROOM": "the memory is too small for the packed model",
    "ADDRESS": "the memory lies beyond the addresses of the bus",
    "ORDER": "a call came before the call that it needs",
    "NO_IMAGE": "the packed model has no such image",
    "NO_STEP": "the packed model has no such timestep",
    "BUSY": "the accelerator is busy",
    "TIMEOUT": "the timestep did not end in time",
    "MEMORY": "a memory answered a burst with an error",
    "REFUSED": "the accelerator refused the timestep: a register has a bad value",
    "ENDED": "the timestep was ended early, by an abort or by the watchdog",
    "NO_WORK_SPACE": "the work space of the host's arithmetic is too small",
}
FAILURE = {name: code for code, name in enumerate(FAILURES)}
