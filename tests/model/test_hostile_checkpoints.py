"""Any file, any config: a model, or one sentence that names the file, and nothing of it is run.

The seeded mutations of files are a few hundred here, more with RADIT_EXAMPLES (a factor).
"""

from __future__ import annotations

import json
import os
import pickle
import struct
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from radit.model.dit.checkpoint import load_checkpoint, load_config, load_model, save_checkpoint
from radit.model.dit.config import DiTConfig
from radit.model.dit.facts import NOTHING_SAID, Facts
from radit.model.dit.transformer import DiT
from radit.model.errors import UserError
from radit.model.limits import machine_memory
from radit.model.plain_text import visible
from tests.mutants import examples, flipped

SMALL = DiTConfig(input_size=4, hidden_size=8, depth=1, num_heads=2, mlp_ratio=1.0, num_classes=2)
TOLD = Facts(num_heads=2, num_classes=2, prediction="noise", samples="pixels")
FIRST = "x_embedder.proj.weight"
CHUNK = 50  # mutated files of one test


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    torch.manual_seed(3)
    return {name: value.detach() for name, value in DiT(SMALL).state_dict().items()}


def refusal(path: Path, facts: Facts = TOLD) -> str:
    """The sentence with which a file is refused; empty where it loads."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning would be a second line
        try:
            config, state = load_checkpoint(path, facts)
        except UserError as error:
            told = str(error)
            assert told == visible(told) and told.endswith(".") and len(told) < 1200, told
            assert "weights_only" not in told and "trust" not in told
            return told
    assert all(value.dtype == torch.float32 and bool(torch.isfinite(value).all()) for value in state.values())
    return ""


def with_metadata(path: Path, state: dict[str, Tensor], metadata: dict[str, str]) -> Path:
    """A file of weights with any metadata."""
    save_file(state, path, metadata)
    return path


# ----------------------------------------------------------------------------------------------------------------------
# Names and paths


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a" * 5000, "Model aaaa.* is unknown: use one of digits"),
        ("a" * 5000 + ".pt", "Checkpoint aaaa.* is not a file: check the path"),
        ("a\0b", r"Model a\\x00b is unknown"),
        ("a\0b.pt", r"Checkpoint a\\x00b.pt is not a file"),
        ("a\udc80.safetensors", r"Checkpoint a\\udc80.safetensors is not a file"),
        ("a\x1b[31mred.pt", r"Checkpoint a\\x1b\[31mred.pt is not a file"),
        ("/dev/null", "has the unknown extension ''"),
        (".", "it is a folder without config.json or model_index.json"),
        ("", "Model '' is unknown"),
        ("file.pt/inside.pt", "is not a file"),
    ],
)
@pytest.mark.parametrize("load", [load_model, load_config])
def test_names(name: str, words: str, load: Callable[[str], object], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.pt").write_text("x")
    with pytest.raises(UserError, match=words) as caught:
        load(name)
    assert str(caught.value) == visible(str(caught.value)) and len(str(caught.value)) < 800


def test_what_is_no_file(tmp_path: Path) -> None:
    """A pipe would be waited for, for ever."""
    (tmp_path / "folder.pt").mkdir()
    os.mkfifo(tmp_path / "pipe.pt")
    (tmp_path / "device.pt").symlink_to("/dev/zero")
    (tmp_path / "loop.pt").symlink_to("loop.pt")
    assert "folder.pt cannot be read (it is a folder without config.json" in refusal(tmp_path / "folder.pt")
    for name, words in (("pipe", "a pipe"), ("device", "a device")):
        assert f"{name}.pt cannot be read (it is {words})" in refusal(tmp_path / f"{name}.pt")
    assert "is not a file" in refusal(tmp_path / "loop.pt")


# ----------------------------------------------------------------------------------------------------------------------
# Tensors

UNSUITABLE: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "sparse": (lambda x: x.flatten(1).to_sparse(), "has shape"),
    "sparse of the right shape": (lambda x: x.to_sparse(), "is sparse"),
    "meta": (lambda x: x.to("meta"), "has no values"),
    "complex": (lambda x: x.to(torch.complex64), "holds torch.complex64"),
    "integer": (lambda x: x.to(torch.int8), "holds torch.int8"),
    "bool": (lambda x: x > 0, "holds torch.bool"),
    "quantized": (lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8), "holds torch.qint8"),
    "empty": (lambda x: x[:0], "holds nothing"),
    "NaN": (lambda x: x * float("nan"), "values that are not finite"),
    "too large for float32": (lambda x: x.double() + 1e300, "values that are not finite"),
}
SUITABLE: dict[str, Callable[[Tensor], Tensor]] = {
    "fp16": lambda x: x.half(),
    "bf16": lambda x: x.bfloat16(),
    "fp8 e4m3": lambda x: x.to(torch.float8_e4m3fn),
    "fp8 e5m2": lambda x: x.to(torch.float8_e5m2),
    "float64": lambda x: x.double(),
    "not contiguous": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "a parameter": lambda x: torch.nn.Parameter(x),
}


@pytest.mark.filterwarnings("ignore")  # torch's own, of what makes these tensors
@pytest.mark.parametrize("kind", UNSUITABLE)
def test_tensors_that_are_refused(kind: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    make, words = UNSUITABLE[kind]
    torch.save({**state, FIRST: make(state[FIRST])}, tmp_path / "odd.pt")
    told = refusal(tmp_path / "odd.pt")
    assert words in told and FIRST in told


@pytest.mark.parametrize("kind", SUITABLE)
def test_tensors_that_are_converted(kind: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    value = SUITABLE[kind](state[FIRST])
    torch.save({**state, FIRST: value}, tmp_path / "odd.pt")
    _, found = load_checkpoint(tmp_path / "odd.pt", TOLD)
    assert found[FIRST].dtype == torch.float32 and torch.equal(found[FIRST], value.detach().float())


def test_shared_and_overlapping_storages_are_taken_apart(state: dict[str, Tensor], tmp_path: Path) -> None:
    """As well as a tensor of one stored value that claims to be the whole."""
    name, other = "blocks.0.attn.proj.weight", "blocks.0.mlp.fc1.weight"
    one = torch.ones(1).expand(8, 8)
    torch.save({**state, name: state[other], FIRST: state[FIRST], other: state[other]}, tmp_path / "shared.pt")
    _, found = load_checkpoint(tmp_path / "shared.pt", TOLD)
    found[name].add_(1.0)
    assert torch.equal(found[other], state[other])
    torch.save({**state, name: one}, tmp_path / "one.pt")
    _, found = load_checkpoint(tmp_path / "one.pt", TOLD)
    assert found[name].is_contiguous() and torch.equal(found[name], torch.ones(8, 8))


@pytest.mark.parametrize("zip_format", [True, False])
def test_both_formats_of_torch_load(zip_format: bool, state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({"ema": state}, tmp_path / "own.pt", _use_new_zipfile_serialization=zip_format)
    assert refusal(tmp_path / "own.pt") == "" and load_config(f"{tmp_path}/own.pt:{_text(TOLD)}") == SMALL


def _text(facts: Facts) -> str:
    return ":".join(f"{name}={value}" for name, value in facts.said.items())


# ----------------------------------------------------------------------------------------------------------------------
# Files that want to run something, or to be large


class _Runs:
    """A pickle that makes a file where it is read without care."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["zip", "legacy", "bare", "\x1b[31m"])
def test_nothing_is_run(name: str, tmp_path: Path) -> None:
    trace, path = tmp_path / "ran", tmp_path / f"{name}.pt"
    if name == "bare":
        path.write_bytes(pickle.dumps(_Runs(trace)))
    else:
        torch.save({"ema": _Runs(trace)}, path, _use_new_zipfile_serialization=name != "legacy")
    told = refusal(path)
    assert not trace.exists()
    assert "cannot be read" in told
    assert name == "bare" or "(it holds Python objects beside tensors, which are never made from a file)" in told


def test_an_archive_that_would_burst_the_memory(tmp_path: Path) -> None:
    """Its table of contents says how large it is; here it lies, so that the test needs no such archive."""
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bomb/data.pkl", b"x")
    data, huge = path.read_bytes(), machine_memory().total * 2
    at = data.index(b"PK\x01\x02")
    extra = struct.pack("<HHQ", 1, 8, huge)  # ZIP64: the size
    entry = bytearray(data[at : data.index(b"PK\x05\x06")])
    entry[24:28], entry[30:32] = b"\xff" * 4, struct.pack("<H", len(extra))
    end = bytearray(data[data.index(b"PK\x05\x06") :])
    end[12:16] = struct.pack("<I", len(entry) + len(extra))
    path.write_bytes(data[:at] + bytes(entry) + extra + bytes(end))
    assert "bomb.pt needs" in (told := refusal(path)) and "of memory (its tensors" in told and "use a smaller" in told


def test_a_file_of_holes_that_is_larger_than_the_memory(tmp_path: Path) -> None:
    for extension in ("pt", "safetensors"):
        path = tmp_path / f"holes.{extension}"
        with open(path, "wb") as file:
            file.truncate(1 << 42)
        since = time.perf_counter()
        assert "holes" in refusal(path) and time.perf_counter() - since < 5.0


@pytest.mark.parametrize(
    "header",
    [
        b"{",
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}',
        b'{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}',
        b'{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}',
        b'{"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}}',
        b'{"__metadata__":3}',
        b'{"\x1b[31m":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        b"[" * 100_000,
    ],
)
def test_headers_of_safetensors(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(12))
    assert "own.safetensors cannot be read" in refusal(path)
    path.write_bytes(struct.pack("<Q", 1 << 60) + header + bytes(12))
    assert "own.safetensors cannot be read" in refusal(path)


