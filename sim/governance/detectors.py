"""Detect a faster pace of software from readings, one reading at a time.

A reading is measured software [doublings] on a day. Readings may be noisy and unevenly spaced, but every reading is
later than the one before. Every detector has the interface `Detector`. A detector draws no random numbers and can be
pickled. `PUBLISHED_RULES` of `sim.governance.published_rules` has rules that developers and researchers proposed.

The detectors `Cusum`, `Sprt`, `ShiryaevRoberts` and `BayesianChangePoint` use a normal model, `PaceChange`, of the
increments between readings. `sim.governance.run_lengths` has the error rates of that model.
"""

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from scipy.special import ndtr

from sim.racing.arguments import check_number

_MAX_DAYS: Final = 1e9
_MAX_PACE: Final = 1e9
_MAX_SEGMENTS: Final = 200
"""Number of segments that `BayesianChangePoint` keeps; the least probable ones are dropped."""
_NEGLIGIBLE: Final = 40.0
"""Natural log of the ratio of the largest probability of a segment to one that is dropped."""
_TOLERANCE: Final = 1e-9
"""Relative tolerance for rounding: a pace or an interval this close below its limit has reached it."""


class Detector(Protocol):
    """Turn readings of software into alarms."""

    @property
    def threshold(self) -> float:
        """Value of the statistic from which on an alarm is raised."""

    @property
    def statistic(self) -> float:
        """Value that is compared with the threshold, after the last reading."""

    def update(self, day: float, doublings: float) -> bool:
        """Add a reading and return whether this reading raises an alarm. Days must increase."""

    def reset(self) -> None:
        """Forget all readings and alarms."""


def alarm_days(detector: Detector, days: Iterable[float], doublings: Iterable[float]) -> list[float]:
    """Return the days on which a series of readings raises an alarm. The detector is reset first."""
    detector.reset()
    return [float(day) for day, level in zip(days, doublings, strict=True) if detector.update(day, level)]


class WindowRule:
    """Raise an alarm when software has grown too fast over a window of days.

    The statistic is the mean pace over the last ``window_days``, as a multiple of the reference pace. Software at the
    start of the window is interpolated between readings. Before the first reading it is assumed to have grown at the
    reference pace, so that an alarm is possible within the first window.

    After an alarm there is no other alarm until a check finds the pace below the threshold.

    Arguments
    ---------
    reference_pace
        Pace before any acceleration [doublings/day], above 0.
    multiple
        Multiple of the reference pace that raises an alarm, 1 or more.
    window_days
        Length of the window [days], above 0.
    sustained_days
        Time for which every check must find the pace at the threshold or above [days]; 0: one check is enough.
    check_interval_days
        Minimum time between two checks [days]; 0: every reading is checked. Readings between checks are kept.
    """

    def __init__(
        self,
        reference_pace: float,
        multiple: float,
        window_days: float,
        sustained_days: float = 0.0,
        check_interval_days: float = 0.0,
    ) -> None:
        check_number("reference_pace", reference_pace, 0, _MAX_PACE, "Use the pace of earlier years.", above=True)
        check_number("multiple", multiple, 1, 1e9, "Below 1 the rule rings at the reference pace.")
        check_number("window_days", window_days, 0, _MAX_DAYS, "Give the window in days.", above=True)
        check_number("sustained_days", sustained_days, 0, _MAX_DAYS, "Use 0 to ring at the first check.")
        check_number("check_interval_days", check_interval_days, 0, _MAX_DAYS, "Use 0 to check every reading.")
        self.reference_pace = reference_pace
        self.window_days = window_days
        self.sustained_days = sustained_days
        self.check_interval_days = check_interval_days
        self._multiple = multiple
        self.reset()

    @property
    def threshold(self) -> float:
        """Multiple of the reference pace that raises an alarm."""
        return self._multiple

    @property
    def statistic(self) -> float:
        """Mean pace over the window at the last check, as a multiple of the reference pace; 1 before any reading."""
        return self._statistic

    @property
    def is_fast(self) -> bool:
        """Whether the last check found the pace at the threshold or above."""
        return self._fast_since < math.inf

    def reset(self) -> None:
        """Forget all readings and alarms."""
        self._readings: deque[tuple[float, float]] = deque()
        self._statistic = 1.0
        self._last_check = -math.inf
        self._fast_since = math.inf
        self._has_rung = False

    def update(self, day: float, doublings: float) -> bool:
        """Add a reading and return whether this reading raises an alarm. Days must increase."""
        _check_reading(day, doublings, self._readings[-1][0] if self._readings else None)
        self._readings.append((day, doublings))
        if day - self._last_check < self.check_interval_days * (1 - _TOLERANCE):
            return False
        self._last_check = day
        progress = doublings - self._level_at(day - self.window_days)
        self._statistic = progress / (self.window_days * self.reference_pace)
        if self._statistic < self._multiple * (1 - _TOLERANCE):
            self._fast_since, self._has_rung = math.inf, False
            return False
        self._fast_since = min(self._fast_since, day)
        if self._has_rung or day - self._fast_since < self.sustained_days * (1 - _TOLERANCE):
            return False
        self._has_rung = True
        return True

    def _level_at(self, day: float) -> float:
        """Return software on a day at the start of the window, and drop the readings that no later window needs."""
        while len(self._readings) > 1 and self._readings[1][0] <= day:
            self._readings.popleft()
        first_day, first = self._readings[0]
        if day <= first_day:
            return first - self.reference_pace * (first_day - day)
        next_day, following = self._readings[1]
        return first + (following - first) * (day - first_day) / (next_day - first_day)


