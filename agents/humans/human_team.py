"""Hire human researchers on a schedule."""

from __future__ import annotations

import math
from collections.abc import Callable

import mesa
from simpy import Event

from agents.humans.human_researcher import HumanResearcher
from agents.humans.paper_line import PaperLine
from agents.identity import AgentId
from agents.ports.bundles import HumanPorts

_ROUNDING = 1e-9
DAYS_PER_YEAR = 365.0


class HumanTeam:
    """Employ ``humans__number`` people on day 0, and ``humans__growth_per_year`` times as many each year.

    The number is rounded down. Nobody leaves: if a branch lowers the number, the lab hires when the schedule is above
    its team again.

    Arguments
    ---------
    model
        Model in which Mesa registers the agents.
    lab
        Name of the lab.
    ports
        Ports of the humans.
    line
        Papers in progress, whose number follows the number of humans.
    on_hired
        Function that is called with the number of humans after a change.
    human
        Class of the humans.
    """

    def __init__(
        self,
        model: mesa.Model,
        lab: str,
        ports: HumanPorts,
        line: PaperLine,
        on_hired: Callable[[int], None],
        human: type[HumanResearcher] = HumanResearcher,
    ) -> None:
        self._model = model
        self._lab = lab
        self._ports = ports
        self._line = line
        self._on_hired = on_hired
        self._class = human
        self._timer: Event | None = None
        self.humans: list[HumanResearcher] = []
        """All humans, in the order of their numbers."""

    def hire(self) -> None:
        """Hire as many as the schedule says, and set a timer for the next one."""
        target = self.scheduled(self._ports.time.now)
        if target > len(self.humans):
            while len(self.humans) < target:
                identity = AgentId(self._lab, "human", len(self.humans) + 1)
                self.humans.append(self._class(self._model, identity, self._ports, self._line))
            self._on_hired(len(self.humans))
            self._line.set_size(math.ceil(len(self.humans) * self._ports.settings.humans.papers_in_progress))
        self._schedule()

    def scheduled(self, day: float) -> int:
        """Return the number of humans by the schedule on a day."""
        params = self._ports.settings.humans
        return math.floor(params.number * params.growth_per_year ** (day / DAYS_PER_YEAR) * (1 + _ROUNDING))

    def _schedule(self) -> None:
        self._timer = None
        params = self._ports.settings.humans
        if params.number > 0 and params.growth_per_year > 1:
            wanted = max(len(self.humans), self.scheduled(self._ports.time.now)) + 1
            day = DAYS_PER_YEAR * math.log(wanted / params.number) / math.log(params.growth_per_year)
            days = max(0.0, day - self._ports.time.now)
            self._timer = self._ports.time.after_in_background(days, self._on_timer)

    def _on_timer(self, timer: Event) -> None:
        if timer is self._timer:
            self.hire()
