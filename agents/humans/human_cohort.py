"""Represent many exchangeable humans as numbers, which work on batches of papers."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import mesa
from simpy import Event

from agents.humans.draft import Draft
from agents.humans.human_researcher import HumanResearcher, draw_work
from agents.humans.paper_line import PaperLine
from agents.humans.working_time import end_of_work
from agents.identity import AgentId
from agents.lab_agent import LabAgent
from agents.ports.bundles import HumanPorts


class CohortTask(NamedTuple):
    """Humans that do the present tasks of a batch of papers."""

    draft: Draft
    humans: int
    group: int
    """Group of humans that may do these tasks."""


class HumanCohort(LabAgent):
    """Simulate many humans that do tasks of papers, from the first day in the lab on.

    The p papers of a batch take p humans, one each, and end together: after the mean of p independent times of mean m.
    That is ``m Gamma(p)/p`` if times are exponential. N humans then publish N/m papers per day, with variance N/m per
    day, as N humans do one by one. Renewals of p papers in each of N/p batches add up to the same mean and variance.

    If fewer than p humans are idle, they take as many of its papers, and the rest waits. Fewer than p/2 wait for others
    that are at work, so that batches stay large. Papers with equal tasks are joined to one batch. If fewer than 3p/2
    humans are idle, all of them share the batch, so that few are left over. Humans that are hired therefore join a
    batch later.

    A batch ends as a whole, so its papers are not spread over time. In a team that grows, papers are therefore late by
    at most half a task.

    ``identity`` is that of the first human; it names the random streams. A cohort of one repeats the individual of
    that number, draw by draw. A subclass for ``LabFactory(human_cohort=...)`` changes :meth:`task_days`.
    """

    def __init__(self, model: mesa.Model, identity: AgentId, ports: HumanPorts, line: PaperLine) -> None:
        super().__init__(model, identity)
        self.time, self.randomness, self.settings = ports
        self.line = line
        self.size = 0
        """Number of humans."""
        self._idle: Counter[int] = Counter()
        self._busy: Counter[int] = Counter()
        self._work: dict[Event, CohortTask] = {}
        line.set_cohort(self)

    @property
    def drafts(self) -> list[Draft]:
        """Batches that humans work on."""
        return [task.draft for task in self._work.values()]

    @property
    def at_work(self) -> int:
        """Number of humans that work on a batch."""
        return self._busy.total()

    def grow(self, humans: int) -> None:
        """Add new humans, which begin to work."""
        before, self.size = self.size, self.size + humans
        for group in range(self.line.groups):
            self._idle[group] += self._members(group, self.size) - self._members(group, before)
            self.line.assign(group)

    def absorb(self, humans: list[HumanResearcher]) -> None:
        """Take over individuals, with the papers that they work on."""
        for human in humans:
            group = self.line.group_of(human.number)
            if human.draft is None:
                self._idle[group] += 1
            else:
                self._schedule(CohortTask(human.draft, 1, group), human.days_left)
            human.remove()
        self.size += len(humans)

    def idle(self, group: int) -> int:
        """Return the number of idle humans of a group."""
        return self._idle[group]

    def humans_for(self, papers: int, group: int) -> int:
        """Return how many idle humans of a group take a batch now, or as many of its papers; 0 if they wait."""
        idle = self._idle[group]
        if 2 * idle >= 3 * papers:
            return papers
        return idle if 2 * idle >= papers or not self._busy[group] else 0

    def work_on(self, draft: Draft, humans: int, group: int) -> None:
        """Let idle humans do the present tasks of a batch."""
        self._idle[group] -= humans
        work = self.task_days(draft, humans)
        now = self.time.now
        self._schedule(CohortTask(draft, humans, group), max(0.0, end_of_work(self.settings.humans, now, work) - now))

    def task_days(self, draft: Draft, humans: int) -> float:
        """Return the work on the present tasks of a batch for each of the humans [days of work]."""
        stream = self.randomness.get("human task", self.identity.stream_key)
        return draw_work(draft, self.settings, stream) / humans

    def _members(self, group: int, humans: int) -> int:
        """Return how many of the humans 1 to ``humans`` are in a group."""
        groups = self.line.groups
        return (humans - group) // groups - (-group) // groups

    def _schedule(self, task: CohortTask, days: float) -> None:
        self._busy[task.group] += task.humans
        self._work[self.time.after(days, self._on_done)] = task

    def _on_done(self, timer: Event) -> None:
        draft, humans, group = self._work.pop(timer)
        self._busy[group] -= humans
        self.line.on_human_done(draft, humans)
        self._idle[group] += humans
        self.line.assign(group)
