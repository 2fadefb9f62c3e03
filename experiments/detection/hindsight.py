"""Divide readings of software into segments of constant pace, as one can when a run is over. Pure functions.

The segments have the least sum of squared errors of the progress between readings, plus a penalty for each segment. The
library ``ruptures`` finds them (Truong, Oudre and Vayatis, *Signal Processing* 167, 107299, 2020).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from experiments.detection.runs import ReadRun
from experiments.monte_carlo.runner import median
from experiments.statistics.intervals import Share, share_of

PENALTY: Final = 3.0
"""Penalty of a segment, in units of the variance of the progress times the log of the number of increments.

Without a change of pace, 2% of series of 30 increments with independent normal errors have a second segment: 6% of
those of 10 increments, and 1% of those of 60.
Twice the variance is the Bayesian information criterion (Yao, *Statistics & Probability Letters* 6, 181, 1988).
"""
_MIN_INCREMENTS: Final = 2
_SPACING: Final = 1e-6
"""Relative error of the time between two readings, within which they are evenly spaced."""
_ROUNDING: Final = 1e-9
"""Relative rounding error of a pace, within which it has reached a limit."""


class PaceSegment(NamedTuple):
    """A time in which software grew at one pace."""

    start: float
    """Day of its first reading."""
    end: float
    """Day of its last reading."""
    pace: float
    """Mean pace [doublings/day]."""


def pace_segments(days: Sequence[float], doublings: Sequence[float], noise: float) -> tuple[PaceSegment, ...]:
    """Return the segments of constant pace in a series of readings, in the order of time.

    Arguments
    ---------
    days
        Days of at least two readings, evenly spaced and increasing.
    doublings
        Measured software at each reading.
    noise
        Standard deviation of the progress from one reading to the next [doublings], above 0.

    Raises ValueError if the readings are too few or unevenly spaced, or the noise is not above 0.
    """
    if len(days) < 2:
        raise ValueError(f"readings = {len(days)} are too few for a pace; allowed: 2 or more. Read more often.")
    if not (math.isfinite(noise) and noise > 0):
        raise ValueError(f"noise = {noise:g} is not allowed; allowed: above 0. Use 0.1 for exact readings.")
    steps = np.diff(np.asarray(days, dtype=float))
    if steps.min() <= 0 or steps.max() - steps.min() > _SPACING * steps.max():
        raise ValueError(
            f"days = {steps.min():g} to {steps.max():g} between two readings; allowed: one distance above 0. Read at "
            "even intervals."
        )
    ends = _segment_ends(np.diff(np.asarray(doublings, dtype=float)), noise)
    return tuple(
        PaceSegment(
            float(days[start]), float(days[end]), float((doublings[end] - doublings[start]) / (days[end] - days[start]))
        )
        for start, end in pairwise((0, *ends))
    )


def _segment_ends(increments: np.ndarray, noise: float) -> list[int]:
    """Return the number of the increment after the last one of each segment."""
    if len(increments) < _MIN_INCREMENTS:
        return [len(increments)]
    from ruptures import KernelCPD  # noqa: PLC0415 - it loads in a second, and `asara --help` must answer at once

    penalty = PENALTY * noise**2 * math.log(len(increments))
    search = KernelCPD(kernel="linear", min_size=1).fit(increments[:, None])
    return [int(end) for end in search.predict(pen=penalty)]


def fast_in_hindsight(segments: Sequence[PaceSegment], pace: float) -> float:
    """Return the first day of the first segment with this pace or a faster one; ``inf`` if there is none."""
    return next((each.start for each in segments if each.pace >= pace * (1 - _ROUNDING)), math.inf)


class HindsightRow(NamedTuple):
    """From when on software of a scenario is fast, by all readings of a run."""

    scenario: str
    fast: Share
    """Share of the runs in which a segment is fast."""
    day: float
    """Median day on which the first one begins; ``inf`` if half of the runs or more have none."""
    true_day: float
    """Median day on which the first fast doubling begins; ``inf`` if half of the runs or more have none."""


def hindsight_row(scenario: str, runs: Sequence[ReadRun], pace: float, noise: float) -> HindsightRow:
    """Return from when on the runs of a scenario are fast; ``pace`` and ``noise`` as in the functions above."""
    days = [fast_in_hindsight(_segments_of(run, noise), pace) for run in runs]
    return HindsightRow(
        scenario, share_of([day < math.inf for day in days]), median(days), median([run.fast_from for run in runs])
    )


def _segments_of(run: ReadRun, noise: float) -> tuple[PaceSegment, ...]:
    readings = run.readings
    if len(readings) < 2:
        return ()
    return pace_segments([one.day for one in readings], [one.doublings for one in readings], noise)
