"""Keep the job arrays that wait, in the order of the queue discipline."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from hardware.cluster.job_arrays import JobArray
from hardware.cluster.jobs import Job
from hardware.cluster.queues import QueueDiscipline


class JobSink(Protocol):
    """A place where drawn jobs wait, such as a queue."""

    def push(self, job: Job) -> bool:
        """Add a job."""

    def needs_next_of(self, array: JobArray) -> bool:
        """Return whether the next job of the first array must be drawn now."""


class PendingArrays(deque[JobArray]):
    """Job arrays with waiting jobs, in the order of the queue discipline."""

    def insert_ordered(self, arrays: Iterable[JobArray], queue: QueueDiscipline) -> None:
        """Add arrays at their places in the order."""
        self.extend(arrays)
        ordered = sorted(self, key=lambda each: (queue.rank(each.job_class), each.number))
        self.clear()
        self.extend(ordered)

    def materialize_visible(
        self,
        queue: JobSink,
        env: Any,
        max_gpus: int,
        checkpoint_time: Callable[[int, float], float] | None = None,
    ) -> None:
        """Draw the jobs that the discipline must know, and add them to its queue.

        ``checkpoint_time``: function of GPUs and length that returns the time for writing checkpoints, if any.
        """
        while self and queue.needs_next_of(self[0]):
            job = self[0].draw_job(env, max_gpus)
            if checkpoint_time is not None:
                job.length += checkpoint_time(job.gpus, job.length)
            queue.push(job)
            if not self[0].count:
                self.popleft()

    def pending_tasks(self, use: str | None = None) -> int:
        """Return the number of waiting tasks, of one use or of all."""
        return sum(array.count for array in self if use in (None, array.job_class.use))
