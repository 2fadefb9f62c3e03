"""Tests of one pool, event by event. The clock counts hours."""

import math
import pickle
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
from simpy import Environment, Event

from hardware.cluster.cluster import GpuCluster, Job, JobRecord
from tests.support.clusters import NotificationRecorder, ScriptedStreams, cluster, params


def started(records: list[JobRecord]) -> dict[int, float | None]:
    return {record.job: record.started for record in records}


def test_process_that_yields_a_job_receives_its_record() -> None:
    env = Environment()
    gpus = GpuCluster(env, params(gpus=4), hour=1)
    seen: list[JobRecord] = []

    def researcher() -> Generator[Event, Any, None]:
        yield env.timeout(1)
        seen.append((yield gpus.submit(3, 2.5, owner=7, use="experiment", priority=2)))
        assert env.now == 3.5

    env.process(researcher())
    env.run()
    assert seen == [
        JobRecord(1, 7, "experiment", 2, 3, 2.5, 1, 1, 3.5, "done", 0, 0, 7.5, 7.5, 0.0, 0.0, 1, 0.0),
    ]
    assert gpus.records == seen


def test_environment_run_until_a_job_calls_its_other_callbacks() -> None:
    env = Environment()
    gpus = GpuCluster(env, params(gpus=1), hour=1)
    first, second = gpus.submit(1, 2), gpus.submit(1, 3)
    after: list[float] = []
    record = env.run(until=first)
    assert isinstance(record, JobRecord)
    assert (record.job, env.now) == (1, 2)

    third, heard = gpus.submit(1, 1), after.append
    third.callbacks.append(lambda _: heard(-env.now))
    waiter = env.process(_until(env, third, after))
    assert env.run(until=third) == third.value
    env.run()
    assert waiter.processed and after == [-6, 6]
    assert second.value.started == 2  # the queue was not forgotten when the run stopped


def _until(env: Environment, job: Job, after: list[float]) -> Generator[Event, Any, None]:
    yield job
    after.append(env.now)


def test_all_of_accepts_jobs() -> None:
    env = Environment()
    gpus = GpuCluster(env, params(gpus=1), hour=1)
    env.run(until=env.all_of([gpus.submit(1, 2), gpus.submit(1, 3)]))
    assert env.now == 5


def test_job_of_zero_length_ends_in_the_instant_of_its_start() -> None:
    clock, gpus = cluster(gpus=1)
    job, other = gpus.submit(1, 0), gpus.submit(1, 1)
    clock.advance(0)
    assert job.value.ended == 0 and job.value.held == 0 and job.value.outcome == "done"
    assert other.state == "running" and other.started == 0


def test_job_of_infinite_length_ends_only_by_cancel() -> None:
    script = ScriptedStreams(0.5)
    clock, gpus = cluster(script, gpu_hours_between_failures=1.0)
    job = gpus.submit(8, math.inf)
    clock.advance(1000)
    assert job.state == "running" and not script.requests
    assert gpus.cancel(job)
    clock.advance(1001)
    assert job.value.outcome == "cancelled"
    assert (job.value.held, job.value.done, job.value.undone_gpu_time) == (8000, 8000, math.inf)


@pytest.mark.parametrize(
    ("gpus", "length", "words"),
    [
        (0, 1.0, "at least one GPU, not 0"),
        (-1, 1.0, "at least one GPU, not -1"),
        (1, -1.0, "length of a job cannot be -1"),
        (1, math.nan, "length of a job cannot be nan"),
        (21, 1.0, "a job of 21 GPUs cannot start: at most 20 GPUs"),
    ],
)
def test_submit_of_an_impossible_job_raises(gpus: int, length: float, words: str) -> None:
    _, pool = cluster(gpus=20)
    with pytest.raises(ValueError, match=words):
        pool.submit(gpus, length)
    assert pool.waiting == 0


def test_submit_of_a_gang_larger_than_the_whole_nodes_raises() -> None:
    _, pool = cluster(gpus=20, placement="consolidated")
    with pytest.raises(ValueError, match=r"a job of 17 GPUs cannot start: at most 16 GPUs .* whole nodes of 8"):
        pool.submit(17, 1)
    assert pool.submit(16, 1)


def test_cluster_with_failures_and_without_streams_raises() -> None:
    with pytest.raises(ValueError, match="give streams"):
        cluster(gpu_hours_between_failures=1.0)