# ----------------------------------------------------------------------------------------------------------------------
# Configs in the metadata


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "config that is not JSON (nested too deep)"),
        ('{"depth": ' * 100_000, "config that is not JSON"),
        (f'{{"depth": {"9" * 5000}}}', "config that is not JSON"),
        ('{"mlp_ratio": NaN}', "field mlp_ratio is nan"),
        ('{"mlp_ratio": Infinity}', "field mlp_ratio is inf"),
        ('{"mlp_ratio": 1e308}', "field mlp_ratio is 1e+308"),
        ('{"self": 1}', "field self is unknown"),
        ('{"/": 1, "values": 2}', "is unknown"),
        ('{"depth": true}', "field depth"),
        ('{"depth": "1"}', "field depth is '1'"),
        ('{"depth": 1.0}', "field depth is 1.0"),
        ('{"learn_sigma": 1}', "field learn_sigma is 1"),
        ('{"depth": 100000}', "depth is 100000, and more than 1000 blocks would take hours"),
        (f'{{"depth": {10**200}}}', "depth is 1000000"),
        ('{"depth": -1}', "field depth is -1"),
        ('{"hidden_size": 0}', "field hidden_size is 0"),
        ("[]", "has the config []"),
        ("null", "has the config None"),
        ("", "not JSON"),
        ('{"\x1b[31m": 1}', "not JSON"),
        ('{"\\u001b[31m": 1}', r"field \x1b[31m is unknown"),
        ('{"prediction": "velocity"}', "prediction is velocity"),
        ('{"mlp_norm_eps": 0.5}', "field mlp_norm_eps is 0.5"),
        ('{"timestep_features": "library"}', "field timestep_features is 'library'"),
    ],
)
def test_configs(text: str, words: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    path = with_metadata(tmp_path / "own.safetensors", state, {"config": text})
    since = time.perf_counter()
    told = refusal(path, NOTHING_SAID)
    assert words in told and "own.safetensors" in told and time.perf_counter() - since < 5.0


@pytest.mark.parametrize("field", ["hidden_size", "frames", "input_size", "in_channels", "num_classes"])
def test_sizes_have_a_limit_with_a_reason(field: str, state: dict[str, Tensor], tmp_path: Path) -> None:
    values = {**SMALL.model_dump(), "depth": 2, field: 1 << 40}
    path = with_metadata(tmp_path / "own.safetensors", state, {"config": json.dumps({**values, "attention": "joint"})})
    told, machine = refusal(path, NOTHING_SAID), machine_memory()
    assert "own.safetensors needs" in told and "of memory (weights" in told
    assert f"this machine has {round(machine.total / 1e9)} GB" in told and "use a smaller model" in told


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([0, 1, 2, 4, 8, 64, 2**31, 2**40, 2**62, 2**63, 10**400]),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(["joint", "alternating", "velocity", "pixels", "latents"]),
    ),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=4,
)
OBJECTS = st.dictionaries(
    st.one_of(st.sampled_from([*DiTConfig.model_fields, "self", "values", "model_config"]), st.text(max_size=8)),
    VALUES,
    max_size=8,
)


