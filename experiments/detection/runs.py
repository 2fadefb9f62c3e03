"""Run scenarios over seeds without orders, and read their software as a regulator would."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from experiments.design.planned_run import PlannedRun
from experiments.sweep.outcome_plan import Watch, outcome_record
from experiments.sweep.records import RunRecord
from sim.engines import Engine
from sim.governance.measurement import Meter
from sim.governance.params import NO_POLICY
from sim.oversight import READING_STREAM, measured_software
from sim.race import day_of_level
from sim.random_streams import RandomStreams
from sim.run_statistics import Doubling
from sim.runner import run
from sim.scenario.model import Scenario

if TYPE_CHECKING:
    from sim.world import World

EARLIER_STREAM = "earlier reading"
"""Decision by which the errors of the readings of before day 0 are drawn."""
_ROUNDING = 1e-9
"""Rounding error of a day of a reading, and of a doubling time relative to its limit."""


class TimedReading(NamedTuple):
    """What a regulator read."""

    day: float
    """Day to which it refers."""
    known_on: float
    """Day on which the regulator has it."""
    doublings: float
    """Measured software [doublings since day 0]."""


class ReadRun(NamedTuple):
    """One run with its readings, and what is true of it."""

    scenario: str
    seed: int
    readings: tuple[TimedReading, ...]
    """Readings from before day 0 to the end of the run."""
    fast_from: float
    """Start of the first doubling that is ``times`` as fast as the reference; ``inf`` if none is."""
    is_singular: bool
    """Whether doubling times shrink without limit in the long run of the scenario."""
    long_run: str
    """Kind of the long run."""
    level_day: float
    """Day on which discovered software reaches the level; ``inf`` if it does not."""
    end: float
    """Last day of the run."""


class Truths(NamedTuple):
    """What decides whether an alarm is true."""

    times: float
    """Pace that counts as fast, relative to the reference."""
    reference_doubling_days: float
    level: float
    """Level of discovered software [doublings]."""
    days_before: float
    """Time before day 0 in which software grew at the reference pace and was read [days]."""


class _Observer:
    """Record the software that a regulator measures at each frame, or stop a run if another function does."""

    def __init__(self, measured: str, watch: Watch | None) -> None:
        self._measured, self._watch = measured, watch
        self.days: list[float] = []
        self.levels: list[float] = []

    def __call__(self, world: World) -> bool:
        """Record the software, and return whether to stop."""
        self.days.append(float(world.now))
        self.levels.append(measured_software(world.lab, self._measured))
        return self._watch is not None and self._watch(world)


def read_run(scenario: Scenario, seed: int, truths: Truths, watch: Watch | None = None) -> ReadRun | None:
    """Run a scenario with a seed and without a regulator, and read it. Returns None if it was interrupted.

    Readings come from the frames of the run. The errors of readings from day 0 on are those that a regulator of the
    same run would have.
    """
    observer = _Observer(scenario.regulator.measured, watch)
    result = run(scenario.replace(regulator__policy=NO_POLICY), seed, observer)
    if result.ending == "interrupted":
        return None
    readings = (*_earlier_readings(scenario, seed, truths), *_readings(scenario, seed, observer, result.day))
    return ReadRun(
        scenario=scenario.name,
        seed=seed,
        readings=readings,
        fast_from=fast_from(result.doublings, truths.reference_doubling_days / truths.times),
        is_singular=result.long_run.explosive,
        long_run=result.long_run.kind,
        level_day=day_of_level(result, truths.level),
        end=result.day,
    )


def fast_from(doublings: Sequence[Doubling], longest_days: float) -> float:
    """Return when the first doubling starts that takes ``longest_days`` or less; ``inf`` if none does."""
    fast = (each.day - each.duration_days for each in doublings if each.duration_days <= longest_days * (1 + _ROUNDING))
    return next(fast, math.inf)


def _earlier_readings(scenario: Scenario, seed: int, truths: Truths) -> list[TimedReading]:
    """Return the readings up to day 0, before which software grew at the reference pace."""
    meter = Meter(scenario.regulator, scenario.disclosure)
    every = scenario.regulator.reading_days
    errors = RandomStreams(seed).get(EARLIER_STREAM)
    found = []
    for number in range(math.floor(truths.days_before / every + _ROUNDING), -1, -1):
        day = -number * every
        level = meter.read(day / truths.reference_doubling_days, float(errors.normal()))
        found.append(TimedReading(day, day + meter.days_to_arrival, level))
    return found


def _readings(scenario: Scenario, seed: int, observer: _Observer, end: float) -> list[TimedReading]:
    meter = Meter(scenario.regulator, scenario.disclosure)
    every = scenario.regulator.reading_days
    errors = RandomStreams(seed).get(READING_STREAM, "")
    found = []
    for number in range(1, math.floor(end / every + _ROUNDING) + 1):
        day = number * every
        level = observer.levels[bisect_right(observer.days, day + _ROUNDING) - 1]
        found.append(TimedReading(day, day + meter.days_to_arrival, meter.read(level, float(errors.normal()))))
    return found


@dataclass(frozen=True)
class DetectionPlan:
    """Every scenario with every seed: a plan for the workers of a sweep."""

    scenarios: tuple[Scenario, ...]
    seeds: tuple[int, ...]
    truths: Truths
    engine: Engine = "world"

    @property
    def base(self) -> Scenario:
        """First scenario."""
        return self.scenarios[0]

    def __len__(self) -> int:
        return len(self.scenarios) * len(self.seeds)

    def planned(self, run: int) -> PlannedRun:
        """Return a run by its number; the point is the number of the scenario."""
        replication, point = divmod(run, len(self.scenarios))
        return PlannedRun(run, point, 0, replication, self.seeds[replication], {})

    def scenario(self, planned: PlannedRun) -> Scenario:
        """Return the scenario of a run."""
        return self.scenarios[planned.point]

    def outcome(self, planned: PlannedRun, watch: Watch | None = None) -> ReadRun | None:
        """Execute a run; None if it was interrupted. Raises ScenarioError if it cannot be run."""
        return read_run(self.scenario(planned), planned.seed, self.truths, watch)

    def record(self, planned: PlannedRun) -> RunRecord:
        """Execute a run in a worker and return its record."""
        return outcome_record(self, planned)

    def describe(self, run: int) -> str:
        """Describe a run in a message."""
        planned = self.planned(run)
        return f"scenario '{self.scenario(planned).name}', seed {planned.seed}"
