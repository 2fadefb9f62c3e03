"""Estimate r as a weighted average over noise models, and over the effort before the first row if it is unknown.

The law is ``log2 S_i = a + r x_i + noise_i`` with ``x_i = log2(before + effort up to row i)``. A short series cannot
show which noise it has: at 8 rows no test tells independent errors from cumulative ones. So each of `NOISE_MODELS` is
fitted by generalised least squares, and weighted by its restricted likelihood times a prior weight:

- ``row``: independent errors.
- ``ar1``: errors that fade; each row's error is correlated with that of the row before.
- ``walk``: row errors plus a random walk with equal steps.
- ``lasting``: row errors plus a random walk whose steps have variance proportional to ``dx_i^2 / e_i``, which falls as
  effort accumulates, as it does when findings come at random.

Take flat priors of a, log sigma and the total gain ``r sd(x)``. Then, given a model and ``before``, the posterior of r
is Student's t with n - 2 degrees of freedom about the generalised-least-squares estimate. The result is the weighted
mixture of these. The prior weights favour cumulative noise, because wrongly assuming independent errors makes intervals
too narrow. Effort before the first row, if unknown, is 0 or log-uniform: all points of a grid have the same weight.

Each model is a state-space model with one state, so one pass of a Kalman filter over the rows fits all of them.
Source: Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989), chapters 3 and 4.
Coverage as measured: docs/explanation/fitting-r.md.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc, stdtr, stdtrit

from experiments.estimation.growth_fit import MIN_ROWS, Series, prior_effort_grid, require_series
from sim.random_streams import RandomStreams

Array = NDArray[np.float64]
Kind = Literal["row", "ar1", "walk", "lasting"]

FAMILY_WEIGHTS: Final[dict[Kind, float]] = {"row": 1.0, "ar1": 1.0, "walk": 2.0, "lasting": 4.0}
"""Prior weight of each kind of noise [1]. Source: chosen by measured coverage (`benchmarks/coverage.py`)."""
CORRELATIONS: Final = (0.3, 0.5, 0.7, 0.85, 0.95)
"""Correlation of neighbouring rows' errors under ``ar1`` [1]."""
RATIOS: Final = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
"""Variance of a mean step of the random walk over that of a row's own error [1]."""
RATIO_EXPONENT: Final = 0.5
"""Prior weight within ``walk`` and ``lasting`` is proportional to the ratio to this power [1]."""
REJECTED: Final = 0.05
"""p-value below which a stated effort before the first row counts as contradicted by the series [1]."""
UNBOUNDED_FROM: Final = 16.0
"""Effort before the first row, in multiples of the series' own, beyond which the law is nearly exponential [1]."""
_LOWEST_VARIANCE: Final = 1e-18
_NEGLIGIBLE: Final = 1e-10
"""Relative weight below which a component is left out."""
_MAX_GAIN: Final = 600.0
"""Log-likelihood gain for each row beyond which its exponential would overflow."""
_TAIL: Final = 1e-6
"""Own tail share of each component at the ends of the first bracket of a quantile."""


class NoiseModel(NamedTuple):
    """One model of the noise."""

    kind: Kind
    correlation: float
    """Of the state from row to row; 1 for a random walk."""
    ratio: float
    """Variance of a mean step of the state over that of a row's own error."""
    weight: float
    """Prior weight; all sum to 1."""


def _models() -> tuple[NoiseModel, ...]:
    total = sum(FAMILY_WEIGHTS.values())
    found = [NoiseModel("row", 0.0, 0.0, FAMILY_WEIGHTS["row"] / total)]
    each = FAMILY_WEIGHTS["ar1"] / total / len(CORRELATIONS)
    found += [NoiseModel("ar1", correlation, 0.0, each) for correlation in CORRELATIONS]
    powers = np.array(RATIOS) ** RATIO_EXPONENT
    for kind in ("walk", "lasting"):
        shares = FAMILY_WEIGHTS[kind] / total * powers / powers.sum()
        found += [NoiseModel(kind, 1.0, ratio, float(share)) for ratio, share in zip(RATIOS, shares, strict=True)]
    return tuple(found)


NOISE_MODELS: Final = _models()


class _Posterior(NamedTuple):
    """The components of an `AveragedFit`."""

    weights: Array
    """Posterior weight of each component, shape (components,); they sum to 1."""
    centres: Array
    """Estimate of r under each component [1]."""
    errors: Array
    """Standard error of r under each component [1]."""
    befores: Array
    """Effort before the first row of each component, in the unit of the series."""
    levels: Array
    """log2 of the performance that the law gives at a cumulative effort of 1, for each component."""
    models: Array
    """Index into `NOISE_MODELS` of each component."""
    degrees: int
    """Degrees of freedom: rows - 2."""
    before_found: bool
    """Whether the effort before was averaged over rather than given."""
    unbounded: float
    """Posterior weight of efforts before the first row of `UNBOUNDED_FROM` times the series' own or more [1]."""
    p_before_given: float
    """p-value of the effort before against any other on the grid, averaged over noise models; 1 if not given."""


