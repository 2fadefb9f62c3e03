"""With what a page opens: what the command was given, or what the link says."""

from __future__ import annotations

from typing import NamedTuple

from experiments.errors import InputError
from sim.scenario import DEFAULT, Scenario, shipped_scenarios


class Opening(NamedTuple):
    """What a page begins with."""

    scenario: Scenario
    seed: int = 0
    frame: int = 0
    wrong: str = ""
    """Why it is not what the link asked for; empty if it is."""


_given: list[Opening] = []
"""What the command was given: set once, before the server starts."""


def give(opening: Opening) -> None:
    """Let pages without a link open with this from now on; its scenario may be a file of the one who gives it."""
    _given[:] = [opening]


def given() -> Opening:
    """Return what a page without a link opens with."""
    return _given[0] if _given else Opening(Scenario.load(DEFAULT))


def offered() -> list[str]:
    """Return the names of all scenarios that a page can choose: what is shipped, and what the command was given."""
    return list(dict.fromkeys([*shipped_scenarios(), given().scenario.name]))


def scenario_named(name: str) -> Scenario:
    """Return one of the scenarios that are offered, without changes; no name is ever read as that of a file.

    Raises InputError for any other name.
    """
    if name in shipped_scenarios():
        return Scenario.load(name)
    if name == given().scenario.name:
        return given().scenario
    raise InputError(f"there is no scenario '{name[:40]}' here: choose one of {', '.join(offered())}")
