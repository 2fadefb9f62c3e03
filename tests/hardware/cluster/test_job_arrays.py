"""Tests of job arrays: they get the same GPUs at the same times as single jobs."""

import math
import pickle
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.cluster import cluster as cluster_module
from hardware.cluster.cluster import GpuCluster, Job, JobRecord
from hardware.cluster.job_arrays import LOOKAHEAD_JOBS, JobArray
from hardware.cluster.placement import PLACEMENTS
from hardware.cluster.queues import QUEUES
from hardware.datacenter import Datacenter
from sim.clock import Clock
from tests.support.clusters import SeededStreams, cluster, params
from tests.support.properties import examples

GPUS, NODE = 12, 4
LENGTHS: Final = (0.0, 0.25, 0.5, 1.0, 1.0, 2.75)
GANGS: Final = (1, 1, 1, 2, 4, 6)

SETTINGS = st.fixed_dictionaries(
    {
        "queue": st.sampled_from(sorted(QUEUES)),
        "placement": st.sampled_from(sorted(PLACEMENTS)),
        "preemption": st.booleans(),
        "restart_hours": st.sampled_from([0.0, 0.25]),
        "checkpoint_hours": st.sampled_from([0.5, 2.0]),
        "gpu_hours_between_failures": st.sampled_from([0.0, 0.0, 20.0]),
    }
)
QUIET = st.fixed_dictionaries({"queue": st.sampled_from(["fcfs", "priority"]), "preemption": st.just(False)})
"""Settings under which a gang continues with the next job of an array."""
OWNER_AND_PRIORITY = (st.integers(0, 2), st.integers(0, 1))
SUBMIT_ARRAY = st.tuples(st.just("submit_array"), st.integers(1, 60), *OWNER_AND_PRIORITY)
ADVANCE = st.tuples(st.just("advance"), st.sampled_from([0.0, 0.25, 0.5, 1.25, 4.0]))
STEP = st.one_of(
    SUBMIT_ARRAY, SUBMIT_ARRAY, st.tuples(st.just("submit_job"), st.just(1), *OWNER_AND_PRIORITY), ADVANCE, ADVANCE
)
RESIZE = st.tuples(st.just("resize"), st.sampled_from([8, 12, 16]), SETTINGS)
STEPS = st.lists(STEP, min_size=4, max_size=25)
CHANGING_STEPS = st.lists(st.one_of(STEP, STEP, RESIZE), min_size=4, max_size=25)


def sizes(number: int, alike: bool) -> tuple[int, float]:
    """Return GPUs and length of a job by its number; lengths are exact and seldom end in the same instant."""
    if alike:
        return 1, (number * 37 % 101 + 1) / 64
    return GANGS[number * 7 % 6], LENGTHS[number * 5 % 6]


class ArrayTrial:
    """A cluster and its owners, which submit job arrays or single jobs, with a record of every job."""

    def __init__(self, chosen: dict[str, Any], in_arrays: bool, alike: bool = False, tasks_per_job: int = 1) -> None:
        self.clock = Clock()
        self.gpus = GpuCluster(self.clock, params(gpus=GPUS, gpus_per_node=NODE, **chosen), SeededStreams(3), hour=1)
        self.in_arrays, self.alike, self.tasks_per_job = in_arrays, alike, tasks_per_job
        self.notifications: list[tuple[int, str, float]] = []
        self.asked = self.over = 0
        self.area = 0.0
        self.drawn = 0
        """Number of the job that was drawn last."""

    # What it requests

    def submit_array(self, count: int, owner: int, priority: int) -> None:
        if not self.in_arrays:
            for _ in range(count):
                self.submit_job(1, owner, priority)
            return
        self.asked += count
        self.gpus.submit_array(count, self, owner=owner, priority=priority)

    def submit_job(self, _: int, owner: int, priority: int) -> None:
        self.asked += 1
        gpus, length = sizes(self.asked, self.alike)
        job = self.gpus.submit(gpus, length, owner=owner, priority=priority, watcher=self)
        job.callbacks.append(self.job_over)

    def resize(self, gpus: int, chosen: dict[str, Any]) -> None:
        self.gpus.reconfigure(params(gpus=gpus, gpus_per_node=NODE, **chosen))

    def advance(self, hours: float) -> None:
        until = self.clock.now + hours
        while self.clock.peek() <= until:
            self.area += self.gpus.in_use * (self.clock.peek() - self.clock.now)
            self.clock.step()
            check(self)
        self.area += self.gpus.in_use * (until - self.clock.now)
        self.clock.advance(until)

    # What it is asked and notified of

    def next_task(self, array: JobArray, most: int) -> tuple[int, float, int]:
        self.drawn = array.number
        tasks = min(self.tasks_per_job, array.count)
        gpus, length = sizes(array.number, self.alike)
        assert gpus <= most
        return gpus, length * tasks, tasks

    def job_started(self, job: Job) -> None:
        self.notifications.append((self.drawn if job.tasks_before else job.number, "started", self.clock.now))

    def job_stopped(self, job: Job) -> None:
        self.notifications.append((job.number, "stopped", self.clock.now))

    def job_over(self, job: Job) -> None:
        self.over += job.tasks


