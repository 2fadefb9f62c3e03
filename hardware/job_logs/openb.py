"""Pods of Alibaba's GPU trace of 2023 (``openb_pod_list_*.csv``, alibaba/clusterdata, cluster-trace-gpu-v2023)."""

from __future__ import annotations

from typing import Final

from hardware.job_logs.log import (
    NO_GPU,
    PART_OF_GPU,
    STILL_RAN,
    Entry,
    LeftOut,
    LogBuilder,
    elapsed,
    parse_count,
    parse_seconds,
)
from hardware.job_logs.source import Source
from hardware.tables import Table

COLUMNS: Final = ("name", "num_gpu", "creation_time", "deletion_time", "scheduled_time")
_WHOLE_GPU: Final = 1000


def read(source: Source, builder: LogBuilder) -> None:
    """Read one job per pod, from ``scheduled_time`` to ``deletion_time``.

    Pods that ask for no GPU and pods that were never scheduled are left out. A pod that asks for a part of a GPU
    (``gpu_milli`` below 1000) holds a whole one, so the replay is busier than the log.
    """
    table = Table(source.text())
    table.require(COLUMNS)
    for line, cells in table:
        with builder.line(line):
            row = table.row_of(cells)
            entry = _entry(row)
            share = row.get("gpu_milli", "")
            if share and parse_count(share, "gpu_milli") < _WHOLE_GPU:
                builder.changed[PART_OF_GPU] += 1
            if row.get("pod_phase") == "Running":
                builder.changed[STILL_RAN] += 1
            builder.entries.append(entry)


def is_like(head: str) -> bool:
    """Return whether the beginning of a file looks like this format."""
    first = head.split("\n", 1)[0]
    return all(name in first.split(",") for name in COLUMNS[:-1])


def _entry(row: dict[str, str]) -> Entry:
    gpus = parse_count(row["num_gpu"], "num_gpu")
    if gpus == 0:
        raise LeftOut(NO_GPU)
    if not row["scheduled_time"]:
        raise LeftOut("was never scheduled")
    submit = parse_seconds(row["creation_time"], "creation_time")
    start, end = (
        parse_seconds(row["scheduled_time"], "scheduled_time"),
        parse_seconds(row["deletion_time"], "deletion_time"),
    )
    return Entry(row["name"], submit, elapsed(start, end, ("scheduled_time", "deletion_time")), gpus)
