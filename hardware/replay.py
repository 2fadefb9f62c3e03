"""A job log run again through the simulated cluster."""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simpy import Environment, Event
from simpy.events import NORMAL

from hardware.cluster import ClusterParams, GpuCluster
from hardware.jobs import JobRecord
from hardware.topology import largest_gang
from hardware.traces import TraceJob

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class ReplayResult:
    """What a log's jobs met. Times are seconds on the log's clock, which whole seconds leave exact."""

    jobs: tuple[TraceJob, ...]
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


class _Arrivals:
    """Submits each job of a log at its time, by one event that is scheduled again for the next one."""

    def __init__(self, env: Environment, cluster: GpuCluster, jobs: tuple[TraceJob, ...]) -> None:
        self._env = env
        self._cluster = cluster
        self._jobs = jobs
        self._order = iter(sorted(range(len(jobs)), key=lambda position: jobs[position].submit_s))
        self._calls: list[Any] = [self._submit]
        self._event = Event(env)
        self._event._ok = True
        self._next = next(self._order, None)
        self._plan()

    def _plan(self) -> None:
        if self._next is not None:
            self._event.callbacks = self._calls
            # At its very time: SimPy's schedule() would add a difference to now, which rounding can put beside it.
            arrival = (self._jobs[self._next].submit_s, NORMAL, next(self._env._eid), self._event)
            heappush(self._env._queue, arrival)

    def _submit(self, _: Any) -> None:
        jobs, now, position = self._jobs, self._env.now, self._next
        while position is not None and jobs[position].submit_s <= now:
            job = jobs[position]
            self._cluster.submit(job.gpus, job.run_s, owner=position)
            position = next(self._order, None)
        self._next = position
        self._plan()


def replay(jobs: Iterable[TraceJob], params: ClusterParams, gpus: int | None = None) -> ReplayResult:
    """Run the jobs of a log through a cluster of ``gpus`` GPUs, or of ``params.gpus``.

    Nothing fails: the run times of a log hold already what happened to its jobs. Raises ValueError, before
    anything runs, if there are no jobs or one is larger than what the cluster can give.
    """
    jobs = tuple(jobs)
    size = params.gpus if gpus is None else gpus
    params = params.model_copy(update={"gpu_hours_between_failures": 0.0})
    _check(jobs, params, size)
    env = Environment()
    cluster = GpuCluster(env, params, hour=SECONDS_PER_HOUR, gpus=size)
    _Arrivals(env, cluster, jobs)
    env.run()
    by_position = {record.owner: record for record in cluster.records}
    return ReplayResult(jobs, tuple(by_position[position] for position in range(len(jobs))), size)


def _check(jobs: tuple[TraceJob, ...], params: ClusterParams, gpus: int) -> None:
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
