"""Compute when work ends that is done in working hours only.

A working week of 40 hours holds the work of a whole week. Output per month is therefore the same as that of a human who
works at all hours; only its times differ.
"""

from __future__ import annotations

import math
from typing import Final

FIRST_HOUR: Final = 9.0
"""Start of a working day [hours]."""
HOURS_A_DAY: Final = 8.0
"""Length of a working day [hours]."""
WORKDAYS: Final = 5
"""Working days of a week; day 0 of a run is the first."""

_START = FIRST_HOUR / 24
_LENGTH = HOURS_A_DAY / 24
_WORK_A_DAY = 7 / WORKDAYS
"""Work that a working day holds [days of work]."""


def end_of_work(now: float, work: float) -> float:
    """Return the day on which ``work`` days of work end that begin on day ``now``, in working hours only."""
    return _day_with_work(_work_until(now) + work)


def _work_until(day: float) -> float:
    """Return the work that fits between day 0 and a day [days of work]."""
    weeks, rest = divmod(day, 7.0)
    whole = math.floor(rest)
    share = min(1.0, max(0.0, (rest - whole - _START) / _LENGTH))
    done = min(WORKDAYS, whole) + (share if whole < WORKDAYS else 0.0)
    return 7.0 * weeks + _WORK_A_DAY * done


def _day_with_work(work: float) -> float:
    """Return the first day until which this much work fits."""
    weeks, rest = divmod(work, 7.0)
    days = rest / _WORK_A_DAY
    whole = min(WORKDAYS - 1, math.floor(days))
    return 7.0 * weeks + whole + _START + _LENGTH * (days - whole)
