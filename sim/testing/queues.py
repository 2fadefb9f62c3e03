"""Check the conformance of a queue discipline: the properties that a cluster relies on."""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate, islice
from typing import NamedTuple

from hypothesis import strategies as st
from simpy import Event

from hardware.cluster.cluster import ClusterParams, GpuCluster, Job, JobRecord
from hardware.cluster.queues import BackfillQueue, QueueDiscipline
from hardware.cluster.validation import check_queue_class
from sim.clock import Clock
from sim.testing.runner import run_properties

Discipline = Callable[[], QueueDiscipline]

GPUS = 8
"""Number of GPUs of the cluster in this conformance suite."""
LENGTHS = (0.0, 0.5, 1.0, 2.5, 6.0)
"""Durations of jobs [hours]. They are exact in binary, so that ends coincide."""
_LAST_HOUR = 1e6
"""Time at which every job must be over [hours]."""


class JobRequest(NamedTuple):
    """A job of a workload."""

    at: float
    """Time of submission [hours]."""
    gpus: int
    length: float
    """Duration [hours]."""
    priority: int = 0


class Submit(NamedTuple):
    """Submit a job now."""

    gpus: int
    length: float
    """Duration [hours]."""
    priority: int


class Advance(NamedTuple):
    """Let time pass."""

    hours: float


class Cancel(NamedTuple):
    """Cancel a job, whether it waits, runs or is over."""

    job: int
    """Number of the job; beyond the last job, counting starts again at the first."""


class Fail(NamedTuple):
    """Let a GPU of a running job fail: the job loses its work since the last checkpoint, and waits again."""

    job: int
    """Number of the job, as in `Cancel`."""


class Preempt(NamedTuple):
    """Switch preemption on or off. All running jobs are dispatched again."""

    on: bool


Step = Submit | Advance | Cancel | Fail | Preempt


def job_requests(gpus: int = GPUS) -> st.SearchStrategy[JobRequest]:
    """Return a strategy for jobs that fit a cluster of ``gpus``. There are few times and durations, so ties are
    common."""
    hours = st.integers(0, 12).map(float)
    return st.builds(JobRequest, hours, st.integers(1, gpus), st.sampled_from(LENGTHS), st.integers(0, 2))


