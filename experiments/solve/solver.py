"""Find the value of one parameter with which software is so many times better on a given day.

The day on which software reaches the goal is tried at values spread over a range; every change of sign of (day - goal)
between two of them is then narrowed down (Chandrupatla's method, scipy.optimize.elementwise.find_root).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.optimize.elementwise import find_root

from experiments.cli.arguments import find_parameters
from experiments.errors import InputError
from experiments.solve.goal import Goal, parse_goal
from experiments.solve.runs import EvaluatedValue, FluidEvaluator, GoalEvaluator, WorldEvaluator
from experiments.statistics.intervals import student_score
from sim.runner import Engine
from sim.scenario.model import Parameter, Scenario, ScenarioError

POINTS: Final = 33
"""Values that the fluid tries before it narrows down."""
WORLD_POINTS: Final = 9
"""The same for the World, where the fluid gives no hint."""
DECADE: Final = 10.0
"""Without a low and a high, values from a tenth of the scenario's to ten times it are tried."""
GEOMETRIC_FROM: Final = 4.0
"""Ratio of the ends of a range from which its values are spread evenly in their logarithm."""
TOLERANCE: Final = 1e-4
"""Relative width down to which the fluid narrows a value."""
WORLD_TOLERANCE: Final = 2e-3
"""The same for the World, whose interval over the seeds is wider than that."""
JUMP: Final = 0.01
"""A day that differs by this share of the goal's on both sides of a value jumps there."""
NEARBY: Final = 0.25
"""Relative distance from the fluid's value at which the World is tried first."""
SLOPE_STEP: Final = 0.03
"""Relative distance at which the World's slope is measured for the interval."""
SET_BY_GOAL: Final = ("run__horizon_days", "run__max_doublings", "run__stop_at_researchers", "run__sample_days")
CONFIDENCE: Final = 0.95


class Answer(NamedTuple):
    """One value that meets the goal, or the place where the day jumps over it."""

    value: float
    """Three significant digits, or a whole number."""
    exact: float
    """What the search narrowed down to; ``value`` is this, rounded."""
    low: float | None
    """The 95% interval over the seeds; None for the fluid, and where the day does not depend on the parameter."""
    high: float | None
    gives: EvaluatedValue
    """What a run with ``value`` gives."""
    jump: tuple[EvaluatedValue, EvaluatedValue] | None
    """What runs just below and just above give if no value between them meets the goal."""


class Solution(NamedTuple):
    """Which values of a parameter meet a goal."""

    scenario: str
    parameter: str
    unit: str
    goal: Goal
    engine: Engine
    seeds: int
    """Of each value; 0 for the fluid."""
    low: float
    high: float
    """The range that was tried."""
    answers: list[Answer]
    """In ascending order; empty if no value in the range meets the goal."""
    nearest: EvaluatedValue
    """Of all values that were tried, the one whose day is nearest to the goal's."""
    now: EvaluatedValue
    """What the scenario gives as it stands."""
    monotone: bool
    """Whether the day only rises, or only falls, with the parameter over the values that were tried."""
    tried: list[EvaluatedValue]
    """Every value that was run, in ascending order."""
    refused: int
    """Values that no run is possible with."""

    @property
    def values(self) -> list[float]:
        """The values that meet the goal."""
        return [answer.value for answer in self.answers]


