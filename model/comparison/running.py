"""The reference that runs a policy."""

from __future__ import annotations

from radit.model.baselines.base import Method
from radit.model.comparison.compared_reference import MethodReference
from radit.model.comparison.forecasts import ForecastReference
from radit.model.comparison.second_order import SecondOrderReference
from radit.model.detectors.detector import Detector, Slope
from radit.model.integer.integer_dit import IntegerDiT


def reference_of(integer: IntegerDiT, method: Method) -> MethodReference:
    """Return the integer reference under a policy, with the forecasts that it takes."""
    if not isinstance(method, Detector):
        return MethodReference(integer, method)
    if method.order > 1:
        return SecondOrderReference(integer, method)
    if method.difference or method.slope is not Slope.TIME:
        return ForecastReference(integer, method)
    return MethodReference(integer, method)
