"""A job from its submission to its record, and who is told about it."""

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

from numpy.random import Generator
from simpy import Environment, Event
from simpy.events import PENDING

State = Literal["waiting", "running", "over"]
Outcome = Literal["done", "cancelled"]
Seats = tuple[tuple[int, int], ...]
"""Where a gang sits: (number of the node, GPUs on it), one pair a node."""


class JobRecord(NamedTuple):
    """What became of one job. Times are in the unit of the cluster's clock, GPU-times in GPUs × that unit.

    Every GPU-second is accounted for, to rounding: ``held = done + restarts + lost`` and
    ``asked = done + abandoned``.
    """

    job: int
    """Running number, in order of submission."""
    owner: int
    use: str
    priority: int
    gpus: int
    length: float
    """Run time asked for, checkpoints included; infinite for a standing job."""
    submitted: float
    started: float | None
    """When it first got its GPUs; None if it never did."""
    ended: float
    outcome: Outcome
    preemptions: int
    failures: int
    held: float
    """GPU-time for which it held GPUs, all told."""
    done: float
    """GPU-time of work that counted."""
    restarts: float
    """GPU-time spent on coming back after preemptions and failures."""
    lost: float
    """GPU-time of work that failures undid."""
    tasks: int
    """How many jobs it stands for: 1, or several of one owner that the same GPUs did, some after others. Then `job`,
    `submitted` and `started` are those of the first, and `length` is that of all."""
    waited: float
    """Clock time from being asked for to the first start, summed over the tasks; 0 if it never started."""

    @property
    def asked(self) -> float:
        """GPU-time of work that was asked for."""
        return self.gpus * self.length

    @property
    def abandoned(self) -> float:
        """GPU-time of work that was asked for and never done."""
        return self.asked - self.done


class JobListener(Protocol):
    """Somebody who is told when a job gets GPUs and when it loses them without being over."""

    def job_started(self, job: Any) -> None:
        """Take note that the job runs now, for the first time or again."""

    def job_stopped(self, job: Any) -> None:
        """Take note that the job lost its GPUs and waits again."""


class SupportsStreams(Protocol):
    """Random generators named by what they decide and for whom."""

    def get(self, name: str, who: int | str = 0) -> Generator:
        """Return the generator for a decision of somebody."""


@runtime_checkable
class SupportsDiscard(Protocol):
    """A clock from which scheduled events can be removed, as `sim.clock.Clock`."""

    def discard(self, is_unwanted: Callable[[Any], bool]) -> None:
        """Remove the scheduled events for which ``is_unwanted`` returns True."""


class JobClass:
    """The running jobs of one use and one priority in one pool."""

    __slots__ = ("gpus", "held", "jobs", "priority", "use")

    def __init__(self, use: str, priority: int) -> None:
        self.use = use
        self.priority = priority
        self.gpus = 0
        self.held = 0.0
        """GPU-time of stints that are over."""
        self.jobs: dict[Job, None] = {}


class JobAccounting:
    """Running numbers, records and GPU-time by use: one book for all pools that are divided from one cluster."""

    def __init__(self) -> None:
        self.last_job = 0
        self.records: list[JobRecord] = []
        self.shares: list[JobClass] = []
        """Of all pools that there have been."""

    def gpu_time(self, use: str, now: float) -> float:
        """Return the GPU-time that a use has held up to ``now``."""
        shares = [share for share in self.shares if share.use == use]
        over = math.fsum(share.held for share in shares)
        return over + math.fsum(job.gpus * (now - job.started_at) for share in shares for job in share.jobs)


class ExecutionHistory:
    """What happened to a job in stays on GPUs that were broken off. Times are clock time, not GPU-time."""

    __slots__ = ("failures", "held", "lost", "owed", "preemptions", "restarted", "started", "worked")

    def __init__(self, started: float | None = None) -> None:
        self.started = started
        """When the first of them began."""
        self.held = 0.0
        self.worked = 0.0
        self.owed = 0.0
        """Restart time that it must pay before it works on."""
        self.restarted = 0.0
        self.lost = 0.0
        self.preemptions = 0
        self.failures = 0


