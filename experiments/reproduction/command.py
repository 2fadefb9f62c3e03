"""Declare `asara reproduce`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import AsJson, path_argument

REFUTED = 1
"""Exit code if a row is refuted."""


def reproduce(
    seeds: Annotated[int, typer.Option(min=2, max=1_000_000, help="Runs of each row that is random.")] = 1000,
    data: Annotated[
        Path | None,
        typer.Option(
            parser=path_argument, metavar="DIR", help="Folder of the real job logs; the default is ASARA_DATA."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the simulator with theory and published numbers.

    The rows compare it with published numbers, queueing theory and real logs. Exits with 1 if a row is refuted.
    """
    from experiments.reproduction.actions import reproduce_claims

    if "refuted" in reproduce_claims(seeds, data, as_json):
        raise typer.Exit(REFUTED)
