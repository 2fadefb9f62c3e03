"""Represent many similar jobs of one submission as a count until their turn comes: job arrays."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol

from hardware.cluster.jobs import ClusterJobListener, ExecutionHistory, Job, JobClass, JobRecord, Outcome

LOOKAHEAD_JOBS: Final = 1024
"""Maximum number of known jobs for disciplines that order by length.

Slurm tests 500 waiting jobs (bf_max_job_test) by default."""


MAX_TASKS_PER_RECORD: Final = 1000
"""Maximum number of array tasks in one record, so that records appear before the end of a run."""


class ArrayTask(NamedTuple):
    """Size of the next job of an array."""

    gpus: int
    length: float
    """Clock time."""
    tasks: int
    """Number of array tasks that it does, in parallel and in sequence."""


class TaskSupplier(ClusterJobListener, Protocol):
    """The owner of a job array, which draws each job when its turn comes and is notified of its end."""

    def next_task(self, array: JobArray, max_gpus: int) -> ArrayTask:
        """Return the next job of an array, of at most ``max_gpus`` GPUs and ``array.count`` tasks."""

    def job_over(self, job: Any) -> None:
        """Handle the end of a job of an array."""


class JobArray:
    """Jobs of one owner, submitted in the same instant, whose sizes are drawn when their turn comes."""

    __slots__ = ("count", "job_class", "number", "owner", "payload", "source", "submitted")

    number: int
    """Number of the first job that still waits; the numbers of an array are consecutive."""
    count: int
    """Number of jobs that still wait."""
    source: TaskSupplier
    payload: Any
    """Data that the source attached."""
    owner: int
    job_class: JobClass
    submitted: float

    def draw_job(self, env: Any, max_gpus: int) -> ArrayJob:
        """Draw the next job, which may do several tasks, and subtract its tasks from the count."""
        return self.create_job(env, self.source.next_task(self, max_gpus))

    def create_job(self, env: Any, task: ArrayTask) -> ArrayJob:
        """Create a job that was drawn, and subtract its tasks from the count."""
        gpus, length, tasks = task
        job = ArrayJob(env, self.number, self.job_class, gpus, length, self.owner, self.source, self.submitted)
        job.callbacks.append(self.source.job_over)
        job.array = self
        job.tasks = tasks
        job.tasks_before = 0
        self.number += tasks
        self.count -= tasks
        return job


def new_array(
    number: int,
    count: int,
    source: TaskSupplier,
    payload: Any,
    owner: int,
    job_class: JobClass,
    submitted: float,
) -> JobArray:
    """Create a job array; a function takes half the time of an ``__init__``, and each submission creates one."""
    array = _new(JobArray)
    array.number = number
    array.count = count
    array.source = source
    array.payload = payload
    array.owner = owner
    array.job_class = job_class
    array.submitted = submitted
    return array


_new = object.__new__


class ArrayJob(Job):
    """A job that does one or several tasks of an array on one gang, in parallel and in sequence."""

    __slots__ = ("tasks", "tasks_before", "waited")
    waited: float
    """Total waiting time of its tasks; set when the job continues with further tasks."""

    def continue_with(self, array: JobArray, length: float, tasks: int, now: float) -> None:
        """Continue with further tasks of an array, which are subtracted from its count."""
        before = self.tasks_before
        if not before:
            started = self.started_at if self.past is None else self.past.started
            self.waited = self.tasks * ((started or 0.0) - self.submitted)
        self.tasks_before = before + self.tasks
        self.waited += tasks * (now - array.submitted)
        self.length += length
        self.array = array
        self.tasks = tasks
        array.number += tasks
        array.count -= tasks

    def record(self, ended: float, outcome: Outcome) -> JobRecord:
        """Return the record of all tasks of a job that holds no GPUs."""
        record = super().record(ended, outcome)
        if not self.tasks_before:
            return record
        return record._replace(tasks=self.tasks_before + self.tasks, waited=self.waited)

    def record_at_end(self, ended: float, duration: float) -> JobRecord:
        """Return the record of all tasks at the end of the last one."""
        if self.tasks_before and self.past is None:
            self.past = ExecutionHistory(self.started_at)
        return super().record_at_end(ended, duration)