class Job(Event):
    """A gang of GPUs asked for some time: an event that succeeds with its JobRecord, however the job ended.

    A SimPy process may ``yield`` it, a callback may hang on ``callbacks``. The attributes are for reading.
    """

    # Slots, because every job comes by here; what only some of them have is in `past`.
    __slots__ = (
        "_value",
        "broken_off",
        "callbacks",
        "cancelled",
        "ends",
        "env",
        "gpus",
        "length",
        "lot",
        "number",
        "owner",
        "past",
        "seats",
        "share",
        "started_at",
        "submitted",
        "watcher",
    )
    _ok: ClassVar[bool] = True  # type: ignore[misc]  # always a success, so no job needs to say so
    tasks: int = 1
    """For how many jobs of one owner it stands."""
    tasks_before: int = 0
    """How many its gang did before, and went on without a break."""
    started_at: float
    """When it last got its GPUs; means something once it did."""
    ends: float
    """Where there is backfill: when it will be over if nothing comes in between."""

    def __init__(
        self,
        env: Environment,
        number: int,
        share: JobClass,
        gpus: int,
        length: float,
        owner: int,
        watcher: JobListener | None,
        submitted: float,
    ) -> None:
        self.env = env
        self.callbacks = []
        self._value = PENDING
        self.number = number
        self.share = share
        self.gpus = gpus
        self.length = length
        self.owner = owner
        self.watcher = watcher
        self.submitted = submitted
        self.seats: Seats = ()
        """Where it sits while it runs."""
        self.cancelled = False
        """True if it was cancelled while it waited: its queue may not have noticed yet."""
        self.broken_off = 0
        """How many of its stays on GPUs were broken off."""
        self.past: ExecutionHistory | None = None
        self.lot: Any = None
        """The lot that it is one of."""

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
        """What the job is for."""
        return self.share.use

    @property
    def priority(self) -> int:
        """The higher goes first where the queue asks, and may push out the lower."""
        return self.share.priority

    @property
    def remaining(self) -> float:
        """Time on its GPUs until it is over, restart included, counted from when it last got or lost them."""
        past = self.past
        return self.length if past is None else past.owed + (self.length - past.worked)

    expected = remaining
    """What disciplines may read of `remaining`: the same, unless the job came with an estimate of its length."""

    @property
    def unfinished(self) -> float:
        """Share of its work that was not done when it last got or lost its GPUs."""
        done = 0.0 if self.past is None else self.past.worked
        return 1 - done / self.length if self.length > 0 else 0.0

    @property
    def started(self) -> float | None:
        """When it first got its GPUs, None if it never did."""
        if self.past is not None:
            return self.past.started
        return getattr(self, "started_at", None)

    @property
    def state(self) -> State:
        """Waiting, running or over."""
        if self.triggered:
            return "over"
        return "running" if self.seats else "waiting"

    def record_interruption(self, elapsed: float) -> ExecutionHistory:
        """Book a stay that was broken off after ``elapsed``: first the restart, then work."""
        self.broken_off += 1
        self.seats = ()
        past = self.past = self.past or ExecutionHistory(self.started_at)
        paid = min(elapsed, past.owed)
        past.held += elapsed
        past.owed -= paid
        past.restarted += paid
        past.worked += min(elapsed - paid, self.length - past.worked)
        return past

    def record_failure(self, elapsed: float, checkpoint: float) -> ExecutionHistory:
        """Book a stay that a failure broke off: work since the last full ``checkpoint`` is lost; 0 loses none."""
        before = self.past or ExecutionHistory()
        work = max(0.0, elapsed - before.owed)
        safe = before.worked + (min(work, checkpoint * (work // checkpoint)) if checkpoint else work)
        past = self.record_interruption(elapsed)
        past.lost += max(0.0, past.worked - safe)
        past.worked = min(past.worked, safe)
        return past

    def record(self, ended: float, outcome: Outcome) -> JobRecord:
        """Return what became of a job that holds no GPUs."""
        past, gpus = self.past or ExecutionHistory(), self.gpus
        return JobRecord(
            self.number,
            self.owner,
            self.use,
            self.priority,
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
        )

    def mark_processed(self, record: JobRecord) -> list[Any]:
        """Give the event its value without scheduling it; return the callbacks, which the caller calls."""
        self._value = record
        callbacks = self.callbacks
        self.callbacks = None  # type: ignore[assignment]  # SimPy: None once an event was processed
        return callbacks

    def record_at_end(self, ended: float, stay: float) -> JobRecord:
        """Return what became of a job that is done with its last ``stay``, which ends now."""
        past, share, gpus = self.past, self.share, self.gpus
        if past is not None:
            past.held += stay
            past.restarted += past.owed
            past.worked = self.length
            return self.record(ended, "done")
        # Most jobs just run. JobRecord(...) would take twice the time.
        return _tuple(
            JobRecord,
            (
                self.number,
                self.owner,
                share.use,
                share.priority,
                gpus,
                self.length,
                self.submitted,
                self.started_at,
                ended,
                "done",
                0,
                0,
                gpus * stay,
                gpus * self.length,
                0.0,
                0.0,
                1,
                self.started_at - self.submitted,
            ),
        )


class EstimatedJob(Job):
    """A job of which disciplines know an estimate, such as a requested run time, and not the true length."""

    __slots__ = ("_estimate",)

    def set_expected(self, length: float) -> None:
        """State the length that disciplines read."""
        self._estimate = length

    @property
    def expected(self) -> float:
        """Time on its GPUs until it is over, by the estimate: 0 or more."""
        if self.past is None:
            return self._estimate
        return max(0.0, self.remaining + (self._estimate - self.length))


class JobRequest(NamedTuple):
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
    """The scheduled end of one stay of a job on its GPUs; void once that stay was broken off."""

    __slots__ = ("callbacks", "job", "number")
    _ok: ClassVar[bool] = True  # type: ignore[misc]  # always a success, so no instance needs to say so

    def __init__(self, job: Job, callbacks: list[Any]) -> None:
        self.job = job
        self.number = job.broken_off
        self.callbacks = callbacks