def workloads(gpus: int = GPUS, most: int = 25) -> st.SearchStrategy[list[JobRequest]]:
    """Return a strategy for workloads: jobs in order of submission."""
    return (
        st.lists(job_requests(gpus), max_size=most) | st.lists(job_requests(gpus), min_size=most // 2, max_size=most)
    ).map(sorted)


def reliable_cluster(discipline: Discipline, gpus: int = GPUS) -> tuple[Clock, GpuCluster]:
    """Return a clock in hours, and a cluster on it without failures and preemption.

    Raises TypeError if ``discipline`` does not make a queue.
    """
    clock = Clock()
    params = ClusterParams(
        gpus=gpus, placement="flat", preemption=False, gpu_hours_between_failures=0.0, restart_hours=0.5
    )
    return clock, GpuCluster(clock, params, hour=1, discipline=discipline)


def run_workload(discipline: Discipline, workload: Sequence[JobRequest], gpus: int = GPUS) -> list[JobRecord]:
    """Return the records of a workload's jobs under a discipline, in order of submission.

    All jobs that arrive at an instant wait in the queue before the dispatch of that instant.
    """
    return _run_workload(discipline, workload, gpus, after_ends=False)


def _run_workload(
    discipline: Discipline, workload: Sequence[JobRequest], gpus: int, after_ends: bool
) -> list[JobRecord]:
    """Submit each job in an event of its own, before the ends of its instant or after them."""
    clock, cluster = reliable_cluster(discipline, gpus)

    def submit(arrival: Event) -> None:
        ask: JobRequest = arrival.value  # type: ignore[assignment]  # SimPy: a value is known once the event is processed
        cluster.submit(ask.gpus, ask.length, priority=ask.priority)

    def wait_for_ends(arrival: Event) -> None:
        clock.timeout(0.0, arrival.value).callbacks.append(submit)

    for ask in sorted(workload, key=lambda ask: ask.at):
        clock.timeout(ask.at, ask).callbacks.append(wait_for_ends if after_ends else submit)
    clock.advance(_LAST_HOUR)
    return sorted(cluster.records)


def queue_histories(gpus: int = GPUS, most: int = 30) -> st.SearchStrategy[list[Step]]:
    """Return a strategy for histories of a cluster of ``gpus``: lists of steps."""
    # The simplest job is long and takes all GPUs. Many are small, so that several run at once and leave gaps to fill.
    sizes = st.sampled_from([*range(gpus, 0, -1), *range(gpus // 2, 0, -1)])
    lengths = st.sampled_from([LENGTHS[-1], *LENGTHS[::-1]])
    submit = st.builds(Submit, sizes, lengths, st.integers(0, 2))
    advance = st.builds(Advance, st.sampled_from((0.0, 0.5, 1.0, 3.0)))
    job = st.integers(1, most)
    quiet = st.one_of(
        advance, submit, submit, st.builds(Cancel, job)
    )  # half of all histories: a job that returns to the queue voids reservations
    rough = quiet | st.builds(Fail, job) | st.builds(Preempt, st.booleans())
    return _histories_of(quiet, most) | _histories_of(rough, most)


def _histories_of(step: st.SearchStrategy[Step], most: int) -> st.SearchStrategy[list[Step]]:
    """Return a strategy for lists of steps; half of them have at least half the largest length, for long queues."""
    return st.lists(step, max_size=most) | st.lists(step, min_size=most // 2, max_size=most)


def check_queue(discipline: Discipline, examples: int = 500) -> None:
    """Check the conformance of a queue discipline on ``examples`` histories of a cluster of 8 GPUs.

    The properties are:

    - At every moment the queue contains exactly the waiting jobs. This includes jobs that return after a failure, a
      preemption or a change of the cluster.
    - The head of the queue waits only if the free GPUs are too few for it. With backfill, no other job delays it.
    - At the end, every job has received the GPU time that it requested.
    - Two clusters with the same history have the same records.
    - The discipline chooses after all arrivals of an instant. Each of ``examples`` workloads runs twice, with the
      arrivals of each instant before its ends and after them. All jobs must start at the same times.

    Raises AssertionError with the violated property and the shortest history or workload that violates it, also if the
    discipline itself raises an error. Raises TypeError for a queue in place of its class, and ValueError if
    ``examples`` is below 1.
    """
    check_queue_class(discipline)
    run_properties(
        queue_histories(), lambda history: QueueTrial(discipline).run_history(history), _format_history, examples
    )
    run_properties(
        workloads(most=10), lambda workload: _check_arrival_order(discipline, workload), _format_workload, examples
    )


def _check_arrival_order(discipline: Discipline, workload: Sequence[JobRequest]) -> None:
    """Assert that starts do not depend on the order of arrivals and ends within an instant."""
    before, after = (_run_workload(discipline, workload, GPUS, after_ends) for after_ends in (False, True))
    for one, other in zip(before, after, strict=True):
        assert one.started == other.started, (
            f"job {one.job} starts at hour {one.started:g} if the arrivals of an instant precede its ends, and at hour "
            f"{other.started:g} if they follow; the discipline must choose after all arrivals"
        )


def _format_workload(workload: Sequence[JobRequest]) -> str:
    """Return a workload as text, with the job numbers of the message."""
    lines = [f"    {ask}  # job {number}" for number, ask in enumerate(workload, start=1)]
    return "\n".join(["The shortest workload that shows it:", *(lines or ["    (no job has to be submitted)"])])


def _format_history(history: Sequence[Step]) -> str:
    """Return a history as text, with the job numbers of the message."""
    lines, jobs = [], 0
    for step in history:
        jobs += isinstance(step, Submit)
        lines.append(f"    {step}" + (f"  # job {jobs}" if isinstance(step, Submit) else ""))
    return "\n".join(["The shortest history that shows it:", *(lines or ["    (nothing has to happen)"])])


class QueueTrial:
    """Apply a history to a small cluster, and check its properties at every moment and at the end."""

    def __init__(self, discipline: Discipline) -> None:
        self.discipline = discipline
        self.clock, self.cluster = reliable_cluster(discipline)
        self.jobs: list[Job] = []
        self.reservation: tuple[Job, float] | None = None
        """Head of a queue with backfill, and its latest start [hours]."""
        self.setbacks = 0

    def run_history(self, history: Sequence[Step]) -> None:
        """Apply a history to its end, here and in a second cluster, and compare the records."""
        self.check()
        beside = QueueTrial(self.discipline)
        for step in [*history, Advance(_LAST_HOUR)]:
            self.apply(step)
            beside.check()
            beside.apply(step)
        self._check_accounting()
        assert beside.cluster.records == self.cluster.records, "the same history gave other records in a second cluster"

    def apply(self, step: Step) -> None:
        """Apply one step."""
        if isinstance(step, Submit):
            self.jobs.append(self.cluster.submit(step.gpus, step.length, priority=step.priority))
            if self.reservation is not None and self.cluster.queue.head is not self.reservation[0]:
                self.reservation = None  # the discipline has put another job before the head
        elif isinstance(step, Advance):
            self._advance(step.hours)
        elif isinstance(step, Preempt):
            self.cluster.reconfigure(self.cluster.params.model_copy(update={"preemption": step.on}))
            self.reservation = None
        elif self.jobs:
            self._inject_interruption(step, self.jobs[(step.job - 1) % len(self.jobs)])
        self.check()

    def _inject_interruption(self, step: Cancel | Fail, job: Job) -> None:
        if isinstance(step, Cancel):
            self.cluster.cancel(job)
        else:
            self.cluster.fail(job)

    def _advance(self, hours: float) -> None:
        until = self.clock.now + hours
        while self.clock.peek() <= until:
            self.clock.step()
            self.check()
        self.clock.advance(until)

    def check(self) -> None:
        """Assert the properties of every moment: no job is lost, and the head waits only for GPUs."""
        queue = self.cluster.queue
        ours = all(job.env is self.clock for job in queue)
        assert ours, "the queue contains jobs of another cluster: its state is shared by all queues of its class"
        waiting = [job.number for job in self.jobs if job.state == "waiting"]
        there = sorted(job.number for job in queue)
        assert there == waiting, f"jobs {waiting} wait, and the queue contains {there}"
        assert len(queue) == len(waiting), f"{len(waiting)} jobs wait, and the queue counts {len(queue)}"
        first = queue.head
        assert (first is None) == (not waiting), f"jobs {waiting} wait, and the head is {_describe_job(first)}"
        assert first is None or first.number in waiting, f"the head, {_describe_job(first)}, does not wait"
        running = [job for job in self.jobs if job.state == "running"]
        held = sum(job.gpus for job in running)
        assert self.cluster.in_use == held <= GPUS, f"{held} GPUs are held of {GPUS}"
        if self.clock.peek() > self.clock.now:  # all events of this instant are processed
            if first is not None:
                self._check_head_needs_more_gpus(first, GPUS - held, running)
            self._check_reservation(first)

    def _check_head_needs_more_gpus(self, head: Job, free: int, running: Sequence[Job]) -> None:
        where = f"at hour {self.clock.now:g}, and the head, {_describe_job(head)}, needs {head.gpus}"
        assert head.gpus > free, f"{free} GPUs are idle {where}"
        if self.cluster.params.preemption:
            free += sum(job.gpus for job in running if job.priority < head.priority)
            assert head.gpus > free, f"{free} GPUs are idle or held by jobs of lower priority {where}"

    def _check_reservation(self, first: Job | None) -> None:
        """Assert that backfill does not delay the head, unless a job has returned to the queue."""
        if not isinstance(self.cluster.queue, BackfillQueue):
            return
        setbacks = sum(job.past.failures + job.past.preemptions for job in self.jobs if job.past is not None)
        if setbacks > self.setbacks:
            self.setbacks, self.reservation = setbacks, None
        if self.reservation is not None:
            job, at = self.reservation
            late = self.clock.now > at and job.state == "waiting" and job is first
            assert not late, (
                f"the head, {_describe_job(job)}, was to start at hour {at:g}, and other jobs were started before it"
            )
        if first is None or self.reservation is None or self.reservation[0] is not first:
            self.reservation = None if first is None else (first, self._earliest_start(first))

    def _earliest_start(self, head: Job) -> float:
        free = GPUS - self.cluster.in_use
        ends = sorted((job.started_at + job.remaining, job.gpus) for job in self.jobs if job.state == "running")
        fits = accumulate((gpus for _, gpus in ends), initial=free)
        return next(at for (at, _), there in zip(ends, islice(fits, 1, None), strict=True) if there >= head.gpus)

    def _check_accounting(self) -> None:
        assert len(self.cluster.records) == len(self.jobs), "a job never started"
        for record in self.cluster.records:
            near = math.isclose(record.held, record.done + record.restarts + record.lost, abs_tol=1e-9)
            assert near, f"GPU-hours of job {record.job} are lost"
            done = record.outcome != "done" or math.isclose(record.done, record.requested_gpu_time, abs_tol=1e-9)
            assert done, (
                f"job {record.job} requested {record.requested_gpu_time:g} GPU-hours and received {record.done:g}"
            )


def _describe_job(job: Job | None) -> str:
    return "missing" if job is None else f"job {job.number}"