def check(trial: ArrayTrial) -> None:
    """Assert that every submitted job waits, runs or is over, and that no GPU is allocated twice."""
    gpus = trial.gpus
    jobs = gpus.jobs()
    running = [job for job in jobs if job.state == "running"]
    assert 0 <= gpus.in_use == sum(job.gpus for job in running) <= gpus.capacity
    assert gpus.waiting + sum(job.tasks for job in running) + trial.over == trial.asked
    recorded = sum(record.tasks for record in gpus.records)
    assert recorded + sum(job.tasks_before for job in jobs) == trial.over
    assert gpus.jobs_waiting("job") == gpus.waiting


def apply_steps(trial: ArrayTrial, steps: list[Any], saved: bool = False) -> list[JobRecord]:
    for place, (name, *arguments) in enumerate(steps):
        if saved and place % 3 == 2:
            trial = pickle.loads(pickle.dumps(trial))
        getattr(trial, name)(*arguments)
        check(trial)
    trial.advance(2000.0)
    assert trial.over == trial.asked, "all are over in the end"
    records = trial.gpus.records
    assert sum(record.held for record in records) == near(trial.area)
    assert trial.gpus.gpu_time("job") == near(trial.area)
    for record in records:
        assert record.held == near(record.done + record.restarts + record.lost)
        assert record.done == near(record.requested_gpu_time)
    return records


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def starts(trial: ArrayTrial) -> list[tuple[int, str, float]]:
    """Return the notifications, job by job."""
    return sorted(trial.notifications, key=lambda each: (each[0], each[2], each[1]))


@pytest.mark.slow
@examples(250)
@given(SETTINGS | QUIET, STEPS, st.booleans())
def test_job_array_equals_individual_jobs(chosen: dict[str, Any], steps: list[Any], alike: bool) -> None:
    in_arrays, alone = ArrayTrial(chosen, True, alike), ArrayTrial(chosen, False, alike)
    merged, single = apply_steps(in_arrays, steps), apply_steps(alone, steps)
    assert starts(in_arrays) == starts(alone), "every job of an array starts and stops as it would alone"
    for total in ("tasks", "waited", "held", "done", "restarts", "lost", "preemptions", "failures"):
        assert sum(getattr(each, total) for each in merged) == near(sum(getattr(each, total) for each in single))
    if len(merged) == len(single):
        assert merged == single, "in the same order, with the same numbers"


@pytest.mark.slow
@examples(120)
@given(SETTINGS | QUIET, CHANGING_STEPS, st.integers(1, 4), st.booleans())
def test_job_arrays_are_kept_when_the_pool_changes(
    chosen: dict[str, Any], steps: list[Any], tasks_per_job: int, alike: bool
) -> None:
    apply_steps(ArrayTrial(chosen, True, alike, tasks_per_job), steps)


@pytest.mark.slow
@examples(80)
@given(SETTINGS | QUIET, CHANGING_STEPS, st.integers(1, 4), st.booleans())
def test_job_arrays_pickled_midway_continue_identically(
    chosen: dict[str, Any], steps: list[Any], tasks_per_job: int, alike: bool
) -> None:
    assert apply_steps(ArrayTrial(chosen, True, alike, tasks_per_job), steps, saved=True) == apply_steps(
        ArrayTrial(chosen, True, alike, tasks_per_job), steps
    )


