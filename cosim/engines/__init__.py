"""Simulators of the accelerator behind one protocol (``base.Engine``)."""

from cosim.engines.base import Engine, EngineError, Failure, MemoryTiming, Setup, Trace
from cosim.engines.open import ENGINES, open_engine

__all__ = ["ENGINES", "Engine", "EngineError", "Failure", "MemoryTiming", "Setup", "Trace", "open_engine"]
