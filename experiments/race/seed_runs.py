"""Run one seed of a race, or of one lab with everything, and keep what is reported of it."""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from experiments.design.planned_run import PlannedRun
from experiments.sweep.records import RunRecord
from sim.engines import Engine
from sim.events import LabEnded
from sim.race import RaceResult, day_of_level, gpus_over_time, run_race, safety_share_on, software_on
from sim.runner import RunResult, run
from sim.scenario.model import Scenario

if TYPE_CHECKING:
    from sim.world import World

MAX_FRAMES: Final = 256
"""Largest number of days that are kept of a run."""
OUTCOME: Final = "outcome"
"""Column of a record that contains the outcome of a seed."""
MAJORITY: Final = 0.5
"""Share of the software of all labs above which a lab has taken all."""
TIE_DAYS: Final = 1e-9
"""Time within which two labs reach a level together [days]."""
Watch = Callable[["World"], bool]
Curve = tuple[float, ...]


class RaceOutcome(NamedTuple):
    """What one seed of a race gave. All labs are in the order of the scenario."""

    seed: int
    ending: str
    """Reason to stop: that of the run, or "decided" once all labs had reached the highest level."""
    day: float
    """Last day of the run."""
    level_days: dict[str, tuple[float, ...]]
    """Day on which each lab reached each level; ``inf`` if it never did."""
    decided: float
    """Day on which the first lab reached the highest level; the last day of the run if none did."""
    software: dict[str, float]
    """Discovered software of each lab on that day [doublings]."""
    gpus: dict[str, float]
    """GPUs of each lab on that day."""
    repeated: float
    """Share of the research of all labs up to that day that was done more than once."""
    safety: dict[str, float]
    """Share of the papers of each lab up to that day that were on safety."""
    ended: dict[str, float]
    """Day on which each lab ended its research; ``inf`` if it did not."""
    days: Curve
    """Days of the curves."""
    software_curve: dict[str, Curve]
    """Discovered software of each lab over these days [doublings]."""
    gpu_curve: dict[str, Curve]
    """GPUs of each lab over these days."""


class OneLabOutcome(NamedTuple):
    """What one seed of one lab with everything gave."""

    seed: int
    level_days: tuple[float, ...]
    """Day on which the lab reached each level; ``inf`` if it never did."""
    days: Curve
    software_curve: Curve


class _Goal:
    """Stop a run once all its labs have reached a level, or if another function stops it."""

    def __init__(self, level: float, watch: Watch | None) -> None:
        self._level, self._watch = level, watch
        self.reached = False
        """Whether all labs have reached the level."""

    def __call__(self, world: World) -> bool:
        """Return whether to stop."""
        if self._watch is not None and self._watch(world):
            return True
        self.reached = all(lab.knowledge.software.discovered >= self._level for lab in world.labs.values())
        return self.reached


def run_race_seed(
    scenario: Scenario, seed: int, levels: Sequence[float], watch: Watch | None = None
) -> RaceOutcome | None:
    """Run a race with a seed until all labs have reached the highest level. Returns None if it was interrupted."""
    goal = _Goal(levels[-1], watch)
    result = run_race(scenario, seed, goal)
    if result.ending == "interrupted" and not goal.reached:
        return None
    return race_outcome(result, levels, "decided" if goal.reached else result.ending)


def race_outcome(result: RaceResult, levels: Sequence[float], ending: str = "") -> RaceOutcome:
    """Return the outcome of a race. ``ending``: reason to stop, by default that of the run."""
    level_days = {lab: tuple(result.day_of(lab, level) for level in levels) for lab in result.labs}
    first = min(days[-1] for days in level_days.values())
    decided = first if first < math.inf else result.day
    kept = _frames_to_keep(next(iter(result.labs.values())))
    days = next(iter(result.labs.values())).series["day"]
    gpus = {lab: gpus_over_time(each).tolist() for lab, each in result.labs.items()}
    there = max(0, bisect_right(days, decided) - 1)
    return RaceOutcome(
        seed=result.seed,
        ending=ending or result.ending,
        day=result.day,
        level_days=level_days,
        decided=decided,
        software={lab: software_on(each, decided) for lab, each in result.labs.items()},
        gpus={lab: each[there] for lab, each in gpus.items()},
        repeated=result.repeated_share_on(decided),
        safety={lab: safety_share_on(each, decided) for lab, each in result.labs.items()},
        ended={lab: _day_of_end(each) for lab, each in result.labs.items()},
        days=_pick(days, kept),
        software_curve={lab: _pick(each.series["discovered"], kept) for lab, each in result.labs.items()},
        gpu_curve={lab: _pick(each, kept) for lab, each in gpus.items()},
    )


