"""Estimate shares, means and censored times from runs that share sample points. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from experiments.statistics.intervals import CONFIDENCE, normal_score, student_score, wilson
from experiments.sweep.analysis.sweep_data import Flags, Floats, Ints

SEED: Final = 5
"""Seed of resamples and random halves, so that the analysis of a sweep is reproducible."""
RESAMPLES: Final = 200
"""Default number of bootstrap resamples."""


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

    Runs of one point share its parameters, so that m of them have less information than m points. The variance of the
    share is that between points (linearised). The effective number is ``n v0/v (z/t)^2``, with v0 the variance of n
    independent runs and t Student's quantile for the points. It is at least two, and at most the number of runs. Runs
    of a single point are its independent replications.

    Source: Korn and Graubard, Survey Methodology 24, 193, 1998.
    """
    n, share = len(happened), float(np.mean(happened))
    _, index = np.unique(points, return_inverse=True)
    clusters = int(index.max()) + 1
    return ClusteredProbability(share, *wilson(share, _effective_runs(happened, index, clusters)), n, clusters)


def _effective_runs(happened: Flags, index: Ints, clusters: int) -> float:
    n, share = len(happened), float(np.mean(happened))
    if clusters in (1, n):
        return n
    if share in (0.0, 1.0):  # without differences between points, the correlation of their runs is unknown
        return clusters
    sums = np.bincount(index, weights=happened - share)
    variance = clusters / (clusters - 1) * float(np.sum(sums**2)) / n**2
    shrink = (normal_score() / student_score(clusters - 1)) ** 2
    alike = share * (1 - share) / n / variance if variance > 0 else 1.0
    return float(max(min(clusters, 2), min(1.0, alike) * n * shrink))


def clustered_mean(values: Floats, points: Ints) -> ClusteredMean:
    """Return a mean with Student's interval over points; for a single point, over its runs."""
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
    """Return days and the share that reached the gain by then (Kaplan and Meier, J. Am. Stat. Assoc. 53, 457, 1958).

    ``times``: day on which each run reached the gain or was last observed; infinity for runs that never will reach it.
    """
    days, events = np.unique(times[reached], return_counts=True)
    if reached.all():
        return days, np.asarray(np.cumsum(events) / len(times), dtype=float)
    left = len(times) - np.searchsorted(np.sort(times), days)  # runs observed on this day or later
    return days, np.asarray(1 - np.cumprod((left - events) / left), dtype=float)


def time_quantile(times: Floats, reached: Flags, share: float) -> float:
    """Return the first day by which this share has reached the gain; infinity if that was not observed."""
    return time_quantiles(times, reached, [share])[0]


def time_quantiles(times: Floats, reached: Flags, shares: Sequence[float]) -> list[float]:
    """Return the first day by which each share has reached the gain; infinity if that was not observed."""
    days, found = kaplan_meier(times, reached)
    places = np.searchsorted(found, np.array(shares) - 1e-12)
    return [float(days[at]) if at < len(days) else math.inf for at in places]


def can_bracket_quantile(points: int, share: float) -> bool:
    """Return whether ``points`` independent values can bracket a quantile with 95%: 6 for a median, 59 for 5%.

    The range of n values contains the quantile with probability 1 - share^n - (1 - share)^n. With fewer values there is
    no 95% interval.
    """
    return 1 - share**points - (1 - share) ** points >= CONFIDENCE


def count_independent(points: Ints) -> int:
    """Return the number of independent values among these runs: the points, or the runs of a single point."""
    unique = len(np.unique(points))
    return unique if unique > 1 else len(points)


def cluster_bootstrap_interval(
    points: Ints, estimate: Callable[[Ints], Sequence[float]], resamples: int = RESAMPLES
) -> tuple[Floats, Floats]:
    """Return the 95% interval of estimates by a bootstrap that resamples whole points (percentile method).

    ``estimate`` takes the rows of a resample. For a single point its runs are resampled.
    """
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    # "nearest", because quantiles that were not reached are infinite and cannot be interpolated.
    low, high = np.quantile(cluster_bootstrap(points, estimate, resamples), tails, axis=0, method="nearest")
    return low, high


def cluster_bootstrap(points: Ints, estimate: Callable[[Ints], Sequence[float]], resamples: int = RESAMPLES) -> Floats:
    """Return the estimates of a bootstrap that resamples whole points, one row for each resample.

    ``estimate`` takes the rows of a resample. For a single point its runs are resampled.
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
    return np.array(found, dtype=float)


def restricted_mean(times: Floats, reached: Flags, limit: float) -> float:
    """Return the mean of the smaller of the time and a limit: the area above the Kaplan-Meier curve up to the limit.

    It is the plain mean if all runs reach the gain before the limit. The share that reached the gain is constant after
    the last observed run. Source: Royston and Parmar, BMC Med. Res. Methodol. 13, 152, 2013.
    """
    order = np.lexsort((~reached, times))  # on the same day, runs that reach the gain come before censored ones
    left = np.cumprod(1 - reached[order] / np.arange(len(times), 0, -1))
    ends = np.minimum(np.concatenate([[0.0], times[order], [limit]]), limit)
    return float(np.sum(np.concatenate([[1.0], left]) * np.diff(ends)))
