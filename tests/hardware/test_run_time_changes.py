"""Tests of nodes that are added and retired, and of uses that are held, while jobs run."""

import math
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.cluster.cluster import GpuCluster, Job
from hardware.cluster.jobs import nodes_of
from hardware.compute_gate import ComputeGate
from hardware.datacenter import SHARED, Datacenter
from sim.clock import Clock
from tests.support.clusters import NotificationRecorder, ScriptedStreams, SeededStreams, cluster, params
from tests.support.datacenter_trials import (
    ADD,
    LOAD,
    RETIRE,
    SETTINGS,
    SIZE,
    SPEEDS,
    STEPS,
    USE,
    TaskSource,
    Trial,
    speeds_of,
)
from tests.support.properties import examples


def play(trial: Trial, steps: list[Any], saved_at: int | None = None) -> Trial:
    for place, (name, *arguments) in enumerate(steps):
        if place == saved_at:
            trial = pickle.loads(pickle.dumps(trial))
        getattr(trial, name)(*arguments)
        trial.check()
    trial.finish()
    return trial


@examples(250)
@given(SETTINGS, STEPS, st.integers(0, 3))
def test_no_gpu_second_and_no_job_is_lost_or_doubled(settings: dict[str, Any], steps: list[Any], seed: int) -> None:
    play(Trial(settings, seed), steps)


