"""Provide a small lab for tests of agents: a clock, a cluster, and a list of publications."""

import hashlib
import math
from collections.abc import Callable
from typing import Any

import mesa
import numpy as np
from simpy import Event, Timeout

from agents.cohort.cohort import Cohort
from agents.literature import Literature
from agents.params import LiteratureParams, ResearcherParams
from agents.phases import Phase, PhaseOccupancy
from agents.ports import PaperBatch
from agents.researcher import Researcher
from hardware.cluster.cluster import ClusterParams, GpuCluster
from sim.clock import Clock


class SmallLab:
    """Implement the interface of agents. Times are days; a paper takes a month of work unless ``changes`` differ."""

    def __init__(
        self,
        seed: int = 0,
        gpus: int = 4,
        leap_tolerance: float = 0.0,
        cluster: dict[str, Any] | None = None,
        **changes: Any,
    ) -> None:
        self.seed = seed
        self.research_pace = 1.0
        self.clock = Clock()
        self.leap_tolerance = leap_tolerance
        self.researcher_params = ResearcherParams(**{"experiment_gpu_days": 0.0, **changes})
        self.literature = Literature(LiteratureParams(open_questions=20))
        self.census = PhaseOccupancy()
        quiet = {"queue": "fcfs", "placement": "flat", "gpu_hours_between_failures": 0.0, "preemption": False}
        self.cluster = GpuCluster(self.clock, ClusterParams(**{"gpus": gpus, **quiet, **(cluster or {})}))
        self.max_individuals = 0
        self.work_rate = 1.0
        self.next_step = 1e12
        self.findings: list[PaperBatch] = []
        self.on_publish: Callable[[], None] | None = None
        self.model = mesa.Model()
        self._streams: dict[tuple[str, int], np.random.Generator] = {}

    @property
    def now(self) -> float:
        return self.clock.now

    def after(self, days: float, callback: Callable[[Event], None]) -> Event:
        alarm = Timeout(self.clock, days)
        alarm.callbacks.append(callback)
        return alarm

    def at_end_of_instant(self, callback: Callable[[Event], None]) -> None:
        self.clock.at_end_of_instant(callback)

    def rng_for(self, decision: str, who: int) -> np.random.Generator:
        if (decision, who) not in self._streams:
            name = int.from_bytes(hashlib.sha256(decision.encode()).digest()[:4], "big")
            self._streams[decision, who] = np.random.default_rng([self.seed, name, who])
        return self._streams[decision, who]

    def experiment_gpu_days(self) -> float:
        return self.researcher_params.experiment_gpu_days

    def largest_gang(self, use: str) -> int:
        return self.cluster.largest_gang

    def gpus_for_experiments(self) -> int:
        return self.cluster.capacity

    def submit_job(self, use: str, gpus: int, days: float, owner: int, watcher: Any = None) -> Event:
        return self.cluster.submit(gpus, days, owner=owner, use=use, watcher=watcher)

    def submit_job_array(self, use: str, number: int, source: Any, payload: Any, owner: int) -> None:
        self.cluster.submit_array(number, source, payload, owner=owner, use=use)

    def papers_to_next_step(self, within: float = math.inf) -> float:
        return self.next_step

    def publish(self, finding: PaperBatch) -> None:
        self.findings.append(finding)
        self.literature.latest += int(finding.papers)
        if self.on_publish is not None:
            self.on_publish()

    def cohort_formed(self, cohort: int, researchers: int) -> None:
        """Ignore the event."""

    @property
    def papers(self) -> float:
        """Total number of published papers."""
        return sum(finding.papers for finding in self.findings)


def check(lab: SmallLab, cohort: Cohort, individuals: list[Researcher]) -> None:
    """Assert that cohort and census agree, and that each experiment has one researcher."""
    count = cohort.count
    assert all(number >= 0 for number in count.values()), count
    alone = {phase: sum(each.phase is phase for each in individuals) for phase in Phase}
    assert {phase: count[phase] + alone[phase] for phase in Phase} == lab.census.count
    assert (cohort.thinking.working, cohort.writing.working) == (count[Phase.THINK], count[Phase.WRITE])
    assert cohort.thinking.paused + cohort.writing.paused == count[Phase.PAUSED]
    assert 0 <= cohort.inactive_pending <= count[Phase.QUEUE] + count[Phase.RUN]
    assert lab.census.count[Phase.RUN] <= lab.cluster.in_use
    own = [job for job in lab.cluster.jobs() if job.watcher is cohort]
    asked = sum(job.tasks for job in own) + sum(lot.count for lot in lab.cluster.pending_arrays)
    assert count[Phase.QUEUE] + count[Phase.RUN] == asked, "experiments and waiting researchers must be equal in number"
