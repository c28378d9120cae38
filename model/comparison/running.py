"""The reference that runs a policy."""

from __future__ import annotations

from model.baselines.base import Method
from model.comparison.compared_reference import MethodReference
from model.comparison.second_order import SecondOrderReference
from model.detectors.detector import Detector
from model.integer.integer_dit import IntegerDiT


def reference_of(integer: IntegerDiT, method: Method) -> MethodReference:
    """Return the integer reference under a policy, with as many cached branches as its forecast takes."""
    second = isinstance(method, Detector) and method.order == 2
    return (SecondOrderReference if second else MethodReference)(integer, method)
