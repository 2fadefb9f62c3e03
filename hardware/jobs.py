"""A job from its submission to its record, and who is told about it."""

import math
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from numpy.random import Generator
from simpy import Environment, Event

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
    """Run time asked for; infinite for a standing job."""
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

    @property
    def asked(self) -> float:
        """GPU-time of work that was asked for."""
        return self.gpus * self.length

    @property
    def abandoned(self) -> float:
        """GPU-time of work that was asked for and never done."""
        return self.asked - self.done


class JobWatcher(Protocol):
    """Somebody who is told when a job gets GPUs and when it loses them without being over."""

    def job_started(self, job: Any) -> None:
        """Take note that the job runs now, for the first time or again."""

    def job_stopped(self, job: Any) -> None:
        """Take note that the job lost its GPUs and waits again."""


class Streams(Protocol):
    """Random generators named by what they decide and for whom."""

    def get(self, name: str, who: int | str = 0) -> Generator:
        """Return the generator for a decision of somebody."""


class Share:
    """The running jobs of one use and one priority in one pool."""

    __slots__ = ("gpus", "held", "jobs", "priority", "use")

    def __init__(self, use: str, priority: int) -> None:
        self.use = use
        self.priority = priority
        self.gpus = 0
        self.held = 0.0
        """GPU-time of stints that are over."""
        self.jobs: dict[int, Job] = {}


class Book:
    """Running numbers, records and GPU-time by use: one book for all pools that are divided from one cluster."""

    def __init__(self) -> None:
        self.last_job = 0
        self.records: list[JobRecord] = []
        self.shares: list[Share] = []
        """Of all pools that there have been."""

    def gpu_time(self, use: str, now: float) -> float:
        """Return the GPU-time that a use has held up to ``now``."""
        shares = [share for share in self.shares if share.use == use]
        over = math.fsum(share.held for share in shares)
        return over + math.fsum(job.gpus * (now - job.begun) for share in shares for job in share.jobs.values())


class Job(Event):
    """A gang of GPUs asked for some time: an event that succeeds with its JobRecord, however the job ended.

    A SimPy process may ``yield`` it, a callback may hang on ``callbacks``. The attributes are for reading.
    """

    # Until something happens to a job its class answers, so that the many that just run cost no more.
    started: float | None = None
    begun: float = 0.0
    """When it last got its GPUs."""
    ends: float = math.inf
    """Where there is backfill: when it will be over if nothing comes in between."""
    seats: Seats = ()
    """Where it sits while it runs."""
    gone: bool = False
    """True if it was cancelled while it waited: its queue may not have noticed yet."""
    broken_off: int = 0
    """How many of its stays on GPUs were broken off."""
    held: float = 0.0
    worked: float = 0.0
    owed: float = 0.0
    """Restart time that it must pay before it works on."""
    restarted: float = 0.0
    lost: float = 0.0
    preemptions: int = 0
    failures: int = 0

    def __init__(
        self,
        env: Environment,
        number: int,
        share: Share,
        gpus: int,
        length: float,
        owner: int,
        watcher: JobWatcher | None,
    ) -> None:
        self.env = env
        self.callbacks = []
        self.number = number
        self.share = share
        self.gpus = gpus
        self.length = length
        self.owner = owner
        self.watcher = watcher
        self.submitted: float = env.now

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
        return self.owed + (self.length - self.worked)

    @property
    def state(self) -> State:
        """Waiting, running or over."""
        if self.triggered:
            return "over"
        return "running" if self.seats else "waiting"

    def bank(self, elapsed: float) -> None:
        """Book a stint that was broken off after ``elapsed``: first the restart, then work."""
        self.broken_off += 1
        self.seats = ()
        paid = min(elapsed, self.owed)
        self.held += elapsed
        self.owed -= paid
        self.restarted += paid
        self.worked += min(elapsed - paid, self.length - self.worked)

    def bank_to_checkpoint(self, elapsed: float, checkpoint: float) -> None:
        """Book a stint that a failure broke off: work since the last full ``checkpoint`` is lost."""
        work = max(0.0, elapsed - self.owed)
        kept = min(work, checkpoint * (work // checkpoint))
        before = self.worked
        self.bank(elapsed)
        self.lost += max(0.0, self.worked - (before + kept))
        self.worked = min(self.worked, before + kept)

    def record(self, ended: float, outcome: Outcome) -> JobRecord:
        """Return what became of the job."""
        share, gpus = self.share, self.gpus
        values = (
            self.number,
            self.owner,
            share.use,
            share.priority,
            gpus,
            self.length,
            self.submitted,
            self.started,
            ended,
            outcome,
            self.preemptions,
            self.failures,
            gpus * self.held,
            gpus * self.worked,
            gpus * self.restarted,
            gpus * self.lost,
        )
        return _tuple(JobRecord, values)

    def record_at_end(self, ended: float) -> JobRecord:
        """Return what became of a job that is done with the stint that ends now."""
        stay = ended - self.begun
        share, gpus = self.share, self.gpus
        if self.broken_off:
            self.held += stay
            self.restarted += self.owed
            self.worked = self.length
            return self.record(ended, "done")
        # Most jobs just run: the same in half the time.
        values = (
            self.number,
            self.owner,
            share.use,
            share.priority,
            gpus,
            self.length,
            self.submitted,
            self.begun,
            ended,
            "done",
            0,
            0,
            gpus * stay,
            gpus * self.length,
            0.0,
            0.0,
        )
        return _tuple(JobRecord, values)


_tuple = tuple.__new__  # what JobRecord(...) does, in half the time: every job comes by here


class Stint(Event):
    """The scheduled end of one stay of a job on its GPUs; void once that stay was broken off."""

    __slots__ = ("callbacks", "fails", "job", "number")
    _ok: ClassVar[bool] = True  # type: ignore[misc]  # always a success, so no instance needs to say so

    def __init__(self, job: Job, fails: bool, callbacks: list[Any]) -> None:
        self.job = job
        self.number = job.broken_off
        self.fails = fails
        self.callbacks = callbacks
