"""Compute races of labs that deploy each paper at once: pure birth processes.

A lab with effort E (a number of papers) writes ``rate E^r`` papers per day, and each paper adds 1 to E. Its software is
proportional to E^r, and it deploys every discovery on the spot. For r > 1 the number of papers becomes infinite on a
random, finite date: the explosion. The closed forms use the Hurwitz zeta function ``zeta(r, a) = sum (a + k)^-r``.

Two labs that share nothing end in one of three ways. r < 1: the shares of effort tend to 1/2. r = 1: they tend to a
random limit with a beta distribution. r > 1: one lab writes all papers but finitely many. Source: Rubin's
construction, in Davis, *Reinforced random walk*, 1990.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, zeta

from sim.racing.arguments import check_count, check_number
from sim.racing.gil_pelaez import probability_negative

Floats = NDArray[np.float64]

MIN_EXPLOSIVE_RETURNS: Final = 1.001
"""Smallest r of an explosion: closer to 1 the dates lose their digits."""
MAX_RETURNS: Final = 4.0
MAX_EFFORT: Final = 1e6
MAX_RUNS: Final = 10_000_000
MAX_BIRTHS: Final = 1_000_000
_LARGEST_RATIO: Final = 0.05
"""Largest u/(rate k^r) of a paper k that counts in the series of the characteristic function."""
_TERMS: Final = 14


class ExplosionDate(NamedTuple):
    """Moments of the date of an explosion."""

    mean: float
    """Mean [days]: zeta(r, E0)/rate."""
    variance: float
    """Variance [days^2]: zeta(2r, E0)/rate^2."""
    fluid: float
    """Date without randomness [days], from dE/dt = rate E^r: E0^(1 - r)/((r - 1) rate)."""

    @property
    def spread(self) -> float:
        """Standard deviation as a share of the mean."""
        return math.sqrt(self.variance) / self.mean


class ShareOfEffort(NamedTuple):
    """Distribution of a lab's final share of effort at r = 1."""

    mean: float
    """Mean share, a/(a + b)."""
    deviation: float
    """Standard deviation of the share."""
    above_half: float
    """Probability of more than half, 1 - I_(1/2)(a, b)."""


def explosion_date(r: float, effort: float, rate: float = 1.0) -> ExplosionDate:
    """Return the moments of the explosion date of a lab that starts with ``effort``.

    ``r`` is 1.001 to 4. ``effort`` is the number of papers on day 0, 1 to a million. ``rate`` is the number of
    papers per day at an effort of 1, above 0. The times between papers are independent exponentials with rates
    ``rate (effort + k)^r``, whose means and variances add up.
    """
    _check_lab(r, effort, rate)
    mean, variance = float(zeta(r, effort)) / rate, float(zeta(2 * r, effort)) / rate**2
    return ExplosionDate(mean, variance, effort ** (1 - r) / ((r - 1) * rate))


def simulate_explosion_dates(
    generator: np.random.Generator, r: float, effort: float, runs: int, rate: float = 1.0, births: int = 500
) -> Floats:
    """Draw explosion dates [days], one element a run.

    The times of the first ``births`` papers are drawn one by one. The time of all later papers together is a Gamma
    variable with their exact mean and variance. The mean and variance of the date are therefore exact. Memory is 8
    bytes per run and paper. Ranges are those of `explosion_date`.
    """
    _check_lab(r, effort, rate)
    check_count("runs", runs, 1, MAX_RUNS, "Draw at least one run.")
    check_count("births", births, 0, MAX_BIRTHS, "Draw fewer papers one by one.")
    rates = rate * (effort + np.arange(births)) ** r
    later = effort + births
    mean, variance = zeta(r, later) / rate, zeta(2 * r, later) / rate**2
    drawn = generator.standard_exponential((runs, births)) @ (1 / rates)
    return np.asarray(drawn + generator.gamma(mean**2 / variance, variance / mean, runs))


def probability_first_to_explode(
    r: float, effort: float, effort_of_other: float, rate: float = 1.0, rate_of_other: float | None = None
) -> float:
    """Return the probability that a lab explodes before another, with an error below 1e-9.

    It is also the probability that the lab writes all papers but finitely many, if only the order of papers counts.
    The date has the characteristic function ``prod 1/(1 - iu/(rate k^r))`` over k from ``effort`` on. The integral of
    Gil-Pelaez (`sim.racing.gil_pelaez`) gives the probability that the difference of two dates is negative. Ranges are
    those of `explosion_date`; ``rate_of_other`` is by default ``rate``.
    """
    other_rate = rate if rate_of_other is None else rate_of_other
    own, other = explosion_date(r, effort, rate), explosion_date(r, effort_of_other, other_rate)

    def log_characteristic(u: Floats) -> NDArray[np.complex128]:
        return _log_characteristic(u / rate, r, effort) + _log_characteristic(-u / other_rate, r, effort_of_other)

    return probability_negative(log_characteristic, own.mean - other.mean, own.variance + other.variance)


