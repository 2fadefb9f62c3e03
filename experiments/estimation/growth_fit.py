"""Fit the law of returns to a series under one noise model: r with a bootstrap interval, and tests of constant r. Pure.

The law is that of :mod:`sim.growth` without a parallelization penalty: ``S = (E/E0)^r``, so log2 S rises by r for each
doubling of cumulative effort ``E = before + (effort so far)``. ``before``, the effort before the first row, is
given or found by maximum likelihood (profile over a grid). Two noise models, each with normal errors:

- ``row``: rows have independent errors, ``log2 S_i = a + r log2 E_i + sigma u_i``. Maximum likelihood is least squares
  in the logarithms. Most published estimates use it. Its intervals are too narrow if errors are correlated.
- ``lasting``: errors accumulate, as they do when each unit of effort brings findings at random (a World's papers):
  ``d log2 S_i = dx_i (r + sigma u_i / sqrt(e_i))`` with ``x = log2 E`` and e_i the effort of row i. Its variance
  falls as ``e/E^2``, as for Poisson findings. Maximum likelihood is the mean of the slopes between neighbouring rows,
  weighted by effort. Rows without effort join the row before.

Intervals are percentiles of a bootstrap that draws rows (``row``) or steps between rows (``lasting``) with
replacement. If ``before`` is not given, it is fitted again in each draw. These intervals compare with published
estimates. The interval to rely on is that of :mod:`experiments.estimation.averaged_fit`, because no test
distinguishes the models in a short series.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from sim.random_streams import RandomStreams

Array = NDArray[np.float64]
Noise = Literal["row", "lasting"]

NOISES: tuple[Noise, ...] = get_args(Noise)
MIN_ROWS = 5
"""Smallest number of rows of a fit."""
DRAWS = 2000
_STEPS_PER_OCTAVE = 8
_LOWEST, _HIGHEST = -14, 6
"""Ends of the grid of `before`, in doublings of the effort of the series.