@settings(max_examples=examples(300))
@given(OBJECTS)
def test_any_object_is_a_config_or_a_sentence(values: dict[str, Any]) -> None:
    try:
        config = DiTConfig(**values)
    except UserError as error:
        assert str(error) == visible(str(error)) and len(str(error)) < 1000
        return
    written = config.model_dump()
    assert DiTConfig(**json.loads(json.dumps(written))).model_dump() == written
    assert 1 <= config.mlp_hidden and config.hidden_size % config.num_heads == 0
    assert (config.mlp_hidden + 1) / config.hidden_size > config.mlp_ratio or config.hidden_size > 2**53


@settings(max_examples=examples(100))
@given(st.one_of(OBJECTS, VALUES))
def test_any_metadata_is_a_config_or_a_sentence(values: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        refusal(with_metadata(Path(folder) / "own.safetensors", {FIRST: torch.ones(1)}, {"config": json.dumps(values)}))


# ----------------------------------------------------------------------------------------------------------------------
# Mutated files


def spliced(data: bytes, rng: np.random.Generator) -> bytes:
    """A piece of a file in the place of another piece of it, of the same length or not."""
    start, other = sorted(rng.integers(len(data), size=2))
    length, cut = rng.integers(1, 200, size=2)
    return data[:start] + data[other : other + length] + data[start + cut :]


def mutated(data: bytes, rng: np.random.Generator, dense: int) -> bytes:
    """A file gone wrong: anywhere, or in its first or last bytes, where headers and tables of contents are."""
    kind = rng.random()
    if kind < 0.3:
        return flipped(data, rng)
    if kind < 0.5:
        return spliced(data, rng)
    part = slice(0, dense) if kind < 0.75 else slice(max(0, len(data) - dense), len(data))
    found = bytearray(data)
    change = bytearray(flipped(bytes(found[part]), rng) if rng.random() < 0.7 else spliced(bytes(found[part]), rng))
    return bytes(found[: part.start] + change + found[part.stop :])


def saved(kind: str, state: dict[str, Tensor], path: Path) -> bytes:
    """A small file of a kind."""
    if kind == "safetensors":
        model = DiT(SMALL)
        model.load_state_dict(state)
        save_checkpoint(path, model)
    else:
        torch.save({"ema": state}, path, _use_new_zipfile_serialization=kind == "pt")
    return path.read_bytes()


@pytest.mark.parametrize("part", range(6))
@pytest.mark.parametrize("kind", ["safetensors", "pt", "legacy"])
def test_mutated_files(kind: str, part: int, state: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / ("own.safetensors" if kind == "safetensors" else "own.pt")
    data, refused = saved(kind, state, path), 0
    for number in range(examples(CHUNK)):
        rng = np.random.default_rng([part, number])
        path.write_bytes(mutated(data, rng, dense=3000))
        refused += refusal(path) != ""
    assert refused > examples(CHUNK) // 4, "the mutations do not reach what is checked"
