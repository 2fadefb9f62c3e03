"""A job log after reading, and the builder that readers fill."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from decimal import Context, Decimal
from types import TracebackType
from typing import Final, NamedTuple

from hardware.tables import MAX_WHOLE, Exact, is_whole, parse_exact, parse_whole, quote_cell

MAX_WHOLE_SECONDS: Final = 2**53
"""Longest clock on which whole seconds are exact."""
MAX_SECONDS: Final = 10**12
"""Longest clock for times with fractions: they are exact to 0.0001 seconds."""
_MAX_DIGITS: Final = 10**30
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)
_MISSING: Final = frozenset({"", "none", "nan", "null", "na", "n/a", "unknown"})

NO_GPU: Final = "asks for no GPU"
NEVER_RAN: Final = "never ran"
PART_OF_GPU: Final = "asks for a part of a GPU: has a whole one"
STILL_RAN: Final = "still ran at the end of the log: cut there"
RESTARTED: Final = "was restarted: its run times are added"
"""Reasons that several formats share."""
EXACT: Final = Context(prec=80)
"""Sums and differences of times as they were written."""


class LoggedJob(NamedTuple):
    """One job of a log."""

    job: str
    """Its name in the log."""
    submit_s: float
    """Time of submission [s since the first submission of the log]."""
    run_s: float
    """Run time [s]; 0 is allowed."""
    gpus: int
    """GPUs (or processors) that it held, at least 1."""
    priority: int = 0
    """Jobs of higher priority go first under disciplines that read priorities."""
    requested_s: float | None = None
    """Run time that was requested [s]; None if the log does not contain it."""


class StatedSize(NamedTuple):
    """Size of the cluster as its log states it."""

    gpus: int
    note: str | None
    """What was assumed about it."""


class JobLog(NamedTuple):
    """The content of a job log."""

    jobs: list[LoggedJob]
    """Jobs in the order of the log."""
    skipped: int = 0
    """Number of bad lines that were skipped."""
    left_out: dict[str, int] = {}  # noqa: RUF012 - never changed
    """Number of good lines that are not jobs for a GPU cluster, by reason."""
    changed: dict[str, int] = {}  # noqa: RUF012 - never changed
    """Number of jobs of which the data were changed or not read, by what was done."""
    notes: tuple[str, ...] = ()
    """What holds for the log as a whole."""
    size: StatedSize | None = None
    """Size of the cluster, if the log states it."""
    origin_s: Exact = 0
    """Time of the first submission on the log's own clock [s]."""
    has_priorities: bool = False
    """True if the log contains priorities."""

    @property
    def has_requested_times(self) -> bool:
        """Return whether any job has a requested run time."""
        return any(job.requested_s is not None for job in self.jobs)


class JobLogError(ValueError):
    """A log that cannot be read: file, number of the line (0: the file as a whole) and reason."""

    def __init__(self, path: str, line: int, reason: str, unit: str = "line") -> None:
        super().__init__(path, line, reason, unit)
        self.path = path
        self.line = line
        self.reason = reason
        self.unit = unit
        """What the number counts: lines, or entries of a file that is not made of lines."""

    def __str__(self) -> str:
        return f"{self.path}, {self.unit} {self.line}: {self.reason}" if self.line else f"{self.path}: {self.reason}"


class LeftOut(Exception):  # noqa: N818 - not an error: the line is good
    """A good line that is not a job for a GPU cluster, and the reason."""


class Entry(NamedTuple):
    """One job with the times as they were written."""

    job: str
    submit: Exact
    run: Exact
    gpus: int
    priority: int = 0
    requested: Exact | None = None