def test_cluster_dispatches_once_after_all_events_of_an_instant() -> None:
    clock, gpus = cluster(gpus=1, queue="priority")
    low = gpus.submit(1, 1, priority=0)
    clock.timeout(0).callbacks.append(lambda _: gpus.submit(1, 1, priority=5))
    clock.advance(0)
    assert low.state == "waiting" and low.started is None  # nor did it start and get pushed out
    clock.advance(5)
    assert started(gpus.records) == {2: 0, 1: 1}


def test_cluster_releases_gpus_in_the_event_that_ends_a_job() -> None:
    clock, gpus = cluster(gpus=2)
    seen: list[tuple[int, int]] = []
    job = gpus.submit(2, 1)
    gpus.submit(1, 1)
    job.callbacks.append(lambda _: seen.append((gpus.in_use, gpus.waiting)))
    clock.advance(1)
    assert seen == [(0, 1)]
    assert (gpus.in_use, gpus.waiting, gpus.running) == (1, 0, 1)


def test_job_submitted_at_the_end_of_another_is_dispatched_by_priority() -> None:
    clock, gpus = cluster(gpus=1, queue="priority")
    gpus.submit(1, 1).callbacks.append(lambda _: gpus.submit(1, 1, priority=3))
    gpus.submit(1, 1)
    clock.advance(9)
    assert started(gpus.records) == {1: 0, 3: 1, 2: 2}


def test_cancel_in_each_job_state_has_the_expected_record() -> None:
    clock, gpus = cluster(gpus=4)
    running, head, behind = gpus.submit(3, 10), gpus.submit(4, 1), gpus.submit(1, 5)
    clock.advance(2)
    assert gpus.cancel(head)
    clock.advance(3)
    assert head.value == JobRecord(2, 0, "job", 0, 4, 1, 0, None, 2, "cancelled", 0, 0, 0, 0, 0, 0, 1, 0.0)
    assert behind.started == 2  # it had only the head before it
    assert gpus.cancel(running) and gpus.in_use == 1
    clock.advance(20)
    assert (running.value.held, running.value.done, running.value.undone_gpu_time) == (9, 9, 21)
    assert not gpus.cancel(running) and not gpus.cancel(behind)
    assert [record.job for record in gpus.records] == [2, 1, 3]


def test_preemption_saves_a_checkpoint_and_costs_a_restart() -> None:
    clock, gpus = cluster(gpus=2, restart_hours=0.5)
    recorder = NotificationRecorder()
    low = gpus.submit(2, 4, watcher=recorder)
    clock.advance(3)
    high = gpus.submit(1, 1, priority=1)
    clock.advance(100)
    assert high.value.started == 3
    record = low.value
    assert record.ended == 4 + 0.5 + 1  # one hour of waiting, the restart, the hour that was left
    assert (record.preemptions, record.started) == (1, 0)
    assert (record.held, record.done, record.restarts, record.lost) == (9, 8, 1, 0)
    assert recorder.notifications == [(0, "started", 1), (3, "stopped", 1), (4, "started", 1)]


def test_interrupted_restart_is_repeated() -> None:
    clock, gpus = cluster(gpus=1, restart_hours=1.0)
    low = gpus.submit(1, 4)
    for hour in (2.0, 3.5):
        clock.advance(hour)
        gpus.submit(1, 1, priority=1)
    clock.advance(100)
    # runs 0-2, away 2-3, restarts 3-3.5, away 3.5-4.5, restarts 4.5-5.5, runs 5.5-7.5
    assert low.value.ended == 7.5
    assert (low.value.preemptions, low.value.restarts, low.value.done, low.value.held) == (2, 1.5, 4, 5.5)


def test_preemption_chooses_the_lowest_priority_then_the_latest_jobs() -> None:
    clock, gpus = cluster(gpus=8, restart_hours=0.0, queue="priority")
    oldest = gpus.submit(2, 50, priority=0)
    middle = gpus.submit(2, 50, priority=1)
    clock.advance(1)
    latest = gpus.submit(2, 50, priority=0)
    small = gpus.submit(1, 50, priority=0)
    clock.advance(2)
    gpus.submit(2, 50, priority=2)
    clock.advance(3)
    # One GPU was free: the last small one would do for one more, and no more than that is taken.
    assert [job.state for job in (oldest, middle, latest, small)] == ["running", "running", "running", "waiting"]
    gpus.submit(3, 50, priority=2)
    clock.advance(4)
    # Two of the three are missing after `latest`, so the oldest goes too: priority 1 stays.
    assert [job.state for job in (oldest, middle, latest, small)] == ["waiting", "running", "waiting", "waiting"]


