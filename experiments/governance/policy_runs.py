"""Run one seed of a scenario under one governance policy, and keep what is reported of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.governance_policy import GovernancePolicy
from experiments.design.planned_run import PlannedRun
from experiments.governance.orders_in_force import days_in, restricted_spans_of_any
from experiments.sweep.outcome_plan import Watch, outcome_record
from experiments.sweep.records import RunRecord
from sim.engines import Engine
from sim.governance.record import GovernanceRecord
from sim.lab_factory import LabFactory
from sim.race import day_of_level, run_race
from sim.runner import RunResult, run
from sim.scenario.model import Scenario

MAX_DAYS: Final = 256
"""Largest number of days that are kept of a curve."""
Curve = tuple[float, ...]
Floats = NDArray[np.float64]


class PaceLimit(NamedTuple):
    """A pace of software that is judged after a run, by discovered software without error or delay."""

    times: float = 5.0
    """Pace relative to the reference."""
    window_days: float = 182.5
    """Time over which the pace is measured."""
    reference_doubling_days: float = 182.5
    """Doubling time of the reference, at which software grew before day 0 too."""


class GovernedCase(NamedTuple):
    """A governance policy that is compared, with the scenario that it governs."""

    name: str
    scenario: Scenario
    policy: type[GovernancePolicy] | None = None
    """Class of the policy; None for that of the scenario, or for no regulator."""
    not_warnings: frozenset[str] = frozenset()
    """Rules whose alarms are not warnings, because they are raised whatever is measured."""


class GovernedOutcome(NamedTuple):
    """What one seed under one policy gave. The only lab of a run is named by an empty text."""

    policy: str
    seed: int
    ending: str
    day: float
    """Last day of the run."""
    level_days: dict[str, tuple[float, ...]]
    """Day on which each lab reached each level; ``inf`` if it never did."""
    warnings: tuple[tuple[float, str], ...]
    """Day and rule of each alarm that is a warning."""
    restricted: tuple[tuple[float, float], ...]
    """First and last day of each time in which orders restricted a lab."""
    fastest: float
    """Highest pace of a lab, relative to the reference."""
    days: Curve
    """Days of the curves."""
    software: Curve
    """Discovered software of the leading lab over these days [doublings]."""
    papers: Curve
    """Papers of all labs over these days."""

    @property
    def days_restricted(self) -> float:
        """Time in which orders restricted a lab [days]."""
        return days_in(self.restricted)

    def first_day(self, at: int) -> float:
        """Return the day on which the first lab reached a level, by its number; ``inf`` if none did."""
        return min(days[at] for days in self.level_days.values())

    def first_labs(self, at: int) -> list[str]:
        """Return the labs that reached a level first, by its number; several if they did so together."""
        first = self.first_day(at)
        return [lab for lab, days in self.level_days.items() if days[at] == first] if first < math.inf else []


def run_governed_seed(
    case: GovernedCase, seed: int, levels: Sequence[float], limit: PaceLimit, watch: Watch | None = None
) -> GovernedOutcome | None:
    """Run a seed under a policy. Returns None if it was interrupted."""
    make = None if case.policy is None else LabFactory(governance=case.policy)
    if len(case.scenario.labs) > 1:
        race = run_race(case.scenario, seed, watch, make)
        labs, ending, day, governance = race.labs, race.ending, race.day, race.governance
    else:
        result = run(case.scenario, seed, watch, None, make)
        labs, ending, day, governance = {"": result}, result.ending, result.day, result.governance
    if ending == "interrupted":
        return None
    days, software, papers = _curves(labs)
    return GovernedOutcome(
        policy=case.name,
        seed=seed,
        ending=ending,
        day=day,
        level_days={lab: tuple(day_of_level(each, level) for level in levels) for lab, each in labs.items()},
        warnings=_warnings(governance, case.not_warnings),
        restricted=restricted_spans_of_any(labs.values()),
        fastest=max(fastest_pace(each, limit) for each in labs.values()),
        days=days,
        software=software,
        papers=papers,
    )


def _warnings(governance: GovernanceRecord | None, without: frozenset[str]) -> tuple[tuple[float, str], ...]:
    alarms = () if governance is None else governance.alarms
    return tuple((alarm.day, alarm.rule) for alarm in alarms if alarm.rule not in without)


def _curves(labs: Mapping[str, RunResult]) -> tuple[Curve, Curve, Curve]:
    """Return days, the software of the leading lab and the papers of all labs, at most `MAX_DAYS` of them."""
    days = next(iter(labs.values())).series["day"]
    software = np.max([each.series["discovered"] for each in labs.values()], axis=0)
    papers = np.sum([each.series["papers"] for each in labs.values()], axis=0)
    kept = sorted({round(at) for at in np.linspace(0, len(days) - 1, min(MAX_DAYS, len(days)))})
    return _pick(days, kept), _pick(software, kept), _pick(papers, kept)


def _pick(values: Sequence[float] | Floats, kept: Sequence[int]) -> Curve:
    return tuple(float(values[at]) for at in kept)


def fastest_pace(result: RunResult, limit: PaceLimit) -> float:
    """Return the highest pace of discovered software over the window of a limit, relative to its reference.

    Before the first day of the lab, software counts as growing at the reference.
    """
    days, software = np.array(result.series["day"]), np.array(result.series["discovered"])
    there = days >= result.scenario.entry.day
    days, software = days[there], software[there]
    if not len(days):
        return 0.0
    before = software[0] - limit.window_days / limit.reference_doubling_days
    earlier = np.interp(
        days - limit.window_days,
        np.concatenate([[days[0] - limit.window_days], days]),
        np.concatenate([[before], software]),
    )
    return float(np.max(software - earlier) / limit.window_days * limit.reference_doubling_days)


@dataclass(frozen=True)
class GovernancePlan:
    """Every seed under each policy, seed after seed: a plan for the workers of a sweep."""

    base: Scenario
    cases: tuple[GovernedCase, ...]
    """The policies; the first one is the baseline, without a regulator."""
    seeds: tuple[int, ...]
    levels: tuple[float, ...]
    limit: PaceLimit
    engine: Engine = "world"

    def __len__(self) -> int:
        return len(self.seeds) * len(self.cases)

    def planned(self, run: int) -> PlannedRun:
        """Return a run by its number; its point is the number of the policy."""
        replication, point = divmod(run, len(self.cases))
        return PlannedRun(run, point, 0, replication, self.seeds[replication], {})

    def scenario(self, planned: PlannedRun) -> Scenario:
        """Return the scenario of a run."""
        return self.cases[planned.point].scenario

    def outcome(self, planned: PlannedRun, watch: Watch | None = None) -> GovernedOutcome | None:
        """Execute a run; None if it was interrupted. Raises ScenarioError if it cannot be run."""
        return run_governed_seed(self.cases[planned.point], planned.seed, self.levels, self.limit, watch)

    def record(self, planned: PlannedRun) -> RunRecord:
        """Execute a run in a worker and return its record."""
        return outcome_record(self, planned)

    def describe(self, run: int) -> str:
        """Describe a run in a message."""
        planned = self.planned(run)
        name = self.cases[planned.point].name
        return f"scenario '{self.base.name}', policy {name}, seed {planned.seed}"