@dataclass(frozen=True, slots=True)
class PaceChange:
    """Describe the change of pace that a detector looks for, and the noise of the readings.

    The increment of software over D days is normal with mean ``pace D`` and standard deviation ``noise``, whatever D.
    Increments are independent. If instead each reading has an independent error with standard deviation s, ``noise`` is
    ``s sqrt(2)``. Neighbouring increments then have correlation -1/2, so that false alarms are rarer than the run
    lengths of the model.
    """

    reference_pace: float
    """Pace before the change [doublings/day]."""
    pace: float
    """Pace to detect [doublings/day], above the reference pace."""
    noise: float
    """Standard deviation of the increment from one reading to the next [doublings]."""

    def __post_init__(self) -> None:
        check_number("reference_pace", self.reference_pace, 0, _MAX_PACE, "Use the pace of earlier years.")
        check_number("pace", self.pace, self.reference_pace, _MAX_PACE, "Use a faster pace to detect.", above=True)
        check_number("noise", self.noise, 0, 1e9, "Use the standard deviation of an increment.", above=True)

    def shift(self, days: float) -> float:
        """Return the change of the mean of an increment over some days [standard deviations]."""
        return (self.pace - self.reference_pace) * days / self.noise

    def log_likelihood_ratio(self, days: float, increment: float) -> float:
        """Return the log of the likelihood of an increment at the pace to detect over that at the reference pace.

        With the shift d and the increment z, standardized at the reference pace, it is ``d z - d^2/2``.
        """
        shift = self.shift(days)
        return shift * ((increment - self.reference_pace * days) / self.noise - shift / 2)


class IncrementDetector(ABC):
    """Compare a statistic of the increments with a threshold; the first reading only gives the starting level.

    At an alarm the statistic stays visible. With the next reading the detector starts afresh from its last reading.
    """

    def __init__(self, change: PaceChange, threshold: float) -> None:
        self.change = change
        self._threshold = threshold
        self.reset()

    @property
    def threshold(self) -> float:
        """Value of the statistic from which on an alarm is raised."""
        return self._threshold

    @property
    @abstractmethod
    def statistic(self) -> float:
        """Value that is compared with the threshold, after the last reading."""

    def reset(self) -> None:
        """Forget all readings and alarms."""
        self._last: tuple[float, float] | None = None
        self._restart()

    def update(self, day: float, doublings: float) -> bool:
        """Add a reading and return whether this reading raises an alarm. Days must increase."""
        before = self._last
        _check_reading(day, doublings, before[0] if before else None)
        self._last = (day, doublings)
        if before is None:
            return False
        if self._has_decided():
            self._restart()
        self._add(day - before[0], doublings - before[1])
        return self.statistic >= self._threshold

    def _has_decided(self) -> bool:
        return self.statistic >= self._threshold

    @abstractmethod
    def _restart(self) -> None: ...

    @abstractmethod
    def _add(self, days: float, increment: float) -> None: ...


