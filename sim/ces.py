"""Compute output with a constant elasticity of substitution (CES) of labour and compute, and fit rho to data.

Output Y, labour L and compute K are relative to a reference point at which all three are 1:
``Y = (alpha K^rho + (1 - alpha) L^rho)^(1/rho)`` (Arrow, Chenery, Minhas and Solow 1961). alpha is the share of compute
at that point. rho = 1 is perfect substitution, rho = 0 is Cobb-Douglas, ``K^alpha L^(1 - alpha)``, and rho = -inf is
Leontief, ``min(K, L)``. The form with more than two inputs is :func:`log_mean`.

All functions are pure and take logarithms. An argument of type ``Numbers`` is a float or an array.
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
"""Limits of rho in a fit: beyond them data cannot distinguish rho from 1 or from -inf."""
_COBB_DOUGLAS: Final = 1e-7
"""Absolute value of rho below which the Cobb-Douglas limit is the more exact formula."""
_GEOMETRIC_MEAN: Final = 1e-14
"""Absolute value of rho below which a power mean equals the geometric mean to rounding."""
_START_RHOS: Final = (0.4, -0.5, -3.0, -12.0, -50.0)
_MAX_EVALUATIONS: Final = 200
_FIT_TOLERANCE: Final = 1e-14
"""Relative change of the squared error and of the parameters below which a search ends."""


def sigma_from_rho(rho: float) -> float:
    """Return sigma, the elasticity of substitution, ``1/(1 - rho)``: 0 at rho = -inf.

    Raises ValueError if rho is 1 or more.
    """
    if rho >= 1:
        raise ValueError(f"rho = {rho:g} has no elasticity of substitution; allowed: below 1. Use a smaller rho")
    return 1 / (1 - rho)


def rho_from_sigma(sigma: float) -> float:
    """Return the rho of an elasticity of substitution: ``1 - 1/sigma``, or -inf if sigma is 0 or less."""
    return 1 - 1 / sigma if sigma > 0 else -math.inf


def max_output_gain(alpha: float, rho: float) -> float:
    """Return output with unlimited labour, relative to the reference point, at constant compute: ``alpha^(1/rho)``.

    ``alpha`` is the share of compute at the reference point, above 0 and up to 1. The gain is inf for rho from 0 on,
    and 1 at rho = -inf. Raises ValueError for another alpha.
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha = {alpha:g} is not a share; allowed: above 0, up to 1. Use the share of compute")
    if rho >= 0:
        return math.inf if alpha < 1 else 1.0
    return float(alpha ** (1 / rho))


def from_max_gains(labour_gain: float, compute_gain: float) -> tuple[float, float]:
    """Return rho and alpha of the CES that gains ``labour_gain`` by unlimited labour and ``compute_gain`` by compute.

    Both gains are relative to the reference point, above 1, with the other input constant. As the gains are
    ``alpha^(1/rho)`` and ``(1 - alpha)^(1/rho)``, rho solves ``labour_gain^rho + compute_gain^rho = 1``. Raises
    ValueError for a gain of 1 or less. Source: AI Futures Model, 2025, whose gains are 15 and 1000.
    """
    for name, gain in (("labour_gain", labour_gain), ("compute_gain", compute_gain)):
        if not 1 < gain < math.inf:
            raise ValueError(
                f"{name} = {gain:g} has no rho; allowed: above 1, finite. Use output at an unlimited input"
            )
    from scipy.optimize import brentq  # noqa: PLC0415 - slow to load, and no run needs it

    logs = math.log(labour_gain), math.log(compute_gain)
    # At rho = -ln 2/(log of a gain) the power of that gain is a half, so that the root lies between these two values.
    low, high = -math.log(2) / min(logs), -math.log(2) / max(logs)
    if low == high:
        return low, 0.5
    rho = float(brentq(lambda x: math.exp(x * logs[0]) + math.exp(x * logs[1]) - 1, low, high, xtol=1e-15, rtol=1e-14))
    return rho, math.exp(rho * logs[0])


def exponent_from_loss(alpha: float, rho: float, reduction: float, loss: float) -> float:
    """Return the exponent zeta of compute, ``K = C^zeta``, that gives a known loss of output.

    Output falls to ``1/loss`` when C falls to ``1/reduction`` and labour stays. rho is below 0:
    ``zeta = ln(1 + (loss^-rho - 1)/alpha)/(-rho ln reduction)``. Source: AI Futures Model, 2025, with 2.8 times less
    output at 10 times less compute.
    """
    return math.log1p(math.expm1(-rho * math.log(loss)) / alpha) / (-rho * math.log(reduction))


def log_output(log_labour: Numbers, log_compute: Numbers, alpha: float, rho: float) -> Numbers:
    """Return ln Y of a CES. ``alpha``, strictly between 0 and 1, is the share of compute at the reference point."""
    if rho == -math.inf:
        return np.minimum(log_labour, log_compute)
    if abs(rho) < _COBB_DOUGLAS:
        return alpha * log_compute + (1 - alpha) * log_labour
    return np.logaddexp(math.log(alpha) + rho * log_compute, math.log1p(-alpha) + rho * log_labour) / rho


