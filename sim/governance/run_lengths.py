"""Compute how fast and how reliably detectors raise alarms: run lengths, bounds, errors and precision.

A run length is the mean number of readings to the first alarm. ARL0 is the run length without a change: the mean time
to a false alarm. Readings are increments in standard deviations, independent and normal, unless a function names
another distribution. The detectors themselves are in `sim.governance.detectors`.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from sim.governance.detectors import check_error_probabilities
from sim.racing.arguments import check_count, check_number

_STATES: Final = 100
"""Smallest number of states of the coarser of the two Markov chains."""
_STATES_PER_DEVIATION: Final = 16
"""Number of states for each standard deviation of the threshold, for high thresholds."""
_MOST_STATES: Final = 600
"""Largest number of states of the coarser chain; it limits the time to about a second."""
_MAX_RUN_LENGTH: Final = 1e10
"""Longest run length that the Markov chain computes; beyond, the error exceeds 1e-4."""
_SIEGMUND_EXCESS: Final = 1.166
"""Correction of both thresholds together for the excess of a discrete sum over them, 2 × 0.583 [sd]."""
_LOWEST_THRESHOLD: Final = 1e-3
"""Lowest threshold that `cusum_threshold` returns [sd]."""
_LOWEST_EXPONENT: Final = -700.0
"""Exponent below which the approximate run length is ``inf``, before e^-x overflows."""


def cusum_run_length(threshold: float, shift: float = 0.0, reference: float = 0.5) -> float:
    """Return the run length of a one-sided CUSUM by the Markov chain of Brook and Evans.

    The CUSUM is ``W_n = max(0, W_(n-1) + z_n - k)`` from 0, with an alarm at ``W >= h``. ``threshold`` is h, above 0,
    up to 100. ``shift`` is the mean of z, -10 to 10, and ``reference`` is k, 0 to 10, all in standard deviations. W is
    divided into intervals, and two chains are extrapolated to intervals of width 0. The relative error is below 1e-6
    for run lengths up to 1e5 and below 1e-4 beyond. Run lengths above 1e10 are refused. Source: Brook and Evans,
    *Biometrika* 59, 1972.
    """
    _check_cusum(threshold, shift, reference)
    states = min(max(_STATES, math.ceil(_STATES_PER_DEVIATION * threshold)), _MOST_STATES)
    coarse, fine = (_chain_run_length(threshold, shift - reference, n) for n in (states, 2 * states))
    ratio = (4 * states - 1) / (2 * states - 1)  # of the widths of both chains; the error is of second order
    found = coarse + (fine - coarse) / (1 - ratio**-2)
    if not 0 < found <= _MAX_RUN_LENGTH:
        raise ValueError(
            f"run length = {found:.3g} is too long to compute; allowed: up to {_MAX_RUN_LENGTH:g}. "
            "Use a smaller threshold, or siegmund_run_length."
        )
    return found


def _chain_run_length(threshold: float, drift: float, states: int) -> float:
    """Return the run length from 0 of a chain on intervals around 0, w, 2w, ... with ``w = 2h/(2n - 1)``."""
    width = 2 * threshold / (2 * states - 1)
    steps = np.arange(-states + 1, states + 1) - 0.5
    below: NDArray[np.float64] = ndtr(steps * width - drift)  # by j - i - 1/2, from -n + 1/2 on
    index = np.arange(states)
    offset = index[None, :] - index[:, None] + states - 1
    moves = below[offset + 1] - below[offset]
    moves[:, 0] = below[offset[:, 0] + 1]
    return float(np.linalg.solve(np.eye(states) - moves, np.ones(states))[0])


def two_sided_run_length(upward: float, downward: float) -> float:
    """Return the run length of two CUSUMs, one per side: ``1/(1/upward + 1/downward)``.

    Arguments are the one-sided run lengths, above 0. It is exact if both have the same threshold and reference value.
    """
    for name, value in (("upward", upward), ("downward", downward)):
        check_number(name, value, 1, math.inf, "Use the run length of one side.")
    return 1 / (1 / upward + 1 / downward)


def siegmund_run_length(threshold: float, shift: float = 0.0, reference: float = 0.5) -> float:
    """Return the run length of a CUSUM by Siegmund's approximation, ``(e^(-2Db) + 2Db - 1)/(2 D^2)``.

    D is ``shift - reference`` and b is ``threshold + 1.166``; for D = 0 it is ``b^2``. For thresholds of 2 or more the
    error is below 1.5% if D is between -0.5 and 0.5, and below 8% up to -1 and 1. Arguments as in `cusum_run_length`.
    Source: Siegmund, *Sequential Analysis*, 1985.
    """
    _check_cusum(threshold, shift, reference)
    drift, b = shift - reference, threshold + _SIEGMUND_EXCESS
    x = 2 * drift * b
    if abs(x) < 1e-5:
        return b * b
    return math.inf if x < _LOWEST_EXPONENT else (math.expm1(-x) + x) / (2 * drift**2)


def cusum_threshold(run_length: float, reference: float = 0.5) -> float:
    """Return the threshold h of the one-sided CUSUM with this ARL0 [sd].

    ``run_length`` is 3 to 1e9 readings. ``reference`` is k, 0.1 to 2.5; a change of 2k is then found fastest. If even
    h = 0.001 gives a longer run, a ValueError is raised.
    """
    check_number("run_length", run_length, 3, 1e9, "Count in readings.")
    check_number("reference", reference, 0.1, 2.5, "Take fewer readings if it is below, more if it is above.")
    lowest = cusum_run_length(_LOWEST_THRESHOLD, 0.0, reference)
    if run_length < lowest:
        raise ValueError(
            f"run_length = {run_length:g} is shorter than that of any CUSUM with this reference value; allowed: "
            f"{lowest:.6g} or more. Use a longer run."
        )

    def log_ratio(threshold: float) -> float:
        return math.log(cusum_run_length(threshold, 0.0, reference) / run_length)

    step, low = 0.25, _LOWEST_THRESHOLD
    high = low
    while siegmund_run_length(high, 0.0, reference) < run_length:  # an approximate solution is near
        low, high = high, high + step
    low = max(_LOWEST_THRESHOLD, low - step)
    while log_ratio(high) < 0:
        low, high = high, high + step
    if low > _LOWEST_THRESHOLD and log_ratio(low) > 0:
        low = _LOWEST_THRESHOLD
    return float(brentq(log_ratio, low, high, xtol=1e-9, rtol=1e-12))


def sprt_mean_readings(shift: float, false_alarm: float = 0.05, miss: float = 0.05, *, changed: bool = True) -> float:
    """Return the mean number of readings of Wald's test between the means 0 and ``shift``.

    After a change it is ``((1 - b) ln((1 - b)/a) + b ln(b/(1 - a)))/(shift^2/2)``, with the error probabilities a =
    ``false_alarm`` and b = ``miss``, each below one half. Without a change (``changed`` false) a and b trade places.
    The sum of log-likelihood ratios is taken to stop exactly at its thresholds, so that the true mean is larger.
    ``shift`` is 0.001 to 100 standard deviations. Source: Wald, 1945.
    """
    check_number("shift", shift, 1e-3, 100, "Use the change of the mean.")
    check_error_probabilities(false_alarm, miss)
    a, b = (false_alarm, miss) if changed else (miss, false_alarm)
    return ((1 - b) * math.log((1 - b) / a) + b * math.log(b / (1 - a))) / normal_information(shift)


def normal_information(shift: float) -> float:
    """Return the Kullback-Leibler divergence of a shifted normal reading: ``shift^2/2`` [natural log per reading]."""
    check_number("shift", shift, 0, 1e100, "Use the change in standard deviations.", above=True)
    return shift**2 / 2


def poisson_information(before: float, after: float) -> float:
    """Return the Kullback-Leibler divergence of Poisson counts: ``after ln(after/before) - after + before``.

    ``before`` and ``after`` are events per unit of time, above 0 and different. The result is in natural logs per unit
    of time.
    """
    _check_rates(before, after)
    return after * math.log(after / before) - after + before


def poisson_reference(before: float, after: float) -> float:
    """Return the reference value of a CUSUM of Poisson counts, ``(after - before)/ln(after/before)``.

    Counts above it raise the CUSUM. Units as in `poisson_information`.
    """
    _check_rates(before, after)
    return (after - before) / math.log(after / before)


def lorden_delay(run_length: float, information: float) -> float:
    """Return Lorden's first-order delay, ``ln(ARL0)/information``.

    ``run_length`` is ARL0, above 1, in any unit of time. ``information`` is the Kullback-Leibler divergence per unit of
    time, above 0. The smallest possible worst-case delay approaches this in ratio as ARL0 grows. It is not a bound for
    a finite ARL0: for ARL0 335 and a shift of 1 sd it is 11.63 readings, and the CUSUM needs 8.38. Use `least_delay`
    for an exact bound. Source: Lorden, *Annals of Mathematical Statistics* 42, 1971.
    """
    check_number("run_length", run_length, 1, math.inf, "Count readings or months to a false alarm.", above=True)
    check_number("information", information, 0, 1e100, "Use normal_information or poisson_information.", above=True)
    return math.log(run_length) / information


def least_delay(run_length: float, shift: float) -> float:
    """Return the smallest worst-case delay of any detector with a mean time to a false alarm of ``run_length``.

    The worst case is over the time of the change and over all readings before it. The bound is exact: it is the run
    length after a change of the CUSUM with reference value ``shift/2`` and this ARL0. Arguments are 3 to 1e9 readings
    and a shift of 0.2 to 5 sd. Source: Moustakides, *Annals of Statistics* 14, 1986.
    """
    check_number("shift", shift, 0.2, 5, "Take fewer readings if it is below, more if it is above.")
    return cusum_run_length(cusum_threshold(run_length, shift / 2), shift, shift / 2)


def window_rule_delay(window: float, multiple: float, pace_multiple: float) -> float:
    """Return the time from a step of the pace to the alarm of a window rule: ``W (m0 - 1)/(m - 1)``.

    The pace rises from the reference pace to ``pace_multiple`` m times it. The rule rings when progress over ``window``
    W is ``multiple`` m0 times that at the reference pace. Readings are exact and continuous; a reading lag adds to the
    result. For ``m < m0`` it is ``inf``. Both multiples are 1 or more; the unit is that of the window.
    """
    check_number("window", window, 0, 1e12, "Give a positive time.", above=True)
    check_number("multiple", multiple, 1, 1e9, "Below 1 the rule rings at the reference pace.")
    check_number("pace_multiple", pace_multiple, 1, 1e12, "The pace must rise.")
    if pace_multiple < multiple:
        return math.inf
    return 0.0 if multiple == 1 else window * (multiple - 1) / (pace_multiple - 1)


def window_rule_false_alarm(window: float, reference_pace: float, multiple: float, noise: float) -> float:
    """Return the probability that one check of a window rule is a false alarm: ``Q(W g0 (m0 - 1)/(s sqrt 2))``.

    Software grows at the ``reference_pace`` g0 [doublings per unit of ``window``]. The two readings, W apart, have
    independent normal errors with standard deviation ``noise`` s [doublings]. Q is the upper tail of the normal
    distribution. Checks less than W apart are correlated.
    """
    check_number("window", window, 0, 1e12, "Give a positive time.", above=True)
    check_number("reference_pace", reference_pace, 0, 1e12, "Use the pace of earlier years.", above=True)
    check_number("multiple", multiple, 1, 1e9, "Below 1 the rule rings at the reference pace.")
    check_number("noise", noise, 0, 1e9, "Use the standard deviation of a reading.", above=True)
    return float(ndtr(-window * reference_pace * (multiple - 1) / (noise * math.sqrt(2))))


def slope_error(readings: int, interval: float, noise: float) -> float:
    """Return the standard error of a pace that is fitted to readings: ``s sqrt(12/(n (n^2 - 1)))/D``.

    The pace is the slope of a least-squares line through n ``readings``, 2 or more, at every ``interval`` D. Each has
    an independent error with standard deviation ``noise`` s [doublings]. The result is in doublings per unit of D.
    """
    n = check_count("readings", readings, 2, 1_000_000_000, "A slope needs two readings.")
    check_number("interval", interval, 0, 1e12, "Give a positive time.", above=True)
    check_number("noise", noise, 0, 1e9, "Use the standard deviation of a reading.")
    return noise * math.sqrt(12 / (n * (n**2 - 1))) / interval


def precision(run_length: float, events_per_time: float, power: float = 1.0) -> float:
    """Return the share of alarms that are true: ``b p/(b p + 1/ARL0)``.

    True events come at ``events_per_time`` b, 0 or more. A share ``power`` p of them is detected, 0 to 1. False alarms
    come once in ``run_length`` ARL0, above 0, in the same unit of time. With no alarm at all the result is ``nan``.
    """
    check_number("run_length", run_length, 0, math.inf, "Use the mean time to a false alarm.", above=True)
    check_number("events_per_time", events_per_time, 0, 1e12, "Use the base rate of true events.")
    check_number("power", power, 0, 1, "Use the share of true events that raise an alarm.")
    true, false = events_per_time * power, 1 / run_length
    return true / (true + false) if true + false > 0 else math.nan


def _check_cusum(threshold: float, shift: float, reference: float) -> None:
    check_number("threshold", threshold, 0, 100, "Use standard deviations.", above=True)
    check_number("shift", shift, -10, 10, "Use standard deviations.")
    check_number("reference", reference, 0, 10, "Use half of the shift to detect.")


def _check_rates(before: float, after: float) -> None:
    check_number("before", before, 0, 1e12, "Use events per unit of time.", above=True)
    check_number("after", after, 0, 1e12, "Use events per unit of time.", above=True)
    if before == after:
        raise ValueError(f"after = {after:g} is equal to before; allowed: another rate. Use the rate after the change.")
