"""Compute the probability that a random variable is negative from its characteristic function."""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Frequencies = NDArray[np.float64]
LogCharacteristic = Callable[[Frequencies], NDArray[np.complex128]]
"""Logarithm of a characteristic function, E[e^(iuD)], at frequencies u > 0."""

_TOLERANCE: Final = 1e-10
_CERTAIN: Final = 40.0
"""Distance of the mean from 0, in standard deviations, from which the sign is certain."""
_NEGLIGIBLE: Final = -40.0
"""Logarithm of a modulus that no longer counts."""
_STEPS: Final = tuple(2.0**-power for power in range(4, 13))
"""Steps of ln u, each half of the one before."""


def probability_negative(log_characteristic: LogCharacteristic, mean: float, variance: float) -> float:
    """Return P(D < 0) for a continuous D with a log-concave density, with an error below 1e-9.

    The integral of Gil-Pelaez is ``P(D < 0) = 1/2 - (1/pi) int Im phi(u) du/u``, over u from 0 to infinity. It is
    summed by the trapezoidal rule in ln u, whose step is halved until two sums agree. Beyond 40 standard deviations
    the result is 0 or 1: a log-concave tail is below e^(1 - 40) there.

    ``mean`` and ``variance`` are those of D; the variance is positive. Raises ValueError if it is not. Raises
    ArithmeticError if the sums do not agree. Source: Gil-Pelaez, *Note on the inversion theorem*, Biometrika, 1951.
    """
    if not (math.isfinite(mean) and 0 < variance < math.inf):
        raise ValueError(
            f"variance = {variance:g} with mean = {mean:g} has no density; allowed: a positive variance, both finite. "
            "Use a variable that varies"
        )
    spread = math.sqrt(variance)
    if abs(mean) > _CERTAIN * spread:
        return 1.0 if mean < 0 else 0.0
    low = math.log(1e-14 / (abs(mean) + spread))
    high = -math.log(spread)
    while log_characteristic(np.exp(np.array([high])))[0].real > _NEGLIGIBLE:
        high += 0.25
    before = math.nan
    for step in _STEPS:
        points: NDArray[Any] = np.exp(np.arange(low, high, step))
        total = float(np.exp(log_characteristic(points)).imag.sum()) * step
        if abs(total - before) < _TOLERANCE:
            return min(1.0, max(0.0, 0.5 - total / math.pi))
        before = total
    raise ArithmeticError(
        f"the integral of Gil-Pelaez for mean = {mean:g}, variance = {variance:g} did not converge; allowed: a smooth "
        "characteristic function. Simulate the race instead"
    )
