"""A battery for queue disciplines: any of ours, or one of your own, held to what a cluster needs of it."""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate, islice
from typing import NamedTuple

from hypothesis import strategies as st
from simpy import Event

from hardware.cluster.cluster import ClusterParams, GpuCluster, Job, JobRecord
from hardware.cluster.jobs import AllocationEnd
from hardware.cluster.queues import BackfillQueue, QueueDiscipline
from hardware.cluster.validation import check_queue_class
from sim.clock import Clock
from sim.testing.runner import run_properties

Discipline = Callable[[], QueueDiscipline]

GPUS = 8
"""Of the cluster that the battery has."""
LENGTHS = (0.0, 0.5, 1.0, 2.5, 6.0)
"""Hours, all of them exact in binary, so that ends coincide."""
_FOREVER = 1e6
"""Hours after which every job must be over."""


class JobRequest(NamedTuple):
    """A job as somebody asks for it."""

    at: float
    """Hour."""
    gpus: int
    length: float
    """Hours."""
    priority: int = 0


class Submit(NamedTuple):
    """Somebody asks for a gang, now."""

    gpus: int
    length: float
    """Hours."""
    priority: int


class Advance(NamedTuple):
    """Time passes."""

    hours: float


class Cancel(NamedTuple):
    """A job is taken back, whether it waits, runs or is over: the one of this number, counted round."""

    job: int


class Fail(NamedTuple):
    """A GPU of a job fails: if the job runs, it loses what it did since its last checkpoint, and waits again."""

    job: int
    """Counted as in `Cancel`."""


class Preempt(NamedTuple):
    """From now on jobs push out others of lower priority, or do so no more; all that run are dispatched anew."""

    on: bool


Step = Submit | Advance | Cancel | Fail | Preempt


def job_requests(gpus: int = GPUS) -> st.SearchStrategy[JobRequest]:
    """Return a strategy for jobs that fit a cluster of so many GPUs; times and lengths are few, so that ties abound."""
    hours = st.integers(0, 12).map(float)
    return st.builds(JobRequest, hours, st.integers(1, gpus), st.sampled_from(LENGTHS), st.integers(0, 2))


