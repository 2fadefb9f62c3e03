"""Declare `asara scenarios` and `asara explain`."""
# ruff: noqa: PLC0415 - `asara --help` imports this module, and must answer at once

from __future__ import annotations

from typing import Annotated

import typer

from experiments.cli.options import AsJson


def scenarios(as_json: AsJson = False) -> None:
    """List the shipped scenarios."""
    from experiments.cli.run_table import show_scenarios
    from sim.scenario.model import Scenario, shipped_scenarios

    loaded = [Scenario.load(name) for name in shipped_scenarios()]
    rows = [{"name": each.name, "description": each.description, "source": each.source} for each in loaded]
    if as_json:
        from experiments.cli.terminal import print_json

        print_json({"scenarios": rows})
    else:
        show_scenarios(rows)


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
