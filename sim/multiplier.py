"""Measure the AI research multiplier: how much faster the lab of day 0 is with the AIs of a later day.

The AI Futures Model (2025) defines it as a counterfactual. The AIs of day t are frozen and put into the lab of day 0.
The multiplier is the pace of effective papers of that lab, relative to its pace with its own AIs. The ratio of the
paces of day t and day 0 is another quantity: it also contains better algorithms, hardware, staff and harder problems.

In a lab that only the growth law limits, the multiplier of software S is exactly ``S^p``, with the parallelization
penalty p. GPUs for experiments and tasks that only humans can do make it less. The same lab is therefore measured
without these limits, one after the other, and the gap is divided between them. Software that waits for a training run
is a third part of the gap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from scipy.special import stdtrit

from sim.events import PaperPublished
from sim.feasibility import check_tasks_can_be_done
from sim.fluid.lab_arrays import lab_arrays, supports
from sim.fluid.stepper import run_labs
from sim.scenario.model import Scenario, ScenarioError, parameters
from sim.start import StartParams
from sim.world import World

CONFIDENCE: Final = 0.95
"""Confidence level of the interval of a multiplier."""
PAPERS: Final = 400
"""Mean number of papers in the counted window of the lab of day 0."""
WARM_UP_PAPERS: Final = 2.0
"""Warm-up before papers are counted, in times for a paper."""
_WARM_UP_WITH_HUMANS: Final = 6.0
"""The same in a lab with humans, in which several papers of a human are under way."""
_STEPS_PER_DOUBLING: Final = 32
_FRAMES: Final = 16
"""Number of frames of a run, after each of which it can be stopped."""


Method = Literal["world", "fluid", "mixed"]


class AiLevel(NamedTuple):
    """AIs of a day."""

    doublings: float
    """Doublings of the number of AIs that the GPUs of day 0 run, since day 0. It is the deployed software, except as
    :attr:`sim.automation.Automation.hosted_doublings` describes."""
    capability: float
    """Capability of the AIs [doublings since day 0], which decides on the tasks that they can do."""

    @classmethod
    def of_software(cls, deployed: float) -> AiLevel:
        """Return the AIs with this deployed software, which is their capability too."""
        return cls(deployed, deployed)


DAY_0: Final = AiLevel(0.0, 0.0)


class MeasurementWindow(NamedTuple):
    """Times of a run of the frozen lab."""

    warm_up_days: float
    days: float


class Multiplier(NamedTuple):
    """AI research multiplier of the AIs of a day."""

    level: AiLevel
    value: float
    """Pace with these AIs, relative to the pace with the AIs of day 0."""
    low: float | None
    """Lower end of the 95% interval over seeds; None with one seed, and by the equations."""
    high: float | None
    without_experiments: float | None = None
    """The multiplier if papers needed no GPUs for experiments; None if it was not measured."""
    unlimited: float | None = None
    """The multiplier if AIs could also do all tasks: ``S^p`` in a lab without humans. None if it was not measured."""

    def bottlenecks(self, waiting: float = 0.0, parallel_penalty: float = 1.0) -> dict[str, float]:
        """Return the parts of the gap below the unlimited multiplier of discovered software [doublings].

        ``waiting``: software that is discovered and waits for a training run [doublings]. Raises ValueError if the
        parts were not measured.
        """
        if self.without_experiments is None or self.unlimited is None:
            raise ValueError("the bottlenecks were not measured; allowed: after multipliers(..., bottlenecks=True)")
        return {
            "GPUs for experiments": math.log2(self.without_experiments / self.value),
            "tasks of humans": math.log2(self.unlimited / self.without_experiments),
            "training runs": parallel_penalty * waiting,
        }


def frozen_lab(scenario: Scenario, level: AiLevel, window: MeasurementWindow) -> Scenario:
    """Return the lab of day 0 with the AIs of a later day: software, kernels, staff and policy do not change.

    A time horizon no longer moves the capability. If it differs from the software, the thresholds are shifted instead.
    """
    shift = level.doublings - level.capability
    changes: dict[str, Any] = {
        "growth__law": "frozen",
        "growth__ai_doublings": level.doublings,
        "humans__growth_per_year": 1.0,
        "horizon__law": "none",
        "automation__first_threshold": _threshold(scenario.automation.first_threshold + shift),
        "automation__last_threshold": _threshold(scenario.automation.last_threshold + shift),
        "kernels__measurements": "none",
        "policy__name": "fixed",
        "run__horizon_days": window.warm_up_days + window.days,
        "run__sample_days": (window.warm_up_days + window.days) / _FRAMES,
        "run__stop_at_researchers": 0.0,
    }
    return _with_number_of_ais(scenario.replace(**changes), scenario.hosted_at_start)


def _threshold(value: float) -> float:
    """Return a threshold within its bounds, beyond which no capability lies."""
    return min(1000.0, max(-1000.0, value))


def _with_number_of_ais(scenario: Scenario, number: float) -> Scenario:
    """Return the scenario with this number of AIs on day 0, which a shift of the thresholds would change."""
    if not isinstance(scenario.start, StartParams) or scenario.hosted_at_start == number:
        return scenario
    scale = scenario.hosted_at_start / number
    return scenario.replace(start__copies_per_researcher=scenario.start.copies_per_researcher * scale)


def _is_complete(lab: Scenario) -> bool:
    """Return whether the AIs of a frozen lab can do all tasks."""
    return lab.automation.is_complete(lab.capability_at_start)


def _without_experiments(scenario: Scenario) -> Scenario:
    return scenario.replace(researcher__experiment_gpu_days=0.0)


def _without_tasks_of_humans(scenario: Scenario) -> Scenario:
    low = parameters()["automation__first_threshold"].low
    changes = {"automation__first_threshold": low, "automation__last_threshold": low, "automation__never_share": 0.0}
    return _with_number_of_ais(_without_experiments(scenario).replace(**changes), scenario.hosted_at_start)


def measurement_window(scenario: Scenario, papers: float = PAPERS) -> MeasurementWindow:
    """Return a window in which the lab of day 0 writes this many papers without waiting, after a warm-up."""
    paper_days = [1 / scenario.ai_researcher.papers_per_day]
    rate = scenario.hosted_at_start * scenario.ai_researcher.papers_per_day if scenario.is_automated else 0.0
    warm_up = WARM_UP_PAPERS * paper_days[0]
    if scenario.humans.initial:
        paper_days.append(1 / scenario.humans.papers_per_day)
        rate += scenario.humans.initial * scenario.humans.papers_per_day
        warm_up = max(warm_up, _WARM_UP_WITH_HUMANS * paper_days[1])
    return MeasurementWindow(warm_up, max(*paper_days, papers / rate) if len(paper_days) > 1 else papers / rate)


def multipliers(
    scenario: Scenario,
    levels: Sequence[AiLevel],
    seeds: Sequence[int] = (0, 1, 2, 3),
    *,
    engine: Method = "world",
    bottlenecks: bool = False,
    papers: float = PAPERS,
    on_run: Callable[[int, int], None] | None = None,
    should_stop: Callable[[World], bool] | None = None,
) -> list[Multiplier]:
    """Measure the multiplier of AIs of these levels.

    Arguments
    ---------
    scenario
        Scenario whose lab of day 0 is frozen.
    levels
        AIs to measure.
    seeds
        Random seeds of the World; labs that are compared have common random numbers.
    engine
        `world`, or `fluid` for the equations, without seeds and without an interval. `mixed`: for AIs that can do all
        tasks the equations, without the few humans, and for others the World. A World is slow if many AIs wait.
    bottlenecks
        Whether the lab is also measured without experiments and without tasks of humans.
    papers
        Mean number of papers in the counted window of the lab of day 0.
    on_run
        Function that is called before each run, with its number from 0 and the number of runs.
    should_stop
        Function that is called with the world after each frame. If it returns True, the list is empty.

    Raises ScenarioError if a lab cannot be run or publishes no paper, and ValueError without seeds.
    """
    if engine != "fluid" and not seeds:
        raise ValueError("there are no seeds; allowed: one or more. Pass a list of seeds")
    check_tasks_can_be_done(scenario)
    window = measurement_window(scenario, papers)
    cases: dict[str, Callable[[Scenario], Scenario]] = {"": lambda lab: lab}
    if bottlenecks:
        cases |= {"experiments": _without_experiments, "humans": _without_tasks_of_humans}
    labs = [make(frozen_lab(scenario, each, window)) for make in cases.values() for each in (DAY_0, *levels)]
    unique = list(dict.fromkeys(labs))
    by_equations = [lab for lab in unique if engine == "fluid" or (engine == "mixed" and _is_complete(lab))]
    simulated = [lab for lab in unique if lab not in set(by_equations)]
    paces = dict(_paces_in_world(simulated, window, seeds, on_run, should_stop))
    if len(paces) < len(simulated):
        return []
    if by_equations:
        alone = [lab.replace(humans__initial=0) if engine == "mixed" else lab for lab in by_equations]
        found_paces = _paces_by_equations(alone, window)
        paces |= dict(zip(by_equations, (found_paces[lab] * max(1, len(seeds)) for lab in alone), strict=True))
    size = 1 + len(levels)
    rows = {case: [paces[lab] for lab in labs[i * size : (i + 1) * size]] for i, case in enumerate(cases)}
    found = []
    for number, level in enumerate(levels, start=1):
        value, low, high = _ratio(rows[""][number], rows[""][0])
        free, unlimited = (
            _ratio(rows[case][number], rows["experiments"][0])[0] if case in rows else None
            for case in ("experiments", "humans")
        )
        found.append(Multiplier(level, value, low, high, free, unlimited))
    return found


Paces = Mapping[Scenario, tuple[float, ...]]
"""Effective papers per day of each lab, one number per seed."""


def _ratio(paces: tuple[float, ...], base: tuple[float, ...]) -> tuple[float, float | None, float | None]:
    """Return the ratio of two mean paces, with Student's interval of its logarithm over seeds."""
    value = math.fsum(paces) / math.fsum(base)
    if len(paces) < 2 or len({*paces, *base}) <= 2:
        return value, None, None
    logs = np.log(np.array(paces) / np.array(base))
    half = float(stdtrit(len(logs) - 1, 0.5 + CONFIDENCE / 2) * logs.std(ddof=1) / math.sqrt(len(logs)))
    return value, value * math.exp(-half), value * math.exp(half)


