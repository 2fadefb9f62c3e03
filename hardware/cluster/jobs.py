"""Represent a job from its submission to its record."""

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from numpy.random import Generator
from simpy import Environment, Event
from simpy.events import PENDING

State = Literal["waiting", "running", "over"]
Outcome = Literal["done", "cancelled"]
Allocation = tuple[tuple[int, int, int], ...]
"""GPUs that a gang holds: (number of the first node, number of nodes, GPUs on each) for each run of nodes."""


def nodes_of(allocation: Allocation) -> Iterator[tuple[int, int]]:
    """Return each node of an allocation, and the GPUs on it; costs all nodes."""
    for first, number, gpus in allocation:
        for node in range(first, first + number):
            yield node, gpus


class JobRecord(NamedTuple):
    """Record of one job that is over. Times are in the unit of the cluster's clock, GPU-times in GPUs × that unit.

    Every GPU-second is accounted for, to rounding: ``processed = done + restarts + lost`` and
    ``requested_gpu_time = done + undone_gpu_time``. On nodes of speed 1, ``held = processed``. Work is GPU-time at
    speed 1.
    """

    job: int
    """Number in order of submission."""
    owner: int
    use: str
    priority: int
    gpus: int
    length: float
    """Requested run time at speed 1, checkpoints included; infinite for a standing job."""
    submitted: float
    started: float | None
    """Time of the first start; None if it never started."""
    ended: float
    outcome: Outcome
    preemptions: int
    failures: int
    held: float
    """Total GPU-time for which it held GPUs."""
    done: float
    """Work that counted."""
    restarts: float
    """Work of restarts after preemptions and failures."""
    lost: float
    """Work that was lost in failures."""
    tasks: int
    """Number of tasks: 1, or several tasks of a job array on the same GPUs. Then `job`, `submitted` and `started`
    belong to the first task, and `length` is the total."""
    waited: float
    """Clock time from submission to the first start, summed over the tasks; 0 if it never started."""

    @property
    def requested_gpu_time(self) -> float:
        """GPU-time of the requested work."""
        return self.gpus * self.length

    @property
    def undone_gpu_time(self) -> float:
        """GPU-time of requested work that was not done."""
        return self.requested_gpu_time - self.done

    @property
    def processed(self) -> float:
        """Work of its GPUs, whether it counted or not: the sum of ``held`` × speed over its allocations."""
        return self.done + self.restarts + self.lost


class ClusterJobListener(Protocol):
    """An object that is notified when a job gets GPUs, and when it loses them before its end."""

    def job_started(self, job: Any) -> None:
        """Handle that the job runs now, for the first time or again."""

    def job_stopped(self, job: Any) -> None:
        """Handle that the job lost its GPUs and waits again."""


class SupportsStreams(Protocol):
    """Random generators named by decision and owner."""

    def get(self, name: str, who: int | str = 0) -> Generator:
        """Return the generator for a decision of an owner."""


class JobClass:
    """The running jobs of one use and one priority in one pool."""

    __slots__ = ("gpus", "held", "jobs", "priority", "use")

    def __init__(self, use: str, priority: int) -> None:
        self.use = str(use)  # plain text, for records
        self.priority = priority
        self.gpus = 0
        self.held = 0.0
        """GPU-time of allocations that have ended."""
        self.jobs: dict[Job, None] = {}


class JobAccounting:
    """Keep job numbers, records and GPU-time by use, for all pools of one cluster."""

    def __init__(self) -> None:
        self.last_job = 0
        self.records: list[JobRecord] = []
        self.job_classes: list[JobClass] = []
        """Job classes of all pools, past ones included."""

    def gpu_time(self, use: str, now: float) -> float:
        """Return the GPU-time that a use held up to ``now``."""
        job_classes = [job_class for job_class in self.job_classes if job_class.use == use]
        over = math.fsum(job_class.held for job_class in job_classes)
        return over + math.fsum(
            job.gpus * (now - job.started_at) for job_class in job_classes for job in job_class.jobs
        )


class ExecutionHistory:
    """Sum of the interrupted allocations of a job. Times are per GPU; work is time at speed 1."""

    __slots__ = ("failures", "held", "lost", "preemptions", "restart_due", "restarted", "speed", "started", "worked")

    def __init__(self, started: float | None = None) -> None:
        self.started = started
        """Start of the first allocation."""
        self.speed = 1.0
        """Speed of the present allocation, relative to the nodes of day 0."""
        self.held = 0.0
        """Clock time for which it held GPUs."""
        self.worked = 0.0
        self.restart_due = 0.0
        """Work of a restart, which comes before further work."""
        self.restarted = 0.0
        self.lost = 0.0
        self.preemptions = 0
        self.failures = 0


