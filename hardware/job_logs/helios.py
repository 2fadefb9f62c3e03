"""Jobs of SenseTime's Helios clusters (``cluster_log.csv``, S-Lab-System-Group/HeliosData)."""

from __future__ import annotations

from typing import Final

from hardware.job_logs.log import (
    NEVER_RAN,
    NO_GPU,
    Entry,
    LeftOut,
    LogBuilder,
    is_missing,
    parse_count,
    parse_seconds,
    parse_timestamp,
)
from hardware.job_logs.source import Source
from hardware.tables import Table

COLUMNS: Final = ("job_id", "gpu_num", "state", "submit_time", "start_time", "end_time", "duration")
DIFFERS: Final = "duration differs from end_time - start_time: duration is taken"


def read(source: Source, builder: LogBuilder) -> None:
    """Read one job per row, from ``submit_time``, for ``duration`` seconds on ``gpu_num`` GPUs.

    Jobs without a GPU and jobs that never started are left out. A job that has started and not ended is cut at the
    latest time of the log. All virtual clusters share one pool.
    """
    table = Table(source.text())
    table.require(COLUMNS)
    clusters: set[str] = set()
    for line, cells in table:
        with builder.line(line):
            row = table.row_of(cells)
            _add(row, builder)
            clusters.add(row.get("vc", ""))
    if len(clusters) > 1:
        builder.notes.append(f"the {len(clusters)} virtual clusters of the log share one pool of GPUs")


def is_like(head: str) -> bool:
    """Return whether the beginning of a file looks like this format."""
    return {"gpu_num", "submit_time", "duration"} <= {name.strip() for name in head.split("\n", 1)[0].split(",")}


def _add(row: dict[str, str], builder: LogBuilder) -> None:
    submit = parse_timestamp(row["submit_time"], "submit_time")
    gpus = parse_count(row["gpu_num"], "gpu_num")
    if gpus == 0:
        raise LeftOut(NO_GPU)
    if is_missing(row["start_time"]):
        raise LeftOut(NEVER_RAN)
    start = parse_timestamp(row["start_time"], "start_time")
    if is_missing(row["end_time"]):
        builder.note_time(max(submit, start))
        builder.add_running(Entry(row["job_id"], submit, 0, gpus), start)
        return
    end, run = parse_timestamp(row["end_time"], "end_time"), parse_seconds(row["duration"], "duration")
    if end < start:
        raise ValueError(f"end_time = {row['end_time']} is before start_time = {row['start_time']}")
    builder.note_time(end)
    if run != end - start:
        builder.changed[DIFFERS] += 1
    builder.entries.append(Entry(row["job_id"], submit, run, gpus))