@examples(60)
@given(SETTINGS, STEPS, st.integers(0, 3))
def test_run_restored_midway_continues_identically(settings: dict[str, Any], steps: list[Any], seed: int) -> None:
    again = play(Trial(settings, seed), steps, saved_at=len(steps) // 2)
    assert again.center.records == play(Trial(settings, seed), steps).center.records


class Undoing(Trial):
    """A trial with calls that are undone in the same instant, or without them."""

    acts = True

    def undone_nodes(self, use: str, number: int, speed: float, first_retires: bool) -> None:
        if not self.acts:
            return
        if not first_retires:
            self.add(use, number, speed)
            assert self.retire(use, number, speed)
        elif self.retire(use, number, speed):
            self.add(use, number, speed)

    def undone_order(self, use: str, gpus: int, running: Any) -> None:
        if not self.acts:
            return
        limit = self.gate.limit(use)
        self.gate.cap(use, gpus, running)
        self.gate.hold(use, running)
        if limit is None:
            self.gate.resume(use)
        else:
            self.gate.cap(use, limit)


class WithoutUndone(Undoing):
    acts = False


UNDONE = st.one_of(
    st.tuples(st.just("undone_nodes"), USE, st.integers(1, 3), st.sampled_from(SPEEDS), st.booleans()),
    st.tuples(st.just("undone_order"), USE, st.integers(0, 12), st.sampled_from(["continue", "preempt"])),
)
UNDONE_IN_EVENT = st.tuples(
    st.just("react"), st.just("experiment"), st.integers(1, 10), st.sampled_from([0.0, 0.5, 1.0]), UNDONE
)


@examples(200)
@given(
    SETTINGS,
    st.lists(
        st.one_of(STEPS.map(lambda steps: steps[:3]), st.lists(st.one_of(UNDONE, UNDONE_IN_EVENT), max_size=2)),
        max_size=16,
    ),
    st.integers(0, 3),
)
def test_calls_that_cancel_out_within_an_instant_have_no_effect(
    settings: dict[str, Any], parts: list[list[Any]], seed: int
) -> None:
    steps = [step for part in parts for step in part]
    with_calls, without = (play(kind(settings, seed), steps) for kind in (Undoing, WithoutUndone))
    assert with_calls.center.records == without.center.records
    assert with_calls.recorder.notifications == without.recorder.notifications
    assert with_calls.inference_recorder.notifications == without.inference_recorder.notifications


def next_change(trial: Trial, job: Job, since: float) -> float:
    """Return when a job that ran at a time ended or lost its GPUs."""
    stops = [
        at
        for at, what, number in trial.recorder.notifications
        if number == job.number and what == "stopped" and at > since
    ]
    return min([*stops, job.value.ended])


@examples(150)
@given(
    SETTINGS,
    st.lists(st.one_of(*LOAD, ADD), min_size=5, max_size=30),
    st.lists(st.one_of(ADD, RETIRE), min_size=1, max_size=3),
    st.integers(0, 3),
)
def test_jobs_on_other_nodes_are_not_touched(
    settings: dict[str, Any], steps: list[Any], calls: list[Any], seed: int
) -> None:
    settings = {**settings, "preemption": False}
    trials = [Trial(settings, seed), Trial(settings, seed)]
    for trial in trials:
        for name, *arguments in [*steps, ("advance", 0.1)]:
            getattr(trial, name)(*arguments)
    changed, same = trials
    now = same.clock.now
    running = [job for job in changed.jobs if job.state == "running"]
    ends = {job.number: (job.started_at, job.planned_end, job.allocation) for job in running}
    before = {name: (speeds_of(pool), pool.free) for name, pool in changed.center.pools.items()}
    for name, *arguments in calls:
        getattr(changed, name)(*arguments)
    changed.advance(0.0)
    untouched = [job for job in running if job.state == "running" and job.started_at < now]
    for pool_name, pool in changed.center.pools.items():
        nodes, free = before.get(pool_name, ({}, 0))
        gone = set(nodes) - set(speeds_of(pool))
        moved = [job for job in running if job not in untouched and changed.center.pool(job.use) is pool]
        if settings["placement"] == "consolidated":
            assert all(any(node in gone for node, _ in nodes_of(ends[job.number][2])) for job in moved)
        elif len(nodes) == 1:
            assert not moved or sum(call[2] for call in calls if call[0] == "retire") * SIZE > free
    for job in untouched:
        assert (job.started_at, job.planned_end, job.allocation) == ends[job.number]
    for trial in trials:
        trial.finish()
    for job in untouched:
        other = next(each for each in same.jobs if each.number == job.number)
        assert next_change(changed, job, now) == next_change(same, other, now)


# Nodes


def datacenter(**changes: Any) -> tuple[Clock, Datacenter]:
    clock = Clock()
    return clock, Datacenter(
        clock, params(**{"gpus": 64, "placement": "consolidated", **changes}), SeededStreams(1), hour=1
    )


def test_added_nodes_are_used_in_the_same_instant() -> None:
    clock, center = datacenter()
    jobs = [center.submit("training", 16, 5.0) for _ in range(2)]
    clock.advance(1)
    assert [job.state for job in jobs] == ["running", "waiting"]
    center.add_nodes("training", 2)
    assert (center.capacity_of("training"), center.capacity, center.largest_gang("training")) == (32, 80, 32)
    clock.advance(1)
    assert jobs[1].started == 1 and center.params.gpus == 64
    large = center.submit("training", 32, 1.0)
    clock.advance(50)
    assert large.value.started == 6


def test_only_gangs_with_a_retired_node_move() -> None:
    clock, center = datacenter(inference_share=0.0, training_share=1.0)
    low, gang, high = (center.submit("training", gpus, 10.0) for gpus in (24, 24, 16))
    clock.advance(4)
    center.retire_nodes("training", 3)  # nodes 7, 6 and 5: the last gang, and one node of the second
    clock.advance(4)
    pool = center.pool("training")
    assert pool is not None and (pool.capacity, pool.free) == (40, 16)
    assert [job.state for job in (low, gang, high)] == ["running", "waiting", "waiting"] and low.started_at == 0
    assert [job.remaining for job in (gang, high)] == [6, 6]
    clock.advance(100)
    assert [job.value.ended for job in (low, gang, high)] == [10, 16, 16]
    assert all(job.value.preemptions == 0 and job.value.held == job.value.done for job in (low, gang, high))


def test_free_nodes_are_retired_first() -> None:
    for placement in ("flat", "consolidated"):
        clock, center = datacenter(placement=placement, partitioning="priority", inference_share=0.0)
        jobs = [center.submit("experiment", 8, 10.0) for _ in range(8)]
        clock.advance(1)
        center.cancel(jobs[2])
        center.retire_nodes(SHARED, 1)
        clock.advance(100)
        assert [job.value.started for job in jobs] == [0] * 8 and jobs[3].value.ended == 10
        assert center.capacity == 56


def test_flat_pool_retires_the_gpus_of_the_latest_job_of_the_lowest_priority() -> None:
    clock, center = datacenter(placement="flat", partitioning="priority", inference_share=0.0)
    training, first = center.submit("training", 20, 10.0), center.submit("experiment", 20, 10.0)
    clock.advance(1)
    latest = center.submit("experiment", 20, 10.0)
    clock.advance(2)
    center.retire_nodes(SHARED, 1)
    clock.advance(2)
    assert [job.state for job in (training, first, latest)] == ["running", "running", "waiting"]


def test_inference_gets_a_standing_job_for_each_new_node() -> None:
    clock, center = datacenter()
    recorder = NotificationRecorder()
    center.start_inference(recorder)
    clock.advance(1)
    center.add_nodes("inference", 2)
    clock.advance(2)
    assert (center.inference_gpus, center.inference_gpus_wanted) == (48, 48)
    center.retire_nodes("inference", 3)
    clock.advance(3)
    assert (center.inference_gpus, center.inference_gpus_wanted, center.capacity_of("inference")) == (24, 24, 24)
    assert [(at, what) for at, what, _ in recorder.notifications] == [
        *[(0, "started")] * 4,
        *[(1, "started")] * 2,
        *[(2, "stopped")] * 3,
    ]
    assert center.gpu_time("inference") == 32 + 48 + 24


def test_inference_of_a_shared_pool_follows_its_nodes() -> None:
    clock, center = datacenter(partitioning="priority")
    center.start_inference()
    center.add_nodes(SHARED, 1)
    clock.advance(1)
    assert (center.capacity, center.inference_gpus) == (72, 32)
    center.add_nodes("inference", 1)
    clock.advance(2)
    assert (center.capacity, center.inference_gpus) == (80, 40)
    center.retire_nodes("inference", 5)
    clock.advance(3)
    assert (center.capacity, center.inference_gpus) == (40, 0)
    with pytest.raises(ValueError, match="number = 1 is more than inference has; allowed: at most 0 whole nodes"):
        center.retire_nodes("inference", 1)
    center.add_nodes("inference", 1)
    center.retire_nodes(SHARED, 1)
    clock.advance(4)
    assert (center.capacity, center.inference_gpus) == (40, 8)


def test_pool_can_be_created_and_emptied_by_nodes() -> None:
    clock, center = datacenter(training_share=0.5)
    assert center.pool("experiment") is None and center.capacity_of("experiment") == 0
    center.add_nodes("background", 2, 2.0)
    job = center.submit("experiment", 16, 10.0)
    clock.advance(20)
    assert job.value.ended == 5 and list(center.pools) == ["inference", "training", "experiment"]
    center.retire_nodes("experiment", 2)
    with pytest.raises(ValueError, match="there are no GPUs for experiment"):
        center.submit("experiment", 1, 1.0)
    clock.advance(21)
    assert center.capacity == 64


def test_reconfigure_keeps_the_nodes_that_were_added() -> None:
    clock, center = datacenter()
    center.start_inference()
    center.add_nodes("training", 2, 2.0)
    center.add_nodes("inference", 1)
    center.retire_nodes("experiment", 1)
    job = center.submit("training", 16, 20.0)
    clock.advance(4)
    center.reconfigure(params(gpus=64, placement="consolidated", queue="easy", training_share=0.375))
    clock.advance(5)
    assert [center.capacity_of(use) for use in ("inference", "training", "experiment")] == [40, 40, 0]
    assert center.inference_gpus == 40
    clock.advance(20)
    assert job.value.ended == 10
    center.reconfigure(params(gpus=64, placement="consolidated", partitioning="priority"))
    clock.advance(21)
    assert (center.capacity, center.inference_gpus) == (80, 40)
    with pytest.raises(ValueError, match=r"the pool experiment would have -1 nodes of speed 1, because 1 were retired"):
        center.reconfigure(params(gpus=64, placement="consolidated", inference_share=0.5, training_share=0.5))


@pytest.mark.parametrize(
    ("call", "arguments", "problem"),
    [
        ("add_nodes", ("mining", 1), "no use 'mining' of the cluster"),
        ("add_nodes", (SHARED, 1), "no use 'shared' of the cluster"),
        ("add_nodes", ("training", 0), "number = 0 is too small for a change of nodes; allowed: 1 or more"),
        ("add_nodes", ("training", 1.5), "number = 1.5 is not a whole number"),
        ("add_nodes", ("training", 1, 0.0), "speed = 0.0 is not a speed of nodes; allowed: above 0 and finite"),
        ("add_nodes", ("training", 1, math.inf), "speed = inf is not a speed of nodes"),
        ("add_nodes", ("training", 1, math.nan), "speed = nan is not a speed of nodes"),
        ("retire_nodes", ("mining", 1), "no use 'mining' of the cluster"),
        ("retire_nodes", ("training", 0), "number = 0 is too small"),
        ("retire_nodes", ("training", 3), "number = 3 is more than there are; allowed: at most 2 whole nodes"),
        ("retire_nodes", ("training", 1, 2.0), "allowed: at most 0 whole nodes of speed 2"),
        ("retire_nodes", ("training", 1), "job 1 asks for 16 GPUs at once, and no more than 8 could be given"),
        ("retire_nodes", ("experiment", 2), "jobs for experiment wait, first job 2, and there would be no GPUs"),
        ("retire_nodes", ("inference", 5), "number = 5 is more than inference has; allowed: at most 4 whole nodes"),
    ],
)
def test_invalid_change_of_nodes_raises_and_changes_nothing(call: str, arguments: Any, problem: str) -> None:
    clock, center = datacenter()
    ComputeGate(center).hold("experiment")
    clock.advance(0)
    center.submit("training", 16, 10.0)
    center.submit_array("experiment", 40, TaskSource())
    clock.advance(1)
    with pytest.raises(ValueError, match=problem):
        getattr(center, call)(*arguments)
    clock.advance(2)
    assert center.capacity == 64 and center.gpus_in_use("training") == 16


def test_undone_calls_in_the_instant_of_an_end_let_the_gang_continue() -> None:
    """Tasks of an array on one gang leave one record; a dispatch between them would leave several."""
    clock, center = datacenter(placement="flat", partitioning="priority", preemption=False)
    gate, source = ComputeGate(center), TaskSource(gpus=64)

    def undo(_: Any) -> None:
        center.add_nodes(SHARED, 1)
        gate.hold("experiment", "preempt")
        center.retire_nodes(SHARED, 1)
        gate.resume("experiment")

    for hours in (0.25, 1.0, 1.25):
        clock.timeout(hours).callbacks.append(undo)
    center.submit_array("experiment", 5, source)
    clock.advance(100)
    assert source.over == 5 and len(center.records) == 1


# Speeds


def fast_cluster(speed: float, nodes: int = 1, **changes: Any) -> tuple[Clock, GpuCluster]:
    """Return a pool whose day-0 nodes are all retired, and ``nodes`` nodes of 8 GPUs of a speed."""
    clock, gpus = cluster(**{"gpus": 8, "placement": "consolidated", **changes})
    gpus.add_nodes(nodes, speed)
    gpus.retire_nodes(1, 1.0)
    clock.advance(0)
    return clock, gpus


@pytest.mark.parametrize("placement", ["flat", "consolidated"])
def test_length_is_work_at_speed_1(placement: str) -> None:
    for speed in (0.25, 1.0, 3.0):
        clock, gpus = fast_cluster(speed, placement=placement)
        job = gpus.submit(4, 6.0)
        clock.advance(100)
        record = job.value
        assert (record.ended, record.held, record.done) == (6 / speed, 4 * 6 / speed, 24)
        assert record.processed == record.requested_gpu_time == 24


def test_mixed_gang_runs_at_the_speed_of_its_slowest_node() -> None:
    clock, gpus = cluster(gpus=8, placement="consolidated")
    gpus.add_nodes(1, 4.0)
    mixed, fast = gpus.submit(16, 8.0), gpus.submit(8, 8.0)
    clock.advance(100)
    assert (mixed.value.ended, fast.value.ended) == (8, 10)


def test_progress_is_time_times_speed_across_moves() -> None:
    clock, gpus = cluster(gpus=8, placement="consolidated")
    gpus.add_nodes(1, 4.0)
    job = gpus.submit(8, 10.0)
    clock.advance(2)
    gpus.retire_nodes(1, 4.0)
    clock.advance(2)
    assert job.state == "running" and (job.remaining, job.speed, job.planned_end) == (2, 1, 4)
    clock.advance(10)
    assert (job.value.ended, job.value.held, job.value.done, job.value.processed) == (4, 32, 80, 80)


def test_job_that_leaves_fast_nodes_continues_at_speed_1_after_a_change_of_the_cluster() -> None:
    clock, gpus = cluster(gpus=8, placement="consolidated", restart_hours=0.0)
    gpus.add_nodes(1, 4.0)
    job = gpus.submit(8, 10.0)
    clock.advance(2)
    gpus.retire_nodes(1, 4.0)
    gpus.reconfigure(gpus.params.model_copy(update={"queue": "easy"}))
    clock.advance(3)
    gpus.submit(8, 5.0, priority=1)
    clock.advance(50)
    assert job.value.ended == 3 + 5 + 1


def test_failure_on_fast_nodes_loses_the_work_since_the_last_checkpoint() -> None:
    script = ScriptedStreams(3.25)
    clock, gpus = fast_cluster(2.0, streams=script, gpu_hours_between_failures=800.0, checkpoint_hours=2.0)
    job = gpus.submit(8, 10.0)
    clock.advance(100)
    record = job.value  # 6.5 hours of work in 3.25 hours, 6 of them saved; 1 hour of restart, 4 of work
    assert script.scales[0] == 100.0
    assert (record.lost, record.restarts, record.done) == (4, 8, 80)
    assert record.ended == 3.25 + (1 + 4) / 2 and record.held == 8 * record.ended


def test_preempted_job_on_fast_nodes_pays_its_restart_as_work() -> None:
    clock, gpus = fast_cluster(2.0)
    low = gpus.submit(8, 10.0)
    clock.advance(1)
    gpus.submit(8, 4.0, priority=1)
    clock.advance(100)
    assert low.value.ended == 1 + 2 + (1 + 8) / 2 and low.value.restarts == 8


def test_easy_backfill_counts_work_at_the_speed_of_the_nodes() -> None:
    ends = []
    for length in (8.0, 8.5):
        clock, gpus = cluster(gpus=8, queue="easy", preemption=False, placement="consolidated")
        gpus.add_nodes(1, 2.0)
        gpus.submit(4, 8.0)  # on the fast node until 4
        gpus.submit(8, 3.0)  # on the slow node until 3
        head = gpus.submit(16, 1.0)
        behind = gpus.submit(4, length)  # 8 hours of work end at 4 on the fast node
        clock.advance(100)
        ends.append((head.value.started, behind.value.started))
    assert ends == [(4, 0), (4, 5)]


def test_array_continues_on_its_gang_at_its_speed() -> None:
    source = TaskSource(gpus=8)
    clock, gpus = fast_cluster(2.0, queue="fcfs", preemption=False, placement="flat")
    gpus.submit_array(40, source)
    clock.advance(1000)
    assert source.over == 40 and len(gpus.records) == 1
    assert gpus.records[0].ended == gpus.records[0].length / 2
    assert sum(record.processed for record in gpus.records) == sum(record.requested_gpu_time for record in gpus.records)
    assert gpus.gpu_time("job") * 2 == sum(record.processed for record in gpus.records)
