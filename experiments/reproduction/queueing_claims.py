"""Compare the cluster with queueing theory and with published waits of real job logs.

Each simulated queue uses plain SimPy callbacks and the same ``GpuCluster`` as the World.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from simpy import Event

from experiments.reproduction.comparison import Comparison, Outcome, compare
from experiments.reproduction.intervals import ExactInterval, mean_of_batches
from hardware.cluster.cluster import ClusterParams, GpuCluster
from hardware.job_logs.registry import read_job_log
from hardware.replay import replay
from sim.clock import Clock
from sim.runner import run
from sim.scenario.model import Scenario

Numbers = NDArray[np.float64]

NASA = "NASA-iPSC-1993-3.1-cln.swf.gz"
PHILLY = "philly_runtime_gpus.csv"
HOURS_PER_DAY = 24
BATCHES = 20

QUIET = ClusterParams(placement="flat", queue="priority", gpu_hours_between_failures=0.0, restart_hours=0.0)
"""A cluster that only queues: no failures, no restart costs, no placement constraints."""


def cluster_rows(data: Path | None) -> Iterator[Comparison]:
    """Yield the rows of the cluster. ``data``: folder of the real job logs; None: their rows have no result."""
    yield from _open_rows()
    yield _accounting_row()
    yield _preemption_row()
    yield _repairman_row()
    yield _philly_row(data)
    yield _nasa_row(data, "fcfs", "8.00466")
    yield _nasa_row(data, "easy", "4.02807")


class OpenQueue:
    """Simulate jobs that arrive one by one after given gaps, on a cluster that only queues."""

    def __init__(self, gpus: int, gaps: Numbers, lengths: Numbers, priorities: list[int]) -> None:
        self.clock = Clock()
        self.cluster = GpuCluster(self.clock, QUIET, hour=1 / HOURS_PER_DAY, gpus=gpus)
        self._jobs = iter(zip(gaps.tolist(), lengths.tolist(), priorities, strict=True))
        self._schedule_next()
        self.clock.advance(math.inf)

    def times_in_system(self) -> Numbers:
        """Return the time in the system of each job, in order of arrival."""
        return np.array([job.ended - job.submitted for job in sorted(self.cluster.records)])

    def _schedule_next(self) -> None:
        job = next(self._jobs, None)
        if job is not None:
            gap, self._length, self._priority = job
            self.clock.timeout(gap).callbacks.append(self._on_arrival)

    def _on_arrival(self, _: Event) -> None:
        self.cluster.submit(1, self._length, priority=self._priority)
        self._schedule_next()


def _mean_interval(sample: Numbers) -> ExactInterval:
    """Return the interval of the mean from means of batches, because successive times in a queue are correlated."""
    return mean_of_batches(np.array([batch.mean() for batch in np.array_split(sample, BATCHES)]))


def _random_row(row: str, says: str, exact: float, sample: Numbers, note: str) -> Comparison:
    ends = _mean_interval(sample)
    middle, half = (ends.low + ends.high) / 2, (ends.high - ends.low) / 2
    outcome: Outcome = "holds" if ends.contains(exact) else "refuted"
    return Comparison(row, says, f"{exact:.4f}", f"{middle:.4f} ± {half:.4f}", outcome, note)


def erlang_c_wait(servers: int, load: float) -> float:
    """Return the mean wait in M/M/c, in mean services, at a load of ``load`` per server (Erlang C)."""
    offered = servers * load
    blocking = 1.0
    for k in range(1, servers + 1):
        blocking = offered * blocking / (k + offered * blocking)
    waiting = blocking / (1 - load * (1 - blocking))
    return waiting / (servers * (1 - load))


def _open_rows() -> Iterator[Comparison]:
    """Yield the rows of M/M/c at three loads, and the row of Little's law."""
    servers, jobs = 8, 200_000
    for seed, load in enumerate((0.5, 0.8, 0.9), start=91):
        rng = np.random.default_rng(seed)
        gaps, lengths = rng.exponential(1 / (servers * load), jobs), rng.exponential(1, jobs)
        queue = OpenQueue(servers, gaps, lengths, [0] * jobs)
        waits = queue.times_in_system() - lengths
        yield _random_row(
            f"Erlang C {load}",
            f"M/M/{servers} at load {load}: mean wait",
            erlang_c_wait(servers, load),
            waits,
            f"{jobs:,} jobs",
        )
    yield _little_row(queue)


def _little_row(queue: OpenQueue) -> Comparison:
    """Return the row of Little's law: the sum of times in the system equals the integral of the number in it."""
    records = queue.cluster.records
    arrivals = [(job.submitted, 1) for job in records]
    departures = [(job.ended, -1) for job in records]
    times, steps = np.array(sorted(arrivals + departures)).T
    integral = float(np.sum(np.cumsum(steps)[:-1] * np.diff(times)))
    error = abs(integral / float(queue.times_in_system().sum()) - 1)
    return Comparison(
        "Little",
        "number in the system = rate × time in it, to rounding",
        "0",
        f"{error:.0e}",
        "holds" if error < 1e-9 else "refuted",
    )


