"""Gains of software: the day on which a run reached one, why it did not, and what a run needs to reach it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from experiments.errors import InputError

if TYPE_CHECKING:
    from sim.scenario.model import Scenario

TEN_YEARS: Final = 3650.0
"""Days that a run to a goal has, unless its horizon is set."""
_GOAL: Final = re.compile(r"\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*[x×]?\s*")
_MAX_DOUBLINGS: Final = 300
_ROUNDING: Final = 1e-9


class EndedScenario(NamedTuple):
    """What says why a run came no farther."""

    ending: str
    day: float
    doublings: int
    """Whole doublings of software that were seen."""
    max_doublings: int
    researchers: float
    stop_at_researchers: float
    """0: none were asked for."""

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> EndedScenario:
        """Return what the row of a run in a table of runs states."""
        return cls(
            row["ending"],
            row["day"],
            len(row["doubling_days"] or ()),
            row["run__max_doublings"],
            row["researchers"] or 0.0,
            row["run__stop_at_researchers"],
        )


def parse_goal(text: str) -> float:
    """Return the multiple of the software of day 0 that a goal such as 1000x, 30x or 1e6x names.

    Raises InputError for anything but a multiple above 1 and up to 2^300.
    """
    found = _GOAL.fullmatch(text)
    try:
        multiple = float(found[1]) if found else math.nan
    except ValueError:
        multiple = math.nan
    if not 1 < multiple <= 2.0**_MAX_DOUBLINGS:
        raise InputError(
            f"--goal = {text!r} is not a multiple of the software of day 0; allowed: above 1x, at most 2e90x. "
            "Write --goal 1000x, 30x or 1e6x."
        )
    return multiple


def doublings_to(multiple: float) -> int:
    """Return the whole doublings after which software is at least so many times that of day 0: 10 for 1,000."""
    return math.ceil(math.log2(multiple) - _ROUNDING)


def goal_changes(multiple: float, scenario: Scenario, changed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with which a run can reach a multiple of the software of day 0.

    ``changed``: what is set by name; its horizon stays, while any other becomes ten years at least. Raises InputError
    where it sets another number of doublings.
    """
    needed = doublings_to(multiple)
    asked = changed.get("run__max_doublings", needed)
    if asked != needed:
        raise InputError(
            f"run__max_doublings = {asked} is not what --goal {multiple:g}x needs; allowed: {needed}. "
            "Leave out one of the two."
        )
    horizon = {} if "run__horizon_days" in changed else {"run__horizon_days": max(scenario.run.horizon_days, TEN_YEARS)}
    return {"run__max_doublings": needed, **horizon}


def day_of_gain(multiple: float, doubling_days: Sequence[float]) -> float | None:
    """Return the day on which software was first so many times that of day 0; None if it never was.

    ``doubling_days``: the day of each whole doubling; between two of them log2 of software is a straight line.
    """
    days, level = [0.0, *doubling_days], math.log2(multiple)
    above = math.ceil(level - _ROUNDING)
    if above >= len(days):
        return None
    part = min(level - (above - 1), 1.0)
    return days[above - 1] + part * (days[above] - days[above - 1])


def why_not(multiple: float, ended: EndedScenario) -> str:
    """Return why a run did not reach a gain, as half a sentence."""
    if ended.ending == "horizon":
        return f"not reached by the horizon (day {ended.day:,.6g})"
    if ended.ending == "limit reached":
        return "limit reached: the hardware allows no such gain"
    if ended.ending in ("stalled", "interrupted"):
        return f"{ended.ending} on day {ended.day:,.6g}"
    if ended.doublings < ended.max_doublings and 0 < ended.stop_at_researchers <= ended.researchers * (1 + _ROUNDING):
        return f"stopped at {ended.stop_at_researchers:,.15g} researchers: raise run__stop_at_researchers"
    needed = doublings_to(multiple)
    count = "1 doubling" if ended.doublings == 1 else f"{ended.doublings} doublings"
    return f"stopped after {count}: raise run__max_doublings to {needed}"


def goal_sentence(multiple: float, doubling_days: Sequence[float], ended: EndedScenario) -> str:
    """Return the day on which a run reached its goal, or why it did not, as a sentence."""
    day = day_of_gain(multiple, doubling_days)
    if day is None:
        return f"Goal: software was never {multiple:,.15g} times that of day 0: {why_not(multiple, ended)}."
    return f"Goal: software was {multiple:,.15g} times that of day 0 on day {day:,.1f}."
