"""Tests of arrivals at the instant of an end: each discipline compared with a slow scheduler."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from simpy import Environment

from hardware.cluster.cluster import GpuCluster, Job
from hardware.cluster.queues import QUEUES, QueueDiscipline
from hardware.job_logs.log import LoggedJob
from hardware.replay import replay
from sim.clock import Clock
from sim.runner import run
from sim.scenario.model import Scenario
from tests.oracles.scheduler import Request, first_starts
from tests.support.clusters import ScriptedStreams, cluster, params

LOGS = 1000
GPUS = 4


class Sorted(QueueDiscipline):
    """A discipline of a user: a list that is sorted after each change."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Job] = []

    def key(self, job: Job) -> tuple[float, ...]:
        raise NotImplementedError

    def push(self, job: Job) -> bool:
        self.jobs.append(job)
        self._sort()
        return self.head is job

    def remove(self, job: Job) -> None:
        self.jobs.remove(job)
        self._sort()

    def _sort(self) -> None:
        self.jobs.sort(key=self.key)
        self.head = self.jobs[0] if self.jobs else None

    def __len__(self) -> int:
        return len(self.jobs)

    def __iter__(self) -> Any:
        return iter(self.jobs)


class LongestFirst(Sorted):
    def key(self, job: Job) -> tuple[float, ...]:
        return (-job.remaining, job.number)


class LastInFirstOut(Sorted):
    def key(self, job: Job) -> tuple[float, ...]:
        return (-job.number,)


DISCIPLINES: dict[str, Callable[[], QueueDiscipline]] = {**QUEUES, "longest": LongestFirst, "lifo": LastInFirstOut}


