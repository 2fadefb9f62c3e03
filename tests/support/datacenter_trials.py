"""Apply random changes to a datacenter, and keep separate accounts of what happens."""

import math
from collections import defaultdict
from typing import Any

from hypothesis import strategies as st

from hardware.cluster.cluster import GpuCluster, Job
from hardware.cluster.job_arrays import ArrayTask, JobArray
from hardware.cluster.jobs import JobRecord, nodes_of
from hardware.cluster.placement import PLACEMENTS
from hardware.cluster.queues import QUEUES
from hardware.compute_gate import ComputeGate
from hardware.datacenter import Datacenter
from sim.clock import Clock
from tests.support.clusters import NotificationRecorder, SeededStreams, params

GPUS, SIZE = 40, 4
USES = ("inference", "experiment", "training")
SPEEDS = (1.0, 2.0, 0.5)

SETTINGS = st.fixed_dictionaries(
    {
        "queue": st.sampled_from(sorted(QUEUES)),
        "placement": st.sampled_from(sorted(PLACEMENTS)),
        "partitioning": st.sampled_from(["static", "priority"]),
        "preemption": st.booleans(),
        "restart_hours": st.sampled_from([0.0, 0.25]),
        "checkpoint_hours": st.sampled_from([0.5, 2.0]),
        "gpu_hours_between_failures": st.sampled_from([0.0, 0.0, 40.0]),
    }
)
USE = st.sampled_from(["experiment", "training", "experiment", "inference"])
LOADED = st.sampled_from(["experiment", "training"])
SUBMIT = st.tuples(st.just("submit"), LOADED, st.integers(1, 10), st.sampled_from([0.0, 0.5, 1.0, 2.75, 6.0]))
ARRAY = st.tuples(st.just("submit_array"), LOADED, st.integers(1, 8))
CANCEL = st.tuples(st.just("cancel"), st.integers(0, 30))
ADVANCE = st.tuples(st.just("advance"), st.sampled_from([0.0, 0.5, 1.25, 4.0]))
ADD = st.tuples(st.just("add"), USE, st.integers(1, 3), st.sampled_from(SPEEDS))
RETIRE = st.tuples(st.just("retire"), USE, st.integers(1, 3), st.sampled_from([None, *SPEEDS]))
RUNNING = st.sampled_from(["continue", "preempt"])
HOLD = st.tuples(st.just("hold"), USE, RUNNING)
CAP = st.tuples(st.just("cap"), USE, st.integers(0, 12), RUNNING)
RESUME = st.tuples(st.just("resume"), USE)
RECONFIGURE = st.tuples(st.just("reconfigure"), SETTINGS)
REACT = st.tuples(
    st.just("react"),
    LOADED,
    st.integers(1, 10),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.one_of(ADD, RETIRE, HOLD, CAP, RESUME, SUBMIT),
)
LOAD = (SUBMIT, SUBMIT, SUBMIT, ARRAY, CANCEL, ADVANCE, ADVANCE)
STEPS = st.lists(st.one_of(*LOAD, REACT, REACT, ADD, RETIRE, HOLD, CAP, RESUME, RECONFIGURE), min_size=5, max_size=40)


class TaskSource:
    """The owner of job arrays: single tasks of one to five GPUs, or of ``gpus``, and a count of those that are over."""

    def __init__(self, gpus: int = 0) -> None:
        self.gpus = gpus
        self.drawn = 0
        self.over = 0
        self.largest_offer = 0

    def next_task(self, array: JobArray, max_gpus: int) -> ArrayTask:
        self.drawn += 1
        self.largest_offer = max(self.largest_offer, max_gpus)
        return ArrayTask(min(max_gpus, self.gpus or 1 + self.drawn * 7 % 5), (0.25, 1.0, 2.5)[self.drawn % 3], 1)

    def job_over(self, job: Any) -> None:
        self.over += job.tasks

    def job_started(self, job: Any) -> None:
        """Ignore the start."""

    def job_stopped(self, job: Any) -> None:
        """Ignore the stop."""


class Reaction:
    """A step of a trial that is taken in the event of the end of a job."""

    def __init__(self, trial: "Trial", step: Any) -> None:
        self.trial, self.step = trial, step

    def __call__(self, job: Job) -> None:
        name, *arguments = self.step
        if not self.trial.finishing:
            getattr(self.trial, name)(*arguments)