def test_preemption_spares_unneeded_jobs_longest_running_first() -> None:
    clock, gpus = cluster(gpus=6, queue="priority")
    jobs = []
    for size in (3, 2, 1):
        jobs.append(gpus.submit(size, 50))
        clock.advance(clock.now + 1)
    gpus.submit(4, 50, priority=1)
    clock.advance(9)
    # 1 + 2 + 3 is the first that suffices; of these 2 can stay, and then 1 cannot.
    assert [job.value.preemptions if job.triggered else job.state for job in jobs] == ["waiting", "running", "waiting"]


def test_preemption_without_enough_gpus_or_lower_priority_does_nothing() -> None:
    clock, gpus = cluster(gpus=4)
    high, low = gpus.submit(2, 10, priority=1), gpus.submit(2, 10, priority=0)
    clock.advance(1)
    blocked, equal = gpus.submit(3, 1, priority=1), gpus.submit(1, 1, priority=0)
    clock.advance(2)
    assert [job.state for job in (high, low, blocked, equal)] == ["running", "running", "waiting", "waiting"]


def test_preemption_disabled_leaves_running_jobs() -> None:
    clock, gpus = cluster(gpus=1, preemption=False)
    gpus.submit(1, 5)
    clock.advance(1)
    assert gpus.submit(1, 1, priority=9).started is None
    clock.advance(9)
    assert started(gpus.records) == {1: 0, 2: 5}


def test_preemption_with_consolidation_frees_whole_nodes() -> None:
    clock, gpus = cluster(gpus=16, placement="consolidated", restart_hours=0.0)
    first = [gpus.submit(4, 50), gpus.submit(4, 50)]
    clock.advance(1)
    second = [gpus.submit(4, 50), gpus.submit(4, 50)]
    clock.advance(2)
    gpus.submit(8, 1, priority=1)
    clock.advance(2.5)
    assert [job.state for job in first + second] == ["running", "running", "waiting", "waiting"]


def test_checkpoints_cost_time_except_after_the_last_interval() -> None:
    changes = {"gpus": 1, "gpu_hours_between_failures": 1e6, "checkpoint_hours": 4.0, "checkpoint_seconds": 360.0}
    clock, gpus = cluster(ScriptedStreams(1e9, 1e9), **changes)
    job = gpus.submit(1, 10.0)
    clock.run()
    assert job.value.ended == pytest.approx(10.2), "checkpoints after 4 and 8 hours of work"
    exact = gpus.submit(1, 8.0)
    clock.run()
    assert exact.value.held == pytest.approx(8.1), "one checkpoint after 4 hours"


def test_checkpoint_interval_default_equals_youngs_formula() -> None:
    """sqrt(2 · 0.1 h · 80 GPU-hours / 4 GPUs) = 2 hours: a failure after 3 hours keeps 2 hours of work."""
    changes = {"gpus": 4, "gpu_hours_between_failures": 80.0, "checkpoint_hours": 0.0, "checkpoint_seconds": 360.0}
    clock, gpus = cluster(ScriptedStreams(3.0, 1e9), **changes, restart_hours=0.0)
    job = gpus.submit(4, 5.0)
    clock.run()
    assert job.value.lost / 4 == pytest.approx(3.0 - 2.1)
    assert job.value.ended == pytest.approx(5.0 + 2 * 0.1 + 0.9)


def test_failure_loses_the_work_since_the_last_checkpoint() -> None:
    script = ScriptedStreams(3.75, 1.75)
    clock, gpus = cluster(script, gpus=2, gpu_hours_between_failures=100.0, restart_hours=0.5, checkpoint_hours=1.5)
    recorder = NotificationRecorder()
    job = gpus.submit(2, 10, owner=42, watcher=recorder)
    clock.advance(100)
    # 3.75 h of work, 3 of them safe; then 0.5 restart and 1.25 work, none safe; then 0.5 restart and 7 work.
    assert job.value.ended == 3.75 + 1.75 + 0.5 + 7
    assert (job.value.failures, job.value.preemptions) == (2, 0)
    assert (job.value.done, job.value.restarts, job.value.lost) == (20, 2, 4)
    assert job.value.held == 26
    assert script.requests == [("gpu failure", 42)] * 3
    assert script.scales == [50.0] * 3  # a gang of two fails twice as often
    assert [notified[1] for notified in recorder.notifications] == [
        "started",
        "stopped",
        "started",
        "stopped",
        "started",
    ]


