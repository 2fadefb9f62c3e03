"""Declare `asara solve`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from typing import Annotated, Literal

import typer

from experiments.cli.options import AsJson, ScenarioName, Settings

NO_VALUE = 1
"""Exit code if no value of the range meets the goal."""


def solve(
    until: Annotated[
        str,
        typer.Option(
            metavar="GOAL", help="FACTORx=DAY (1000x=365: 1000 times the software on day 365) or doublings=N@DAY."
        ),
    ],
    parameter: Annotated[str, typer.Option("--for", metavar="NAME", help="Parameter to find; it must be a number.")],
    scenario: ScenarioName = "lab",
    low: Annotated[
        float | None,
        typer.Option(metavar="A", help="Lowest value to try; a tenth of the value of the scenario if left out."),
    ] = None,
    high: Annotated[
        float | None,
        typer.Option(metavar="B", help="Highest value to try; ten times the value of the scenario if left out."),
    ] = None,
    settings: Settings = None,
    engine: Annotated[
        Literal["fluid", "world"],
        typer.Option(
            "--engine", help="fluid: equations without a seed. world: the mean day over seeds of the simulation."
        ),
    ] = "fluid",
    seeds: Annotated[
        int, typer.Option(min=2, max=10_000, help="Number of seeds of each value, with --engine world.")
    ] = 8,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes, with --engine world; one for each core if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the value of a parameter that meets a goal.

    The goal is a level of software on a given day. Exits with 1 if no value meets it.
    """
    from experiments.solve.actions import solve_scenario

    if not solve_scenario(scenario, settings or [], parameter, until, low, high, engine, seeds, workers, as_json):
        raise typer.Exit(NO_VALUE)
