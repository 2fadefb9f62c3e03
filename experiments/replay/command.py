"""Declare `asara replay`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

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
    from experiments.replay.actions import replay_job_log

    cluster = {"gpus": gpus, "gpus_per_node": gpus_per_node, "queue": queue, "placement": placement}
    replay_job_log(log, format_name, cluster, estimates, out, skip_bad, as_json)
