"""Simulate a fixed pool of GPUs: gangs of GPUs wait, start, are preempted, fail and end.

The cluster dispatches once per instant, after all other events of that instant. GPUs are released in the event that
ends, cancels, fails or preempts a job. The cluster has callbacks and no generators, so it can be pickled together
with its clock and everything that is scheduled.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

from simpy import Environment, Event
from simpy.core import StopSimulation
from simpy.events import NORMAL, EventPriority

from hardware.cluster.job_arrays import MAX_TASKS_PER_RECORD, ArrayJob, JobArray, TaskSupplier
from hardware.cluster.jobs import (
    Allocation,
    AllocationEnd,
    BatchJob,
    ClusterJobListener,
    DispatchEvent,
    EstimatedJob,
    ExecutionHistory,
    Job,
    JobAccounting,
    JobRecord,
    SupportsStreams,
)
from hardware.cluster.params import ClusterParams
from hardware.cluster.preemption import victims
from hardware.cluster.queues import BackfillQueue, QueueDiscipline
from hardware.cluster.reliability import checkpoint_interval
from hardware.cluster.state import ClusterState
from hardware.cluster.validation import check_jobs_fit, check_queue_class, check_streams, explain_rejection, whole_count
from hardware.simpy_clock import discard_events

__all__ = ["ClusterJobListener", "ClusterParams", "GpuCluster", "Job", "JobRecord", "SupportsStreams"]

DISPATCH_PRIORITY: Final = EventPriority(NORMAL + 1)
"""SimPy priority of a dispatch among the events of its instant."""

DrainedJob = tuple[Job | JobArray, bool]
"""A job or job array that was removed from a pool, and whether it ran."""


class GpuCluster(ClusterState):
    """Run jobs on one pool of GPUs with one queue.

    ``env`` is any SimPy environment. ``hour`` is the length of an hour on its clock: 1/24 on a clock of days, 3600 on
    a clock of seconds. ``gpus`` replaces ``params.gpus`` in a part of a cluster; the parts of one cluster share one
    ``accounting``. ``streams`` gives the generator ``("gpu failure", owner)``, used at each start of a job.
    ``discipline`` creates the queue, in place of the one that ``params`` names.

    Raises ValueError if GPUs can fail and there are no streams, and TypeError if ``discipline`` is not a class or
    function.
    """

    def __init__(
        self,
        env: Environment,
        params: ClusterParams,
        streams: SupportsStreams | None = None,
        hour: float = 1 / 24,
        gpus: int | None = None,
        accounting: JobAccounting | None = None,
        discipline: Callable[[], QueueDiscipline] | None = None,
    ) -> None:
        if discipline is not None:
            check_queue_class(discipline)
        super().__init__(env, JobAccounting() if accounting is None else accounting, discipline)
        self._streams = streams
        self._hour = hour
        self._end_calls: list[Callable[[Any], None]] = [self._on_allocation_end]
        self._array_end_calls: list[Callable[[Any], None]] = [self._on_array_task_end]
        self._failure_calls: list[Callable[[Any], None]] = [self._on_failure]
        self._dispatch_event = DispatchEvent(env)
        self._dispatch_calls: list[Callable[[Any], None]] = [self._on_dispatch]
        self._dispatch_due = False
        self._notifications: list[tuple[Job, bool]] = []
        """(job, True for started or False for stopped): for the listeners, after the dispatch."""
        self._configure(params, params.gpus if gpus is None else gpus)

    def _configure(self, params: ClusterParams, gpus: int) -> None:
        """Set up an empty pool."""
        check_streams(params, self._streams)
        self._set_up(params, whole_count(gpus, "gpus"))
        self._preempts = params.preemption
        self._restart_time = params.restart_hours * self._hour
        self._fixed_interval = params.checkpoint_hours * self._hour
        self._checkpoint_cost = params.checkpoint_seconds / 3600 * self._hour
        self._mtbf = params.gpu_hours_between_failures * self._hour
        self._gangs_persist = not self._mtbf and not self._queue.orders_by_length
        """Whether a gang may continue with the next job of an array: no checkpoint, and no other job goes first."""

    # Public interface

    def submit(
        self,
        gpus: int,
        length: float,
        *,
        owner: int = 0,
        use: str = "job",
        priority: int = 0,
        watcher: ClusterJobListener | None = None,
        expected: float | None = None,
    ) -> Job:
        """Submit a job of ``gpus`` GPUs for ``length`` of clock time; the job returned is an event.

        Length 0 is allowed. Infinite length is a standing job: it ends only by ``cancel``, and failures do not affect
        it because it has no work to lose. ``watcher`` is notified when the job gets or loses its GPUs. ``expected`` is
        the length that disciplines read in place of the true one, such as a requested run time.

        Raises ValueError if the pool can never give this number of GPUs to one job. Raises it also if the number is not
        whole, or if the length is negative or undefined.
        """
        if gpus.__class__ is not int:
            gpus = whole_count(gpus, "gpus")
        if not 1 <= gpus <= self.largest_gang or not length >= 0:
            raise ValueError(explain_rejection(self, gpus, length))
        job_class = self._job_classes.get((use, priority)) or self._new_job_class(use, priority)
        accounting = self._accounting
        accounting.last_job = number = accounting.last_job + 1
        env = self._env
        now = env.now
        if self._mtbf and length < math.inf:
            length += self._checkpoint_time(gpus, length)
        if expected is None:
            job = Job(env, number, job_class, gpus, length, owner, watcher, now)
        else:
            job = EstimatedJob(env, number, job_class, gpus, length, owner, watcher, now)
            job.set_expected(expected)
        if self._queue.push(job) and (gpus <= self._placement.free or self._preempts or self._displaced_head(job)):
            self._schedule_dispatch()
        return job

    def submit_batch(self, asked: Iterable[BatchJob]) -> None:
        """Submit several jobs, and start them in this event if it is the last of its instant.

        Use when one event submits several jobs and nothing waits for them: it saves the event of a dispatch.

        Raises ValueError as `submit`.
        """
        was_due, self._dispatch_due = self._dispatch_due, True  # no job may start before all are submitted
        try:
            for gpus, length, owner, priority, expected in asked:
                self.submit(gpus, length, owner=owner, priority=priority, expected=expected)
        finally:
            self._dispatch_due = was_due
        self._dispatch_soon(self._env.now)

    def submit_array(
        self,
        count: int,
        source: TaskSupplier,
        payload: Any = None,
        *,
        owner: int = 0,
        use: str = "job",
        priority: int = 0,
    ) -> JobArray:
        """Submit ``count`` jobs together; ``source`` draws each job when its turn comes.

        They take the next ``count`` numbers, and with them their places in the queue. Until its turn comes a job is
        part of a count, which costs the same for any number. A discipline that orders by length looks at the first
        `LOOKAHEAD_JOBS`.

        Raises ValueError if ``count`` is below 1.
        """
        count = whole_count(count, "count")
        if count < 1:
            raise ValueError(
                f"count = {count} is too small for a job array; allowed: 1 or more. Submit at least one job"
            )
        job_class = self._job_classes.get((use, priority)) or self._new_job_class(use, priority)
        accounting, arrays = self._accounting, self._pending_arrays
        first = accounting.last_job + 1
        accounting.last_job += count
        array = JobArray(first, count, source, payload, owner, job_class, self._env.now)
        if not arrays or arrays[-1].job_class is job_class:
            arrays.append(array)
        else:
            arrays.insert_ordered(array, self._queue)
        if self._placement.free or self._preempts:
            self._schedule_dispatch()
        return array

    def cancel(self, job: Job) -> bool:
        """End a waiting or running job now; return False if it was over already."""
        state, now = job.state, self._env.now
        if state == "over":
            return False
        if state == "running":
            job.record_interruption(self._release(job, now))
        else:
            job.cancelled = True
            self._queue.remove(job)
        if job.interruptions:
            self._discard_ends(job)
        record = job.record(now, "cancelled")
        self.records.append(record)
        job.succeed(record)
        self._schedule_dispatch()
        return True

    def fail(self, job: Job) -> bool:
        """Let one GPU of a running job fail now; return False if the job is not running.

        The job loses its work since the last checkpoint and waits again, as after a random failure.
        """
        if job.state != "running":
            return False
        self._on_failure(AllocationEnd(job, []))
        return True

    def _discard_ends(self, job: Job) -> None:
        """Remove the ends of a cancelled job from the clock, which would otherwise run on to them."""
        discard_events(self._env, lambda event: isinstance(event, AllocationEnd) and event.job is job)

    def reconfigure(self, params: ClusterParams, gpus: int | None = None) -> None:
        """Change parameters or size of the pool now.

        Running jobs return to their places in the queue, without loss or restart. They are dispatched again in
        this instant. A call without a change has no effect. Raises ValueError, before it changes anything, if a waiting
        or running job is larger than the new pool allows.
        """
        size = params.gpus if gpus is None else gpus
        if (params, size) == (self.params, self.capacity):
            return
        check_streams(params, self._streams)
        check_jobs_fit(self.jobs(), params, size)
        taken = self.drain()
        self._configure(params, size)
        self.requeue_all(taken)

    def drain(self) -> list[DrainedJob]:
        """Remove and return all jobs in order of submission, with their progress, then the job arrays."""
        now = self._env.now
        taken = [(job, job.state == "running") for job in self.jobs()]
        for job, ran in taken:
            if ran:
                job.record_interruption(self._release(job, now))
        arrays = self.pending_arrays
        self._pending_arrays.clear()
        self._new_queue()
        return [*taken, *((array, False) for array in arrays)]

    def requeue_all(self, taken: list[DrainedJob]) -> None:
        """Queue jobs that were drained in this instant; listeners of running jobs are notified of the stop."""
        for each, ran in taken:
            use, priority = each.job_class.use, each.job_class.priority
            each.job_class = self._job_classes.get((use, priority)) or self._new_job_class(use, priority)
            if isinstance(each, JobArray):
                self._pending_arrays.insert_ordered(each, self._queue)
                continue
            self._queue.push(each)
            if ran and each.watcher is not None:
                self._notifications.append((each, False))
        self._schedule_dispatch()

    # Dispatch

    def _displaced_head(self, job: Job) -> bool:
        """Return whether ``job`` became the head before jobs that may start by backfill."""
        queue = self._backfill_queue
        return queue is not None and queue.head is job and self._placement.free > 0 and len(queue) > 1

    def _schedule_dispatch(self) -> None:
        """Schedule a dispatch after all other events of this instant."""
        if not self._dispatch_due and (self._queue.head is not None or self._pending_arrays):
            self._dispatch_due = True
            self._dispatch_event.callbacks = self._dispatch_calls
            self._env.schedule(self._dispatch_event, DISPATCH_PRIORITY)

    def _on_dispatch(self, _: Event) -> None:
        self._dispatch_due = False
        self._dispatch(self._env.now)

    def _dispatch(self, now: float) -> None:
        queue, placement = self._queue, self._placement
        job = queue.head
        while placement.free or self._preempts:
            if self._pending_arrays:
                self._pending_arrays.materialize_visible(
                    queue, self._env, self.largest_gang, self._checkpoint_time if self._mtbf else None
                )
            if (job := queue.head) is None:
                break
            allocation = placement.take(job.gpus)
            if allocation is not None:
                queue.remove(job)
            elif not self._preempts or (allocation := self._preempt_for(job)) is None:
                break
            self._start(job, allocation, now)
        if job is not None and placement.free and self._backfill_queue is not None:
            self._backfill(self._backfill_queue, now)
        if self._notifications:
            self._notify()

    def _backfill(self, queue: BackfillQueue, now: float) -> None:
        reservation = queue.reserve(now, self._placement)
        while reservation is not None and (job := queue.next_backfill(reservation)) is not None:
            allocation = self._placement.take(job.gpus)
            assert allocation is not None, "a backfilled job fits"
            queue.remove(job)
            self._start(job, allocation, now)
            reservation.on_start(job)

    def _start(self, job: Job, allocation: Allocation, now: float) -> None:
        """Start a job, and schedule its end or its failure, whichever comes first."""
        job.allocation = allocation
        job.started_at = now
        job_class = job.job_class
        job_class.gpus += job.gpus
        job_class.jobs[job] = None
        duration = job.length if job.past is None else job.remaining
        if self._backfill_queue is not None:
            self._backfill_queue.on_start(job, now + (duration if job.__class__ is not EstimatedJob else job.expected))
        if duration < math.inf:
            calls = self._array_end_calls if self._gangs_persist and job.__class__ is ArrayJob else self._end_calls
            if self._mtbf and (time_to_failure := self._time_to_failure(job)) < duration:
                duration, calls = time_to_failure, self._failure_calls
            self._env.schedule(AllocationEnd(job, calls), NORMAL, duration)
        if job.watcher is not None:
            self._notifications.append((job, True))

    def _interval_of(self, gpus: int) -> float:
        """Return the work of a gang between two checkpoints."""
        return float(checkpoint_interval(self._fixed_interval, self._checkpoint_cost, self._mtbf, gpus))

    def _checkpoint_time(self, gpus: int, length: float) -> float:
        """Return the time in which a job writes checkpoints: one after each interval but the last."""
        interval = self._interval_of(gpus)
        return self._checkpoint_cost * max(0, math.ceil(length / interval) - 1) if interval else 0.0

    def _time_to_failure(self, job: Job) -> float:
        """Draw the time until one of the GPUs of a job fails."""
        assert self._streams is not None, "checked when the cluster was set up"
        return self._streams.get("gpu failure", job.owner).exponential(self._mtbf / job.gpus)

    def _on_allocation_end(self, end: AllocationEnd) -> None:
        """End a job in the event of its allocation end: a second event would double the cost."""
        job = end.job
        if end.number != job.interruptions:
            return
        self._finish(job, self._env.now)

    def _finish(self, job: Job, now: float) -> None:
        """Release the GPUs, write the record, call the callbacks, and dispatch."""
        duration = self._release(job, now)
        self.records.append(job.record_at_end(now, duration))
        callbacks = job.mark_processed(self.records[-1])
        try:
            for callback in callbacks:
                callback(job)
        except StopSimulation:  # env.run(until=job): as in SimPy, other callbacks follow when the run goes on
            job.callbacks = callbacks[callbacks.index(callback) + 1 :]
            self._env.schedule(job, EventPriority(-1))
            self._schedule_dispatch()
            raise
        self._dispatch_soon(now)

    def _on_array_task_end(self, end: AllocationEnd) -> None:
        """Notify the source that a job of an array is over; continue with the next one on the same gang if possible.

        That is possible if only arrays wait and the next job has the same size. It equals a dispatch, without a new
        job, allocation or queue. It is the whole cost of a job to the cluster, so it is one function.
        """
        job: ArrayJob = end.job  # type: ignore[assignment]  # only jobs of arrays end here
        if end.number != job.interruptions:
            return
        env, queue, arrays = self._env, self._queue, self._pending_arrays
        now = env.now
        if queue.head is None:
            source = job.array.source
            source.job_over(job)
            if arrays and queue.head is None and not self._dispatch_due and env.peek() > now:
                array = arrays[0]
                alike = array.source is source and array.job_class is job.job_class and array.owner == job.owner
                if alike and job.tasks_before + job.tasks < MAX_TASKS_PER_RECORD:
                    gpus, length, tasks = task = source.next_task(array, self.largest_gang)
                    goes_on = gpus == job.gpus
                    if goes_on:
                        job.continue_with(array, length, tasks, now)
                        end.callbacks = self._array_end_calls
                        env.schedule(end, NORMAL, length)
                        source.job_started(job)
                    else:
                        queue.push(array.create_job(env, task))
                    if not array.count:
                        arrays.popleft()
                    if goes_on:
                        return
            job.callbacks = []  # the source has been notified
        self._finish(job, now)

    def _dispatch_soon(self, now: float) -> None:
        """Dispatch now if this is the last event of the instant, else after the others."""
        if (self._queue.head is not None or self._pending_arrays) and not self._dispatch_due:
            if self._env.peek() > now:
                self._dispatch(now)
            else:
                self._schedule_dispatch()

    def _on_failure(self, end: AllocationEnd) -> None:
        job = end.job
        if end.number != job.interruptions:
            return
        duration = self._release(job, self._env.now)
        past = job.record_failure(duration, self._interval_of(job.gpus) + self._checkpoint_cost)
        past.failures += 1
        self._requeue(job, past)
        self._schedule_dispatch()
        self._notify()

    def _release(self, job: Job, now: float) -> float:
        """Free the GPUs of a job; return how long it held them."""
        if self._backfill_queue is not None:
            self._backfill_queue.on_end(job)
        self._placement.release(job.allocation)
        job_class, gpus = job.job_class, job.gpus
        duration = now - job.started_at
        job_class.gpus -= gpus
        job_class.held += gpus * duration
        del job_class.jobs[job]
        return duration

    def _requeue(self, job: Job, past: ExecutionHistory) -> None:
        """Return a job that lost its GPUs to its place in the queue."""
        past.restart_due = self._restart_time
        self._queue.push(job)
        if job.watcher is not None:
            self._notifications.append((job, False))

    def _preempt_for(self, head: Job) -> Allocation | None:
        """Preempt running jobs of lower priority, if that lets the head start; return its allocation."""
        chosen = victims(head, self._job_classes.values(), self._placement)
        if not chosen:
            return None
        self._queue.remove(head)  # before the preempted jobs return, which may go first
        now = self._env.now
        for job in chosen:
            past = job.record_interruption(self._release(job, now))
            past.preemptions += 1
            self._requeue(job, past)
        return self._placement.take(head.gpus)

    def _notify(self) -> None:
        """Notify the listeners; they find the cluster in a consistent state."""
        news, self._notifications = self._notifications, []
        for job, started in news:
            if job.watcher is None or job.triggered:
                continue
            if started:
                job.watcher.job_started(job)
            else:
                job.watcher.job_stopped(job)
