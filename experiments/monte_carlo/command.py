"""Declare `asara mc`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import AsJson, New, PictureFormat, PictureShape, path_argument, write_new
from experiments.errors import InputError


def mc(
    priors: Annotated[
        str | None,
        typer.Argument(help="Priors: successor, successor-retraining, report, report-fixed-hardware, or a TOML file."),
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, max=10_000_000, help="Number of worlds to draw.")] = 1_000_000,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(parser=path_argument, metavar="DIR", help="Write mc.json, mc.csv and a figure into this folder."),
    ] = None,
    picture: PictureFormat = None,
    shape: PictureShape = None,
    new: New = None,
    as_json: AsJson = False,
) -> None:
    """Estimate the probability of each outcome from priors.

    The command runs a Monte Carlo analysis over uncertain inputs, which a TOML file describes.
    """
    if new is not None:
        write_new("mc", new, priors or "")
    if priors is None:
        raise InputError("PRIORS is missing; allowed: a name or a TOML file. `asara mc --new my.toml` writes one.")
    from experiments.monte_carlo.actions import sample_worlds

    sample_worlds(priors, n, seed, out, picture, shape, as_json)
