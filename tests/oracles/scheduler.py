"""A slow scheduler for a flat pool of GPUs, written from the definitions of the disciplines alone.

At each instant: (1) jobs that end return their GPUs; (2) all jobs that arrive join the queue; (3) the queue is sorted
and jobs start. Jobs of length 0 end at once, and step 3 follows again. Nothing fails and nothing is preempted.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Request(NamedTuple):
    """A job as it is submitted; its number is its place in the list."""

    arrival: float
    length: float
    gpus: int
    priority: int = 0


Order = Callable[[int, Request, float], tuple[float, ...]]
"""Sort key of a waiting job, from (number, request, remaining time); the least goes first."""

ORDERS: dict[str, Order] = {
    "fcfs": lambda number, job, remaining: (number,),
    "priority": lambda number, job, remaining: (-job.priority, number),
    "easy": lambda number, job, remaining: (-job.priority, number),
    "sjf": lambda number, job, remaining: (remaining, number),
    "longest": lambda number, job, remaining: (-remaining, number),
    "lifo": lambda number, job, remaining: (-number,),
}


def first_starts(
    jobs: Sequence[Request], gpus: int, discipline: str, interruptions: Sequence[float] = ()
) -> list[float]:
    """Return when each job first starts. At an interruption all running jobs return to the queue, without loss."""
    starts: dict[int, float] = {}
    ends: dict[int, float] = {}
    remaining = {number: job.length for number, job in enumerate(jobs)}
    waiting: set[int] = set()
    instants = {job.arrival for job in jobs} | set(interruptions)
    now = -1.0
    while future := {each for each in instants | set(ends.values()) if each > now}:
        now = min(future)
        ends = {number: end for number, end in ends.items() if end > now}
        waiting |= {number for number, job in enumerate(jobs) if job.arrival == now}
        if now in interruptions:
            remaining |= {number: end - now for number, end in ends.items()}
            waiting |= set(ends)
            ends = {}
        while started := _dispatch(jobs, gpus, discipline, waiting, remaining, ends, now):
            for number in started:
                starts.setdefault(number, now)
            waiting -= set(started)
            if all(remaining[number] > 0 for number in started):
                break
            ends = {number: end for number, end in ends.items() if end > now}
    return [starts[number] for number in range(len(jobs))]


def _dispatch(
    jobs: Sequence[Request],
    gpus: int,
    discipline: str,
    waiting: set[int],
    remaining: dict[int, float],
    ends: dict[int, float],
    now: float,
) -> list[int]:
    """Add the ends of the jobs that start now to ``ends`` and return their numbers."""
    line = sorted(waiting, key=lambda number: ORDERS[discipline](number, jobs[number], remaining[number]))
    free = gpus - sum(jobs[number].gpus for number in ends)
    started: list[int] = []
    while line and jobs[line[0]].gpus <= free:
        number = line.pop(0)
        free -= jobs[number].gpus
        ends[number] = now + remaining[number]
        started.append(number)
    if not line or discipline != "easy":
        return started
    head = jobs[line.pop(0)]
    shadow = min(end for end in ends.values() if _free_at(end, jobs, gpus, ends) >= head.gpus)
    extra = _free_at(shadow, jobs, gpus, ends) - head.gpus
    for number in line:
        late = now + remaining[number] > shadow
        if jobs[number].gpus > free or (late and jobs[number].gpus > extra):
            continue
        free -= jobs[number].gpus
        extra -= jobs[number].gpus if late else 0
        ends[number] = now + remaining[number]
        started.append(number)
    return started


def _free_at(time: float, jobs: Sequence[Request], gpus: int, ends: dict[int, float]) -> int:
    """Free GPUs once all running jobs that end by ``time`` are over."""
    return gpus - sum(jobs[number].gpus for number, end in ends.items() if end > time)
