"""Find the value of one parameter with which software reaches a level on a given day.

The day on which software reaches the goal is computed at values spread over a range. Every change of sign of
(day - goal) between two values is then narrowed down (Chandrupatla's method, scipy.optimize.elementwise.find_root).
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
from sim.engines import Engine
from sim.scenario.model import LATER_BLOCKS, Parameter, Scenario, ScenarioError

POINTS: Final = 33
"""Number of values of the first grid of the fluid engine."""
WORLD_POINTS: Final = 9
"""Number of values of the first grid of the World, used if the fluid gives no starting point."""
DECADE: Final = 10.0
"""Factor of the default range: from a tenth of the value of the scenario to ten times that value."""
GEOMETRIC_FROM: Final = 4.0
"""Smallest ratio of the ends of a range whose values are spread evenly in their logarithm."""
TOLERANCE: Final = 1e-4
"""Relative width to which the fluid engine narrows a value."""
WORLD_TOLERANCE: Final = 2e-3
"""Relative width to which the World narrows a value; its interval over the seeds is wider."""
JUMP: Final = 0.01
"""Share of the day of the goal by which the day must differ on both sides of a value to count as a jump."""
NEARBY: Final = 0.25
"""Relative distance from the solution of the fluid at which the World is run first."""
SLOPE_STEP: Final = 0.03
"""Relative distance over which the slope of the World is measured for the interval."""
SET_BY_GOAL: Final = ("run__horizon_days", "run__max_doublings", "run__stop_at_researchers", "run__sample_days")
"""Parameters that follow from the goal."""


class Answer(NamedTuple):
    """One value that meets the goal, or the place where the day jumps over it."""

    value: float
    """Value rounded to three significant digits, or a whole number."""
    exact: float
    """Value before rounding."""
    low: float | None
    """Lower end of the 95% interval over the seeds; None for the fluid, or if the day does not depend on the value."""
    high: float | None
    """Upper end of that interval."""
    gives: EvaluatedValue
    """Result of a run with ``value``."""
    jump: tuple[EvaluatedValue, EvaluatedValue] | None
    """Results just below and just above the value if no value between them meets the goal."""


class Solution(NamedTuple):
    """The values of a parameter that meet a goal, and the values that were tried."""

    scenario: str
    parameter: str
    unit: str
    goal: Goal
    engine: Engine
    seeds: int
    """Number of seeds of each value; 0 for the fluid."""
    low: float
    """Lowest value of the range that was tried."""
    high: float
    """Highest value of that range."""
    answers: list[Answer]
    """Values that meet the goal, in ascending order; empty if there is none in the range."""
    nearest: EvaluatedValue
    """The tried value whose day is nearest to the day of the goal."""
    now: EvaluatedValue
    """Result of the unchanged scenario."""
    monotone: bool
    """Whether the day is a monotone function of the parameter over the tried values."""
    tried: list[EvaluatedValue]
    """Every value that was run, in ascending order."""
    refused: int
    """Number of values that cannot be run."""

    @property
    def values(self) -> list[float]:
        """Values that meet the goal."""
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
    """Find the values of a parameter with which software reaches a goal on a given day.

    Args:
        scenario: A scenario, its name or its file. The goal sets the horizon and the number of doublings.
        parameter: Flat name of a number (``cluster__gpus``), or an ending of only one name.
        until: The goal: ``1000x=365`` (1000 times the software of day 0 on day 365) or ``doublings=9@400``. Between
            doublings the day is interpolated as in the columns ``days_to_1000x`` of a sweep.
        low: Lowest value to try, in the unit of the parameter. By default a tenth of the value of the scenario.
        high: Highest value to try. By default ten times the value of the scenario.
        engine: "fluid" solves equations; "world" takes the mean day over seeds, with the same seeds at every value.
        seeds: Number of seeds of each value, for the World.
        workers: Number of processes of the World, as for :func:`experiments.sweep.run_many.run_many`.

    Raises:
        InputError: The parameter, the range or the goal is not allowed, or no value of the range can be run.
        ScenarioError: The scenario cannot be loaded.
    """
    goal = parse_goal(until)
    chosen = scenario if isinstance(scenario, Scenario) else Scenario.load(scenario)
    known = _find_number(parameter)
    ends = _search_range(known, chosen, low, high)
    search = _Search(known, chosen, goal, *ends)
    if engine == "fluid":
        fluid = FluidEvaluator(chosen, known, goal.doublings, goal.day)
        return search.solution(fluid, search.fluid_answers(fluid), "fluid", 0)
    if seeds < 2:
        raise InputError(f"seeds = {seeds} is too few for an interval; allowed: at least 2. Leave it out for 8.")
    world = WorldEvaluator(chosen, known, goal.doublings, goal.day, seeds, workers)
    return search.solution(world, search.world_answers(world), "world", seeds)


def _find_number(name: str) -> Parameter:
    """Return the number with this name. A short name means a parameter of the first release before a later one."""
    found = find_parameters(name)
    found = [each for each in found if each.block not in LATER_BLOCKS] or found
    if len(found) > 1:
        names = " or ".join(each.flat_name for each in found)
        raise InputError(f"parameter = {name!r} names several parameters; allowed: {names}. Write one of them.")
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


def _search_range(
    parameter: Parameter, scenario: Scenario, low: float | None, high: float | None
) -> tuple[float, float]:
    """Return the range to try. Raises InputError for a range that is empty or outside the bounds of the parameter."""
    assert parameter.low is not None and parameter.high is not None, "numbers are bounded"
    now = float(scenario.flat()[parameter.flat_name])
    small = 0 < parameter.high <= 1
    if now <= 0 and not small and None in (low, high):
        raise InputError(
            f"{parameter.flat_name} = {now:g} gives no default range of values; "
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
    """Two values between which the day crosses the day of the goal."""

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
        """Return the solution with all values that were tried."""
        now = runs.try_values([float(self._scenario.flat()[self._parameter.flat_name])])[0]
        inside = self._runnable_values(runs)
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

    # --- fluid ---------------------------------------------------------------------------------------

    def fluid_answers(self, runs: GoalEvaluator) -> list[Answer]:
        """Return every value at which the day of the fluid crosses the day of the goal."""
        brackets = self._scan(runs, POINTS)
        return [self._answer(runs, *pair) for pair in self._narrow(runs, brackets, TOLERANCE)]

    def _scan(self, runs: GoalEvaluator, points: int) -> list[_Bracket]:
        """Try values over the whole range, and search near the best value if no two values bracket the goal."""
        runs.try_values(self._grid(self._low, self._high, points))
        found = self._brackets(runs)
        if not found:
            self._polish(runs)
            found = self._brackets(runs)
        return found

    def _grid(self, low: float, high: float, points: int) -> list[float]:
        spread = np.geomspace(low, high, points) if self._geometric else np.linspace(low, high, points)
        spread[0], spread[-1] = low, high
        return list(dict.fromkeys(self._round_if_whole(value) for value in spread.tolist()))

    def _round_if_whole(self, value: float) -> float:
        return float(round(value)) if self._whole else float(value)

    def _runnable_values(self, runs: GoalEvaluator) -> list[EvaluatedValue]:
        """Return the results in the range that could be run, by ascending value."""
        return [each for each in runs.all_tried() if self._low <= each.value <= self._high and math.isfinite(each.miss)]

    def _brackets(self, runs: GoalEvaluator) -> list[_Bracket]:
        inside = [each for each in runs.all_tried() if self._low <= each.value <= self._high]
        return [_Bracket(one.value, other.value) for one, other in itertools.pairwise(inside) if _crosses(one, other)]

    def _polish(self, runs: GoalEvaluator) -> None:
        """Search between the neighbours of the nearest value for a nearer one."""
        tried = self._runnable_values(runs)
        place = min(range(len(tried)), key=lambda at: abs(tried[at].miss))
        if not 0 < place < len(tried) - 1:
            return
        sign = math.copysign(1.0, tried[place].miss)

        def distance(value: float) -> float:
            miss = runs.try_values([self._round_if_whole(value)])[0].miss
            return sign * miss if math.isfinite(miss) else math.inf

        ends = (tried[place - 1].value, tried[place + 1].value)
        minimize_scalar(distance, bounds=ends, method="bounded", options={"maxiter": 12})

    def _narrow(
        self, runs: GoalEvaluator, brackets: Sequence[_Bracket], tolerance: float
    ) -> list[tuple[_Bracket, float]]:
        """Return each bracket, narrowed, with the value in it at which the day equals the goal or jumps over it."""
        if not brackets:
            return []
        if self._whole:
            return [
                (narrow, self._nearer_end(runs, narrow))
                for narrow in (self._bisect_whole(runs, each) for each in brackets)
            ]
        left, right = (self._scaled(np.array(column)) for column in zip(*brackets, strict=True))
        roots: Any = find_root(
            lambda x: np.array([each.miss for each in runs.try_values(self._unscaled(x).tolist())]),
            (left, right),
            tolerances={"xrtol": tolerance, "xatol": tolerance * 1e-3, "fatol": tolerance},
            maxiter=60,
        )
        ends = [self._unscaled(end).tolist() for end in roots.bracket]
        narrow = [_Bracket(*sorted(pair)) for pair in zip(*ends, strict=True)]
        return [(each, self._nearer_end(runs, each)) for each in narrow]

    def _nearer_end(self, runs: GoalEvaluator, bracket: _Bracket) -> float:
        """Return the end of a bracket whose day is nearer to the day of the goal."""
        return min(bracket, key=lambda value: abs(runs.try_values([value])[0].miss))

    def _bisect_whole(self, runs: GoalEvaluator, bracket: _Bracket) -> _Bracket:
        """Return two consecutive whole numbers between which the day crosses the day of the goal."""
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
        is_jump = abs(ends[0].miss - ends[1].miss) > JUMP and abs(runs.try_values([exact])[0].miss) > JUMP / 2
        gives = runs.try_values([value])[0]
        return Answer(value, exact, None, None, gives, (ends[0], ends[1]) if is_jump else None)

    # --- the World ---------------------------------------------------------------------------------------

    def world_answers(self, runs: WorldEvaluator) -> list[Answer]:
        """Return the values at which the mean day of the World equals the goal; start at the solutions of the fluid."""
        brackets = [found for hint in self._fluid_solutions() if (found := self._bracket_near(runs, hint)) is not None]
        brackets = list(dict.fromkeys(brackets)) or self._scan(runs, WORLD_POINTS)
        answers = [self._answer(runs, *pair) for pair in self._narrow(runs, brackets, WORLD_TOLERANCE)]
        return [self._with_interval(runs, answer) for answer in answers]

    def _fluid_solutions(self) -> list[float]:
        fluid = FluidEvaluator(self._scenario, self._parameter, self._goal.doublings, self._goal.day)
        try:
            return [answer.exact for answer in self.fluid_answers(fluid)]
        except (InputError, ScenarioError):
            return []

    def _bracket_near(self, runs: GoalEvaluator, hint: float) -> _Bracket | None:
        """Return a bracket around the solution of the fluid, at most as wide as the range; None if there is none."""
        step, most = NEARBY, self._high - self._low
        while True:
            pair = [self._round_if_whole(min(max(end, self._low), self._high)) for end in self._neighbours(hint, step)]
            one, other = runs.try_values(pair)
            if _crosses(one, other):
                return _Bracket(*pair)
            if pair[1] - pair[0] >= most:
                return None
            step *= 3

    def _neighbours(self, value: float, step: float) -> tuple[float, float]:
        if self._geometric:
            return value / (1 + step), value * (1 + step)
        width = step * max(abs(value), (self._high - self._low) / 10)
        return value - width, value + width

    def _with_interval(self, runs: WorldEvaluator, answer: Answer) -> Answer:
        """Add the interval of the value: that of the mean day divided by the slope of the day in the parameter."""
        value = answer.exact
        misses = runs.misses(value)
        pair = [self._round_if_whole(end) for end in self._neighbours(value, SLOPE_STEP)]
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
    """Return whether the day of the goal lies between the days of two values that can be run."""
    return math.isfinite(one.miss) and math.isfinite(other.miss) and (one.miss > 0) != (other.miss > 0)
