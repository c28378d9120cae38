"""The reference that runs a policy."""

from __future__ import annotations

from model.integer import IntegerDiT
from model.policies.base import Method
from model.policies.detector import Detector
from model.policies.reference import MethodReference
from model.policies.second_order import SecondOrderReference


def reference_of(integer: IntegerDiT, method: Method) -> MethodReference:
    """Return the integer reference under a policy, with as many cached branches as its forecast takes."""
    second = isinstance(method, Detector) and method.order == 2
    return (SecondOrderReference if second else MethodReference)(integer, method)
