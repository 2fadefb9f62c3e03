"""Estimate the pace of a run over its last part, from the durations of its doublings.

This module describes one run. The long-run growth of a lab is a property of its scenario, and :mod:`sim.long_run`
derives it.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from scipy.special import stdtrit

from sim.growth import returns_from_ratio

Name = Literal["speeding up", "exponential", "slowing down", "undecided"]

CONFIDENCE = 0.95
"""Confidence level of the interval of the ratio."""
EXPONENTIAL_BAND = 0.05
"""Largest distance from 1 of an interval of the ratio that is called exponential. Source: our choice."""
MIN_DOUBLINGS = 3
"""Number of doublings from which a pace is named."""
MIN_WINDOW = 4
"""Number of doublings that the last part has at least, if the run has them."""
MISFIT_CONFIDENCE = 0.99
"""Confidence level of the prediction interval outside which an earlier doubling ends the last part. Source: our
choice."""
STALL_CONFIDENCE = 0.999
"""Confidence level of the one-sided prediction limit beyond which an open doubling is a slow-down. Source: our
choice."""
PRIOR_FREEDOM = 4
"""Degrees of freedom that the variance of random papers has in prediction intervals."""
MIN_DURATION_SHARE = 1e-8
"""Duration of a doubling, relative to the day on which it ended, below which it is lost in the rounding of the
clock."""
MIN_SCATTER = 1e-5
"""Standard deviation of log duration below which doublings are equal, for any number of papers."""


class Pace(NamedTuple):
    """Pace of a run over the last part of its doublings."""

    name: Name
    ratio: float | None
    """Ratio of each doubling time to the one before; None with fewer than two doublings."""
    low: float | None
    """Lower end of the 95% interval of the ratio; None with fewer than three doublings."""
    high: float | None
    """Upper end; ``inf`` if only a lower bound is known, None with fewer than three doublings."""
    r_implied: float | None
    """Returns under which growth alone has this ratio; ``inf`` if no finite r has it."""
    first: int | None
    """Number of the first doubling of the last part, from 1; None if no ratio is known."""
    last: int | None
    """Number of its last doubling; the open doubling if that is included."""
    sentence: str


class _Point(NamedTuple):
    n: int
    """Number of the doubling, from 0."""
    log_days: float
    """Natural logarithm of its duration."""
    noise: float
    """Variance of log_days if its papers come at random: 1/papers."""


class _Line(NamedTuple):
    """Line through log durations, fitted with a random effect for each doubling."""

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
        """Return the log duration that the line predicts for a doubling."""
        return self.level + self.slope * (n - self.centre)

    def distance(self, n: float, noise: float, confidence: float) -> float:
        """Return the half-width of the prediction interval of a doubling's log duration.

        The scatter is shrunk towards 1, the value for random papers, which has the weight of PRIOR_FREEDOM residuals.
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
        Number of papers in each.
    parallel_penalty
        The exponent p of the run's law, for ``r_implied``.
    open_days
        Days since the last complete doubling.
    returns_to
        What the run's r refers to, ``inputs`` or ``effort``, for ``r_implied``.

    The ratio q of successive doubling times is ``exp`` of the slope of log duration on the number of the doubling.
    n papers at random times take a total time whose relative variance is 1/n, so doubling i has the weight
    ``1/(tau^2 + 1/n_i)``. The variance tau^2 between doublings is estimated from the same residuals (DerSimonian and
    Laird, Control. Clin. Trials 7, 177, 1986). The interval is Student's, from the weighted scatter (Knapp and
    Hartung, Stat. Med. 22, 2693, 2003).

    The last part begins as the last half of the doublings, at least MIN_WINDOW. It is extended backwards, doubling by
    doubling, until one lies outside the 99% prediction interval of the line through the later ones. Start-up
    transients and earlier regimes are left out this way, and a single doubling that chance made short is not.

    The open doubling is censored: only a lower bound of its duration is known. It is ignored while it is shorter than
    the line predicts. If it is longer, it is treated as if it ended now, so that the ratio is a lower bound. If it lies
    beyond the 99.9% prediction limit, the run is slowing down and ``high`` is ``inf``.

    The name is "exponential" if the interval lies within 5% of 1, "speeding up" if it lies below 1, "slowing down"
    if it lies above 1, and "undecided" otherwise. Doublings that one paper completed together share its time;
    doublings too short for the clock are left out.
    """
    points = _usable_points(durations, papers)
    if len(points) < 2:
        return Pace("undecided", None, None, None, None, None, None, _insufficient_data(len(points)))
    window = _last_part(points)
    line = _fit_line(window)
    if open_days > 0:
        following = _Point(len(durations), math.log(open_days), window[-1].noise)
        if len(window) >= MIN_DOUBLINGS and _is_stalled(window, line, following):
            return _pace_of_stalled_run(window, following, parallel_penalty, returns_to)
        if len(window) >= MIN_DOUBLINGS and following.log_days > line.at(following.n):
            window = _last_part([*points, following])
            line = _fit_line(window)
    ratio = _clipped_exp(line.slope)
    implied = returns_from_ratio(ratio, parallel_penalty, returns_to)
    first, last = window[0].n + 1, window[-1].n + 1
    if len(window) < MIN_DOUBLINGS:
        return Pace("undecided", ratio, None, None, implied, first, last, _insufficient_data(len(window)))
    margin = float(stdtrit(line.freedom, 0.5 + CONFIDENCE / 2)) * math.sqrt(line.scatter / line.spread)
    low, high = _clipped_exp(line.slope - margin), _clipped_exp(line.slope + margin)
    name = _classify(low, high)
    return Pace(
        name, ratio, low, high, implied, first, last, _describe_pace(name, ratio, low, high, implied, first, last)
    )


def _usable_points(durations: Sequence[float], papers: Sequence[float]) -> list[_Point]:
    """Return the doublings that are long enough for the clock."""
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
    """Return the last half of the doublings, extended backwards as far as one line fits."""
    first = max(0, len(points) - max(MIN_WINDOW, (len(points) + 1) // 2))
    while first > 0:
        line, earlier = _fit_line(points[first:]), points[first - 1]
        if abs(earlier.log_days - line.at(earlier.n)) > line.distance(earlier.n, earlier.noise, MISFIT_CONFIDENCE):
            break
        first -= 1
    return points[first:]


def _fit_line(points: list[_Point]) -> _Line:
    """Fit a line with weights 1/(tau^2 + noise); the moment estimate of tau^2 uses the weights 1/noise."""
    freedom = len(points) - 2
    weights = [1 / point.noise for point in points]
    line = _fit_weighted(points, weights, 0.0)
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
    return _fit_weighted(points, [1 / (between + point.noise) for point in points], between)


def _fit_weighted(points: list[_Point], weights: list[float], between: float) -> _Line:
    """Fit log duration on the number of the doubling by weighted least squares."""
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
    """Return whether the open doubling is longer than each in the last part and than the line allows."""
    longest = max(point.log_days for point in window)
    one_sided = 2 * STALL_CONFIDENCE - 1
    limit = line.at(following.n) + line.distance(following.n, following.noise, one_sided)
    return following.log_days > max(limit, longest)


def _pace_of_stalled_run(window: list[_Point], following: _Point, penalty: float, returns_to: str) -> Pace:
    """Return the pace of a run whose open doubling has lasted beyond the prediction limit."""
    before = window[-1]
    grown = following.log_days - before.log_days
    quantile = float(stdtrit(PRIOR_FREEDOM, CONFIDENCE))
    ratio, low = _clipped_exp(grown), _clipped_exp(grown - quantile * math.sqrt(before.noise + following.noise))
    number, days = following.n + 1, _clipped_exp(following.log_days)
    sentence = (
        f"Slowing down: doubling {number} has been open for {_format_number(days)} days, already "
        f"{_format_number(ratio)} times as long as doubling {before.n + 1} took."
    )
    implied = returns_from_ratio(ratio, penalty, returns_to)
    return Pace("slowing down", ratio, min(low, ratio), math.inf, implied, before.n + 1, number, sentence)


def _classify(low: float, high: float) -> Name:
    if low >= 1 - EXPONENTIAL_BAND and high <= 1 + EXPONENTIAL_BAND:
        return "exponential"
    if high < 1:
        return "speeding up"
    return "slowing down" if low > 1 else "undecided"


def _clipped_exp(exponent: float) -> float:
    return math.exp(max(-700.0, min(exponent, 700.0)))


def _format_number(value: float) -> str:
    """Return a number with three decimals below 10, and with fewer digits above."""
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}" if value < 1e6 else f"{value:.3g}"


def _insufficient_data(found: int) -> str:
    return f"Undecided: {found} doubling{'s are' if found != 1 else ' is'} too few; a pace needs {MIN_DOUBLINGS}."


def _describe_pace(name: Name, ratio: float, low: float, high: float, implied: float, first: int, last: int) -> str:
    change = (
        f"each doubling took {_format_number(ratio)} times as long as the one before ({_format_number(low)} to "
        f"{_format_number(high)}), doublings {first} to {last}"
    )
    as_r = (
        f"as under returns of r = {_format_number(implied)}" if math.isfinite(implied) else "faster than any finite r"
    )
    return {
        "speeding up": f"Speeding up: {change}, {as_r}.",
        "slowing down": f"Slowing down: {change}, {as_r}.",
        "exponential": f"Exponential growth: {change}.",
        "undecided": f"Undecided: {change}; the interval contains 1.",
    }[name]
