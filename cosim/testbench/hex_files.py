"""Words as the text that Verilog's $readmemh takes: one word a line, hexadecimal, its highest digit first."""

from pathlib import Path

import numpy as np

CHUNK = 1 << 16  # words that become text at once


def write_words(path: Path, words: np.ndarray) -> None:
    """Write words (n, ..) of whole bytes, least significant byte first in memory."""
    octets = np.ascontiguousarray(words).view(np.uint8).reshape(len(words), -1)
    with open(path, "wb") as file:
        for start in range(0, len(octets), CHUNK):
            part = octets[start : start + CHUNK]
            digits = np.frombuffer(part[:, ::-1].tobytes().hex().encode(), np.uint8).reshape(len(part), -1)
            ends = np.full((len(part), 1), ord("\n"), np.uint8)
            file.write(np.concatenate([digits, ends], axis=1).tobytes())


def write_numbers(path: Path, numbers: list[int], bits: int) -> None:
    """Write numbers as words of so many bits."""
    path.write_text("".join(f"{number:0{-(-bits // 4)}x}\n" for number in numbers), encoding="ascii")