At the upper end the law is nearly exponential in effort, so a series cannot distinguish larger values.
"""


class Series(NamedTuple):
    """Effort and performance, row by row in the order of time."""

    effort: Array
    """Effort of each row, not cumulative; 0 or more, in any unit."""
    performance: Array
    """Performance of each row, above 0; higher is better."""

    @property
    def log_performance(self) -> Array:
        """log2 of performance."""
        return np.log2(self.performance)

    @property
    def total(self) -> Array:
        """Cumulative effort, including each row."""
        return np.cumsum(self.effort)


class GrowthFit(NamedTuple):
    """The growth law fitted to a series, with bootstrap draws."""

    noise: Noise
    r: float
    before: float
    """Effort before the first row, in the unit of the series."""
    level: float
    """log2 of the performance that the law gives at a cumulative effort of 1."""
    scatter: float
    """sigma of log2 performance about the law (``row``), or of the slope for one unit of effort (``lasting``)."""
    log_likelihood: float
    """Log-likelihood up to a constant, comparable within one noise model and series."""
    draws: Array
    """r in each bootstrap draw, shape (draws,)."""
    draws_before: Array
    """`before` in each draw, shape (draws,)."""
    before_found: bool
    """Whether `before` was found, not given."""
    unbent: float
    """Share of the draws with the highest `before` on the grid [1].

    If it is large, the series does not bend enough to bound the effort before or r from above.
    """

    def interval(self, share: float) -> tuple[float, float]:
        """Return the central bootstrap interval with this share of the draws."""
        low, high = np.quantile(self.draws, [(1 - share) / 2, (1 + share) / 2])
        return float(low), float(high)

    def above(self, r: float) -> float:
        """Return the share of bootstrap draws in which r is above a value."""
        return float(np.mean(self.draws > r))

    def at(self, total: Array) -> Array:
        """Return log2 of the performance that the law predicts at these amounts of effort since the first row."""
        return self.level + self.r * np.log2(self.before + total)


class TrendTest(NamedTuple):
    """A test of constant r against r that changes with log effort."""

    change: float
    """Change of r with each doubling of effort; negative if r falls."""
    p_value: float
    """Two-sided, by a wild bootstrap under constant r."""


def fit(
    series: Series, noise: Noise = "row", before: float | None = 0.0, *, draws: int = DRAWS, seed: int = 0
) -> GrowthFit:
    """Fit the law by maximum likelihood, with a bootstrap of ``draws`` draws.

    ``before``: effort before the first row, in the unit of the series; None to fit it. Needs `MIN_ROWS` rows, all
    performance above 0, and effort above 0 in the first row if ``before`` is 0. Raises ValueError otherwise.
    """
    require_series(series, before)
    grid = prior_effort_grid(series) if before is None else np.array([before])
    terms = _independent_terms(series, grid) if noise == "row" else _cumulative_terms(series, grid)
    rng = RandomStreams(seed).get("bootstrap")
    counts = rng.multinomial(terms.rows, np.full(terms.rows, 1 / terms.rows), size=draws).astype(float)
    r, _, likelihood = _solve(terms, np.vstack([np.ones(terms.rows), counts]))
    best = np.argmax(likelihood, axis=1)
    chosen = r[np.arange(draws + 1), best]
    there = grid[best]
    usable = np.isfinite(chosen[1:])
    unbent = float(np.mean(best[1:] == len(grid) - 1)) if before is None else 0.0
    x = np.log2(there[0] + series.total)
    level = float(np.mean(series.log_performance - chosen[0] * x))
    _, variance, _ = _solve(terms, np.ones((1, terms.rows)))
    return GrowthFit(
        noise,
        float(chosen[0]),
        float(there[0]),
        level,
        math.sqrt(variance[0, best[0]]),
        float(likelihood[0, best[0]]),
        chosen[1:][usable],
        there[1:][usable],
        before is None,
        unbent,
    )


class _LikelihoodTerms(NamedTuple):
    """Terms of the likelihood, for each row (first axis) and each `before` of the grid (second axis)."""

    weight: Array
    x: Array | None
    """Regressor of ``row``; None under ``lasting``, in which r is a mean."""
    y: Array
    jacobian: Array
    """Amount subtracted from the log-likelihood for each row."""

    @property
    def rows(self) -> int:
        return len(self.weight)


def _independent_terms(series: Series, grid: Array) -> _LikelihoodTerms:
    x = np.log2(grid[None, :] + series.total[:, None])
    y = series.log_performance[:, None]
    # Centred, so that sums of squares do not cancel.
    return _LikelihoodTerms(np.ones(len(x)), x - x.mean(axis=0), y - y.mean(), np.zeros((len(x), 1)))


def _cumulative_terms(series: Series, grid: Array) -> _LikelihoodTerms:
    steps = _merge_equal_effort(series)
    width = np.diff(np.log2(grid[None, :] + steps.total[:, None]), axis=0)
    slopes = np.diff(steps.log_performance)[:, None] / width
    return _LikelihoodTerms(steps.effort[1:], None, slopes, np.log(width))


def _merge_equal_effort(series: Series) -> Series:
    """Merge rows that no effort separates, keeping the last of them."""
    kept = np.append(series.effort[1:] > 0, True)
    total = series.total[kept]
    return Series(np.diff(total, prepend=0.0), series.performance[kept])


def _solve(terms: _LikelihoodTerms, counts: Array) -> tuple[Array, Array, Array]:
    """Return r, variance and log-likelihood, of shape (draws, grid); ``counts``: how often each row was drawn."""
    weights = counts * terms.weight
    mass = weights.sum(axis=1, keepdims=True)
    number = counts.sum(axis=1, keepdims=True)
    mean_y = _product(weights, terms.y) / mass
    spread_y = _product(weights, terms.y**2) / mass - mean_y**2
    with np.errstate(divide="ignore", invalid="ignore"):
        if terms.x is None:
            r = mean_y
            variance = spread_y * mass / number
        else:
            mean_x = _product(weights, terms.x) / mass
            spread_x = _product(weights, terms.x**2) / mass - mean_x**2
            together = _product(weights, terms.x * terms.y) / mass - mean_x * mean_y
            r = np.where(spread_x > _TINY, together / spread_x, np.nan)
            variance = spread_y - r * together
        variance = np.maximum(variance, _TINY)
        likelihood = -number / 2 * np.log(variance) - _product(counts, terms.jacobian)
    return r, variance, np.nan_to_num(likelihood, nan=-np.inf)


def _product(draws: Array, values: Array) -> Array:
    """Return the matrix product, a few draws at a time, so that the algebra library uses one thread.

    Several threads would wait for each other on a busy machine, and their number must not change the result.
    """
    rows = max(1, _MAX_SINGLE_THREAD_PRODUCTS // values.size)
    return np.concatenate([draws[at : at + rows] @ values for at in range(0, len(draws), rows)])


_MAX_SINGLE_THREAD_PRODUCTS = 200_000
"""Multiplications in one call; OpenBLAS uses a second thread above 2^18."""
_TINY = 1e-18
"""Variance of logarithms below which it is only rounding."""


def prior_effort_grid(series: Series) -> Array:
    """Return the grid of efforts before the first row, ascending; it includes 0 if the first row has effort."""
    octaves = np.arange(_LOWEST * _STEPS_PER_OCTAVE, _HIGHEST * _STEPS_PER_OCTAVE + 1) / _STEPS_PER_OCTAVE
    found: Array = series.total[-1] * 2.0**octaves
    return found if series.effort[0] <= 0 else np.concatenate([[0.0], found])


def require_series(series: Series, before: float | None) -> None:
    """Raise ValueError if the law cannot be fitted to a series; ``before`` as in `fit`."""
    if len(series.effort) < MIN_ROWS or len(_merge_equal_effort(series).effort) < MIN_ROWS:
        raise ValueError(f"there are too few rows with effort; allowed: at least {MIN_ROWS}. Add rows.")
    if np.any(series.performance <= 0) or np.any(series.effort < 0):
        raise ValueError(
            "performance or effort is out of bounds; allowed: performance above 0, effort 0 or more. Correct it."
        )
    if before == 0 and series.effort[0] <= 0:
        raise ValueError(
            "the first row has no effort and --before is 0; allowed: effort in one of them. Give --before."
        )


def residuals(series: Series, fitted: GrowthFit) -> Array:
    """Return log2 of performance over the prediction of the law, for each row."""
    return series.log_performance - fitted.at(series.total)


def lag1_autocorrelation(values: Array) -> tuple[float, bool]:
    """Return the correlation of residuals with their neighbours, and whether it is significant (one-sided, 5%)."""
    centred = values - values.mean()
    below = float(centred @ centred)
    correlation = float(centred[1:] @ centred[:-1]) / below if below > _TINY else 0.0
    return correlation, correlation > 1.645 / math.sqrt(len(values))


def trend_test(series: Series, fitted: GrowthFit, *, draws: int = DRAWS, seed: int = 0) -> TrendTest:
    """Test constant r against r that changes with log effort, under the fit's noise model and `before`.

    The alternative adds a quadratic term in log2 E (``row``), or a slope of r on it (``lasting``). The statistic is
    the term over its heteroscedasticity-robust standard error. The wild bootstrap gives the residuals under constant
    r random signs (Rademacher), which keeps their sizes.
    """
    design, y, weight = _alternative(series, fitted)
    smaller = _projection(design[:, :-1], weight)
    larger = _projection(design, weight)
    flat = design[:, :-1] @ (smaller @ y)
    signs = RandomStreams(seed).get("signs of residuals").choice([-1.0, 1.0], size=(draws, len(y)))
    statistic = _robust_t(np.vstack([y, flat + (y - flat) * signs]), design, larger)
    as_far = np.count_nonzero(np.abs(statistic[1:]) >= abs(statistic[0]))
    scale = 2 if fitted.noise == "row" else 1
    return TrendTest(float(scale * (larger @ y)[-1]), float((1 + as_far) / (1 + draws)))


def _alternative(series: Series, fitted: GrowthFit) -> tuple[Array, Array, Array]:
    """Return the design matrix with the term under test last, the response and the weights."""
    if fitted.noise == "row":
        x = np.log2(fitted.before + series.total)
        x = x - x.mean()
        return np.vander(x, 3, increasing=True), series.log_performance, np.ones(len(x))
    steps = _merge_equal_effort(series)
    x = np.log2(fitted.before + steps.total)
    middle = (x[1:] + x[:-1]) / 2
    return (
        np.vander(middle - middle.mean(), 2, increasing=True),
        np.diff(steps.log_performance) / np.diff(x),
        (steps.effort[1:]),
    )


def _projection(design: Array, weight: Array) -> Array:
    """Return the matrix that maps responses to weighted least-squares coefficients."""
    root = np.sqrt(weight)
    return np.asarray(np.linalg.pinv(design * root[:, None]) * root, dtype=float)


def _robust_t(responses: Array, design: Array, projection: Array) -> Array:
    """Return the last coefficient over its robust standard error, for each row of responses."""
    coefficients = responses @ projection.T
    missed = responses - coefficients @ design.T
    error = np.sqrt(np.maximum(missed**2 @ projection[-1] ** 2, _TINY))
    found: Array = coefficients[:, -1] / error
    return found
