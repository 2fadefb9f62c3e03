"""Which waiting job goes next: queue disciplines, found by name.

All orders are total (ties go to the earlier submission), so a queue never depends on how it is stored.
"""

import math
import sys
from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush

from hardware.jobs import Job
from hardware.topology import Placement

ANY = sys.float_info.max
"""A length that no job exceeds: standing jobs count as this, so that infinity can mean *no job*."""


class Queue(ABC):
    """The jobs that wait, in the order of a discipline."""

    @abstractmethod
    def push(self, job: Job) -> bool:
        """Add a job, at its original place if it comes back; return whether it could be the next to start."""

    @abstractmethod
    def head(self) -> Job | None:
        """Return the job whose turn it is."""

    @abstractmethod
    def remove(self, job: Job) -> None:
        """Take out a job that waits, wherever it stands."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __iter__(self) -> Iterator[Job]:
        """Iterate over the waiting jobs, in no promised order."""


class BackfillQueue(Queue):
    """A discipline in which jobs may start before the head; it is told who runs."""

    @abstractmethod
    def began(self, job: Job) -> None:
        """Take note that a job runs."""

    @abstractmethod
    def left(self, job: Job) -> None:
        """Take note that a job runs no more."""

    @abstractmethod
    def reserve(self, now: float, placement: Placement) -> "Reservation | None":
        """Return the reservation of the head, which does not fit; None if no other job could start now anyway."""

    @abstractmethod
    def beside(self, reservation: "Reservation") -> Job | None:
        """Return the first job that may start now beside the head's reservation."""


