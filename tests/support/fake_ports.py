"""Implement each port of agents by a small fake, for tests of one agent at a time."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agents.identity import AgentId
from agents.literature import Literature
from agents.params import (
    FixedPolicyParams,
    HumansParams,
    KernelParams,
    LiteratureParams,
    MeasuredKernelParams,
    PolicyParams,
    ResearcherParams,
    TrainingParams,
)
from agents.ports.compute import ArrayTaskSource, JobHandle, JobListener
from agents.ports.knowledge import Author, PaperBatch
from agents.ports.measurements import LabMeasurements
from agents.ports.training import GenerationPlan
from hardware.cluster.cluster import GpuCluster


def researcher_id(number: int) -> AgentId:
    """Return the identity of a researcher of an unnamed lab."""
    return AgentId("", "researcher", number)


def _number_of(agent: int | str) -> int:
    """Return a number of an agent for a random stream; it is not negative."""
    if isinstance(agent, int) and agent >= 0:
        return agent
    return int.from_bytes(hashlib.sha256(str(agent).encode()).digest()[:4], "big")


class FakeRandomness:
    """Give independent generators by decision and agent."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._streams: dict[tuple[str, int | str], np.random.Generator] = {}

    def get(self, decision: str, agent: int | str) -> np.random.Generator:
        if (decision, agent) not in self._streams:
            name = int.from_bytes(hashlib.sha256(decision.encode()).digest()[:4], "big")
            self._streams[decision, agent] = np.random.default_rng([self.seed, name, _number_of(agent)])
        return self._streams[decision, agent]


@dataclass
class FakeLimits:
    """Limits of the simulation."""

    max_individuals: int = 0
    leap_tolerance: float = 0.0


@dataclass
class FakeShares:
    """Division of the GPUs."""

    inference_share: float = 0.5
    training_share: float = 0.25
    gpu_hours_between_failures: float = 0.0


@dataclass
class FakeSettings:
    """Parameters of a lab, which a test may replace."""

    researcher: ResearcherParams = field(default_factory=ResearcherParams)
    humans: HumansParams = field(default_factory=HumansParams)
    literature: LiteratureParams = field(default_factory=LiteratureParams)
    training: TrainingParams = field(default_factory=TrainingParams)
    kernels: KernelParams = field(default_factory=MeasuredKernelParams)
    policy: PolicyParams = field(default_factory=FixedPolicyParams)
    cluster: FakeShares = field(default_factory=FakeShares)
    run: FakeLimits = field(default_factory=FakeLimits)


class FakeCompute:
    """Submit jobs to one cluster, at the work rate of day 0."""

    work_rate = 1.0

    def __init__(self, cluster: GpuCluster) -> None:
        self.cluster = cluster

    def largest_gang(self, use: str) -> int:
        return self.cluster.largest_gang

    def gpus_for_experiments(self) -> int:
        return self.cluster.capacity

    def submit_job(
        self,
        use: str,
        gpus: int,
        days: float,
        owner: AgentId,
        on_done: Callable[[JobHandle], None],
        listener: JobListener | None = None,
    ) -> JobHandle:
        job = self.cluster.submit(gpus, days, owner=owner.number, use=use, watcher=listener)
        job.callbacks.append(on_done)
        return job

    def submit_job_array(self, use: str, number: int, source: ArrayTaskSource, payload: object, owner: AgentId) -> None:
        self.cluster.submit_array(number, source, payload, owner=owner.number, use=use)  # type: ignore[arg-type]

    def withdraw(self, job: JobHandle) -> None:
        self.cluster.cancel(job)  # type: ignore[arg-type]


class FakeKnowledge:
    """Collect publications, which are counted at once; software stays as it is."""

    def __init__(self, settings: FakeSettings) -> None:
        self.settings = settings
        self.literature = Literature(settings.literature)
        self.discovered = 0.0
        self.batches: list[PaperBatch] = []
        self.next_step = 1e12
        """Papers to the next step of software."""

    @property
    def papers(self) -> float:
        """Total number of published papers."""
        return sum(batch.papers for batch in self.batches)

    def experiment_gpu_days(self) -> float:
        return self.settings.researcher.experiment_gpu_days

    def papers_to_next_step(self, within: float = math.inf) -> float:
        return self.next_step

    def publish(self, batch: PaperBatch, author: Author) -> None:
        self.batches.append(batch)
        self.literature.latest += int(batch.papers)
        author.on_published(batch.papers)


class FakeResearchTime:
    """Researchers' time, as a kernel engineer uses it."""

    def __init__(self, reference_researchers: float = 10.0) -> None:
        self.reference_researchers = reference_researchers
        self.growth = 1.0
        self.research_pace = 1.0

    def team_growth(self) -> float:
        return self.growth

    def set_research_pace(self, pace: float) -> None:
        self.research_pace = pace


class FakeDeployment:
    """Collect the requests and deployments of a trainer and of a kernel engineer."""

    def __init__(self, discovered: float = 0.0) -> None:
        self.discovered = discovered
        self.requests: list[tuple[int, int, float]] = []
        self.deployed: list[tuple[int, float]] = []
        self.kernels: list[tuple[float, float]] = []

    def record_request(self, generation: int, gpus: int, days: float) -> None:
        self.requests.append((generation, gpus, days))

    def deploy(self, generation: int, doublings: float) -> None:
        self.deployed.append((generation, doublings))

    def deploy_kernels(self, candidates: float, speedup: float) -> None:
        self.kernels.append((candidates, speedup))


class FakePolicy:
    """Begin a generation for each whole doubling, on a fixed number of GPUs."""

    def __init__(self, gpus: int = 4) -> None:
        self.gpus = gpus

    def next_generation_at(self, consumed: float) -> float:
        return consumed + 1.0

    def begins_generation(self, discovered: float, consumed: float) -> bool:
        return discovered >= consumed + 1.0

    def plan_generation(self, waiting: float, days: float) -> GenerationPlan:
        return GenerationPlan(waiting, waiting / 2, waiting / 2)

    def gpus_of_run(self, one_gpu_days: float) -> int:
        return self.gpus

    def continues_on_more_gpus(self, gpus: int, largest: int) -> bool:
        return False


class FakeClusterStatus:
    """Report fixed facts about a cluster."""

    def __init__(self, fastest: int = 4, waiting: int = 0, in_use: int = 0) -> None:
        self.fastest, self.waiting, self.in_use = fastest, waiting, in_use

    def fastest_training_gpus(self, one_gpu_days: float) -> int:
        return self.fastest

    def jobs_waiting(self, use: str) -> int:
        return self.waiting

    def gpus_in_use(self, use: str) -> int:
        return self.in_use


def measured(**changes: Any) -> LabMeasurements:
    """Return measurements of a lab of 100 GPUs whose experiments do not wait and that trains nothing."""
    values: dict[str, Any] = {
        "day": 10.0,
        "days": 2.0,
        "gpus": {"inference": 50, "experiment": 25, "training": 25},
        "fewest_gpus": {"inference": 1, "experiment": 8, "training": 1},
        "gpu_unit": 1,
        "gpus_held": {"inference": 50.0, "experiment": 5.0, "training": 0.0},
        "jobs_waiting": {"inference": 0, "experiment": 0, "training": 0},
        "active_researchers": 20,
        "mean_researchers": 20.0,
        "mean_waiting": 0.0,
        "papers_per_day": 0.6,
        "deployment_gap": 0.0,
        "training_run_days": 30.0,
        "is_training": False,
    }
    return LabMeasurements(**(values | changes))
