"""Many like jobs asked for at once, kept as a count until their turn comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from hardware.cluster.jobs import ExecutionHistory, Job, JobClass, JobListener, JobRecord, Outcome

if TYPE_CHECKING:
    from hardware.cluster.queues import QueueDiscipline

LOOKAHEAD_JOBS: Final = 1024
"""Jobs that a discipline which compares lengths looks at. Slurm tests 500 waiting jobs (bf_max_job_test) by default."""


MAX_TASKS_PER_RECORD: Final = 1000
"""Jobs of a lot that one gang does before it is over, so that there are records before the end of a run."""


class ArrayTask(NamedTuple):
    """What the next job of a lot turns out to be."""

    gpus: int
    length: float
    """Of clock time."""
    tasks: int
    """How many of the lot it does, side by side and one after another."""


class TaskSupplier(JobListener, Protocol):
    """Who asked for a lot: it says what each job is when its turn comes, and is told what becomes of it."""

    def draw(self, lot: JobArray, most: int) -> ArrayTask:
        """Return the next job of a lot, of at most ``most`` GPUs and ``lot.count`` tasks."""

    def job_over(self, job: Any) -> None:
        """Take note that a job of a lot is over."""


class JobArray:
    """So many jobs of one owner, submitted in the same instant, whose sizes nobody knows before their turn."""

    __slots__ = ("count", "number", "owner", "payload", "share", "source", "submitted")

    def __init__(
        self, number: int, count: int, source: TaskSupplier, payload: Any, owner: int, share: JobClass, submitted: float
    ) -> None:
        self.number = number
        """Of the first that still waits: they are numbered in one go, and keep their place among all jobs."""
        self.count = count
        """Jobs that still wait."""
        self.source = source
        self.payload = payload
        """What the source wants to remember of it."""
        self.owner = owner
        self.share = share
        self.submitted = submitted

    def take(self, env: Any, most: int) -> ArrayJob:
        """Return the next job, or several that are run as one, and count them off."""
        return self.make(env, self.source.draw(self, most))

    def make(self, env: Any, task: ArrayTask) -> ArrayJob:
        """Return the job that was drawn, and count it off."""
        gpus, length, tasks = task
        job = ArrayJob(env, self.number, self.share, gpus, length, self.owner, self.source, self.submitted)
        job.callbacks.append(self.source.job_over)
        job.lot = self
        job.tasks = tasks
        job.tasks_before = 0
        self.number += tasks
        self.count -= tasks
        return job


class ArrayJob(Job):
    """A job of a lot, or several of them that one gang does, side by side and one after another."""

    __slots__ = ("tasks", "tasks_before", "waited")
    waited: float
    """Waits of all of them, once there were some before."""

    def go_on(self, lot: JobArray, length: float, tasks: int, now: float) -> None:
        """Be, from now, what was drawn from a lot, which counts it off."""
        before = self.tasks_before
        if not before:
            started = self.started_at if self.past is None else self.past.started
            self.waited = self.tasks * ((started or 0.0) - self.submitted)
        self.tasks_before = before + self.tasks
        self.waited += tasks * (now - lot.submitted)
        self.length += length
        self.lot = lot
        self.tasks = tasks
        lot.number += tasks
        lot.count -= tasks

    def record(self, ended: float, outcome: Outcome) -> JobRecord:
        """Return what became of all of them."""
        record = super().record(ended, outcome)
        if not self.tasks_before:
            return record
        return record._replace(tasks=self.tasks_before + self.tasks, waited=self.waited)

    def record_at_end(self, ended: float, stay: float) -> JobRecord:
        """Return what became of them when the last is done."""
        self.past = self.past or ExecutionHistory(self.started_at)
        return super().record_at_end(ended, stay)


class PendingArrays(deque[JobArray]):
    """The lots in which somebody waits, in the order in which a discipline comes to them."""

    def line_up(self, lot: JobArray, queue: QueueDiscipline) -> None:
        """Add a lot that may go before others."""
        self.append(lot)
        ordered = sorted(self, key=lambda each: (queue.rank(each.share), each.number))
        self.clear()
        self.extend(ordered)

    def show(
        self, queue: QueueDiscipline, env: Any, most: int, writing: Callable[[int, float], float] | None = None
    ) -> None:
        """Draw the jobs that the discipline must see, and put them in its queue.

        ``writing``: the time that a job of so many GPUs and this length writes checkpoints, if it does.
        """
        while self and queue.must_see(self[0]):
            job = self[0].take(env, most)
            if writing is not None:
                job.length += writing(job.gpus, job.length)
            queue.push(job)
            if not self[0].count:
                self.popleft()

    def tasks(self, use: str | None = None) -> int:
        """Return how many jobs wait, of one use or of all."""
        return sum(lot.count for lot in self if use in (None, lot.share.use))
