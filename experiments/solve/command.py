"""Define `asara solve`: find the value of one parameter that meets a goal."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from experiments.cli.options import AsJson, ScenarioName, Settings

if TYPE_CHECKING:
    from experiments.solve.runs import EvaluatedValue
    from experiments.solve.solver import Answer, Solution

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
    from experiments.cli.arguments import load_scenario
    from experiments.cli.terminal import print_json
    from experiments.solve.solver import solve as search
    from experiments.storage.atomic import to_json_values

    chosen = load_scenario(scenario, settings or [])
    found = search(chosen, parameter, until, low=low, high=high, engine=engine, seeds=seeds, workers=workers)
    if as_json:
        print_json(to_json_values(found))
    else:
        _print_solution(found)
    if not found.answers:
        raise typer.Exit(NO_VALUE)


def _print_solution(found: Solution) -> None:
    from experiments.cli.terminal import print_text
    from experiments.text.number_format import format_number

    goal = found.goal
    runs = f"engine: world, {found.seeds} seeds" if found.seeds else "engine: fluid, no randomness"
    unit = f" [{found.unit}]" if found.unit else ""
    print_text(f"{found.scenario} ({runs}): {found.parameter}{unit} for software {goal.software} on day {goal.day:g}")
    print_text()
    for answer in found.answers:
        print_text(_describe_answer(found, answer))
    if not found.answers:
        print_text(_describe_nearest(found))
    print_text(f"As the scenario stands, with {_format_setting(found, found.now)}: {_describe_day(found, found.now)}.")
    print_text(
        f"{len(found.tried)} values from {format_number(found.low)} to {format_number(found.high)} "
        f"were run{_describe_caveats(found)}."
    )


def _describe_answer(found: Solution, answer: Answer) -> str:
    if answer.jump is not None:
        before, after = answer.jump
        return (
            f"{found.parameter} = {_format_value(answer.value)}: the day jumps over the goal here. "
            f"With {before.value:.5g} {_describe_day(found, before)}; with {after.value:.5g} "
            f"{_describe_day(found, after)}."
        )
    interval = f" [{answer.low:.3g}, {answer.high:.3g}]" if answer.low is not None and answer.high is not None else ""
    checked = f"runs with {_format_value(answer.value)}" if found.seeds else f"a run with {_format_value(answer.value)}"
    day = _describe_day(found, answer.gives)
    return f"{found.parameter} = {_format_value(answer.value)}{interval}. Checked by {checked}: {day}."


def _describe_nearest(found: Solution) -> str:
    nearest = found.nearest
    return (
        f"No value meets the goal. Nearest is {found.parameter} = {_format_value(float(f'{nearest.value:.3g}'))}: "
        f"{_describe_day(found, nearest)}."
    )


def _format_setting(found: Solution, tried: EvaluatedValue) -> str:
    return f"{found.parameter} = {_format_value(float(f'{tried.value:.4g}'))}"


def _format_value(value: float) -> str:
    return f"{value:.15g}"


def _describe_day(found: Solution, tried: EvaluatedValue) -> str:
    """Describe the day on which one value reaches the goal."""
    from sim.notebook_display import factor

    if math.isnan(tried.miss):
        return "it cannot be run"
    software = found.goal.software
    if tried.day is None:
        return f"software does not reach {software} in time; a run ends at {factor(tried.doublings)}"
    if tried.low is None or tried.high is None:
        return f"software reaches {software} on day {tried.day:.1f}"
    return f"software reaches {software} on day {tried.day:.1f} [{tried.low:.1f}, {tried.high:.1f}] on average"


def _describe_caveats(found: Solution) -> str:
    several = len(found.answers) > 1
    texts = [f"; {len(found.answers)} of them meet the goal" * several]
    if not found.monotone:
        texts.append(
            "; the day is not a monotone function of the parameter, so search smaller ranges with --low and --high"
        )
    if found.refused:
        texts.append(f"; {found.refused} cannot be run")
    return "".join(texts)
