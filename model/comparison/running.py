"""The reference that runs a policy."""

from __future__ import annotations

from radit.model.baselines.base import Method
from radit.model.comparison.compared_reference import MethodReference
from radit.model.comparison.second_order import SecondOrderReference
from radit.model.detectors.detector import Detector
from radit.model.integer.integer_dit import IntegerDiT


def reference_of(integer: IntegerDiT, method: Method) -> MethodReference:
    """Return the integer reference under a policy, with as many cached branches as its forecast takes."""
    second = isinstance(method, Detector) and method.order == 2
    return (SecondOrderReference if second else MethodReference)(integer, method)
