"""Choose and check the level of software that decides a race. Pure: no files, no prints."""

from __future__ import annotations

import math
from typing import Final

from experiments.errors import InputError
from sim.growth import FrozenLaw
from sim.scenario.model import Scenario

MAX_LEVELS: Final = 9
"""Largest number of levels in the table."""
_TOLERANCE: Final = 1e-9
"""Rounding of a level [doublings]."""


def highest_level(scenario: Scenario) -> float:
    """Return the highest level that all labs can reach before they end, in whole doublings."""
    labs = [scenario.lab_scenario(name) for name in scenario.labs]
    highest = min(min(float(lab.run.max_doublings), lab.growth.limit - 1) for lab in labs)
    return float(math.floor(highest + _TOLERANCE))


def lowest_level(scenario: Scenario) -> float:
    """Return the most software with which a lab begins; a level must be above it [doublings]."""
    return max(scenario.lab_scenario(name).entry.software_doublings for name in scenario.labs)


def default_level(scenario: Scenario) -> float:
    """Return the highest level, or half of it if a lab gains from others: the leader must not end before followers."""
    highest = highest_level(scenario)
    return float(max(1, highest // 2)) if is_shared(scenario) else highest


def is_shared(scenario: Scenario) -> bool:
    """Return whether a lab gains from the research of others."""
    commons = [scenario.lab_scenario(name).commons for name in scenario.labs]
    return any(each.publication_share > 0 or each.diffusion_per_year > 0 for each in commons)


def check_level(scenario: Scenario, level: float | None, option: str = "--level") -> float:
    """Return the level that decides a race, by default :func:`default_level`.

    ``option``: name in messages, an option or a key of a file. Raises InputError if the level is not between the
    software with which the labs begin and the highest one.
    """
    if all(isinstance(scenario.lab_scenario(name).growth, FrozenLaw) for name in scenario.labs):
        raise InputError(
            "growth__law = 'frozen' lets no lab reach a level; allowed: a law by which software grows. Choose "
            "growth__law = 'returns'."
        )
    lowest, highest = lowest_level(scenario), highest_level(scenario)
    chosen = default_level(scenario) if level is None else level
    if not lowest < chosen <= highest:
        write = f"{option} {highest:g}" if option.startswith("-") else f"{option} = {highest:g}"
        raise InputError(
            f"{option} = {chosen:g} doublings is not a level that decides this race; allowed: above the {lowest:g} "
            f"with which a lab begins, up to {highest:g}. Write {write}, or raise run__max_doublings."
        )
    return chosen


def levels_of(level: float, lowest: float = 0.0) -> tuple[float, ...]:
    """Return at most `MAX_LEVELS` levels in whole doublings above ``lowest``, and the deciding one."""
    step = max(1, math.ceil(level / MAX_LEVELS))
    below = [float(each) for each in range(step, math.ceil(level - _TOLERANCE), step) if each > lowest]
    return (*below, level)
