"""The pace of a run over its last part, estimated from the durations of its doublings.

This module describes what one run did. Where a lab leads in the long run is a property of its scenario, and
:mod:`sim.long_run` derives it.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from scipy.special import stdtrit

from sim.growth import returns_from_ratio

Name = Literal["speeding up", "exponential", "slowing down", "undecided"]

CONFIDENCE = 0.95
"""Confidence level of the interval of the ratio."""
EXPONENTIAL_WITHIN = 0.05
"""An interval of the ratio that reaches no farther from 1 than this is called exponential. Source: our choice."""
MIN_DOUBLINGS = 3
"""Doublings without which no pace is named."""
MIN_WINDOW = 4
"""Doublings that the last part has at least, if there are so many."""
MISFIT_CONFIDENCE = 0.99
"""An earlier doubling outside this prediction interval ends the last part. Source: our choice."""
STALL_CONFIDENCE = 0.999
"""An open doubling beyond this one-sided prediction limit is a slow-down of its own. Source: our choice."""
PRIOR_FREEDOM = 4
"""Degrees of freedom that the variance of random papers counts for when prediction intervals are drawn."""
MIN_DURATION_SHARE = 1e-8
"""A doubling shorter than this share of the day on which it ended is lost in the rounding of the clock."""
MIN_SCATTER = 1e-5
"""Standard deviation of log duration below which doublings are equal, whatever the number of papers."""


class Pace(NamedTuple):
    """What a run did over the last part of its doublings."""

    name: Name
    ratio: float | None
    """Each doubling time over the one before; None with fewer than two doublings."""
    low: float | None
    """Lower end of the 95% interval of the ratio; None with fewer than three doublings."""
    high: float | None
    """Upper end; ``inf`` if only a lower bound is known, None with fewer than three doublings."""
    r_implied: float | None
    """Returns under which growth alone has this ratio; ``inf`` if no finite r has it."""
    first: int | None
    """Number of the first doubling of the last part, from 1; None if no ratio is known."""
    last: int | None
    """Number of its last doubling; the open doubling if that counts."""
    sentence: str


class _Point(NamedTuple):
    n: int
    """Number of the doubling, from 0."""
    log_days: float
    """Natural logarithm of its duration."""
    noise: float
    """Variance of log_days if its papers come at random: 1/papers."""


class _Line(NamedTuple):
    """A line through log durations, fitted with a random effect for each doubling."""

    slope: float
    centre: float
    """Weighted mean of the doublings' numbers."""
    level: float
    """Log duration at the centre."""
    spread: float
    """Weighted sum of squared distances from the centre."""
    weight: float
    """Sum of the weights."""
    between: float
    """Variance between doublings beyond that of random papers."""
    scatter: float
    """Mean weighted square of the residuals; about 1 if the variances are right."""
    freedom: int

    def at(self, n: float) -> float:
        """Return the log duration that the line has for a doubling."""
        return self.level + self.slope * (n - self.centre)

    def distance(self, n: float, noise: float, confidence: float) -> float:
        """Return the half-width of the prediction interval of a doubling's log duration.

        The scatter is shrunk towards 1, the value for random papers, which counts for PRIOR_FREEDOM residuals.
        """
        freedom = self.freedom + PRIOR_FREEDOM
        scatter = (self.freedom * self.scatter + PRIOR_FREEDOM) / freedom
        variance = self.between + noise + 1 / self.weight + (n - self.centre) ** 2 / self.spread
        return float(stdtrit(freedom, 0.5 + confidence / 2)) * math.sqrt(scatter * variance) + MIN_SCATTER


