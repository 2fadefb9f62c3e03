"""Jobs of Slurm's accounting, as ``sacct --parsable2`` (``-P``) prints them."""

from __future__ import annotations

import re
from typing import Final

from hardware.job_logs.log import (
    NEVER_RAN,
    NO_GPU,
    RESTARTED,
    STILL_RAN,
    Entry,
    LeftOut,
    LogBuilder,
    is_missing,
    parse_count,
    parse_seconds,
    parse_timestamp,
)
from hardware.job_logs.source import Source
from hardware.tables import Exact, Table, TableError, quote_cell

COLUMNS: Final = ("JobID", "State", "Submit", "Start")
LENGTHS: Final = ("ElapsedRaw", "Elapsed")
SIZES: Final = ("AllocTRES", "ReqTRES")
STEP: Final = "step of a job"
_MAX_PRIORITY: Final = 2**32 - 1
_DURATION: Final = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d\d):(\d\d)(?:\.\d+)?", re.ASCII)
_GPUS: Final = re.compile(r"gres/gpu(:[^=,]+)?=([^,]*)")
_NO_LIMIT: Final = frozenset({"unlimited", "partition_limit", "invalid"})


def read(source: Source, builder: LogBuilder) -> None:
    """Read one job per allocation; rows of steps are left out.

    GPUs are ``gres/gpu`` in AllocTRES (or ReqTRES if that column is not there). Jobs without a GPU and jobs that never
    started are left out. Rows of one JobID, which ``--duplicates`` prints for requeued jobs, are one job. Timelimit
    is the requested run time, and Priority is read if it is there.
    """
    table = Table(source.text(), separator="|")
    table.require(COLUMNS)
    for choice in (LENGTHS, SIZES):
        if not set(choice) & set(table.columns):
            raise TableError(1, f"no column {' or '.join(choice)}. Print it with sacct --format")
    builder.has_priorities = "Priority" in table.columns
    places: dict[str, int] = {}
    for line, cells in table:
        with builder.line(line):
            entry = _entry(table.row_of(cells), builder)
            if entry.job in places:
                before = builder.entries[places[entry.job]]
                builder.entries[places[entry.job]] = _merge_rows(before, entry)
                builder.changed[RESTARTED] += 1
            else:
                places[entry.job] = len(builder.entries)
                builder.entries.append(entry)


def is_like(head: str) -> bool:
    """Return whether the beginning of a file looks like this format."""
    names = {name.strip() for name in head.split("\n", 1)[0].split("|")}
    return "JobID" in names and len(names) > 1


def _merge_rows(before: Entry, entry: Entry) -> Entry:
    """Return the job of two rows: the earlier submission, the larger size, and both run times."""
    return entry._replace(
        submit=min(before.submit, entry.submit), run=before.run + entry.run, gpus=max(before.gpus, entry.gpus)
    )


def _entry(row: dict[str, str], builder: LogBuilder) -> Entry:
    job, state = row["JobID"], row["State"].upper()
    if not job:
        raise ValueError("JobID is empty; allowed: the number of a job")
    if "." in job:
        raise LeftOut(STEP)
    if is_missing(row["Start"]):
        raise LeftOut(NEVER_RAN)
    submit, _ = _moment(row["Submit"], "Submit"), _moment(row["Start"], "Start")
    run = _elapsed(row)
    size = row.get("AllocTRES", row.get("ReqTRES", ""))
    if not size and run == 0:
        raise LeftOut(NEVER_RAN)
    gpus = _gpus(size)
    if gpus == 0:
        raise LeftOut(NO_GPU)
    priority = parse_count(row["Priority"], "Priority", most=_MAX_PRIORITY) if "Priority" in row else 0
    requested = _limit(row)
    if state.startswith(("RUNNING", "SUSPENDED")):
        builder.changed[STILL_RAN] += 1
    return Entry(job, submit, run, gpus, priority, requested)


def _moment(text: str, name: str) -> int:
    """Return a time in Slurm's standard format, or in seconds since 1970 (SLURM_TIME_FORMAT=%s)."""
    return parse_count(text, name, most=10**11) if text.isdigit() else parse_timestamp(text, name)


def _elapsed(row: dict[str, str]) -> Exact:
    if "ElapsedRaw" in row:
        return parse_seconds(row["ElapsedRaw"], "ElapsedRaw")
    return _duration(row["Elapsed"], "Elapsed")


def _duration(text: str, name: str) -> int:
    """Return the seconds of [days-]hours:minutes:seconds."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{name} = {quote_cell(text)} is not a duration; allowed: such as 1-02:03:04")
    days, hours, minutes, secs = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + secs


def _limit(row: dict[str, str]) -> int | None:
    """Return the time limit in seconds; None if there is none."""
    text = row.get("TimelimitRaw", row.get("Timelimit", ""))
    if is_missing(text) or text.lower() in _NO_LIMIT:
        return None
    return 60 * parse_count(text, "TimelimitRaw") if "TimelimitRaw" in row else _duration(text, "Timelimit")


def _gpus(resources: str) -> int:
    """Return the GPUs of resources such as cpu=8,gres/gpu=2,gres/gpu:a100=2: the total, or the sum of types."""
    found = [(kind, parse_count(number, "gres/gpu")) for kind, number in _GPUS.findall(resources)]
    totals = [number for kind, number in found if not kind]
    return totals[0] if totals else sum(number for _, number in found)
