"""Provide the papers in progress of a few humans for tests: a clock, a cluster, a division of tasks."""

from dataclasses import dataclass, field
from typing import Any

from agents.humans.human_cohort import HumanCohort
from agents.humans.human_researcher import HumanResearcher
from agents.humans.paper_line import PaperLine
from agents.identity import AgentId
from agents.params import HumansParams
from agents.ports.automation import TaskWork
from agents.ports.bundles import HumanPorts, PaperLinePorts
from tests.support.small_lab import SmallLab


@dataclass
class FakeDivision:
    """Division of the tasks of a paper that a test may replace."""

    work: list[TaskWork] = field(default_factory=lambda: [TaskWork(1.0, 0.0, 0.0)])
    reallocation: bool = True

    @property
    def kinds(self) -> int:
        return len(self.work)

    def task_work(self) -> list[TaskWork]:
        return self.work


def by_human(share: float) -> TaskWork:
    """Return a task that a human does."""
    return TaskWork(share, 0.0, 0.0)


def by_ai(share: float, review: float = 0.0) -> TaskWork:
    """Return a task that AIs do, and that a human reviews."""
    return TaskWork(0.0, share, review)


class SmallHumanTeam:
    """Hold a few humans and their papers. A human takes one day for a whole paper unless ``humans`` differ."""

    def __init__(
        self,
        work: list[TaskWork],
        humans: int = 1,
        reallocation: bool = True,
        seed: int = 0,
        humans_params: dict[str, Any] | None = None,
        **researcher: Any,
    ) -> None:
        self.lab = SmallLab(seed, **{"timing": "whole", **researcher})
        self.lab.settings.humans = HumansParams(**{"papers_per_month": 365 / 12, **(humans_params or {})})
        self.division = FakeDivision(work, reallocation)
        lab = self.lab
        self.line = PaperLine(
            AgentId("", "paper line", -3),
            PaperLinePorts(
                lab.clock, lab.randomness, lab.compute, lab.knowledge, lab.team, lab.settings, self.division
            ),
        )
        self.cohort: HumanCohort | None = None
        self.humans = [self.hire(number) for number in range(1, humans + 1)]

    def hire(self, number: int) -> HumanResearcher:
        """Return a further human of this number, who waits for a task."""
        ports = HumanPorts(self.lab.clock, self.lab.randomness, self.lab.settings)
        return HumanResearcher(self.lab.model, AgentId("", "human", number), ports, self.line)

    def form_cohort(self, leap_tolerance: float) -> HumanCohort:
        """Return a cohort that has taken over all humans, with batches of this share of them."""
        self.lab.settings.run.leap_tolerance = leap_tolerance
        ports = HumanPorts(self.lab.clock, self.lab.randomness, self.lab.settings)
        self.cohort = HumanCohort(self.lab.model, AgentId("", "human", 1), ports, self.line)
        self.cohort.absorb(self.humans)
        self.humans = []
        return self.cohort

    def advance(self, days: float) -> None:
        """Let the clock run for this time."""
        self.lab.clock.advance(self.lab.now + days)

    @property
    def papers(self) -> float:
        """Number of papers published."""
        return self.lab.knowledge.papers

    def check_drafts(self) -> None:
        """Assert that each draft in progress is in exactly one place, and that each human works on one at most."""
        with_humans = [human.draft for human in self.humans if human.draft is not None]
        assert len(set(map(id, with_humans))) == len(with_humans)
        at_work = len(with_humans)
        if self.cohort is not None:
            with_humans, at_work = self.cohort.drafts, self.cohort.at_work
            assert at_work <= self.cohort.size
        assert at_work == self.lab.team.humans_at_work
        queues = self.line.waiting.values()
        assert self.line.drafts_waiting == sum(draft.papers for queue in queues for _, _, draft in queue)
        places = self.line.drafts_waiting + self.line.ais.tasks + sum(draft.papers for draft in with_humans)
        assert self.line.drafts == places + self.line.experiments + self.line.handed_in
        assert self.lab.team.ais_at_work == self.line.ais.busy
        cluster = self.lab.compute.cluster
        jobs = sum(job.tasks for job in cluster.jobs()) + sum(array.count for array in cluster.pending_arrays)
        assert jobs == self.line.experiments_on_cluster
