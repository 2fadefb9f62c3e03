"""Tests of the queue disciplines against a slow reference, and of the reservations of EASY backfill."""

import gc
import math
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simpy import Event

from hardware.cluster.cluster import GpuCluster, Job
from hardware.cluster.first_fit import UNBOUNDED, FirstFitIndex
from hardware.cluster.jobs import JobClass, nodes_of
from hardware.cluster.queues import QUEUES, max_work_before
from sim.clock import Clock
from tests.support.clusters import cluster
from tests.support.properties import examples

Request = tuple[int, int, int, int]
"""Submission time, length, GPUs, priority: whole numbers, so that all times are exact and ties are frequent."""


def burst(seed: int) -> list[Request]:
    """Many jobs at once, some of them long: longer queues than random workloads have."""
    rng = np.random.default_rng(seed)
    columns = (
        rng.integers(0, 25, 40),
        rng.choice([0, 1, 2, 5, 9, 14], 40),
        rng.integers(1, 9, 40),
        rng.integers(0, 3, 40),
    )
    return list(zip(*(column.tolist() for column in columns), strict=True))


REQUEST = st.tuples(st.integers(0, 12), st.integers(0, 9), st.integers(1, 8), st.integers(0, 2))
REQUESTS = st.one_of(st.lists(REQUEST, max_size=25), st.integers(0, 10_000).map(burst))
SETTINGS = examples(250)


class Load:
    """Submits jobs at their times."""

    def __init__(self, requests: list[Request], **changes: Any) -> None:
        self.clock: Clock
        self.gpus: GpuCluster
        self.clock, self.gpus = cluster(**changes)
        self.requests = sorted(requests)
        self.jobs: list[Job] = []
        for ask in self.requests:
            self.clock.timeout(ask[0], ask).callbacks.append(self.submit)

    def submit(self, arrival: Event) -> None:
        _, length, gpus, priority = arrival.value
        self.jobs.append(self.gpus.submit(gpus, length, priority=priority))

    def starts(self) -> list[float | None]:
        self.clock.run()
        assert self.gpus.in_use == self.gpus.waiting == self.gpus.running == 0
        return [job.started for job in self.jobs]


def order(queue: str, ask: Request, number: int) -> tuple[int, int]:
    _, length, _, priority = ask
    return {"fcfs": 0, "priority": -priority, "easy": -priority, "sjf": length}[queue], number


def reference(requests: list[Request], gpus: int, queue: str) -> list[float]:
    """Return the starts on a flat pool: sort all jobs again in each hour; easy as in the textbook."""
    starts: dict[int, float] = {}
    hour = 0
    while len(starts) < len(requests):
        again = True
        while again:  # a job of no length may let others start in the same hour
            ends = {number: start + requests[number][1] for number, start in starts.items()}
            free = gpus - sum(requests[number][2] for number, end in ends.items() if end > hour)
            waiting = [n for n, ask in enumerate(requests) if ask[0] <= hour and n not in starts]
            waiting.sort(key=lambda n: order(queue, requests[n], n))
            now = _startable(waiting, requests, {n: end for n, end in ends.items() if end > hour}, free, hour, queue)
            starts.update(dict.fromkeys(now, hour))
            again = any(requests[number][1] == 0 for number in now)
        hour += 1
    return [starts[number] for number in range(len(requests))]


def _startable(
    waiting: list[int], requests: list[Request], ends: dict[int, float], free: int, hour: int, queue: str
) -> list[int]:
    now: list[int] = []
    shadow, spare = math.inf, 0
    head: int | None = None
    for number in waiting:
        _, length, need, _ = requests[number]
        if head is None and need <= free:
            ends[number] = hour + length
        elif head is None:
            if queue != "easy":
                return now
            head, later = number, free
            for shadow in sorted(set(ends.values())):
                later += sum(requests[n][2] for n, end in ends.items() if end == shadow)
                if later >= need:
                    break
            spare = later - need
            continue
        elif need <= free and (hour + length <= shadow or need <= spare):
            spare -= need if hour + length > shadow else 0
        else:
            continue
        free -= need
        now.append(number)
    return now


