"""How fast the cluster is, as ratios against the same lab written with SimPy's own resources, in one run.

N researchers in a closed loop think for a time of mean 1, ask one of 64 GPUs for a time of mean 1, wait for it, and
think again. The baseline is what one would write first: a process a researcher, and a cluster whose ``submit``
returns a process that holds a unit of a ``Resource`` (first come, first served) or ``PriorityResource`` and leaves
the same record. For information the table also has a bare loop: no jobs, no records, each researcher at the
resource itself. Both sides take turns, with the same draws; each ratio is the median over the turns. Exits with 1
if a limit is missed.
"""

import gc
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Iterator
from itertools import cycle
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from simpy import Environment, Event, PriorityResource, Process, Resource, Timeout

from hardware.cluster import ClusterParams, GpuCluster, JobRecord

GPUS = 64
TURNS = 9
Discipline = Literal["fcfs", "priority"]


class Case(NamedTuple):
    """One comparison."""

    discipline: Discipline
    researchers: int
    bare: bool
    """Against the bare loop."""
    limit: float | None
    """How many times faster a job must be; None: for information."""
    jobs: int
    """Jobs of ours in one turn: enough that what the other's turn drove out of the caches does not count."""
    baseline_jobs: int


CASES = (
    Case("fcfs", 64, False, 2, 20_000, 20_000),
    Case("priority", 64, False, 2, 20_000, 20_000),
    Case("fcfs", 10_000, False, None, 50_000, 50_000),
    Case("priority", 10_000, False, 200, 50_000, 200),
    Case("fcfs", 64, True, None, 20_000, 20_000),
    Case("priority", 64, True, None, 20_000, 20_000),
    Case("priority", 10_000, True, None, 50_000, 200),
)


class Lab(Protocol):
    """A closed loop that can be run on."""

    env: Environment

    @property
    def finished(self) -> int:
        """Jobs that have ended."""


def draws() -> Iterator[float]:
    """Exponential times of mean 1, drawn beforehand, so that drawing is not what is timed."""
    return cycle(np.random.default_rng(64).exponential(size=4_099).tolist())


class Callbacks:
    """Our cluster, driven by callbacks; a researcher is a number that its events carry."""

    def __init__(self, researchers: int, discipline: Discipline) -> None:
        self.env = Environment()
        params = ClusterParams(
            gpus=GPUS, queue=discipline, placement="flat", preemption=False, gpu_hours_between_failures=0.0
        )
        self.cluster = GpuCluster(self.env, params)
        self.times = draws()
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
        job = self.cluster.submit(1, next(self.times), owner=number, priority=number % 3)
        job.callbacks.append(self.on_job_over)

    def think_again(self, job: Any) -> None:
        """Think, when the job is over."""
        thinking = Timeout(self.env, next(self.times), job.owner)
        thinking.callbacks.append(self.on_thought)


class ResourceCluster:
    """The baseline's cluster: a process a job on one of SimPy's resources, and a record for each."""

    def __init__(self, env: Environment, discipline: Discipline) -> None:
        self.env = env
        self.plain = Resource(env, GPUS) if discipline == "fcfs" else None
        self.urgent = PriorityResource(env, GPUS)
        self.jobs = 0
        self.records: list[JobRecord] = []
        self.held: defaultdict[str, float] = defaultdict(float)

    def submit(self, length: float, owner: int, priority: int) -> Process:
        """Ask for a GPU; the process returned ends with the job's record."""
        return self.env.process(self.job(length, owner, priority))

    def job(self, length: float, owner: int, priority: int) -> Generator[Event, Any, JobRecord]:
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
        record = JobRecord(
            number, owner, "job", priority, 1, length, submitted, started, env.now, "done", 0, 0, held, length, 0.0, 0.0
        )
        self.records.append(record)
        return record


class Processes:
    """The baseline: a process a researcher."""

    def __init__(self, researchers: int, discipline: Discipline) -> None:
        self.env = Environment()
        self.cluster = ResourceCluster(self.env, discipline)
        times = draws()
        for number in range(researchers):
            self.env.process(self.researcher(number, times))

    @property
    def finished(self) -> int:
        """Jobs that have ended."""
        return len(self.cluster.records)

    def researcher(self, number: int, times: Iterator[float]) -> Generator[Event, Any, None]:
        """Think, ask, wait, and again."""
        while True:
            yield self.env.timeout(next(times))
            yield self.cluster.submit(next(times), number, number % 3)


class BareLoop:
    """The least that SimPy's resources can do: no jobs, no records."""

    def __init__(self, researchers: int, discipline: Discipline) -> None:
        self.env = Environment()
        self.finished = 0
        times = draws()
        resource: Any = Resource(self.env, GPUS) if discipline == "fcfs" else PriorityResource(self.env, GPUS)
        for number in range(researchers):
            rank = {} if discipline == "fcfs" else {"priority": -(number % 3)}
            self.env.process(self.researcher(resource, rank, times))

    def researcher(self, gpus: Any, rank: dict[str, int], times: Iterator[float]) -> Generator[Event, Any, None]:
        """Think, ask, run, and again."""
        while True:
            yield self.env.timeout(next(times))
            with gpus.request(**rank) as request:
                yield request
                yield self.env.timeout(next(times))
            self.finished += 1


def seconds_a_job(lab: Lab, jobs: int) -> float:
    """Run a lab on for about so many jobs."""
    before = lab.finished
    gc.collect()
    gc.disable()  # as timeit does: what is collected in a turn need not be its own
    start = time.perf_counter()
    lab.env.run(until=lab.env.now + jobs / GPUS)
    elapsed = time.perf_counter() - start
    gc.enable()
    return elapsed / (lab.finished - before)


def compare(case: Case) -> tuple[float, float, float]:
    """Return microseconds a job of ours and of the baseline, and the median of their ratios."""
    baseline_lab = BareLoop if case.bare else Processes
    ours: Lab = Callbacks(case.researchers, case.discipline)
    baseline: Lab = baseline_lab(case.researchers, case.discipline)
    for lab in (ours, baseline):
        lab.env.run(until=3)  # until the queue stands
    turns = [(seconds_a_job(ours, case.jobs), seconds_a_job(baseline, case.baseline_jobs)) for _ in range(TURNS)]
    mine, theirs = (1e6 * statistics.median(times) for times in zip(*turns, strict=True))
    return mine, theirs, statistics.median(their / own for own, their in turns)


def main() -> int:
    """Print the table; return 1 if a limit is missed."""
    table = Table(title=f"{GPUS} GPUs, N researchers in a closed loop, µs a finished job")
    for name in ("queue", "N", "ours", "SimPy", "", "ratio", "limit", ""):
        table.add_column(name, justify="right")
    missed = 0
    for case in track(CASES, "measuring", transient=True):
        mine, theirs, ratio = compare(case)
        failed = case.limit is not None and ratio < case.limit
        missed += failed
        verdict = "" if case.limit is None else "missed" if failed else "holds"
        limit = "" if case.limit is None else f"{case.limit:g}x"
        row = (case.discipline, f"{case.researchers:,}", f"{mine:.2f}", f"{theirs:.2f}")
        table.add_row(*row, "bare loop" if case.bare else "same lab", f"{ratio:.1f}x", limit, verdict)
    Console().print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
