"""Declare `asara policies`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import AsJson, Settings, path_argument


def policies(
    scenario: Annotated[
        str, typer.Argument(help="A shipped scenario of one lab or several (see `asara scenarios`), or a TOML file.")
    ] = "toy-explosion",
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A shipped governance policy or a TOML file. May be repeated. If left out: every shipped policy. The "
            "run without a regulator is always included.",
        ),
    ] = None,
    settings: Settings = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=100_000, help="Number of runs of each policy, with seeds from 0.")
    ] = 20,
    level: Annotated[
        list[float] | None,
        typer.Option(
            metavar="D",
            help="A level of discovered software, in doublings since day 0. May be repeated. If left out: 10, 100 and "
            "1,000 times the software of day 0, as far as the scenario can reach them.",
        ),
    ] = None,
    pace: Annotated[
        float,
        typer.Option(
            min=1,
            max=1000,
            metavar="TIMES",
            help="Pace over half a year, relative to one doubling in six months, below which runs are counted.",
        ),
    ] = 5.0,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Number of processes on this machine; one for each core if left out."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=path_argument,
            metavar="DIR",
            help="Write policies.json, policies.html and policies.png into this folder.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare governance policies: days gained, warnings, and cost in progress.

    All policies run with the same seeds. The command prints the delay of each level, the share of seeds with a warning
    before it, and the loss of software. Each has a 95% interval.
    """
    from experiments.governance.actions import run_policies

    run_policies(scenario, policy or [], settings or [], seeds, level or [], pace, workers, out, as_json)
