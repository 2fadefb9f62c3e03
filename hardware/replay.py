"""A job log run again through the simulated cluster."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from simpy import Environment

from hardware.cluster import ClusterParams, GpuCluster
from hardware.job_logs.log import LoggedJob
from hardware.jobs import JobRecord
from hardware.queues import Queue
from hardware.topology import largest_gang

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class ReplayResult:
    """What a log's jobs met. Times are seconds on the log's clock, which whole seconds leave exact."""

    jobs: tuple[LoggedJob, ...]
    """The jobs in the order of the log."""
    records: tuple[JobRecord, ...]
    """What became of them, in the same order."""
    gpus: int
    """Size of the cluster."""

    @property
    def waits(self) -> NDArray[np.float64]:
        """How long each job waited, in the order of the log."""
        return np.array([record.started - record.submitted for record in self.records if record.started is not None])

    @property
    def mean_wait(self) -> float:
        """Mean wait."""
        return float(np.mean(self.waits))

    @property
    def median_wait(self) -> float:
        """Median wait."""
        return float(np.median(self.waits))

    @property
    def p99_wait(self) -> float:
        """99th percentile of the waits, by linear interpolation."""
        return float(np.percentile(self.waits, 99))

    @property
    def utilisation(self) -> float:
        """GPU-time held, over all there was from the first submission to the last end; 0 where that is no time."""
        span = max(record.ended for record in self.records) - min(record.submitted for record in self.records)
        return sum(record.held for record in self.records) / (self.gpus * span) if span > 0 else 0.0


def _submit_all(env: Environment, cluster: GpuCluster, jobs: tuple[LoggedJob, ...]) -> None:
    """Submit each job at its time, before any event of that instant is processed.

    Jobs that end at this instant must not pass on their GPUs yet: a job that arrives now may go first. The clock is set
    to the exact time of the log, because an event's time (a difference added to now) can be rounded. An event for each
    arrival would also double the cost.
    """
    events, step = env._queue, env.step
    time_of = [job.submit_s for job in jobs].__getitem__
    for at, positions in groupby(sorted(range(len(jobs)), key=time_of), key=time_of):
        while events and events[0][0] < at:
            step()
        env._now = at
        cluster.submit_together([(jobs[position].gpus, jobs[position].run_s, position) for position in positions])


def replay(
    jobs: Iterable[LoggedJob],
    params: ClusterParams,
    gpus: int | None = None,
    discipline: Callable[[], Queue] | None = None,
) -> ReplayResult:
    """Run the jobs of a log through a cluster of ``gpus`` GPUs, or of ``params.gpus``.

    ``discipline`` makes the queue, in place of the one that ``params`` names. All jobs that arrive at an instant wait
    in the queue before the dispatch of that instant. Nothing fails: the run times of a log include the failures of its
    jobs. Raises ValueError, before anything runs, if the log is empty or a job is larger than the cluster can give;
    TypeError if ``discipline`` does not make a queue.
    """
    jobs = tuple(jobs)
    size = params.gpus if gpus is None else gpus
    params = params.model_copy(update={"gpu_hours_between_failures": 0.0})
    _check(jobs, params, size)
    env = Environment()
    cluster = GpuCluster(env, params, hour=SECONDS_PER_HOUR, gpus=size, discipline=discipline)
    _submit_all(env, cluster, jobs)
    env.run()
    by_position = {record.owner: record for record in cluster.records}
    return ReplayResult(jobs, tuple(by_position[position] for position in range(len(jobs))), size)


def _check(jobs: tuple[LoggedJob, ...], params: ClusterParams, gpus: int) -> None:
    if not jobs:
        raise ValueError("the log holds no jobs")
    if gpus < 1:
        raise ValueError(f"a cluster needs at least one GPU, not {gpus}")
    largest = largest_gang(params.placement, gpus, params.gpus_per_node)
    for job in jobs:
        if job.gpus > largest:
            raise ValueError(
                f"job {job.job} asks for {job.gpus} GPUs, and a cluster of {gpus} can give at most {largest} at once"
            )
