"""Declare `asara milestones`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from experiments.cli.options import AsJson, Settings, path_argument


def milestones(
    scenario: Annotated[
        str, typer.Argument(help="A shipped scenario or a TOML file, such as one with humans and tasks.")
    ] = "road-to-asara",
    settings: Settings = None,
    seeds: Annotated[int, typer.Option(min=1, max=100_000, help="Number of runs, with seeds from 0.")] = 5,
    coder_share: Annotated[
        float,
        typer.Option(metavar="SHARE", help="Share of the tasks that AIs can do when they are an automated coder."),
    ] = 0.5,
    coder_year: Annotated[
        Literal["2027", "2030", "2035"],
        typer.Option(help="Year of the automated coder in the published medians that are shown."),
    ] = "2030",
    out: Annotated[
        Path | None,
        typer.Option(
            parser=path_argument, metavar="DIR", help="Write milestones.json and milestones.png into this folder."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Date the milestones of research automation.

    The command prints the days on which AIs reach each AI research multiplier and do all coding and all research. It
    shows percentiles over seeds, the share of seeds that get there, and published medians.
    """
    from experiments.milestones.actions import date_milestones

    date_milestones(scenario, settings or [], seeds, coder_share, int(coder_year), out, as_json)