class Cusum(IncrementDetector):
    """Detect a change of pace by the cumulative sum (CUSUM) of log-likelihood ratios.

    The statistic is ``W_n = max(0, W_(n-1) + l_n)`` with the log-likelihood ratio l of an increment. No detector with
    the same mean time to a false alarm has a smaller worst-case delay (Moustakides, 1986).

    ``threshold`` is in natural logs, above 0. Tables give the threshold h in standard deviations, for the reference
    value ``k = d/2`` and the shift d: ``threshold = h d``. `run_lengths.cusum_threshold` gives h for a wanted mean time
    to a false alarm. Source: Page, 1954.
    """

    def __init__(self, change: PaceChange, threshold: float) -> None:
        check_number("threshold", threshold, 0, 1e6, "Use h times the shift, with h of a table.", above=True)
        super().__init__(change, threshold)

    @property
    def statistic(self) -> float:
        """Cumulative sum since it was last 0 [natural log]."""
        return self._sum

    def _restart(self) -> None:
        self._sum = 0.0

    def _add(self, days: float, increment: float) -> None:
        self._sum = max(0.0, self._sum + self.change.log_likelihood_ratio(days, increment))


class Sprt(IncrementDetector):
    """Decide between the reference pace and the pace to detect by Wald's sequential probability ratio test.

    The statistic is the sum of log-likelihood ratios since the last decision. The test accepts the pace to detect, and
    raises an alarm, from ``ln((1 - b)/a)`` on. It accepts the reference pace, without an alarm, down from
    ``ln(b/(1 - a))``. Here a is ``false_alarm`` and b is ``miss``, the error probabilities of one test. After either
    decision a new test starts. Source: Wald, 1945.
    """

    def __init__(self, change: PaceChange, false_alarm: float = 0.05, miss: float = 0.05) -> None:
        check_error_probabilities(false_alarm, miss)
        self.lower_threshold = math.log(miss / (1 - false_alarm))
        super().__init__(change, math.log((1 - miss) / false_alarm))

    @property
    def statistic(self) -> float:
        """Sum of log-likelihood ratios since the last decision [natural log]."""
        return self._sum

    def _has_decided(self) -> bool:
        return super()._has_decided() or self._sum <= self.lower_threshold

    def _restart(self) -> None:
        self._sum = 0.0

    def _add(self, days: float, increment: float) -> None:
        self._sum += self.change.log_likelihood_ratio(days, increment)


class ShiryaevRoberts(IncrementDetector):
    """Detect a change of pace by the sum of likelihood ratios over all possible days of the change.

    The statistic is ``R_n = (1 + R_(n-1)) e^l`` with the log-likelihood ratio l of an increment. Before the change its
    mean grows by 1 a reading. The mean number of readings to a false alarm is therefore ``threshold`` or more. With
    restarts after false alarms, it has the smallest mean delay for a late change (Pollak and Tartakovsky, 2009). This
    holds among detectors with the same mean time to a false alarm. ``threshold`` is above 0, up to 1e300. Source:
    Shiryaev, 1963; Roberts, 1966.
    """

    def __init__(self, change: PaceChange, threshold: float) -> None:
        check_number("threshold", threshold, 0, 1e300, "Use the wanted readings to a false alarm.", above=True)
        super().__init__(change, threshold)

    @property
    def statistic(self) -> float:
        """Sum of likelihood ratios; at most 1e300."""
        return math.exp(self._log) if self._log < _LOG_LARGEST else 1e300

    def _restart(self) -> None:
        self._log = -math.inf

    def _add(self, days: float, increment: float) -> None:
        ratio = self.change.log_likelihood_ratio(days, increment)
        self._log = float(np.logaddexp(0.0, self._log)) + ratio


_LOG_LARGEST: Final = math.log(1e300)


