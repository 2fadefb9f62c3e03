"""Which parameters of a scenario differ from the scenario whose name it has."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from sim.scenario.model import Scenario, parameters, shipped_scenarios

MAX_SAID = 4


class Change(NamedTuple):
    """A parameter with another value than in the scenario of that name."""

    parameter: str
    """Its flat name."""
    value: Any
    before: Any

    def __str__(self) -> str:
        return f"{_words(self.parameter)} {_shown(self.value)} ({_shown(self.before)})"


def changes_of(scenario: Scenario, base: Scenario | None = None) -> list[Change]:
    """Return the parameters that differ from ``base``, by default the shipped scenario of the same name.

    Without such a scenario nothing counts as changed.
    """
    if base is None:
        if scenario.name not in shipped_scenarios():
            return []
        base = Scenario.load(scenario.name)
    before = base.flat()
    return [Change(name, value, before[name]) for name, value in scenario.flat().items() if value != before[name]]


def changes_text(changes: list[Change]) -> str:
    """Return the changes in a few words, each with its value and the scenario's own in brackets; nothing if none."""
    more = len(changes) - MAX_SAID
    return ", ".join([*map(str, changes[:MAX_SAID]), *([f"and {more} more"] * (more > 0))])


def titled(scenario: Scenario, changes: list[Change]) -> str:
    """Return the name of a scenario and what differs from it."""
    return f"{scenario.name}: {changes_text(changes)}" if changes else scenario.name


_ALONE = ("cluster", "growth", "run")
"""Blocks whose parameters have names that stand alone, but for single letters."""


def _words(name: str) -> str:
    """The name of a parameter as words, with its block where it does not stand alone."""
    found = parameters()[name]
    plain = found.name if found.block in _ALONE and len(found.name) > 1 else f"{found.block} {found.name}"
    return re.sub(r"\bgpu", "GPU", plain.replace("_", " "))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e12 else f"{value:,.6g}"
