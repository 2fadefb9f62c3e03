"""Carry out `asara replay`: run a real job log on the cluster, print its waiting times, and write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from experiments.cli.arguments import check_file
from experiments.cli.terminal import make_value_table, print_json, print_table
from experiments.replay.log_replay import (
    cluster_for,
    optional_columns,
    read_log,
    replay_log,
    summary,
    wait_rows,
    without_large_jobs,
)
from experiments.replay.waits_file import write_waits
from experiments.storage.atomic import report_write_errors


def replay_job_log(
    log: Path,
    format_name: str | None,
    cluster: Mapping[str, Any],
    estimates: Literal["exact", "requested"] | None,
    out: Path | None,
    skip_bad: bool,
    as_json: bool,
) -> None:
    """Replay a job log, write the waiting time of every job into ``out`` if it is given, and print the summary.

    ``cluster``: gpus, gpus_per_node, queue and placement; None where the log or the default decides. Raises InputError
    if the log or the cluster is not allowed.
    """
    if out is not None:
        check_file(out)
    format_found, content = read_log(log, format_name, skip_bad)
    params = cluster_for(log, content, cluster)
    if skip_bad:
        content = without_large_jobs(content, params)
    result = replay_log(log, content, params, estimates or "exact")
    if out is not None:
        with report_write_errors(out):
            write_waits(out, wait_rows(content, result), optional_columns(content))
    found = summary(log, format_found, content, params, result, estimates, size_is_stated=cluster["gpus"] is None)
    if as_json:
        print_json(found)
    else:
        _print_summary(found)


def _print_summary(found: dict[str, Any]) -> None:
    """Print the waiting times of the jobs of a log."""
    table = make_value_table()
    for name, value in found.items():
        table.add_row(name.replace("_", " "), _format_value(value))
    print_table(table)


def _format_value(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{number:,} ({reason})" for reason, number in value.items()) or "0"
    if isinstance(value, list):
        return "\n".join(value) or "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "-" if value is None else str(value)
