"""Simulate a fixed pool of GPUs: gangs of GPUs wait, start, are preempted, fail and end.

The cluster dispatches once per instant, after all other events of that instant. GPUs are released in the event that
ends, cancels, fails or preempts a job. The cluster has callbacks and no generators, so it can be pickled together
with its clock and everything that is scheduled.

Nodes can be added and retired, and the jobs of a use limited. Such changes are *settled* once per instant, before the
dispatch: changes that cancel out within an instant have no effect.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from simpy import Environment, Event
from simpy.core import StopSimulation
from simpy.events import NORMAL, EventPriority

from hardware.cluster.held_jobs import HeldJobs
from hardware.cluster.job_arrays import MAX_TASKS_PER_RECORD, ArrayJob, JobArray, TaskSupplier, new_array
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
from hardware.cluster.preemption import preemption_order, victims
from hardware.cluster.queues import BackfillQueue, QueueDiscipline
from hardware.cluster.reliability import gang_checkpoint_interval
from hardware.cluster.state import ClusterState, capacity_after
from hardware.cluster.validation import (
    check_arrays_fit,
    check_jobs_fit,
    check_node_count,
    check_node_speed,
    check_queue_class,
    check_streams,
    explain_rejection,
    whole_count,
)
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
        self._changes.calls = [self._on_settlement]
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
        self._settle_nodes()

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
        """Submit a job of ``gpus`` GPUs for ``length`` of clock time at speed 1; the job returned is an event.

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
        if self._held and use in self._held:
            self._held[use].push(job)
            self._schedule_dispatch()
        elif self._queue.push(job) and (gpus <= self._placement.free or self._preempts or self._displaced_head(job)):
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
        owner: int = 0,  # not keyword-only, because CPython calls functions with such parameters more slowly
        use: str = "job",
        priority: int = 0,
    ) -> JobArray:
        """Submit ``count`` jobs together; ``source`` draws each job when its turn comes.

        They take the next ``count`` numbers, and with them their places in the queue. Until its turn comes a job is
        part of a count, which costs the same for any number. A discipline that orders by length looks at the first
        `LOOKAHEAD_JOBS`.

        Raises ValueError if ``count`` is below 1.
        """
        if count.__class__ is not int:
            count = whole_count(count, "count")
        if count < 1:
            raise ValueError(
                f"count = {count} is too small for a job array; allowed: 1 or more. Submit at least one job"
            )
        job_class = self._job_classes.get((use, priority)) or self._new_job_class(use, priority)
        accounting, arrays = self._accounting, self._pending_arrays
        first = accounting.last_job + 1
        accounting.last_job += count
        array = new_array(first, count, source, payload, owner, job_class, self._env.now)
        if self._held and use in self._held:
            self._held[use].add_arrays([array])
        elif not arrays or arrays[-1].job_class is job_class:
            arrays.append(array)
        else:
            arrays.insert_ordered([array], self._queue)
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
            self._end_admission(job)
        else:
            job.cancelled = True
            held = self._held.get(job.use)
            if held is None or not held.cancel(job):
                self._queue.remove(job)
                self._end_admission(job)
        if job.interruptions and job.length < math.inf:
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

    def reconfigure(
        self, params: ClusterParams, gpus: int | None = None, node_changes: Mapping[float, int] | None = None
    ) -> None:
        """Change parameters, size on day 0 or later changes of the number of nodes of the pool now.

        Running jobs return to their places in the queue, without loss or restart. They are dispatched again in
        this instant. A call without a change has no effect. Raises ValueError, before it changes anything, if a waiting
        or running job is larger than the new pool allows.
        """
        size = params.gpus if gpus is None else gpus
        changes = self.node_changes if node_changes is None else dict(node_changes)
        if (params, size, changes) == (self.params, self._changes.initial_gpus, self.node_changes):
            return
        check_streams(params, self._streams)
        check_jobs_fit(self.jobs(), params, capacity_after(params, size, changes))
        taken = self.drain()
        self._changes.nodes = changes
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
        self._held = {use: HeldJobs(held.limit, 0) for use, held in self._held.items()}
        self._new_queue()
        return [*taken, *((array, False) for array in arrays)]

    def requeue_all(self, taken: list[DrainedJob]) -> None:
        """Queue jobs that were drained in this instant; listeners of running jobs are notified of the stop."""
        for each, ran in taken:
            use, priority = each.job_class.use, each.job_class.priority
            each.job_class = self._job_classes.get((use, priority)) or self._new_job_class(use, priority)
            if isinstance(each, JobArray):
                self._wait_as_arrays(use, [each])
                continue
            held = self._held.get(use)
            if held is not None and not ran:
                held.push(each)
                continue
            if held is not None:
                held.admitted += each.gpus
            self._queue.push(each)
            if ran and each.watcher is not None:
                self._notifications.append((each, False))
        self._schedule_dispatch()

    def _wait_as_arrays(self, use: str, arrays: list[JobArray]) -> None:
        """Add job arrays of a use to those that wait, at their places."""
        held = self._held.get(use)
        if held is None:
            self._pending_arrays.insert_ordered(arrays, self._queue)
        else:
            held.add_arrays(arrays)

    # Changes of nodes and limits

    def add_nodes(self, number: int, speed: float = 1.0) -> None:
        """Add nodes of ``gpus_per_node`` GPUs, which are used from this instant on; no job moves.

        ``speed`` is relative to the nodes of day 0. A gang runs at the speed of its slowest node. Raises ValueError if
        ``number`` is not a whole number of at least 1, or if ``speed`` is not a finite number above 0.
        """
        number, speed = check_node_count(number), check_node_speed(speed)
        nodes = self._changes.nodes
        nodes[speed] = nodes.get(speed, 0) + number
        self._set_capacity()
        self.update_settlement()

    def retire_nodes(
        self, number: int, speed: float | None = None, leaving: Collection[int] = (), may_strand: bool = False
    ) -> None:
        """Retire nodes of one speed, or of the slowest ones, in this instant.

        Free nodes are retired first, and those with the highest numbers first. Jobs on retired nodes return to their
        places in the queue, without loss or restart; no other job moves. With flat placement, which has no nodes, the
        jobs that would be preempted first return until enough GPUs are free. ``leaving``: numbers of jobs that the
        caller cancels in this instant. ``may_strand``: whether jobs may wait without end afterwards.

        Raises ValueError, before it changes anything, if there are fewer nodes, or if another job could never start
        again. A smaller last node cannot be retired.
        """
        number = check_node_count(number)
        there = self.nodes_by_speed()
        if speed is not None:
            there = {check_node_speed(speed): there.get(speed, 0)}
        if number > sum(there.values()):
            which = "" if speed is None else f" of speed {speed:g}"
            raise ValueError(
                f"number = {number} is more than there are; allowed: at most {sum(there.values())} whole nodes{which}. "
                "Retire fewer nodes"
            )
        changes = dict(self.node_changes)
        for each in sorted(there):
            here = min(number, there[each])
            changes[each] = changes.get(each, 0) - here
            number -= here
        gpus = capacity_after(self.params, self._changes.initial_gpus, changes)
        if not may_strand:
            check_jobs_fit((job for job in self.jobs() if job.number not in leaving), self.params, gpus)
            check_arrays_fit(self.pending_arrays, gpus)
        self._changes.nodes = changes
        self._set_capacity()
        self.update_settlement()

    def limit_use(self, use: str, gpus: int | None, preempt: bool = False) -> None:
        """Limit the jobs of a use that wait in the queue or run to ``gpus`` GPUs together; None: no limit.

        The other jobs of the use wait before the queue, in order of submission, and block no other use. Running jobs
        beyond the limit continue, or are preempted, the latest start first, if ``preempt``. The last call for a use
        counts in each instant.
        """
        self._changes.limits[use] = (gpus, preempt)
        self.update_settlement()

    def set_limits(self, limits: Mapping[str, int]) -> None:
        """Set the limits of all uses of a pool without jobs."""
        self._held = {use: HeldJobs(gpus, 0) for use, gpus in limits.items()}

    def call_before_settlement(self, function: Callable[[], None]) -> None:
        """Call a function before each settlement of changes, once in an instant."""
        self._changes.before_settlement = function

    def update_settlement(self, other_changes: bool | None = None) -> None:
        """Schedule the settlement after all other events of this instant, or discard it if the changes cancel out.

        ``other_changes``: whether the function that is called before the settlement has work to do, if that changed.
        """
        if other_changes is not None:
            self._changes.others = other_changes
        scheduled = self._changes.event
        if not self._changes_anything():
            self._changes.event = None
            if scheduled is not None:
                discard_events(self._env, lambda event: event is scheduled)
        elif scheduled is None:
            self._changes.event = event = DispatchEvent(self._env)
            event.callbacks = self._changes.calls
            self._env.schedule(event, DISPATCH_PRIORITY)

    def _changes_anything(self) -> bool:
        """Return whether the changes of this instant differ from the present state."""
        changes = self._changes
        return (
            changes.others
            or any(changes.unsettled_nodes().values())
            or any(self._changes_limit(use, *order) for use, order in changes.limits.items())
        )

    def _changes_limit(self, use: str, gpus: int | None, preempt: bool) -> bool:
        """Return whether an order differs from the present limit of a use, or may preempt jobs for it."""
        held = self._held.get(use)
        return gpus != (None if held is None else held.limit) or (preempt and held is not None)

    def _on_settlement(self, event: Event) -> None:
        if event is self._changes.event and self._settle():
            self._schedule_dispatch()

    def _settle(self) -> bool:
        """Apply the changes of this instant; return whether there are any."""
        pending = self._changes
        if pending.before_settlement is not None:
            pending.before_settlement()
        pending.others, pending.event = False, None
        changed = self._settle_nodes()
        orders, pending.limits = pending.limits, {}
        for use, (gpus, preempt) in orders.items():
            changed = self._settle_limit(use, gpus, preempt) or changed
        return changed

    def _settle_nodes(self) -> bool:
        """Add and retire nodes of the placement; return whether there are any."""
        changes = self._changes.unsettled_nodes()
        self._changes.settled_nodes = dict(self._changes.nodes)
        for speed, number in changes.items():
            if number > 0:
                self._placement.add_nodes(number, speed)
        for speed, number in changes.items():
            if number < 0:
                self._retire_now(-number, speed)
        return any(changes.values())

    def _retire_now(self, number: int, speed: float) -> None:
        """Return the jobs on nodes that are retired to the queue, and retire the nodes."""
        plan, now = self._placement.plan_retirement(number, speed), self._env.now
        running = [job for job_class in self._job_classes.values() for job in job_class.jobs]
        for job in sorted(running, key=preemption_order):
            if plan.displaces(job.allocation):
                job.record_interruption(self._release(job, now))
                self._queue.push(job)
                if job.watcher is not None:
                    self._notifications.append((job, False))
        self._placement.retire_nodes(number, speed, plan)

    def _settle_limit(self, use: str, gpus: int | None, preempt: bool) -> bool:
        """Change the limit of a use; return whether that may change anything."""
        if not self._changes_limit(use, gpus, preempt):
            return False
        held = self._held.get(use)
        jobs, arrays = self._withdraw(use)
        if held is not None:
            del self._held[use]
            more_jobs, more_arrays = held.take_all()
            jobs, arrays = jobs + more_jobs, arrays + more_arrays
        if gpus is None:
            for job in sorted(jobs, key=_number_of):
                self._queue.push(job)
        else:
            self._hold(use, gpus, jobs, preempt)
        self._wait_as_arrays(use, arrays)
        return True

    def _hold(self, use: str, gpus: int, waiting: list[Job], preempt: bool) -> None:
        """Limit a use; preempt running jobs beyond the limit if ``preempt``."""
        now = self._env.now
        running = [job for job_class in self._job_classes.values() if job_class.use == use for job in job_class.jobs]
        held = self._held[use] = HeldJobs(gpus, sum(job.gpus for job in running))
        for job in sorted(running, key=preemption_order) if preempt else []:
            if held.admitted <= gpus:
                break
            held.admitted -= job.gpus
            self._record_preemption(job, now)
            waiting.append(job)
        for job in sorted(waiting, key=_number_of):
            held.push(job)

    def _withdraw(self, use: str) -> tuple[list[Job], list[JobArray]]:
        """Remove and return the jobs and job arrays of a use that wait in the queue."""
        jobs = [job for job in self._queue if job.use == use]
        if jobs:
            others = sorted((job for job in self._queue if job.use != use), key=_number_of)
            self._new_queue()
            for job in others:
                self._queue.push(job)
            if self._backfill_queue is not None:
                for job_class in self._job_classes.values():
                    for job in job_class.jobs:
                        self._backfill_queue.on_start(job, job.ends)
        arrays = [array for array in self._pending_arrays if array.job_class.use == use]
        if arrays:
            others_of = [array for array in self._pending_arrays if array.job_class.use != use]
            self._pending_arrays.clear()
            self._pending_arrays.extend(others_of)
        return jobs, arrays

    def _end_admission(self, job: Job) -> None:
        """Free the part of the limit of its use that a job took, which is over."""
        held = self._held.get(job.use)
        if held is not None:
            held.admitted -= job.gpus

    # Dispatch

    def _displaced_head(self, job: Job) -> bool:
        """Return whether ``job`` became the head before jobs that may start by backfill."""
        queue = self._backfill_queue
        return queue is not None and queue.head is job and self._placement.free > 0 and len(queue) > 1

    def _schedule_dispatch(self) -> None:
        """Schedule a dispatch after all other events of this instant."""
        if not self._dispatch_due and (
            self._queue.head is not None or self._pending_arrays or (self._held and any(self._held.values()))
        ):
            self._dispatch_due = True
            self._dispatch_event.callbacks = self._dispatch_calls
            self._env.schedule(self._dispatch_event, DISPATCH_PRIORITY)

    def _on_dispatch(self, _: Event) -> None:
        self._dispatch_due = False
        if self._changes.event is not None and self._settle():
            self._schedule_dispatch()  # after the events that the settlement has scheduled
        else:
            self._dispatch(self._env.now)

    def _dispatch(self, now: float) -> None:
        queue, placement, preempts = self._queue, self._placement, self._preempts
        arrays, held = self._pending_arrays, self._held
        job = queue.head
        while placement.free or preempts:
            if held:
                self._admit_held()
            if arrays:
                arrays.materialize_visible(
                    queue, self._env, self.largest_gang, self._checkpoint_time if self._mtbf else None
                )
            if (job := queue.head) is None:
                break
            allocation = placement.take(job.gpus)
            if allocation is not None:
                queue.remove(job)
            elif not preempts or (allocation := self._preempt_for(job)) is None:
                break
            self._start(job, allocation, now)
        if job is not None and placement.free and self._backfill_queue is not None:
            self._backfill(self._backfill_queue, now)
        if self._notifications:
            self._notify()

    def _admit_held(self) -> None:
        """Add the held jobs to the queue that the limits of their uses let pass."""
        checkpoint_time = self._checkpoint_time if self._mtbf else None
        for held in self._held.values():
            while (job := held.admit(self._env, self.largest_gang, checkpoint_time)) is not None:
                self._queue.push(job)

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
        if not self._placement.has_one_speed:
            speed = self._placement.speed_of(allocation)
            job.start_at_speed(speed)
            duration /= speed
        if self._backfill_queue is not None:
            expected = duration if job.__class__ is not EstimatedJob else job.expected / job.speed
            self._backfill_queue.on_start(job, now + expected)
        if duration < math.inf:
            calls = self._array_end_calls if self._gangs_persist and job.__class__ is ArrayJob else self._end_calls
            if self._mtbf and (time_to_failure := self._time_to_failure(job)) < duration:
                duration, calls = time_to_failure, self._failure_calls
            self._env.schedule(AllocationEnd(job, calls), NORMAL, duration)
        if job.watcher is not None:
            self._notifications.append((job, True))

    def _interval_of(self, gpus: int) -> float:
        """Return the work of a gang between two checkpoints."""
        return gang_checkpoint_interval(self._fixed_interval, self._checkpoint_cost, self._mtbf, gpus)

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
        if self._held:
            self._end_admission(job)
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
                        env.schedule(end, NORMAL, length if job.past is None else length / job.past.speed)
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
        if (
            self._queue.head is not None or self._pending_arrays or (self._held and any(self._held.values()))
        ) and not self._dispatch_due:
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
        self._record_restart(job, past)
        self._queue.push(job)

    def _record_restart(self, job: Job, past: ExecutionHistory) -> None:
        """Record that a job that lost its GPUs must restart."""
        past.restart_due = self._restart_time
        if job.watcher is not None:
            self._notifications.append((job, False))

    def _record_preemption(self, job: Job, now: float) -> None:
        """Preempt a running job at a checkpoint; the caller decides where it waits."""
        past = job.record_interruption(self._release(job, now))
        past.preemptions += 1
        self._record_restart(job, past)

    def _preempt_for(self, head: Job) -> Allocation | None:
        """Preempt running jobs of lower priority, if that lets the head start; return its allocation."""
        chosen = victims(head, self._job_classes.values(), self._placement)
        if not chosen:
            return None
        self._queue.remove(head)  # before the preempted jobs return, which may go first
        now = self._env.now
        for job in chosen:
            self._record_preemption(job, now)
            self._queue.push(job)
        return self._placement.take(head.gpus)

    def _notify(self) -> None:
        """Notify the listeners; they find the cluster in a consistent state."""
        news, self._notifications = self._notifications, []
        for job, started in news:
            watcher = job.watcher
            if watcher is None or job.triggered:
                continue
            if started:
                watcher.job_started(job)
            else:
                watcher.job_stopped(job)


def _number_of(job: Job) -> int:
    return job.number
