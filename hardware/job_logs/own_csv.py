"""Our own format: a CSV table of jobs."""

from __future__ import annotations

from typing import Final

from hardware.job_logs.log import Entry, LogBuilder, parse_count, parse_seconds
from hardware.job_logs.source import Source
from hardware.tables import MAX_WHOLE, Table

COLUMNS: Final = ("job", "submit_s", "run_s", "gpus")
OPTIONAL: Final = ("priority", "requested_s")


def read(source: Source, builder: LogBuilder) -> None:
    """Read the columns job, submit_s, run_s and gpus, and priority and requested_s if they exist, in any order."""
    table = Table(source.text())
    table.require(COLUMNS)
    builder.has_priorities = "priority" in table.columns
    unread = [name for name in table.columns if name not in (*COLUMNS, *OPTIONAL)]
    if unread:
        builder.notes.append(f"columns that are not read: {', '.join(unread)}")
    for line, cells in table:
        with builder.line(line):
            builder.entries.append(_entry(table.row_of(cells)))


def is_like(head: str) -> bool:
    """Return whether the beginning of a file looks like this format."""
    names = [name.strip() for name in head.splitlines()[0].split(",")] if head.strip() else []
    return set(COLUMNS) <= set(names)


def _entry(row: dict[str, str]) -> Entry:
    requested = row.get("requested_s", "")
    return Entry(
        row["job"],
        parse_seconds(row["submit_s"], "submit_s"),
        parse_seconds(row["run_s"], "run_s"),
        parse_count(row["gpus"], "gpus", least=1),
        parse_count(row["priority"], "priority", least=-MAX_WHOLE) if "priority" in row else 0,
        parse_seconds(requested, "requested_s") if requested else None,
    )
