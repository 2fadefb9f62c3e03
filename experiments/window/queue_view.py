"""Who waits for GPUs, and how long jobs of the last 30 days have waited."""

from __future__ import annotations

import heapq
import math
import threading
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from experiments.window.gpu_grid import owner_of
from experiments.window.number_format import format_count, pluralize
from hardware.cluster.job_arrays import ArrayJob, JobArray
from sim.background import BACKGROUND
from sim.reporters import USES, uses_of

if TYPE_CHECKING:
    from hardware.cluster.jobs import Job, JobRecord
    from sim.world import World

FIRST = 20
"""Jobs of the queue that are shown."""
LATELY_DAYS = 30.0


class Waiting(NamedTuple):
    """A job that waits, or several alike of one cohort."""

    number: int
    """Of the first."""
    use: str
    owner: str
    gpus: int | None
    """Of each; None: nobody knows before its turn comes."""
    tasks: int
    """Jobs that it stands for."""
    since: float


class UseWait(NamedTuple):
    """How one use of the cluster waits."""

    use: str
    waiting: int
    """Jobs that wait now."""
    gpus: int
    """That they ask for, as far as that is known."""
    sizes_unknown: int
    """Jobs whose size is drawn when their turn comes, so that ``gpus`` is not all that is wanted."""
    mean_wait_days: float | None
    """Of all jobs that waited, ran or ended in the last 30 days, those that wait up to now; None if there are none."""


class QueueView(NamedTuple):
    """Who waits."""

    jobs: int
    gpus: int
    """That they ask for, as far as that is known."""
    first: tuple[Waiting, ...]
    """In the order of the discipline, where backfill may let a later one go before."""
    uses: tuple[UseWait, ...]
    note: str
    """How many are not shown, and whose sizes nobody knows."""


def queue_of(world: World) -> QueueView:
    """Return who waits in a world."""
    pools = world.datacenter.pools.values()
    waiting = [job for pool in pools for job in pool.jobs() if not job.allocation]
    lots = [lot for pool in pools for lot in pool.pending_arrays]
    shown = list(_first(world, waiting, lots))
    waits = _mean_waits(world, lots)
    uses = tuple(_use(use, waiting, lots, waits.get(use)) for use in uses_of(world))
    jobs = sum(use.waiting for use in uses)
    unknown = sum(lot.count for lot in lots)
    return QueueView(jobs, sum(use.gpus for use in uses), tuple(shown), uses, _note(jobs, shown, unknown))


def _first(world: World, waiting: list[Job], lots: list[JobArray]) -> list[Waiting]:
    discipline = world.scenario.cluster.queue

    def turn(job: Job) -> tuple[float, int]:
        if discipline == "sjf":
            return job.remaining, job.number
        return 0.0 if discipline == "fcfs" else -job.priority, job.number

    first = [
        Waiting(job.number, job.use, owner_of(job), job.gpus, job.tasks, job.submitted)
        for job in heapq.nsmallest(FIRST, waiting, key=turn)
    ]
    return first + [_of_lot(lot) for lot in lots[: FIRST - len(first)]]


def _of_lot(lot: JobArray) -> Waiting:
    size = getattr(lot.source, "size", 0)
    return Waiting(lot.number, lot.job_class.use, f"a cohort of {size:,} researchers", None, lot.count, lot.submitted)


def _use(use: str, waiting: list[Job], lots: list[JobArray], mean: float | None) -> UseWait:
    mine = [job for job in waiting if job.use == use]
    unknown = sum(lot.count for lot in lots if lot.job_class.use == use)
    return UseWait(use, sum(job.tasks for job in mine) + unknown, sum(job.gpus for job in mine), unknown, mean)


class _Sums:
    """Running sums of the waits of one use, by the day on which its jobs ended."""

    def __init__(self) -> None:
        self._ended = array("d")
        self._waited, self._tasks = array("d", [0.0]), array("q", [0])

    def add(self, record: JobRecord) -> None:
        self._ended.append(record.ended)
        self._waited.append(self._waited[-1] + record.waited)
        self._tasks.append(self._tasks[-1] + record.tasks)

    def since(self, day: float) -> tuple[float, int]:
        """Return the days waited by the jobs that ended from a day on, and how many there were."""
        at = bisect_left(self._ended, day)
        return self._waited[-1] - self._waited[at], self._tasks[-1] - self._tasks[at]


class _Book:
    """Running sums of all uses of one world, brought up to date when they are read."""

    def __init__(self) -> None:
        self._seen = 0
        self._sums = {use: _Sums() for use in (*USES, BACKGROUND)}

    def read(self, records: Sequence[JobRecord]) -> dict[str, _Sums]:
        for record in records[self._seen :]:
            if record.started is not None:
                self._sums[record.use].add(record)
        self._seen = len(records)
        return self._sums


_books: WeakKeyDictionary[World, _Book] = WeakKeyDictionary()
_reading = threading.Lock()


def _mean_waits(world: World, lots: list[JobArray]) -> dict[str, float]:
    """The mean wait of the jobs of each use that waited, ran or ended lately."""
    with _reading:
        book = _books.setdefault(world, _Book())
        ended = {use: sums.since(world.now - LATELY_DAYS) for use, sums in book.read(world.datacenter.records).items()}
    # Jobs of infinite length are those by which inference holds its GPUs: they never wait.
    jobs = [job for pool in world.datacenter.pools.values() for job in pool.jobs() if job.length < math.inf]
    here = [(job.use, *_waited(job, world.now)) for job in jobs]
    here += [(lot.job_class.use, lot.count * (world.now - lot.submitted), lot.count) for lot in lots]
    for use, days, tasks in here:
        ended[use] = ended[use][0] + days, ended[use][1] + tasks
    return {use: days / tasks for use, (days, tasks) in ended.items() if tasks}


def _waited(job: Job, now: float) -> tuple[float, int]:
    """The days that a job which is not over has waited for its first start, over all its tasks, and how many it has."""
    if isinstance(job, ArrayJob) and job.tasks_before:
        return job.waited, job.tasks_before + job.tasks
    return job.tasks * ((now if job.started is None else job.started) - job.submitted), job.tasks


def _note(jobs: int, shown: list[Waiting], unknown: int) -> str:
    if not jobs:
        return "Nobody waits for GPUs."
    listed = sum(each.tasks for each in shown)
    note = (
        f"The first {format_count(listed)} of {pluralize(jobs, 'job')}"
        if listed < jobs
        else f"All: {pluralize(jobs, 'job')}"
    )
    return note + (f"; {format_count(unknown)} sizes drawn when their turn comes." if unknown else ".")