def first_labs(outcome: RaceOutcome, at: int) -> list[str]:
    """Return the labs that reach a level first, by the number of the level; several if they reach it together."""
    days = {lab: each[at] for lab, each in outcome.level_days.items()}
    first = min(days.values())
    return [lab for lab, day in days.items() if day <= first + TIE_DAYS] if first < math.inf else []


def lead_days(outcome: RaceOutcome, at: int) -> float:
    """Return the time from the first lab to the second at a level [days].

    ``inf`` if only one lab reaches it, and ``nan`` if none does.
    """
    first, second = sorted(each[at] for each in outcome.level_days.values())[:2]
    return math.nan if first == math.inf else second - first


def is_cut_short(outcome: RaceOutcome) -> bool:
    """Return whether the first lab ended before the second reached the highest level."""
    first, second = sorted(outcome.level_days, key=lambda lab: outcome.level_days[lab][-1])[:2]
    return outcome.ended[first] < outcome.level_days[second][-1] - TIE_DAYS


def software_shares(outcome: RaceOutcome) -> dict[str, float]:
    """Return the share of each lab in the software of all labs, ``2^doublings``, when the race is decided."""
    return sum_to_one({lab: 2.0**level for lab, level in outcome.software.items()})


def majority_lab(shares: Mapping[str, float]) -> str | None:
    """Return the lab that has more than `MAJORITY` of the software of all; None if there is none."""
    return next((lab for lab, share in shares.items() if share > MAJORITY), None)


def sum_to_one(values: Mapping[str, float]) -> dict[str, float]:
    """Return the share of each lab in the sum over all labs; 0 if the sum is 0."""
    total = sum(values.values())
    return {name: each / total if total > 0 else 0.0 for name, each in values.items()}


def run_one_lab_seed(
    scenario: Scenario, seed: int, levels: Sequence[float], watch: Watch | None = None
) -> OneLabOutcome | None:
    """Run one lab with a seed until it has reached the highest level. Returns None if it was interrupted."""
    goal = _Goal(levels[-1], watch)
    result = run(scenario, seed, goal)
    if result.ending == "interrupted" and not goal.reached:
        return None
    kept = _frames_to_keep(result)
    return OneLabOutcome(
        seed,
        tuple(day_of_level(result, level) for level in levels),
        _pick(result.series["day"], kept),
        _pick(result.series["discovered"], kept),
    )


def _day_of_end(result: RunResult) -> float:
    return next((event.day for event in result.events if isinstance(event, LabEnded)), math.inf)


def _frames_to_keep(result: RunResult) -> list[int]:
    """Return the numbers of at most `MAX_FRAMES` frames at equal distances, the first and the last among them."""
    last = len(result.series["day"]) - 1
    return sorted({round(each) for each in np.linspace(0, last, min(MAX_FRAMES, last + 1))})


def _pick(values: Sequence[float], kept: Sequence[int]) -> Curve:
    return tuple(float(values[at]) for at in kept)


@dataclass(frozen=True)
class RacePlan:
    """Every seed of a race, each followed by the same seed of one lab: a plan for the workers of a sweep."""

    base: Scenario
    one_lab: Scenario | None
    """Scenario of one lab with everything; None if there is none."""
    seeds: tuple[int, ...]
    levels: tuple[float, ...]
    engine: Engine = "world"

    def __len__(self) -> int:
        return len(self.seeds) * self._each

    @property
    def _each(self) -> int:
        return 1 if self.one_lab is None else 2

    def planned(self, run: int) -> PlannedRun:
        """Return a run by its number; point 0 is the race, and point 1 is the one lab."""
        replication, point = divmod(run, self._each)
        return PlannedRun(run, point, 0, replication, self.seeds[replication], {})

    def scenario(self, planned: PlannedRun) -> Scenario:
        """Return the scenario of a run."""
        return self.base if planned.point == 0 or self.one_lab is None else self.one_lab

    def outcome(self, planned: PlannedRun, watch: Watch | None = None) -> RaceOutcome | OneLabOutcome | None:
        """Execute a run; None if it was interrupted. Raises ScenarioError if it cannot be run."""
        scenario = self.scenario(planned)
        if planned.point == 1:
            return run_one_lab_seed(scenario, planned.seed, self.levels, watch)
        return run_race_seed(scenario, planned.seed, self.levels, watch)

    def record(self, planned: PlannedRun) -> RunRecord:
        """Execute a run in a worker and return its record."""
        started = time.perf_counter()
        row = {"run": planned.run, "status": "ok", "message": "", OUTCOME: self.outcome(planned)}
        return RunRecord(row, {}, time.perf_counter() - started)

    def describe(self, run: int) -> str:
        """Describe a run in a message."""
        planned = self.planned(run)
        what = "one lab with all GPUs" if planned.point else f"race '{self.base.name}'"
        return f"{what}, seed {planned.seed}"
