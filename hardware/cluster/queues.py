"""Define the order in which waiting jobs start: queue disciplines, found by name.

All orders are total (ties go to the earlier submission), so the order does not depend on storage.
"""

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import ClassVar

from hardware.cluster.first_fit import UNBOUNDED, FirstFitIndex
from hardware.cluster.job_arrays import LOOKAHEAD_JOBS, JobArray
from hardware.cluster.jobs import Allocation, Job, JobClass
from hardware.cluster.placement import Placement


class QueueDiscipline(ABC):
    """Waiting jobs in the order of a discipline."""

    orders_by_length: ClassVar[bool] = True
    """Whether the order depends on lengths, so that jobs of an array must be known to compare them."""

    reads_priorities: ClassVar[bool] = False
    """Whether jobs of higher priority start first."""

    def __init__(self) -> None:
        self.head: Job | None = None
        """The job that starts next; None if no job waits."""

    @abstractmethod
    def push(self, job: Job) -> bool:
        """Add a job, at its original place if it returns; return whether it could be the next to start."""

    @abstractmethod
    def remove(self, job: Job) -> None:
        """Remove a job: the head, a job that is about to start, or a cancelled job."""

    def rank(self, job_class: JobClass) -> int:
        """Return the rank of a job class; lower ranks start first, then earlier arrivals."""
        return 0

    def needs_next_of(self, array: JobArray) -> bool:
        """Return whether the next job of the first array must be drawn now."""
        return len(self) < LOOKAHEAD_JOBS

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __iter__(self) -> Iterator[Job]:
        """Iterate over the waiting jobs, in no promised order."""


class BackfillQueue(QueueDiscipline):
    """A discipline in which jobs may start before the head; it is notified of starts and ends."""

    @abstractmethod
    def on_start(self, job: Job, ends: float) -> None:
        """Handle the start of a job, with its expected end."""

    @abstractmethod
    def on_end(self, job: Job) -> None:
        """Handle that a job no longer runs."""

    @abstractmethod
    def reserve(self, now: float, placement: Placement) -> "Reservation | None":
        """Return the reservation of the head, which does not fit; None if no other job could start now."""

    @abstractmethod
    def next_backfill(self, reservation: "Reservation") -> Job | None:
        """Return the first job that may start now without delaying the head."""


class PriorityLanes(QueueDiscipline):
    """A discipline in which the head blocks all others, with one lane for each rank.

    The lowest rank starts first, then the earliest arrival. Jobs that are cancelled behind the head remain in
    their lane as tombstones until they reach its front, or are half of all entries.
    """

    orders_by_length = False

    def __init__(self, by_priority: bool) -> None:
        """Create an empty queue; the rank is minus the priority if ``by_priority``, else 0."""
        super().__init__()
        self._by_priority = by_priority
        self._lanes: dict[int, deque[Job]] = {}
        """Lanes by rank, the lowest first."""
        self._lane: deque[Job] = deque()
        """Lane of the head."""
        self._rank = 0
        """Rank of the head."""
        self._tombstones = 0
        """Number of cancelled jobs in the lanes."""

    def push(self, job: Job) -> bool:
        """Add a job; only the new head can be the next to start."""
        rank = -job.job_class.priority if self._by_priority else 0
        lane = self._lanes.get(rank)
        if lane is None:
            lane = self._new_lane(rank)
        if lane and lane[-1].number > job.number:
            _insert(lane, job)
        else:
            lane.append(job)
        first = self.head
        if first is not None and (rank > self._rank or (rank == self._rank and job.number > first.number)):
            return False
        self.head, self._lane, self._rank = job, lane, rank
        return True

    def rank(self, job_class: JobClass) -> int:
        """Return minus the priority, or 0."""
        return -job_class.priority if self._by_priority else 0

    def needs_next_of(self, array: JobArray) -> bool:
        """Return whether the next job of the first array would be the head."""
        first = self.head
        return first is None or (self.rank(array.job_class), array.number) < (self._rank, first.number)

    def remove(self, job: Job) -> None:
        """Remove the head or a cancelled job."""
        if job is not self.head:
            self._tombstones += 1
            if self._tombstones > len(self):
                self._drop_tombstones()
            return
        lane = self._lane
        lane.popleft()
        if lane and not lane[0].cancelled:
            self.head = lane[0]
        else:
            self._find_head()

    def _find_head(self) -> None:
        self.head = None
        for rank, lane in self._lanes.items():
            while lane and lane[0].cancelled:
                lane.popleft()
                self._tombstones -= 1
            if lane:
                self.head, self._lane, self._rank = lane[0], lane, rank
                return

    def _new_lane(self, rank: int) -> deque[Job]:
        lane: deque[Job] = deque()
        self._lanes = dict(sorted({**self._lanes, rank: lane}.items()))
        return lane

    def _drop_tombstones(self) -> None:
        for lane in self._lanes.values():
            waiting = [job for job in lane if not job.cancelled]
            lane.clear()
            lane.extend(waiting)
        self._tombstones = 0

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values())) - self._tombstones

    def __iter__(self) -> Iterator[Job]:
        return (job for lane in self._lanes.values() for job in lane if not job.cancelled)


