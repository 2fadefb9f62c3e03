"""Declare `asara bottleneck`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import AsJson, Settings, path_argument


def bottleneck(
    scenario: Annotated[
        str, typer.Argument(help="A shipped scenario or a TOML file whose researchers run experiments.")
    ] = "lab",
    settings: Settings = None,
    doublings: Annotated[
        str,
        typer.Option(metavar="N,N,...", help="Software levels at which the lab is fixed and measured, in doublings."),
    ] = "0,2,4,6,8",
    seeds: Annotated[int, typer.Option(min=1, max=100_000, help="Runs of each lab; more runs are more precise.")] = 4,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=path_argument, metavar="DIR", help="Write bottleneck.json and bottleneck.png into this folder."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure whether researchers or GPUs limit progress.

    The command measures the effect of more researchers or more GPUs on output, and how well one substitutes for the
    other.
    """
    from experiments.bottleneck.actions import measure

    measure(scenario, settings or [], doublings, seeds, out, as_json)
