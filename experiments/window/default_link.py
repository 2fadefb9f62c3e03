"""With what a page opens: what its link says, or else what the command was given."""

from __future__ import annotations

from typing import NamedTuple

from experiments.errors import InputError
from experiments.window.permalink import Link, decode, shipped
from sim.scenario.model import DEFAULT, Scenario, ScenarioError, shipped_scenarios


class DefaultLink(NamedTuple):
    """What a page begins with."""

    link: Link
    wrong: str = ""
    """Why it is not what was asked for; empty if it is."""


class _Given(NamedTuple):
    link: Link
    base: Scenario
    """The scenario of its name, without changes."""


_given: list[_Given] = []
"""What the command was given: set once, before the server starts."""


def give(link: Link, base: Scenario) -> None:
    """Let pages without a link open with this from now on; ``base``: its scenario without changes, maybe of a file."""
    _given[:] = [_Given(link, base)]


def given() -> Link:
    """Return what a page without a link opens with."""
    return _given[0].link if _given else Link(DEFAULT, Scenario.load(DEFAULT))


def opened(query: str) -> DefaultLink:
    """Return what a page opens with whose address has this query; what cannot be read is explained."""
    if not query.strip("?"):
        return DefaultLink(given())
    try:
        return DefaultLink(decode(query, scenario_named))
    except (InputError, ScenarioError) as error:
        sentence = str(error)
        stop = "" if sentence.endswith((".", "?", "!")) else "."
        return DefaultLink(given(), f"{sentence}{stop} This page opened without its link.")


def offered() -> list[str]:
    """Return the names of all scenarios that a page can choose: what is shipped, and what the command was given."""
    return list(dict.fromkeys([*shipped_scenarios(), given().name]))


def scenario_named(name: str) -> Scenario:
    """Return one of the scenarios that are offered, without changes; no name is ever read as that of a file.

    Raises InputError for any other name.
    """
    if _given and name == _given[0].link.name and name not in shipped_scenarios():
        return _given[0].base
    return shipped(name)