class Job(Event):
    """A request for a gang of GPUs: a SimPy event that succeeds with a JobRecord when the job is done or cancelled.

    A SimPy process may ``yield`` it, and ``callbacks`` may be added. The attributes are for reading.
    """

    # Slots save memory for many jobs; attributes that few jobs have are in `past`.
    __slots__ = (
        "_value",
        "allocation",
        "array",
        "callbacks",
        "cancelled",
        "ends",
        "env",
        "gpus",
        "interruptions",
        "job_class",
        "length",
        "number",
        "owner",
        "past",
        "started_at",
        "submitted",
        "watcher",
    )
    _ok: ClassVar[bool] = True  # type: ignore[misc]  # always a success
    tasks: int = 1
    """Number of tasks that it does now."""
    tasks_before: int = 0
    """Number of tasks that its gang did before, without a break."""
    started_at: float
    """Time of the last start; undefined before the first."""
    ends: float
    """Expected end, set by disciplines with backfill."""

    def __init__(
        self,
        env: Environment,
        number: int,
        job_class: JobClass,
        gpus: int,
        length: float,
        owner: int,
        watcher: ClusterJobListener | None,
        submitted: float,
    ) -> None:
        self.env = env
        self.callbacks = []
        self._value = PENDING
        self.number = number
        self.job_class = job_class
        self.gpus = gpus
        self.length = length
        self.owner = owner
        self.watcher = watcher
        self.submitted = submitted
        self.allocation: Allocation = ()
        """GPUs that it holds; empty while it waits."""
        self.cancelled = False
        """True if it was cancelled while it waited; its queue may still hold it."""
        self.interruptions = 0
        """Number of interrupted allocations."""
        self.past: ExecutionHistory | None = None
        self.array: Any = None
        """Its job array; None for a single job."""

    def __getstate__(self) -> dict[str, Any]:
        # SimPy knows a pending event by the identity of its value, which pickling would not keep.
        names = [name for kind in type(self).__mro__ for name in getattr(kind, "__slots__", ())]
        filled = {name: getattr(self, name) for name in names if hasattr(self, name)}
        return {name: value for name, value in filled.items() if value is not PENDING}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._value = PENDING
        for name, value in state.items():
            setattr(self, name, value)

    @property
    def use(self) -> str:
        """Use of the cluster."""
        return self.job_class.use

    @property
    def priority(self) -> int:
        """Priority: disciplines may start higher ones first, and higher ones may preempt lower ones."""
        return self.job_class.priority

    @property
    def payload(self) -> Any:
        """Data that the owner attached to the job array; None for a single job."""
        return None if self.array is None else self.array.payload

    def transfer_to(self, listener: Any, payload: Any) -> None:
        """Report to ``listener`` from now on, in place of the present listener and callbacks.

        The listener gets ``job_started``, ``job_stopped`` and ``job_over``, and finds ``payload`` on the job.
        """
        self.watcher = listener
        self.callbacks = [listener.job_over]
        self.array = TransferredPayload(payload)

    @property
    def speed(self) -> float:
        """Speed of its present allocation, relative to the nodes of day 0; 1 while it waits."""
        return 1.0 if self.past is None else self.past.speed

    def start_at_speed(self, speed: float) -> None:
        """Set the speed of the allocation that starts now."""
        self.past = self.past or ExecutionHistory(self.started_at)
        self.past.speed = speed

    @property
    def planned_end(self) -> float:
        """Time at which a running job ends if nothing interrupts it."""
        return self.started_at + self.remaining / self.speed

    @property
    def remaining(self) -> float:
        """Work left, as run time at speed 1, restart included, at the last start or interruption."""
        past = self.past
        return self.length if past is None else past.restart_due + (self.length - past.worked)

    expected = remaining
    """Work left that disciplines may read: `remaining`, or an estimate if the job has one."""

    @property
    def unfinished(self) -> float:
        """Share of its work that was not done at the last start or interruption."""
        done = 0.0 if self.past is None else self.past.worked
        return 1 - done / self.length if self.length > 0 else 0.0

    @property
    def started(self) -> float | None:
        """Time of the first start; None if it never started."""
        if self.past is not None:
            return self.past.started
        return getattr(self, "started_at", None)

    @property
    def state(self) -> State:
        """Waiting, running or over."""
        if self.triggered:
            return "over"
        return "running" if self.allocation else "waiting"

    def record_interruption(self, elapsed: float) -> ExecutionHistory:
        """Record an allocation that was interrupted after ``elapsed``: first the restart, then work."""
        self.interruptions += 1
        self.allocation = ()
        past = self.past = self.past or ExecutionHistory(self.started_at)
        progress = elapsed * past.speed
        past.speed = 1.0
        paid = min(progress, past.restart_due)
        past.held += elapsed
        past.restart_due -= paid
        past.restarted += paid
        past.worked += min(progress - paid, self.length - past.worked)
        return past

    def record_failure(self, elapsed: float, checkpoint: float) -> ExecutionHistory:
        """Record an allocation that failed: work since the last ``checkpoint`` interval is lost; 0 loses none."""
        before = self.past or ExecutionHistory()
        work = max(0.0, elapsed * before.speed - before.restart_due)
        safe = before.worked + (min(work, checkpoint * (work // checkpoint)) if checkpoint else work)
        past = self.record_interruption(elapsed)
        past.lost += max(0.0, past.worked - safe)
        past.worked = min(past.worked, safe)
        return past

    def record(self, ended: float, outcome: Outcome) -> JobRecord:
        """Return the record of a job that holds no GPUs."""
        past, job_class, gpus = self.past or ExecutionHistory(), self.job_class, self.gpus
        return _tuple(
            JobRecord,
            (
                self.number,
                self.owner,
                job_class.use,
                job_class.priority,
                gpus,
                self.length,
                self.submitted,
                past.started,
                ended,
                outcome,
                past.preemptions,
                past.failures,
                gpus * past.held,
                gpus * past.worked,
                gpus * past.restarted,
                gpus * past.lost,
                self.tasks,
                0.0 if past.started is None else self.tasks * (past.started - self.submitted),
            ),
        )

    def mark_processed(self, record: JobRecord) -> list[Any]:
        """Give the event its value without scheduling it; return the callbacks, which the caller calls."""
        self._value = record
        callbacks = self.callbacks
        self.callbacks = None  # type: ignore[assignment]  # SimPy: None once an event was processed
        return callbacks

    def record_at_end(self, ended: float, duration: float) -> JobRecord:
        """Return the record of a job that is done; its last allocation lasted ``duration``."""
        past, job_class, gpus = self.past, self.job_class, self.gpus
        if past is not None:
            past.held += duration
            past.restarted += past.restart_due
            past.worked = self.length
            past.speed = 1.0
            return self.record(ended, "done")
        tasks = 1 if self.array is None else self.tasks
        # Most jobs just run. JobRecord(...) would take twice the time.
        return _tuple(
            JobRecord,
            (
                self.number,
                self.owner,
                job_class.use,
                job_class.priority,
                gpus,
                self.length,
                self.submitted,
                self.started_at,
                ended,
                "done",
                0,
                0,
                gpus * duration,
                gpus * self.length,
                0.0,
                0.0,
                tasks,
                tasks * (self.started_at - self.submitted),
            ),
        )


class EstimatedJob(Job):
    """A job with an estimated length for disciplines, such as a requested run time, in place of the true one."""

    __slots__ = ("_estimate",)

    def set_expected(self, length: float) -> None:
        """Set the length that disciplines read."""
        self._estimate = length

    @property
    def expected(self) -> float:
        """Estimated run time left, at least 0."""
        if self.past is None:
            return self._estimate
        return max(0.0, self.remaining + (self._estimate - self.length))


class TransferredPayload(NamedTuple):
    """Payload of a job that was transferred, in the place of its job array."""

    payload: Any


class BatchJob(NamedTuple):
    """One job of several that are submitted together, as `GpuCluster.submit` takes it."""

    gpus: int
    length: float
    owner: int = 0
    priority: int = 0
    expected: float | None = None


_tuple = tuple.__new__


class DispatchEvent(Event):
    """The event of a dispatch, which is scheduled again and again."""

    _ok: ClassVar[bool] = True  # type: ignore[misc]  # always a success


class AllocationEnd(Event):
    """The scheduled end of one allocation of a job; void if that allocation was interrupted."""

    __slots__ = ("callbacks", "job", "number")
    _ok: ClassVar[bool] = True  # type: ignore[misc]  # always a success

    def __init__(self, job: Job, callbacks: list[Any]) -> None:
        self.job = job
        self.number = job.interruptions
        self.callbacks = callbacks
