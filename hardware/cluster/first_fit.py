"""Waiting jobs in order of arrival, searched by length."""

import math
import sys
from collections.abc import Iterator

from hardware.cluster.jobs import Job

UNBOUNDED = sys.float_info.max
"""A length that no job exceeds: standing jobs count as this, so that infinity can mean *no job*."""


class FirstFitIndex:
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
        self._set(slot, min(job.expected, UNBOUNDED))

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
