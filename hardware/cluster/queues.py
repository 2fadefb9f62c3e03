"""Which waiting job goes next: queue disciplines, found by name.

All orders are total (ties go to the earlier submission), so a queue never depends on how it is stored.
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
from hardware.cluster.jobs import Job, JobClass, Seats
from hardware.cluster.placement import Placement


class QueueDiscipline(ABC):
    """The jobs that wait, in the order of a discipline."""

    compares: ClassVar[bool] = True
    """Whether lengths decide who goes next, so that the jobs of a lot must be known to find out."""

    reads_priorities: ClassVar[bool] = False
    """Whether jobs of higher priority go first."""

    def __init__(self) -> None:
        self.first: Job | None = None
        """The head: the job whose turn it is; None if nobody waits."""

    @abstractmethod
    def push(self, job: Job) -> bool:
        """Add a job, at its original place if it comes back; return whether it could be the next to start."""

    @abstractmethod
    def remove(self, job: Job) -> None:
        """Take out a job; if it is not the head or about to start, it must be gone."""

    def rank(self, share: JobClass) -> int:
        """Return what goes before arrival: the lower rank first."""
        return 0

    def must_see(self, lot: JobArray) -> bool:
        """Return whether the next job of the first lot must be known now."""
        return len(self) < LOOKAHEAD_JOBS

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __iter__(self) -> Iterator[Job]:
        """Iterate over the waiting jobs, in no promised order."""


class BackfillQueue(QueueDiscipline):
    """A discipline in which jobs may start before the head; it is told who runs."""

    @abstractmethod
    def began(self, job: Job, ends: float) -> None:
        """Take note that a job runs, and until when."""

    @abstractmethod
    def left(self, job: Job) -> None:
        """Take note that a job runs no more."""

    @abstractmethod
    def reserve(self, now: float, placement: Placement) -> "Reservation | None":
        """Return the reservation of the head, which does not fit; None if no other job could start now anyway."""

    @abstractmethod
    def beside(self, reservation: "Reservation") -> Job | None:
        """Return the first job that may start now beside the head's reservation."""


class PriorityLanes(QueueDiscipline):
    """A discipline in which the head blocks all others and jobs are of few ranks: a lane for each.

    The lowest rank goes first, arrival decides between equals. Jobs that are cancelled behind the head stay in
    their lane until they come up, or are half of all.
    """

    compares = False

    def __init__(self, by_priority: bool) -> None:
        """``by_priority``: a job's rank is minus its priority; else all are alike."""
        super().__init__()
        self._by_priority = by_priority
        self._lanes: dict[int, deque[Job]] = {}
        """By rank, the lowest first."""
        self._lane: deque[Job] = deque()
        """Where the head is."""
        self._rank = 0
        """Rank of the head."""
        self._gone = 0
        """Jobs in the lanes that are gone."""

    def push(self, job: Job) -> bool:
        """Add a job; only the new head can be the next to start."""
        rank = self.rank(job.share)
        lane = self._lanes.get(rank)
        if lane is None:
            lane = self._new_lane(rank)
        if lane and lane[-1].number > job.number:
            _insert(lane, job)
        else:
            lane.append(job)
        first = self.first
        if first is not None and (rank > self._rank or (rank == self._rank and job.number > first.number)):
            return False
        self.first, self._lane, self._rank = job, lane, rank
        return True

    def rank(self, share: JobClass) -> int:
        """Return minus the priority, or 0 for all."""
        return -share.priority if self._by_priority else 0

    def must_see(self, lot: JobArray) -> bool:
        """Return whether the next job of the first lot would be the head, which is all that counts."""
        first = self.first
        return first is None or (self.rank(lot.share), lot.number) < (self._rank, first.number)

    def remove(self, job: Job) -> None:
        """Take out the head, or a job that is gone."""
        if job is not self.first:
            self._gone += 1
            if self._gone > len(self):
                self._sweep()
            return
        lane = self._lane
        lane.popleft()
        if lane and not lane[0].cancelled:
            self.first = lane[0]
        else:
            self._find_first()

    def _find_first(self) -> None:
        self.first = None
        for rank, lane in self._lanes.items():
            while lane and lane[0].cancelled:
                lane.popleft()
                self._gone -= 1
            if lane:
                self.first, self._lane, self._rank = lane[0], lane, rank
                return

    def _new_lane(self, rank: int) -> deque[Job]:
        lane: deque[Job] = deque()
        self._lanes = dict(sorted({**self._lanes, rank: lane}.items()))
        return lane

    def _sweep(self) -> None:
        for lane in self._lanes.values():
            waiting = [job for job in lane if not job.cancelled]
            lane.clear()
            lane.extend(waiting)
        self._gone = 0

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values())) - self._gone

    def __iter__(self) -> Iterator[Job]:
        return (job for lane in self._lanes.values() for job in lane if not job.cancelled)


