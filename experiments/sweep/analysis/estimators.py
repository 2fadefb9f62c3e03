"""Estimates from runs that share points: intervals of shares and means, times with censoring. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy.stats import CensoredData, ecdf

from experiments.statistics.intervals import CONFIDENCE, normal_score, student_score, wilson
from experiments.sweep.analysis.sweep_data import Flags, Floats, Ints

SEED: Final = 5
"""Of what is drawn here: resamples and halves, so that a sweep has one analysis."""
RESAMPLES: Final = 200


class ClusteredProbability(NamedTuple):
    """A share of runs, with its 95% interval."""

    share: float
    low: float
    high: float
    runs: int
    points: int


class ClusteredMean(NamedTuple):
    """A mean over runs, with its 95% interval."""

    mean: float
    low: float
    high: float
    runs: int
    points: int


def clustered_share(happened: Flags, points: Ints) -> ClusteredProbability:
    """Return a share with Wilson's interval for the effective number of runs.

    Runs of a point share its parameters: m of them say less than m points. The variance of the share is that between
    points (linearised), and the effective number is ``n v0/v (z/t)^2`` with v0 the variance of n independent runs and t
    Student's quantile for the points (Korn and Graubard, Survey Methodology 24, 193, 1998); at least two, and
    at most the number of runs. Where all runs are of one point, they are its independent replications.
    """
    n, share = len(happened), float(np.mean(happened))
    _, index = np.unique(points, return_inverse=True)
    clusters = int(index.max()) + 1
    return ClusteredProbability(share, *wilson(share, _effective_runs(happened, index, clusters)), n, clusters)


def _effective_runs(happened: Flags, index: Ints, clusters: int) -> float:
    n, share = len(happened), float(np.mean(happened))
    if clusters in (1, n):
        return n
    if share in (0.0, 1.0):  # nothing differs between points, and so nothing says how much alike their runs are
        return clusters
    sums = np.bincount(index, weights=happened - share)
    variance = clusters / (clusters - 1) * float(np.sum(sums**2)) / n**2
    shrink = (normal_score() / student_score(clusters - 1)) ** 2
    alike = share * (1 - share) / n / variance if variance > 0 else 1.0
    return float(max(min(clusters, 2), min(1.0, alike) * n * shrink))


def clustered_mean(values: Floats, points: Ints) -> ClusteredMean:
    """Return a mean with Student's interval over points; of one point, over its runs."""
    _, index = np.unique(points, return_inverse=True)
    clusters, mean = int(index.max()) + 1, float(np.mean(values))
    if clusters == 1:
        index, clusters = np.arange(len(values)), len(values)
    if clusters < 2:
        return ClusteredMean(mean, -math.inf, math.inf, len(values), 1)
    sums = np.bincount(index, weights=values - mean)
    error = math.sqrt(clusters / (clusters - 1) * float(np.sum(sums**2))) / len(values)
    half = student_score(clusters - 1) * error
    return ClusteredMean(mean, mean - half, mean + half, len(values), len(np.unique(points)))


def kaplan_meier(times: Floats, reached: Flags) -> tuple[Floats, Floats]:
    """Return days and the share that has got there by then (Kaplan and Meier, J. Am. Stat. Assoc. 53, 457, 1958).

    ``times``: when each got there or was last seen; those that never will are last seen at infinity.
    """
    if not reached.any():
        return np.empty(0), np.empty(0)
    seen = times[reached]
    censored = np.minimum(times[~reached], seen.max() + 1)  # SciPy takes finite times only
    found = ecdf(CensoredData(uncensored=seen, right=censored)).cdf
    events = np.isin(found.quantiles, seen)
    return found.quantiles[events], found.probabilities[events]


def time_quantile(times: Floats, reached: Flags, share: float) -> float:
    """Return the first day by which this share has got there; infinity if that was not seen."""
    days, shares = kaplan_meier(times, reached)
    at = int(np.searchsorted(shares, share - 1e-12))
    return float(days[at]) if at < len(days) else math.inf


def can_bracket_quantile(points: int, share: float) -> bool:
    """Return whether so many independent values can bracket a quantile with 95%: 6 for a median, 59 for 5%.

    The range of n values holds it with probability 1 - share^n - (1 - share)^n, so that fewer carry no interval.
    """
    return 1 - share**points - (1 - share) ** points >= CONFIDENCE


def count_independent(points: Ints) -> int:
    """Return how many independent values the runs of these points are: the points, or the runs of a single one."""
    unique = len(np.unique(points))
    return unique if unique > 1 else len(points)


def cluster_bootstrap_interval(
    points: Ints, estimate: Callable[[Ints], Sequence[float]], resamples: int = RESAMPLES
) -> tuple[Floats, Floats]:
    """Return the 95% interval of estimates by drawing whole points again (percentiles of the bootstrap).

    ``estimate`` takes the rows of a resample. Of one point, its runs are drawn again.
    """
    unique, index = np.unique(points, return_inverse=True)
    if len(unique) == 1:
        index = np.arange(len(points))
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(index.max() + 2))
    rng = np.random.default_rng(SEED)
    found = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(starts) - 1, len(starts) - 1)
        lengths = starts[drawn + 1] - starts[drawn]
        offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        found.append(estimate(order[np.repeat(starts[drawn], lengths) + offsets]))
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    # A quantile that is not reached is infinite, and between infinities nothing can be interpolated.
    low, high = np.quantile(np.array(found, dtype=float), tails, axis=0, method="nearest")
    return low, high
