"""The reference that runs a policy."""

from __future__ import annotations

from radit.model.baselines.base import Method
from radit.model.baselines.taylorseer import TaylorSeer
from radit.model.comparison.compared_reference import MethodReference
from radit.model.comparison.forecasts import ForecastReference
from radit.model.comparison.residual import ResidualReference
from radit.model.comparison.second_order import SecondOrderReference
from radit.model.comparison.taylor import TaylorReference
from radit.model.detectors.detector import Detector, Slope
from radit.model.integer.integer_dit import IntegerDiT


def reference_of(integer: IntegerDiT, method: Method) -> MethodReference:
    """Return the integer reference under a policy, with the results that it keeps and the forecasts that it takes.

    Raises:
        UserError: the policy does not fit the model.
    """
    if method.spans(integer.config.block_bounds):
        return ResidualReference(integer, method)
    if method.forecast_order > 1:
        return (
            TaylorReference(integer, method)
            if isinstance(method, TaylorSeer)
            else SecondOrderReference(integer, method)
        )
    if isinstance(method, Detector) and (method.difference or method.slope is not Slope.TIME):
        return ForecastReference(integer, method)
    return MethodReference(integer, method)
