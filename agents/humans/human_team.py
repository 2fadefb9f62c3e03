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


class HumanTeam:
    """Employ `humans__initial` people on day 0, and `humans__growth_per_year` times as many each year, rounded down.

    Humans do not leave. If a branch lowers the number, the lab hires again when the schedule exceeds its team.

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
    on_due
        Function that is called when the next human is due.
    human
        Class of the humans.
    """

    def __init__(
        self,
        model: mesa.Model,
        lab: str,
        ports: HumanPorts,
        line: PaperLine,
        on_due: Callable[[], None],
        human: type[HumanResearcher] = HumanResearcher,
    ) -> None:
        self._model = model
        self._lab = lab
        self._ports = ports
        self._line = line
        self._on_due = on_due
        self._class = human
        self._timer: Event | None = None
        self.humans: list[HumanResearcher] = []
        """All humans, in the order of their numbers."""

    @property
    def size(self) -> int:
        """Number of humans."""
        return len(self.humans)

    def hire(self) -> None:
        """Hire as many as the schedule says, and set a timer for the next one."""
        is_first = not self.humans
        for number in range(self.size + 1, self.scheduled(self._ports.time.now) + 1):
            identity = AgentId(self._lab, "human", number)
            self.humans.append(self._class(self._model, identity, self._ports, self._line))
        drafts = math.ceil(self.size * self._ports.settings.humans.papers_in_progress)
        if is_first:
            self._line.start(drafts, self.size)
        else:
            self._line.set_size(drafts)
        self._schedule()

    def scheduled(self, day: float) -> int:
        """Return the number of humans by the schedule on a day."""
        return math.floor(self._ports.settings.humans.staff(day) * (1 + _ROUNDING))

    def _schedule(self) -> None:
        self._timer = None
        time = self._ports.time
        day = self._ports.settings.humans.day_of_staff(max(self.size, self.scheduled(time.now)) + 1)
        if day < math.inf:
            self._timer = time.after_in_background(max(0.0, day - time.now), self._on_timer)

    def _on_timer(self, timer: Event) -> None:
        if timer is self._timer:
            self._on_due()
