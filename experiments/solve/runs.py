"""Run a scenario at many values of one parameter, and measure how far each misses a goal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError
from experiments.gains import day_of_gain
from experiments.statistics.intervals import mean_interval
from experiments.sweep.run_many import RunFailedError, run_many
from sim.fluid.api import fluid
from sim.scenario.model import Parameter, Scenario, ScenarioError, parameters

HORIZON_FACTOR: Final = 4.0
"""Horizon of a run over the day of the goal [1]."""


class EvaluatedValue(NamedTuple):
    """Result of a scenario at one value of the parameter."""

    value: float
    day: float | None
    """Day on which software reaches the goal (World: mean over the seeds); None unless every run reaches it."""
    low: float | None
    """Lower end of the 95% interval of the mean day; None for the fluid."""
    high: float | None
    """Upper end of that interval."""
    doublings: float
    """Doublings of discovered software at the end of the run (World: mean over the seeds) [1]."""
    miss: float
    """Delay of the day over the day of the goal [1]; negative if early, nan if the value cannot be run.

    A run that does not reach the goal has a larger delay than any run that does: one more for each missing doubling.
    """


class GoalEvaluator(Protocol):
    """Runs a scenario at values of the parameter, each value once."""

    @property
    def refused(self) -> int:
        """Number of values that cannot be run."""

    def try_values(self, values: Sequence[float]) -> list[EvaluatedValue]:
        """Return the result of each value. Raises InputError if no value so far can be run."""

    def all_tried(self) -> list[EvaluatedValue]:
        """Return all results so far, by ascending value."""


class _CachedEvaluator:
    """Common part of the evaluators: it builds the scenarios and caches results."""

    def __init__(self, scenario: Scenario, parameter: Parameter, doublings: float, day: float) -> None:
        last = parameters()["run__horizon_days"].high or math.inf
        horizon = min(HORIZON_FACTOR * day, last)
        self._base = scenario.replace(
            run__max_doublings=max(1, math.ceil(doublings)),
            run__horizon_days=horizon,
            run__stop_at_researchers=0.0,
            run__sample_days=horizon,
        )
        self._parameter, self._doublings, self._day, self._horizon_factor = parameter, doublings, day, horizon / day
        self._found: dict[float, EvaluatedValue] = {}
        self._refusal = ""

    @property
    def refused(self) -> int:
        """Number of values that cannot be run."""
        return sum(1 for each in self._found.values() if math.isnan(each.miss))

    def all_tried(self) -> list[EvaluatedValue]:
        """Return all results so far, by ascending value."""
        return [self._found[value] for value in sorted(self._found)]

    def try_values(self, values: Sequence[float]) -> list[EvaluatedValue]:
        """Return the result of each value. Raises InputError if no value so far can be run."""
        new = [value for value in dict.fromkeys(values) if value not in self._found]
        scenarios = {value: made for value in new if (made := self._scenario(value)) is not None}
        if scenarios:
            self._run(scenarios)
        if self.refused == len(self._found):
            raise InputError(self._refusal)
        return [self._found[value] for value in values]

    def _refuse(self, value: float, reason: str) -> None:
        self._refusal = reason
        self._found[value] = EvaluatedValue(value, None, None, None, math.nan, math.nan)

    def _scenario(self, value: float) -> Scenario | None:
        stated = int(value) if self._parameter.annotation is int else value
        try:
            return self._base.replace(**{self._parameter.flat_name: stated})
        except ScenarioError as error:
            self._refuse(value, str(error))
            return None

    def _run(self, scenarios: dict[float, Scenario]) -> None:
        raise NotImplementedError

    def _miss(self, marks: Sequence[float], software: float) -> float:
        day = day_of_gain(2.0**self._doublings, marks)
        return self._horizon_factor - 1 + max(0.0, self._doublings - software) if day is None else day / self._day - 1


class FluidEvaluator(_CachedEvaluator):
    """Evaluator that solves the equations, for all values of a call at once."""

    def _run(self, scenarios: dict[float, Scenario]) -> None:
        try:
            table = fluid(list(scenarios.values()))
        except ScenarioError as error:
            if len(scenarios) == 1:
                self._refuse(next(iter(scenarios)), str(error))
                return
            for value, scenario in scenarios.items():
                self._run({value: scenario})
            return
        for at, value in enumerate(scenarios):
            marks = table.doubling_day[at, : table.doublings[at]].tolist()
            software = float(table.software_doublings[at])
            day = day_of_gain(2.0**self._doublings, marks)
            self._found[value] = EvaluatedValue(value, day, None, None, software, self._miss(marks, software))


class WorldEvaluator(_CachedEvaluator):
    """Evaluator that simulates the World, with common random numbers: the same seeds at every value."""

    def __init__(
        self, scenario: Scenario, parameter: Parameter, doublings: float, day: float, seeds: int, workers: int | None
    ) -> None:
        super().__init__(scenario, parameter, doublings, day)
        self._seeds, self._workers = seeds, workers
        self._misses: dict[float, NDArray[np.float64]] = {}

    def misses(self, value: float) -> NDArray[np.float64]:
        """Return the delay of each seed at a value, as in `EvaluatedValue.miss`."""
        self.try_values([value])
        return self._misses[value]

    def _run(self, scenarios: dict[float, Scenario]) -> None:
        table = run_many(list(scenarios.values()), self._seeds, workers=self._workers, on_error="keep")
        for point, value in enumerate(scenarios):
            runs = table[table["point"] == point]
            status = runs["status"].tolist()
            if "invalid" in status:
                self._refuse(value, str(runs["message"].tolist()[status.index("invalid")]))
                continue
            wrong = [place for place, each in enumerate(status) if each != "ok"]
            if wrong:
                row = runs.iloc[wrong[0]]
                raise RunFailedError(f"{self._parameter.flat_name} = {value:g}, seed {row['seed']}: {row['message']}")
            marks = [list(each) for each in runs["doubling_days"]]
            software = [float(each) for each in runs["software_doublings"]]
            misses = np.array([self._miss(*each) for each in zip(marks, software, strict=True)])
            days = [day_of_gain(2.0**self._doublings, each) for each in marks]
            self._misses[value] = misses
            mean = float(np.mean(software))
            self._found[value] = EvaluatedValue(value, *mean_day(days), mean, float(np.mean(misses)))


def mean_day(days: Sequence[float | None]) -> tuple[float | None, float | None, float | None]:
    """Return the mean of days and its 95% interval, or None for each if a day is missing."""
    known = [day for day in days if day is not None]
    if len(known) < len(days):
        return None, None, None
    return mean_interval(known)
