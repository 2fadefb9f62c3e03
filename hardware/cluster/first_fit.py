"""Find the first waiting job that is short enough."""

import math
import sys
from collections.abc import Iterator

from hardware.cluster.jobs import Job

UNBOUNDED = sys.float_info.max
"""Maximum length of a job; standing jobs have this length, so that infinity can mean *no job*."""


class FirstFitIndex:
    """Waiting jobs of one priority and one size in order of arrival, searched by length.

    The index is a tournament tree of lengths: each search by length costs the logarithm of the number of jobs. The tree
    takes up changes before such a search only, because many runs never need one.
    """

    def __init__(self) -> None:
        self._first_slot = 0
        """Slot before which there is no job."""
        self._rebuild([])

    def add(self, job: Job) -> None:
        """Add a job: at the end, or at its original place if it returns."""
        if self._pending or len(self._jobs) == self._size or (self._jobs and job.number < self._last):
            self._pending.append(job)
            return
        self._insert(job)

    def remove(self, job: Job) -> None:
        """Remove a job of the index."""
        if self._pending:
            self._insert_pending()
        slot = self._slots.pop(job.number)
        self._jobs[slot] = None
        self._changed[slot] = math.inf

    def earliest(self) -> Job | None:
        """Return the first job of any length."""
        if self._pending:
            self._insert_pending()
        jobs, slot = self._jobs, self._first_slot
        while slot < len(jobs):
            job = jobs[slot]
            if job is not None:
                self._first_slot = slot
                return job
            slot += 1
        self._first_slot = slot
        return None

    def first(self, longest: float) -> Job | None:
        """Return the first job with a length of at most ``longest``."""
        if self._pending:
            self._insert_pending()
        if self._changed:
            self._update_tree()
        lengths, size = self._lengths, self._size
        node = 1
        if lengths[node] > longest:
            return None
        while node < size:
            node *= 2
            if lengths[node] > longest:
                node += 1
        return self._jobs[node - size]

    def __len__(self) -> int:
        return len(self._slots) + len(self._pending)

    def __iter__(self) -> Iterator[Job]:
        if self._pending:
            self._insert_pending()
        return (job for job in self._jobs if job is not None)

    def _insert_pending(self) -> None:
        """Insert jobs that returned, all together."""
        self._rebuild(sorted([*filter(None, self._jobs), *self._pending], key=_arrival))

    def _rebuild(self, jobs: list[Job]) -> None:
        self._size = max(8, 1 << (2 * len(jobs)).bit_length())
        self._lengths = [math.inf] * (2 * self._size)
        self._jobs: list[Job | None] = []
        self._slots: dict[int, int] = {}
        self._first_slot = 0
        self._changed: dict[int, float] = {}
        """Lengths that the tree does not contain yet, by slot."""
        self._pending: list[Job] = []
        self._last = 0
        for job in jobs:
            self._insert(job)

    def _insert(self, job: Job) -> None:
        slot = self._slots[job.number] = len(self._jobs)
        self._jobs.append(job)
        self._last = job.number
        length = job.expected
        self._changed[slot] = min(UNBOUNDED, length)

    def _update_tree(self) -> None:
        for slot, length in self._changed.items():
            self._update_leaf(slot, length)
        self._changed.clear()

    def _update_leaf(self, slot: int, length: float) -> None:
        lengths = self._lengths
        node = slot + self._size
        lengths[node] = length
        while node > 1:
            length = min(length, lengths[node ^ 1])
            node //= 2
            if lengths[node] == length:
                return
            lengths[node] = length


def _arrival(job: Job) -> int:
    return job.number