def solve(
    scenario: Scenario | str,
    parameter: str,
    until: str,
    *,
    low: float | None = None,
    high: float | None = None,
    engine: Engine = "fluid",
    seeds: int = 8,
    workers: int | None = None,
) -> Solution:
    """Find the values of a parameter with which software reaches a goal on its day.

    Args:
        scenario: A scenario, or its name or file. Horizon and number of doublings follow from the goal.
        parameter: Flat name of a number (``cluster__gpus``), or an ending that only one has.
        until: The goal: ``1000x=365`` (1000 times the software of day 0 on day 365) or ``doublings=9@400``. Between
            doublings the day is interpolated as in the columns ``days_to_1000x`` of a sweep.
        low: Lowest value to try, in the parameter's unit. By default a tenth of the scenario's value.
        high: Highest value to try. By default ten times the scenario's value.
        engine: "fluid" for equations; "world" for the mean day over seeds, with the same seeds at every value.
        seeds: Seeds of each value; only the World has any.
        workers: Processes of the World, as for :func:`experiments.sweep.run_many.run_many`.

    Raises:
        InputError: The parameter, the range or the goal is not allowed, or no value of the range can be run.
        ScenarioError: The scenario cannot be loaded.
    """
    goal = parse_goal(until)
    chosen = scenario if isinstance(scenario, Scenario) else Scenario.load(scenario)
    known = _number(parameter)
    ends = _range(known, chosen, low, high)
    search = _Search(known, chosen, goal, *ends)
    if engine == "fluid":
        fluid = FluidEvaluator(chosen, known, goal.doublings, goal.day)
        return search.solution(fluid, search.answers_of_fluid(fluid), "fluid", 0)
    if seeds < 2:
        raise InputError(f"seeds = {seeds} is too few for an interval; allowed: at least 2. Leave it out for 8.")
    world = WorldEvaluator(chosen, known, goal.doublings, goal.day, seeds, workers)
    return search.solution(world, search.answers_of_world(world), "world", seeds)


def _number(name: str) -> Parameter:
    found = find_parameters(name)
    if len(found) > 1:
        names = " or ".join(each.flat_name for each in found)
        raise InputError(f"parameter = {name!r} is the name of several; allowed: {names}. Write one of them.")
    parameter = found[0]
    if parameter.annotation not in (int, float):
        raise InputError(
            f"parameter = {parameter.flat_name} is not a number; allowed: parameters that are numbers. "
            "Compare its values with a lever of `asara sweep`."
        )
    if parameter.flat_name in SET_BY_GOAL:
        raise InputError(
            f"parameter = {parameter.flat_name} is set by the goal; allowed: any other number. "
            "`asara explain` lists the parameters."
        )
    return parameter


def _range(parameter: Parameter, scenario: Scenario, low: float | None, high: float | None) -> tuple[float, float]:
    """The range to try. Raises InputError for one that is empty or out of the parameter's bounds."""
    assert parameter.low is not None and parameter.high is not None, "numbers are bounded"
    now = float(scenario.flat()[parameter.flat_name])
    small = 0 < parameter.high <= 1
    if now <= 0 and not small and None in (low, high):
        raise InputError(
            f"{parameter.flat_name} = {now:g} is no basis for a range of values; "
            f"allowed: {parameter.allowed}. Name a range with low and high."
        )
    first = parameter.low if small else now / DECADE
    last = parameter.high if small else now * DECADE
    found = [max(first, parameter.low) if low is None else low, min(last, parameter.high) if high is None else high]
    if parameter.annotation is int:
        found = [math.ceil(found[0]), math.floor(found[1])]
    if low is None and parameter.low_excluded and found[0] <= parameter.low:
        found[0] = parameter.low + (found[1] - parameter.low) / 1000
    for name, value in (("low", found[0]), ("high", found[1])):
        below = value <= parameter.low if parameter.low_excluded else value < parameter.low
        if below or not value <= parameter.high:
            raise InputError(
                f"{name} = {value:g} is out of bounds; allowed: {parameter.allowed}. Name a value within them."
            )
    if not found[0] < found[1]:
        raise InputError(
            f"low = {found[0]:g} is not below high = {found[1]:g}; allowed: {parameter.allowed}. Name a wider range."
        )
    return float(found[0]), float(found[1])


class _Bracket(NamedTuple):
    """Two values between which the day crosses the goal's."""

    left: float
    right: float


