"""Compute when work ends that is done in working hours only.

Working time holds the work of the whole week. Output per month is therefore the same as that of a human who works at
all hours; only its times differ. Working hours begin at the start of each working day, and a week with day 0.
"""

from __future__ import annotations

import math

from agents.params import HumansParams

_DAYS_PER_WEEK = 7
_ROUNDING = 1e-9
"""Rounding of a number of working days within which work ends in the evening, not on the next morning."""


def end_of_work(params: HumansParams, now: float, work: float) -> float:
    """Return the day on which ``work`` days of work end that begin on day ``now``."""
    if params.working_share >= 1:
        return now + work
    return max(now, _day_with_work(params, _work_until(params, now) + work))


def _work_until(params: HumansParams, day: float) -> float:
    """Return the work that fits between day 0 and a day [days of work]."""
    weeks, rest = divmod(day, _DAYS_PER_WEEK)
    whole = math.floor(rest)
    done = float(params.days_per_week)
    if whole < params.days_per_week:
        done = whole + min(1.0, (rest - whole) * 24 / params.hours_per_day)
    return _DAYS_PER_WEEK * (weeks + done / params.days_per_week)


def _day_with_work(params: HumansParams, work: float) -> float:
    """Return the first day until which this much work fits: the evening of a working day at the latest."""
    working_days = work * params.days_per_week / _DAYS_PER_WEEK
    before = max(0, math.ceil(working_days - _ROUNDING) - 1)
    weeks, whole = divmod(before, params.days_per_week)
    return _DAYS_PER_WEEK * weeks + whole + (working_days - before) * params.hours_per_day / 24