def random_log(seed: int) -> list[Request]:
    """Up to 16 jobs in the order of arrival; all times are small whole numbers, so that ties are frequent."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 17))
    arrivals = sorted(rng.integers(0, 12, size).tolist())
    lengths, gpus, priorities = rng.integers(0, 6, size), rng.integers(1, GPUS + 1, size), rng.integers(0, 3, size)
    rows = zip(arrivals, lengths.tolist(), gpus.tolist(), priorities.tolist(), strict=True)
    return [Request(*row) for row in rows]


def test_random_logs_contain_arrivals_that_coincide_with_ends() -> None:
    ties = 0
    for seed in range(100):
        jobs = random_log(seed)
        ends = [at + job.length for at, job in zip(first_starts(jobs, GPUS, "fcfs"), jobs, strict=True) if job.length]
        ties += bool({job.arrival for job in jobs} & set(ends))
    assert ties > 60


@pytest.mark.parametrize("name", DISCIPLINES)
def test_replay_waits_equal_those_of_the_reference_scheduler(name: str) -> None:
    quiet = params(gpus=GPUS, queue=name if name in QUEUES else "fcfs")
    plugged = None if name in QUEUES else DISCIPLINES[name]
    for seed in range(LOGS):
        jobs = [job._replace(priority=0) for job in random_log(seed)]
        log = [LoggedJob(str(number), job.arrival, job.length, job.gpus) for number, job in enumerate(jobs)]
        starts = np.array(first_starts(jobs, GPUS, name))
        waits = replay(log, quiet, discipline=plugged).waits
        assert waits.tolist() == (starts - [job.arrival for job in jobs]).tolist(), f"log {seed}: {jobs}"


def starts_in_cluster(jobs: list[Request], name: str, zero_delays: int) -> list[float | None]:
    """Submit each job in an event; one or more delays of 0 put it behind the ends of its instant."""
    env = Environment()
    pool = GpuCluster(env, params(gpus=GPUS, preemption=False), hour=1, discipline=DISCIPLINES[name])
    submitted: dict[int, Job] = {}

    def arrive(number: int) -> Any:
        job = jobs[number]
        yield env.timeout(job.arrival)
        for _ in range(zero_delays):
            yield env.timeout(0)
        submitted[number] = pool.submit(job.gpus, job.length, priority=job.priority)

    for number in range(len(jobs)):
        env.process(arrive(number))
    env.run()
    return [submitted[number].started for number in range(len(jobs))]


@pytest.mark.parametrize("zero_delays", [0, 2])
@pytest.mark.parametrize("name", DISCIPLINES)
def test_cluster_starts_equal_the_reference_scheduler_for_any_event_order(name: str, zero_delays: int) -> None:
    for seed in range(LOGS // 2):
        jobs = random_log(seed)
        found = starts_in_cluster(jobs, name, zero_delays)
        assert found == first_starts(jobs, GPUS, name), f"log {seed}: {jobs}"


def test_sjf_starts_a_short_job_that_arrives_when_another_ends() -> None:
    """In this log job 3 once waited 100 s behind job 2."""
    log = [LoggedJob("1", 0, 10, 1), LoggedJob("2", 5, 100, 1), LoggedJob("3", 10, 1, 1)]
    assert replay(log, params(queue="sjf"), gpus=1).waits.tolist() == [0, 6, 0]


def test_sjf_starts_a_short_job_submitted_by_the_end_of_another() -> None:
    clock, pool = cluster(gpus=1, queue="sjf")
    first, long = pool.submit(1, 10), pool.submit(1, 100)
    later: list[Job] = []
    first.callbacks.append(lambda _: later.append(pool.submit(1, 1)))
    clock.advance(200)
    assert (later[0].started, long.started) == (10, 11)


@pytest.mark.parametrize("name", ["sjf", "longest", "fcfs"])
def test_interrupted_jobs_are_ordered_by_remaining_time(name: str) -> None:
    """Interruptions lie at 2^-k after an hour, so that no end of an earlier time coincides with one."""
    for seed in range(LOGS // 2):
        jobs = random_log(seed)
        interruptions = [1.5, 3.25, 4.125, 8.0625]
        clock = Clock()
        pool = GpuCluster(clock, params(gpus=GPUS, preemption=False), hour=1, discipline=DISCIPLINES[name])
        submitted = []
        for at, job in sorted([(job.arrival, job) for job in jobs] + [(at, None) for at in interruptions], key=_time):
            clock.timeout(at, job).callbacks.append(
                lambda event, pool=pool, submitted=submitted: _submit_or_interrupt(pool, event.value, submitted)
            )
        clock.run()
        assert [job.started for job in submitted] == first_starts(jobs, GPUS, name, interruptions), f"log {seed}"


def _time(row: tuple[float, Request | None]) -> float:
    return row[0]


def _submit_or_interrupt(pool: GpuCluster, job: Request | None, submitted: list[Job]) -> None:
    if job is not None:
        submitted.append(pool.submit(job.gpus, job.length, priority=job.priority))
        return
    other = 1.0 if pool.params.restart_hours != 1.0 else 2.0
    pool.reconfigure(pool.params.model_copy(update={"restart_hours": other}))


def test_sjf_starts_a_failed_job_before_one_longer_than_its_remaining_time() -> None:
    """10 hours, failed after 6, checkpoint each hour, 1 hour to restart: 5 remain, and the other job takes 7."""
    clock, pool = cluster(
        ScriptedStreams(6.0), gpus=1, queue="sjf", gpu_hours_between_failures=1.0, checkpoint_hours=1.0
    )
    failed, waiting = pool.submit(1, 10), pool.submit(1, 11)
    clock.advance(1)
    shorter_than_the_whole = pool.submit(1, 7)
    clock.advance(100)
    assert [record.ended for record in sorted(pool.records)] == [11, 29, 18]
    assert (failed.past.failures, shorter_than_the_whole.started, waiting.started) == (1, 11, 18)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["sjf", "fcfs"])
def test_world_experiments_start_as_in_the_reference_scheduler(name: str) -> None:
    """Whole papers: all researchers submit at the same instants, for gangs of different lengths."""
    result = run(
        Scenario().replace(
            researcher__initial=24,
            growth__calibrated_for=24,
            researcher__timing="whole",
            researcher__experiment_variation="lognormal",
            researcher__experiment_gpus=4,
            cluster__gpus=24,
            cluster__inference_share=0.5,
            cluster__training_share=0.25,
            cluster__placement="flat",
            cluster__queue=name,
            cluster__gpu_hours_between_failures=0.0,
            training__required=False,
            kernels__measurements="none",
            run__stop_at_researchers=0,
            run__max_doublings=1,
        )
    )
    records = sorted(job for job in result.jobs if job.use == "experiment")
    jobs = [Request(job.submitted, job.length, job.gpus) for job in records if job.started is not None]
    found = first_starts(jobs, 6, name)
    asked = [job.arrival for job in jobs]
    assert len(set(asked)) < len(asked) / 2
    assert sum(start > at for start, at in zip(found, asked, strict=True)) > len(asked) / 4
    assert found == [job.started for job in records if job.started is not None]


def test_easy_backfills_when_a_new_head_leaves_more_spare_gpus() -> None:
    """From hour 5 the head needs 3 of 4 GPUs at hour 10 and no longer 4: one GPU is spare for a long job."""
    clock, pool = cluster(gpus=4, queue="easy", preemption=False)
    pool.submit(3, 10)
    old_head, long = pool.submit(4, 1), pool.submit(1, 50)
    clock.advance(1)
    assert long.state == "waiting"
    clock.timeout(4).callbacks.append(lambda _: pool.submit(3, 1, priority=1))
    clock.advance(100)
    assert (long.started, old_head.started) == (5, 55)