class Trial:
    """A datacenter with its gate, the jobs that were submitted to it, and separate accounts."""

    def __init__(self, settings: dict[str, Any], seed: int = 0, starts_inference: bool = True) -> None:
        self.clock, self.recorder, self.source = Clock(), NotificationRecorder(), TaskSource()
        self.inference_recorder = NotificationRecorder()
        self.center = Datacenter(self.clock, self.params(settings), SeededStreams(seed), hour=1)
        self.gate = ComputeGate(self.center)
        self.jobs: list[Job] = []
        self.finishing = False
        """True when no further steps are taken."""
        self.tasks = 0
        """Number of tasks of job arrays that were submitted."""
        self.held: dict[int, float] = defaultdict(float)
        """GPU-hours that each job held, by number."""
        self.processed: dict[int, float] = defaultdict(float)
        """Work of each job: GPU-hours × speed of its slowest node."""
        self.ceilings: dict[str, int] = {}
        """GPUs that a limited use may hold: the limit, or those it held when the limit was ordered."""
        self.ordered: set[str] = set()
        """Uses whose limit was ordered in this instant."""
        if starts_inference:
            self.center.start_inference(self.inference_recorder)

    @staticmethod
    def params(settings: dict[str, Any]) -> Any:
        return params(**{"gpus": GPUS, "gpus_per_node": SIZE, "inference_share": 0.3, **settings})

    # Steps

    def submit(self, use: str, gpus: int, length: float) -> None:
        if gpus <= self.center.largest_gang(use):
            self.jobs.append(self.center.submit(use, gpus, length, owner=len(self.jobs), watcher=self.recorder))

    def react(self, use: str, gpus: int, length: float, step: Any) -> None:
        """Submit a job, and take a step when it is over."""
        if gpus <= self.center.largest_gang(use):
            self.submit(use, gpus, length)
            self.jobs[-1].callbacks.append(Reaction(self, step))

    def submit_array(self, use: str, number: int) -> None:
        if self.center.capacity_of(use):
            self.center.submit_array(use, number, self.source, owner=99)
            self.tasks += number

    def cancel(self, number: int) -> None:
        if self.jobs:
            job = self.jobs[number % len(self.jobs)]
            over = job.state == "over"
            assert self.center.cancel(job) is not over

    def add(self, use: str, number: int, speed: float) -> None:
        before = self.center.capacity_of(use)
        self.center.add_nodes(use, number, speed)
        assert self.center.capacity_of(use) == before + number * SIZE

    def retire(self, use: str, number: int, speed: float | None) -> bool:
        before = self.center.capacity_of(use), self.center.largest_gang(use)
        try:
            self.center.retire_nodes(use, number, speed)
        except ValueError:
            assert (self.center.capacity_of(use), self.center.largest_gang(use)) == before
            return False
        assert self.center.capacity_of(use) == before[0] - number * SIZE
        return True

    def hold(self, use: str, running: Any) -> None:
        self.gate.hold(use, running)
        self._expect(use)

    def cap(self, use: str, gpus: int, running: Any) -> None:
        self.gate.cap(use, gpus, running)
        self._expect(use)

    def resume(self, use: str) -> None:
        self.gate.resume(use)
        self.ceilings.pop(use, None)
        self.ordered.discard(use)

    def _expect(self, use: str) -> None:
        self.ceilings.pop(use, None)
        self.ordered.add(use)

    def reconfigure(self, settings: dict[str, Any]) -> None:
        try:
            self.center.reconfigure(self.params(settings))
        except ValueError:
            return

    def advance(self, hours: float) -> None:
        until = self.clock.now + hours
        while self.clock.peek() <= until:
            self._account(self.clock.peek())
            self.clock.step()
            self.check()
        self._account(until)
        self.clock.advance(until)

    # Accounts

    def _account(self, until: float) -> None:
        span = until - self.clock.now
        for pool in self.center.pools.values():
            speeds = speeds_of(pool)
            for job in pool.jobs():
                if job.allocation and span:
                    slowest = min(speeds[node] for node, _ in nodes_of(job.allocation))
                    self.held[job.number] += job.gpus * span
                    self.processed[job.number] += job.gpus * span * slowest

    def check(self) -> None:
        """Assert the properties of every settled instant."""
        if self.clock.peek() <= self.clock.now:
            return
        for pool in self.center.pools.values():
            check_pool(pool)
        assert self.center.capacity == sum(pool.capacity for pool in self.center.pools.values())
        jobs = [job for pool in self.center.pools.values() for job in pool.jobs()]
        numbers = [job.number for job in jobs]
        assert len(numbers) == len(set(numbers))
        alive = {job.number for job in self.jobs if job.state != "over"}
        assert alive <= set(numbers)
        waiting = sum(job.tasks for job in jobs if not job.allocation)
        counted = sum(array.count for pool in self.center.pools.values() for array in pool.pending_arrays)
        uses = ("inference", "experiment", "training")
        assert sum(self.center.jobs_waiting(use) for use in uses) == waiting + counted
        assert sum(pool.waiting for pool in self.center.pools.values()) == waiting + counted
        in_arrays = sum(job.tasks for job in jobs if job.owner == 99)
        assert self.source.over + in_arrays + counted == self.tasks
        self._check_limits()

    def _check_limits(self) -> None:
        for use in [*self.ordered, *self.ceilings]:
            limit, now = self.gate.limit(use), self.center.gpus_in_use(use)
            assert limit is not None
            if use in self.ordered:
                self.ordered.discard(use)
                self.ceilings[use] = max(limit, now)
            assert now <= self.ceilings[use]

    def finish(self) -> list[JobRecord]:
        """Resume all uses, give every use nodes for its jobs, let all jobs end, and compare the accounts."""
        self.finishing = True
        for use in USES:
            self.resume(use)
            self.add(use, 30, 1.0)
        self.advance(500)
        for job in self.jobs:
            self.center.cancel(job)
        self.advance(1)
        self._check_records()
        return self.center.records

    def _check_records(self) -> None:
        records = self.center.records
        assert sorted(record.job for record in records if record.owner != 99 and record.length < math.inf) == sorted(
            job.number for job in self.jobs
        )
        assert self.source.over == self.tasks
        for record in records:
            if record.owner != 99:
                assert near(record.held, self.held[record.job])
                assert near(record.processed, self.processed[record.job])
            if record.outcome == "done":
                assert near(record.done, record.requested_gpu_time)
            assert min(record.held, record.done, record.restarts, record.lost, record.undone_gpu_time) >= -1e-9
        for use in USES:
            running = [job for pool in self.center.pools.values() for job in pool.jobs() if job.use == use]
            ended = math.fsum(record.held for record in records if record.use == use)
            standing = math.fsum(self.held[job.number] for job in running)
            assert near(self.center.gpu_time(use), ended + standing)


