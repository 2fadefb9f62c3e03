"""Define `asara replay`: run a real job log through the cluster."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from experiments.cli.options import AsJson, path_argument

FORMAT_NAMES = ("swf", "alibaba", "pai", "philly", "helios", "sacct", "borg", "csv")
"""Formats of job logs, repeated here so that `--help` does not import their readers."""


def replay(
    log: Annotated[
        Path,
        typer.Argument(
            help="A job log, gzipped or not; docs/reference/job-logs.md describes the formats and their columns."
        ),
    ],
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help=f"{', '.join(FORMAT_NAMES)}; guessed from the name of the file if left out.",
        ),
    ] = None,
    gpus: Annotated[int | None, typer.Option(help="GPUs of the cluster; the size in the log if left out.")] = None,
    gpus_per_node: Annotated[int | None, typer.Option(help="GPUs of a node (cluster__gpus_per_node).")] = None,
    queue: Annotated[
        str | None, typer.Option(help="Queue discipline: fcfs, priority, sjf or easy (cluster__queue).")
    ] = None,
    placement: Annotated[str | None, typer.Option(help="Placement: flat or consolidated (cluster__placement).")] = None,
    estimates: Annotated[
        Literal["exact", "requested"] | None,
        typer.Option(help="Run times that easy and sjf use: exact (the default) or requested."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=path_argument, metavar="FILE", help="Write the waiting time of every job into this CSV file."
        ),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Skip and count invalid lines and jobs that are larger than the cluster.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Replay a real job log and report the waiting times.

    The log runs on the simulated cluster without failures.
    """
    from experiments.cli.arguments import check_file
    from experiments.cli.replay_log import (
        cluster_for,
        optional_columns,
        read_log,
        replay_log,
        summary,
        wait_rows,
        without_large_jobs,
    )
    from experiments.cli.terminal import print_json
    from experiments.storage.atomic import report_write_errors
    from experiments.storage.run_store import write_waits

    if out is not None:
        check_file(out)
    format_found, content = read_log(log, format_name, skip_bad)
    params = cluster_for(
        log, content, {"gpus": gpus, "gpus_per_node": gpus_per_node, "queue": queue, "placement": placement}
    )
    if skip_bad:
        content = without_large_jobs(content, params)
    result = replay_log(log, content, params, estimates or "exact")
    if out is not None:
        with report_write_errors(out):
            write_waits(out, wait_rows(content, result), optional_columns(content))
    found = summary(log, format_found, content, params, result, estimates, size_is_stated=gpus is None)
    if as_json:
        print_json(found)
    else:
        _print_summary(found)


def _print_summary(found: dict[str, Any]) -> None:
    """Print the waiting times of the jobs of a log."""
    from experiments.cli.terminal import make_value_table, print_table

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
