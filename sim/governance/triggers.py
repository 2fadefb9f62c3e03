"""Decide when a rule of a governance policy raises its alarm: the indicators, and the parameters of each trigger."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from annotated_types import Interval
from pydantic import BaseModel

from agents.governance_policy import Reading

_DAY = 1e-6
"""Rounding error of a day, within which a window is full."""


class AlwaysTrigger(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Raise the alarm from a day on, whatever is measured."""

    when: Annotated[Literal["always"], "name"] = "always"
    """What raises the alarm. `always`: the day. `pace`: progress over a window. `level`: measured software.
    `automation`: the share of research that AIs do."""
    from_day: Annotated[float, Interval(ge=0, le=1e6), "days"] = 0.0
    """First day of the alarm."""

    def is_raised(self, readings: Sequence[Reading]) -> bool:
        """Return whether the latest reading raises the alarm."""
        return readings[-1].known_on >= self.from_day


class PaceTrigger(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Raise the alarm if software grew several times as fast over a window as it used to."""

    when: Annotated[Literal["pace"], "name"] = "pace"
    times: Annotated[float, Interval(ge=1, le=1000), "times"] = 5.0
    """Pace over the window, relative to the reference, that raises the alarm."""
    window_days: Annotated[float, Interval(gt=0, le=36_500), "days"] = 182.5
    """Length of the window."""
    reference_doubling_days: Annotated[float, Interval(ge=0, le=36_500), "days"] = 0.0
    """Doubling time of the reference. 0: the mean pace from the first reading to the start of the window."""
    reference_before_start: bool = True
    """Whether software grew at the reference before the first reading, so that the window is full from then on. If not,
    the alarm needs readings over a whole window."""

    def is_raised(self, readings: Sequence[Reading]) -> bool:
        """Return whether the latest reading raises the alarm."""
        reference, progress = self._reference_per_day(readings), self._progress(readings)
        return reference > 0 and progress >= self.times * reference * self.window_days * (1 - 1e-12)

    def _progress(self, readings: Sequence[Reading]) -> float:
        """Return the progress over the window [doublings]; ``nan`` if it is not full."""
        first, last = readings[0], readings[-1]
        start = last.day - self.window_days
        if start >= first.day - _DAY:
            return last.doublings - doublings_on(readings, max(start, first.day))
        if self.reference_doubling_days == 0 or not self.reference_before_start:
            return math.nan
        return last.doublings - first.doublings + (first.day - start) / self.reference_doubling_days

    def _reference_per_day(self, readings: Sequence[Reading]) -> float:
        """Return the pace of the reference [doublings per day]; 0 if it is not known."""
        if self.reference_doubling_days > 0:
            return 1 / self.reference_doubling_days
        first, start = readings[0], readings[-1].day - self.window_days
        days = start - first.day
        return (doublings_on(readings, start) - first.doublings) / days if days > _DAY else 0.0


class LevelTrigger(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Raise the alarm if measured software reaches a level."""

    when: Annotated[Literal["level"], "name"] = "level"
    doublings: Annotated[float, Interval(ge=0, le=300), "doublings"] = 1.0
    """Measured software that raises the alarm, since day 0."""

    def is_raised(self, readings: Sequence[Reading]) -> bool:
        """Return whether the latest reading raises the alarm."""
        return readings[-1].doublings >= self.doublings - 1e-9


class AutomationTrigger(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Raise the alarm if AIs can do a share of the tasks of research."""

    when: Annotated[Literal["automation"], "name"] = "automation"
    share: Annotated[float, Interval(ge=0, le=1), "share"] = 0.5
    """Share of the tasks that raises the alarm. Source: Davidson (Forethought, 2025) takes 5 of 10 tasks."""

    def is_raised(self, readings: Sequence[Reading]) -> bool:
        """Return whether the latest reading raises the alarm."""
        return readings[-1].share_automated >= self.share - 1e-9


TriggerParams = AlwaysTrigger | PaceTrigger | LevelTrigger | AutomationTrigger
"""Parameters of a trigger; `when` selects the class."""


def doublings_on(readings: Sequence[Reading], day: float) -> float:
    """Return measured software on a day [doublings], by straight lines between the readings.

    Before the first and after the last reading it is that reading.
    """
    return float(np.interp(day, [one.day for one in readings], [one.doublings for one in readings]))


def pace(readings: Sequence[Reading], window_days: float) -> float:
    """Return the mean pace over the last ``window_days`` [doublings per day]; ``nan`` if readings cover less."""
    start = readings[-1].day - window_days
    if start < readings[0].day - _DAY:
        return math.nan
    return (readings[-1].doublings - doublings_on(readings, start)) / window_days


def pace_ratio(readings: Sequence[Reading], window_days: float) -> float:
    """Return the pace over the last ``window_days``, relative to the mean pace before; ``nan`` if there is none."""
    recent, start = pace(readings, window_days), readings[-1].day - window_days
    days = start - readings[0].day
    before = (doublings_on(readings, start) - readings[0].doublings) / days if days > _DAY else math.nan
    return recent / before if before > 0 else math.nan


def doubling_days(readings: Sequence[Reading], window_days: float) -> float:
    """Return the doubling time over the last ``window_days`` [days]; ``inf`` without progress, ``nan`` if too short."""
    recent = pace(readings, window_days)
    return 1 / recent if recent > 0 else (math.nan if math.isnan(recent) else math.inf)


def compute_per_use(reading: Reading) -> dict[str, float]:
    """Return the share of each use in the GPUs in use; empty if none are."""
    total = sum(reading.gpus.values())
    return {use: gpus / total for use, gpus in reading.gpus.items()} if total else {}
