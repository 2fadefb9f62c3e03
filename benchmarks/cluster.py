"""Compare the speed of the cluster with a C loop, and with the same lab written with SimPy's own resources, in one run.

N researchers work in a closed loop. They think for a time of mean 1, wait for one of 64 GPUs, and use it for a time of
mean 1. CPU time of both sides, which take turns. Exits with 1 if a limit is missed. The baselines are:

- *SimPy, same lab*: a process for each researcher, and a cluster whose ``submit`` returns a process. The process holds
  a unit of a ``Resource`` (first come, first served) or ``PriorityResource``, and leaves the same record.
- *SimPy, bare loop*: no jobs and no records; each researcher uses the resource directly.
- The C loop: the smallest possible program, with a heap of events and no records. This benchmark builds it.

A further row compares the placement of a gang in pools of a million and of a thousand GPUs.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

from rich.progress import track

from benchmarks.heap_loop import HeapLoop, NoCompilerError, build
from benchmarks.labs import GPUS, BareLoop, Callbacks, Discipline, Lab, Lots, Processes, run
from benchmarks.ratio_table import Limit, Row, Side, at_least, at_most, cpu_seconds, show, take_turns
from hardware.cluster.placement import Consolidated

TURNS = 9
WARM = 3.0
"""Warm-up time, in mean service times."""
NAMES: dict[Any, str] = {
    Callbacks: "single jobs",
    Lots: "jobs as counts",
    Processes: "SimPy, same lab",
    BareLoop: "SimPy, bare loop",
}


class Case(NamedTuple):
    """One comparison of two labs."""

    ours: Callable[[int, Discipline], Lab]
    baseline: Callable[[int, Discipline], Lab]
    discipline: Discipline
    researchers: int
    limit: Limit | None
    """How many times faster a job must be; None: for information."""
    jobs: int
    """Jobs of ours in one turn: enough that what the other's turn drove out of the caches does not count."""
    baseline_jobs: int


CASES = (
    Case(Lots, Processes, "one priority", 10_000, at_least(300), 50_000, 200),
    Case(Callbacks, Processes, "priority", 10_000, at_least(200), 50_000, 200),
    Case(Callbacks, Processes, "fcfs", 10_000, None, 50_000, 50_000),
    Case(Callbacks, Processes, "fcfs", 64, at_least(2), 20_000, 20_000),
    Case(Callbacks, Processes, "priority", 64, at_least(2), 20_000, 20_000),
    Case(Callbacks, BareLoop, "fcfs", 64, None, 20_000, 20_000),
    Case(Callbacks, BareLoop, "priority", 64, None, 20_000, 20_000),
)


class LoopCase(NamedTuple):
    """One comparison of a lab with the C loop."""

    ours: Callable[[int, Discipline], Lab]
    researchers: int
    limit: Limit | None
    """How many times as long a job may take; None: for information."""


LOOP_CASES = (LoopCase(Lots, 10_000, at_most(25)), LoopCase(Callbacks, 10_000, None), LoopCase(Callbacks, 64, None))
LOOP_JOBS, OWN_JOBS = 2_000_000, 50_000


GANGS = (1, 8, 3, 64, 16, 5, 24, 2)
"""Sizes of gangs in the pools of `used_pool` [GPUs]."""
LARGE_POOL, SMALL_POOL = 1_000_000, 1_000
PLACEMENTS = 20_000
"""Gangs that are placed in one turn."""


def used_pool(gpus: int) -> Consolidated:
    """Return a pool of nodes of 8 GPUs in which gangs hold a part of the GPUs, with gaps between them."""
    pool = Consolidated(gpus, 8)
    held = []
    for size in cycle(GANGS):
        if pool.free < 0.3 * gpus:
            break
        held.append(pool.take(size))
    for allocation in held[::2]:
        if allocation is not None:
            pool.release(allocation)
    return pool


