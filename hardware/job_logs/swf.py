"""The Standard Workload Format, version 2.2 (Chapin et al., JSSPP 1999; Parallel Workloads Archive)."""

from __future__ import annotations

import re
from typing import Final

from hardware.job_logs.log import Entry, LeftOut, LogBuilder, StatedSize, parse_count, parse_seconds
from hardware.job_logs.source import Source
from hardware.tables import MAX_WHOLE, is_whole, parse_exact, quote_cell

FIELDS: Final = 18
MIN_FIELDS: Final = 5
_UNKNOWN: Final = -1
_PARTIAL: Final = (2, 3, 4)
_CANCELLED: Final = 5
_SIZE: Final = re.compile(r"(MaxProcs|MaxNodes)\s*:\s*(.*)", re.IGNORECASE)
_COUNT: Final = re.compile(r"(\d{1,9})(?![\d.,])", re.ASCII)

NEVER_RAN: Final = "cancelled before it ran"
PART: Final = "partial execution of a job that has a summary line"
LONE_PART: Final = "partial execution of a job without a summary line"
DEPENDS: Final = "waits for a preceding job (field 17): not replayed"


class Head:
    """What the comment lines of a log state about its cluster."""

    def __init__(self) -> None:
        self._procs: list[int] = []
        self._nodes: list[int] = []
        self._unclear: list[str] = []

    def read(self, comment: bytes) -> None:
        """Read one comment line, without its semicolon."""
        text = comment.decode("utf-8", errors="replace").strip()
        found = _SIZE.match(text)
        if found is None:
            return
        size = _COUNT.match(found[2])
        if size is None or int(size[1]) == 0:
            self._unclear.append(text)
        else:
            (self._procs if found[1].lower() == "maxprocs" else self._nodes).append(int(size[1]))

    def size(self) -> StatedSize | None:
        """Return the size of the cluster: the largest MaxProcs, or else the largest MaxNodes."""
        if self._procs:
            sizes = dict.fromkeys(self._procs)
            note = (
                f"MaxProcs is stated as {', '.join(map(str, sizes))}: the largest is used" if len(sizes) > 1 else None
            )
            return StatedSize(max(sizes), note)
        if self._nodes:
            return StatedSize(
                max(self._nodes), "MaxNodes is stated without MaxProcs: one processor per node is assumed"
            )
        return None

    @property
    def unclear(self) -> str | None:
        """A line about the size that is not understood, if there is one."""
        return self._unclear[0] if self._unclear else None


def read(source: Source, builder: LogBuilder) -> None:
    """Read jobs from lines of blank-separated fields.

    A job holds field 5, its allocated processors, or field 8, the requested ones, if field 5 is -1. Field 9 is the
    requested run time. Partial executions (status 2, 3 and 4) and jobs that were cancelled before they ran are left
    out: a job is its summary line.
    """
    head = Head()
    summaries: set[str] = set()
    width = 0
    for number, line in enumerate(source.lines(), 1):
        if line.lstrip().startswith(b";"):
            head.read(line.lstrip().lstrip(b";"))
            continue
        fields = line.partition(b";")[0].decode("utf-8").split()
        if not fields:
            continue
        with builder.line(number):
            width = _checked_width(fields, width)
            builder.entries.append(_entry(fields, builder, summaries))
    builder.size = head.size()
    if head.unclear and builder.size is None:
        builder.notes.append(f"the size of the cluster is not understood: {quote_cell(head.unclear)}")


def is_like(head: str) -> bool:
    """Return whether the beginning of a file looks like this format."""
    lines = [line.strip() for line in head.splitlines() if line.strip()]
    comments = [line for line in lines if line.startswith(";")]
    if any(_SIZE.match(line.lstrip("; ")) for line in comments):
        return True
    jobs = [line.split() for line in lines if not line.startswith(";")][:1]
    return any(MIN_FIELDS <= len(fields) <= FIELDS and all(map(_is_number, fields)) for fields in jobs)


def _is_number(text: str) -> bool:
    try:
        parse_exact(text)
    except ValueError:
        return False
    return True


def _checked_width(fields: list[str], width: int) -> int:
    if not MIN_FIELDS <= len(fields) <= FIELDS:
        raise ValueError(f"{len(fields)} fields; allowed: {FIELDS}, or the first {MIN_FIELDS} or more of them")
    if width and len(fields) != width:
        raise ValueError(f"{len(fields)} fields, and the lines above have {width}. Is the line cut off?")
    return len(fields)


def _entry(fields: list[str], builder: LogBuilder, summaries: set[str]) -> Entry:
    job = str(parse_count(fields[0], "field 1 (job number)"))
    status = _integer(fields, 11, "status")
    if status in _PARTIAL:
        raise LeftOut(PART if job in summaries else LONE_PART)
    if not _UNKNOWN <= status <= _CANCELLED:
        raise ValueError(f"field 11 (status) = {status} is unknown; allowed: -1 to 5")
    summaries.add(job)
    allocated, asked = _integer(fields, 5, "processors"), _integer(fields, 8, "requested processors")
    run = fields[3]
    if status == _CANCELLED and _never_ran(run, allocated):
        raise LeftOut(NEVER_RAN)
    gpus = asked if allocated == _UNKNOWN else allocated
    if gpus < 1:
        raise ValueError(f"fields 5 and 8 (processors) = {allocated} and {asked}: no processors; allowed: 1 or more")
    submit = parse_seconds(fields[1], "field 2 (submit time)")
    ran = parse_seconds(run, "field 4 (run time)")
    requested = None
    if len(fields) > 8 and not _is_unknown(fields[8]):
        requested = parse_seconds(fields[8], "field 9 (requested time)")
    if _integer(fields, 17, "preceding job") > 0:
        builder.changed[DEPENDS] += 1
    return Entry(job, submit, ran, gpus, requested=requested)


def _never_ran(run: str, allocated: int) -> bool:
    """Return whether a cancelled job held nothing: no run time, or no processors."""
    return _is_unknown(run) or allocated == 0 or (allocated == _UNKNOWN and _is_number(run) and parse_exact(run) == 0)


def _is_unknown(text: str) -> bool:
    return _is_number(text) and parse_exact(text) == _UNKNOWN


def _integer(fields: list[str], number: int, name: str) -> int:
    """Return a whole field, -1 or more; -1 if the line does not have it."""
    if len(fields) < number:
        return _UNKNOWN
    text = fields[number - 1]
    try:
        value = parse_exact(text)
    except ValueError as error:
        raise ValueError(f"field {number} ({name}) = {error}") from None
    if not is_whole(value) or not _UNKNOWN <= value <= MAX_WHOLE:
        raise ValueError(
            f"field {number} ({name}) = {quote_cell(text)} is not a count; allowed: whole numbers, -1 if unknown"
        )
    return int(value)