def _accounting_row() -> Comparison:
    """Return the row of a lab with failures and preemptions, whose GPU-seconds must add up."""
    scenario = Scenario().replace(
        cluster__partitioning="priority",
        cluster__gpu_hours_between_failures=2000.0,
        researcher__initial=64,
        cluster__gpus=128,
        run__max_doublings=4,
        run__sample_days=30.0,
    )
    jobs = run(scenario, seed=1).jobs
    requested = sum(job.gpus * job.length for job in jobs)
    held = sum(job.held for job in jobs)
    spent = sum(job.done + job.restarts + job.lost for job in jobs)
    done = sum(job.done for job in jobs)
    error = max(abs(held - spent) / held, abs(requested - done - sum(job.undone_gpu_time for job in jobs)) / requested)
    stops = sum(job.failures + job.preemptions for job in jobs)
    return Comparison(
        "Accounting",
        "GPU-seconds: asked = done + abandoned; held = done + restarts + lost",
        "0",
        f"{error:.0e}",
        "holds" if error < 1e-9 and stops > 0 else "refuted",
        f"{len(jobs):,} jobs with {stops} failures and preemptions",
    )


def _preemption_row() -> Comparison:
    """Return the row of preemptive-resume M/M/1 with two classes.

    Mean time in the system of the lower class: 1/((1 - rho1)(1 - rho1 - rho2)).
    """
    jobs, high, low = 200_000, 0.3, 0.4
    rng = np.random.default_rng(82)
    gaps, lengths = rng.exponential(1 / (high + low), jobs), rng.exponential(1, jobs)
    urgent = rng.random(jobs) < high / (high + low)
    times = OpenQueue(1, gaps, lengths, urgent.astype(int).tolist()).times_in_system()
    exact = 1 / ((1 - high) * (1 - high - low))
    return _random_row(
        "Preemption",
        "preemptive-resume M/M/1, two classes: mean time in the system of the lower",
        exact,
        times[~urgent],
        f"{jobs:,} jobs",
    )


class ClosedQueue:
    """Simulate N owners who alternate between thinking and a job on one GPU (the machine-repairman model)."""

    def __init__(self, owners: int, gpus: int, think: float, until: float, seed: int) -> None:
        self.clock = Clock()
        self.cluster = GpuCluster(self.clock, QUIET, gpus=gpus)
        self._think, self._rng = think, np.random.default_rng(seed)
        for _ in range(owners):
            self._start_thinking(None)
        self.clock.advance(until)

    def _start_thinking(self, _: Event | None) -> None:
        self.clock.timeout(self._rng.exponential(self._think)).callbacks.append(self._submit)

    def _submit(self, _: Event) -> None:
        self.cluster.submit(1, self._rng.exponential(1.0)).callbacks.append(self._start_thinking)


def repairman_throughput(owners: int, gpus: int, think: float) -> float:
    """Return jobs per mean service in the machine-repairman model, from its birth-death chain."""
    log_weights = [0.0]
    for asking in range(1, owners + 1):
        ratio = (owners - asking + 1) / think / min(asking, gpus)
        log_weights.append(log_weights[-1] + math.log(ratio))
    weights = np.exp(np.array(log_weights) - max(log_weights))
    return float(np.sum(weights * np.minimum(np.arange(owners + 1), gpus)) / weights.sum())


def _repairman_row() -> Comparison:
    owners, gpus, think, until = 24, 8, 2.5, 20_000.0
    records = ClosedQueue(owners, gpus, think, until, seed=83).cluster.records
    counts, _ = np.histogram([job.ended for job in records], bins=100, range=(0, until))
    return _random_row(
        "Repairman",
        f"{owners} researchers on {gpus} GPUs: jobs per mean length",
        repairman_throughput(owners, gpus, think),
        counts * 100 / until,
        f"{len(records):,} jobs",
    )


def _philly_row(data: Path | None) -> Comparison:
    """Return the row of Pollaczek-Khinchine: the mean wait in M/G/1 is lambda E[S^2]/(2 (1 - rho))."""
    says = "M/G/1 with the 33,192 Philly run times at load 0.5: mean wait, h"
    if data is None:
        return _no_data_row("Pollaczek-Khinchine", says, PHILLY)
    with (data / "traces" / PHILLY).open(encoding="utf-8") as file:
        hours = np.array([float(row["runtime_s"]) for row in csv.DictReader(file)]) / 3600
    load, jobs = 0.5, 400_000
    rng = np.random.default_rng(84)
    rate = load / hours.mean()
    lengths = rng.choice(hours, jobs)
    times = OpenQueue(1, rng.exponential(1 / rate, jobs), lengths, [0] * jobs).times_in_system()
    exact = rate * float(np.mean(hours**2)) / (2 * (1 - load))
    return _random_row("Pollaczek-Khinchine", says, exact, times - lengths, f"{jobs:,} jobs drawn from the log")


def _nasa_row(data: Path | None, queue: Literal["fcfs", "easy"], printed: str) -> Comparison:
    says = f"NASA log, 128 processors, {queue}: mean wait {printed} s"
    if data is None:
        return _no_data_row(f"NASA {queue}", says, NASA)
    log = read_job_log(data / "traces" / NASA, "swf")
    result = replay(log.jobs, ClusterParams(gpus=128, gpus_per_node=1, queue=queue, placement="flat"))
    return Comparison(
        f"NASA {queue}",
        says,
        printed,
        f"{result.mean_wait:.5f}",
        compare(printed, [result.mean_wait]),
        f"{len(log.jobs):,} jobs; Parallel Workloads Archive, thanks to B. Nitzberg and D. Feitelson",
    )


def _no_data_row(row: str, says: str, file: str) -> Comparison:
    return Comparison(row, says, "–", "–", "no log", f"needs {file}: set its folder with --data or ASARA_DATA")