@SETTINGS
@given(requests=REQUESTS, queue=st.sampled_from(sorted(QUEUES)))
def test_queue_starts_equal_those_of_the_reference_scheduler(requests: list[Request], queue: str) -> None:
    load = Load(requests, gpus=8, queue=queue, preemption=False)
    assert load.starts() == reference(load.requests, 8, queue)


def test_easy_backfills_jobs_that_end_before_the_head_starts(placement: str) -> None:
    clock, gpus = cluster(gpus=8, queue="easy", placement=placement)
    gpus.submit(6, 10)
    head = gpus.submit(8, 5)
    too_long, short, too_large = gpus.submit(1, 11), gpus.submit(2, 10), gpus.submit(3, 1)
    clock.advance(50)
    assert (head.started, short.started) == (10, 0)
    assert (too_long.started, too_large.started) == (15, 15)


def test_easy_backfills_a_long_job_on_gpus_the_head_does_not_need(placement: str) -> None:
    clock, gpus = cluster(gpus=16, queue="easy", placement=placement)
    gpus.submit(8, 10)
    gpus.submit(4, 20)
    head = gpus.submit(8, 5)  # at 10, on the node that the first one leaves
    long = gpus.submit(4, 100)
    clock.advance(200)
    assert (head.started, long.started) == (10, 0)


def test_easy_backfilled_short_job_does_not_use_spare_gpus() -> None:
    clock, gpus = cluster(gpus=8, queue="easy")
    gpus.submit(4, 10)
    gpus.submit(2, 20)
    head = gpus.submit(5, 5)  # at 10, when one GPU more will be free
    in_time, long = gpus.submit(1, 10), gpus.submit(1, 100)
    clock.advance(200)
    assert (head.started, in_time.started, long.started) == (10, 0, 0)


def test_easy_reservation_considers_nodes() -> None:
    clock, gpus = cluster(gpus=16, queue="easy", placement="consolidated")
    gpus.submit(6, 10)
    gpus.submit(6, 20)
    head = gpus.submit(8, 5)
    long = gpus.submit(2, 100)  # would take the first node, which is reserved for the head
    clock.advance(200)
    assert head.started == 10 and long.started != 0


def test_easy_ignores_jobs_of_infinite_length_in_reservations(placement: str) -> None:
    clock, gpus = cluster(gpus=8, queue="easy", placement=placement)
    gpus.submit(2, math.inf)
    head, long = gpus.submit(8, 1), gpus.submit(3, 1000)
    clock.advance(5)
    assert head.state == "waiting" and long.started == 0


def free_nodes(gpus: GpuCluster, running: list[Job], size: int) -> list[int]:
    free = [size] * (gpus.capacity // size)
    for job in running:
        for node, count in nodes_of(job.allocation):
            free[node] -= count
    return free


def reserved_start(gpus: GpuCluster, head: Job, jobs: list[Job], size: int) -> float:
    """Return when the head fits if all running jobs end as requested, from their allocations."""
    running = sorted((job for job in jobs if job.state == "running"), key=lambda job: job.planned_end)
    for index in range(len(running) + 1):
        free = free_nodes(gpus, running[index:], size)
        fits = max(free) >= head.gpus if head.gpus <= size else free.count(size) * size >= head.gpus
        if fits:
            return running[index - 1].planned_end if index else head.env.now
    raise AssertionError("a job that never fits was accepted")


@pytest.mark.slow
@SETTINGS
@given(
    requests=REQUESTS,
    kind=st.sampled_from([("flat", 0.0), ("consolidated", 0.0), ("consolidated", 3.0), ("consolidated", 0.7)]),
)
def test_backfill_never_delays_the_head(requests: list[Request], kind: tuple[str, float]) -> None:
    """The lengths are exact; nodes of another speed, if any, join two nodes of speed 1."""
    placement, speed = kind
    requests = [(at, length, gpus, 0) for at, length, gpus, _ in requests]
    load = Load(requests, gpus=8, gpus_per_node=4, queue="easy", placement=placement)
    if speed:
        load.gpus.add_nodes(1, speed)
    promised: dict[int, float] = {}
    while not load.clock.idle:
        load.clock.step()
        if load.clock.peek() > load.clock.now and load.gpus.waiting:
            head = next(job for job in load.jobs if job.state == "waiting")
            at = reserved_start(load.gpus, head, load.jobs, 4 if placement == "consolidated" else 8)
            promised.setdefault(head.number, at)
    for job in load.jobs:
        assert job.started is not None
        assert job.started <= promised.get(job.number, math.inf)


@SETTINGS
@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0.01, 100))
def test_longest_job_before_a_reservation_ends_in_time_at_any_speed(now: float, window: float, speed: float) -> None:
    until = now + window
    work = max_work_before(now, until, window, speed)
    assert now + work / speed <= until
    assert work >= window * speed * (1 - 1e-9) - 1e-9 * (1 + speed * until)