class AveragedFit(_Posterior):
    """The posterior of r as a mixture of Student's t distributions, one for each noise model and effort before."""

    @cached_property
    def _quantiles(self) -> dict[bytes, Array]:
        """Quantiles by the bytes of their shares: a bisection over all components, so each is found once."""
        return {}

    @property
    def r(self) -> float:
        """Posterior median of r [1]."""
        return float(self.ppf(np.array([0.5]))[0])

    @property
    def before(self) -> float:
        """Effort before the first row with the largest weight, in the unit of the series."""
        values, places = np.unique(self.befores, return_inverse=True)
        return float(values[np.argmax(np.bincount(places, self.weights))])

    @property
    def persistent(self) -> float:
        """Posterior weight of the random walks: ``walk`` and ``lasting`` [1]."""
        walks = [place for place, model in enumerate(NOISE_MODELS) if model.correlation == 1]
        return float(self.weights[np.isin(self.models, walks)].sum())

    def cdf(self, r: float) -> float:
        """Return P(r <= this value)."""
        return float(self.weights @ stdtr(self.degrees, (r - self.centres) / self.errors))

    def ppf(self, shares: Array) -> Array:
        """Return the quantiles at shares in (0, 1), by bisection to rounding; same shape."""
        asked = np.asarray(shares, dtype=float)
        key = asked.tobytes()
        if key not in self._quantiles:
            self._quantiles[key] = self._bisect(asked.ravel())
        return self._quantiles[key].reshape(asked.shape).copy()

    def _bisect(self, shares: Array) -> Array:
        reach = -stdtrit(self.degrees, np.minimum(_TAIL, np.min([shares, 1 - shares])))
        low = np.full(shares.shape, np.min(self.centres - reach * self.errors))
        high = np.full(shares.shape, np.max(self.centres + reach * self.errors))
        for _ in range(100):
            middle = (low + high) / 2
            if np.all((middle == low) | (middle == high)):
                break
            below = stdtr(self.degrees, (middle[:, None] - self.centres) / self.errors) @ self.weights < shares
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray((low + high) / 2)

    def interval(self, share: float) -> tuple[float, float]:
        """Return the central interval that holds this share of the posterior."""
        low, high = self.ppf(np.array([(1 - share) / 2, (1 + share) / 2]))
        return float(low), float(high)

    def above(self, r: float) -> float:
        """Return P(r > this value)."""
        return 1 - self.cdf(r)

    def at(self, total: Array) -> Array:
        """Return log2 of performance by the component with the largest weight, at effort since the first row."""
        best = int(np.argmax(self.weights))
        found: Array = self.levels[best] + self.centres[best] * np.log2(self.befores[best] + total)
        return found

    def draw(self, number: int, seed: int) -> tuple[Array, Array]:
        """Return this many draws of r and of the effort before, each of shape (number,)."""
        rng = RandomStreams(seed).get("posterior of r")
        chosen = rng.choice(len(self.weights), size=number, p=self.weights)
        return self.centres[chosen] + self.errors[chosen] * rng.standard_t(self.degrees, number), self.befores[chosen]


class Recommendation(NamedTuple):
    """The fit to rely on, and whether it rests on the effort before that was stated."""

    fit: AveragedFit
    stated: AveragedFit | None
    """The fit with the stated effort before the first row; None if it was not stated."""

    @property
    def rejected(self) -> bool:
        """Whether the series contradicts the stated effort before the first row."""
        return self.stated is not None and self.stated.p_before_given < REJECTED


def average(series: Series, before: float | None = None) -> AveragedFit:
    """Return r averaged over noise models, and over the effort before the first row if that is None.

    ``before``: in the unit of the series, 0 or more. Raises ValueError as `experiments.estimation.growth_fit.fit` does.
    """
    require_series(series, before)
    grid = prior_effort_grid(series)
    if before is not None:
        grid = np.append(grid[grid != before], before)
    filtered = _filter(series, grid)
    posterior = filtered.restricted + np.log([model.weight for model in NOISE_MODELS])[:, None]
    p_value = 1.0
    if before is not None:
        p_value = _p_of_before(filtered.likelihood, posterior[:, -1], len(series.effort))
        posterior[:, :-1] = -np.inf
    weights = np.exp(posterior - posterior.max())
    kept = weights > _NEGLIGIBLE
    model, place = np.nonzero(kept)
    chosen = weights[kept] / weights[kept].sum()
    befores = grid[place]
    unbounded = float(chosen[befores >= UNBOUNDED_FROM * series.total[-1]].sum()) if before is None else 0.0
    return AveragedFit(
        chosen,
        filtered.slope[kept],
        filtered.error[kept],
        befores,
        filtered.level[kept],
        model.astype(float),
        len(series.effort) - 2,
        before is None,
        unbounded,
        p_value,
    )