class Same:
    """A source of equal jobs; ``lengths``: lengths of some jobs, by number."""

    def __init__(self, gpus: int = 1, length: float = 1.0, tasks: int = 1, lengths: dict[int, float] | None = None):
        self.gpus, self.length, self.tasks, self.lengths = gpus, length, tasks, lengths or {}
        self.started: list[int] = []

    def next_task(self, array: JobArray, most: int) -> tuple[int, float, int]:
        return self.gpus, self.lengths.get(array.number, self.length), min(self.tasks, array.count)

    def job_started(self, job: Job) -> None:
        self.started.append(job.number)

    def job_stopped(self, job: Job) -> None:
        """Ignore the notification."""

    def job_over(self, job: Job) -> None:
        """Ignore the notification."""


def test_continued_gangs_are_recorded_at_intervals() -> None:
    clock, gpus = cluster(gpus=1, preemption=False)
    gpus.submit_array(2500, Same())
    clock.advance(2500.0)
    stay = cluster_module.MAX_TASKS_PER_RECORD
    assert [(record.job, record.tasks) for record in gpus.records] == [(1, stay), (stay + 1, stay), (2 * stay + 1, 500)]
    first = gpus.records[0]
    assert (first.started, first.ended, first.length, first.held) == (0.0, stay, stay, stay)
    assert sum(record.waited for record in gpus.records) == sum(range(2500))


def test_gang_continues_for_its_own_source_and_owner_only() -> None:
    clock, gpus = cluster(gpus=1, preemption=False)
    source = Same()
    gpus.submit_array(3, source, owner=1)
    gpus.submit_array(2, source, owner=2)
    gpus.submit_array(2, Same(), owner=2)
    clock.advance(10.0)
    assert [(record.owner, record.tasks) for record in gpus.records] == [(1, 3), (2, 2), (2, 2)]


def test_sjf_orders_jobs_of_an_array_submitted_while_busy() -> None:
    clock, gpus = cluster(gpus=1, queue="sjf", preemption=False)
    source = Same(lengths={1: 2.0, 2: 5.0, 3: 3.0, 4: 1.0})
    gpus.submit_array(1, source)
    clock.advance(1.0)
    gpus.submit_array(3, source)
    clock.advance(20.0)
    assert source.started == [1, 4, 3, 2]


def test_sjf_lookahead_is_limited() -> None:
    clock, gpus = cluster(gpus=1, queue="sjf", preemption=False)
    last = LOOKAHEAD_JOBS + 50
    source = Same(length=1.0, lengths={last: 0.5})
    gpus.submit_array(last, source)
    clock.advance(60.0)
    assert len(gpus.jobs()) - 1 <= LOOKAHEAD_JOBS
    assert source.started.index(last) == 50, "it went first as soon as it was seen"


def test_gang_that_continues_after_a_stop_keeps_its_accounts() -> None:
    """Two GPUs become one and two again: the second job is stopped for an hour, and then its gang continues."""
    clock, gpus = cluster(gpus=2, preemption=False)
    gpus.submit_array(4, Same(length=4.0))
    clock.advance(1.0)
    gpus.reconfigure(params(gpus=1, preemption=False))
    clock.advance(2.0)
    gpus.reconfigure(params(gpus=2, preemption=False))
    clock.advance(30.0)
    first, second = gpus.records
    assert (first.job, first.tasks, first.ended, first.waited, first.held) == (1, 2, 8.0, 0.0 + 4.0, 8.0)
    assert (second.job, second.tasks, second.ended, second.waited, second.held) == (2, 2, 9.0, 0.0 + 5.0, 8.0)