def log_mean(log_levels: Numbers, shares: Numbers, rho: Numbers) -> Numbers:
    """Return ln of the CES of many inputs, ``M = (sum_i b_i y_i^rho)^(1/rho)``: the power mean of their levels.

    The inputs are along the last axis. Their shares b are 0 or more and sum to 1. A level is an input relative to its
    own reference point. A level of 0 is ``-inf`` and an unlimited one ``inf``. rho, at most 1, has the shape of the
    other axes. Two inputs give the same as :func:`log_output`.

    Levels are taken relative to the one that counts most, so that no rho over- or underflows. Near rho = 0 the sum is
    ``log1p(sum_i b_i expm1(rho ln y_i))``, which loses no digits.
    """
    levels, shares = np.broadcast_arrays(np.asarray(log_levels, dtype=float), np.asarray(shares, dtype=float))
    rho = np.asarray(rho, dtype=float)
    used = shares > 0
    with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
        lowest = np.min(np.where(used, levels, np.inf), axis=-1)
        highest = np.max(np.where(used, levels, -np.inf), axis=-1)
        geometric = np.where(used, shares * levels, 0.0).sum(axis=-1)
        reference = np.where(rho > 0, highest, lowest)
        finite = np.isfinite(reference)
        # An infinite reference decides the result alone, so that any other value may take its place.
        differences = levels - np.where(finite, reference, 0.0)[..., None]
        powers = np.where(used, np.minimum(rho[..., None] * differences, 0.0), 0.0)
        below_one = np.where(used, shares * np.expm1(powers), 0.0).sum(axis=-1)
        total = np.where(used, shares * np.exp(powers), 0.0).sum(axis=-1)
        log_sum = np.where(below_one > -0.5, np.log1p(below_one), np.log(total))
        result = np.where(finite, reference + log_sum / rho, reference)
        # Levels of 0 and of inf together have no geometric mean: the limit from below rho = 0 is 0.
        geometric = np.where(np.isneginf(lowest), -np.inf, geometric)
    result = np.where(np.abs(rho) < _GEOMETRIC_MEAN, geometric, result)
    result = np.where(np.isneginf(rho), lowest, result)
    return result[()]


class CesFit(NamedTuple):
    """A CES fitted to data. Its reference point is the geometric mean of the inputs."""

    log_labour: float
    """ln of labour at the reference point."""
    log_compute: float
    """ln of compute at the reference point."""
    log_scale: float
    """ln of output at the reference point."""
    alpha: float
    """Share of compute at the reference point."""
    rho: float
    """Substitution parameter: the elasticity of substitution is 1/(1 - rho)."""
    error: float
    """Root mean square of ln(observed output / fitted output)."""

    def log_output(self, log_labour: Numbers, log_compute: Numbers) -> Numbers:
        """Return ln of the fitted output, in the units of the data."""
        relative = np.asarray(log_labour) - self.log_labour, np.asarray(log_compute) - self.log_compute
        return self.log_scale + log_output(*relative, self.alpha, self.rho)


def fit(log_labour: NDArray[np.float64], log_compute: NDArray[np.float64], log_seen: NDArray[np.float64]) -> CesFit:
    """Fit a CES to observed output by least squares of ln output, with Levenberg-Marquardt from several starts.

    The three arrays have one shape. Raises ValueError with fewer than four observations, or if the ratio of labour to
    compute is constant: rho cannot be identified then.
    """
    if len(log_seen) < 4 or np.ptp(log_labour - log_compute) < 1e-9:
        raise ValueError("a CES takes four observations or more, with different ratios of labour to compute")
    from scipy.optimize import least_squares  # noqa: PLC0415 - slow to load, and no run needs it

    labour, compute = float(np.mean(log_labour)), float(np.mean(log_compute))

    def residuals(point: NDArray[np.float64]) -> NDArray[np.float64]:
        scale, alpha, rho = _decode_point(point)
        return np.asarray(log_seen - scale - log_output(log_labour - labour, log_compute - compute, alpha, rho))

    searches = [
        least_squares(
            residuals,
            [float(np.mean(log_seen)), 0.0, math.log(1 - rho)],
            jac="3-point",
            method="lm",
            ftol=_FIT_TOLERANCE,
            xtol=_FIT_TOLERANCE,
            gtol=_FIT_TOLERANCE,
            max_nfev=_MAX_EVALUATIONS,
        )
        for rho in _START_RHOS
    ]
    best = min(searches, key=lambda search: float(search.cost))
    scale, alpha, rho = _decode_point(best.x)
    return CesFit(labour, compute, scale, alpha, rho, math.sqrt(2 * best.cost / len(log_seen)))


def _decode_point(point: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return scale, alpha and rho of a point of the search: ln scale, log odds of alpha, ln(1 - rho)."""
    odds = float(np.clip(point[1], -30.0, 30.0))
    rho = 1 - math.exp(min(max(point[2], math.log(1 - MAX_RHO)), math.log(1 - MIN_RHO)))
    return float(point[0]), 1 / (1 + math.exp(-odds)), rho
