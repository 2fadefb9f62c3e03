"""A fixed pool of GPUs in SimPy time: gangs wait, start, are preempted, fail, and end.

The cluster dispatches once per instant, after all other events of that instant. GPUs come back in the same event
that ends, cancels, fails or preempts a job. It holds callbacks and no generators, so that on a clock that can be
pickled it is pickled with everything that is scheduled.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

from simpy import Environment, Event
from simpy.core import StopSimulation
from simpy.events import NORMAL, EventPriority

from hardware.cluster.job_arrays import MAX_TASKS_PER_RECORD, ArrayJob, JobArray, TaskSupplier
from hardware.cluster.jobs import (
    AllocationEnd,
    DispatchEvent,
    EstimatedJob,
    ExecutionHistory,
    Job,
    JobAccounting,
    JobListener,
    JobRecord,
    JobRequest,
    Seats,
    SupportsDiscard,
    SupportsStreams,
)
from hardware.cluster.params import ClusterParams
from hardware.cluster.preemption import victims
from hardware.cluster.queues import BackfillQueue, QueueDiscipline
from hardware.cluster.reliability import checkpoint_interval
from hardware.cluster.state import ClusterState
from hardware.cluster.validation import check_jobs_fit, check_queue_class, check_streams, explain_rejection, whole_count

__all__ = ["ClusterParams", "GpuCluster", "Job", "JobListener", "JobRecord", "SupportsStreams"]

DISPATCH_PRIORITY: Final = EventPriority(NORMAL + 1)
"""SimPy priority of a dispatch among the events of its instant."""

Withdrawn = tuple[Job | JobArray, bool]
"""What was taken out of a pool, and whether it ran."""


class GpuCluster(ClusterState):
    """One pool of GPUs with one queue.

    ``env``: any SimPy environment; ``hour``: the length of an hour on its clock (1/24 on a clock of days, 3600 on
    one of seconds). ``gpus`` stands in for ``params.gpus`` in a part of a cluster; parts of one cluster keep one
    ``book``. ``streams`` is asked for ``("gpu failure", owner)``, once for each start of a job. ``discipline`` makes
    the queue, in place of the one that ``params`` names.

    Raises ValueError if something can fail and there are no streams, TypeError for a discipline that makes nothing.
    """

    def __init__(
        self,
        env: Environment,
        params: ClusterParams,
        streams: SupportsStreams | None = None,
        hour: float = 1 / 24,
        gpus: int | None = None,
        book: JobAccounting | None = None,
        discipline: Callable[[], QueueDiscipline] | None = None,
    ) -> None:
        if discipline is not None:
            check_queue_class(discipline)
        super().__init__(env, JobAccounting() if book is None else book, discipline)
        self._streams = streams
        self._hour = hour
        self._end_calls: list[Callable[[Any], None]] = [self._ended]
        self._lot_end_calls: list[Callable[[Any], None]] = [self._ended_in_lot]
        self._failure_calls: list[Callable[[Any], None]] = [self._failed]
        self._turn = DispatchEvent(env)
        self._turn_calls: list[Callable[[Any], None]] = [self._take_turn]
        self._turn_due = False
        self._news: list[tuple[Job, bool]] = []
        """(job, whether it started or stopped): told to the watchers when the dispatch is complete."""
        self._configure(params, params.gpus if gpus is None else gpus)

    def _configure(self, params: ClusterParams, gpus: int) -> None:
        """Set up an empty pool."""
        check_streams(params, self._streams)
        self._set_up(params, whole_count(gpus, "gpus"))
        self._preempts = params.preemption
        self._restart = params.restart_hours * self._hour
        self._checkpoint = params.checkpoint_hours * self._hour
        self._write = params.checkpoint_seconds / 3600 * self._hour
        self._mean_life = params.gpu_hours_between_failures * self._hour
        self._gangs_stay = not self._mean_life and not self._queue.compares
        """Whether a gang may go on with the next job of a lot: it has no checkpoint, and no other job may go first."""

    # What others ask of the cluster

    def submit(
        self,
        gpus: int,
        length: float,
        *,
        owner: int = 0,
        use: str = "job",
        priority: int = 0,
        watcher: JobListener | None = None,
        expected: float | None = None,
    ) -> Job:
        """Ask for ``gpus`` GPUs at once for ``length`` of clock time; the job returned is an event.

        Length 0 is lawful, and so is infinity: a standing job, which ends only by ``cancel`` and is never hit by
        failures, having no work to lose. ``watcher`` is told whenever the job gets or loses its GPUs. ``expected`` is
        the length that disciplines may read in place of the true one, such as a requested run time.

        Raises ValueError if there can never be so many GPUs at once, on a number of GPUs that is not whole, and on a
        negative or undefined length.
        """
        if gpus.__class__ is not int:
            gpus = whole_count(gpus, "gpus")
        if not 1 <= gpus <= self.largest_gang or not length >= 0:
            raise ValueError(explain_rejection(self, gpus, length))
        share = self._shares.get((use, priority)) or self._new_share(use, priority)
        book = self._book
        book.last_job = number = book.last_job + 1
        env = self._env
        now = env.now
        if self._mean_life and length < math.inf:
            length += self._writing(gpus, length)
        if expected is None:
            job = Job(env, number, share, gpus, length, owner, watcher, now)
        else:
            job = EstimatedJob(env, number, share, gpus, length, owner, watcher, now)
            job.set_expected(expected)
        if self._queue.push(job) and (gpus <= self._placement.free or self._preempts or self._reserves_anew(job)):
            self._wake()
        return job

    def submit_batch(self, asked: Iterable[JobRequest]) -> None:
        """Ask for several jobs, and let them start in this event if no other is to come in this instant.

        Use when one event submits several jobs and nothing waits for them: it saves the event of a dispatch.

        Raises ValueError as `submit`.
        """
        was_due, self._turn_due = self._turn_due, True  # nobody is to start before all have asked
        try:
            for gpus, length, owner, priority, expected in asked:
                self.submit(gpus, length, owner=owner, priority=priority, expected=expected)
        finally:
            self._turn_due = was_due
        self._take_turn_soon(self._env.now)

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
        """Ask for ``count`` jobs at once; each is drawn from ``source`` when its turn comes.

        They take the next ``count`` numbers, and with them their places in the queue. Until its turn comes a job is
        part of a count, however many there are. A discipline that compares lengths looks at the first `LOOK_AHEAD`.

        Raises ValueError if there is nothing to ask for.
        """
        count = whole_count(count, "count")
        if count < 1:
            raise ValueError(f"a lot has at least one job, not {count}")
        share = self._shares.get((use, priority)) or self._new_share(use, priority)
        book, lots = self._book, self._lots
        first = book.last_job + 1
        book.last_job += count
        lot = JobArray(first, count, source, payload, owner, share, self._env.now)
        if not lots or lots[-1].share is share:
            lots.append(lot)
        else:
            lots.line_up(lot, self._queue)
        if self._placement.free or self._preempts:
            self._wake()
        return lot

    def cancel(self, job: Job) -> bool:
        """End a job that waits or runs, now; return False if it was over already."""
        state, now = job.state, self._env.now
        if state == "over":
            return False
        if state == "running":
            job.record_interruption(self._give_back(job, now))
        else:
            job.cancelled = True
            self._queue.remove(job)
        if job.broken_off:
            self._unschedule(job)
        record = job.record(now, "cancelled")
        self.records.append(record)
        job.succeed(record)
        self._wake()
        return True

    def _unschedule(self, job: Job) -> None:
        """Remove the ends of a cancelled job from the clock, if the clock can: else it runs on to them in vain."""
        if isinstance(self._env, SupportsDiscard):
            self._env.discard(lambda event: event.__class__ is AllocationEnd and event.job is job)

    def reconfigure(self, params: ClusterParams, gpus: int | None = None) -> None:
        """Change anything about the pool, now.

        All that run are set back to the queue, in their places, without loss or restart, and dispatched anew in
        this instant. Nothing happens if nothing changes. Raises ValueError, before it changes anything, if a job
        that waits or runs is larger than what there can be.
        """
        size = params.gpus if gpus is None else gpus
        if (params, size) == (self.params, self.capacity):
            return
        check_streams(params, self._streams)
        check_jobs_fit(self.jobs(), params, size)
        taken = self.withdraw()
        self._configure(params, size)
        self.adopt(taken)

    def withdraw(self) -> list[Withdrawn]:
        """Take out all jobs, with all that they have done, in order of submission, then the lots."""
        now = self._env.now
        taken = [(job, job.state == "running") for job in self.jobs()]
        for job, ran in taken:
            if ran:
                job.record_interruption(self._give_back(job, now))
        lots = self.lots
        self._lots.clear()
        self._new_queue()
        return [*taken, *((lot, False) for lot in lots)]

    def adopt(self, taken: list[Withdrawn]) -> None:
        """Take in what was withdrawn in this instant; who ran is told so before it runs again."""
        for each, ran in taken:
            use, priority = each.share.use, each.share.priority
            each.share = self._shares.get((use, priority)) or self._new_share(use, priority)
            if isinstance(each, JobArray):
                self._lots.line_up(each, self._queue)
                continue
            self._queue.push(each)
            if ran and each.watcher is not None:
                self._news.append((each, False))
        self._wake()

    # How it works

    def _reserves_anew(self, job: Job) -> bool:
        """Return whether ``job`` took the head's place before others, which may start beside its reservation."""
        queue = self._backfill_queue
        return queue is not None and queue.first is job and self._placement.free > 0 and len(queue) > 1

    def _wake(self) -> None:
        """Have a dispatch follow all other events of this instant."""
        if not self._turn_due and (self._queue.first is not None or self._lots):
            self._turn_due = True
            self._turn.callbacks = self._turn_calls
            self._env.schedule(self._turn, DISPATCH_PRIORITY)

    def _take_turn(self, _: Event) -> None:
        self._turn_due = False
        self._dispatch(self._env.now)

    def _dispatch(self, now: float) -> None:
        queue, placement = self._queue, self._placement
        job = queue.first
        while placement.free or self._preempts:
            if self._lots:
                self._lots.show(queue, self._env, self.largest_gang, self._writing if self._mean_life else None)
            if (job := queue.first) is None:
                break
            seats = placement.take(job.gpus)
            if seats is not None:
                queue.remove(job)
            elif not self._preempts or (seats := self._make_room(job)) is None:
                break
            self._start(job, seats, now)
        if job is not None and placement.free and self._backfill_queue is not None:
            self._backfill(self._backfill_queue, now)
        if self._news:
            self._tell()

    def _backfill(self, queue: BackfillQueue, now: float) -> None:
        reservation = queue.reserve(now, self._placement)
        while reservation is not None and (job := queue.beside(reservation)) is not None:
            seats = self._placement.take(job.gpus)
            assert seats is not None, "a job beside the reservation fits"
            queue.remove(job)
            self._start(job, seats, now)
            reservation.started(job)

    def _start(self, job: Job, seats: Seats, now: float) -> None:
        """Let a job run, and schedule what comes first: its end, or its failure, at the rate of its GPUs."""
        job.seats = seats
        job.started_at = now
        share = job.share
        share.gpus += job.gpus
        share.jobs[job] = None
        stay = job.length if job.past is None else job.remaining
        if self._backfill_queue is not None:
            self._backfill_queue.began(job, now + (stay if job.__class__ is not EstimatedJob else job.expected))
        if stay < math.inf:
            calls = self._lot_end_calls if self._gangs_stay and job.__class__ is ArrayJob else self._end_calls
            if self._mean_life and (life := self._life(job)) < stay:
                stay, calls = life, self._failure_calls
            self._env.schedule(AllocationEnd(job, calls), NORMAL, stay)
        if job.watcher is not None:
            self._news.append((job, True))

    def _interval(self, gpus: int) -> float:
        """Work of a gang between two checkpoints."""
        return float(checkpoint_interval(self._checkpoint, self._write, self._mean_life, gpus))

    def _writing(self, gpus: int, length: float) -> float:
        """Time that a job of this length writes checkpoints: one after each interval but the last."""
        interval = self._interval(gpus)
        return self._write * max(0, math.ceil(length / interval) - 1) if interval else 0.0

    def _life(self, job: Job) -> float:
        """Draw how long a gang runs until one of its GPUs fails."""
        assert self._streams is not None, "checked when the cluster was set up"
        return self._streams.get("gpu failure", job.owner).exponential(self._mean_life / job.gpus)

    def _ended(self, stint: AllocationEnd) -> None:
        """Let a job succeed, in the event that ends it: an event of its own would cost as much again."""
        job = stint.job
        if stint.number != job.broken_off:
            return
        self._over(job, self._env.now)

    def _over(self, job: Job, now: float) -> None:
        """Take the GPUs back, write the record, tell who waits for the job, and see who is next."""
        stay = self._give_back(job, now)
        self.records.append(job.record_at_end(now, stay))
        callbacks = job.mark_processed(self.records[-1])
        try:
            for callback in callbacks:
                callback(job)
        except StopSimulation:  # env.run(until=job): as in SimPy, the others hear of it when the run goes on
            job.callbacks = callbacks[callbacks.index(callback) + 1 :]
            self._env.schedule(job, EventPriority(-1))
            self._wake()
            raise
        self._take_turn_soon(now)

    def _ended_in_lot(self, stint: AllocationEnd) -> None:
        """Tell the source that a job of a lot is over, and let its gang go on with the source's next one if it can.

        Where only lots wait and the next job is as large this is what a dispatch would do, without a new job, other
        seats and a queue of one. It is the whole cost of a job to the cluster, so it is in one piece.
        """
        job: ArrayJob = stint.job  # type: ignore[assignment]  # nobody else ends here
        if stint.number != job.broken_off:
            return
        env, queue, lots = self._env, self._queue, self._lots
        now = env.now
        if queue.first is None:
            source = job.lot.source
            source.job_over(job)
            if lots and queue.first is None and not self._turn_due and env.peek() > now:
                lot = lots[0]
                alike = lot.source is source and lot.share is job.share and lot.owner == job.owner
                if alike and job.tasks_before + job.tasks < MAX_TASKS_PER_RECORD:
                    gpus, length, tasks = task = source.draw(lot, self.largest_gang)
                    goes_on = gpus == job.gpus
                    if goes_on:
                        job.go_on(lot, length, tasks, now)
                        stint.callbacks = self._lot_end_calls
                        env.schedule(stint, NORMAL, length)
                        source.job_started(job)
                    else:
                        queue.push(lot.make(env, task))
                    if not lot.count:
                        lots.popleft()
                    if goes_on:
                        return
            job.callbacks = []  # as the source was told
        self._over(job, now)

    def _take_turn_soon(self, now: float) -> None:
        """Dispatch now if nothing is left in this instant that the dispatch would have to await."""
        if (self._queue.first is not None or self._lots) and not self._turn_due:
            if self._env.peek() > now:
                self._dispatch(now)
            else:
                self._wake()

    def _failed(self, stint: AllocationEnd) -> None:
        job = stint.job
        if stint.number != job.broken_off:
            return
        stay = self._give_back(job, self._env.now)
        past = job.record_failure(stay, self._interval(job.gpus) + self._write)
        past.failures += 1
        self._set_back(job, past)
        self._wake()
        self._tell()

    def _give_back(self, job: Job, now: float) -> float:
        """Free the GPUs of a job and return how long it had them."""
        if self._backfill_queue is not None:
            self._backfill_queue.left(job)
        self._placement.release(job.seats)
        share, gpus = job.share, job.gpus
        stay = now - job.started_at
        share.gpus -= gpus
        share.held += gpus * stay
        del share.jobs[job]
        return stay

    def _set_back(self, job: Job, past: ExecutionHistory) -> None:
        """Put a job that lost its GPUs back in its place in the queue."""
        past.owed = self._restart
        self._queue.push(job)
        if job.watcher is not None:
            self._news.append((job, False))

    def _make_room(self, head: Job) -> Seats | None:
        """Push out running jobs of lower priority, if that lets the head start; return its seats."""
        chosen = victims(head, self._shares.values(), self._placement)
        if not chosen:
            return None
        self._queue.remove(head)  # before the victims come back, some of them perhaps before it
        now = self._env.now
        for job in chosen:
            past = job.record_interruption(self._give_back(job, now))
            past.preemptions += 1
            self._set_back(job, past)
        return self._placement.take(head.gpus)

    def _tell(self) -> None:
        """Tell the watchers; what they do in answer meets a cluster that is in order."""
        news, self._news = self._news, []
        for job, started in news:
            if job.watcher is None or job.triggered:
                continue
            if started:
                job.watcher.job_started(job)
            else:
                job.watcher.job_stopped(job)
