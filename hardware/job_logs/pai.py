"""Tasks of Alibaba's PAI trace of 2020 (``pai_task_table.csv``, alibaba/clusterdata, cluster-trace-gpu-v2020)."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

from hardware.job_logs.log import (
    NEVER_RAN,
    NO_GPU,
    PART_OF_GPU,
    Entry,
    LeftOut,
    LogBuilder,
    elapsed,
    is_missing,
    parse_count,
    parse_seconds,
)
from hardware.job_logs.source import Source
from hardware.tables import MAX_WHOLE, Exact, Table, quote_cell

COLUMNS: Final = (
    "job_name",
    "task_name",
    "inst_num",
    "status",
    "start_time",
    "end_time",
    "plan_cpu",
    "plan_mem",
    "plan_gpu",
    "gpu_type",
)
"""Of the published file, which has no header."""
STATUSES: Final = ("Terminated", "Failed", "Running", "Waiting")
SEVERAL_TASKS: Final = "has several tasks with GPUs: one gang from the first start to the last end"
NO_END: Final = "task without an end"
_TASK: Final = "task that {}"
_WHOLE_GPU: Final = 100


class _Job:
    """The tasks of one job that ask for GPUs."""

    def __init__(self) -> None:
        self.start: Exact | None = None
        self.end: Exact | None = None
        self.gpus = 0
        self.tasks = 0
        self.has_part = False
        self.runs = False


def read(source: Source, builder: LogBuilder) -> None:
    """Read one job per job_name: a gang of all its tasks that ask for GPUs, from the first start to the last end.

    An instance holds plan_gpu / 100 GPUs, rounded up. The table has no submissions, so a job is submitted when its
    first task was launched. Tasks without a GPU, that never ran, or without an end are left out.
    """
    table = Table(source.text(), header=_header)
    table.require((*COLUMNS[:6], "plan_gpu"))
    jobs: dict[str, _Job] = {}
    for line, cells in table:
        with builder.line(line):
            _add_task(table.row_of(cells), jobs, builder)
    for name, job in jobs.items():
        _add_job(name, job, builder)
    builder.notes.append("the table has no submissions: a job is submitted when its first task was launched")


def is_like(head: str) -> bool:
    """Return whether the beginning of a file looks like this format."""
    cells = [cell.strip() for cell in head.split("\n", 1)[0].split(",")]
    if "job_name" in cells and "plan_gpu" in cells:
        return True
    return len(cells) == len(COLUMNS) and cells[3] in STATUSES


def _header(first: list[str]) -> list[str] | None:
    """Return the columns of a file without a header."""
    return list(COLUMNS) if "job_name" not in first and len(first) == len(COLUMNS) else None


def _add_task(row: dict[str, str], jobs: dict[str, _Job], builder: LogBuilder) -> None:
    if row["status"] not in STATUSES:
        raise ValueError(f"status = {quote_cell(row['status'])} is unknown; allowed: {', '.join(STATUSES)}")
    plan: Exact = 0 if is_missing(row["plan_gpu"]) else parse_seconds(row["plan_gpu"], "plan_gpu")
    if plan > MAX_WHOLE:
        raise ValueError(f"plan_gpu = {quote_cell(row['plan_gpu'])} is out of range; allowed: 0 to {MAX_WHOLE:,}")
    if plan == 0:
        raise LeftOut(_TASK.format(NO_GPU))
    instances = parse_count(row["inst_num"], "inst_num", least=1)
    if is_missing(row["start_time"]):
        raise LeftOut(_TASK.format(NEVER_RAN))
    start = builder.note_time(parse_seconds(row["start_time"], "start_time"))
    runs = is_missing(row["end_time"])
    if runs and row["status"] != "Running":
        raise LeftOut(NO_END)
    end = start if runs else builder.note_time(parse_seconds(row["end_time"], "end_time"))
    elapsed(start, end, ("start_time", "end_time"))
    job = jobs.setdefault(row["job_name"], _Job())
    job.start = start if job.start is None else min(job.start, start)
    job.end = end if job.end is None else max(job.end, end)
    job.gpus += instances * math.ceil(Decimal(plan) / _WHOLE_GPU)
    job.tasks += 1
    job.has_part = job.has_part or plan % _WHOLE_GPU != 0
    job.runs = job.runs or runs


def _add_job(name: str, job: _Job, builder: LogBuilder) -> None:
    assert job.start is not None and job.end is not None, "a job has a task"
    builder.changed[PART_OF_GPU] += job.has_part
    builder.changed[SEVERAL_TASKS] += job.tasks > 1
    if job.runs:
        builder.add_running(Entry(name, job.start, 0, job.gpus), job.start)
    else:
        builder.entries.append(Entry(name, job.start, elapsed(job.start, job.end), job.gpus))
