"""Compute when work ends that is done in working hours only.

Working time holds the work of the whole week. Output per month is therefore the same as that of a human who works at
all hours; only its times differ. Working hours begin at the start of each working day, and a week with day 0.
"""

from __future__ import annotations

import math

from agents.params import HumansParams

_DAYS_PER_WEEK = 7


def end_of_work(params: HumansParams, now: float, work: float) -> float:
    """Return the day on which ``work`` days of work end that begin on day ``now``."""
    if params.working_share >= 1:
        return now + work
    return _day_with_work(params, _work_until(params, now) + work)


def _work_until(params: HumansParams, day: float) -> float:
    """Return the work that fits between day 0 and a day [days of work]."""
    weeks, rest = divmod(day, _DAYS_PER_WEEK)
    whole = math.floor(rest)
    done = float(params.days_per_week)
    if whole < params.days_per_week:
        done = whole + min(1.0, (rest - whole) * 24 / params.hours_per_day)
    return _DAYS_PER_WEEK * (weeks + done / params.days_per_week)


def _day_with_work(params: HumansParams, work: float) -> float:
    """Return the first day until which this much work fits."""
    weeks, rest = divmod(work, _DAYS_PER_WEEK)
    done = rest * params.days_per_week / _DAYS_PER_WEEK
    whole = min(params.days_per_week - 1, math.floor(done))
    return _DAYS_PER_WEEK * weeks + whole + (done - whole) * params.hours_per_day / 24