def test_failure_during_a_restart_loses_no_work() -> None:
    clock, gpus = cluster(ScriptedStreams(2.5, 0.25), gpus=1, gpu_hours_between_failures=9.0, restart_hours=0.5)
    job = gpus.submit(1, 4)
    clock.advance(100)
    assert job.value.ended == 2.5 + 0.25 + 0.5 + 2
    assert (job.value.lost, job.value.restarts) == (0.5, 0.75)


def test_failed_gang_keeps_its_queue_position() -> None:
    clock, gpus = cluster(ScriptedStreams(1.0), gpus=1, gpu_hours_between_failures=9.0, restart_hours=0.0)
    gpus.submit(1, 2)
    gpus.submit(1, 2)
    clock.advance(100)
    assert [record.job for record in gpus.records] == [1, 2]


def test_preemption_counts_as_a_checkpoint() -> None:
    script = ScriptedStreams(math.inf, math.inf, 0.75)
    clock, gpus = cluster(script, gpus=1, gpu_hours_between_failures=9.0, restart_hours=0.0, checkpoint_hours=1.0)
    low = gpus.submit(1, 4)
    clock.advance(1.5)
    gpus.submit(1, 1, priority=1)
    clock.advance(100)
    assert low.value.lost == 0.75  # not the half hour before the eviction
    assert low.value.ended == 1.5 + 1 + 0.75 + 2.5


def test_gpu_time_includes_running_jobs() -> None:
    clock, gpus = cluster(gpus=8)
    gpus.submit(2, 2, use="training")
    gpus.submit(3, 10, use="experiment")
    gpus.submit(8, 1, use="training")
    clock.advance(4)
    assert (gpus.gpu_time("training"), gpus.gpu_time("experiment"), gpus.gpu_time("else")) == (4, 12, 0)
    assert (gpus.gpus_in_use("training"), gpus.gpus_in_use("experiment")) == (0, 3)
    assert (gpus.jobs_waiting("training"), gpus.jobs_waiting("experiment")) == (1, 0)


def test_listener_may_submit_and_cancel_while_it_is_notified() -> None:
    clock, gpus = cluster(gpus=2)

    notified: list[int] = []

    class InterferingListener:
        def job_started(self, job: Job) -> None:
            notified.append(job.number)
            if job.number == 1:
                gpus.cancel(other)
                gpus.submit(1, 1)

        def job_stopped(self, job: Job) -> None:
            raise AssertionError("nobody was stopped")

    meddler = InterferingListener()
    gpus.submit(1, 1, watcher=meddler)
    other = gpus.submit(1, 1, watcher=meddler)
    clock.advance(5)
    assert [(record.job, record.outcome) for record in gpus.records] == [(2, "cancelled"), (1, "done"), (3, "done")]
    assert notified == [1]


def test_reconfigure_moves_jobs_without_loss() -> None:
    clock, gpus = cluster(gpus=8, restart_hours=1.0)
    recorder = NotificationRecorder()
    jobs = [gpus.submit(4, 10, watcher=recorder) for _ in range(3)]
    clock.advance(4)
    gpus.reconfigure(params(gpus=4, restart_hours=1.0))
    clock.advance(4)
    assert [job.state for job in jobs] == ["running", "waiting", "waiting"]
    assert gpus.capacity == 4 and gpus.in_use == 4
    clock.advance(5)
    gpus.reconfigure(params(gpus=16, placement="consolidated", queue="easy", restart_hours=1.0))
    clock.advance(100)
    assert [job.value.ended for job in jobs] == [10, 11, 15]
    assert [job.value.restarts + job.value.lost for job in jobs] == [0, 0, 0]
    assert [job.value.preemptions for job in jobs] == [0, 0, 0]
    assert (4, "stopped", 2) in recorder.notifications and (5, "started", 2) in recorder.notifications