def _paces_in_world(
    labs: Sequence[Scenario],
    window: MeasurementWindow,
    seeds: Sequence[int],
    on_run: Callable[[int, int], None] | None,
    should_stop: Callable[[World], bool] | None,
) -> Paces:
    found: dict[Scenario, tuple[float, ...]] = {}
    for number, lab in enumerate(labs):
        paces: list[float] = []
        for seed in seeds:
            if on_run is not None:
                on_run(number * len(seeds) + len(paces), len(labs) * len(seeds))
            with World(lab, seed) as world:
                while world.running:
                    world.step()
                    if should_stop is not None and should_stop(world):
                        return {}
                papers = math.fsum(
                    event.effective_papers
                    for event in world.ledger
                    if isinstance(event, PaperPublished) and event.day > window.warm_up_days
                )
            paces.append(papers / window.days)
        if min(paces) == 0:
            raise ScenarioError(_NO_PAPERS)
        found[lab] = tuple(paces)
    return found


_NO_PAPERS: Final = (
    "the lab of day 0 publishes no paper in the window; allowed: a lab with humans, or with AIs that do all research. "
    "Raise humans__initial"
)


def _paces_by_equations(labs: Sequence[Scenario], window: MeasurementWindow) -> Paces:
    """Return the paces by the equations: effort of a frozen lab counts its effective papers, ``2^effort - 1``."""
    for lab in labs:
        if reason := supports(lab):
            raise ScenarioError(reason)
    short = [lab.replace(run__horizon_days=window.warm_up_days) for lab in labs]
    state, _ = run_labs(lab_arrays([*short, *labs]), _STEPS_PER_DOUBLING)
    papers = np.exp2(state.effort).reshape(2, len(labs))
    paces = (papers[1] - papers[0]) / window.days
    if float(paces.min()) <= 0:
        raise ScenarioError(_NO_PAPERS)
    return {lab: (float(pace),) for lab, pace in zip(labs, paces, strict=True)}
