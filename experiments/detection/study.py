"""Judge detectors over seeds of scenarios, against two truths that are kept apart.

The truth `pace`: a doubling of software takes ``1/times`` of the doubling time of the reference, or less. The truth
`singular`: doubling times shrink without limit in the long run. No files, no prints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from experiments.detection.detectors import NamedDetector
from experiments.detection.hindsight import HindsightRow, hindsight_row
from experiments.detection.runs import DetectionPlan, ReadRun, Truths
from experiments.detection.scores import DetectorScore, Followed, follow, score_pace, score_singular
from experiments.errors import InputError
from experiments.monte_carlo.runner import median
from experiments.progress import OnProgress, count_progress, ignore_progress
from experiments.statistics.intervals import Share, share_of
from experiments.sweep.workers.outcomes import execute_plan
from sim.governance.detectors import WindowRule
from sim.growth import FrozenLaw
from sim.runner import require_one_lab
from sim.scenario.model import Scenario
from sim.world import World

_TOLERANCE = 1e-9


class ScenarioRow(NamedTuple):
    """What a detector does in one scenario, from day 0 on."""

    scenario: str
    digest: str
    long_run: str
    """Kind of the long run of the scenario."""
    detector: str
    alarm: Share
    """Share of the runs in which an alarm is known before the end."""
    alarm_day: float
    """Median day on which the first one is known; ``inf`` if half of the runs or more have none."""
    software: float
    """Median of measured software at that alarm [doublings]; ``nan`` without one."""
    level_day: float
    """Median day on which discovered software reaches the level; ``inf`` if half of the runs or more do not."""
    lead: float
    """Median of the time from the alarm to the level [days]; ``-inf`` without an alarm, ``inf`` without the level.
    ``nan`` if half of the runs or more have neither."""
    fast_on_day_0: Share
    """Share of the runs whose first doubling is already fast by the truth `pace`."""


class DetectionStudy(NamedTuple):
    """Detectors judged on runs of scenarios."""

    scenarios: tuple[Scenario, ...]
    seeds: tuple[int, ...]
    """Seeds that are complete in all scenarios."""
    truths: Truths
    detectors: tuple[NamedDetector, ...]
    base_rate: float
    """Number of times per year that the pace becomes fast, for the precision."""
    singular_probability: float
    """Probability of a run to be singular, for the precision."""
    rows: tuple[ScenarioRow, ...]
    """Detectors in each scenario."""
    scores: tuple[DetectorScore, ...]
    """Detectors against the truth `pace`, then against `singular`."""
    followed: dict[str, tuple[Followed, ...]]
    """Detectors by name, over all runs."""
    hindsight: tuple[HindsightRow, ...]
    """From when on each scenario is fast, by all readings of a run."""

    @property
    def runs(self) -> tuple[ReadRun, ...]:
        """All runs, scenario by scenario."""
        return tuple(each.run for each in self.followed[self.detectors[0].name])

    def score(self, detector: str, truth: str) -> DetectorScore:
        """Return the score of a detector against a truth."""
        return next(each for each in self.scores if (each.detector, each.truth) == (detector, truth))


def check_scenarios(scenarios: Sequence[Scenario], truths: Truths, detectors: Sequence[NamedDetector]) -> None:
    """Check that the scenarios can be read and can reach the level.

    Raises InputError with the reason and the next step, or ScenarioError for several labs.
    """
    for scenario in scenarios:
        require_one_lab(scenario)
        every, frame = scenario.regulator.reading_days, float(scenario.run.sample_days)
        if every < frame * (1 - _TOLERANCE):
            raise InputError(
                f"regulator__reading_days = {every:g} of '{scenario.name}' is shorter than the time between two "
                f"frames; allowed: run__sample_days = {frame:g} or more. Raise it, or lower run__sample_days."
            )
        _check_windows(scenario, truths, detectors)
    highest = max(_highest_level(each) for each in scenarios)
    if truths.level > highest + _TOLERANCE:
        raise InputError(
            f"--level = {truths.level:g} doublings is above what these scenarios can reach; allowed: up to "
            f"{highest:g}. Write --level {highest:g}, or raise run__max_doublings."
        )


def _check_windows(scenario: Scenario, truths: Truths, detectors: Sequence[NamedDetector]) -> None:
    longest = truths.days_before + float(scenario.run.horizon_days)
    for detector in detectors:
        rule = detector.build()
        if isinstance(rule, WindowRule) and rule.window_days > longest:
            raise InputError(
                f"the window of '{detector.name}' is {rule.window_days:,.0f} days, longer than the readings of "
                f"'{scenario.name}'; allowed: up to {longest:,.0f} days. Shorten it with --window-days, or raise "
                "run__horizon_days or --years-before."
            )


def _highest_level(scenario: Scenario) -> float:
    if isinstance(scenario.growth, FrozenLaw):
        return 0.0
    return min(float(scenario.run.max_doublings), float(scenario.growth.limit))


def study(
    scenarios: Sequence[Scenario],
    seeds: Sequence[int],
    detectors: Sequence[NamedDetector],
    truths: Truths,
    base_rate: float,
    singular_probability: float,
    workers: int = 1,
    on_progress: OnProgress = ignore_progress,
    should_stop: Callable[[World | None], bool] | None = None,
) -> DetectionStudy | None:
    """Run each scenario with each seed and without orders, and judge the detectors on their readings.

    Arguments
    ---------
    scenarios
        Scenarios of one lab.
    seeds
        Random seeds.
    detectors
        Detectors to judge.
    truths
        What makes an alarm true, and the level that an alarm should precede.
    base_rate, singular_probability
        Base rates for the precision against the two truths.
    workers
        Number of processes. With 1, all runs happen in this process.
    on_progress
        Callback for the number of finished runs.
    should_stop
        Function that returns whether to stop: called with the world of a run in this process, else with None.

    Returns None if it is stopped before each scenario has one complete seed; later, seeds that are complete in all
    scenarios count. Raises ScenarioError if a scenario cannot be run, and InputError for other input.
    """
    check_scenarios(scenarios, truths, detectors)
    plan = DetectionPlan(tuple(scenarios), tuple(seeds), truths)
    found: dict[tuple[str, int], ReadRun] = {}
    on_progress(count_progress(0, len(plan), "runs"))
    with execute_plan(plan, workers, should_stop) as outcomes:
        for run in outcomes:
            found[run.scenario, run.seed] = run
            on_progress(count_progress(len(found), len(plan), "runs"))
    complete = [seed for seed in seeds if all((each.name, seed) in found for each in scenarios)]
    if not complete:
        return None
    runs = [found[each.name, seed] for each in scenarios for seed in complete]
    followed = {each.name: tuple(follow(each, run) for run in runs) for each in detectors}
    fast, noise = truths.times / truths.reference_doubling_days, detectors[0].settings.noise_doublings
    return DetectionStudy(
        scenarios=tuple(scenarios),
        seeds=tuple(complete),
        truths=truths,
        detectors=tuple(detectors),
        base_rate=base_rate,
        singular_probability=singular_probability,
        rows=tuple(_row(scenario, name, each) for scenario in scenarios for name, each in followed.items()),
        scores=(
            *(score_pace(name, each, base_rate) for name, each in followed.items()),
            *(score_singular(name, each, singular_probability) for name, each in followed.items()),
        ),
        followed=followed,
        hindsight=tuple(
            hindsight_row(each.name, [run for run in runs if run.scenario == each.name], fast, noise)
            for each in scenarios
        ),
    )


def _row(scenario: Scenario, detector: str, followed: Sequence[Followed]) -> ScenarioRow:
    there = [each for each in followed if each.run.scenario == scenario.name]
    days, levels, leads, software = [], [], [], []
    for each in there:
        run = each.run
        alarm = next((one for one in each.standing if one.day >= 0 and one.known_on <= run.end), None)
        days.append(alarm.known_on if alarm else math.inf)
        levels.append(run.level_day)
        leads.append(run.level_day - days[-1] if min(run.level_day, days[-1]) < math.inf else math.nan)
        if alarm:
            software.append(alarm.doublings)
    return ScenarioRow(
        scenario=scenario.name,
        digest=scenario.digest(),
        long_run=there[0].run.long_run,
        detector=detector,
        alarm=share_of([day < math.inf for day in days]),
        alarm_day=median(days),
        software=median(software),
        level_day=median(levels),
        lead=median([each for each in leads if not math.isnan(each)]),
        fast_on_day_0=share_of([each.run.fast_from <= 0 for each in there]),
    )
