"""The cluster against queueing theory: fixed seeds, 99.9% intervals from batch means.

Rows of `asara reproduce` (test_reproduce.py) cover M/M/8 at loads of 0.5, 0.8 and 0.9, M/G/1 with real run times and
preemption in order of priority, by the same theory.
"""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from simpy import Event

from hardware.cluster.cluster import GpuCluster, Job
from tests.oracles.queueing import erlang_c, preemptive_resume, repairman
from tests.support.clusters import SeededStreams, cluster

Numbers = NDArray[np.float64]
BATCHES = 25


def half_width(sample: Numbers, batches: int = BATCHES) -> tuple[float, float]:
    means = np.array([batch.mean() for batch in np.array_split(sample, batches)])
    quantile = float(stats.t.ppf(0.9995, batches - 1))
    return float(means.mean()), quantile * float(means.std(ddof=1)) / math.sqrt(batches)


def assert_mean(sample: Numbers, exact: float, tightness: float) -> None:
    """The interval holds the exact value, and is narrow enough to mean something."""
    mean, half = half_width(sample)
    assert half < tightness * exact, f"{mean} ± {half}: too wide for this test"
    assert abs(mean - exact) < half, f"{mean} ± {half}, not {exact}"


class OpenQueue:
    """Jobs of one GPU that arrive at random."""

    def __init__(self, gaps: Numbers, lengths: Numbers, priorities: Any, **changes: Any) -> None:
        self.clock, self.cluster = cluster(restart_hours=0.0, **changes)
        self.jobs = zip(gaps.tolist(), lengths.tolist(), priorities.tolist(), strict=True)
        self.in_system = self.area = self.since = 0.0
        self.await_next()
        self.clock.run()

    def await_next(self) -> None:
        job = next(self.jobs, None)
        if job is not None:
            gap, *self.next = job
            self.clock.timeout(gap).callbacks.append(self.arrive)

    def arrive(self, _: Event) -> None:
        length, priority = self.next
        self.count(+1)
        job = self.cluster.submit(1, length, priority=priority)
        job.callbacks.append(self.leave)
        self.await_next()

    def leave(self, _: Event) -> None:
        self.count(-1)

    def count(self, change: int) -> None:
        self.area += self.in_system * (self.clock.now - self.since)
        self.since = self.clock.now
        self.in_system += change

    @property
    def records(self) -> list[Any]:
        return sorted(self.cluster.records)


def zeros(count: int) -> NDArray[np.int64]:
    return np.zeros(count, dtype=np.int64)


@pytest.mark.parametrize(("load", "jobs", "tightness"), [(0.95, 300_000, 0.35)])
def test_cluster_mean_wait_of_m_m_c_equals_erlang_c(load: float, jobs: int, tightness: float) -> None:
    servers = 8
    rng = np.random.default_rng(int(1000 * load))
    gaps, lengths = rng.exponential(1 / (servers * load), jobs), rng.exponential(1, jobs)
    records = OpenQueue(gaps, lengths, zeros(jobs), gpus=servers).records
    waits = np.array([record.started - record.submitted for record in records])
    assert_mean(waits[jobs // 20 :], erlang_c(servers, servers * load, 1.0), tightness)


@pytest.mark.parametrize("queue", ["easy"])
def test_cluster_with_preemption_equals_preemptive_resume_m_m_1(queue: str) -> None:
    jobs, rates = 120_000, (0.3, 0.4)
    rng = np.random.default_rng(11)
    gaps, lengths = rng.exponential(1 / sum(rates), jobs), rng.exponential(1, jobs)
    urgent = rng.random(jobs) < rates[0] / sum(rates)
    records = OpenQueue(gaps, lengths, urgent.astype(int), gpus=1, queue=queue).records
    stays = np.array([record.ended - record.submitted for record in records])
    high, low = preemptive_resume(rates, 1.0)
    assert_mean(stays[urgent], high, 0.06)
    assert_mean(stays[~urgent], low, 0.15)
    assert any(record.preemptions for record in records)


class ClosedQueue:
    """Owners that think, use one GPU, and think again."""

    def __init__(self, owners: int, gpus: int, think: float, until: float) -> None:
        self.clock, self.cluster = cluster(gpus=gpus)
        self.rng, self.think = np.random.default_rng(13), think
        for _ in range(owners):
            self.go_on(None)
        self.clock.advance(until)

    def go_on(self, _: Event | None) -> None:
        self.clock.timeout(self.rng.exponential(self.think)).callbacks.append(self.ask)

    def ask(self, _: Event) -> None:
        self.cluster.submit(1, self.rng.exponential(1.0)).callbacks.append(self.go_on)


def test_cluster_closed_throughput_equals_the_machine_repairman() -> None:
    owners, gpus, think, until = 24, 8, 2.5, 16_000.0
    records = ClosedQueue(owners, gpus, think, until).cluster.records
    counts, _ = np.histogram([record.ended for record in records], bins=200, range=(0.0, until))
    exact, thinking = repairman(owners, gpus, think, 1.0)
    assert thinking / think == pytest.approx(exact)  # in steady state both rates are equal
    assert_mean(counts * 200 / until, exact, 0.02)


@pytest.mark.parametrize("queue", ["fcfs", "priority", "sjf", "easy"])
def test_cluster_obeys_littles_law_to_rounding(queue: str) -> None:
    jobs = 5_000
    rng = np.random.default_rng(17)
    gaps, lengths = rng.exponential(1 / 3.6, jobs), rng.exponential(1, jobs)
    run = OpenQueue(gaps, lengths, rng.integers(3, size=jobs), gpus=4, queue=queue)
    stays = math.fsum(record.ended - record.submitted for record in run.records)
    assert run.area == pytest.approx(stays, rel=1e-10)


def test_cluster_gangs_fail_in_proportion_to_their_gpus() -> None:
    between, lengths = 400.0, 3_000
    clock, gpus = cluster(SeededStreams(5), gpus=64, gpu_hours_between_failures=between, checkpoint_hours=0.25)
    assert isinstance(gpus, GpuCluster)
    jobs: list[Job] = [gpus.submit(1 + number % 16, 10.0, owner=number) for number in range(lengths)]
    clock.run()
    failures = sum(job.value.failures for job in jobs)
    expected = sum(record.held for record in gpus.records) / between
    assert expected > 500
    assert abs(failures - expected) < 3.29 * math.sqrt(expected)
