"""Declare `asara race`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import AsJson, Settings, path_argument


def race(
    scenario: Annotated[
        str, typer.Argument(help="A shipped scenario of several labs (see `asara scenarios`) or a TOML file.")
    ] = "two-labs",
    settings: Settings = None,
    seeds: Annotated[int, typer.Option(min=1, max=100_000, help="Number of runs, with seeds from 0.")] = 20,
    level: Annotated[
        float | None,
        typer.Option(
            metavar="D",
            help="Level of discovered software that decides the race, in doublings since day 0. If left out: the "
            "highest level that all labs can reach, or half of it if they gain from each other.",
        ),
    ] = None,
    without_one_lab: Annotated[
        bool, typer.Option("--without-one-lab", help="Do not also run one lab with the GPUs of all labs.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Number of processes on this machine; one for each core if left out."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=path_argument, metavar="DIR", help="Write race.json and race.png into this folder."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run several labs together and estimate which one wins.

    The command prints the probability of each lab to reach a level first, the lead in days, and shares of compute and
    software. It compares the race with one lab that has all GPUs.
    """
    from experiments.race.actions import run_seeds

    run_seeds(scenario, settings or [], seeds, level, not without_one_lab, workers, out, as_json)