class _Search:
    """The search of one parameter over one range."""

    def __init__(self, parameter: Parameter, scenario: Scenario, goal: Goal, low: float, high: float) -> None:
        self._parameter, self._scenario, self._goal = parameter, scenario, goal
        self._low, self._high = low, high
        self._whole = parameter.annotation is int
        self._geometric = low > 0 and high / low >= GEOMETRIC_FROM

    def solution(self, runs: GoalEvaluator, answers: list[Answer], engine: Engine, seeds: int) -> Solution:
        """Return what was found, with everything that was tried on the way."""
        now = runs.try_values([float(self._scenario.flat()[self._parameter.flat_name])])[0]
        inside = self._inside(runs)
        misses = [each.miss for each in inside]
        steps = [later - earlier for earlier, later in itertools.pairwise(misses)]
        slack = WORLD_TOLERANCE
        monotone = all(step >= -slack for step in steps) or all(step <= slack for step in steps)
        return Solution(
            self._scenario.name,
            self._parameter.flat_name,
            self._parameter.unit,
            self._goal,
            engine,
            seeds,
            self._low,
            self._high,
            answers,
            min(inside, key=lambda each: abs(each.miss)),
            now,
            monotone,
            inside,
            runs.refused,
        )

    # --- the fluid ---------------------------------------------------------------------------------------

    def answers_of_fluid(self, runs: GoalEvaluator) -> list[Answer]:
        """Return every value at which the fluid's day crosses the goal's."""
        brackets = self._scanned(runs, POINTS)
        return [self._answer(runs, *pair) for pair in self._narrowed(runs, brackets, TOLERANCE)]

    def _scanned(self, runs: GoalEvaluator, points: int) -> list[_Bracket]:
        """Try values over the whole range, and the best place between two of them if none crosses the goal."""
        runs.try_values(self._grid(self._low, self._high, points))
        found = self._brackets(runs)
        if not found:
            self._polish(runs)
            found = self._brackets(runs)
        return found

    def _grid(self, low: float, high: float, points: int) -> list[float]:
        spread = np.geomspace(low, high, points) if self._geometric else np.linspace(low, high, points)
        spread[0], spread[-1] = low, high
        return list(dict.fromkeys(self._allowed(value) for value in spread.tolist()))

    def _allowed(self, value: float) -> float:
        return float(round(value)) if self._whole else float(value)

    def _inside(self, runs: GoalEvaluator) -> list[EvaluatedValue]:
        """Everything in the range that could be run, by ascending value."""
        return [each for each in runs.all_tried() if self._low <= each.value <= self._high and math.isfinite(each.miss)]

    def _brackets(self, runs: GoalEvaluator) -> list[_Bracket]:
        inside = [each for each in runs.all_tried() if self._low <= each.value <= self._high]
        return [_Bracket(one.value, other.value) for one, other in itertools.pairwise(inside) if _crosses(one, other)]

    def _polish(self, runs: GoalEvaluator) -> None:
        """Look between the neighbours of the nearest value for one that is nearer."""
        tried = self._inside(runs)
        place = min(range(len(tried)), key=lambda at: abs(tried[at].miss))
        if not 0 < place < len(tried) - 1:
            return
        sign = math.copysign(1.0, tried[place].miss)

        def distance(value: float) -> float:
            miss = runs.try_values([self._allowed(value)])[0].miss
            return sign * miss if math.isfinite(miss) else math.inf

        ends = (tried[place - 1].value, tried[place + 1].value)
        minimize_scalar(distance, bounds=ends, method="bounded", options={"maxiter": 12})

    def _narrowed(
        self, runs: GoalEvaluator, brackets: Sequence[_Bracket], tolerance: float
    ) -> list[tuple[_Bracket, float]]:
        """Return each bracket, narrowed, with the value in it at which the day is the goal's or jumps over it."""
        if not brackets:
            return []
        if self._whole:
            return [(narrow, self._nearer(runs, narrow)) for narrow in (self._halved(runs, each) for each in brackets)]
        left, right = (self._scaled(np.array(column)) for column in zip(*brackets, strict=True))
        roots: Any = find_root(
            lambda x: np.array([each.miss for each in runs.try_values(self._unscaled(x).tolist())]),
            (left, right),
            tolerances={"xrtol": tolerance, "xatol": tolerance * 1e-3, "fatol": tolerance},
            maxiter=60,
        )
        ends = [self._unscaled(end).tolist() for end in roots.bracket]
        narrow = [_Bracket(*sorted(pair)) for pair in zip(*ends, strict=True)]
        return [(each, self._nearer(runs, each)) for each in narrow]

    def _nearer(self, runs: GoalEvaluator, bracket: _Bracket) -> float:
        """The end of a bracket whose day is nearer to the goal's."""
        return min(bracket, key=lambda value: abs(runs.try_values([value])[0].miss))

    def _halved(self, runs: GoalEvaluator, bracket: _Bracket) -> _Bracket:
        """Two whole numbers in a row between which the day crosses the goal's."""
        left, right = bracket
        first = runs.try_values([left])[0]
        while right - left > 1:
            middle = float((left + right) // 2)
            found = runs.try_values([middle])[0]
            if not math.isfinite(found.miss):
                break
            left, right = (left, middle) if _crosses(first, found) else (middle, right)
        return _Bracket(left, right)

    def _scaled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log(values) if self._geometric else values

    def _unscaled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.exp(values) if self._geometric else np.asarray(values, dtype=float)

    def _answer(self, runs: GoalEvaluator, bracket: _Bracket, exact: float) -> Answer:
        value = exact if self._whole else float(f"{exact:.3g}")
        ends = runs.try_values(list(bracket))
        apart = abs(ends[0].miss - ends[1].miss) > JUMP and abs(runs.try_values([exact])[0].miss) > JUMP / 2
        gives = runs.try_values([value])[0]
        return Answer(value, exact, None, None, gives, (ends[0], ends[1]) if apart else None)

    # --- the World ---------------------------------------------------------------------------------------

    def answers_of_world(self, runs: WorldEvaluator) -> list[Answer]:
        """Return the values at which the World's mean day is the goal's; the fluid says where to look first."""
        brackets = [found for hint in self._hints() if (found := self._around(runs, hint)) is not None]
        brackets = list(dict.fromkeys(brackets)) or self._scanned(runs, WORLD_POINTS)
        answers = [self._answer(runs, *pair) for pair in self._narrowed(runs, brackets, WORLD_TOLERANCE)]
        return [self._with_interval(runs, answer) for answer in answers]

    def _hints(self) -> list[float]:
        fluid = FluidEvaluator(self._scenario, self._parameter, self._goal.doublings, self._goal.day)
        try:
            return [answer.exact for answer in self.answers_of_fluid(fluid)]
        except (InputError, ScenarioError):
            return []

    def _around(self, runs: GoalEvaluator, hint: float) -> _Bracket | None:
        """A bracket about the fluid's value, at most as wide as the range."""
        step, most = NEARBY, self._high - self._low
        while True:
            pair = [self._allowed(min(max(end, self._low), self._high)) for end in self._apart(hint, step)]
            one, other = runs.try_values(pair)
            if _crosses(one, other):
                return _Bracket(*pair)
            if pair[1] - pair[0] >= most:
                return None
            step *= 3

    def _apart(self, value: float, step: float) -> tuple[float, float]:
        if self._geometric:
            return value / (1 + step), value * (1 + step)
        width = step * max(abs(value), (self._high - self._low) / 10)
        return value - width, value + width

    def _with_interval(self, runs: WorldEvaluator, answer: Answer) -> Answer:
        """The interval of the value: that of the mean day, over the slope of the day in the parameter."""
        value = answer.exact
        misses = runs.misses(value)
        pair = [self._allowed(end) for end in self._apart(value, SLOPE_STEP)]
        if self._whole:
            pair = [min(pair[0], value - 1), max(pair[1], value + 1)]
        pair = [min(max(end, self._low), self._high) for end in pair]
        one, other = runs.try_values(pair)
        run = self._scaled(np.array(pair))
        slope = (other.miss - one.miss) / (run[1] - run[0]) if run[1] > run[0] else 0.0
        error = float(np.std(misses, ddof=1)) / math.sqrt(len(misses))
        if answer.jump is not None or not abs(slope) > 0:
            return answer
        half = abs(student_score(len(misses) - 1) * error / slope)
        centre = self._scaled(np.array([value])) - runs.try_values([value])[0].miss / slope
        ends = self._unscaled(np.array([centre[0] - half, centre[0] + half])).tolist()
        return answer._replace(low=ends[0], high=ends[1])


def _crosses(one: EvaluatedValue, other: EvaluatedValue) -> bool:
    """Whether the goal's day lies between those of two values that can be run."""
    return math.isfinite(one.miss) and math.isfinite(other.miss) and (one.miss > 0) != (other.miss > 0)
