"""Tests of the gate that holds, caps and resumes the uses of a datacenter."""

from typing import Any

import pytest

from hardware.cluster.jobs import Job
from hardware.compute_gate import ComputeGate
from hardware.datacenter import Datacenter
from sim.clock import Clock
from tests.support.clusters import NotificationRecorder, ScriptedStreams, params
from tests.support.datacenter_trials import TaskSource


def gated(**changes: Any) -> tuple[Clock, Datacenter, ComputeGate]:
    """Return a datacenter of 16 GPUs that all uses share."""
    clock = Clock()
    streams = changes.pop("streams", None)
    center = Datacenter(clock, params(**{"gpus": 16, "partitioning": "priority", **changes}), streams, hour=1)
    return clock, center, ComputeGate(center)


def states(*jobs: Job) -> list[str]:
    return [job.state for job in jobs]


def test_held_jobs_wait_in_order_and_start_when_the_use_is_resumed(queue: str) -> None:
    clock, center, gate = gated(queue=queue, preemption=False)
    first = center.submit("experiment", 8, 4.0)
    clock.advance(1)
    gate.hold("experiment")
    jobs = [center.submit("experiment", 16, 2.0) for _ in range(3)]
    clock.advance(10)
    assert first.value.ended == 4 and states(*jobs) == ["waiting"] * 3
    pool = center.pool("experiment")
    assert (center.jobs_waiting("experiment"), pool is not None and pool.waiting) == (3, 3)
    gate.resume("experiment")
    clock.advance(100)
    assert [job.value.started for job in jobs] == [10, 12, 14]
    assert [job.value.waited for job in jobs] == [9, 11, 13]