class HeapQueue(Queue):
    """A discipline in which the head blocks all others, as a heap. Cancelled jobs are dropped when they come up."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Job]] = []
        self._gone: set[int] = set()
        """Numbers of cancelled jobs that are still in the heap."""

    @staticmethod
    @abstractmethod
    def rank(job: Job) -> float:
        """Return what the order goes by, lowest first; it must not change while the job waits."""

    def push(self, job: Job) -> bool:
        """Add a job; only the new head can be the next to start."""
        entry = (self.rank(job), job.number, job)
        heappush(self._heap, entry)
        return self._heap[0] is entry

    def head(self) -> Job | None:
        """Return the first job."""
        return self._heap[0][2] if self._heap else None

    def remove(self, job: Job) -> None:
        """Take out a job; a job that is not the head stays in the heap until it comes up."""
        heap = self._heap
        if heap[0][2] is job:
            heappop(heap)
        else:
            self._gone.add(job.number)
            if 2 * len(self._gone) > len(heap):
                self._sweep()
        if self._gone:
            while heap and heap[0][1] in self._gone:
                self._gone.remove(heappop(heap)[1])

    def _sweep(self) -> None:
        self._heap[:] = [entry for entry in self._heap if entry[1] not in self._gone]
        heapify(self._heap)
        self._gone.clear()

    def __len__(self) -> int:
        return len(self._heap) - len(self._gone)

    def __iter__(self) -> Iterator[Job]:
        return (job for _, number, job in self._heap if number not in self._gone)


class Fcfs(HeapQueue):
    """First come, first served."""

    @staticmethod
    def rank(job: Job) -> float:
        """All alike: arrival decides."""
        return 0


class Priority(HeapQueue):
    """Higher priority first, then arrival."""

    @staticmethod
    def rank(job: Job) -> float:
        """The higher, the earlier."""
        return -job.share.priority


class Sjf(HeapQueue):
    """Shortest remaining time first, whatever the number of GPUs, then arrival."""

    @staticmethod
    def rank(job: Job) -> float:
        """Time to go, restart included."""
        return job.remaining


class Line:
    """Waiting jobs of one priority and one size, in order of arrival; finds the first that is short enough.

    A tournament tree of lengths: each question and each change costs the logarithm of the number of jobs.
    """

    def __init__(self) -> None:
        self._rebuild([])

    def add(self, job: Job) -> None:
        """Add a job: behind all others, or at its place if it comes back."""
        if self._late or len(self._jobs) == self._size or (self._jobs and job.number < self._last):
            self._late.append(job)
            return
        self._place(job)

    def remove(self, job: Job) -> None:
        """Take out a job that is in the line."""
        self._settle()
        slot = self._slots.pop(job.number)
        self._jobs[slot] = None
        self._set(slot, math.inf)

    def first(self, longest: float) -> Job | None:
        """Return the first job that needs its GPUs for at most ``longest``."""
        self._settle()
        lengths = self._lengths
        node = 1
        if lengths[node] > longest:
            return None
        while node < self._size:
            node *= 2
            if lengths[node] > longest:
                node += 1
        return self._jobs[node - self._size]

    def __len__(self) -> int:
        return len(self._slots) + len(self._late)

    def __iter__(self) -> Iterator[Job]:
        self._settle()
        return (job for job in self._jobs if job is not None)

    def _settle(self) -> None:
        """Put latecomers in their places: once for any number of them."""
        if self._late:
            self._rebuild(sorted([*filter(None, self._jobs), *self._late], key=_arrival))

    def _rebuild(self, jobs: list[Job]) -> None:
        self._size = max(8, 1 << (2 * len(jobs)).bit_length())
        self._lengths = [math.inf] * (2 * self._size)
        self._jobs: list[Job | None] = []
        self._slots: dict[int, int] = {}
        self._late: list[Job] = []
        self._last = 0
        for job in jobs:
            self._place(job)

    def _place(self, job: Job) -> None:
        slot = self._slots[job.number] = len(self._jobs)
        self._jobs.append(job)
        self._last = job.number
        self._set(slot, min(job.remaining, ANY))

    def _set(self, slot: int, length: float) -> None:
        lengths = self._lengths
        node = slot + self._size
        lengths[node] = length
        while node > 1:
            shorter = min(lengths[node], lengths[node ^ 1])
            node //= 2
            if lengths[node] == shorter:
                return
            lengths[node] = shorter


def _arrival(job: Job) -> int:
    return job.number


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
        self._window = _longest_stay(now, self.at)

    def longest(self, gpus: int) -> float:
        """Return how long a gang of so many GPUs may stay if it starts now; negative if it does not fit."""
        if not self._placement.fits(gpus):
            return -1.0
        return ANY if self.at == math.inf or self._spares(gpus) else self._window

    def started(self, job: Job) -> None:
        """Take note that a job has started beside the promise."""
        if job.ends > self.at:
            self._vacancy.come(job.seats)

    def _spares(self, gpus: int) -> bool:
        """Return whether the head still fits at its time with such a gang in the seats it would get now."""
        seats = self._placement.take(gpus)
        self._placement.release(seats)
        self._vacancy.come(seats)
        fits = self._vacancy.fits
        self._vacancy.leave(seats)
        return fits


def _longest_stay(now: float, until: float) -> float:
    """Return a time with ``now + time <= until`` in floating point, where the difference may round up."""
    stay = until - now
    while now + stay > until:
        stay = math.nextafter(stay, -math.inf)
    return min(stay, ANY)


class Easy(BackfillQueue):
    """Priority, then arrival, with EASY backfill: a later job may start if it does not delay the head."""

    def __init__(self) -> None:
        self._lines: dict[tuple[int, int], Line] = {}
        """By (minus priority, GPUs)."""
        self._ends: list[tuple[float, int, Job]] = []
        """(promised end, number, job) of those that run, first end first; standing jobs promise nothing."""

    def push(self, job: Job) -> bool:
        """Add a job; any job may be the next to start."""
        key = (-job.share.priority, job.gpus)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = Line()
        line.add(job)
        return True

    def head(self) -> Job | None:
        """Return the first job by priority, then arrival."""
        return self._earliest(dict.fromkeys((gpus for _, gpus in self._lines), ANY))

    def remove(self, job: Job) -> None:
        """Take out a job that waits."""
        self._lines[-job.share.priority, job.gpus].remove(job)

    def began(self, job: Job) -> None:
        """Take note that a job runs."""
        if job.ends < math.inf:
            insort(self._ends, (job.ends, job.number, job))

    def left(self, job: Job) -> None:
        """Take note that a job runs no more."""
        if job.ends < math.inf:
            del self._ends[bisect_left(self._ends, (job.ends, job.number, job))]

    def reserve(self, now: float, placement: Placement) -> Reservation | None:
        """Return the head's reservation, or None if no other job could start now."""
        head = self.head()
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
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[Job]:
        return (job for line in self._lines.values() for job in line)


QUEUES: dict[str, Callable[[], Queue]] = {"fcfs": Fcfs, "priority": Priority, "sjf": Sjf, "easy": Easy}
"""Every discipline by its name."""
