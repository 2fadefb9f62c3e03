"""Carry out `asara solve`: find the value of one parameter that meets a goal, and print it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from experiments.cli.arguments import load_scenario
from experiments.cli.terminal import print_json, print_text
from experiments.solve.runs import EvaluatedValue
from experiments.solve.solver import Answer, Solution, solve
from experiments.storage.atomic import to_json_values
from experiments.text.number_format import format_number
from sim.engines import Engine
from sim.notebook_display import factor


def solve_scenario(
    scenario: str,
    settings: Sequence[str],
    parameter: str,
    until: str,
    low: float | None,
    high: float | None,
    engine: Engine,
    seeds: int,
    workers: int | None,
    as_json: bool,
) -> bool:
    """Find the values of a parameter that meet a goal, print them, and return whether there is one.

    Raises InputError or ScenarioError if an argument is not allowed.
    """
    chosen = load_scenario(scenario, settings)
    found = solve(chosen, parameter, until, low=low, high=high, engine=engine, seeds=seeds, workers=workers)
    if as_json:
        print_json(to_json_values(found))
    else:
        _print_solution(found)
    return bool(found.answers)


def _print_solution(found: Solution) -> None:
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
