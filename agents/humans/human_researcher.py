"""Simulate one human researcher: do tasks of papers, one at a time."""

from __future__ import annotations

import mesa
import numpy as np
from numpy.random import Generator
from simpy import Event

from agents.humans.draft import Draft, draw_times
from agents.humans.paper_line import PaperLine
from agents.humans.working_time import end_of_work
from agents.identity import AgentId
from agents.lab_agent import LabAgent
from agents.ports.bundles import HumanPorts
from agents.ports.settings import Settings


def draw_work(draft: Draft, settings: Settings, stream: Generator) -> float:
    """Draw the work of humans on the present tasks of all papers of a draft [days of work]."""
    work, papers = draft.human_work, draft.papers
    if settings.researcher.timing != "poisson":
        total = sum(work) * papers
    elif papers == 1:
        total = float(np.dot(work, stream.standard_exponential(len(work))))
    else:
        total = float(np.dot(work, draw_times(draft, stream)))
    return total / settings.humans.papers_per_day


class HumanResearcher(LabAgent):
    """Do one task at a time, from the first day in the lab on. No GPU is needed for that.

    A subclass for ``LabFactory(human=...)`` changes :meth:`task_days`.
    """

    def __init__(self, model: mesa.Model, identity: AgentId, ports: HumanPorts, line: PaperLine) -> None:
        super().__init__(model, identity)
        self.time, self.randomness, self.settings = ports
        self.line = line
        self._stream_key = identity.stream_key
        self.draft: Draft | None = None
        """Paper that the human works on; None while no task waits."""
        self.tasks = 0
        """Number of tasks that the human has done."""
        self._timer: Event | None = None
        self._due = 0.0
        line.join(self)

    @property
    def days_left(self) -> float:
        """Time until the present task is done [days]."""
        return self._due - self.time.now

    def work_on(self, draft: Draft) -> None:
        """Do the present tasks of a draft."""
        self.draft = draft
        work = self.task_days(draft)
        now = self.time.now
        days = max(0.0, end_of_work(self.settings.humans, now, work) - now)
        self._due = now + days
        self._timer = self.time.after(days, self._on_done)

    def task_days(self, draft: Draft) -> float:
        """Return the work on the present tasks of a draft [days of work]."""
        return draw_work(draft, self.settings, self.randomness.get("human task", self._stream_key))

    def remove(self) -> None:
        """Remove the agent from the model; a cohort continues its paper."""
        self._timer = None
        super().remove()

    def _on_done(self, timer: Event) -> None:
        if timer is not self._timer:
            return  # a cohort has taken over
        draft, self.draft = self.draft, None
        assert draft is not None
        self.tasks += 1
        self.line.on_human_done(draft)
        self.line.join(self)
