"""Tests of the invariants of a cluster after every event."""

import math
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.cluster.cluster import GpuCluster, Job, JobRecord
from hardware.cluster.jobs import nodes_of
from hardware.cluster.placement import PLACEMENTS
from hardware.cluster.queues import QUEUES
from sim.clock import Clock
from tests.support.clusters import NotificationRecorder, SeededStreams, params
from tests.support.properties import examples

GPUS, SIZE = 12, 4

SETTINGS = st.fixed_dictionaries(
    {
        "queue": st.sampled_from(sorted(QUEUES)),
        "placement": st.sampled_from(sorted(PLACEMENTS)),
        "preemption": st.booleans(),
        "restart_hours": st.sampled_from([0.0, 0.25, 3.0]),
        "checkpoint_hours": st.sampled_from([0.5, 2.0]),
        "gpu_hours_between_failures": st.sampled_from([0.0, 20.0]),
    }
)
SUBMIT = st.tuples(
    st.just("submit"),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.5, 1.0, 2.7, 6.0, math.inf]),
    st.integers(0, 2),
)
STEP = st.one_of(
    SUBMIT,
    SUBMIT,
    st.tuples(st.just("advance"), st.sampled_from([0.0, 0.5, 1.3, 4.0])),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("resize"), st.sampled_from([12, 14, 16]), SETTINGS),
    st.tuples(st.just("save")),
)
STEPS = st.one_of(st.lists(STEP, max_size=40), st.lists(STEP, min_size=25, max_size=40))


class ClusterTrial:
    """A cluster, its requests, and an independent account of its GPU time."""

    def __init__(self, settings: dict[str, Any], seed: int) -> None:
        self.clock = Clock()
        self.recorder = NotificationRecorder()
        self.gpus = GpuCluster(
            self.clock, params(gpus=GPUS, gpus_per_node=SIZE, **settings), SeededStreams(seed), hour=1
        )
        self.jobs: list[Job] = []
        self.area = 0.0

    def submit(self, gpus: int, length: float, priority: int) -> None:
        self.jobs.append(self.gpus.submit(gpus, length, owner=len(self.jobs), priority=priority, watcher=self.recorder))

    def cancel(self, number: int) -> None:
        if number < len(self.jobs):
            over = self.jobs[number].state == "over"
            assert self.gpus.cancel(self.jobs[number]) is not over

    def resize(self, gpus: int, settings: dict[str, Any]) -> None:
        self.gpus.reconfigure(params(gpus=gpus, gpus_per_node=SIZE, **settings))

    def advance(self, hours: float) -> None:
        until = self.clock.now + hours
        while self.clock.peek() <= until:
            self.step()
        self.account(until)
        self.clock.advance(until)

    def step(self) -> None:
        self.account(self.clock.peek())
        self.clock.step()
        check(self)

    def account(self, until: float) -> None:
        self.area += self.gpus.in_use * (until - self.clock.now)

    def finish(self) -> list[JobRecord]:
        """Cancel jobs of infinite length, and jobs that are not over when all others had the time."""
        for job in self.jobs:
            if job.length == math.inf:
                self.gpus.cancel(job)
        self.advance(400)
        for job in self.jobs:
            self.gpus.cancel(job)
        self.advance(1)
        return self.gpus.records


def check(trial: ClusterTrial) -> None:
    gpus = trial.gpus
    running = [job for job in trial.jobs if job.state == "running"]
    waiting = [job for job in trial.jobs if job.state == "waiting"]
    assert 0 <= gpus.in_use <= gpus.capacity
    assert gpus.in_use == sum(job.gpus for job in running) == gpus.gpus_in_use("job")
    assert (gpus.running, gpus.waiting) == (len(running), len(waiting))
    assert {job.number for job in gpus.jobs()} == {job.number for job in running + waiting}
    check_allocations(gpus, running)
    assert 0 <= gpus.fragmentation <= 1