@pytest.mark.parametrize("gone", [(1,), (2,), (1, 2, 3), (3, 2), (5, 4, 3, 2, 1), (2, 1)])
def test_queue_skips_cancelled_jobs(queue: str, gone: tuple[int, ...]) -> None:
    clock, gpus = cluster(gpus=1, queue=queue, preemption=False)
    first = gpus.submit(1, 1)
    clock.advance(0)
    requests = {number: (0, 10 + number, 1, 0) for number in range(1, 6)}
    jobs = {number: gpus.submit(1, length) for number, (_, length, _, _) in requests.items()}
    for number in gone:
        gpus.cancel(jobs[number])
    assert [job for job in gpus.jobs() if job is not first] == [jobs[n] for n in jobs if n not in gone]
    assert gpus.waiting == 5 - len(gone)
    clock.advance(100)
    done = [record.job - 1 for record in gpus.records if record.outcome == "done"]
    waiting = [number for number in jobs if number not in gone]
    assert done == [0, *sorted(waiting, key=lambda number: order(queue, requests[number], number))]


@pytest.mark.slow
def test_cancelled_jobs_do_not_accumulate(queue: str) -> None:
    clock, gpus = cluster(gpus=1, queue=queue, preemption=False)
    gpus.submit(1, 1000)
    waiting = [gpus.submit(1, 1 + number % 7, priority=number % 3) for number in range(100)]
    clock.advance(1)
    for job in waiting[10:]:
        gpus.cancel(job)
    clock.advance(2)
    alive = [weakref.ref(job) for job in waiting]
    del waiting, job
    gc.collect()
    assert sum(reference() is not None for reference in alive) <= 21  # those that wait, as many again, the head


def line_of(lengths: list[float]) -> tuple[FirstFitIndex, list[Job]]:
    clock, line = Clock(), FirstFitIndex()
    jobs = [Job(clock, number, JobClass("job", 0), 1, length, 0, None, 0.0) for number, length in enumerate(lengths)]
    return line, jobs


@SETTINGS
@given(
    st.lists(st.tuples(st.integers(0, 30), st.one_of(st.none(), st.integers(0, 9))), max_size=80),
    st.integers(0, 2**16),
)
def test_first_fit_index_finds_the_first_short_enough_job(steps: list[tuple[int, int | None]], shuffle: int) -> None:
    line, jobs = line_of([(shuffle >> (number % 13)) % 7 for number in range(31)])
    inside: set[int] = set()
    for number, longest in steps:
        if number in inside:
            inside.remove(number)
            line.remove(jobs[number])
        else:
            inside.add(number)
            line.add(jobs[number])
        assert line.earliest() is (jobs[min(inside)] if inside else None)
        if longest is not None:  # else several changes come before the next search by length
            short = [n for n in sorted(inside) if jobs[n].length <= longest]
            assert line.first(longest) is (jobs[short[0]] if short else None)
        assert len(line) == len(inside)
        assert [job.number for job in line] == sorted(inside)


def test_first_fit_index_accepts_jobs_of_infinite_length() -> None:
    line, jobs = line_of([math.inf])
    assert line.first(UNBOUNDED) is None
    line.add(jobs[0])
    assert line.first(1e300) is None and line.first(UNBOUNDED) is jobs[0]
