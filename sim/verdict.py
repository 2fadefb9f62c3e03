"""What a run's own doubling times say: explosion, exponential, fizzle, or undecided."""

import math
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.special import stdtrit

from sim.growth import returns_from_ratio

Name = Literal["explosion", "exponential", "fizzle", "undecided"]

CONFIDENCE = 0.95
SAME_WITHIN = 0.05
"""An interval that contains 1 and reaches no farther from it than this means exponential growth."""
ROUNDING = 0.001
"""How near 1 counts as 1, for runs without chance, whose interval has no width."""
FEWEST = 3
"""Doublings without which nothing is decided."""
SHORTEST = 1e-8
"""Of the day on which it ended: a doubling that took less is lost in the rounding of the clock."""
TURN_CONFIDENCE = 0.999
"""How sure it must be that doublings first got faster and then slower before a run is judged in two parts."""


class Verdict(NamedTuple):
    """The dynamics of a run, from its doubling times."""

    name: Name
    ratio: float | None
    """Each doubling time over the one before; None with fewer than two doublings."""
    low: float | None
    high: float | None
    """The 95% interval of the ratio; None with fewer than three doublings."""
    r_implied: float | None
    """The returns that would give this ratio if nothing but the law held software up; ``inf`` where no finite
    r would."""
    sentence: str


class Point(NamedTuple):
    """One doubling: its number from 0, log2 of its duration, and its weight."""

    n: int
    log_days: float
    weight: float


def judge(
    durations: list[float], papers: list[float], parallel_penalty: float = 1.0, returns_to: str = "inputs"
) -> Verdict:
    """Judge a run by the days that each doubling took and the papers that went into it.

    The ratio q is the slope of log2 duration on the number of the doubling, by least squares weighted with the
    papers (n papers that come at random take a time whose relative variance is 1/n), with a Student interval
    from the scatter around the line. Explosion if the interval lies below 1, fizzle if above, exponential if it
    contains 1 and stays within 5% of it, undecided otherwise. Where doublings clearly got faster and later
    slower, as towards a limit, those up to the fastest are judged. Doublings that one paper brought together share
    its time, and those too short for the clock to tell are left out.
    """
    points = _points(durations, papers)
    turn = _turning_point(points)
    judged = points if turn is None else points[: turn + 1]
    if len(judged) < 2:
        return Verdict("undecided", None, None, None, None, _too_few(len(judged)))
    slope, margin = _slope(judged)
    ratio = 2.0**slope
    implied = returns_from_ratio(ratio, parallel_penalty, returns_to)
    if len(judged) < FEWEST:
        return Verdict("undecided", ratio, None, None, implied, _too_few(len(judged)))
    low, high = 2.0 ** (slope - margin), 2.0 ** min(slope + margin, 1000.0)
    name = _name(low, high)
    sentence = _sentence(name, ratio, low, high, implied)
    if turn is not None:
        sentence += f" That was so up to doubling {points[turn].n + 1}; later ones took longer again."
    return Verdict(name, ratio, low, high, implied, sentence)


def _points(durations: list[float], papers: list[float]) -> list[Point]:
    """The doublings that can be judged."""
    points: list[Point] = []
    n, day = 0, 0.0
    while n < len(durations):
        together = 1
        while n + together < len(durations) and durations[n + together] == 0:
            together += 1
        day += durations[n]
        if durations[n] > SHORTEST * day:
            log_days = math.log2(durations[n] / together)
            weight = max(sum(papers[n : n + together]) / together, 1e-9)
            points += [Point(i, log_days, weight) for i in range(n, n + together)]
        n += together
    return points


def _slope(points: list[Point]) -> tuple[float, float]:
    """The weighted slope and the half-width of its interval (inf with two points)."""
    coefficients, errors, freedom = _fit(points, 1)
    quantile = stdtrit(freedom, 0.5 + CONFIDENCE / 2) if freedom > 0 else math.inf
    return float(coefficients[1]), float(quantile * errors[1]) if freedom > 0 else math.inf


def _turning_point(points: list[Point]) -> int | None:
    """Where the fastest doubling stands if log durations bend upwards beyond doubt, None if they do not."""
    if len(points) < 2 * FEWEST:
        return None
    coefficients, errors, freedom = _fit(points, 2)
    sure = coefficients[2] > stdtrit(freedom, TURN_CONFIDENCE) * errors[2] + 1e-6
    fastest = min(range(len(points)), key=lambda i: points[i].log_days)
    return fastest if sure and FEWEST <= fastest + 1 <= len(points) - FEWEST + 1 else None


def _fit(points: list[Point], degree: int) -> tuple[Any, Any, int]:
    """Weighted least squares of log2 duration on powers of n: coefficients, standard errors, degrees of freedom."""
    n, log_days, weight = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    root = np.sqrt(weight / weight.max())
    powers = np.vander(n - np.average(n, weights=weight), degree + 1, increasing=True) * root[:, None]
    inverse = np.linalg.pinv(powers)
    coefficients = inverse @ (log_days * root)
    freedom = len(points) - degree - 1
    scatter = np.sum((log_days * root - powers @ coefficients) ** 2) / max(1, freedom)
    return coefficients, np.sqrt(scatter * np.sum(inverse**2, axis=1)), freedom


def _name(low: float, high: float) -> Name:
    if high < 1 - ROUNDING:
        return "explosion"
    if low > 1 + ROUNDING:
        return "fizzle"
    return "exponential" if low >= 1 - SAME_WITHIN and high <= 1 + SAME_WITHIN else "undecided"


def _too_few(found: int) -> str:
    return f"Undecided: {found} doublings, and it takes {FEWEST} to say anything."


def _sentence(name: Name, ratio: float, low: float, high: float, implied: float) -> str:
    change = f"each doubling took {ratio:.2f} times as long as the one before ({low:.2f} to {high:.2f})"
    as_r = f"as under returns of r = {implied:.2f}" if math.isfinite(implied) else "faster than any finite r"
    return {
        "explosion": f"Software intelligence explosion: {change}, {as_r}.",
        "fizzle": f"Fizzle: {change}, {as_r}.",
        "exponential": f"Exponential growth: {change}.",
        "undecided": f"Undecided: {change}, which could be either side of 1.",
    }[name]
