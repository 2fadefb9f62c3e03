"""Let labs enter later or ahead of others, close, and merge with another lab."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from simpy import Event

from hardware.datacenter import SHARED
from hardware.uses import Use
from sim.clock import Clock
from sim.growth import FrozenLaw
from sim.lab_params import ClosesParams, ExitParams, MergesParams, StaysParams
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

    A lab is reviewed on its first possible day, and then every `REVIEW_DAYS`. It leaves at the end of the instant, when
    all its papers are counted.

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
        self._scheduled: dict[str, Event] = {}
        """Timer of the next review of each lab that can leave."""
        self._params: dict[str, ExitParams] = {}
        """Parameters by which the reviews of each lab are scheduled."""
        self._due: list[str] = []
        """Labs that are reviewed in this instant."""
        self._heirs: dict[str, str] = {}
        """Lab into which each lab has merged."""
        self.apply_settings()

    def apply_settings(self) -> None:
        """Schedule reviews by the present parameters of the labs."""
        for name, lab in self._labs.items():
            params = lab.settings.exit
            if params == self._params.get(name):
                continue
            self._params[name] = params
            self._scheduled.pop(name, None)
            if not isinstance(params, StaysParams) and not lab.has_ended:
                self._schedule_review(name, max(0.0, params.day - lab.now))

    def heir(self, name: str) -> Lab | None:
        """Return the lab that has the GPUs of a lab now: the lab itself, or that into which it has merged.

        None if the lab has ended without a merger.
        """
        while name in self._heirs:
            name = self._heirs[name]
        lab = self._labs[name]
        return None if lab.has_ended else lab

    def settle(self) -> bool:
        """Let the labs leave that are due in this instant; return whether there is something to settle again."""
        while self._due and not self._clock.halted:
            name = self._due[0]
            lab, params = self._labs[name], self._labs[name].settings.exit
            if isinstance(params, StaysParams) or lab.has_ended:
                self._due.pop(0)
            elif not self._is_due(name, params):
                self._due.pop(0)
                self._schedule_review(name, REVIEW_DAYS)
            else:
                if not lab.workforce.publish_pooled_work():  # else it leaves when that is counted
                    self._due.pop(0)
                    self._leave(name, params)
                return True
        return False

    def _schedule_review(self, name: str, days: float) -> None:
        self._scheduled[name] = self._clock.after_in_background(days, partial(self._on_review, name))

    def _on_review(self, name: str, timer: Event) -> None:
        if timer is self._scheduled.get(name):
            self._due.append(name)
            self._clock.request_settlement()

    def _is_due(self, name: str, params: ClosesParams | MergesParams) -> bool:
        if isinstance(params, MergesParams) and self.heir(params.into) in (None, self._labs[name]):
            return False
        others = [lab for lab in self._labs.values() if lab is not self._labs[name] and lab.has_entered]
        own = self._labs[name].knowledge.software.deployed
        gap = max((lab.knowledge.software.deployed for lab in others), default=own) - own
        is_behind = params.behind_doublings == 0 or gap >= params.behind_doublings - _TOLERANCE
        return is_behind and self._clock.now >= params.day - _TOLERANCE

    def _leave(self, name: str, params: ClosesParams | MergesParams) -> None:
        lab = self._labs[name]
        if not isinstance(params, MergesParams):
            lab.end("closed", f"Closed on day {lab.now:,.6g}.")
            return
        into = self.heir(params.into)
        assert into is not None, "the lab is due"
        self._heirs[name] = into.name
        lab.end("merged", f"Merged into {into.name} on day {lab.now:,.6g}.")
        by_speed: dict[float, dict[str, int]] = {}
        for use, number, speed in lab.release_nodes():
            into.add_nodes(use, number, speed)
            by_speed.setdefault(speed, {})[str(Use.EXPERIMENT) if use == SHARED else use] = number
        for speed, nodes in by_speed.items():
            into.record_delivery(nodes, speed)
        into.receive_humans(lab)
        gap = lab.knowledge.software.discovered - into.knowledge.software.discovered
        if gap > 0:
            into.receive_software(name, gap)
