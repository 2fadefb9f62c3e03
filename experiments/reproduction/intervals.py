"""Compute the intervals of the rows that depend on random seeds, and their outcomes.

All intervals together miss a correct figure with probability ``FALSE_ALARM`` at most: each of the ``TESTS`` has an
equal part of it (Bonferroni). The number of seeds that a row needs follows from its theory before any run. With fewer
seeds the outcome is "cannot tell", so that a few unlikely seeds cannot refute a figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, gammainc, gammaincinv

from experiments.reproduction.comparison import LOOSE_WITHIN, Outcome
from experiments.statistics.intervals import mean_interval

FALSE_ALARM: Final = 0.01
"""Maximum probability that any row of a correct simulator is refuted."""
TESTS: Final = 16
"""Number of tested intervals: five each of F1 and F4, six means of queues."""
MISSES: Final = FALSE_ALARM / TESTS
"""Maximum probability that one interval misses the exact figure."""

_MAX_SEEDS: Final = 1 << 24

Numbers = NDArray[np.float64]


class ExactInterval(NamedTuple):
    """An interval by its two ends."""

    low: float
    high: float

    def contains(self, exact: float) -> bool:
        """Return whether the interval contains an exact figure."""
        return self.low <= exact <= self.high


def gamma_mean(mean: float, shape: float) -> ExactInterval:
    """Return the exact interval of the mean of gamma-distributed times, from the mean of a sample.

    ``shape``: shape of the sum of the sample, which is its number of papers. The sum of ``shape`` exponential times is
    half their mean times a chi-square variable with ``2 shape`` degrees of freedom.
    """
    return ExactInterval(
        mean * shape / float(gammaincinv(shape, 1 - MISSES / 2)), mean * shape / float(gammaincinv(shape, MISSES / 2))
    )


def clopper_pearson(hits: int, n: int) -> ExactInterval:
    """Return Clopper and Pearson's exact interval of a probability, from ``hits`` in ``n`` independent trials."""
    low = float(betaincinv(hits, n - hits + 1, MISSES / 2)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - MISSES / 2)) if hits < n else 1.0
    return ExactInterval(low, high)


def mean_of_batches(means: Numbers) -> ExactInterval:
    """Return Student's interval of a mean from means of long batches, which are nearly normal and independent."""
    found = mean_interval(means, 1 - MISSES)
    return ExactInterval(found.low, found.high)


class PoissonPapers(NamedTuple):
    """Intervals from a sample of doubling times with Poisson papers, and the number of seeds that they need."""

    means: list[ExactInterval]
    """Mean time of each doubling [months]."""
    middle_half: ExactInterval
    """Share of doublings whose time lies in the middle half of its Gamma law: 50% if the spread is correct."""
    seeds_needed: int
    outcome: Outcome


def poisson_papers(months: Numbers, doublings: Sequence[tuple[int, int]]) -> PoissonPapers:
    """Test doubling times against Gamma(n, rate N), the law of n Poisson papers by N researchers.

    ``months``: array (seeds, doublings), for one paper a researcher and month. ``doublings``: n and N of each. The mean
    of every doubling is tested, and the spread of all together. Doublings of a run are independent, as N is fixed in
    each.
    """
    seeds = len(months)
    papers, team = np.array(doublings, dtype=float).T
    means = [gamma_mean(float(column.mean()), n * seeds) for column, n in zip(months.T, papers, strict=True)]
    below = gammainc(papers, months * team)
    middle_half = clopper_pearson(int(np.count_nonzero(np.abs(below - 0.5) <= 0.25)), below.size)
    inside = all(each.contains(float(mean)) for each, mean in zip(means, papers / team, strict=True))
    needed = seeds_needed(tuple(n for n, _ in doublings))
    if seeds < needed:
        outcome: Outcome = "cannot tell"
    else:
        outcome = "holds" if inside and middle_half.contains(0.5) else "refuted"
    return PoissonPapers(means, middle_half, needed, outcome)


@cache
def seeds_needed(papers: tuple[int, ...]) -> int:
    """Return the minimum number of seeds whose intervals around exact figures are within `LOOSE_WITHIN` of them."""
    low, high = 1, _MAX_SEEDS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _resolves(middle, papers) else (middle + 1, high)
    return low


def _resolves(seeds: int, papers: tuple[int, ...]) -> bool:
    trials = seeds * len(papers)
    halves = clopper_pearson(trials // 2, trials)
    relative = [gamma_mean(1.0, n * seeds) for n in papers] + [ExactInterval(2 * halves.low, 2 * halves.high)]
    return all(each.low >= 1 - LOOSE_WITHIN and each.high <= 1 + LOOSE_WITHIN for each in relative)
