"""Events of Google's Borg trace of 2011 (clusterdata-2011-2, tables task_events and job_events, without a header)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

from hardware.job_logs.log import NEVER_RAN, RESTARTED, Entry, LogBuilder, elapsed, is_missing, parse_count
from hardware.job_logs.source import Source
from hardware.tables import Exact, Table, TableError

TASK_COLUMNS: Final = (
    "time",
    "missing info",
    "job ID",
    "task index",
    "machine ID",
    "event type",
    "user",
    "scheduling class",
    "priority",
    "CPU request",
    "memory request",
    "disk space request",
    "different machines restriction",
)
JOB_COLUMNS: Final = (
    "time",
    "missing info",
    "job ID",
    "event type",
    "user",
    "scheduling class",
    "job name",
    "logical job name",
)
SUBMIT, SCHEDULE, LAST_END, LAST_EVENT = 0, 1, 6, 8
"""Types of events: 2 to 6 end a stay (evicted, failed, finished, killed, lost); 7 and 8 are updates."""
AFTER_THE_TRACE: Final = 2**63 - 1
MICROSECONDS: Final = -6
THERE_BEFORE: Final = "was there before the log began: taken from there"
OUT_OF_ORDER: Final = "has an event without the one before it"
REBUILT: Final = "has an event that the trace's authors reconstructed"


class _Unit:
    """One task, or one job of the table of jobs."""

    def __init__(self, submit: Exact, priority: int) -> None:
        self.submit = submit
        self.priority = priority
        self.last = submit
        self.since: Exact | None = None
        """Start of the stay under way."""
        self.run = Decimal(0)
        self.stays = 0
        self.flags: set[str] = set()


def read(source: Source, builder: LogBuilder) -> None:
    """Read one job per task of task_events, or per job of job_events, from its events in the order of time.

    Each holds one GPU, since the trace has none: its requests are shares of machines. Run time is the sum of all stays
    between a SCHEDULE event and the event that ends it. Tasks that were never scheduled are left out.
    """
    table = Table(source.text(), header=_header)
    if tuple(table.columns) not in (TASK_COLUMNS, JOB_COLUMNS):
        allowed = f"{len(TASK_COLUMNS)} (task_events), {len(JOB_COLUMNS)} (job_events)"
        raise TableError(1, f"{len(table.columns)} columns; allowed: {allowed}")
    kind: Literal["task", "job"] = "task" if tuple(table.columns) == TASK_COLUMNS else "job"
    builder.has_priorities = kind == "task"
    units: dict[str, _Unit] = {}
    for line, cells in table:
        with builder.line(line):
            _read_event(table.row_of(cells), units, builder)
    for name, unit in units.items():
        _add(name, unit, builder)
    builder.notes.append(f"a {kind} holds one GPU: the log contains shares of machines")


def is_like(head: str) -> bool:
    """Return whether the beginning of a file looks like this format."""
    cells = head.split("\n", 1)[0].strip().split(",")
    place = {len(TASK_COLUMNS): 5, len(JOB_COLUMNS): 3}.get(len(cells))
    return place is not None and cells[0].isdigit() and cells[2].isdigit() and cells[place] in set("012345678")


def _header(first: list[str]) -> list[str]:
    """Return the columns: the files have no header."""
    known = {len(TASK_COLUMNS): TASK_COLUMNS, len(JOB_COLUMNS): JOB_COLUMNS}
    return list(known.get(len(first), first))


def _read_event(row: dict[str, str], units: dict[str, _Unit], builder: LogBuilder) -> None:
    microseconds = parse_count(row["time"], "time", most=AFTER_THE_TRACE)
    kind = parse_count(row["event type"], "event type", most=LAST_EVENT)
    job = str(parse_count(row["job ID"], "job ID", most=AFTER_THE_TRACE))
    name = f"{job}/{parse_count(row['task index'], 'task index')}" if "task index" in row else job
    priority = parse_count(row["priority"], "priority") if "priority" in row else 0
    if microseconds == AFTER_THE_TRACE:
        return
    time = builder.note_time(_seconds(microseconds))
    unit = units.get(name)
    if unit is None:
        unit = units[name] = _Unit(time, priority)
        if kind != SUBMIT or microseconds == 0:
            unit.flags.add(THERE_BEFORE)
    if time < unit.last:
        raise ValueError(f"time = {row['time']} is before the event of {name} above; allowed: events in order of time")
    unit.last = time
    if not is_missing(row["missing info"]):
        unit.flags.add(REBUILT)
    if kind == SCHEDULE:
        if unit.since is None:
            unit.since = time
            unit.stays += 1
        else:
            unit.flags.add(OUT_OF_ORDER)
    elif SCHEDULE < kind <= LAST_END and unit.since is not None:
        unit.run += Decimal(elapsed(unit.since, time))
        unit.since = None


def _seconds(microseconds: int) -> Exact:
    whole, rest = divmod(microseconds, 10**6)
    return Decimal(microseconds).scaleb(MICROSECONDS) if rest else whole


def _add(name: str, unit: _Unit, builder: LogBuilder) -> None:
    if not unit.stays:
        builder.left_out[NEVER_RAN] += 1
        return
    for flag in sorted(unit.flags):
        builder.changed[flag] += 1
    builder.changed[RESTARTED] += unit.stays > 1
    run = int(unit.run) if unit.run == unit.run.to_integral_value() else unit.run
    entry = Entry(name, unit.submit, run, 1, unit.priority)
    if unit.since is None:
        builder.entries.append(entry)
    else:
        builder.add_running(entry, unit.since)