def _insert(lane: deque[Job], job: Job) -> None:
    """Put a job that comes back in its place, which is near the front: it was submitted before it first ran."""
    place = 0
    while lane[place].number < job.number:
        place += 1
    lane.insert(place, job)


class FirstComeFirstServed(PriorityLanes):
    """First come, first served."""

    def __init__(self) -> None:
        super().__init__(by_priority=False)


class Priority(PriorityLanes):
    """Higher priority first, then arrival."""

    reads_priorities = True

    def __init__(self) -> None:
        super().__init__(by_priority=True)


class ShortestJobFirst(QueueDiscipline):
    """Shortest remaining time first, whatever the number of GPUs, then arrival; the head blocks all others.

    Jobs that are cancelled behind the head stay in the heap until they come up, or are half of all.
    """

    def __init__(self) -> None:
        super().__init__()
        self._heap: list[tuple[float, int, Job]] = []
        self._gone = 0
        """Jobs in the heap that are gone."""

    def push(self, job: Job) -> bool:
        """Add a job; only the new head can be the next to start."""
        heappush(self._heap, (job.expected, job.number, job))
        self.first = self._heap[0][2]
        return self.first is job

    def remove(self, job: Job) -> None:
        """Take out the head, or a job that is gone."""
        heap = self._heap
        if job is self.first:
            heappop(heap)
            while heap and heap[0][2].cancelled:
                heappop(heap)
                self._gone -= 1
            self.first = heap[0][2] if heap else None
            return
        self._gone += 1
        if self._gone > len(self):
            heap[:] = [entry for entry in heap if not entry[2].cancelled]
            heapify(heap)
            self._gone = 0

    def __len__(self) -> int:
        return len(self._heap) - self._gone

    def __iter__(self) -> Iterator[Job]:
        return (job for _, _, job in self._heap if not job.cancelled)


class Reservation:
    """When the head is promised its GPUs, and who may start beside that promise.

    ``at``: the earliest time at which the head fits if all that run end as their lengths say; infinite if
    standing jobs are in its way. A job may start now if it ends by then, or if with it in its seats the head
    would still fit then. So the head is never later than ``at`` while lengths are exact and nothing fails, also
    under consolidated placement, where the seats count and not only their number.
    """

    def __init__(self, head: Job, ends: list[tuple[float, int, Job]], now: float, placement: Placement) -> None:
        self.at = math.inf
        self._placement = placement
        self._vacancy = placement.vacancy(head.gpus)
        for end, _, job in ends:
            if end > self.at:
                break
            self._vacancy.leave(job.seats)
            if self._vacancy.fits:
                self.at = end  # and on to those that end in the same instant
        self.at = max(self.at, now)  # a job may have run on past its expected end
        self._window = _max_duration_before(now, self.at)

    def longest(self, gpus: int) -> float:
        """Return how long a gang of so many GPUs may stay if it starts now; negative if it does not fit."""
        seats = self._placement.take(gpus)
        if seats is None:
            return -1.0
        self._placement.release(seats)
        return UNBOUNDED if self._spares(seats) else self._window

    def started(self, job: Job) -> None:
        """Take note that a job has started beside the promise."""
        if job.ends > self.at:
            self._vacancy.come(job.seats)

    def _spares(self, seats: Seats) -> bool:
        """Return whether the head still fits at its time with another gang in these seats."""
        self._vacancy.come(seats)
        fits = self._vacancy.fits
        self._vacancy.leave(seats)
        return fits