def workloads(gpus: int = GPUS, most: int = 25) -> st.SearchStrategy[list[JobRequest]]:
    """Return a strategy for workloads: jobs in the order in which they are asked for."""
    return (
        st.lists(job_requests(gpus), max_size=most) | st.lists(job_requests(gpus), min_size=most // 2, max_size=most)
    ).map(sorted)


def reliable_cluster(discipline: Discipline, gpus: int = GPUS) -> tuple[Clock, GpuCluster]:
    """Return a clock of hours and a cluster on it with a discipline, where nothing fails and nobody is pushed out.

    Raises TypeError for what makes no queue.
    """
    clock = Clock()
    params = ClusterParams(
        gpus=gpus, placement="flat", preemption=False, gpu_hours_between_failures=0.0, restart_hours=0.5
    )
    return clock, GpuCluster(clock, params, hour=1, discipline=discipline)


def run_workload(discipline: Discipline, workload: Sequence[JobRequest], gpus: int = GPUS) -> list[JobRecord]:
    """Return the records of a workload's jobs under a discipline, in the order in which they are submitted.

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
    clock.advance(_FOREVER)
    return sorted(cluster.records)


def queue_histories(gpus: int = GPUS, most: int = 30) -> st.SearchStrategy[list[Step]]:
    """Return a strategy for what may happen to a cluster of so many GPUs, one step after the other."""
    # The simplest job is long and takes all GPUs. Many are small, so that several run at once and leave holes to fill.
    sizes = st.sampled_from([*range(gpus, 0, -1), *range(gpus // 2, 0, -1)])
    lengths = st.sampled_from([LENGTHS[-1], *LENGTHS[::-1]])
    submit = st.builds(Submit, sizes, lengths, st.integers(0, 2))
    advance = st.builds(Advance, st.sampled_from((0.0, 0.5, 1.0, 3.0)))
    job = st.integers(1, most)
    quiet = st.one_of(advance, submit, submit, st.builds(Cancel, job))  # half of all: who comes back voids promises
    rough = quiet | st.builds(Fail, job) | st.builds(Preempt, st.booleans())
    return _short_or_long(quiet, most) | _short_or_long(rough, most)


def _short_or_long(step: st.SearchStrategy[Step], most: int) -> st.SearchStrategy[list[Step]]:
    """Lists of any length, half of them at least half as long as may be: deep queues, too."""
    return st.lists(step, max_size=most) | st.lists(step, min_size=most // 2, max_size=most)


def check_queue(discipline: Discipline, examples: int = 500) -> None:
    """Hold a queue discipline against the battery: so many histories of a cluster of 8 GPUs.

    At every moment the queue holds exactly those who wait, also who has come back to it after a failure, a preemption
    or a change of the cluster, and its head waits for want of GPUs alone; with backfill nobody delays the head. In the
    end every job has had what it asked for. Two clusters with the same history give the same records.

    The discipline must also wait for all arrivals of an instant before it chooses. Therefore as many workloads run
    twice, with the arrivals of each instant before its ends and after them, and all jobs must start at the same times.

    Raises AssertionError with what does not hold and the shortest history or workload that shows it, also if the
    discipline raises an error of its own; TypeError for a queue in place of its class; ValueError for fewer than one of
    ``examples``.
    """
    check_queue_class(discipline)
    run_properties(queue_histories(), lambda history: QueueTrial(discipline).live(history), _format_history, examples)
    run_properties(
        workloads(most=10), lambda workload: _await_arrivals(discipline, workload), _workload_story, examples
    )


def _await_arrivals(discipline: Discipline, workload: Sequence[JobRequest]) -> None:
    """Assert that starts do not depend on the order of arrivals and ends within an instant."""
    before, after = (_run_workload(discipline, workload, GPUS, after_ends) for after_ends in (False, True))
    for one, other in zip(before, after, strict=True):
        assert one.started == other.started, (
            f"job {one.job} starts at hour {one.started:g} if the arrivals of an instant precede its ends, and at hour "
            f"{other.started:g} if they follow; the discipline must choose after all arrivals"
        )


def _workload_story(workload: Sequence[JobRequest]) -> str:
    """A workload as text; jobs have the numbers that the message means."""
    lines = [f"    {ask}  # job {number}" for number, ask in enumerate(workload, start=1)]
    return "\n".join(["The shortest workload that shows it:", *(lines or ["    (no job has to be submitted)"])])


def _format_history(history: Sequence[Step]) -> str:
    """A history as text; jobs have the numbers that the message means."""
    lines, jobs = [], 0
    for step in history:
        jobs += isinstance(step, Submit)
        lines.append(f"    {step}" + (f"  # job {jobs}" if isinstance(step, Submit) else ""))
    return "\n".join(["The shortest history that shows it:", *(lines or ["    (nothing has to happen)"])])


class QueueTrial:
    """A small cluster to which anything may happen; what must hold is asserted at every moment, and at the end."""

    def __init__(self, discipline: Discipline) -> None:
        self.discipline = discipline
        self.clock, self.cluster = reliable_cluster(discipline)
        self.jobs: list[Job] = []
        self.promised: tuple[Job, float] | None = None
        """The head of a queue with backfill, and when it starts at the latest."""
        self.setbacks = 0

    def live(self, history: Sequence[Step]) -> None:
        """Let a history happen and come to its end, here and in another cluster beside."""
        self.hold()
        beside = QueueTrial(self.discipline)
        for step in [*history, Advance(_FOREVER)]:
            self.do(step)
            beside.hold()
            beside.do(step)
        self._settle_accounts()
        assert beside.cluster.records == self.cluster.records, (
            "the same history gave other records when it was run again"
        )

    def do(self, step: Step) -> None:
        """Let one thing happen."""
        if isinstance(step, Submit):
            self.jobs.append(self.cluster.submit(step.gpus, step.length, priority=step.priority))
            if self.promised is not None and self.cluster._queue.head is not self.promised[0]:
                self.promised = None  # somebody goes before who was the head, as the discipline has it
        elif isinstance(step, Advance):
            self._advance(step.hours)
        elif isinstance(step, Preempt):
            self.cluster.reconfigure(self.cluster.params.model_copy(update={"preemption": step.on}))
            self.promised = None
        elif self.jobs:
            self._strike(step, self.jobs[(step.job - 1) % len(self.jobs)])
        self.hold()

    def _strike(self, step: Cancel | Fail, job: Job) -> None:
        if isinstance(step, Cancel):
            self.cluster.cancel(job)
        elif job.state == "running":
            self.cluster._on_failure(AllocationEnd(job, []))

    def _advance(self, hours: float) -> None:
        until = self.clock.now + hours
        while self.clock.peek() <= until:
            self.clock.step()
            self.hold()
        self.clock.advance(until)

    def hold(self) -> None:
        """Assert what must hold at every moment: nobody is lost, and the head waits for want of GPUs alone."""
        queue = self.cluster._queue
        ours = all(job.env is self.clock for job in queue)
        assert ours, "the queue holds jobs of another cluster: what it keeps is shared by all of its class"
        waiting = [job.number for job in self.jobs if job.state == "waiting"]
        there = sorted(job.number for job in queue)
        assert there == waiting, f"jobs {waiting} wait, and the queue holds {there}"
        assert len(queue) == len(waiting), f"{len(waiting)} jobs wait, and the queue counts {len(queue)}"
        first = queue.head
        assert (first is None) == (not waiting), f"jobs {waiting} wait, and the head is {_named(first)}"
        assert first is None or first.number in waiting, f"the head, {_named(first)}, does not wait"
        running = [job for job in self.jobs if job.state == "running"]
        held = sum(job.gpus for job in running)
        assert self.cluster.in_use == held <= GPUS, f"{held} GPUs are held of {GPUS}"
        if self.clock.peek() > self.clock.now:  # all that happens in this instant has happened
            if first is not None:
                self._waits_for_gpus(first, GPUS - held, running)
            self._keep_promise(first)

    def _waits_for_gpus(self, head: Job, free: int, running: Sequence[Job]) -> None:
        said = f"at hour {self.clock.now:g}, and the head, {_named(head)}, needs {head.gpus}"
        assert head.gpus > free, f"{free} GPUs idle {said}"
        if self.cluster.params.preemption:
            free += sum(job.gpus for job in running if job.priority < head.priority)
            assert head.gpus > free, f"{free} GPUs idle or may be taken from jobs of lower priority {said}"

    def _keep_promise(self, first: Job | None) -> None:
        """Backfill must not delay the head: unless a job comes back, it starts when it would if nobody else came."""
        if not isinstance(self.cluster._queue, BackfillQueue):
            return
        setbacks = sum(job.past.failures + job.past.preemptions for job in self.jobs if job.past is not None)
        if setbacks > self.setbacks:
            self.setbacks, self.promised = setbacks, None
        if self.promised is not None:
            job, at = self.promised
            late = self.clock.now > at and job.state == "waiting" and job is first
            assert not late, f"the head, {_named(job)}, was to start at hour {at:g}, and others went before it"
        if first is None or self.promised is None or self.promised[0] is not first:
            self.promised = None if first is None else (first, self._fits_at(first))

    def _fits_at(self, head: Job) -> float:
        free = GPUS - self.cluster.in_use
        ends = sorted((job.started_at + job.remaining, job.gpus) for job in self.jobs if job.state == "running")
        fits = accumulate((gpus for _, gpus in ends), initial=free)
        return next(at for (at, _), there in zip(ends, islice(fits, 1, None), strict=True) if there >= head.gpus)

    def _settle_accounts(self) -> None:
        assert len(self.cluster.records) == len(self.jobs), "a job never started"
        for record in self.cluster.records:
            near = math.isclose(record.held, record.done + record.restarts + record.lost, abs_tol=1e-9)
            assert near, f"GPU-hours of job {record.job} are lost"
            done = record.outcome != "done" or math.isclose(record.done, record.requested_gpu_time, abs_tol=1e-9)
            assert done, f"job {record.job} asked for {record.requested_gpu_time:g} GPU-hours and had {record.done:g}"


def _named(job: Job | None) -> str:
    return "nobody" if job is None else f"job {job.number}"
