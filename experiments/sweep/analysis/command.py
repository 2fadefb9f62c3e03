"""Declare `asara analyse`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import AsJson, path_argument


def analyse(
    folder: Annotated[
        Path, typer.Argument(parser=path_argument, metavar="DIR", help="The folder of a sweep, finished or not.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(parser=path_argument, metavar="DIR", help="Folder for the report; DIR/analysis if left out."),
    ] = None,
    outcome: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Show sensitivity (tornado, Sobol' indices) of this outcome only, such as explosion."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Analyse a sweep: write an HTML report, and its figures and tables as separate files."""
    from experiments.sweep.analysis.actions import analyse_sweep

    analyse_sweep(folder, out, outcome, as_json)
