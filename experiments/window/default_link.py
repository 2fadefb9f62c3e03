"""Choose what a page opens with: its link, or the scenario of the command."""

from __future__ import annotations

from typing import NamedTuple

from experiments.errors import InputError
from experiments.window.form_fields import page_scenarios
from experiments.window.permalink import Link, decode, shipped_scenario
from sim.scenario.model import DEFAULT, Scenario, ScenarioError


class PageLink(NamedTuple):
    """The link with which a page opens, or why it was not opened."""

    link: Link
    error: str = ""
    """Why the requested link was not opened; empty if it was."""


class _CommandDefault(NamedTuple):
    link: Link
    base: Scenario
    """Scenario of this name, without changes."""


_command_default: list[_CommandDefault] = []
"""Link and scenario of the command, set once before the server starts."""


def set_default(link: Link, base: Scenario) -> None:
    """Set the start of pages without a link; ``base`` is its scenario without changes, possibly from a file."""
    _command_default[:] = [_CommandDefault(link, base)]


def clear_default() -> None:
    """Forget the start that was set: pages without a link start as shipped again."""
    _command_default.clear()


def default_link() -> Link:
    """Return the start of a page without a link."""
    return _command_default[0].link if _command_default else Link(DEFAULT, Scenario.load(DEFAULT))


def link_from_query(query: str) -> PageLink:
    """Return the start of a page by the query of its address; errors are explained."""
    if not query.strip("?"):
        return PageLink(default_link())
    try:
        return PageLink(decode(query, scenario_named))
    except (InputError, ScenarioError) as error:
        sentence = str(error)
        stop = "" if sentence.endswith((".", "?", "!")) else "."
        return PageLink(default_link(), f"{sentence}{stop} This page opened without its link.")


def available_scenarios() -> list[str]:
    """Return the names of all scenarios that a page can select: the shipped ones and that of the command."""
    return list(dict.fromkeys([*page_scenarios(), default_link().name]))


def scenario_named(name: str) -> Scenario:
    """Return an available scenario without changes; a name is never read as a file.

    Raises InputError for any other name.
    """
    if _command_default and name == _command_default[0].link.name and name not in page_scenarios():
        return _command_default[0].base
    return shipped_scenario(name)
