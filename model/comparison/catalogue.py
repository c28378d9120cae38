"""Policies on the integer model, to compare ours with: published software caches, and ours with another detector.

None of them is in the hardware.
"""

from __future__ import annotations

from radit.model.baselines.base import Method
from radit.model.baselines.bwcache import BlockWiseCache
from radit.model.baselines.dbcache import DualBlockCache
from radit.model.baselines.dbprune import DynamicBlockPrune
from radit.model.baselines.fbcache import FirstBlockCache
from radit.model.baselines.fora import Fora
from radit.model.baselines.magcache import MagCache
from radit.model.baselines.smoothcache import SmoothCache
from radit.model.baselines.taylorseer import TaylorSeer
from radit.model.baselines.teacache import TeaCache
from radit.model.detectors.detector import Detector
from radit.model.detectors.misses import Miss
from radit.model.detectors.paths import Path
from radit.model.detectors.planned import Planned
from radit.model.detectors.signatures import L1, Codes, Levels, Pooled, Sketch
from radit.model.detectors.static import Static
from radit.model.detectors.surprises import Surprise
from radit.model.errors import UserError, shown
from radit.model.settings_text import read_settings, split_text

PUBLISHED: tuple[type[Method], ...] = (
    Fora, TaylorSeer, SmoothCache, FirstBlockCache, DualBlockCache, DynamicBlockPrune, BlockWiseCache, TeaCache,
    MagCache,
)  # fmt: skip
DETECTORS: dict[str, type[Detector]] = {
    kind.name: kind for kind in (Codes, Levels, L1, Pooled, Sketch, Path, Miss, Static, Surprise, Planned)
}
METHODS: dict[str, type[Method]] = {kind.name: kind for kind in (*PUBLISHED, *DETECTORS.values())}


def parse_method(text: str, option: str = "policy") -> Method:
    """Return the policy of a text such as "fora:interval=3"; numbers that are not given are the defaults.

    Args:
        option: where the text was given, for the sentence.

    Raises:
        UserError: the name or a number's name is unknown, or a number does not parse or fit.
    """
    name, settings = split_text(text)
    if name not in METHODS:
        raise UserError(f"{option} is {shown(name)}: choose {', '.join(METHODS)}.")
    kind = METHODS[name]
    return kind(**read_settings(settings, kind, f"{option} {name}", ranges=kind.ranges()))
