"""Packs a model, a policy and images into the file that the drivers load (``accel/host/layout.py``).

Registers and memories are those that the co-simulation's own driver writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from radit.accel.axi.bus_config import MEMORY_OF, X_IN, X_OUT
from radit.accel.axi.bus_ports import STROBE_BITS
from radit.accel.axi.bus_registers import bus_addresses
from radit.accel.config import BuildConfig
from radit.accel.control.registers import ADDRESS
from radit.accel.host.layout import ALL_IMAGES, KIND
from radit.accel.host.packed import PackedModel, RegisterValue, Section, host_sizes
from radit.accel.interfaces.conditioning import HEADER_BEATS
from radit.cosim.drive.sampler_table import sampler_table
from radit.cosim.driver import Driver
from radit.cosim.prepare import Prepared
from radit.model.dit.sampler import make_noise
from radit.model.dit.transformer import DiT
from radit.model.formats import X_BITS
from radit.model.integer.generate import Host
from radit.model.policy.skip_policy import Policy
from radit.model.threads import one_thread

ROOMS = ("cache", "history")  # memories that the accelerator fills itself
OF_IMAGE = ("mod", "prompt")  # memories with content of an image


@dataclass
class Recorder:
    """Takes an engine's place: keeps what the driver writes.

    Fields:
        registers: name and value, in order.
        memories: words by the memory's name.
    """

    config: BuildConfig
    registers: list[tuple[str, int]] = field(default_factory=list)
    memories: dict[str, np.ndarray] = field(default_factory=dict)

    def write_register(self, name: str, value: int) -> None:
        """Keep it."""
        self.registers.append((name, int(value)))

    def bind_memory(self, port: str, words: np.ndarray) -> None:
        """Keep it."""
        self.memories[MEMORY_OF.get(port, port)] = words

    def taken(self, image: int) -> list[RegisterValue]:
        """The registers since the last time, but for ``control``, which the driver writes by itself."""
        found = [
            RegisterValue(STROBE_BITS * ADDRESS[name], value & 0xFFFFFFFF, image)
            for name, value in self.registers
            if name != "control"
        ]
        self.registers.clear()
        return found


def pack_model(prepared: Prepared, policy: Policy) -> PackedModel:
    """Return the packed model of a request: its images under one policy.

    Raises:
        UserError: the sampler adds noise, or the model does not fit.
    """
    request, dims, build = prepared.request, prepared.dims, prepared.build
    table = sampler_table(request.sampler)
    recorder = Recorder(build)
    driver = Driver(recorder, prepared.integer, policy.tables(prepared.integer), dims)  # type: ignore[arg-type]
    base = {name: address for name, address in bus_addresses(build).items() if name.endswith("_base_low")}
    where = {name.removesuffix("_base_low"): address for name, address in base.items()}
    registers = recorder.taken(ALL_IMAGES)
    sections = []
    for name, words in recorder.memories.items():
        kind, content = ("room", b"") if name in ROOMS else ("memory", words.tobytes())
        sections.append(Section(KIND[kind], where[name], ALL_IMAGES, words.nbytes, content))
    x_bytes = dims.contexts * dims.sub_block_words(build) * build.rows * X_BITS // 8
    sections += [Section(KIND[name], where[name], ALL_IMAGES, x_bytes) for name in (X_IN, X_OUT)]
    sections += _shared_sections(prepared, table, driver.order)
    for image in range(request.images):
        host = host_of(prepared, image)
        driver.start_image(host.tables, 0)
        registers += recorder.taken(image)
        for name in OF_IMAGE:
            if name in recorder.memories:
                content = recorder.memories[name].tobytes()
                sections.append(Section(KIND["memory"], where[name], image, len(content), content))
        sections += [
            _content("noise", host.image[0].numpy(), image),
            _content("last_modulation", _last_modulation(prepared.dit, host.tables.c[0]), image),
        ]
    return PackedModel(_needs(prepared, driver, x_bytes), registers, sections)


def _needs(prepared: Prepared, driver: Driver, x_bytes: int) -> dict[str, int]:
    """The numbers of the header that concern model and build."""
    dims, build = prepared.dims, prepared.build
    return {
        "images": prepared.request.images,
        "steps": prepared.request.count,
        "mod_words": (dims.sub_blocks + 1) * (HEADER_BEATS + dims.contexts * dims.hidden),
        "param_words": driver.params.shape[1],
        "x_bytes": x_bytes,
        "rows": build.rows,
        "cols": build.cols,
        "products": build.products,
        "frame_banks": max(dims.even.frames, dims.odd.frames),
        "hidden": dims.hidden,
        "mlp": dims.mlp,
        "tokens": dims.padded_tokens(build),
        "contexts": dims.contexts,
        "sub_blocks": dims.sub_blocks,
        "text": dims.text,
        "frames": dims.frames,
    }


def host_of(prepared: Prepared, image: int) -> Host:
    """The host's side of one image of the request, as the co-simulation has it."""
    request, config = prepared.request, prepared.dit.config
    labels = torch.tensor([request.label(image, config.num_classes)])
    noise = make_noise(config, image + 1, request.seed)[image:]
    padded = prepared.dims.padded_tokens(prepared.build)
    return Host(prepared.dit, prepared.integer, labels, noise, request.cfg, padded, request.guided_channels)


