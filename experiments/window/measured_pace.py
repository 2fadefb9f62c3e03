"""Compute the pace of software from readings, and the thresholds on it, at each reading."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.window.governance_view import PaceThreshold
from experiments.window.timeline import ReadingSeries

Values = NDArray[np.float64]


def measured_pace(readings: ReadingSeries, threshold: PaceThreshold) -> Values:
    """Return the mean pace over the window of a threshold at each reading [doublings/day].

    Before the first reading software grew at the pace of the reference, as :class:`sim.governance.detectors.WindowRule`
    has it. Without a reference, and for the time between two readings, there is no pace at first: ``nan``.
    """
    days, doublings = np.asarray(readings.day), np.asarray(readings.doublings)
    if threshold.window_days == 0:
        return np.append(np.nan, np.diff(doublings) / np.diff(days))[: len(days)]
    starts = days - threshold.window_days
    level = np.interp(starts, days, doublings)
    early = starts < days[0]
    if threshold.reference_per_day > 0:
        level[early] = doublings[0] + (starts[early] - days[0]) * threshold.reference_per_day
    else:
        level[early] = np.nan
    return np.asarray((doublings - level) / threshold.window_days)


def threshold_pace(readings: ReadingSeries, threshold: PaceThreshold) -> Values:
    """Return the pace that reaches a threshold, at each reading [doublings/day]; ``nan`` if it is not known."""
    days, doublings = np.asarray(readings.day), np.asarray(readings.doublings)
    if threshold.reference_per_day > 0:
        return np.full(len(days), threshold.times * threshold.reference_per_day)
    starts = days - threshold.window_days
    before = np.full(len(days), np.nan)
    known = starts > days[0]
    before[known] = (np.interp(starts[known], days, doublings) - doublings[0]) / (starts[known] - days[0])
    return threshold.times * before