def _p_of_before(likelihood: Array, posterior: Array, rows: int) -> float:
    """Return the p-value of the last effort of the grid against all others: F tests averaged by model weight.

    Within one noise model the likelihood ratio L of one more coefficient has ``(L^(2/n) - 1)(n - 3) ~ F(1, n - 3)``.
    """
    gain = 2 * (likelihood.max(axis=1) - likelihood[:, -1])
    p_values = fdtrc(1, rows - 3, np.expm1(np.minimum(gain / rows, _MAX_GAIN)) * (rows - 3))
    weights = np.exp(posterior - posterior.max())
    return float(weights @ p_values / weights.sum())


def recommend(series: Series, before: float | None = None) -> Recommendation:
    """Return the fit to rely on: with the stated effort before, or averaged over it if unknown or contradicted."""
    stated = None if before is None else average(series, before)
    if stated is not None and stated.p_before_given >= REJECTED:
        return Recommendation(stated, stated)
    return Recommendation(average(series, None), stated)


class Period(NamedTuple):
    """r within some of the rows."""

    first: int
    """Index of its first row."""
    last: int
    fit: AveragedFit


def periods(series: Series, before: float, number: int) -> list[Period]:
    """Return r within each of ``number`` stretches of equally many rows, averaged over noise models.

    ``before``: effort before the first row of the series. There may be fewer, because a stretch
    has at least `MIN_ROWS` rows.
    """
    rows = len(series.effort)
    found = []
    for part in np.array_split(np.arange(rows), min(number, rows // MIN_ROWS)):
        first, last = int(part[0]), int(part[-1])
        within = Series(series.effort[first : last + 1], series.performance[first : last + 1])
        if np.count_nonzero(within.effort[1:]) >= MIN_ROWS - 1:
            found.append(Period(first, last, average(within, before + float(series.effort[:first].sum()))))
    return found


class _Filtered(NamedTuple):
    """Generalised least squares for each noise model (first axis) and effort before (second)."""

    slope: Array
    error: Array
    level: Array
    restricted: Array
    """Log restricted likelihood, with the slope measured per standard deviation of x."""
    likelihood: Array
    """Log likelihood at its maximum."""


def _filter(series: Series, grid: Array) -> _Filtered:
    """Whiten log performance, a constant and x by a Kalman filter, and regress the first on the others."""
    y = series.log_performance - series.log_performance.mean()
    x = np.log2(grid[:, None] + series.total)
    middle, spread = x.mean(axis=1), x.std(axis=1)
    z = (x - middle[:, None]) / spread[:, None]
    kinds = np.array([model.kind for model in NOISE_MODELS])
    faded = np.array([model.correlation for model in NOISE_MODELS])[:, None]
    ratio = np.array([model.ratio for model in NOISE_MODELS])[:, None]
    own = np.where(kinds == "ar1", 1e-6, 1.0)[:, None]
    steps = _lasting_steps(series, x)
    shape = (len(NOISE_MODELS), len(grid))
    variance = np.broadcast_to(np.where(kinds == "ar1", 1.0, 0.0)[:, None], shape)
    states = [np.zeros(shape) for _ in range(3)]
    sums = np.zeros((3, 3, *shape))
    log_det = np.zeros(shape)
    for row in range(len(y)):
        if row:
            grown = np.where((kinds == "lasting")[:, None], ratio * steps[:, row - 1], ratio)
            grown = np.where((kinds == "ar1")[:, None], 1 - faded**2, grown)
            variance = faded**2 * variance + grown
            states = [faded * state for state in states]
        total = variance + own
        missed = [value - state for value, state in zip((y[row], 1.0, z[:, row]), states, strict=True)]
        states = [state + variance / total * each for state, each in zip(states, missed, strict=True)]
        variance = variance * own / total
        log_det += np.log(total)
        for one in range(3):
            for other in range(one, 3):
                sums[one, other] += missed[one] * missed[other] / total
    return _regress(sums, log_det, len(y), middle, spread, float(series.log_performance.mean()))


def _lasting_steps(series: Series, x: Array) -> Array:
    """Return the relative variance of each step under ``lasting``, shape (grid, rows - 1); the mean is 1."""
    effort = series.effort[1:]
    steps = np.where(effort > 0, np.diff(x, axis=1) ** 2 / np.where(effort > 0, effort, 1.0), 0.0)
    return np.asarray(steps / steps.mean(axis=1, keepdims=True))


def _regress(sums: Array, log_det: Array, rows: int, middle: Array, spread: Array, mean: float) -> _Filtered:
    yy, y1, yz, one, cross, zz = sums[0, 0], sums[0, 1], sums[0, 2], sums[1, 1], sums[1, 2], sums[2, 2]
    determinant = one * zz - cross**2
    slope = (yz * one - y1 * cross) / determinant
    start = (y1 * zz - yz * cross) / determinant
    # The floor is relative to the spread of the series: below it a residual is rounding.
    left = np.maximum(yy - slope * yz - start * y1, np.maximum(yy * 1e-14, _LOWEST_VARIANCE))
    error = np.sqrt(left / (rows - 2) * one / determinant)
    restricted = -(log_det + np.log(determinant) + (rows - 2) * np.log(left)) / 2
    likelihood = -(log_det + rows * np.log(left)) / 2
    return _Filtered(slope / spread, error / spread, mean + start - slope * middle / spread, restricted, likelihood)
