"""Follow which tasks AIs can do, and divide the tasks of papers between humans and AIs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from simpy import Event

from agents.ports.automation import TaskWork
from sim import events
from sim.clock import Clock
from sim.growth import FrozenLaw
from sim.lab_settings import LabSettings
from sim.production import CesTasks, SeriesTasks
from sim.software import SoftwareState
from sim.start import ResearchersStart
from sim.time_horizon import NoHorizon

_TOLERANCE: Final = 1e-9
"""Tolerance for rounding within which a threshold is reached [doublings]."""
_RETRY_DAYS: Final = 1e-3
"""Time after which a threshold is tried again that rounding left out [days]."""

_MAX_LOG_PRODUCTIVITY: Final = 600.0
"""Largest ln of the productivity of an AI that is not rounded down, so that its exponential is finite."""


class _Team(NamedTuple):
    """Numbers on which the division of tasks depends, besides the parameters."""

    humans: int
    ais: int
    drafts: int
    """Number of papers in progress."""
    kinds_automated: int
    capability: float


class Automation:
    """Record the day on which AIs can do each kind of task, and divide the work on papers.

    The capability of AIs is the deployed software, or the time horizon if that is the clock [doublings since day 0].

    Arguments
    ---------
    clock, settings, ledger
        Clock of the run; present parameters and events of the lab.
    software
        Software of the lab.
    on_due
        Function that is called when the time horizon reaches the threshold of a task.
    """

    def __init__(
        self,
        clock: Clock,
        settings: LabSettings,
        software: SoftwareState,
        ledger: events.LabLedger,
        on_due: Callable[[], None] | None = None,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._software = software
        self._ledger = ledger
        self._on_due = on_due
        self._timer: Event | None = None
        self.humans = 0
        """Number of humans."""
        self.ais = 0
        """Number of AIs that help humans."""
        self._divided_for: _Team | None = None
        self._work: list[TaskWork] = []
        self.kinds_automated = self._kinds_that_ais_can_do()
        """Number of kinds of tasks that AIs can do; a kind stays automated."""
        self.automation_days = [float(clock.now)] * self.kinds_automated
        """Day on which each of these kinds was automated, in the order of the kinds."""
        self._software_when_complete = self.software_of_ais if self.is_complete else None
        self._schedule()

    # --- state ---------------------------------------------------------------------------------------------

    @property
    def kinds(self) -> int:
        """Number of kinds of tasks."""
        return self._settings.automation.kinds

    @property
    def reallocation(self) -> bool:
        """Whether humans move between kinds of tasks."""
        return self._settings.automation.reallocation

    @property
    def capability(self) -> float:
        """Capability of AIs [doublings since day 0]."""
        horizon = self._settings.horizon
        return self.software_of_ais if isinstance(horizon, NoHorizon) else horizon.capability(float(self._clock.now))

    @property
    def software_of_ais(self) -> float:
        """Software that the AIs run on [doublings since day 0].

        It is the deployed software; `growth__ai_doublings` more if the software of the lab is frozen.
        """
        growth = self._settings.growth
        return self._software.deployed + (growth.ai_doublings if isinstance(growth, FrozenLaw) else 0.0)

    @property
    def hosted_doublings(self) -> float:
        """Doublings of the number of AIs that the same GPUs run, since day 0.

        If a time horizon sets the day of full automation and training compute the number of AIs on it, only later
        software counts.
        """
        if isinstance(self._settings.horizon, NoHorizon) or isinstance(self._settings.start, ResearchersStart):
            return self.software_of_ais
        before = self.software_of_ais if self._software_when_complete is None else self._software_when_complete
        return self.software_of_ais - before

    @property
    def is_complete(self) -> bool:
        """Whether AIs do all research."""
        return self.kinds_automated >= self.kinds

    @property
    def share_automated(self) -> float:
        """Share of the tasks of a paper that AIs can do."""
        return self.kinds_automated / self.kinds

    def update(self) -> bool:
        """Record the kinds of tasks that AIs can do since the last call; return whether there are any.

        A kind stays automated.
        """
        now, capability = float(self._clock.now), self.capability
        can = self._kinds_that_ais_can_do()
        for kind in range(self.kinds_automated, can):
            self._ledger.append(events.TaskAutomated(now, kind + 1, capability))
            self.automation_days.append(now)
        changed = can > self.kinds_automated
        self.kinds_automated = max(self.kinds_automated, can)
        self._schedule()
        if changed and self.is_complete:
            self._software_when_complete = self.software_of_ais
            self._ledger.append(events.ResearchAutomated(now, self.humans, capability))
        return changed

    def _kinds_that_ais_can_do(self) -> int:
        return int((self._settings.automation.thresholds() <= self.capability + _TOLERANCE).sum())

    def _schedule(self) -> None:
        """Set a timer for the next threshold that the time horizon reaches."""
        self._timer = None
        if self.is_complete or self._on_due is None:
            return
        now, horizon = float(self._clock.now), self._settings.horizon
        day = horizon.day_of(float(self._settings.automation.thresholds()[self.kinds_automated]))
        if day < math.inf:
            days = day - now if day > now else _RETRY_DAYS
            self._timer = self._clock.after_in_background(days, self._on_timer)

    def _on_timer(self, timer: Event) -> None:
        if timer is self._timer and self._on_due is not None:
            self._on_due()

    # --- division of the tasks -----------------------------------------------------------------------------

    @property
    def most_ais_per_task(self) -> float:
        """Largest number of AIs that work on one task together."""
        return 1.0 if self._settings.automation.combination == "series" else math.inf

    def task_work(self) -> list[TaskWork]:
        """Return the work on a task of each kind that begins now."""
        known = self._divided_for
        if (
            known is not None
            and self._settings.automation.productivity_slope == 0  # the productivity of AIs is constant
            and known[:2] == (self.humans, self.ais)
            and known.kinds_automated == self.kinds_automated
        ):
            return self._work
        drafts = math.ceil(self.humans * self._settings.humans.papers_in_progress)
        team = _Team(self.humans, self.ais, drafts, self.kinds_automated, self._capability_for_division())
        if team != self._divided_for:
            self._divided_for, self._work = team, self._divide(team)
        return self._work

    def _capability_for_division(self) -> float:
        """Return a capability at which AIs have their present productivity, so that the division is kept for long.

        It is at least that of the latest kind of task that is automated.
        """
        params = self._settings.automation
        if self.kinds_automated == 0:
            return self.capability
        latest = float(params.thresholds()[self.kinds_automated - 1])
        return max(self.capability, latest) if params.productivity_slope > 0 else latest

    def apply_settings(self) -> None:
        """Divide the tasks that begin from now on by the present parameters."""
        self._divided_for = None

    def _divide(self, team: _Team) -> list[TaskWork]:
        params, share = self._settings.automation, 1 / self.kinds
        if team.humans == 0 or team.ais == 0 or team.kinds_automated == 0 or self.is_complete:
            return [TaskWork(share, 0.0, 0.0)] * self.kinds
        if isinstance(params, CesTasks):
            return self._divide_ces(params, team)
        return self._divide_series(params, team)

    def _divide_series(self, params: SeriesTasks, team: _Team) -> list[TaskWork]:
        """Divide tasks of equal work: AIs do what they can, and humans help if there are too few AIs.

        Humans help as far as this raises the output X of H humans and A AIs with D papers in progress. If a human does
        the part h of a paper, and AIs of productivity eta the rest, ``X h <= H`` and ``X (1 - h) <= eta A``. By
        Little's law also ``X (h + (1 - h)/eta) <= D``. The greatest X has the division of

        - ``min(H, max(0, D - A))`` humans and A AIs if eta is at least 1: a human who helps also holds up a paper;
        - H humans and ``min(A, D - H)`` AIs if eta is below 1.

        With one paper in progress for each human this is Amdahl's law.
        """
        share = 1 / self.kinds
        by_humans = [0.0 if kind < team.kinds_automated else share for kind in range(self.kinds)]
        log_productivity = params.log_productivity(team.capability)
        productivity = np.exp(np.minimum(log_productivity, _MAX_LOG_PRODUCTIVITY)).tolist()
        if params.reallocation:
            able = [each for each in productivity if each > 0]
            if able and len(able) >= sum(1 / each for each in able):  # AIs are as fast as humans on average
                humans, ais = min(team.humans, max(0, team.drafts - team.ais)), team.ais
            else:
                humans, ais = team.humans, min(team.ais, team.drafts - team.humans)
            if ais <= 0:
                by_humans = [share] * self.kinds
            elif humans > 0:
                found = params.allocate(_log(humans), _log(ais), team.capability)
                output = math.exp(float(found.log_output))
                by_humans = [min(share, humans * each / output) for each in found.humans.tolist()]
        return [
            self._task_work(human, (share - human) / each if each > 0 else 0.0, share - human)
            for human, each in zip(by_humans, productivity, strict=True)
        ]

    def _divide_ces(self, params: CesTasks, team: _Team) -> list[TaskWork]:
        """Divide tasks so that the output of all humans and AIs is greatest."""
        found = params.allocate(_log(team.humans), _log(team.ais), team.capability)
        output, share = math.exp(float(found.log_output)), 1 / self.kinds
        efforts = [
            (team.humans * human / output, team.ais * ai / output)
            for human, ai in zip(found.humans.tolist(), found.ais.tolist(), strict=True)
        ]
        return [self._task_work(human, ai, max(0.0, share - human) if ai > 0 else 0.0) for human, ai in efforts]

    def _task_work(self, human: float, ai: float, supervised: float) -> TaskWork:
        return TaskWork(human, ai, self._settings.humans.supervision * supervised)


def _log(number: float) -> float:
    return math.log(number) if number > 0 else -math.inf
