"""The host's arithmetic between two timesteps, in float32 of one defined order: `generate.c` computes the same bits.

Per timestep: embed the image (x in), and of x out the last norm, the last layer, guidance, the predicted clean image,
the next image. Every product, sum, quotient and root is rounded once to float32; sums go from the first term to the
last, from 0 on; nothing is fused. The last norm's sums are integers, and exact. Numpy has the loops over outputs.

Sources: W. Peebles, S. Xie, "Scalable Diffusion Models with Transformers", 2023 (embedding, last layer); the sampler's
numbers are of `radit.cosim.drive.sampler_table`.
"""

from collections.abc import Callable

import numpy as np

from radit.accel.host.device import AcceleratorDevice
from radit.accel.host.packed import PackedModel
from radit.model.formats import X_BITS

LIMIT = 1 << (X_BITS - 1)
AfterStep = Callable[[int, np.ndarray, np.ndarray], object]  # timestep, x in, x out: words


class HostArithmetic:
    """One image of a packed model.

    Attributes:
        image: float32 (frames, channels, rows, columns).

    Raises:
        DriverError: the file lacks a section of it, or one has another size.
    """

    def __init__(self, model: PackedModel, number: int) -> None:
        self.sizes = s = model.sizes()
        pixels = s["patch"] ** 2 * s["channels"]
        self._patch_weights = model.floats("patch_weights", pixels, s["hidden"])
        self._positions = model.floats("positions", s["tokens"], s["hidden"])
        self._order = model.integers("token_order", s["places"]).astype(np.int64)
        self._last_weights = model.floats("last_weights", s["hidden"], pixels)
        self._last_bias = model.floats("last_bias", pixels)
        self._sampler = model.floats("sampler", s["steps"], 3 + s["steps"])
        self._modulation = model.floats("last_modulation", s["steps"], s["contexts"], 2, s["hidden"], image=number)
        shape = s["frames"], s["channels"], s["rows"], s["columns"]
        self._noise = model.floats("noise", *shape, image=number)
        self.image = self._noise.copy()
        self._clean: list[np.ndarray] = []
        self._guidance = np.array([s["guidance"]], "<u4").view("<f4")[0]

    def enter(self) -> np.ndarray:
        """Return x in, int16, in the order of its words."""
        s = self.sizes
        patches = self._patches(self.image)
        tokens = np.zeros((s["tokens"], s["hidden"]), np.float32)
        for k, weights in enumerate(self._patch_weights):
            tokens = tokens + patches[:, k, None] * weights
        tokens = (tokens + self._positions) * np.float32(2.0 ** s["x_frac"])
        held = np.clip(tokens, -LIMIT, LIMIT - 1)
        below = np.floor(held)
        whole = (below + (held - below >= np.float32(0.5))).astype(np.int32).clip(-LIMIT, LIMIT - 1)
        placed = np.zeros((s["places"], s["hidden"]), np.int16)
        taken = self._order < s["tokens"]
        placed[taken] = whole[self._order[taken]]
        words = placed.reshape(-1, s["lanes"], s["hidden"]).transpose(0, 2, 1)
        return np.ascontiguousarray(np.broadcast_to(words, (s["contexts"], *words.shape))).reshape(-1)

    def leave(self, x: np.ndarray, step: int) -> np.ndarray:
        """Take x out of a timestep, int16 in the order of its words; return the next image."""
        s = self.sizes
        words = x.reshape(s["contexts"], -1, s["hidden"], s["lanes"]).transpose(0, 1, 3, 2)
        placed = words.reshape(s["contexts"], s["places"], s["hidden"]).astype(np.int64)
        taken = self._order < s["tokens"]
        tokens = np.empty((s["contexts"], s["tokens"], s["hidden"]), np.int64)
        tokens[:, self._order[taken]] = placed[:, taken]
        noise = [self._last(each, *vectors) for each, vectors in zip(tokens, self._modulation[step], strict=True)]
        found = noise[0]
        if s["contexts"] == 2:
            found = found.copy()
            guided = slice(None), slice(s["guided"])
            cond, free = noise[0][guided], noise[1][guided]
            found[guided] = free + self._guidance * (cond - free)
        of_image, of_found, of_noise, *of_clean = self._sampler[step]
        clean = of_image * self.image - of_found * found
        if s["clips"]:
            clean = np.clip(clean, np.float32(-1.0), np.float32(1.0))
        self._clean.append(clean)
        moved = of_noise * self._noise
        for factor, one in zip(of_clean, self._clean, strict=False):
            moved = moved + factor * one
        self.image = moved
        return self.image

    def _last(self, tokens: np.ndarray, factor: np.ndarray, summand: np.ndarray) -> np.ndarray:
        """The predicted noise (frames, channels, rows, columns) of tokens (T, D) int64 of one context."""
        s = self.sizes
        total = tokens.sum(1, keepdims=True)
        squares = (tokens * tokens).sum(1, keepdims=True)
        spread = s["hidden"] * squares - total * total + s["epsilon"]
        root = np.sqrt(spread.astype(np.float32))
        normal = (s["hidden"] * tokens - total).astype(np.float32) / root
        modulated = normal * factor + summand
        found = np.zeros((s["tokens"], self._last_weights.shape[1]), np.float32)
        for k, weights in enumerate(self._last_weights):
            found = found + modulated[:, k, None] * weights
        return self._unpatched(found + self._last_bias)

    def _grid(self) -> tuple[int, int, int, int, int]:
        s = self.sizes
        return s["frames"], s["rows"] // s["patch"], s["columns"] // s["patch"], s["patch"], s["channels"]

    def _patches(self, image: np.ndarray) -> np.ndarray:
        """(tokens, channels x patch x patch) of an image."""
        frames, down, across, patch, channels = self._grid()
        split = image.reshape(frames, channels, down, patch, across, patch).transpose(0, 2, 4, 1, 3, 5)
        return split.reshape(frames * down * across, -1)

    def _unpatched(self, values: np.ndarray) -> np.ndarray:
        """The image of (tokens, patch x patch x channels)."""
        frames, down, across, patch, channels = self._grid()
        split = values.reshape(frames, down, across, patch, patch, channels).transpose(0, 5, 1, 3, 2, 4)
        return split.reshape(frames, channels, down * patch, across * patch)


def generate_image(device: AcceleratorDevice, number: int, after: AfterStep | None = None) -> np.ndarray:
    """Generate an image of the loaded model on an accelerator; float32 (frames, channels, rows, columns).

    Args:
        after: called after every timestep.

    Raises:
        DriverError: nothing is loaded, or a timestep ends with an error.
    """
    device.image(number)
    assert device.model is not None
    host = HostArithmetic(device.model, number)
    for step in range(host.sizes["steps"]):
        x_in = host.enter()
        device.write_x(x_in)
        device.start(step)
        device.wait()
        x_out = device.read_x()
        host.leave(x_out, step)
        if after is not None:
            after(step, x_in, x_out)
    return host.image
