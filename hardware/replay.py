"""Replay a job log on the simulated cluster."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from operator import itemgetter
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from hardware.cluster.cluster import ClusterParams, GpuCluster
from hardware.cluster.jobs import BatchJob, JobRecord
from hardware.cluster.placement import largest_gang
from hardware.cluster.queues import QueueDiscipline
from hardware.cluster.validation import whole_count
from hardware.job_logs.log import MAX_WHOLE_SECONDS, LoggedJob
from hardware.simpy_clock import ExactClock

SECONDS_PER_HOUR: Final = 3600

Estimates = Literal["exact", "requested"]
"""The run time of a job that disciplines read: exact or requested."""


@dataclass(frozen=True)
class ReplayResult:
    """Waiting times of the jobs of a log. Times of records are seconds since the first submission."""

    jobs: tuple[LoggedJob, ...]
    """The jobs in the order of the log."""
    records: tuple[JobRecord, ...]
    """Their records, in the same order."""
    gpus: int
    """Size of the cluster."""

    @property
    def waits(self) -> NDArray[np.float64]:
        """Waiting time of each job [s], in the order of the log."""
        return np.array([record.started - record.submitted for record in self.records if record.started is not None])

    @property
    def mean_wait(self) -> float:
        """Mean waiting time [s]."""
        return float(np.mean(self.waits))

    @property
    def median_wait(self) -> float:
        """Median waiting time [s]."""
        return float(np.median(self.waits))

    @property
    def p99_wait(self) -> float:
        """99th percentile of the waiting times [s], by linear interpolation."""
        return float(np.percentile(self.waits, 99))

    @property
    def utilisation(self) -> float:
        """Share of the GPU-time that was held, from the first submission to the last end; 0 if that is no time."""
        span = max(record.ended for record in self.records) - min(record.submitted for record in self.records)
        return sum(record.held for record in self.records) / (self.gpus * span) if span > 0 else 0.0


def _submit_all(env: ExactClock, cluster: GpuCluster, arrivals: list[tuple[float, BatchJob]]) -> None:
    """Submit each job at its time, before any event of that instant is processed.

    Jobs that end in this instant must not release their GPUs yet: a job that arrives now may go first. The clock is set
    to the exact time of the log. An event for each arrival would double the cost.
    """
    time_of = itemgetter(0)
    for at, together in groupby(sorted(arrivals, key=time_of), key=time_of):
        while env.peek() < at:
            env.step()
        env.move_to(at)
        cluster.submit_batch([request for _, request in together])


def replay(
    jobs: Iterable[LoggedJob],
    params: ClusterParams,
    gpus: int | None = None,
    discipline: Callable[[], QueueDiscipline] | None = None,
    estimates: Estimates = "exact",
) -> ReplayResult:
    """Run the jobs of a log through a cluster of ``gpus`` GPUs, or of ``params.gpus``.

    ``discipline`` makes the queue, in place of the one that ``params`` names. With ``estimates`` = "requested"
    disciplines read the requested run times of the jobs that have one; they read the true ones otherwise. All jobs
    that arrive at an instant wait in the queue before the dispatch of that instant. Nothing fails and nothing is
    preempted: the run times of a log include the failures of its jobs.

    Raises ValueError, before anything runs, if the log is empty, spans too much time, or has a job that is too large
    for the cluster. Raises TypeError if ``discipline`` does not create a queue.
    """
    jobs = tuple(jobs)
    size = params.gpus if gpus is None else gpus
    params = params.model_copy(update={"gpu_hours_between_failures": 0.0, "preemption": False})
    check_jobs(jobs, params, size)
    arrivals = _arrivals(jobs, estimates)
    env = ExactClock()
    cluster = GpuCluster(env, params, hour=SECONDS_PER_HOUR, gpus=size, discipline=discipline)
    _submit_all(env, cluster, arrivals)
    env.run()
    by_position = {record.owner: record for record in cluster.records}
    return ReplayResult(jobs, tuple(by_position[position] for position in range(len(jobs))), size)


def _arrivals(jobs: tuple[LoggedJob, ...], estimates: Estimates) -> list[tuple[float, BatchJob]]:
    """Return the arrival time of each job since the first submission, with its request.

    Raises ValueError if the clock could not represent whole seconds exactly.
    """
    first = min(job.submit_s for job in jobs)
    arrivals = []
    for position, job in enumerate(jobs):
        at = float(Fraction(job.submit_s) - Fraction(first)) if first else job.submit_s
        expected = job.requested_s if estimates == "requested" else None
        arrivals.append((at, BatchJob(job.gpus, job.run_s, position, job.priority, expected)))
    span = max(at for at, _ in arrivals) + sum(job.run_s for job in jobs)
    if span > MAX_WHOLE_SECONDS:
        raise ValueError(f"submissions and run times span more than {MAX_WHOLE_SECONDS:,} s. Are these nanoseconds?")
    return arrivals


def check_jobs(jobs: tuple[LoggedJob, ...], params: ClusterParams, gpus: int) -> None:
    """Raise ValueError if a cluster of ``gpus`` GPUs can never run these jobs, or if a time is invalid."""
    if not jobs:
        raise ValueError("the log holds no jobs")
    if gpus < 1:
        raise ValueError(f"a cluster needs at least one GPU, not {gpus}")
    largest = largest_gang(params.placement, gpus, params.gpus_per_node)
    for job in jobs:
        whole_count(job.gpus, f"job {job.job}: gpus")
        if job.gpus > largest:
            raise ValueError(
                f"job {job.job} asks for {job.gpus} GPUs, and a cluster of {gpus} can give at most {largest} at once"
            )
        for name, time in (("submit_s", job.submit_s), ("run_s", job.run_s)):
            if not 0 <= time < math.inf:
                raise ValueError(f"job {job.job}: {name} = {time} is not a time; allowed: 0 or more seconds")