def pace_of(
    durations: Sequence[float],
    papers: Sequence[float],
    parallel_penalty: float = 1.0,
    open_days: float = 0.0,
    returns_to: str = "inputs",
) -> Pace:
    """Return the pace of a run over the last part of its doublings.

    Arguments
    ---------
    durations
        Days that each complete doubling took.
    papers
        Papers that went into each.
    parallel_penalty
        The exponent p of the run's law, for ``r_implied``.
    open_days
        Days since the last complete doubling.
    returns_to
        What the run's r refers to, ``inputs`` or ``effort``, for ``r_implied``.

    The ratio q of successive doubling times is ``exp`` of the slope of log duration on the number of the doubling.
    n papers that come at random take a time whose relative variance is 1/n, so doubling i has the weight
    ``1/(tau^2 + 1/n_i)``. The variance tau^2 between doublings is estimated from the same residuals (DerSimonian and
    Laird, Control. Clin. Trials 7, 177, 1986). The interval is Student's, from the weighted scatter (Knapp and
    Hartung, Stat. Med. 22, 2693, 2003).

    The last part begins as the last half of the doublings, at least MIN_WINDOW. It is extended backwards, doubling by
    doubling, until one lies outside the 99% prediction interval of the line through the later ones. Start-up
    transients and earlier regimes are left out this way, and a single doubling that chance made short is not.

    The open doubling is censored: only a lower bound of its duration is known. It is ignored while it is shorter
    than the line predicts. If it is longer it counts as if it ended now, so that the ratio is a lower bound. If it
    lies beyond the 99.9% prediction limit, the run is slowing down and ``high`` is ``inf``.

    The name is "exponential" if the interval lies within 5% of 1, "speeding up" if it lies below 1, "slowing down"
    if it lies above 1, and "undecided" otherwise. Doublings that one paper completed together share its time;
    doublings too short for the clock are left out.
    """
    points = _points(durations, papers)
    if len(points) < 2:
        return Pace("undecided", None, None, None, None, None, None, _too_few(len(points)))
    window = _last_part(points)
    line = _fit(window)
    if open_days > 0:
        following = _Point(len(durations), math.log(open_days), window[-1].noise)
        if len(window) >= MIN_DOUBLINGS and _is_stalled(window, line, following):
            return _stalled(window, following, parallel_penalty, returns_to)
        if len(window) >= MIN_DOUBLINGS and following.log_days > line.at(following.n):
            window = _last_part([*points, following])
            line = _fit(window)
    ratio = _exp(line.slope)
    implied = returns_from_ratio(ratio, parallel_penalty, returns_to)
    first, last = window[0].n + 1, window[-1].n + 1
    if len(window) < MIN_DOUBLINGS:
        return Pace("undecided", ratio, None, None, implied, first, last, _too_few(len(window)))
    margin = float(stdtrit(line.freedom, 0.5 + CONFIDENCE / 2)) * math.sqrt(line.scatter / line.spread)
    low, high = _exp(line.slope - margin), _exp(line.slope + margin)
    name = _name(low, high)
    return Pace(name, ratio, low, high, implied, first, last, _sentence(name, ratio, low, high, implied, first, last))


def _points(durations: Sequence[float], papers: Sequence[float]) -> list[_Point]:
    """The doublings that can be judged."""
    points: list[_Point] = []
    n, day = 0, 0.0
    while n < len(durations):
        together = 1
        while n + together < len(durations) and durations[n + together] == 0:
            together += 1
        day += durations[n]
        if durations[n] > MIN_DURATION_SHARE * day:
            log_days = math.log(durations[n] / together)
            noise = together / max(sum(papers[n : n + together]), 1e-9)
            points += [_Point(i, log_days, noise) for i in range(n, n + together)]
        n += together
    return points


