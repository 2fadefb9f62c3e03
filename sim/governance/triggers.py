"""Decide when a rule of a governance policy raises its alarm: the indicators, and the parameters of each trigger."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Interval
from pydantic import BaseModel

from agents.governance_policy import Reading
from sim.governance.detectors import (
    BayesianChangePoint,
    Cusum,
    Detector,
    PaceChange,
    ShiryaevRoberts,
    Sprt,
    WindowRule,
)
from sim.governance.published_rules import PUBLISHED_RULES

_DAY = 1e-6
"""Rounding error of a day, within which a window is full."""
_PACE = 1e-9
"""Relative rounding error of a pace, within which it has reached its threshold."""


Watch = Callable[[Sequence[Reading]], bool]
"""Function that returns whether the alarm is raised; it is called once with each longer series of readings of a lab."""


class _Trigger(BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True):
    """Parameters of what raises an alarm, with a method ``watch() -> Watch`` for one lab."""


class _LatestTrigger(_Trigger, ABC, frozen=True):
    """Parameters of what raises an alarm while the latest reading shows it."""

    def watch(self) -> Watch:
        """Return the function that watches a lab."""
        return self.is_raised

    @abstractmethod
    def is_raised(self, readings: Sequence[Reading]) -> bool:
        """Return whether the latest of these readings raises the alarm."""


class AlwaysTrigger(_LatestTrigger, frozen=True):
    """Raise the alarm from a day on, whatever is measured."""

    when: Annotated[Literal["always"], "name"] = "always"
    """What raises the alarm. `always`: the day. `pace`: progress over a window. `level`: measured software.
    `automation`: the share of research that AIs do. `doubling-time`: a short doubling time over a window.
    `compute-use`: the share of a use in the GPUs in use. Others are detectors and published rules, by name."""
    from_day: Annotated[float, Interval(ge=0, le=1e6), "days"] = 0.0
    """First day of the alarm."""

    def is_raised(self, readings: Sequence[Reading]) -> bool:
        """Return whether the latest reading raises the alarm."""
        return readings[-1].known_on >= self.from_day


class PaceTrigger(_LatestTrigger, frozen=True):
    """Raise the alarm if software grew several times as fast over a window as it used to."""

    when: Annotated[Literal["pace"], "name"] = "pace"
    times: Annotated[float, Interval(ge=1, le=1000), "times"] = 5.0
    """Pace over the window, relative to the reference, that raises the alarm."""
    window_days: Annotated[float, Interval(gt=0, le=36_500), "days"] = 182.5
    """Length of the window."""
    reference_doubling_days: Annotated[float, Interval(ge=0, le=36_500), "days"] = 0.0
    """Doubling time of the reference. 0: the mean pace from the first reading to the start of the window."""

    def is_raised(self, readings: Sequence[Reading]) -> bool:
        """Return whether the pace over the window before the latest reading raises the alarm.

        With a doubling time of the reference, software grew at that pace before the first reading.
        """
        reference = self._reference_per_day(readings)
        if reference <= 0:
            return False
        first, latest = readings[0], readings[-1]
        start = latest.day - self.window_days
        before = doublings_on(readings, start) - reference * max(0.0, first.day - start)
        return (latest.doublings - before) / (self.window_days * reference) >= self.times * (1 - _PACE)

    def _reference_per_day(self, readings: Sequence[Reading]) -> float:
        """Return the pace of the reference [doublings per day]; 0 if it is not known."""
        if self.reference_doubling_days > 0:
            return 1 / self.reference_doubling_days
        first, start = readings[0], readings[-1].day - self.window_days
        days = start - first.day
        return (doublings_on(readings, start) - first.doublings) / days if days > _DAY else 0.0


class DoublingTrigger(_LatestTrigger, frozen=True):
    """Raise the alarm if software doubles faster than a limit over a window."""

    when: Annotated[Literal["doubling-time"], "name"] = "doubling-time"
    window_days: Annotated[float, Interval(gt=0, le=36_500), "days"] = 182.5
    doubling_days: Annotated[float, Interval(gt=0, le=36_500), "days"] = 36.5
    """Doubling time at or below which the alarm is raised."""

    def is_raised(self, readings: Sequence[Reading]) -> bool:
        """Return whether the latest reading raises the alarm; readings must cover the window."""
        return doubling_days(readings, self.window_days) <= self.doubling_days * (1 + 1e-12)


class ComputeTrigger(_LatestTrigger, frozen=True):
    """Raise the alarm if one use has a share of the GPUs in use."""

    when: Annotated[Literal["compute-use"], "name"] = "compute-use"
    use: Annotated[Literal["inference", "experiment", "training"], "name"] = "training"
    """Use of GPUs that is watched."""
    gpu_share: Annotated[float, Interval(ge=0, le=1), "share"] = 0.5
    """Share of the GPUs in use at which the alarm is raised."""

    def is_raised(self, readings: Sequence[Reading]) -> bool:
        """Return whether the latest reading raises the alarm."""
        return compute_per_use(readings[-1]).get(self.use, 0.0) >= self.gpu_share - 1e-9


class _ChangeTrigger(_Trigger, frozen=True):
    """Parameters of the change of pace that a detector looks for."""

    times: Annotated[float, Interval(ge=1.001, le=1000), "times"] = 5.0
    reference_doubling_days: Annotated[float, Interval(gt=0, le=36_500), "days"] = 182.5
    noise_doublings: Annotated[float, Interval(gt=0, le=100), "doublings"] = 0.5
    """Standard deviation of the progress from one reading to the next, to which the detector is set."""

    @property
    def change(self) -> PaceChange:
        """Change of pace to detect."""
        reference = 1 / self.reference_doubling_days
        return PaceChange(reference, self.times * reference, self.noise_doublings)


class SumTrigger(_ChangeTrigger, frozen=True):
    """Raise the alarm if a sum of likelihood ratios reaches a threshold."""

    when: Annotated[Literal["cusum", "shiryaev-roberts"], "name"] = "cusum"
    threshold: Annotated[float, Interval(gt=0, le=1e9), "value of the statistic"] = 5.0
    """Value from which the alarm is raised: a log-likelihood ratio for `cusum`, a sum of likelihood ratios for
    `shiryaev-roberts`."""

    def watch(self) -> Watch:
        """Return the function that watches a lab."""
        return _DetectorWatch((Cusum if self.when == "cusum" else ShiryaevRoberts)(self.change, self.threshold))


class SprtTrigger(_ChangeTrigger, frozen=True):
    """Raise the alarm if a sequential probability ratio test decides for the faster pace."""

    when: Annotated[Literal["sprt"], "name"] = "sprt"
    false_alarm: Annotated[float, Interval(gt=0, le=0.5), "probability"] = 0.05
    """Probability of an alarm at the reference pace; that of a miss is 0.05."""

    def watch(self) -> Watch:
        """Return the function that watches a lab."""
        return _DetectorWatch(Sprt(self.change, self.false_alarm))


class ChangePointTrigger(_ChangeTrigger, frozen=True):
    """Raise the alarm if a fast pace is probable by Bayesian change-point detection."""

    when: Annotated[Literal["change-point"], "name"] = "change-point"
    probability: Annotated[float, Interval(gt=0, le=0.999), "probability"] = 0.5
    """Posterior probability of a fast pace from which the alarm is raised."""
    days_between_changes: Annotated[float, Interval(gt=0, le=1e6), "days"] = 1825.0
    """Mean time between two changes of pace, before any reading."""

    def watch(self) -> Watch:
        """Return the function that watches a lab."""
        return _DetectorWatch(BayesianChangePoint(self.change, self.days_between_changes, self.probability))


@dataclass
class _RuleWatch:
    """Raise the alarm once a rule has rung, while it finds the pace at its threshold or above."""

    rule: WindowRule
    is_raised: bool = False

    def __call__(self, readings: Sequence[Reading]) -> bool:
        """Add the latest reading and return whether the alarm is raised."""
        has_rung = self.rule.update(readings[-1].day, readings[-1].doublings)
        self.is_raised = has_rung or (self.is_raised and self.rule.is_fast)
        return self.is_raised


@dataclass
class _DetectorWatch:
    """Raise the alarm from the first alarm of a detector on."""

    detector: Detector
    is_raised: bool = False

    def __call__(self, readings: Sequence[Reading]) -> bool:
        """Add the latest reading and return whether the alarm is raised."""
        self.is_raised = self.detector.update(readings[-1].day, readings[-1].doublings) or self.is_raised
        return self.is_raised


class PublishedTrigger(_Trigger, frozen=True):
    """Raise the alarm by a published rule on the pace of progress; see :mod:`sim.governance.published_rules`."""

    when: Annotated[
        Literal[
            "openai-critical",
            "anthropic-two-years-in-one",
            "davidson-three-years-in-eighteen-months",
            "davidson-one-year-in-six-months",
        ],
        "name",
    ] = "openai-critical"
    reference_doubling_days: Annotated[float, Interval(gt=0, le=36_500), "days"] = 182.5

    def watch(self) -> Watch:
        """Return the function that watches a lab."""
        return _RuleWatch(PUBLISHED_RULES[self.when](1 / self.reference_doubling_days))


class LevelTrigger(_LatestTrigger, frozen=True):
    """Raise the alarm if measured software reaches a level."""

    when: Annotated[Literal["level"], "name"] = "level"
    doublings: Annotated[float, Interval(ge=0, le=300), "doublings"] = 1.0
    """Measured software that raises the alarm, since day 0."""

    def is_raised(self, readings: Sequence[Reading]) -> bool:
        """Return whether the latest reading raises the alarm."""
        return readings[-1].doublings >= self.doublings - 1e-9


class AutomationTrigger(_LatestTrigger, frozen=True):
    """Raise the alarm if AIs can do a share of the tasks of research."""

    when: Annotated[Literal["automation"], "name"] = "automation"
    share: Annotated[float, Interval(ge=0, le=1), "share"] = 0.5
    """Share of the tasks that raises the alarm. Source: Davidson (Forethought, 2025) takes 5 of 10 tasks."""

    def is_raised(self, readings: Sequence[Reading]) -> bool:
        """Return whether the latest reading raises the alarm."""
        return readings[-1].share_automated >= self.share - 1e-9


TriggerParams = (
    AlwaysTrigger
    | PaceTrigger
    | LevelTrigger
    | AutomationTrigger
    | DoublingTrigger
    | ComputeTrigger
    | SumTrigger
    | SprtTrigger
    | ChangePointTrigger
    | PublishedTrigger
)
"""Parameters of a trigger; `when` selects the class."""


def doublings_on(readings: Sequence[Reading], day: float) -> float:
    """Return measured software on a day [doublings], by straight lines between the readings.

    Before the first and after the last reading it is that reading.
    """
    after = bisect_right(readings, day, key=lambda one: one.day)
    if after in {0, len(readings)}:
        return readings[max(0, after - 1)].doublings
    first, second = readings[after - 1], readings[after]
    return first.doublings + (second.doublings - first.doublings) * (day - first.day) / (second.day - first.day)


def pace(readings: Sequence[Reading], window_days: float) -> float:
    """Return the mean pace over the last ``window_days`` [doublings per day]; ``nan`` if readings cover less."""
    start = readings[-1].day - window_days
    if start < readings[0].day - _DAY:
        return math.nan
    return (readings[-1].doublings - doublings_on(readings, start)) / window_days


def doubling_days(readings: Sequence[Reading], window_days: float) -> float:
    """Return the doubling time over the last ``window_days`` [days]; ``inf`` without progress, ``nan`` if too short."""
    recent = pace(readings, window_days)
    return 1 / recent if recent > 0 else (math.nan if math.isnan(recent) else math.inf)


def compute_per_use(reading: Reading) -> dict[str, float]:
    """Return the share of each use in the GPUs in use; empty if none are."""
    total = sum(reading.gpus.values())
    return {use: gpus / total for use, gpus in reading.gpus.items()} if total else {}
