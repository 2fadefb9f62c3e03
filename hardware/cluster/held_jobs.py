"""Keep the jobs of one use back from the queue while a limit holds them."""

from collections.abc import Callable
from typing import Any

from hardware.cluster.job_arrays import JobArray
from hardware.cluster.jobs import Job
from hardware.cluster.pending_arrays import PendingArrays
from hardware.cluster.queues import FirstComeFirstServed


class HeldJobs:
    """Jobs of one use that wait before the queue of a pool, because their use is limited to ``limit`` GPUs.

    They pass to the queue in order of submission, as long as all jobs that have passed and are not over have at most
    ``limit`` GPUs together. A job that is larger than the limit stays, and later ones pass it.
    """

    def __init__(self, limit: int, admitted: int) -> None:
        self.limit = limit
        """Limit of the use [GPUs]."""
        self.admitted = admitted
        """GPUs of the jobs of this use that wait in the queue or run."""
        self.arrays = PendingArrays()
        """Job arrays that wait here, as counts."""
        self._jobs: dict[int, Job] = {}
        """All jobs that wait here, by number."""
        self._line = FirstComeFirstServed()
        """Those of at most ``limit`` GPUs."""

    def push(self, job: Job) -> bool:
        """Add a job; return False: no job starts from here."""
        self._jobs[job.number] = job
        if job.gpus <= self.limit:
            self._line.push(job)
        return False

    def needs_next_of(self, array: JobArray) -> bool:
        """Return whether the next job of the first array comes before all others."""
        return self._line.needs_next_of(array)

    def add_arrays(self, arrays: list[JobArray]) -> None:
        """Add job arrays at their places."""
        if len(arrays) == 1 and (not self.arrays or self.arrays[-1].number < arrays[0].number):
            self.arrays.append(arrays[0])
        else:
            self.arrays.insert_ordered(arrays, self._line)

    def cancel(self, job: Job) -> bool:
        """Remove a cancelled job; return False if it is not here."""
        if self._jobs.pop(job.number, None) is None:
            return False
        if job.gpus <= self.limit:
            self._line.remove(job)
        return True

    def admit(
        self, env: Any, max_gpus: int, checkpoint_time: Callable[[int, float], float] | None = None
    ) -> Job | None:
        """Remove and return the next job that may pass to the queue; None if there is none.

        A job of an array is drawn when it is next and the limit leaves GPUs. ``max_gpus`` and ``checkpoint_time``: as
        for :meth:`PendingArrays.materialize_visible`.
        """
        if self.admitted >= self.limit:
            return None
        if self.arrays:
            self.arrays.materialize_visible(self, env, min(max_gpus, self.limit), checkpoint_time)
        job = self._line.head
        if job is None or self.admitted + job.gpus > self.limit:
            return None
        self._line.remove(job)
        del self._jobs[job.number]
        self.admitted += job.gpus
        return job

    def take_all(self) -> tuple[list[Job], list[JobArray]]:
        """Remove and return all jobs in order of submission, and all job arrays."""
        taken = sorted(self._jobs.values(), key=_number), list(self.arrays)
        self._jobs.clear()
        self.arrays.clear()
        self._line = FirstComeFirstServed()
        return taken

    @property
    def jobs(self) -> list[Job]:
        """All jobs that wait here, without those that are not drawn yet."""
        return list(self._jobs.values())

    def __bool__(self) -> bool:
        """Return whether any job waits here."""
        return bool(self._jobs or self.arrays)


def _number(job: Job) -> int:
    return job.number
