"""What `asara solve` does: a goal in, the value of one parameter that meets it out."""
# ruff: noqa: PLC0415

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
    parameter: Annotated[str, typer.Option("--for", metavar="NAME", help="Parameter to find: any that is a number.")],
    scenario: ScenarioName = "lab",
    low: Annotated[
        float | None, typer.Option(metavar="A", help="Lowest value to try; a tenth of the scenario's if left out.")
    ] = None,
    high: Annotated[
        float | None, typer.Option(metavar="B", help="Highest value to try; ten times the scenario's if left out.")
    ] = None,
    settings: Settings = None,
    engine: Annotated[
        Literal["fluid", "world"],
        typer.Option("--engine", help="Equations, or agents and randomness: the mean day over seeds."),
    ] = "fluid",
    seeds: Annotated[int, typer.Option(min=2, max=10_000, help="Seeds of each value, with --engine world.")] = 8,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes, with --engine world; as many as cores if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the value of a parameter with which software reaches a goal on its day; exit 1 if there is none."""
    from experiments.cli.arguments import load_scenario
    from experiments.cli.terminal import print_json
    from experiments.solve.solver import solve as search
    from experiments.storage.atomic import plain

    chosen = load_scenario(scenario, settings or [])
    found = search(chosen, parameter, until, low=low, high=high, engine=engine, seeds=seeds, workers=workers)
    if as_json:
        print_json(plain(found))
    else:
        _show(found)
    if not found.answers:
        raise typer.Exit(NO_VALUE)


def _show(found: Solution) -> None:
    from experiments.cli.terminal import print_text
    from experiments.text.number_format import format_number

    goal = found.goal
    runs = f"engine: world, {found.seeds} seeds" if found.seeds else "engine: fluid, no randomness"
    unit = f" [{found.unit}]" if found.unit else ""
    print_text(f"{found.scenario} ({runs}): {found.parameter}{unit} for software {goal.software} on day {goal.day:g}")
    print_text()
    for answer in found.answers:
        print_text(_answer(found, answer))
    if not found.answers:
        print_text(_none(found))
    print_text(f"As the scenario stands, with {_set(found, found.now)}: {_day(found, found.now)}.")
    print_text(
        f"{len(found.tried)} values from {format_number(found.low)} to {format_number(found.high)} "
        f"were run{_caveats(found)}."
    )


def _answer(found: Solution, answer: Answer) -> str:
    if answer.jump is not None:
        before, after = answer.jump
        return (
            f"{found.parameter} = {_value(answer.value)}: the day jumps over the goal here. "
            f"With {before.value:.5g} {_day(found, before)}; with {after.value:.5g} {_day(found, after)}."
        )
    interval = f" [{answer.low:.3g}, {answer.high:.3g}]" if answer.low is not None and answer.high is not None else ""
    checked = f"runs with {_value(answer.value)}" if found.seeds else f"a run with {_value(answer.value)}"
    return f"{found.parameter} = {_value(answer.value)}{interval}. Checked by {checked}: {_day(found, answer.gives)}."


def _none(found: Solution) -> str:
    nearest = found.nearest
    return (
        f"No value meets the goal. Nearest is {found.parameter} = {_value(float(f'{nearest.value:.3g}'))}: "
        f"{_day(found, nearest)}."
    )


def _set(found: Solution, tried: EvaluatedValue) -> str:
    return f"{found.parameter} = {_value(float(f'{tried.value:.4g}'))}"


def _value(value: float) -> str:
    return f"{value:.15g}"


def _day(found: Solution, tried: EvaluatedValue) -> str:
    """What one value gives, in words."""
    from sim.notebook_display import factor

    if math.isnan(tried.miss):
        return "it cannot be run"
    software = found.goal.software
    if tried.day is None:
        return f"software does not reach {software} in time; a run ends at {factor(tried.doublings)}"
    if tried.low is None or tried.high is None:
        return f"software reaches {software} on day {tried.day:.1f}"
    return f"software reaches {software} on day {tried.day:.1f} [{tried.low:.1f}, {tried.high:.1f}] on average"


def _caveats(found: Solution) -> str:
    several = len(found.answers) > 1
    texts = [f"; {len(found.answers)} of them meet the goal" * several]
    if not found.monotone:
        texts.append("; the day does not rise or fall throughout, so look closer with --low and --high")
    if found.refused:
        texts.append(f"; {found.refused} cannot be run")
    return "".join(texts)
