"""Declare `asara scenarios` and `asara explain`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from typing import Annotated

import typer

from experiments.cli.options import AsJson


def scenarios(as_json: AsJson = False) -> None:
    """List the shipped scenarios, first those of one lab, then those of several labs."""
    from experiments.cli.run_table import show_scenarios
    from sim.scenario.loading import shipped_races
    from sim.scenario.model import Scenario, shipped_scenarios

    rows, races = (
        [
            {"name": each.name, "description": each.description, "source": each.source}
            for each in map(Scenario.load, names)
        ]
        for names in (shipped_scenarios(), shipped_races())
    )
    if as_json:
        from experiments.cli.terminal import print_json

        print_json({"scenarios": rows, "races": races})
    else:
        show_scenarios(rows)
        show_scenarios(races, "several labs, for `asara race`")


def explain(
    word: Annotated[
        list[str] | None,
        typer.Argument(
            help="A parameter, the end of its name, a symbol (p, s, r) or a word; lists all parameters if left out."
        ),
    ] = None,
) -> None:
    """Explain a parameter or a word of the glossary.

    A parameter has its meaning, its allowed values, its default and the source of the default.
    """
    from experiments.cli.run_table import show_meanings, show_parameters
    from experiments.text.explain import find_meanings
    from sim.scenario.model import parameters

    if not word:
        show_parameters(list(parameters().values()))
    else:
        show_meanings(find_meanings(" ".join(word)))
