"""Declare `asara run`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from experiments.cli.options import (
    AsJson,
    Goal,
    New,
    PictureFormat,
    PictureShape,
    ScenarioName,
    Seed,
    Settings,
    path_argument,
    write_new,
)

EngineName = Annotated[
    Literal["world", "fluid"],
    typer.Option(
        "--engine",
        help="world: individual agents with randomness. fluid: the same law as equations, without a seed.",
    ),
]


def run(
    scenario: ScenarioName = "lab",
    settings: Settings = None,
    seed: Seed = 0,
    until: Annotated[
        float | None, typer.Option(metavar="DAYS", help="Last day of the run (run__horizon_days).")
    ] = None,
    stop_at_researchers: Annotated[
        float | None,
        typer.Option(
            metavar="N", help="Stop at N active researchers, such as 1e9, within ten years (run__stop_at_researchers)."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=path_argument, metavar="DIR", help="Write tables, run.json and a figure into this folder."),
    ] = None,
    goal: Goal = None,
    picture: PictureFormat = None,
    shape: PictureShape = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Also write the tables in --out as CSV files.")] = False,
    as_xlsx: Annotated[bool, typer.Option("--xlsx", help="Also write the tables as an Excel workbook.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace a run that --out already contains.")] = False,
    engine: EngineName = "world",
    new: New = None,
    as_json: AsJson = False,
) -> None:
    """Run a scenario and print its growth and its use of GPUs."""
    if new is not None:
        write_new("run", new, "" if scenario == "lab" else scenario)
    from experiments.run.actions import RunFiles, run_scenario

    files = RunFiles(out, picture, shape, as_csv, as_xlsx, fresh)
    run_scenario(scenario, settings or [], seed, until, stop_at_researchers, goal, engine, files, as_json)
