"""Provide the ports of researchers for tests: a clock, a cluster, a team, and a list of publications."""

from typing import Any

import mesa

from agents.cohort.cohort import Cohort
from agents.params import LiteratureParams, ResearcherParams
from agents.phases import Phase
from agents.ports.bundles import ResearcherPorts
from agents.researcher import Researcher
from agents.team import TeamState
from agents.workforce import Workforce
from hardware.cluster.cluster import ClusterParams, GpuCluster
from sim.clock import Clock
from tests.support.fake_ports import FakeCompute, FakeKnowledge, FakeLimits, FakeRandomness, FakeSettings


class SmallLab:
    """Hold the ports of researchers. Times are days; a paper takes a month of work unless ``changes`` differ."""

    def __init__(
        self,
        seed: int = 0,
        gpus: int = 4,
        leap_tolerance: float = 0.0,
        cluster: dict[str, Any] | None = None,
        **changes: Any,
    ) -> None:
        self.model = mesa.Model()
        self.clock = Clock()
        self.randomness = FakeRandomness(seed)
        self.settings = FakeSettings(
            researcher=ResearcherParams(**{"experiment_gpu_days": 0.0, **changes}),
            literature=LiteratureParams(open_questions=20),
            run=FakeLimits(leap_tolerance=leap_tolerance),
        )
        quiet = {"queue": "fcfs", "placement": "flat", "gpu_hours_between_failures": 0.0, "preemption": False}
        params = ClusterParams(**{"gpus": gpus, **quiet, **(cluster or {})})
        self.compute = FakeCompute(GpuCluster(self.clock, params))
        self.knowledge = FakeKnowledge(self.settings)
        self.team = TeamState()
        self.ports = ResearcherPorts(
            self.clock, self.randomness, self.compute, self.knowledge, self.team, self.settings
        )

    @property
    def now(self) -> float:
        """Current day."""
        return self.clock.now

    def workforce(self, max_individuals: int) -> Workforce:
        """Return a workforce without researchers, of at most this number of individual agents."""
        self.settings.run.max_individuals = max_individuals
        return Workforce(self.model, "", self.team, self.ports, 1.0, lambda number, size: None)


def check(lab: SmallLab, cohort: Cohort, individuals: list[Researcher]) -> None:
    """Assert that cohort and census agree, and that each experiment has one researcher."""
    count = cohort.count
    assert all(number >= 0 for number in count.values()), count
    alone = {phase: sum(each.phase is phase for each in individuals) for phase in Phase}
    assert {phase: count[phase] + alone[phase] for phase in Phase} == lab.team.census.count
    assert (cohort.thinking.working, cohort.writing.working) == (count[Phase.THINK], count[Phase.WRITE])
    assert cohort.thinking.paused + cohort.writing.paused == count[Phase.PAUSED]
    assert 0 <= cohort.inactive_pending <= count[Phase.QUEUE] + count[Phase.RUN]
    assert lab.team.census.count[Phase.RUN] <= lab.compute.cluster.in_use
    own = [job for job in lab.compute.cluster.jobs() if job.watcher is cohort]
    asked = sum(job.tasks for job in own) + sum(lot.count for lot in lab.compute.cluster.pending_arrays)
    assert count[Phase.QUEUE] + count[Phase.RUN] == asked, "experiments and waiting researchers must be equal in number"
