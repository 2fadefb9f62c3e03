"""Build the scenario of one lab that has everything that the labs of a race have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sim.scenario.model import Scenario

_SUMMED: Final = ("cluster__gpus", "humans__initial", "training__gpus", "supply__most_gpus")
"""Parameters that the one lab has as a sum over the labs."""
_BEST: Final = {"entry__day": min, "entry__software_doublings": max}
"""Parameters that it has of the lab with the best start, by what is best."""


def merge_labs(scenario: Scenario) -> Scenario:
    """Return a scenario of one lab with the GPUs and the humans of all labs, and the best start.

    All other parameters are those of the first lab. Its growth law stays calibrated to the same team, so that a paper
    counts as much as in the race. Raises ScenarioError if one lab cannot be as large.
    """
    labs = [scenario.lab_scenario(name) for name in scenario.labs]
    first, flat = labs[0], [lab.flat() for lab in labs]
    values = {name: sum(each[name] for each in flat) for name in _SUMMED if not first.unread(name)}
    values["supply__most_gpus"] = min(1_000_000, values["supply__most_gpus"])
    if not all(each["training__gpus"] for each in flat):
        values["training__gpus"] = 0  # the maximum of one lab at least is the whole training share
    values |= {name: choose(each[name] for each in flat) for name, choose in _BEST.items()}
    if any(each["researcher__initial"] for each in flat):
        values["researcher__initial"] = sum(lab.initial_researchers for lab in labs)
    if flat[0].get("growth__law") == "returns" and not flat[0]["growth__calibrated_for"]:
        values["growth__calibrated_for"] = first.initial_researchers
    values |= {"exit__kind": "stays", "commons__publication_share": 0.0, "commons__diffusion_per_year": 0.0}
    return first.replace(**{name: value for name, value in values.items() if value != flat[0][name]})


def total_gpus(scenario: Scenario) -> int:
    """Return the GPUs of all labs on day 0."""
    return sum(gpus_by_lab(scenario, scenario.labs).values())


def gpus_by_lab(scenario: Scenario, labs: Sequence[str]) -> dict[str, int]:
    """Return the GPUs of each lab on day 0."""
    return {name: scenario.lab_scenario(name).cluster.gpus for name in labs}
