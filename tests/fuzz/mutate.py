"""Seeded damage to good files: bytes of any file, and what a file of each format says where that is known.

Every function takes the bytes of a good file and a source of randomness, and returns other bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests import mutants

Mutation = Callable[[bytes, random.Random], bytes]

MAGIC = (
    b"PK\x03\x04",
    b"\x80\x02",
    b"GIF89a",
    b"\x89PNG\r\n\x1a\n",
    b"\x93NUMPY",
    b"{}",
    b"[]",
    b"null",
    b"\xff\xfe",
    b"\0",
)
LONG_NUMBER, DEEP = "9" * 5000, "[" * 100_000 + "]" * 100_000
RAW = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    LONG_NUMBER,
    DEEP,
    "{" * 3,
    "'x'",
    "\\",
    "\0",
    '"\\ud800"',
    "0x10",
    "01",
)
MARK = "@raw@"


def mutated(path: Path, seed: str) -> bytes:
    """What the file holds, damaged."""
    rng = random.Random(f"{path.name}/{seed}")
    data = path.read_bytes()
    known = BY_SUFFIX.get(path.suffix, [])
    ways = [*known, *known, damage] if known else [damage]
    return rng.choice(ways)(data, rng)


def damage(data: bytes, rng: random.Random) -> bytes:
    """Bits, pieces and lengths; once in a while several at a time."""
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        data = rng.choice((_flip, _flip, _overwrite, _cut, _cut, _remove, _double, _append, _insert, _replace))(
            data, rng
        )
    return data


def _place(data: bytes, rng: random.Random) -> int:
    """Somewhere; often near an end, where formats keep what matters."""
    where = rng.choice((rng.randrange(len(data) + 1), rng.randrange(min(len(data), 64) + 1), len(data)))
    return max(0, where - rng.randrange(32)) if where == len(data) else where


def _flip(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return b"\x01"
    at, found = min(_place(data, rng), len(data) - 1), bytearray(data)
    found[at] ^= 1 << rng.randrange(8)
    return bytes(found)


def _overwrite(data: bytes, rng: random.Random) -> bytes:
    at, length = _place(data, rng), rng.choice((1, 2, 4, 8, 64))
    fill = rng.choice((b"\0" * length, b"\xff" * length, rng.randbytes(length)))
    return data[:at] + fill + data[at + length :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.choice((0, 1, 7, 8, 9, len(data) // 2, max(len(data) - 1, 0), rng.randrange(len(data) + 1)))]


def _remove(data: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + rng.choice((1, 4, 100)) :]


def _double(data: bytes, rng: random.Random) -> bytes:
    at, length = _place(data, rng), rng.choice((1, 16, 1000))
    return data[: at + length] + data[at:]


def _append(data: bytes, rng: random.Random) -> bytes:
    return data + rng.choice((b"\0", b"\n", data[:100], rng.randbytes(100)))


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.choice(MAGIC) + data[at:]


def _replace(data: bytes, rng: random.Random) -> bytes:
    return rng.choice((b"", *MAGIC, rng.randbytes(200), b"a" * 5000, "\u20ac".encode("utf-16")))


def json_text(data: bytes, rng: random.Random) -> bytes:
    """Values and keys of a JSON document; or one value for a token that JSON's own writer cannot write."""
    try:
        content = json.loads(data)
    except ValueError:
        return damage(data, rng)
    places = list(mutants.places(content))
    if places and rng.random() < 0.3:
        inside, key = rng.choice(places)
        inside[key] = MARK
    else:
        content = mutants.mutated(content, np.random.default_rng(rng.getrandbits(64)))
    text = json.dumps(content).replace(json.dumps(MARK), rng.choice(RAW))
    return text.encode("utf-8", "surrogatepass")