def test_gang_that_stops_after_continuing_keeps_its_accounts() -> None:
    clock, gpus = cluster(gpus=1, preemption=False)
    gpus.submit_array(3, Same(length=4.0))
    clock.advance(6.0)
    assert (gpus.waiting, gpus.running) == (1, 1)
    gpus.reconfigure(params(gpus=1, queue="priority", preemption=True))
    clock.advance(6.5)
    gpus.submit(1, 2.0, priority=1)
    clock.advance(7.0)
    assert (gpus.waiting, gpus.running) == (2, 1), "the second of the array is set back, the first is done"
    clock.advance(100.0)
    records = {record.job: record for record in gpus.records}
    gang = records[1]
    assert (gang.tasks, gang.length, gang.preemptions, gang.ended) == (2, 8.0, 1, 11.0)
    assert (gang.held, gang.done, gang.restarts, gang.waited) == (9.0, 8.0, 1.0, 4.0)
    assert (records[3].started, records[3].ended) == (11.0, 15.0)


def test_new_discipline_reorders_waiting_arrays() -> None:
    clock, gpus = cluster(gpus=1, queue="fcfs", preemption=False)
    low, high = Same(), Same()
    gpus.submit(1, 1.0)
    gpus.submit_array(3, low, priority=0)
    gpus.submit_array(3, high, priority=5)
    clock.advance(0.5)
    gpus.reconfigure(params(gpus=1, queue="priority", preemption=False))
    clock.advance(3.75)
    assert (high.started, low.started) == ([5, 6, 7], []), "the higher priority goes first now"
    clock.advance(10.0)
    assert (len(low.started), gpus.waiting, sum(record.tasks for record in gpus.records)) == (3, 0, 7)


def test_waiting_arrays_move_to_the_pool_of_their_use() -> None:
    clock = Clock()
    center = Datacenter(clock, params(gpus=8, partitioning="static", preemption=False), hour=1)
    source = Same(length=1.0)
    center.submit_array("experiment", 10, source)
    center.submit_array("training", 10, Same(gpus=2))
    clock.advance(0.5)
    center.reconfigure(params(gpus=8, partitioning="priority", preemption=False))
    assert center.jobs_waiting("experiment") + center.jobs_waiting("training") == 20, "all are set back"
    clock.advance(100.0)
    tasks = {use: sum(each.tasks for each in center.records if each.use == use) for use in ("experiment", "training")}
    assert tasks == {"experiment": 10, "training": 10}
    assert {use: center.gpu_time(use) for use in tasks} == {"experiment": 10.0, "training": 20.0}


def test_reconfigure_refuses_to_remove_a_pool_with_waiting_arrays() -> None:
    clock = Clock()
    center = Datacenter(clock, params(gpus=8, partitioning="static", preemption=False), hour=1)
    center.submit_array("experiment", 10, Same(length=1.0))
    before = center.params
    with pytest.raises(ValueError, match="jobs for experiment wait, first job 1, and there would be no GPUs for them"):
        center.reconfigure(params(gpus=8, inference_share=0.5, training_share=0.5))
    assert (center.params, center.jobs_waiting("experiment")) == (before, 10)


@pytest.mark.parametrize("count", [0, -3])
def test_submit_array_of_zero_jobs_raises(count: int) -> None:
    _, gpus = cluster()
    with pytest.raises(ValueError, match=f"count = {count} is too small"):
        gpus.submit_array(count, Same())
    assert gpus.waiting == 0
    assert gpus.submit(1, 1.0).number == 1, "no number was given away"


def test_submit_array_for_a_use_without_gpus_raises() -> None:
    center = Datacenter(Clock(), params(gpus=8, inference_share=0.75, training_share=0.25), hour=1)
    with pytest.raises(ValueError, match="no GPUs for experiment: its share of 8 comes to none"):
        center.submit_array("experiment", 5, Same())
    with pytest.raises(ValueError, match="no use 'coffee' of the cluster"):
        center.submit_array("coffee", 5, Same())


def test_job_array_cost_is_independent_of_its_size() -> None:
    clock, gpus = cluster(gpus=4, preemption=False)
    gpus.submit_array(10**15, Same(tasks=10**6, length=math.pi))
    clock.advance(10.0)
    assert len(gpus.jobs()) == gpus.running == 4
    assert gpus.waiting == 10**15 - 4 * 4 * 10**6, "three bundles each are done, the fourth runs"
