"""Constant elasticity of substitution (CES): output of labour and compute, and the rho that fits what was seen.

Output, labour L and compute K are relative to a reference at which all are 1: ``Y = (alpha K^rho + (1 - alpha)
L^rho)^(1/rho)`` (Arrow, Chenery, Minhas and Solow 1961), with alpha the share of compute there. rho = 1 is perfect
substitution, 0 Cobb and Douglas's ``K^alpha L^(1 - alpha)``, -inf Leontief's ``min(K, L)``. All is in logarithms and
pure; where a function takes ``Numbers`` it takes a float too.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = Any
"""A float or a NumPy array of floats."""

MAX_RHO: Final = 1 - 1e-3
MIN_RHO: Final = -1e3
"""The rhos that a fit looks at: beyond them no data could tell it from 1 or from -inf."""
_COBB_DOUGLAS: Final = 1e-7
"""A rho so near 0 that the limit is the better arithmetic."""
_STARTS: Final = (0.4, -0.5, -3.0, -12.0, -50.0)
_STEPS: Final = 200
_DONE: Final = 1e-14
"""Share of the squared error below which a step gains nothing more."""


def substitution(rho: float) -> float:
    """Return sigma, the elasticity of substitution, ``1/(1 - rho)``: 0 at rho = -inf. Raises ValueError from 1 on."""
    if rho >= 1:
        raise ValueError(f"rho = {rho:g}: there is an elasticity of substitution below 1 only")
    return 1 / (1 - rho)


def rho_from_sigma(sigma: float) -> float:
    """Return the rho that belongs to an elasticity of substitution: ``1 - 1/sigma``, -inf at 0 and below."""
    return 1 - 1 / sigma if sigma > 0 else -math.inf


def max_output_gain(alpha: float, rho: float) -> float:
    """Return output with unbounded labour over output at the reference, compute the same: ``alpha^(1/rho)``.

    ``alpha``: compute's share there, above 0 and up to 1. inf for rho from 0 on; 1 at rho = -inf.
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha = {alpha:g}: a share lies above 0 and up to 1")
    if rho >= 0:
        return math.inf if alpha < 1 else 1.0
    return float(alpha ** (1 / rho))


def log_output(log_labour: Numbers, log_compute: Numbers, alpha: float, rho: float) -> Numbers:
    """Return ln Y of a CES with compute's share ``alpha``, strictly between 0 and 1, at the reference."""
    if rho == -math.inf:
        return np.minimum(log_labour, log_compute)
    if abs(rho) < _COBB_DOUGLAS:
        return alpha * log_compute + (1 - alpha) * log_labour
    return np.logaddexp(math.log(alpha) + rho * log_compute, math.log1p(-alpha) + rho * log_labour) / rho


class CesFit(NamedTuple):
    """A CES that was fitted, about a reference that is the geometric mean of the data."""

    log_labour: float
    log_compute: float
    log_scale: float
    """ln of labour, compute and output at the reference."""
    alpha: float
    """Compute's share there."""
    rho: float
    error: float
    """Root mean square of ln(output seen / output fitted)."""

    def log_output(self, log_labour: Numbers, log_compute: Numbers) -> Numbers:
        """Return ln of the output fitted, in the units of the data."""
        relative = np.asarray(log_labour) - self.log_labour, np.asarray(log_compute) - self.log_compute
        return self.log_scale + log_output(*relative, self.alpha, self.rho)


def fit(log_labour: NDArray[np.float64], log_compute: NDArray[np.float64], log_seen: NDArray[np.float64]) -> CesFit:
    """Return the CES of least squared error in ln output: Levenberg and Marquardt's method from several starts.

    Three arrays of one shape. Raises ValueError with fewer than four observations, or where the ratio of labour to
    compute is always the same, so that no rho could be told from another.
    """
    if len(log_seen) < 4 or np.ptp(log_labour - log_compute) < 1e-9:
        raise ValueError("a CES takes four observations or more, with different ratios of labour to compute")
    labour, compute = float(np.mean(log_labour)), float(np.mean(log_compute))
    data = log_labour - labour, log_compute - compute, log_seen
    found = [_descend(np.array([np.mean(log_seen), 0.0, math.log(1 - rho)]), *data) for rho in _STARTS]
    error, best = min(found, key=lambda each: each[0])
    scale, alpha, rho = _decode_point(best)
    return CesFit(labour, compute, scale, alpha, rho, math.sqrt(error / len(log_seen)))


def _decode_point(point: NDArray[np.float64]) -> tuple[float, float, float]:
    """Scale, alpha and rho of a point of the search: ln scale, log odds of alpha, ln(1 - rho)."""
    odds = float(np.clip(point[1], -30.0, 30.0))
    rho = 1 - math.exp(min(max(point[2], math.log(1 - MAX_RHO)), math.log(1 - MIN_RHO)))
    return float(point[0]), 1 / (1 + math.exp(-odds)), rho


def _descend(point: NDArray[np.float64], *data: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """The least squared error that can be reached from a point, and where it is."""
    log_labour, log_compute, log_seen = data

    def missed(at: NDArray[np.float64]) -> NDArray[np.float64]:
        scale, alpha, rho = _decode_point(at)
        return np.asarray(log_seen - scale - log_output(log_labour, log_compute, alpha, rho))

    damping, residual = 1e-3, missed(point)
    for _ in range(_STEPS):
        slopes = np.column_stack([_central_difference(missed, point, axis) for axis in range(3)])
        normal = slopes.T @ slopes
        damped = normal + damping * np.diag(np.diag(normal) + 1e-12)
        further = point - np.linalg.solve(damped, slopes.T @ residual)
        after = missed(further)
        gain = float(residual @ residual - after @ after)
        if gain >= 0:
            point, residual, damping = further, after, max(damping / 5, 1e-12)
            if gain <= _DONE * float(residual @ residual):
                break
        else:
            damping *= 5
            if damping > 1e12:
                break
    return float(residual @ residual), point


def _central_difference(
    function: Any, point: NDArray[np.float64], axis: int, width: float = 1e-5
) -> NDArray[np.float64]:
    """The slope of a function along one axis, by central differences."""
    step = np.zeros_like(point)
    step[axis] = width
    return np.asarray((function(point + step) - function(point - step)) / (2 * width))
