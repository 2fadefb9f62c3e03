"""Estimate speed-ups from pairs of times: the median of log ratios, with an interval. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

RESAMPLES: Final = 2000
"""Bootstrap samples of an interval."""
CONFIDENCE: Final = 0.95
MIN_ROUNDS: Final = 3
"""Fewest rounds for an interval from the spread between rounds."""


class Speedup(NamedTuple):
    """Baseline time over candidate time (above 1 is faster), with its interval."""

    ratio: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the interval, in log units: 0.03 is within 3%."""
        return float(np.log(self.high / self.low) / 2)


def speedup(pairs: Sequence[Sequence[float]], rounds: Sequence[int] = ()) -> Speedup:
    """Return the speed-up over (candidate, baseline) times of any unit, at least one pair.

    ``rounds``: number of pairs of each round of new processes, in order. The memory addresses of a process make it
    some percent faster or slower throughout, so its pairs are not independent. With three rounds or more, the interval
    is Student's 95% interval over the medians of the rounds. Otherwise it is the percentile bootstrap of the median
    over all pairs, with a fixed seed, so that equal pairs give equal intervals.
    """
    if len(rounds) >= MIN_ROUNDS:
        return student_t_interval(round_medians(pairs, rounds))
    logs = _log_ratios(pairs)
    drawn = np.random.default_rng(0).integers(len(logs), size=(RESAMPLES, len(logs)))
    medians = np.median(logs[drawn], axis=1)
    low, high = np.quantile(medians, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Speedup(float(np.exp(np.median(logs))), float(np.exp(low)), float(np.exp(high)))


def round_medians(pairs: Sequence[Sequence[float]], rounds: Sequence[int]) -> NDArray[np.float64]:
    """Return the median log ratio of each round."""
    return np.array([np.median(each) for each in np.split(_log_ratios(pairs), np.cumsum(rounds)[:-1])])


def student_t_interval(logs: NDArray[np.float64]) -> Speedup:
    """Return the mean of log speed-ups, at least two, with Student's 95% interval."""
    centre, half = float(np.mean(logs)), 0.0
    if spread := float(np.std(logs, ddof=1)):
        half = float(stdtrit(len(logs) - 1, (1 + CONFIDENCE) / 2)) * spread / float(np.sqrt(len(logs)))
    return Speedup(float(np.exp(centre)), float(np.exp(centre - half)), float(np.exp(centre + half)))


def _log_ratios(pairs: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    times = np.asarray(pairs, dtype=float)
    logs: NDArray[np.float64] = np.log(times[:, 1] / times[:, 0])
    return logs


def geomean(speedups: Sequence[Speedup]) -> Speedup:
    """Return the geometric mean over shapes; the intervals are independent and add in quadrature, in logs."""
    logs = np.log([each.ratio for each in speedups])
    centre = float(np.mean(logs))
    below = np.array([np.log(each.ratio / each.low) for each in speedups])
    above = np.array([np.log(each.high / each.ratio) for each in speedups])
    n = len(speedups)
    low, high = (float(np.sqrt(np.sum(side**2)) / n) for side in (below, above))
    return Speedup(float(np.exp(centre)), float(np.exp(centre - low)), float(np.exp(centre + high)))