def safetensors(data: bytes, rng: random.Random) -> bytes:
    """The length of the header, its entries, the config in its metadata, or numbers of a tensor."""
    if len(data) < 8:
        return damage(data, rng)
    (length,) = struct.unpack("<Q", data[:8])
    header, body = data[8 : 8 + length], data[8 + length :]
    way = rng.randrange(5)
    if way == 0:
        return struct.pack("<Q", rng.choice((0, 1, length - 1, length + 1, 2**32, 2**63, 2**64 - 1))) + header + body
    if way == 1:
        at = rng.randrange(max(len(body) // 4, 1)) * 4
        number = rng.choice((float("nan"), float("inf"), 1e38, -1e38, 1e-45))
        body = body[:at] + struct.pack("<f", number) + body[at + 4 :]
    elif way == 2:
        header = json_text(header, rng)
    else:
        header = _with_config(header, rng)
    return struct.pack("<Q", len(header)) + header + body


def _with_config(header: bytes, rng: random.Random) -> bytes:
    """The header with another config."""
    try:
        entries = json.loads(header)
        name = rng.choice(sorted(entries["__metadata__"]))
        entries["__metadata__"][name] = json_text(entries["__metadata__"][name].encode(), rng).decode(errors="replace")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return json_text(header, rng)
    return json.dumps(entries).encode()


def npz(data: bytes, rng: random.Random) -> bytes:
    """An array of another kind, gone or under another name, or bytes of a member."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            arrays = dict(stored)
    except (OSError, ValueError, zipfile.BadZipFile):
        return damage(data, rng)
    name = rng.choice(sorted(arrays))
    way = rng.randrange(8)
    if way == 0:
        arrays.pop(name)
    elif way == 1:
        arrays[rng.choice(("x", "computed/", "computed/none", "images/[red]", "../x", "images/radit\x1b"))] = (
            arrays.pop(name)
        )
    elif way == 2:
        return _rewritten_member(data, rng)
    else:
        arrays[name] = _other_array(arrays[name], rng)
    written = io.BytesIO()
    np.savez(written, **arrays)
    return written.getvalue()


def _other_array(one: np.ndarray, rng: random.Random) -> np.ndarray:
    kinds = (np.float16, np.float64, np.int8, np.complex64, np.bool_, "U5", "S5", "datetime64[s]")
    ways: tuple[Callable[[], np.ndarray], ...] = (
        lambda: one[:0], lambda: one.reshape(-1), lambda: one[None], lambda: np.array(1.0), lambda: np.zeros((0, 3)),
        lambda: np.zeros(one.shape, rng.choice(kinds)), lambda: np.full(one.shape, np.nan), lambda: one[..., :-1],
        lambda: np.full(one.shape, np.inf), lambda: np.full(one.shape, -(10**9)), lambda: one.T, lambda: one[..., None],
        lambda: np.repeat(one[None], 2, 0).reshape(-1, *one.shape[1:]) if one.ndim else one[None],
        lambda: np.array([{"a": 1}], dtype=object),
    )  # fmt: skip
    try:
        return rng.choice(ways)()
    except (IndexError, ValueError):  # it has no axes
        return one[None]


def _rewritten_member(data: bytes, rng: random.Random) -> bytes:
    """An archive whose sums are right and one member of which is not."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(members))
    members[name] = damage(members[name], rng)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return written.getvalue()


def torch_file(data: bytes, rng: random.Random) -> bytes:
    """Tensors of other kinds, other things in the place of tensors, the format of old versions."""
    content = torch.load(io.BytesIO(data), weights_only=True)
    state = content.get("ema", content.get("state", content)) if isinstance(content, dict) else content
    name = rng.choice(sorted(state, key=str))
    state[name] = (
        _other_tensor(state[name], rng) if rng.random() < 0.8 else rng.choice((None, 1, "x", [], {}, {"a": []}))
    )
    if rng.random() < 0.15:
        state[rng.choice((1, "", "[/red]", "\x1b[31m", ("a",), "self"))] = torch.zeros(1)
    if rng.random() < 0.1:
        content = rng.choice(([], state, {"ema": None}, {"model": {}}, torch.zeros(2), {"state_dict": [state]}))
    written = io.BytesIO()
    torch.save(content, written, _use_new_zipfile_serialization=rng.random() < 0.7)
    found = written.getvalue()
    return damage(found, rng) if rng.random() < 0.15 else found


def training(data: bytes, rng: random.Random) -> bytes:
    """What a sealed file holds, sealed anew or not."""
    kind = data.index(b"\n") + 1
    body = torch_file(data[kind + 32 :], rng)
    seal = hashlib.sha256(body).digest() if rng.random() < 0.7 else data[kind : kind + 32]
    return data[:kind] + seal + body


def _other_tensor(one: Any, rng: random.Random) -> Any:
    if not isinstance(one, torch.Tensor):
        return rng.choice((torch.zeros(3), None, -1, float("nan"), 10**24))
    ways: tuple[Callable[[], torch.Tensor], ...] = (
        lambda: one.to(torch.float8_e4m3fn), lambda: one.half(), lambda: one.to(torch.complex64), lambda: one.bool(),
        lambda: one.to_sparse(), lambda: one.to("meta"), lambda: one[..., :0], lambda: torch.zeros(()),
        lambda: one.reshape(-1), lambda: one[None], lambda: torch.full_like(one, float("nan")), lambda: one.long(),
        lambda: torch.full_like(one, 1e38), lambda: torch.zeros(1).expand(one.shape), lambda: one.double() * 1e300,
        lambda: torch.zeros((0,) * max(one.dim(), 1)), lambda: torch.zeros(1).expand(1 << 40),
        lambda: torch.quantize_per_tensor(one.float(), 0.1, 0, torch.qint8), lambda: one.to(torch.bfloat16),
    )  # fmt: skip
    try:
        return rng.choice(ways)()
    except (RuntimeError, ValueError):
        return one


NUMBER = re.compile(rb"(?<![\w.])-?\d+(\.\d+)?([eE][+-]?\d+)?")
TOKENS = (
    b"nan", b"inf", b"-1", b"0", b"1e400", b"'x'", b'""', b"[]", b"{}", b"true", b"1979-05-27", b"-",
    LONG_NUMBER.encode(), b"[" * 5000, b"{a=" * 3000,
    b"1e-320", b"1e308", b".", b"1..2", b"\xff", b"\0", b'"<script>"', b'"[/red]"', b"",
)  # fmt: skip


def text(data: bytes, rng: random.Random) -> bytes:
    """A number or a line of a text."""
    lines, numbers = data.split(b"\n"), list(NUMBER.finditer(data))
    way = rng.randrange(6)
    if way <= 2 and numbers:
        one = rng.choice(numbers)
        return data[: one.start()] + rng.choice(TOKENS) + data[one.end() :]
    at = rng.randrange(len(lines))
    if way == 3:
        lines.pop(at)
    elif way == 4:
        lines.insert(
            at, rng.choice((lines[rng.randrange(len(lines))], b"[a.b]", b"x = 1", b"[[x]]", b"\xff\xfe", *TOKENS))
        )
    else:
        return data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"", b"\n\n", b"\0")))
    return b"\n".join(lines)


BY_SUFFIX: dict[str, list[Mutation]] = {
    ".json": [json_text],
    ".safetensors": [safetensors],
    ".npz": [npz],
    ".pt": [torch_file],
    ".training": [training],
    ".toml": [text],
    ".lib": [text],
    ".md": [text],
    ".v": [text],
}
