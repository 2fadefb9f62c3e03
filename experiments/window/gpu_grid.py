"""Describe the GPUs of a lab as a grid of nodes with plain values."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from agents.cohort.cohort import Cohort
from agents.identity import KERNEL_ENGINEER_NUMBER, PAPER_LINE_NUMBER
from hardware.uses import BACKGROUND, Use

if TYPE_CHECKING:
    from experiments.window.shown_lab import ShownLab
    from hardware.cluster.cluster import GpuCluster
    from hardware.cluster.jobs import Job

MAX_CELLS = 1024
"""Maximum number of cells; in larger clusters a cell represents several nodes."""
MAX_JOBS_PER_CELL = 8
"""Maximum number of jobs that a cell lists."""
USE_COLUMNS = (*Use, BACKGROUND, "failed")


class PlacedGpus(NamedTuple):
    """A job that holds GPUs."""

    number: int
    use: str
    owner: str
    """Owner of the job, in words."""
    gpus: int
    """GPUs of the whole job, on all nodes."""
    tasks: int
    """Number of experiments that it represents."""
    since: float
    """Day on which it last received its GPUs."""
    until: float | None
    """Planned day of its end; None for a job without an end."""
    failures: int
    preemptions: int


class GpuCell(NamedTuple):
    """A node, or several nodes of one pool: GPUs by use, which add up to ``gpus``."""

    name: str
    pool: str
    gpus: int
    inference: int
    experiment: int
    training: int
    background: int
    """GPUs of jobs of other users."""
    failed: int
    """GPUs of jobs that restarted after a failure since the last frame."""
    idle: int
    jobs: tuple[PlacedGpus, ...]
    """Experiments and training runs that hold some of its GPUs."""
    more_jobs: int
    """Number of further jobs that are not listed."""


class GpuGrid(NamedTuple):
    """The whole cluster: the counts and the cells each add up to ``gpus``."""

    gpus: int
    inference: int
    experiment: int
    training: int
    background: int
    """GPUs of jobs of other users."""
    failed: int
    idle: int
    cells: tuple[GpuCell, ...]
    note: str
    """What a cell represents."""


def grid_of(shown: ShownLab, since: float) -> GpuGrid:
    """Return the GPUs of a lab; ``since`` is the day of the last frame."""
    pools = shown.lab.compute.datacenter.pools
    size = shown.scenario.cluster.gpus_per_node
    nodes = sum(math.ceil(pool.capacity / size) for pool in pools.values())
    nodes_per_cell = math.ceil(nodes / MAX_CELLS)
    while sum(_cell_count(pool.capacity, size * nodes_per_cell) for pool in pools.values()) > MAX_CELLS:
        nodes_per_cell += 1  # the last cell of each pool may be smaller
    cells = tuple(cell for name, pool in pools.items() for cell in _cells(shown, name, pool, nodes_per_cell, since))
    return GpuGrid(
        gpus=sum(cell.gpus for cell in cells),
        inference=sum(cell.inference for cell in cells),
        experiment=sum(cell.experiment for cell in cells),
        training=sum(cell.training for cell in cells),
        background=sum(cell.background for cell in cells),
        failed=sum(cell.failed for cell in cells),
        idle=sum(cell.idle for cell in cells),
        cells=cells,
        note=_describe_cells(shown, nodes_per_cell),
    )


def owner_of(job: Job) -> str:
    """Return the owner of a job in words."""
    if job.use == "training":
        return "the trainer"
    if job.use == "inference":
        return "inference"
    if job.use == BACKGROUND:
        return "another user"
    if isinstance(job.watcher, Cohort):
        return f"a cohort of {job.watcher.size:,} researchers"
    if job.owner == PAPER_LINE_NUMBER:
        return "a paper of humans"
    return "the kernel engineer" if job.owner == KERNEL_ENGINEER_NUMBER else f"researcher {job.owner}"


def placed_gpus(job: Job) -> PlacedGpus:
    """Return a running job as plain values."""
    past, until = job.past, job.planned_end
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


class _CellTally:
    """The jobs and GPUs of one cell during the count."""

    def __init__(self, gpus: int) -> None:
        self.gpus = gpus
        self.held = dict.fromkeys(USE_COLUMNS, 0)
        self.jobs: list[PlacedGpus] = []
        self.more_jobs = 0

    def cell(self, name: str, pool: str) -> GpuCell:
        idle = self.gpus - sum(self.held.values())
        return GpuCell(name, pool, self.gpus, **self.held, idle=idle, jobs=tuple(self.jobs), more_jobs=self.more_jobs)


def _cell_count(gpus: int, size: int) -> int:
    return math.ceil(gpus / size)


def _cells(shown: ShownLab, name: str, pool: GpuCluster, nodes_per_cell: int, since: float) -> Iterator[GpuCell]:
    """Build the cells of one pool, each of ``nodes_per_cell`` nodes."""
    flat = shown.scenario.cluster.placement == "flat"
    size = shown.scenario.cluster.gpus_per_node * nodes_per_cell
    nodes = _NodeCells(pool, nodes_per_cell)
    sizes = [min(size, pool.capacity - first) for first in range(0, pool.capacity, size)] if flat else nodes.sizes()
    tallies = [_CellTally(gpus) for gpus in sizes]
    running = [job for job in pool.jobs() if job.allocation]
    spans = _unplaced_spans(running) if flat else ((job, 0) for job in running)
    for job, first_gpu in spans:
        column = "failed" if _restarted_since(job, since) else job.use
        placed = None if job.use == "inference" else placed_gpus(job)
        before = None
        for cell, gpus in _split_span(first_gpu, job.gpus, size) if flat else nodes.cells_of(job):
            tally = tallies[cell]
            tally.held[column] += gpus
            if placed is None or tally is before:
                continue
            before = tally
            if len(tally.jobs) < MAX_JOBS_PER_CELL:
                tally.jobs.append(placed)
            else:
                tally.more_jobs += 1
    for at, tally in enumerate(tallies):
        yield tally.cell(_cell_name(name, at, len(tallies), nodes_per_cell, flat), name)


class _NodeCells:
    """The cells of the nodes of a pool: ``nodes_per_cell`` nodes each, in the order of their numbers."""

    def __init__(self, pool: GpuCluster, nodes_per_cell: int) -> None:
        self._nodes_per_cell = nodes_per_cell
        self._runs = pool.node_runs
        self._places = [0, *accumulate(run.number for run in self._runs)]
        """Place of the first node of each run among the nodes of the pool, from 0."""

    def sizes(self) -> list[int]:
        """Return the GPUs of each cell."""
        sizes = [0] * math.ceil(self._places[-1] / self._nodes_per_cell)
        for place, run in zip(self._places[:-1], self._runs, strict=True):
            for cell, number in _split_span(place, run.number, self._nodes_per_cell):
                sizes[cell] += number * run.gpus
        return sizes

    def cells_of(self, job: Job) -> Iterator[tuple[int, int]]:
        """Return the cells in which a job holds GPUs: (cell, GPUs)."""
        for first, number, gpus in job.allocation:
            at = bisect_right(self._runs, first, key=itemgetter(0)) - 1
            place = self._places[at] + first - self._runs[at].first
            for cell, nodes in _split_span(place, number, self._nodes_per_cell):
                yield cell, nodes * gpus


def _unplaced_spans(jobs: Iterable[Job]) -> Iterator[tuple[Job, int]]:
    """Assign consecutive GPUs to jobs without nodes: (job, its first GPU)."""
    first = 0
    for job in jobs:
        yield job, first
        first += job.gpus


def _split_span(first: int, number: int, size: int) -> Iterator[tuple[int, int]]:
    """Split consecutive GPUs or nodes at the borders of cells: (cell, GPUs or nodes)."""
    end = first + number
    while first < end:
        cell = first // size
        here = min(end, (cell + 1) * size) - first
        yield cell, here
        first += here


def _restarted_since(job: Job, since: float) -> bool:
    """Return whether a job restarted after a failure since a day."""
    return job.past is not None and job.past.failures > 0 and job.started_at > since


def _cell_name(pool: str, at: int, cells: int, nodes_per_cell: int, flat: bool) -> str:
    what = "row" if flat else "node"
    if nodes_per_cell == 1:
        return f"{pool} {what} {at + 1} of {cells}"
    return f"{pool} {what}s {at * nodes_per_cell + 1:,} to {(at + 1) * nodes_per_cell:,}"


def _describe_cells(shown: ShownLab, nodes_per_cell: int) -> str:
    cluster = shown.scenario.cluster
    if cluster.placement == "flat":
        return f"Flat placement has no nodes: GPUs are shown in rows of {cluster.gpus_per_node * nodes_per_cell}."
    if nodes_per_cell == 1:
        return f"Each cell is a node of {cluster.gpus_per_node} GPUs."
    return f"Each cell is {nodes_per_cell} nodes of {cluster.gpus_per_node} GPUs."