def _insert(lane: deque[Job], job: Job) -> None:
    """Insert a job that returns at its place, which is near the front because it was submitted early."""
    place = 0
    while lane[place].number < job.number:
        place += 1
    lane.insert(place, job)


class FirstComeFirstServed(PriorityLanes):
    """Order by arrival: first come, first served."""

    def __init__(self) -> None:
        super().__init__(by_priority=False)


class Priority(PriorityLanes):
    """Higher priority first, then arrival."""

    reads_priorities = True

    def __init__(self) -> None:
        super().__init__(by_priority=True)


class ShortestJobFirst(QueueDiscipline):
    """Order by shortest remaining time, then by arrival; the head blocks all others.

    The number of GPUs does not matter. Jobs that are cancelled behind the head remain in the heap as tombstones until
    they reach its top, or are half of all entries.
    """

    def __init__(self) -> None:
        super().__init__()
        self._heap: list[tuple[float, int, Job]] = []
        self._tombstones = 0
        """Number of cancelled jobs in the heap."""

    def push(self, job: Job) -> bool:
        """Add a job; only the new head can be the next to start."""
        heappush(self._heap, (job.expected, job.number, job))
        self.head = self._heap[0][2]
        return self.head is job

    def remove(self, job: Job) -> None:
        """Remove the head or a cancelled job."""
        heap = self._heap
        if job is self.head:
            heappop(heap)
            while heap and heap[0][2].cancelled:
                heappop(heap)
                self._tombstones -= 1
            self.head = heap[0][2] if heap else None
            return
        self._tombstones += 1
        if self._tombstones > len(self):
            heap[:] = [entry for entry in heap if not entry[2].cancelled]
            heapify(heap)
            self._tombstones = 0

    def __len__(self) -> int:
        return len(self._heap) - self._tombstones

    def __iter__(self) -> Iterator[Job]:
        return (job for _, _, job in self._heap if not job.cancelled)


class Reservation:
    """The time reserved for the head, and the jobs that may start without delaying it.

    ``at`` is the earliest time at which the head fits if running jobs end at their expected ends; it is infinite if
    standing jobs block the head. A job may start now if it ends by then, or if with it in its allocation the head
    would still fit then. So the head never starts later than ``at`` while lengths are exact and nothing fails. That
    holds under consolidated placement, too, because the nodes of the GPUs are taken into account.
    """

    def __init__(self, head: Job, ends: list[tuple[float, int, Job]], now: float, placement: Placement) -> None:
        self.at = math.inf
        self._since = now
        self._placement = placement
        self._probe = placement.fit_probe(head.gpus)
        for end, _, job in ends:
            if end > self.at:
                break
            self._probe.release(job.allocation)
            if self._probe.fits:
                self.at = end  # and include jobs that end in the same instant
        self.at = max(self.at, now)  # a job may have run on past its expected end
        self._window = _max_duration_before(now, self.at)

    def max_work(self, gpus: int) -> float:
        """Return the maximum work of a gang that starts now, as run time at speed 1; negative if it does not fit."""
        allocation = self._placement.take(gpus)
        if allocation is None:
            return -1.0
        self._placement.release(allocation)
        if self._keeps_head_feasible(allocation):
            return UNBOUNDED
        if self._placement.has_one_speed:
            return self._window
        return max_work_before(self._since, self.at, self._window, self._placement.speed_of(allocation))

    def on_start(self, job: Job) -> None:
        """Handle the start of a job by backfill."""
        if job.ends > self.at:
            self._probe.occupy(job.allocation)

    def _keeps_head_feasible(self, allocation: Allocation) -> bool:
        """Return whether the head still fits at its reserved time if another gang holds this allocation."""
        self._probe.occupy(allocation)
        fits = self._probe.fits
        self._probe.release(allocation)
        return fits


def _max_duration_before(now: float, until: float) -> float:
    """Return ``until - now``, reduced so that ``now + time <= until`` holds in floating point."""
    duration = until - now
    while now + duration > until:
        duration = math.nextafter(duration, -math.inf)
    return min(duration, UNBOUNDED)


