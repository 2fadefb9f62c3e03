"""The closed lab, written in several ways: what the cluster is compared with, and itself.

N researchers think for a time of mean 1, ask one of 64 GPUs for a time of mean 1, wait for it, and think again.
"""

from collections import defaultdict
from collections.abc import Generator, Iterator
from heapq import heappush
from itertools import chain, cycle
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from simpy import Environment, Event, PriorityResource, Process, Resource, Timeout
from simpy.events import NORMAL

from hardware.cluster.cluster import ClusterParams, GpuCluster
from sim.clock import Clock

GPUS = 64
Discipline = Literal["fcfs", "priority", "one priority"]
"""First come first served; by priority, of which there are three; by priority, and all have the same."""
CLASSES: dict[Discipline, int] = {"fcfs": 3, "priority": 3, "one priority": 1}


class Lab(Protocol):
    """A closed loop that can be run on."""

    env: Environment

    @property
    def finished(self) -> int:
        """Jobs that have ended."""


def run(lab: Lab, until: float) -> None:
    """Run a lab on to a time, as who uses such a clock would."""
    if isinstance(lab.env, Clock):
        lab.env.advance(until)
    else:
        lab.env.run(until=until)


def draws() -> Iterator[float]:
    """Exponential times of mean 1, drawn beforehand, so that drawing is not what is timed."""
    return cycle(np.random.default_rng(64).exponential(size=4_099).tolist())


def drawn() -> Iterator[float]:
    """Exponential times of mean 1, drawn by blocks as they are needed."""
    generator = np.random.default_rng(64)
    return chain.from_iterable(iter(lambda: generator.standard_exponential(1024).tolist(), None))


def params(discipline: Discipline) -> ClusterParams:
    """Return the plain cluster: one pool, nothing fails and nothing is preempted."""
    queue: Literal["fcfs", "priority"] = "fcfs" if discipline == "fcfs" else "priority"
    return ClusterParams(gpus=GPUS, queue=queue, placement="flat", preemption=False, gpu_hours_between_failures=0.0)


class Callbacks:
    """Our cluster with single jobs, driven by callbacks; a researcher is a number that its events carry."""

    def __init__(self, researchers: int, discipline: Discipline, times: Iterator[float] | None = None) -> None:
        self.env = Clock()
        self.cluster = GpuCluster(self.env, params(discipline))
        self.classes = CLASSES[discipline]
        self.times = draws() if times is None else times
        self.on_thought, self.on_job_over = self.ask, self.think_again
        for number in range(researchers):
            self.think(number)

    @property
    def finished(self) -> int:
        """Jobs that have ended."""
        return len(self.cluster.records)

    def think(self, number: int) -> None:
        """Think, then ask."""
        thinking = Timeout(self.env, next(self.times), number)
        thinking.callbacks.append(self.on_thought)

    def ask(self, thinking: Any) -> None:
        """Ask for a GPU, then think again."""
        number = thinking.value
        job = self.cluster.submit(1, next(self.times), owner=number, priority=number % self.classes)
        job.callbacks.append(self.on_job_over)

    def think_again(self, job: Any) -> None:
        """Think, when the job is over."""
        thinking = Timeout(self.env, next(self.times), job.owner)
        thinking.callbacks.append(self.on_thought)


class Thought(Event):
    """End of the thinking time of a researcher; all researchers share one event, which is scheduled many times."""

    __slots__ = ("callbacks",)
    _ok = True  # type: ignore[assignment]  # always a success

    def __init__(self, callbacks: list[Any]) -> None:
        self.callbacks = callbacks