def check_allocations(gpus: GpuCluster, running: list[Job]) -> None:
    taken: dict[int, int] = {}
    for job in running:
        nodes = list(nodes_of(job.allocation))
        assert sum(count for _, count in nodes) == job.gpus
        for node, count in nodes:
            taken[node] = taken.get(node, 0) + count
        if gpus.params.placement == "consolidated":
            assert len(nodes) == -(-job.gpus // SIZE)
            assert all(count == SIZE for _, count in nodes[:-1])
    size = SIZE if gpus.params.placement == "consolidated" else gpus.capacity
    for node, count in taken.items():
        assert count <= min(size, gpus.capacity - node * size)


def check_accounts(trial: ClusterTrial, records: list[JobRecord]) -> None:
    assert len(records) == len(trial.jobs)
    assert [job.value for job in trial.jobs] == sorted(records)
    assert sum(record.held for record in records) == near(trial.area)
    assert trial.gpus.gpu_time("job") == near(trial.area)
    for record in records:
        assert record.held == near(record.done + record.restarts + record.lost)
        assert min(record.held, record.done, record.restarts, record.lost) >= 0
        if record.outcome == "done":
            assert record.done == record.requested_gpu_time == record.gpus * record.length
            assert record.undone_gpu_time == 0
        else:
            assert record.undone_gpu_time >= 0 and record.done <= record.requested_gpu_time
        if record.started is None:
            assert record.held == record.preemptions == record.failures == 0
        assert record.started is None or record.submitted <= record.started <= record.ended
        if record.preemptions == record.failures == 0:
            assert record.restarts == record.lost == 0
    check_notifications(trial)


def check_notifications(trial: ClusterTrial) -> None:
    """Assert that starts and stops of each job alternate."""
    for job in trial.jobs:
        kinds = [what for _, what, number in trial.recorder.notifications if number == job.number]
        assert kinds == (["started", "stopped"] * len(kinds))[: len(kinds)]
        stops = kinds.count("stopped")
        assert stops >= job.value.preemptions + job.value.failures or job.value.outcome == "cancelled"


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def apply_steps(trial: ClusterTrial, steps: list[Any], saves: bool) -> list[JobRecord]:
    for name, *arguments in steps:
        if name == "save":
            if saves:
                trial = pickle.loads(pickle.dumps(trial))
        elif name != "submit" or arguments[0] <= trial.gpus.largest_gang:
            getattr(trial, name)(*arguments)
        check(trial)
    records = trial.finish()
    check_accounts(trial, records)
    return records


@pytest.mark.slow
@examples(400)
@given(SETTINGS, STEPS, st.integers(0, 5))
def test_cluster_never_exceeds_its_gpus_and_accounts_for_all_time(
    chosen: dict[str, Any], steps: list[Any], seed: int
) -> None:
    apply_steps(ClusterTrial(chosen, seed), steps, saves=False)


@pytest.mark.slow
@examples(150)
@given(SETTINGS, STEPS, st.integers(0, 5))
def test_cluster_pickled_midway_continues_identically(chosen: dict[str, Any], steps: list[Any], seed: int) -> None:
    middle = [*steps[: len(steps) // 2], ("save",), *steps[len(steps) // 2 :]]
    assert apply_steps(ClusterTrial(chosen, seed), middle, saves=True) == apply_steps(
        ClusterTrial(chosen, seed), middle, saves=False
    )


@examples(60)
@given(SETTINGS, st.integers(0, 5))
def test_failures_of_an_owner_are_independent_of_other_owners(chosen: dict[str, Any], seed: int) -> None:
    chosen = {**chosen, "gpu_hours_between_failures": 20.0, "restart_hours": 0.25}
    ends = []
    for others in (0, 3):
        trial = ClusterTrial(chosen, seed)
        mine = trial.gpus.submit(2, 30.0, owner=100)
        for owner in range(others):
            trial.gpus.submit(2, 30.0, owner=owner)
        trial.clock.run()
        ends.append((mine.value.ended, mine.value.failures))
    assert ends[0] == ends[1]