def _max_duration_before(now: float, until: float) -> float:
    """Return a time with ``now + time <= until`` in floating point, where the difference may round up."""
    stay = until - now
    while now + stay > until:
        stay = math.nextafter(stay, -math.inf)
    return min(stay, UNBOUNDED)


class EasyBackfill(BackfillQueue):
    """Priority, then arrival, with EASY backfill: a later job may start if it does not delay the head."""

    reads_priorities = True

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[tuple[int, int], FirstFitIndex] = {}
        """Who waits behind the head, by (minus priority, GPUs)."""
        self._behind = 0
        """How many they are."""
        self._ends: list[tuple[float, int, Job]] = []
        """(promised end, number, job) of those that run, first end first; standing jobs promise nothing."""

    def rank(self, share: JobClass) -> int:
        """Return minus the priority."""
        return -share.priority

    def push(self, job: Job) -> bool:
        """Add a job; any job may be the next to start."""
        first = self.first
        if first is None:
            self.first = job
            return True
        if (-job.share.priority, job.number) < (-first.share.priority, first.number):
            self.first, job = job, first
        key = (-job.share.priority, job.gpus)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = FirstFitIndex()
        line.add(job)
        self._behind += 1
        return True

    def remove(self, job: Job) -> None:
        """Take out a job that waits."""
        if job is not self.first:
            self._take_out(job)
            return
        self.first = None
        if self._behind:
            self.first = self._earliest(dict.fromkeys((gpus for _, gpus in self._lines), UNBOUNDED))
            assert self.first is not None, "somebody waits behind"
            self._take_out(self.first)

    def _take_out(self, job: Job) -> None:
        self._lines[-job.share.priority, job.gpus].remove(job)
        self._behind -= 1

    def began(self, job: Job, ends: float) -> None:
        """Take note that a job runs, and until when."""
        job.ends = ends
        if ends < math.inf:
            insort(self._ends, (ends, job.number, job))

    def left(self, job: Job) -> None:
        """Take note that a job runs no more."""
        if job.ends < math.inf:
            del self._ends[bisect_left(self._ends, (job.ends, job.number, job))]

    def reserve(self, now: float, placement: Placement) -> Reservation | None:
        """Return the head's reservation, or None if no other job could start now."""
        head = self.first
        if not self._behind:
            return None
        sizes = {gpus for (_, gpus), line in self._lines.items() if line}
        if head is None or not any(placement.fits(gpus) for gpus in sizes):
            return None
        return Reservation(head, self._ends, now, placement)

    def beside(self, reservation: Reservation) -> Job | None:
        """Return the first job that may start now beside the head's reservation."""
        sizes = [gpus for (_, gpus), line in self._lines.items() if line]
        return self._earliest({gpus: reservation.longest(gpus) for gpus in dict.fromkeys(sizes)})

    def _earliest(self, longest: dict[int, float]) -> Job | None:
        """Return the first job whose time is at most what its size may have."""
        best: Job | None = None
        best_key = (math.inf, math.inf)
        for (rank, gpus), line in self._lines.items():
            if line and rank <= best_key[0]:
                job = line.first(longest[gpus])
                if job is not None and (rank, job.number) < best_key:
                    best, best_key = job, (rank, job.number)
        return best

    def __len__(self) -> int:
        return self._behind + (self.first is not None)

    def __iter__(self) -> Iterator[Job]:
        if self.first is not None:
            yield self.first
        for line in self._lines.values():
            yield from line


QUEUES: dict[str, Callable[[], QueueDiscipline]] = {
    "fcfs": FirstComeFirstServed,
    "priority": Priority,
    "sjf": ShortestJobFirst,
    "easy": EasyBackfill,
}
"""Every discipline by its name."""