def share_at_unit_returns(effort: float, effort_of_other: float) -> ShareOfEffort:
    """Return the distribution of a lab's final share of effort at r = 1 and equal rates.

    The share tends to a random limit with the distribution Beta(a, b), with the efforts a and b of day 0 (1 to a
    million). An early paper counts for ever: the limit differs from run to run. Source: Pólya's urn.
    """
    for name, value in (("effort", effort), ("effort_of_other", effort_of_other)):
        check_number(name, value, 1, MAX_EFFORT, "Use the number of papers on day 0.")
    total = effort + effort_of_other
    mean = effort / total
    deviation = math.sqrt(mean * (1 - mean) / (total + 1))
    return ShareOfEffort(mean, deviation, float(betainc(effort_of_other, effort, 0.5)))


def simulate_shares(
    generator: np.random.Generator, r: float, efforts: tuple[float, ...], papers: int, runs: int, leak: float = 0.0
) -> Floats:
    """Draw the labs' shares of effort after a number of papers by all: an array of runs by labs.

    The next paper is that of lab i with probability ``E_i^r/sum E_j^r``. Dates are not drawn, because the order of
    papers does not depend on them. Each paper adds 1 to the effort of its lab and ``leak`` to that of every other lab.

    ``r`` is 0 to 4; ``efforts`` are those of two or more labs on day 0, 1 to a million. ``papers`` is 1 to a million,
    ``leak`` 0 (nothing) to 1 (all). All rates are equal.
    """
    check_number("r", r, 0, MAX_RETURNS, "Use returns of the growth law.")
    check_count("len(efforts)", len(efforts), 2, 10_000, "A race needs two labs.")
    check_number("efforts", efforts, 1, MAX_EFFORT, "Use the number of papers on day 0.")
    check_count("papers", papers, 1, MAX_BIRTHS, "Draw fewer papers.")
    check_count("runs", runs, 1, MAX_RUNS, "Draw at least one run.")
    check_number("leak", leak, 0, 1, "Use the share of a paper that reaches the other labs.")
    effort = np.tile(np.asarray(efforts, dtype=float), (runs, 1))
    rows = np.arange(runs)
    for _ in range(papers):
        cumulative = np.cumsum(effort**r, axis=1)
        drawn = generator.random(runs) * cumulative[:, -1]
        writer = (drawn[:, None] >= cumulative[:, :-1]).sum(axis=1)
        effort += leak
        effort[rows, writer] += 1 - leak
    return np.asarray(effort / effort.sum(axis=1, keepdims=True))


def _log_characteristic(z: Floats, r: float, effort: float) -> NDArray[np.complex128]:
    """Return ln E[e^(izT)] of the explosion date T at a rate of 1.

    The first papers are summed one by one: those with ``|z| > 0.05 k^r``. The logarithm of the others is expanded,
    ``sum_m (iz)^m/m zeta(m r, K)``, with an error below 1e-16.
    """
    largest = float(np.max(np.abs(z)))
    count = max(0, math.ceil((largest / _LARGEST_RATIO) ** (1 / r) - effort))
    total = np.zeros(len(z), dtype=complex)
    for paper in range(count):
        total -= np.log1p(-1j * z / (effort + paper) ** r)
    later = effort + count
    power = np.ones(len(z), dtype=complex)
    for term in range(1, _TERMS):
        power = power * (1j * z / later**r)
        if abs(power).max() < 1e-18:
            break
        total += power / term * (float(zeta(term * r, later)) * later ** (term * r))
    return total


def _check_lab(r: float, effort: float, rate: float) -> None:
    check_number("r", r, MIN_EXPLOSIVE_RETURNS, MAX_RETURNS, "Up to r = 1 there is no explosion.")
    check_number("effort", effort, 1, MAX_EFFORT, "Use the number of papers on day 0.")
    check_number("rate", rate, 0, 1e9, "Use a positive number of papers per day.", above=True)