def _last_part(points: list[_Point]) -> list[_Point]:
    """The last half of the doublings, extended backwards as far as one line fits."""
    first = max(0, len(points) - max(MIN_WINDOW, (len(points) + 1) // 2))
    while first > 0:
        line, earlier = _fit(points[first:]), points[first - 1]
        if abs(earlier.log_days - line.at(earlier.n)) > line.distance(earlier.n, earlier.noise, MISFIT_CONFIDENCE):
            break
        first -= 1
    return points[first:]


def _fit(points: list[_Point]) -> _Line:
    """The line with weights 1/(tau^2 + noise); the moment estimate of tau^2 uses the weights 1/noise."""
    freedom = len(points) - 2
    weights = [1 / point.noise for point in points]
    line = _weighted(points, weights, 0.0)
    if freedom <= 0:
        return line
    squares = [weight**2 for weight in weights]
    lost = (
        sum(squares) / line.weight
        + sum(square * (point.n - line.centre) ** 2 for square, point in zip(squares, points, strict=True))
        / line.spread
    )
    between = max(0.0, freedom * (line.scatter - 1) / (line.weight - lost)) if line.weight > lost else 0.0
    if between == 0:
        return line
    return _weighted(points, [1 / (between + point.noise) for point in points], between)


def _weighted(points: list[_Point], weights: list[float], between: float) -> _Line:
    """Weighted least squares of log duration on the number of the doubling."""
    total = math.fsum(weights)
    centre = math.fsum(w * point.n for w, point in zip(weights, points, strict=True)) / total
    level = math.fsum(w * point.log_days for w, point in zip(weights, points, strict=True)) / total
    spread = math.fsum(w * (point.n - centre) ** 2 for w, point in zip(weights, points, strict=True))
    slope = (
        math.fsum(w * (point.n - centre) * point.log_days for w, point in zip(weights, points, strict=True)) / spread
    )
    freedom = len(points) - 2
    residuals = (
        w * (point.log_days - level - slope * (point.n - centre)) ** 2 for w, point in zip(weights, points, strict=True)
    )
    scatter = math.fsum(residuals) / freedom if freedom > 0 else 1.0
    return _Line(slope, centre, level, spread, total, between, scatter, freedom)


def _is_stalled(window: list[_Point], line: _Line, following: _Point) -> bool:
    """Whether the open doubling is longer than any in the last part and than the line allows."""
    longest = max(point.log_days for point in window)
    one_sided = 2 * STALL_CONFIDENCE - 1
    limit = line.at(following.n) + line.distance(following.n, following.noise, one_sided)
    return following.log_days > max(limit, longest)


def _stalled(window: list[_Point], following: _Point, penalty: float, returns_to: str) -> Pace:
    """The pace of a run whose open doubling has lasted beyond the prediction limit."""
    before = window[-1]
    grown = following.log_days - before.log_days
    quantile = float(stdtrit(PRIOR_FREEDOM, CONFIDENCE))
    ratio, low = _exp(grown), _exp(grown - quantile * math.sqrt(before.noise + following.noise))
    number, days = following.n + 1, _exp(following.log_days)
    sentence = (
        f"Slowing down: doubling {number} has been open for {_figure(days)} days, already {_figure(ratio)} times as "
        f"long as doubling {before.n + 1} took."
    )
    implied = returns_from_ratio(ratio, penalty, returns_to)
    return Pace("slowing down", ratio, min(low, ratio), math.inf, implied, before.n + 1, number, sentence)


def _name(low: float, high: float) -> Name:
    if low >= 1 - EXPONENTIAL_WITHIN and high <= 1 + EXPONENTIAL_WITHIN:
        return "exponential"
    if high < 1:
        return "speeding up"
    return "slowing down" if low > 1 else "undecided"


def _exp(exponent: float) -> float:
    return math.exp(max(-700.0, min(exponent, 700.0)))


def _figure(value: float) -> str:
    """A figure with three digits after the point where it is near 1, fewer where it is large."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}" if value < 1e6 else f"{value:.3g}"


def _too_few(found: int) -> str:
    return f"Undecided: {found} doubling{'s are' if found != 1 else ' is'} too few; a pace needs {MIN_DOUBLINGS}."


def _sentence(name: Name, ratio: float, low: float, high: float, implied: float, first: int, last: int) -> str:
    change = (
        f"each doubling took {_figure(ratio)} times as long as the one before ({_figure(low)} to {_figure(high)}), "
        f"doublings {first} to {last}"
    )
    as_r = f"as under returns of r = {_figure(implied)}" if math.isfinite(implied) else "faster than any finite r"
    return {
        "speeding up": f"Speeding up: {change}, {as_r}.",
        "slowing down": f"Slowing down: {change}, {as_r}.",
        "exponential": f"Exponential growth: {change}.",
        "undecided": f"Undecided: {change}; the interval contains 1.",
    }[name]