def speeds_of(pool: GpuCluster) -> dict[int, float]:
    """Return the speed of each node of a pool, by its number."""
    return {node: run.speed for run in pool.node_runs for node in range(run.first, run.first + run.number)}


def check_pool(pool: GpuCluster) -> None:
    """Assert that no GPU is held twice, and that free and held GPUs add up to the capacity."""
    sizes = {node: run.gpus for run in pool.node_runs for node in range(run.first, run.first + run.number)}
    held = dict.fromkeys(sizes, 0)
    for job in pool.jobs():
        for node, gpus in nodes_of(job.allocation):
            held[node] += gpus
    assert all(held[node] <= gpus for node, gpus in sizes.items())
    assert sum(sizes.values()) == pool.capacity == pool.free + pool.in_use
    assert sum(held.values()) == pool.in_use
    assert pool.node_sizes == [sizes.get(node, 0) for node in range(len(pool.node_sizes))]
    assert sum(pool.node_sizes) == pool.capacity
    if pool.params.placement == "consolidated":
        free = pool.free_by_node
        assert all(free[node] == gpus - held[node] for node, gpus in sizes.items())
        assert sum(free) == pool.free
    whole: dict[float, int] = defaultdict(int)
    for run in pool.node_runs:
        number = run.number * (run.gpus // SIZE)
        if number:
            whole[run.speed] += number
    assert whole == pool.nodes_by_speed()


def near(value: float, other: float) -> bool:
    """Return whether two GPU-times are equal to rounding."""
    return math.isclose(value, other, rel_tol=1e-9, abs_tol=1e-6)
