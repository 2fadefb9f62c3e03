"""Simulate one human researcher: do tasks of papers, one at a time."""

from __future__ import annotations

import mesa
import numpy as np
from simpy import Event

from agents.humans.paper_line import Draft, PaperLine
from agents.humans.working_time import end_of_work
from agents.identity import AgentId
from agents.lab_agent import LabAgent
from agents.ports.bundles import HumanPorts


class HumanResearcher(LabAgent):
    """Do one task at a time, from the first day in the lab on. No GPU is needed for that.

    A subclass for ``LabFactory(human=...)`` changes :meth:`task_days`.
    """

    def __init__(self, model: mesa.Model, identity: AgentId, ports: HumanPorts, line: PaperLine) -> None:
        super().__init__(model, identity)
        self.time, self.randomness, self.settings = ports
        self.line = line
        self.draft: Draft | None = None
        """Paper that the human works on; None while no task waits."""
        self.tasks = 0
        """Number of tasks that the human has done."""
        line.join(self)

    def work_on(self, draft: Draft) -> None:
        """Do the present tasks of a draft."""
        self.draft = draft
        work = self.task_days(draft)
        now = self.time.now
        self.time.after(max(0.0, end_of_work(self.settings.humans, now, work) - now), self._on_done)

    def task_days(self, draft: Draft) -> float:
        """Return the work on the present tasks of a draft [days of work]."""
        if self.settings.researcher.timing == "poisson":
            stream = self.randomness.get("human task", self.identity.stream_key)
            work = float(np.dot(draft.human_work, stream.standard_exponential(len(draft.human_work))))
        else:
            work = sum(draft.human_work)
        return work / self.settings.humans.papers_per_day

    def _on_done(self, _: Event) -> None:
        draft, self.draft = self.draft, None
        assert draft is not None
        self.tasks += 1
        self.line.on_human_done(draft)
        self.line.join(self)
