"""Let labs enter later or ahead of others, close, and merge with another lab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from simpy import Event

from sim.clock import Clock
from sim.growth import FrozenLaw
from sim.lab_params import ClosesParams, MergesParams, StaysParams
from sim.scenario.messages import ScenarioError, did_you_mean

if TYPE_CHECKING:
    from sim.lab import Lab
    from sim.scenario.model import Scenario

REVIEW_DAYS: Final = 1.0
"""Time between two looks at the conditions of exits [days]."""
_TOLERANCE: Final = 1e-9
"""Tolerance for rounding within which a day or a gap is reached."""


def check_lifetimes(labs: Mapping[str, Scenario]) -> None:
    """Refuse labs that begin with too much software, and mergers that are not possible.

    Raises ScenarioError, with the name of the lab if it has one.
    """
    for name, scenario in labs.items():
        if reason := _why_impossible(name, scenario, labs):
            raise ScenarioError(f"lab '{name}': {reason}" if name else reason)


def _why_impossible(name: str, scenario: Scenario, labs: Mapping[str, Scenario]) -> str:
    """Return a sentence on why a lab cannot begin or merge so; empty if it can."""
    software, most = scenario.entry.software_doublings, scenario.run.max_doublings
    if software > 0 and isinstance(scenario.growth, FrozenLaw):
        return "entry__software_doublings is not read under growth__law = 'frozen'; set growth__ai_doublings instead"
    if software >= min(float(most), scenario.growth.limit):
        return (
            f"entry__software_doublings = {software:g} leaves nothing to discover; allowed: below run__max_doublings = "
            f"{most} and the limit of the growth law. Lower it"
        )
    params = scenario.exit
    if not isinstance(params, MergesParams):
        return ""
    others = [other for other in labs if other != name]
    if params.into not in others:
        near = did_you_mean(params.into, others) or f"; allowed: {', '.join(others) or 'a run with several labs'}"
        stated = f"exit__into = '{params.into}'"
        return f"{stated} is the lab itself{near}" if params.into == name else f"{stated} is not a lab{near}"
    for parameter in ("partitioning", "gpus_per_node"):
        own, theirs = getattr(scenario.cluster, parameter), getattr(labs[params.into].cluster, parameter)
        if own != theirs:
            return (
                f"cluster__{parameter} = {own} differs from {theirs} of lab '{params.into}', into which it merges; "
                "allowed: the same. Change one of them"
            )
    return ""


class Exits:
    """Close and merge labs when their conditions hold.

    Arguments
    ---------
    clock
        Clock of the run.
    labs
        The labs by name.
    """

    def __init__(self, clock: Clock, labs: Mapping[str, Lab]) -> None:
        self._clock = clock
        self._labs = labs
        days = [params.day for lab in labs.values() if not isinstance(params := lab.settings.exit, StaysParams)]
        if days:
            clock.after_in_background(min(days), self._on_review)

    def _on_review(self, _: Event) -> None:
        for name, lab in self._labs.items():
            params = lab.settings.exit
            if isinstance(params, StaysParams) or lab.has_ended or not self._is_due(name, params):
                continue
            if isinstance(params, MergesParams):
                self._merge(lab, self._labs[params.into])
                lab.end("merged", f"Merged into {params.into} on day {lab.now:,.6g}.")
            else:
                lab.end("closed", f"Closed on day {lab.now:,.6g}.")
        if any(not isinstance(lab.settings.exit, StaysParams) and not lab.has_ended for lab in self._labs.values()):
            self._clock.after_in_background(REVIEW_DAYS, self._on_review)

    def _is_due(self, name: str, params: ClosesParams | MergesParams) -> bool:
        deployed = {other: lab.knowledge.software.deployed for other, lab in self._labs.items()}
        gap = max(deployed.values()) - deployed[name]
        return self._clock.now >= params.day - _TOLERANCE and gap >= params.behind_doublings - _TOLERANCE

    @staticmethod
    def _merge(lab: Lab, into: Lab) -> None:
        """Give the nodes of a lab to another one, and its software if that is better."""
        for use, pool in lab.compute.datacenter.pools.items():
            for speed, nodes in pool.nodes_by_speed().items():
                into.add_nodes(use, nodes, speed)
        gap = lab.knowledge.software.discovered - into.knowledge.software.discovered
        if gap > 0:
            into.receive_software(lab.name, gap)
