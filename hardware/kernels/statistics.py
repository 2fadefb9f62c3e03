"""Speed-ups from pairs of times: the median of log ratios, with a bootstrap interval. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

RESAMPLES: Final = 2000
CONFIDENCE: Final = 0.95


class Speedup(NamedTuple):
    """Baseline time over candidate time, above 1 is faster, with its interval."""

    ratio: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the interval, in log units: 0.03 is within 3%."""
        return float(np.log(self.high / self.low) / 2)


def speedup(pairs: Sequence[Sequence[float]]) -> Speedup:
    """Return the speed-up over (candidate, baseline) times of any unit, at least one pair.

    The interval is the percentile bootstrap of the median, 95%, from a fixed seed: the same pairs, the same interval.
    """
    times = np.asarray(pairs, dtype=float)
    logs = np.log(times[:, 1] / times[:, 0])
    drawn = np.random.default_rng(0).integers(len(logs), size=(RESAMPLES, len(logs)))
    medians = np.median(logs[drawn], axis=1)
    low, high = np.quantile(medians, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Speedup(float(np.exp(np.median(logs))), float(np.exp(low)), float(np.exp(high)))


def geomean(speedups: Sequence[Speedup]) -> Speedup:
    """Return the geometric mean over shapes; the intervals are independent and add in quadrature, in logs."""
    logs = np.log([each.ratio for each in speedups])
    centre = float(np.mean(logs))
    below = np.array([np.log(each.ratio / each.low) for each in speedups])
    above = np.array([np.log(each.high / each.ratio) for each in speedups])
    n = len(speedups)
    low, high = (float(np.sqrt(np.sum(side**2)) / n) for side in (below, above))
    return Speedup(float(np.exp(centre)), float(np.exp(centre - low)), float(np.exp(centre + high)))