@pytest.fixture(params=["fcfs", "priority", "sjf", "easy"])
def queue(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_held_use_blocks_no_other_use(queue: str) -> None:
    clock, center, gate = gated(queue=queue, preemption=False)
    gate.hold("training")
    training = center.submit("training", 16, 1.0)
    experiment = center.submit("experiment", 16, 2.0)
    clock.advance(5)
    assert training.state == "waiting" and experiment.value.ended == 2


def test_jobs_that_wait_in_the_queue_are_held_too(queue: str) -> None:
    clock, center, gate = gated(queue=queue, preemption=False)
    center.submit("training", 16, 4.0)
    clock.advance(0)
    training, experiment = center.submit("training", 8, 1.0), center.submit("experiment", 8, 9.0)
    clock.advance(1)
    gate.hold("training")
    clock.advance(6)
    assert experiment.started == 4 and training.started is None
    gate.resume("training")
    clock.advance(20)
    assert training.value.started == 6


def test_preempted_jobs_lose_no_work_and_restart() -> None:
    clock, center, gate = gated()
    recorder = NotificationRecorder()
    jobs = [center.submit("experiment", 8, 6.0, watcher=recorder) for _ in range(2)]
    clock.advance(2)
    gate.hold("experiment", running="preempt")
    clock.advance(5)
    assert states(*jobs) == ["waiting"] * 2 and center.gpus_in_use("experiment") == 0
    gate.resume("experiment")
    clock.advance(50)
    for job in jobs:
        record = job.value
        assert (record.ended, record.preemptions, record.lost, record.restarts, record.done) == (10, 1, 0, 8, 48)
    assert [(at, what) for at, what, _ in recorder.notifications] == [
        *[(0, "started")] * 2,
        *[(2, "stopped")] * 2,
        *[(5, "started")] * 2,
    ]


def test_cap_counts_all_jobs_that_have_passed() -> None:
    clock, center, gate = gated()
    gate.cap("experiment", 6)
    jobs = [center.submit("experiment", gpus, 3.0) for gpus in (4, 8, 4, 2)]
    clock.advance(1)
    assert states(*jobs) == ["running", "waiting", "waiting", "waiting"]  # the second is too large, the third the next
    clock.advance(4)
    assert [job.started for job in jobs] == [0, None, 3, 3] and center.gpus_in_use("experiment") == 6
    gate.resume("experiment")
    clock.advance(50)
    assert jobs[1].value.started == 4


def test_lower_cap_preempts_the_latest_jobs_only_if_asked() -> None:
    for running, expected in (("continue", ["running"] * 4), ("preempt", ["running", "running", "waiting", "waiting"])):
        clock, center, gate = gated()
        jobs = [center.submit("experiment", 4, 10.0) for _ in range(4)]
        clock.advance(1)
        gate.cap("experiment", 8, running)  # type: ignore[arg-type]  # one of the two values
        clock.advance(2)
        assert states(*jobs) == expected
        clock.advance(100)
        assert {job.value.outcome for job in jobs} == {"done"}


def test_failed_job_of_a_held_use_continues_if_running_jobs_do() -> None:
    clock, center, gate = gated(streams=ScriptedStreams(2.0), gpu_hours_between_failures=100.0)
    job = center.submit("experiment", 8, 4.0)
    clock.advance(1)
    gate.hold("experiment")
    clock.advance(50)
    assert job.value.failures == 1 and job.value.ended == 2 + 1 + 2


def test_held_jobs_can_be_cancelled() -> None:
    clock, center, gate = gated()
    gate.cap("experiment", 4)
    jobs = [center.submit("experiment", gpus, 5.0) for gpus in (4, 4, 8, 4)]
    clock.advance(1)
    assert center.cancel(jobs[1]) and center.cancel(jobs[2])
    clock.advance(2)
    for job in jobs[1:3]:
        assert (job.value.outcome, job.value.started, job.value.ended, job.value.held) == ("cancelled", None, 1, 0)
    assert center.jobs_waiting("experiment") == 1
    assert center.cancel(jobs[0])
    clock.advance(3)
    assert states(*jobs) == ["over", "over", "over", "running"]


def test_job_arrays_keep_their_counts_until_the_cap_has_room(queue: str) -> None:
    clock, center, gate = gated(queue=queue, preemption=False)
    source = TaskSource()
    gate.hold("experiment")
    clock.advance(1)
    center.submit_array("experiment", 1000, source)
    clock.advance(2)
    assert (center.jobs_waiting("experiment"), source.drawn) == (1000, 0)
    gate.cap("experiment", 3)
    clock.advance(2)
    assert 0 < source.drawn <= 4 and source.largest_offer == 3
    assert source.over + center.jobs_waiting("experiment") + center.gpus_in_use("experiment") >= 1000
    gate.resume("experiment")
    clock.advance(5000)
    assert (source.over, source.drawn) == (1000, 1000) and source.largest_offer == 16


def test_array_that_waits_in_the_queue_is_held_too() -> None:
    clock, center, gate = gated(queue="fcfs", preemption=False)
    source = TaskSource()
    center.submit_array("experiment", 100, source)
    clock.advance(1)
    gate.hold("experiment")
    clock.advance(10)
    drawn = source.drawn
    clock.advance(20)
    assert source.drawn == drawn < 100 and center.gpus_in_use("experiment") == 0
    assert center.jobs_waiting("experiment") == 100 - source.over
    gate.resume("experiment")
    clock.advance(500)
    assert source.over == 100


def test_last_order_of_an_instant_counts() -> None:
    clock, center, gate = gated()
    job = center.submit("experiment", 8, 4.0)
    clock.advance(1)
    gate.hold("experiment", "preempt")
    gate.cap("experiment", 8)
    assert gate.limit("experiment") == 8
    clock.advance(50)
    assert (job.value.ended, job.value.preemptions) == (4, 0)


def test_order_for_a_use_without_a_pool_counts_when_it_gets_one() -> None:
    clock, center, gate = gated(
        partitioning="static", inference_share=0.5, training_share=0.5, placement="consolidated"
    )
    gate.hold("experiment")
    center.add_nodes("experiment", 1)
    job = center.submit("experiment", 8, 1.0)
    clock.advance(3)
    assert job.state == "waiting"
    center.reconfigure(params(gpus=16, partitioning="priority", placement="consolidated"))
    clock.advance(6)
    assert job.state == "waiting" and gate.limit("experiment") == 0
    gate.resume("experiment")
    clock.advance(8)
    assert job.value.started == 6


def test_inference_can_be_held() -> None:
    clock, center, gate = gated()
    recorder = NotificationRecorder()
    center.start_inference(recorder)
    clock.advance(1)
    gate.hold("inference", "preempt")
    clock.advance(2)
    assert (center.inference_gpus, center.inference_gpus_wanted) == (0, 8)
    center.add_nodes("inference", 1)
    gate.cap("inference", 8)
    clock.advance(3)
    assert (center.inference_gpus, center.inference_gpus_wanted) == (8, 16)
    gate.resume("inference")
    clock.advance(4)
    assert center.inference_gpus == 16


@pytest.mark.parametrize(
    ("call", "arguments", "problem"),
    [
        ("hold", ("mining",), "no use 'mining' of the cluster"),
        ("resume", ("mining",), "no use 'mining' of the cluster"),
        ("cap", ("mining", 1), "no use 'mining' of the cluster"),
        ("limit", ("mining",), "no use 'mining' of the cluster"),
        ("cap", ("training", -1), "gpus = -1 is not a cap; allowed: 0 or more GPUs. 0 holds the use"),
        ("cap", ("training", 1.5), "gpus = 1.5 is not a whole number"),
        ("hold", ("training", "kill"), "running = 'kill' is unknown; allowed: continue, preempt. Choose one of them"),
    ],
)
def test_invalid_order_raises_and_changes_nothing(call: str, arguments: Any, problem: str) -> None:
    clock, center, gate = gated()
    job = center.submit("training", 8, 2.0)
    with pytest.raises(ValueError, match=problem):
        getattr(gate, call)(*arguments)
    clock.advance(5)
    assert job.value.ended == 2 and gate.limit("training") is None
