"""Find and describe the parameters in which a scenario differs from its base."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from sim.scenario.model import Scenario, parameters, shipped_scenarios

MAX_NAMED = 4
"""Changes that are named; further ones are counted."""
_MAX_EXACT = 1e12
"""Size from which a number is written as a power of ten."""


class Change(NamedTuple):
    """A parameter whose value differs from the base."""

    parameter: str
    """Flat name of the parameter."""
    value: Any
    before: Any
    """Value in the base."""

    def __str__(self) -> str:
        """Describe the change: name, value, and the value of the base in brackets."""
        return f"{_format_name(self.parameter)} {_format_value(self.value)} ({_format_value(self.before)})"


def changes_of(scenario: Scenario, base: Scenario | None = None) -> list[Change]:
    """Return the parameters that differ from ``base``, by default the shipped scenario of the same name.

    If there is no such scenario, the list is empty.
    """
    if base is None:
        if scenario.name not in shipped_scenarios():
            return []
        base = Scenario.load(scenario.name)
    before = base.flat()
    return [Change(name, value, before[name]) for name, value in scenario.flat().items() if value != before[name]]


def changes_text(changes: list[Change]) -> str:
    """Describe changes briefly, each with its value and the value of the base in brackets."""
    more = len(changes) - MAX_NAMED
    return ", ".join([*map(str, changes[:MAX_NAMED]), *([f"and {more} more"] * (more > 0))])


def titled(scenario: Scenario, changes: list[Change]) -> str:
    """Return the name of a scenario followed by its changes."""
    return f"{scenario.name}: {changes_text(changes)}" if changes else scenario.name


_BLOCKS_LEFT_OUT = ("cluster", "growth", "run")
"""Blocks that are not written before the name of a parameter, unless the name is a single letter."""


def _format_name(name: str) -> str:
    """Format the name of a parameter as words, with its block if the name is not clear without it."""
    found = parameters()[name]
    plain = found.name if found.block in _BLOCKS_LEFT_OUT and len(found.name) > 1 else f"{found.block} {found.name}"
    return re.sub(r"\bgpu", "GPU", plain.replace("_", " "))


def _format_value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value == round(value) and abs(value) < _MAX_EXACT else f"{value:,.6g}"