class LogBuilder:
    """Collect the jobs of one log and counts what was left out, changed and skipped.

    A reader wraps each line in ``with builder.line(number):``. LeftOut is counted there; ValueError is raised as
    JobLogError, or counted if bad lines are skipped.
    """

    def __init__(self, path: str, skip_bad: bool) -> None:
        self._path = path
        self._skip_bad = skip_bad
        self._line = 0
        self._skipped = 0
        self.entries: list[Entry] = []
        self.left_out: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self.notes: list[str] = []
        self.size: StatedSize | None = None
        self.has_priorities = False
        self.unit = "line"
        """What the number of a bad entry counts."""
        self._latest: Exact = 0
        self._running: list[tuple[int, Exact]] = []

    def note_time(self, time: Exact) -> Exact:
        """Take note of a time at which the log was still being written, and return it."""
        self._latest = max(self._latest, time)
        return time

    def add_running(self, entry: Entry, start: Exact) -> None:
        """Add a job that still runs since ``start`` when the log ends, after ``entry.run``: its run is cut there."""
        self._running.append((len(self.entries), start))
        self.entries.append(entry)

    def line(self, number: int) -> LogBuilder:
        """Begin a line."""
        self._line = number
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if isinstance(error, LeftOut):
            self.left_out[str(error)] += 1
            return True
        if not isinstance(error, ValueError):
            return False
        if not self._skip_bad:
            reason = f"{str(error).rstrip('.')}. --skip-bad leaves bad lines out and counts them"
            raise JobLogError(self._path, self._line, reason, self.unit) from None
        self._skipped += 1
        return True

    def log(self) -> JobLog:
        """Return the log, with times that count from its first submission. Raises JobLogError if they cannot."""
        entries = self.entries
        for place, start in self._running:
            entries[place] = entries[place]._replace(run=_sum(entries[place].run, _difference(self._latest, start)))
            self.changed[STILL_RAN] += 1
        self._running = []
        origin = min((entry.submit for entry in entries), default=0)
        self._check_span(origin)
        jobs = [
            LoggedJob(job, _since(submit, origin), float(run), gpus, priority, _optional(requested))
            for job, submit, run, gpus, priority, requested in entries
        ]
        return JobLog(
            jobs,
            self._skipped,
            dict(self.left_out),
            dict(+self.changed),
            tuple(self.notes),
            self.size,
            origin,
            self.has_priorities,
        )

    def _check_span(self, origin: Exact) -> None:
        """Raise JobLogError if the clock of a replay could not tell the times of this log apart."""
        whole, total, last = True, Decimal(0), origin
        for entry in self.entries:
            whole = whole and isinstance(entry.submit, int) and isinstance(entry.run, int)
            total = EXACT.add(total, Decimal(entry.run))
            last = max(last, entry.submit)
        most = MAX_WHOLE_SECONDS if whole else MAX_SECONDS
        if EXACT.add(EXACT.subtract(Decimal(last), Decimal(origin)), total) > most:
            raise JobLogError(
                self._path,
                0,
                f"submissions and run times span more than {most:,} seconds. Are these nanoseconds? Convert them to "
                "seconds",
            )


def _since(time: Exact, origin: Exact) -> float:
    return float(_difference(time, origin))


def _difference(later: Exact, earlier: Exact) -> Exact:
    if isinstance(later, int) and isinstance(earlier, int):
        return later - earlier
    return _whole_if_it_is(EXACT.subtract(Decimal(later), Decimal(earlier)))


def _sum(one: Exact, other: Exact) -> Exact:
    if isinstance(one, int) and isinstance(other, int):
        return one + other
    return _whole_if_it_is(EXACT.add(Decimal(one), Decimal(other)))


def _whole_if_it_is(value: Exact) -> Exact:
    return int(value) if is_whole(value) else value


def _optional(time: Exact | None) -> float | None:
    return None if time is None else float(time)


def parse_seconds(text: str, name: str) -> Exact:
    """Return a time as it was written. Raises ValueError if it is not a number of seconds, 0 or more."""
    try:
        value = parse_exact(text)
    except ValueError as error:
        raise ValueError(f"{name} = {error}") from None
    if not 0 <= value < _MAX_DIGITS:
        raise ValueError(f"{name} = {quote_cell(text)} is not a time; allowed: 0 or more seconds")
    return _whole_if_it_is(value)


def elapsed(start: Exact, end: Exact, names: tuple[str, str] = ("start", "end")) -> Exact:
    """Return the time from a start to an end. Raises ValueError if the end comes first."""
    if end < start:
        raise ValueError(f"{names[1]} = {end} is before {names[0]} = {start}")
    return _difference(end, start)


def parse_timestamp(text: str, name: str) -> int:
    """Return a time such as 2024-05-28 10:11:12, or with a T in it, in seconds. Raises ValueError if it is not one.

    Clock times are taken as they stand: a clock that was set forward or back is not followed.
    """
    found = _MOMENT.fullmatch(text)
    if found is not None:
        hours, minutes, secs = int(found[2]), int(found[3]), int(found[4])
        if hours < 24 and minutes < 60 and secs < 60:
            try:
                return ((date.fromisoformat(found[1]).toordinal() * 24 + hours) * 60 + minutes) * 60 + secs
            except ValueError:
                pass
    raise ValueError(f"{name} = {quote_cell(text)} is not a time; allowed: such as 2024-05-28 10:11:12")


def is_missing(text: str) -> bool:
    """Return whether a cell stands for a value that is not known."""
    return text.lower() in _MISSING


def parse_count(text: str, name: str, least: int = 0, most: int = MAX_WHOLE) -> int:
    """Return a whole number. Raises ValueError if it is not one, below ``least`` or above ``most``."""
    try:
        return parse_whole(text, least, most)
    except ValueError as error:
        raise ValueError(f"{name} = {error}") from None
