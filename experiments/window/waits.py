"""Who waits for GPUs, and how long it took others lately."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, NamedTuple

from experiments.window.cells import owner_of
from experiments.window.words import count, many
from sim.observe import USES

if TYPE_CHECKING:
    from hardware.jobs import Job
    from hardware.lots import Lot
    from sim.model import World

FIRST = 20
"""Jobs of the queue that are shown."""
LATELY_DAYS = 30.0
MOST_RECORDS = 2000
"""Jobs, the latest that are over, among which the waits are looked up."""


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
    """Of those that were over in the last 30 days; None if there were none."""


class Queue(NamedTuple):
    """Who waits."""

    jobs: int
    gpus: int
    """That they ask for, as far as that is known."""
    first: tuple[Waiting, ...]
    """In the order of the discipline, where backfill may let a later one go before."""
    uses: tuple[UseWait, ...]
    note: str
    """How many are not shown, and whose sizes nobody knows."""


def queue_of(world: World) -> Queue:
    """Return who waits in a world."""
    pools = world.datacenter.pools.values()
    waiting = [job for pool in pools for job in pool.jobs() if not job.seats]
    lots = [lot for pool in pools for lot in pool.lots]
    shown = list(_first(world, waiting, lots))
    waits = _mean_waits(world)
    uses = tuple(_use(use, waiting, lots, waits.get(use)) for use in USES)
    jobs = sum(use.waiting for use in uses)
    unknown = sum(lot.count for lot in lots)
    return Queue(jobs, sum(use.gpus for use in uses), tuple(shown), uses, _note(jobs, shown, unknown))


def _first(world: World, waiting: list[Job], lots: list[Lot]) -> list[Waiting]:
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


def _of_lot(lot: Lot) -> Waiting:
    size = getattr(lot.source, "size", 0)
    return Waiting(lot.number, lot.share.use, f"a cohort of {size:,} researchers", None, lot.count, lot.submitted)


def _use(use: str, waiting: list[Job], lots: list[Lot], mean: float | None) -> UseWait:
    mine = [job for job in waiting if job.use == use]
    unknown = sum(lot.count for lot in lots if lot.share.use == use)
    return UseWait(use, sum(job.tasks for job in mine) + unknown, sum(job.gpus for job in mine), unknown, mean)


def _mean_waits(world: World) -> dict[str, float]:
    """The mean wait of the jobs of each use that were over lately."""
    sums: dict[str, tuple[float, int]] = {}
    for record in itertools.islice(reversed(world.datacenter.records), MOST_RECORDS):
        if record.ended < world.now - LATELY_DAYS:
            break
        if record.started is not None:
            waited, tasks = sums.get(record.use, (0.0, 0))
            sums[record.use] = (waited + record.waited, tasks + record.tasks)
    return {use: waited / tasks for use, (waited, tasks) in sums.items()}


def _note(jobs: int, shown: list[Waiting], unknown: int) -> str:
    if not jobs:
        return "Nobody waits for GPUs."
    listed = sum(each.tasks for each in shown)
    note = f"The first {count(listed)} of {many(jobs, 'job')}" if listed < jobs else f"All: {many(jobs, 'job')}"
    return note + (f"; {count(unknown)} sizes drawn when their turn comes." if unknown else ".")
