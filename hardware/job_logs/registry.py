"""Every format of job logs by its name. To add a format, write a module with `read` and `is_like` and name it here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from hardware.job_logs import borg, helios, openb, own_csv, pai, philly, sacct, swf
from hardware.job_logs.log import JobLog, JobLogError, LogBuilder
from hardware.job_logs.source import Source, SourceError
from hardware.tables import TableError


class Format(NamedTuple):
    """One format of job logs."""

    title: str
    """Its name in a sentence."""
    read: Callable[[Source, LogBuilder], None]
    is_like: Callable[[str], bool]
    """Returns whether the beginning of a file looks like this format."""
    in_name: tuple[str, ...] = ()
    """Parts of a file's name by which the format is recognised."""


FORMATS: Final[dict[str, Format]] = {
    "swf": Format("the Standard Workload Format", swf.read, swf.is_like, (".swf",)),
    "alibaba": Format("pods of Alibaba's GPU trace of 2023", openb.read, openb.is_like, ("openb",)),
    "pai": Format("tasks of Alibaba's PAI trace of 2020", pai.read, pai.is_like, ("pai_task",)),
    "philly": Format("jobs of Microsoft's Philly clusters", philly.read, philly.is_like, ("cluster_job_log",)),
    "helios": Format("jobs of the Helios clusters", helios.read, helios.is_like, ("cluster_log",)),
    "sacct": Format("jobs of Slurm's sacct --parsable2", sacct.read, sacct.is_like, ("sacct",)),
    "borg": Format("events of Google's Borg trace of 2011", borg.read, borg.is_like, ("task_events", "job_events")),
    "csv": Format("a table of jobs in asara's own CSV", own_csv.read, own_csv.is_like),
}


def guess_format(path: Path) -> str:
    """Return the name of a format by the file's name: CSV if nothing else fits."""
    name = path.name.lower()
    return next((each for each, form in FORMATS.items() if any(part in name for part in form.in_name)), "csv")


def read_job_log(path: str | Path, format_name: str, *, skip_bad: bool = False) -> JobLog:
    """Read a job log. Bad lines raise JobLogError, or are counted if ``skip_bad``."""
    with Path(path).open("rb") as file:
        return parse_job_log(file, str(path), format_name, skip_bad=skip_bad)


def parse_job_log(file: BinaryIO, name: str, format_name: str, *, skip_bad: bool = False) -> JobLog:
    """Read a job log from a stream of bytes, and close it.

    ``name`` stands in messages; if it ends in .gz the content must be packed.
    """
    source = Source(file, name)
    builder = LogBuilder(name, skip_bad)
    try:
        with source.reading():
            head = source.head().decode("utf-8", errors="replace")
            try:
                FORMATS[format_name].read(source, builder)
            except (TableError, JobLogError) as error:
                other = "" if builder.entries else _describe_resemblance(head, format_name)
                raise JobLogError(name, error.line, error.reason + other, getattr(error, "unit", "line")) from None
        return builder.log()
    except SourceError as error:
        raise JobLogError(name, 0, str(error)) from None
    finally:
        source.close()


def _describe_resemblance(head: str, format_name: str) -> str:
    """Return what else the file looks like, as the end of a sentence."""
    if FORMATS[format_name].is_like(head):
        return ""
    found = [name for name, form in FORMATS.items() if form.is_like(head)]
    if found:
        return f". It looks like {FORMATS[found[0]].title}: read it with --format {found[0]}"
    return f". Formats that --format takes: {', '.join(FORMATS)}; docs/reference/job-logs.md describes them"