class BayesianChangePoint(IncrementDetector):
    """Detect a change of pace by Bayesian online change-point detection.

    The series is a sequence of segments of constant pace. A new segment starts within D days with probability
    ``1 - e^(-D/days_between_changes)``. The first segment has the reference pace. The pace of each later segment is
    normal around the reference pace with standard deviation ``pace_spread``, and its posterior is normal too.

    The statistic is the posterior probability that the present pace is above the mean of the reference pace and the
    pace to detect. Each reading costs a number of operations in proportion to the segments, at most 200. Source: Adams
    and MacKay, *Bayesian Online Changepoint Detection*, arXiv 0710.3742, 2007, with known variance. Here a new segment
    starts before an increment, not after it, so that the alarm comes one reading earlier.

    Arguments
    ---------
    change
        Paces and noise. `pace` sets the pace from which on the statistic counts, and the default of ``pace_spread``.
    days_between_changes
        Prior mean time between two changes [days], above 0.
    threshold
        Posterior probability that raises an alarm, above 0 and below 1. A new segment may always have started, so that
        the statistic stays below about ``1 - 1/n`` if a change comes once in n readings.
    pace_spread
        Prior standard deviation of the pace of a new segment [doublings/day]; by default the difference of both paces.
    """

    def __init__(
        self,
        change: PaceChange,
        days_between_changes: float,
        threshold: float = 0.5,
        pace_spread: float | None = None,
    ) -> None:
        check_number("days_between_changes", days_between_changes, 0, _MAX_DAYS, "Use a prior mean.", above=True)
        check_number("threshold", threshold, 0, 1 - 1e-12, "Use a probability below 1.", above=True)
        spread = change.pace - change.reference_pace if pace_spread is None else pace_spread
        check_number("pace_spread", spread, 0, _MAX_PACE, "Use the spread of likely paces.", above=True)
        self.days_between_changes = days_between_changes
        self.pace_spread = spread
        super().__init__(change, threshold)

    @property
    def statistic(self) -> float:
        """Posterior probability of a fast pace, 0 to 1."""
        return self._probability

    @property
    def mean_pace(self) -> float:
        """Posterior mean of the present pace [doublings/day]."""
        return float(np.exp(self._log_weights) @ self._means)

    def _restart(self) -> None:
        self._log_weights = np.zeros(1)
        self._means = np.array([self.change.reference_pace])
        self._variances = np.zeros(1)
        self._probability = 0.0

    def _add(self, days: float, increment: float) -> None:
        ratio = days / self.days_between_changes
        old = self._log_weights
        kept = np.flatnonzero(old > old.max() - _NEGLIGIBLE)
        if len(kept) >= _MAX_SEGMENTS:
            kept = np.sort(np.argsort(old, kind="stable")[-(_MAX_SEGMENTS - 1) :])
        log_weights = np.append(old[kept] - ratio, math.log(-math.expm1(-ratio)))
        means = np.append(self._means[kept], self.change.reference_pace)
        variances = np.append(self._variances[kept], self.pace_spread**2)
        predicted = self.change.noise**2 + days**2 * variances
        surprise = increment - means * days
        log_weights -= (surprise**2 / predicted + np.log(predicted)) / 2
        log_weights -= log_weights.max()
        self._log_weights = log_weights - math.log(np.exp(log_weights).sum())
        self._means = means + variances * days / predicted * surprise
        self._variances = variances * self.change.noise**2 / predicted
        self._probability = self._probability_of_fast_pace()

    def _probability_of_fast_pace(self) -> float:
        middle = (self.change.reference_pace + self.change.pace) / 2
        with np.errstate(divide="ignore"):
            fast = ndtr((self._means - middle) / np.sqrt(self._variances))
        return float(np.exp(self._log_weights) @ fast)


def check_error_probabilities(false_alarm: float, miss: float) -> None:
    """Raise ValueError if the error probabilities of a test are outside of 0 to 1/2 (both excluded)."""
    for name, value in (("false_alarm", false_alarm), ("miss", miss)):
        check_number(name, value, 0, 0.5 - 1e-12, "Use a probability below one half.", above=True)


def _check_reading(day: float, doublings: float, before: float | None) -> None:
    if not (math.isfinite(day) and math.isfinite(doublings)):
        raise ValueError(f"reading = ({day:g}, {doublings:g}) is not finite; allowed: finite numbers. Leave it out.")
    if before is not None and day <= before:
        raise ValueError(
            f"day = {day:g} is not after the last reading; allowed: above {before:g}. Sort the readings by day."
        )