def a_placement(pool: Consolidated) -> Side:
    """Return a turn of a pool: gangs of several sizes are placed, tested for preemption and released."""

    def place_gangs() -> None:
        for size in islice(cycle(GANGS), PLACEMENTS):
            allocation = pool.take(size)
            assert allocation is not None, "the pool has room for one more gang"
            pool.fit_probe(size).release(allocation)
            pool.release(allocation)

    return lambda: cpu_seconds(place_gangs) / PLACEMENTS


def against_small_pool() -> Row:
    """Compare the placement of a gang in a large pool with that in a small one."""
    pair = take_turns(a_placement(used_pool(LARGE_POOL)), a_placement(used_pool(SMALL_POOL)), TURNS)
    what = f"a gang placed, tested and released, {LARGE_POOL:,} GPUs: slower than with {SMALL_POOL:,}"
    return Row(what, f"{1e6 * pair.ours:.2f} µs", f"{1e6 * pair.other:.2f} µs", pair.slower, at_most(3))


def standing(lab: Callable[[int, Discipline], Lab], researchers: int, discipline: Discipline) -> Lab:
    """Return a lab whose queue stands."""
    made = lab(researchers, discipline)
    run(made, WARM)
    return made


def a_job(lab: Lab, jobs: int) -> Side:
    """Return a turn of a lab: continue it for about ``jobs`` jobs."""

    def turn() -> float:
        before = lab.finished
        spent = cpu_seconds(lambda: run(lab, lab.env.now + jobs / GPUS))
        return spent / (lab.finished - before)

    return turn


def a_loop_job(loop: HeapLoop, researchers: int, jobs: int) -> Side:
    """Return a turn of the C loop: a new run of about ``jobs`` jobs."""

    def turn() -> float:
        counted = loop.run(researchers, GPUS, WARM, WARM + jobs / GPUS, seed=64)
        return counted.seconds / counted.jobs

    return turn


def against_simpy(case: Case) -> Row:
    """Compare a case."""
    ours = a_job(standing(case.ours, case.researchers, case.discipline), case.jobs)
    other = a_job(standing(case.baseline, case.researchers, case.discipline), case.baseline_jobs)
    pair = take_turns(ours, other, TURNS)
    what = f"{NAMES[case.ours]}, {case.discipline}, N = {case.researchers:,}: faster than {NAMES[case.baseline]}"
    return Row(what, f"{1e6 * pair.ours:.2f} µs", f"{1e6 * pair.other:.2f} µs", pair.faster, case.limit)


def against_c(case: LoopCase, loop: HeapLoop | str) -> Row:
    """Compare a case; ``loop`` says why there is none."""
    what = f"{NAMES[case.ours]}, fcfs, N = {case.researchers:,}: slower than a C heap loop"
    if isinstance(loop, str):
        return Row(what, "", "", None, case.limit, loop)
    ours = a_job(standing(case.ours, case.researchers, "fcfs"), OWN_JOBS)
    pair = take_turns(ours, a_loop_job(loop, case.researchers, LOOP_JOBS), TURNS)
    return Row(what, f"{1e6 * pair.ours:.2f} µs", f"{1e6 * pair.other:.3f} µs", pair.slower, case.limit)


def rows() -> Iterator[Row]:
    """Measure all cases."""
    yield against_small_pool()
    with tempfile.TemporaryDirectory() as folder:
        loop: HeapLoop | str
        try:
            loop = build(Path(folder))
        except NoCompilerError as error:
            loop = str(error)
        for case in track((*LOOP_CASES, *CASES), "measuring", transient=True):
            yield against_c(case, loop) if isinstance(case, LoopCase) else against_simpy(case)


def main() -> int:
    """Print the table; return 1 if a limit is missed."""
    return int(show(f"{GPUS} GPUs, N researchers in a closed loop, CPU time a finished job", rows()) > 0)


if __name__ == "__main__":
    sys.exit(main())
