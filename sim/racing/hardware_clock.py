"""Compute the dates of research if hardware grows: an exact change of clock.

If the pace of research is proportional to hardware H(t), every result of the growth law holds in research days
``tau(t) = integral of H``. With hardware that doubles every T_H days, ``tau = (2^(t/T_H) - 1) T_H/ln 2``. The order and
number of doublings do not depend on H, only their dates. That holds without a cluster: a larger cluster also runs
larger experiments, so that hardware counts twice.

``doubling_days`` is T_H [days]: above 0; ``inf`` is hardware that does not grow, and the two clocks are then equal.
"""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim import growth
from sim.growth import DAYS_PER_MONTH
from sim.racing.arguments import check_count, check_number

Numbers = Any
"""A float or a NumPy array of floats."""

MAX_DOUBLINGS: Final = 1_000.0
"""Largest number of doublings of hardware."""
MAX_DRAWS: Final = 100_000_000


def research_days(days: Numbers, doubling_days: float) -> Numbers:
    """Return tau, the research days in some calendar days: days of research with the hardware of day 0.

    ``days`` is 0 to 1000 doublings of hardware.
    """
    _check_clock(doubling_days)
    check_number("days", days, 0, _longest(doubling_days), "Use fewer days.")
    if doubling_days == math.inf:
        return days * 1.0
    rate = math.log(2) / doubling_days
    return np.expm1(days * rate) / rate


def calendar_days(research: Numbers, doubling_days: float) -> Numbers:
    """Return the calendar days in which some research days pass, the inverse of `research_days`.

    It is ``T_H log2(1 + tau ln 2/T_H)``. ``research`` is 0 or more, or ``inf``, which takes ``inf`` days.
    """
    _check_clock(doubling_days)
    check_number("research", research, 0, math.inf, "Use research days of 0 or more.")
    if doubling_days == math.inf:
        return research * 1.0
    rate = math.log(2) / doubling_days
    return np.log1p(research * rate) / rate


def software_doublings(
    days: Numbers, r: float, doubling_days: float, first_doubling_days: float = DAYS_PER_MONTH
) -> Numbers:
    """Return the doublings of software in some calendar days; ``inf`` from the explosion on.

    It is that of `sim.growth.software_at` on the research clock. ``r`` is 0.01 to 100. ``first_doubling_days`` is the
    first doubling time without growth of hardware, above 0.
    """
    _check_law(r, first_doubling_days)
    ratio = float(growth.doubling_ratio(r))
    return growth.software_at(research_days(days, doubling_days), first_doubling_days, ratio)


def explosion_day(r: float, doubling_days: float, first_doubling_days: float = DAYS_PER_MONTH) -> float:
    """Return the calendar day of the explosion; ``inf`` for r up to 1, however fast hardware grows.

    Arguments are those of `software_doublings`.
    """
    _check_law(r, first_doubling_days)
    end = growth.explosion_time(first_doubling_days, float(growth.doubling_ratio(r)))
    return float(calendar_days(end, doubling_days))


def late_doubling_days(r: float, doubling_days: float) -> float:
    """Return the doubling time of software to which r < 1 tends: ``T_H (1 - r)/r`` [days].

    Hardware thus turns a fizzle into exponential growth, ``r/(1 - r)`` times as fast as its own. ``r`` is 0.01 up to 1;
    at 1 the limit is 0: growth is faster than exponential, without a finite end.
    """
    _check_clock(doubling_days)
    check_number("r", r, 0.01, 1, "Above r = 1 software explodes.")
    return doubling_days * (1 - r) / r if r < 1 else 0.0


def simulate_papers(
    generator: np.random.Generator, papers_per_day: float, doubling_days: float, days: float, runs: int
) -> NDArray[np.int64]:
    """Draw the number of papers that come in some days if their rate grows with hardware, one element a run.

    Candidates are drawn at the rate of the last day, and each is kept with the probability ``H(t)/H(days)``. The mean
    is ``papers_per_day research_days(days)``. ``papers_per_day`` is the rate on day 0, above 0. The rate of the last
    day times ``days`` times ``runs`` is at most 100 million. Source: Lewis and Shedler, *Simulation of nonhomogeneous
    Poisson processes by thinning*, 1979.
    """
    _check_clock(doubling_days)
    check_number("papers_per_day", papers_per_day, 0, 1e9, "Use a positive rate.", above=True)
    check_number("days", days, 0, _longest(doubling_days), "Use fewer days.", above=True)
    check_count("runs", runs, 1, MAX_DRAWS, "Draw at least one run.")
    fastest = papers_per_day * 2.0 ** (days / doubling_days)
    check_number("papers to draw", fastest * days * runs, 0, MAX_DRAWS, "Use fewer days or runs.")
    candidates = generator.poisson(fastest * days, runs)
    times = generator.uniform(0, days, int(candidates.sum()))
    kept = generator.random(len(times)) < 2.0 ** ((times - days) / doubling_days)
    run = np.repeat(np.arange(runs), candidates)
    return np.bincount(run[kept], minlength=runs).astype(np.int64)


def _longest(doubling_days: float) -> float:
    return min(1e12, MAX_DOUBLINGS * doubling_days)


def _check_clock(doubling_days: float) -> None:
    check_number("doubling_days", doubling_days, 0, math.inf, "Use inf for hardware that does not grow.", above=True)


def _check_law(r: float, first_doubling_days: float) -> None:
    check_number("r", r, 0.01, 100, "Use returns of the growth law.")
    check_number("first_doubling_days", first_doubling_days, 0, 1e9, "Use a positive time.", above=True)