def _content(kind: str, values: np.ndarray, image: int = ALL_IMAGES) -> Section:
    """A section of float32 or uint32."""
    dtype = "<u4" if values.dtype.kind in "iu" else "<f4"
    content = np.ascontiguousarray(values, dtype).tobytes()
    return Section(KIND[kind], 0, image, len(content), content)


@one_thread()
@torch.no_grad()
def _shared_sections(prepared: Prepared, table: np.ndarray, order: np.ndarray) -> list[Section]:
    """The host's arithmetic, of all images."""
    dit, config, dims = prepared.dit, prepared.dit.config, prepared.dims
    projection, last = dit.x_embedder.proj, dit.final_layer.linear
    positions = projection.bias + dit.pos_embed[0]
    if config.frames > 1:
        frames = dit.temp_embed[0, :, None] * (0.0 if config.adds_frames_later else 1.0)
        positions = (positions + frames).flatten(0, 1)
    predicted = (-1, config.out_channels)  # of a pixel: the noise comes first
    weights = last.weight.unflatten(0, predicted)[:, : config.in_channels].flatten(0, 1).T
    bias = last.bias.unflatten(0, predicted)[:, : config.in_channels].flatten()
    request = prepared.request
    sizes = host_sizes(
        channels=config.in_channels, guided=request.guided_channels or config.in_channels, frames=config.frames,
        rows=config.input_size, columns=config.columns, patch=config.patch_size, hidden=dims.hidden,
        tokens=dims.tokens, places=dims.padded_tokens(prepared.build), lanes=prepared.build.rows,
        contexts=dims.contexts, steps=request.count, x_frac=prepared.integer.x_frac, epsilon=prepared.integer.eps,
        clips=int(config.has_pixels), guidance=int(np.float32(request.cfg).view(np.uint32)),
    )  # fmt: skip
    return [
        Section(KIND["sizes"], 0, ALL_IMAGES, len(sizes), sizes),
        _content("patch_weights", projection.weight.flatten(1).T.numpy()),
        _content("positions", positions.numpy()),
        _content("token_order", order),
        _content("last_weights", weights.numpy()),
        _content("last_bias", bias.numpy()),
        _content("sampler", table),
    ]


@one_thread()
@torch.no_grad()
def _last_modulation(dit: DiT, c: torch.Tensor) -> np.ndarray:
    """Factor and summand (steps, contexts, 2, D) before the last layer, of c (contexts, steps, [blocks,] D)."""
    layer, own = dit.final_layer, c[:, :, 0] if dit.config.has_own_embedders else c
    flat = own.flatten(0, 1)
    if layer.has_table:
        shift, scale = (layer.scale_shift_table + flat.unsqueeze(1)).unbind(1)
    else:
        shift, scale = layer.adaLN_modulation(flat).chunk(2, dim=1)
    both = torch.stack([1.0 + scale, shift], 1).unflatten(0, own.shape[:2])
    return both.transpose(0, 1).numpy()
