"""Hire human researchers on a schedule."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import mesa
from simpy import Event

from agents.humans.draft import Draft
from agents.humans.human_cohort import HumanCohort
from agents.humans.human_researcher import HumanResearcher
from agents.humans.paper_line import PaperLine
from agents.identity import AgentId
from agents.ports.bundles import HumanPorts

_ROUNDING = 1e-9
_HIRES_PER_BATCH = 10
"""Number of times that a cohort hires while it grows by the papers of one batch."""


def human_without_cohort(human: type[HumanResearcher], cohort: type[HumanCohort] | None) -> str:
    """Return the name of a class of humans without a cohort class; empty if it has one."""
    return "" if human is HumanResearcher or cohort is not None else human.__name__


class HumanTeam:
    """Employ `humans__initial` people on day 0, and `humans__growth_per_year` times as many each year, rounded down.

    Humans leave only in a merger of their lab. Humans that join from another lab raise the schedule: it stays larger by
    the same factor. If a branch lowers the number, the lab hires again when the schedule exceeds its team.

    Up to ``max_individuals`` humans are agents. A larger team becomes a cohort, which takes over all humans and their
    papers, unless ``leap_tolerance`` is 0. A cohort hires several humans at once: at most a tenth of the share
    ``leap_tolerance``. It does not reproduce a subclass of HumanResearcher. Its humans therefore stay agents in a team
    of any size, unless ``cohort`` is a cohort class for them.

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
    cohort
        Cohort class for these humans; None for that of asara.
    """

    def __init__(
        self,
        model: mesa.Model,
        lab: str,
        ports: HumanPorts,
        line: PaperLine,
        on_due: Callable[[], None],
        human: type[HumanResearcher] = HumanResearcher,
        cohort: type[HumanCohort] | None = None,
    ) -> None:
        self.without_cohort = human_without_cohort(human, cohort)
        """Name of the class of humans if it has no cohort class; else empty."""
        self._model = model
        self._lab = lab
        self._ports = ports
        self._line = line
        self._on_due = on_due
        self._class = human
        self._cohort_class = cohort or HumanCohort
        self._warned = False
        self._timer: Event | None = None
        self.humans: list[HumanResearcher] = []
        """Individual humans, in the order of their numbers."""
        self.cohort: HumanCohort | None = None
        """Cohort of all humans; None while they are individuals."""
        self.has_moved = False
        """Whether the humans work in another lab now, which counts them."""
        self._schedule_factor = 1.0
        """Factor by which humans of other labs raise the schedule."""

    @property
    def size(self) -> int:
        """Number of humans."""
        return len(self.humans) if self.cohort is None else self.cohort.size

    @property
    def at_work(self) -> int:
        """Number of humans that do a task of a paper."""
        if self.cohort is not None:
            return self.cohort.at_work
        return sum(human.draft is not None for human in self.humans)

    @property
    def drafts(self) -> list[Draft]:
        """Papers, or batches of papers, that humans work on."""
        if self.cohort is not None:
            return self.cohort.drafts
        return [human.draft for human in self.humans if human.draft is not None]

    def hire(self) -> None:
        """Hire as many as the schedule says, and set a timer for the next one."""
        is_first = not self.size
        self._employ(self.scheduled(self._ports.time.now))
        drafts = math.ceil(self.size * self._ports.settings.humans.papers_in_progress)
        if is_first:
            self._line.start(drafts, self.size)
        else:
            self._line.set_size(drafts)
        self._schedule()

    def scheduled(self, day: float) -> int:
        """Return the number of humans by the schedule on a day, those of merged labs included."""
        return math.floor(self._ports.settings.humans.staff(day) * self._schedule_factor * (1 + _ROUNDING))

    def move_to(self, other: HumanTeam) -> None:
        """Let all humans join another team, which hires them when it next hires. Both teams must have a schedule."""
        self.has_moved = True
        staff = other._ports.settings.humans.staff(other._ports.time.now)
        other._schedule_factor += self.size / staff

    def _employ(self, number: int) -> None:
        """Hire humans until there are this number."""
        if self.cohort is None and not self._may_be_individuals(number):
            self.cohort = self._cohort_class(self._model, self._identity(1), self._ports, self._line)
            self.cohort.absorb(self.humans)
            self.humans = []
        if self.cohort is not None:
            self.cohort.grow(max(0, number - self.size))
            return
        for each in range(self.size + 1, number + 1):
            self.humans.append(self._class(self._model, self._identity(each), self._ports, self._line))

    def _may_be_individuals(self, number: int) -> bool:
        """Return whether this number of humans are individuals; warn once if their class requires it."""
        run = self._ports.settings.run
        if number <= run.max_individuals or run.leap_tolerance == 0:
            return True
        if self.without_cohort and not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.without_cohort} has no cohort class, so {number:,} humans are simulated one by one, above "
                f"run__max_individuals = {run.max_individuals:,}. This takes longer. Raise run__max_individuals, or "
                "give LabFactory a human_cohort class.",
                stacklevel=2,
            )
        return bool(self.without_cohort)

    def _identity(self, number: int) -> AgentId:
        return AgentId(self._lab, "human", number)

    def _schedule(self) -> None:
        self._timer = None
        time, number = self._ports.time, 1
        if self.cohort is not None:
            number = max(1, int(self._ports.settings.run.leap_tolerance * self.size / _HIRES_PER_BATCH))
        wanted = max(self.size, self.scheduled(time.now)) + number
        day = self._ports.settings.humans.day_of_staff(wanted / self._schedule_factor)
        if day < math.inf:
            self._timer = time.after_in_background(max(0.0, day - time.now), self._on_timer)

    def _on_timer(self, timer: Event) -> None:
        if timer is self._timer:
            self._on_due()