def max_work_before(now: float, until: float, window: float, speed: float) -> float:
    """Return ``window * speed``, reduced so that ``now + work / speed <= until`` holds in floating point."""
    work = min(window * speed, UNBOUNDED)
    while now + work / speed > until:
        work = math.nextafter(work, -math.inf)
    return work


class EasyBackfill(BackfillQueue):
    """Order by priority, then by arrival, with EASY backfill: a later job may start if it does not delay the head."""

    reads_priorities = True

    def __init__(self) -> None:
        super().__init__()
        self._indexes: dict[tuple[int, int], FirstFitIndex] = {}
        """Jobs behind the head, by (minus priority, GPUs)."""
        self._behind_head = 0
        """Number of jobs behind the head."""
        self._expected_ends: list[tuple[float, int, Job]] = []
        """(expected end, number, job) of running jobs in order; standing jobs are not included."""

    def rank(self, job_class: JobClass) -> int:
        """Return minus the priority."""
        return -job_class.priority

    def push(self, job: Job) -> bool:
        """Add a job; any job may be the next to start."""
        first, rank = self.head, -job.job_class.priority
        if first is None:
            self.head = job
            return True
        rank_of_first = -first.job_class.priority
        if rank < rank_of_first or (rank == rank_of_first and job.number < first.number):
            self.head, job, rank = job, first, rank_of_first
        key = (rank, job.gpus)
        index = self._indexes.get(key)
        if index is None:
            index = self._indexes[key] = FirstFitIndex()
        index.add(job)
        self._behind_head += 1
        return True

    def remove(self, job: Job) -> None:
        """Remove a waiting job."""
        if job is not self.head:
            self._remove(job)
            return
        self.head = self._take_next_head() if self._behind_head else None

    def _remove(self, job: Job) -> None:
        self._indexes[-job.job_class.priority, job.gpus].remove(job)
        self._behind_head -= 1

    def on_start(self, job: Job, ends: float) -> None:
        """Handle the start of a job, with its expected end."""
        job.ends = ends
        if ends < math.inf:
            insort(self._expected_ends, (ends, job.number, job))

    def on_end(self, job: Job) -> None:
        """Handle that a job no longer runs."""
        if job.ends < math.inf:
            del self._expected_ends[bisect_left(self._expected_ends, (job.ends, job.number, job))]

    def reserve(self, now: float, placement: Placement) -> Reservation | None:
        """Return the head's reservation, or None if no other job could start now."""
        head = self.head
        if not self._behind_head:
            return None
        sizes = {gpus for (_, gpus), index in self._indexes.items() if index}
        if head is None or not any(placement.fits(gpus) for gpus in sizes):
            return None
        return Reservation(head, self._expected_ends, now, placement)

    def next_backfill(self, reservation: Reservation) -> Job | None:
        """Return the first job that may start now without delaying the head."""
        sizes = [gpus for (_, gpus), index in self._indexes.items() if index]
        max_work = {gpus: reservation.max_work(gpus) for gpus in dict.fromkeys(sizes)}
        candidates = (
            (rank, job)
            for (rank, gpus), index in self._indexes.items()
            if (job := index.first(max_work.get(gpus, 0.0))) is not None
        )
        return min(candidates, key=_rank_and_number, default=_NO_CANDIDATE)[1]

    def _take_next_head(self) -> Job:
        """Remove and return the first job behind the head; there must be one."""
        best: Job | None = None
        source: FirstFitIndex | None = None
        best_rank = 0
        for (rank, _), index in self._indexes.items():
            job = index.earliest()
            if job is not None and (best is None or (rank, job.number) < (best_rank, best.number)):
                best, best_rank, source = job, rank, index
        assert best is not None and source is not None, "jobs wait behind the head"
        source.remove(best)
        self._behind_head -= 1
        return best

    def __len__(self) -> int:
        return self._behind_head + (self.head is not None)

    def __iter__(self) -> Iterator[Job]:
        if self.head is not None:
            yield self.head
        for index in self._indexes.values():
            yield from index


_NO_CANDIDATE: tuple[int, None] = (0, None)


def _rank_and_number(candidate: tuple[int, Job]) -> tuple[int, int]:
    rank, job = candidate
    return rank, job.number


QUEUES: dict[str, Callable[[], QueueDiscipline]] = {
    "fcfs": FirstComeFirstServed,
    "priority": Priority,
    "sjf": ShortestJobFirst,
    "easy": EasyBackfill,
}
"""Every discipline by its name."""
