"""Simulators of the accelerator behind one protocol (``base.Engine``)."""

from radit.cosim.engines.base import Engine, EngineError, Failure, Trace, Traffic
from radit.cosim.engines.open import ENGINES, open_engine
from radit.cosim.engines.setup import MemoryTiming, Setup

__all__ = [
    "ENGINES",
    "Engine",
    "EngineError",
    "Failure",
    "MemoryTiming",
    "Setup",
    "Trace",
    "Traffic",
    "open_engine",
]
