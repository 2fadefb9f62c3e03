"""The GPUs of a World as a grid of nodes, and who waits for them: plain values that change with nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from agents.cohort.cohort import Cohort
from sim.background import BACKGROUND

if TYPE_CHECKING:
    from hardware.cluster.cluster import GpuCluster
    from hardware.cluster.jobs import Job
    from sim.world import World

MAX_CELLS = 1024
"""Cells of the grid; of a larger cluster each stands for several nodes."""
MAX_JOBS = 8
"""Jobs that a cell names."""
COLUMNS = ("inference", "experiment", "training", "background", "failed")


class PlacedGpus(NamedTuple):
    """A job that holds GPUs."""

    number: int
    use: str
    owner: str
    """Who asked for it, in words."""
    gpus: int
    """Of the whole job, on however many nodes."""
    tasks: int
    """Experiments that it stands for."""
    since: float
    """The day on which it last got its GPUs."""
    until: float | None
    """The day on which it will be over if nothing comes between; None for what never ends by itself."""
    failures: int
    preemptions: int


class GpuCell(NamedTuple):
    """A node, or several of one pool: its GPUs by what they do, which add up to ``gpus``."""

    name: str
    pool: str
    gpus: int
    inference: int
    experiment: int
    training: int
    background: int
    """Held by jobs of other users."""
    failed: int
    """Held by a job that began again since the last frame, after a failure."""
    idle: int
    jobs: tuple[PlacedGpus, ...]
    """Experiments and training runs that hold some of its GPUs."""
    more_jobs: int
    """Further ones, which are not listed."""


class Grid(NamedTuple):
    """The whole cluster; the numbers add up to ``gpus``, and so do the cells."""

    gpus: int
    inference: int
    experiment: int
    training: int
    background: int
    """Held by jobs of other users."""
    failed: int
    idle: int
    cells: tuple[GpuCell, ...]
    note: str
    """What a cell is."""


def grid_of(world: World, since: float) -> Grid:
    """Return the GPUs of a world; ``since``: the day of the last frame."""
    pools = world.datacenter.pools
    size = world.scenario.cluster.gpus_per_node
    nodes = sum(math.ceil(pool.capacity / size) for pool in pools.values())
    together = math.ceil(nodes / MAX_CELLS)
    while sum(_cells_of(pool.capacity, size * together) for pool in pools.values()) > MAX_CELLS:
        together += 1  # each pool may have a smaller last cell
    cells = tuple(cell for name, pool in pools.items() for cell in _cells(world, name, pool, together, since))
    return Grid(
        gpus=sum(cell.gpus for cell in cells),
        inference=sum(cell.inference for cell in cells),
        experiment=sum(cell.experiment for cell in cells),
        training=sum(cell.training for cell in cells),
        background=sum(cell.background for cell in cells),
        failed=sum(cell.failed for cell in cells),
        idle=sum(cell.idle for cell in cells),
        cells=cells,
        note=_note(world, together),
    )


def owner_of(job: Job) -> str:
    """Return who asked for a job, in words."""
    if job.use == "training":
        return "the trainer"
    if job.use == "inference":
        return "inference"
    if job.use == BACKGROUND:
        return "another user"
    if isinstance(job.watcher, Cohort):
        return f"a cohort of {job.watcher.size:,} researchers"
    return f"researcher {job.owner}"


def placed(job: Job) -> PlacedGpus:
    """Return a running job as plain values."""
    past, until = job.past, job.started_at + job.remaining
    return PlacedGpus(
        job.number,
        job.use,
        owner_of(job),
        job.gpus,
        job.tasks,
        job.started_at,
        until if until < math.inf else None,
        0 if past is None else past.failures,
        0 if past is None else past.preemptions,
    )


class _Tally:
    """What is on one cell, while it is counted."""

    def __init__(self, gpus: int) -> None:
        self.gpus = gpus
        self.held = dict.fromkeys(COLUMNS, 0)
        self.jobs: list[PlacedGpus] = []
        self.more = 0

    def cell(self, name: str, pool: str) -> GpuCell:
        idle = self.gpus - sum(self.held.values())
        return GpuCell(name, pool, self.gpus, **self.held, idle=idle, jobs=tuple(self.jobs), more_jobs=self.more)


def _cells_of(gpus: int, size: int) -> int:
    return math.ceil(gpus / size)


def _cells(world: World, name: str, pool: GpuCluster, together: int, since: float) -> Iterator[GpuCell]:
    """The cells of one pool, of so many nodes each."""
    size = world.scenario.cluster.gpus_per_node * together
    tallies = [_Tally(min(size, pool.capacity - first)) for first in range(0, pool.capacity, size)]
    running = [job for job in pool.jobs() if job.allocation]
    flat = world.scenario.cluster.placement == "flat"
    for job, seats in _in_a_row(running) if flat else ((job, job.allocation) for job in running):
        column = "failed" if _came_back(job, since) else job.use
        shown = None if job.use == "inference" else placed(job)
        before = None
        for node, gpus in _split(seats, size) if flat else seats:
            tally = tallies[node if flat else node // together]
            tally.held[column] += gpus
            if shown is None or tally is before:
                continue
            before = tally
            if len(tally.jobs) < MAX_JOBS:
                tally.jobs.append(shown)
            else:
                tally.more += 1
    for at, tally in enumerate(tallies):
        yield tally.cell(_name(name, at, len(tallies), together, flat), name)


def _in_a_row(jobs: Iterable[Job]) -> Iterator[tuple[Job, tuple[tuple[int, int], ...]]]:
    """GPUs without places, one job after the other: (first GPU, GPUs)."""
    first = 0
    for job in jobs:
        yield job, ((first, job.gpus),)
        first += job.gpus


def _split(seats: tuple[tuple[int, int], ...], size: int) -> Iterator[tuple[int, int]]:
    """A stretch of GPUs, cut where the cells end: (cell, GPUs)."""
    ((first, gpus),) = seats
    end = first + gpus
    while first < end:
        cell = first // size
        here = min(end, (cell + 1) * size) - first
        yield cell, here
        first += here


def _came_back(job: Job, since: float) -> bool:
    """Whether a job began again since the last frame, having failed."""
    return job.past is not None and job.past.failures > 0 and job.started_at > since


def _name(pool: str, at: int, cells: int, together: int, flat: bool) -> str:
    what = "row" if flat else "node"
    if together == 1:
        return f"{pool} {what} {at + 1} of {cells}"
    return f"{pool} {what}s {at * together + 1:,} to {(at + 1) * together:,}"


def _note(world: World, together: int) -> str:
    cluster = world.scenario.cluster
    if cluster.placement == "flat":
        return f"Flat placement knows no nodes: GPUs are shown in rows of {cluster.gpus_per_node * together}."
    if together == 1:
        return f"Each cell is a node of {cluster.gpus_per_node} GPUs."
    return f"Each cell is {together} nodes of {cluster.gpus_per_node} GPUs."