class Lots:
    """Our cluster with jobs that are submitted as counts; a researcher who thinks is an event, and no object else."""

    def __init__(self, researchers: int, discipline: Discipline) -> None:
        assert discipline != "priority", "researchers without identity have one priority"
        self.env = Clock()
        self.cluster = GpuCluster(self.env, params(discipline))
        self.times = drawn()
        self.finished = -researchers
        self.on_thought = [self.ask]
        self.thought = Thought(self.on_thought)
        for _each in range(researchers):
            self.think()

    def think(self, _job: Any = None) -> None:
        """Think, then ask: at first, and when a job is over."""
        self.finished += 1
        env = self.env
        heappush(env._queue, (env.now + next(self.times), NORMAL, next(env._eid), self.thought))  # as env.schedule()

    def ask(self, thought: Thought) -> None:
        """Ask for a GPU."""
        thought.callbacks = self.on_thought  # SimPy has taken them from the event that it processes
        self.cluster.submit_array(1, self)

    def next_task(self, _array: Any, _max_gpus: int) -> tuple[int, float, int]:
        """Say what a job is, when its turn comes."""
        return 1, next(self.times), 1

    job_over = think

    def job_started(self, _: Any) -> None:
        """Nothing to note."""

    def job_stopped(self, _: Any) -> None:
        """Nothing to note."""


class Left(NamedTuple):
    """The baseline's record of a job."""

    job: int
    owner: int
    priority: int
    gpus: int
    length: float
    submitted: float
    started: float
    ended: float
    outcome: str
    held: float


class ResourceCluster:
    """The baseline's cluster: a process a job on one of SimPy's resources, and a record for each."""

    def __init__(self, env: Environment, discipline: Discipline) -> None:
        self.env = env
        self.plain = Resource(env, GPUS) if discipline == "fcfs" else None
        self.urgent = PriorityResource(env, GPUS)
        self.jobs = 0
        self.records: list[Left] = []
        self.held: defaultdict[str, float] = defaultdict(float)

    def submit(self, length: float, owner: int, priority: int) -> Process:
        """Ask for a GPU; the process returned ends with the job's record."""
        return self.env.process(self.job(length, owner, priority))

    def job(self, length: float, owner: int, priority: int) -> Generator[Event, Any, Left]:
        """Wait for a GPU, hold it, leave a record."""
        env = self.env
        submitted = env.now
        self.jobs = number = self.jobs + 1
        with self.plain.request() if self.plain else self.urgent.request(priority=-priority) as request:
            yield request
            started = env.now
            yield env.timeout(length)
        held = env.now - started
        self.held["job"] += held
        record = Left(number, owner, priority, 1, length, submitted, started, env.now, "done", held)
        self.records.append(record)
        return record


class Processes:
    """The baseline: a process a researcher, and a cluster whose ``submit`` returns a process."""

    def __init__(self, researchers: int, discipline: Discipline) -> None:
        self.env = Environment()
        self.cluster = ResourceCluster(self.env, discipline)
        times, classes = draws(), CLASSES[discipline]
        for number in range(researchers):
            self.env.process(self.researcher(number, number % classes, times))

    @property
    def finished(self) -> int:
        """Jobs that have ended."""
        return len(self.cluster.records)

    def researcher(self, number: int, priority: int, times: Iterator[float]) -> Generator[Event, Any, None]:
        """Think, ask, wait, and again."""
        while True:
            yield self.env.timeout(next(times))
            yield self.cluster.submit(next(times), number, priority)


class BareLoop:
    """The least that SimPy's resources can do: no jobs, no records."""

    def __init__(self, researchers: int, discipline: Discipline) -> None:
        self.env = Environment()
        self.finished = 0
        times = draws()
        resource: Any = Resource(self.env, GPUS) if discipline == "fcfs" else PriorityResource(self.env, GPUS)
        for number in range(researchers):
            rank = {} if discipline == "fcfs" else {"priority": -(number % CLASSES[discipline])}
            self.env.process(self.researcher(resource, rank, times))

    def researcher(self, gpus: Any, rank: dict[str, int], times: Iterator[float]) -> Generator[Event, Any, None]:
        """Think, ask, run, and again."""
        while True:
            yield self.env.timeout(next(times))
            with gpus.request(**rank) as request:
                yield request
                yield self.env.timeout(next(times))
            self.finished += 1
