"""Collect the jobs that wait for GPUs, and the mean wait over the last 30 days."""

from __future__ import annotations

import heapq
import math
import threading
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from experiments.text.number_format import format_count, pluralize
from experiments.window.gpu_grid import owner_of
from hardware.cluster.job_arrays import ArrayJob, JobArray
from hardware.uses import BACKGROUND, Use
from sim.reporters import uses_of

if TYPE_CHECKING:
    from experiments.window.shown_lab import ShownLab
    from hardware.cluster.jobs import Job, JobRecord
    from sim.lab import Lab

MAX_LISTED_JOBS = 20
"""Maximum number of waiting jobs that are listed."""
RECENT_DAYS = 30.0


class WaitingJob(NamedTuple):
    """A waiting job, or several identical jobs of one cohort."""

    number: int
    """Number of the first job."""
    use: str
    owner: str
    gpus: int | None
    """GPUs of each job; None if the size is drawn when the job starts."""
    tasks: int
    """Number of jobs that this entry represents."""
    since: float


class UseWait(NamedTuple):
    """The waiting jobs of one use of the cluster."""

    use: str
    waiting: int
    """Number of jobs that wait now."""
    gpus: int
    """GPUs that these jobs request, as far as the sizes are known."""
    sizes_unknown: int
    """Number of jobs whose size is drawn when they start; ``gpus`` does not include them."""
    mean_wait_days: float | None
    """Mean wait of all jobs that waited, ran or ended in the last 30 days [days]; None if there are none."""


class QueueView(NamedTuple):
    """All waiting jobs."""

    jobs: int
    gpus: int
    """GPUs that the jobs request, as far as the sizes are known."""
    first: tuple[WaitingJob, ...]
    """Next jobs in the order of the queue discipline; backfill may start a later job first."""
    uses: tuple[UseWait, ...]
    note: str
    """How many jobs are listed, and how many have no size yet."""


def queue_of(shown: ShownLab) -> QueueView:
    """Return the waiting jobs of a lab."""
    pools = shown.lab.compute.datacenter.pools.values()
    waiting = [job for pool in pools for job in pool.jobs() if not job.allocation]
    arrays = [array_job for pool in pools for array_job in pool.pending_arrays]
    listed = list(_next_jobs(shown, waiting, arrays))
    waits = _mean_waits(shown, arrays)
    uses = tuple(_use_wait(use, waiting, arrays, waits.get(use)) for use in uses_of(shown.lab))
    jobs = sum(use.waiting for use in uses)
    unknown = sum(array_job.count for array_job in arrays)
    return QueueView(jobs, sum(use.gpus for use in uses), tuple(listed), uses, _describe_list(jobs, listed, unknown))


def _next_jobs(shown: ShownLab, waiting: list[Job], arrays: list[JobArray]) -> list[WaitingJob]:
    discipline = shown.scenario.cluster.queue

    def turn(job: Job) -> tuple[float, int]:
        if discipline == "sjf":
            return job.remaining, job.number
        return 0.0 if discipline == "fcfs" else -job.priority, job.number

    first = [
        WaitingJob(job.number, job.use, owner_of(job), job.gpus, job.tasks, job.submitted)
        for job in heapq.nsmallest(MAX_LISTED_JOBS, waiting, key=turn)
    ]
    return first + [_waiting_array(array_job) for array_job in arrays[: MAX_LISTED_JOBS - len(first)]]


def _waiting_array(array_job: JobArray) -> WaitingJob:
    size = getattr(array_job.source, "size", 0)
    return WaitingJob(
        array_job.number,
        array_job.job_class.use,
        f"a cohort of {size:,} researchers",
        None,
        array_job.count,
        array_job.submitted,
    )


def _use_wait(use: str, waiting: list[Job], arrays: list[JobArray], mean: float | None) -> UseWait:
    mine = [job for job in waiting if job.use == use]
    unknown = sum(array_job.count for array_job in arrays if array_job.job_class.use == use)
    return UseWait(use, sum(job.tasks for job in mine) + unknown, sum(job.gpus for job in mine), unknown, mean)


class _WaitSums:
    """Running sums of the waits of one use, ordered by the day on which its jobs ended."""

    def __init__(self) -> None:
        self._ended = array("d")
        self._days_waited, self._tasks = array("d", [0.0]), array("q", [0])

    def add(self, record: JobRecord) -> None:
        self._ended.append(record.ended)
        self._days_waited.append(self._days_waited[-1] + record.waited)
        self._tasks.append(self._tasks[-1] + record.tasks)

    def since(self, day: float) -> tuple[float, int]:
        """Return the total wait [days] and the number of the jobs that ended on or after a day."""
        at = bisect_left(self._ended, day)
        return self._days_waited[-1] - self._days_waited[at], self._tasks[-1] - self._tasks[at]


class _WaitTotals:
    """Running sums of all uses of one lab, updated when they are read."""

    def __init__(self) -> None:
        self._seen = 0
        self._sums = {use: _WaitSums() for use in (*Use, BACKGROUND)}

    def read(self, records: Sequence[JobRecord]) -> dict[str, _WaitSums]:
        for record in records[self._seen :]:
            if record.started is not None:
                self._sums[record.use].add(record)
        self._seen = len(records)
        return self._sums


_totals: WeakKeyDictionary[Lab, _WaitTotals] = WeakKeyDictionary()
_totals_lock = threading.Lock()


def _mean_waits(shown: ShownLab, arrays: list[JobArray]) -> dict[str, float]:
    """Return the mean wait of the jobs of each use that waited, ran or ended in the last 30 days [days]."""
    with _totals_lock:
        totals = _totals.setdefault(shown.lab, _WaitTotals())
        ended = {
            use: sums.since(shown.now - RECENT_DAYS)
            for use, sums in totals.read(shown.lab.compute.datacenter.records).items()
        }
    # Inference holds its GPUs by jobs of infinite length, which never wait.
    jobs = [job for pool in shown.lab.compute.datacenter.pools.values() for job in pool.jobs() if job.length < math.inf]
    here = [(job.use, *_days_waited(job, shown.now)) for job in jobs]
    here += [
        (array_job.job_class.use, array_job.count * (shown.now - array_job.submitted), array_job.count)
        for array_job in arrays
    ]
    for use, days, tasks in here:
        ended[use] = ended[use][0] + days, ended[use][1] + tasks
    return {use: days / tasks for use, (days, tasks) in ended.items() if tasks}


def _days_waited(job: Job, now: float) -> tuple[float, int]:
    """Return the wait of an unfinished job until its first start, summed over its tasks [days], and its number of
    tasks."""
    if isinstance(job, ArrayJob) and job.tasks_before:
        return job.waited, job.tasks_before + job.tasks
    return job.tasks * ((now if job.started is None else job.started) - job.submitted), job.tasks


def _describe_list(jobs: int, shown: list[WaitingJob], unknown: int) -> str:
    if not jobs:
        return "No job waits for GPUs."
    listed = sum(each.tasks for each in shown)
    note = (
        f"The first {format_count(listed)} of {pluralize(jobs, 'job')}"
        if listed < jobs
        else f"All: {pluralize(jobs, 'job')}"
    )
    return note + (f"; {format_count(unknown)} sizes are drawn when the jobs start." if unknown else ".")