def test_reconfigure_during_a_restart_continues_it() -> None:
    clock, gpus = cluster(gpus=1, restart_hours=1.0)
    low = gpus.submit(1, 4)
    clock.advance(2)
    gpus.submit(1, 1, priority=1)
    clock.advance(3.25)
    gpus.reconfigure(params(gpus=2, restart_hours=1.0))
    clock.advance(50)
    assert (low.value.ended, low.value.restarts) == (6, 1)


def test_reconfigure_with_invalid_params_raises_and_changes_nothing() -> None:
    clock, gpus = cluster(gpus=8)
    jobs = [gpus.submit(8, 10), gpus.submit(6, 1)]
    clock.advance(1)
    with pytest.raises(ValueError, match="job 1 asks for 8 GPUs at once, and no more than 7"):
        gpus.reconfigure(params(gpus=7))
    with pytest.raises(ValueError, match="give streams"):
        gpus.reconfigure(params(gpu_hours_between_failures=5.0))
    assert (gpus.capacity, gpus.in_use, jobs[0].started_at) == (8, 8, 0)


def test_reconfigure_without_a_change_has_no_effect() -> None:
    clock, gpus = cluster(gpus=8)
    recorder = NotificationRecorder()
    gpus.submit(8, 10, watcher=recorder)
    clock.advance(1)
    gpus.reconfigure(params(gpus=8))
    clock.advance(2)
    assert recorder.notifications == [(0, "started", 1)]


def test_cluster_unpickled_with_its_clock_continues_identically() -> None:
    clock, gpus = cluster(ScriptedStreams(2.0), gpus=4, gpu_hours_between_failures=9.0, queue="easy", restart_hours=0.5)
    recorder = NotificationRecorder()
    for number in range(9):
        gpus.submit(1 + number % 4, 3, priority=number % 2, watcher=recorder)
    clock.advance(2)
    saved = pickle.dumps((clock, gpus, recorder))
    clock.advance(50)
    again, copy, its_diary = pickle.loads(saved)
    again.advance(50)
    assert copy.records == gpus.records and len(copy.records) == 9
    assert its_diary.notifications == recorder.notifications


def test_cancel_of_a_running_job_ends_the_clock_run_at_the_cancel() -> None:
    env = Environment()
    gpus = GpuCluster(env, params(gpus=8), hour=1)
    job = gpus.submit(8, 1000.0)
    env.timeout(3).callbacks.append(lambda _: gpus.cancel(job))
    env.run()
    assert env.now == 3


def test_cancel_of_a_preempted_job_ends_the_clock_run_with_the_last_job() -> None:
    env = Environment()
    gpus = GpuCluster(env, params(gpus=8, queue="priority"), hour=1)
    low = gpus.submit(8, 1000.0)
    env.timeout(1).callbacks.append(lambda _: gpus.submit(8, 10, priority=1))
    env.timeout(2).callbacks.append(lambda _: gpus.cancel(low))
    env.run()
    assert (env.now, low.value.held) == (11, 8)


@pytest.mark.parametrize("gpus", [2.5, math.nan, math.inf, "2", None])
def test_submit_with_fractional_gpus_raises(gpus: Any) -> None:
    _, pool = cluster()
    with pytest.raises(ValueError, match=r"gpus = .* is not a whole number; allowed: 1, 2, 3 and so on"):
        pool.submit(gpus, 1.0)
    with pytest.raises(ValueError, match="is not a whole number"):
        pool.submit_array(gpus, NotificationRecorder())  # type: ignore[arg-type]


def test_submit_with_whole_gpus_of_any_type_is_accepted() -> None:
    clock, pool = cluster()
    jobs = [pool.submit(gpus, 1.0) for gpus in (2.0, np.int64(2), np.float64(2))]  # type: ignore[arg-type]
    clock.run()
    assert [(type(job.value.gpus), job.value.gpus) for job in jobs] == [(int, 2)] * 3


def test_submit_with_an_expected_length_affects_order_but_not_duration() -> None:
    env = Environment()
    gpus = GpuCluster(env, params(gpus=1, queue="sjf"), hour=1)
    long, short = gpus.submit(1, 9, expected=1.0), gpus.submit(1, 2, expected=3.0)
    env.run()
    assert [(job.value.started, job.value.ended) for job in (long, short)] == [(0, 9), (9, 11)]
