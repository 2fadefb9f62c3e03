"""Compare governance policies over seeds: days gained, warnings, cost in progress, and pace, each with an interval.

All policies run with the same seeds, and each is compared with the run without a regulator of the same seed (common
random numbers). Pure: no files, no prints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from agents.governance_policy import GovernancePolicy
from experiments.errors import InputError
from experiments.governance.orders_in_force import rules_without_warnings
from experiments.governance.paired_runs import change_at_base_end, days_gained
from experiments.governance.policy_runs import Floats, GovernancePlan, GovernedCase, GovernedOutcome, PaceLimit
from experiments.monte_carlo.runner import median
from experiments.progress import OnProgress, count_progress, ignore_progress
from experiments.statistics.intervals import MeanInterval, Share, mean_interval, share_from_counts, share_of
from experiments.sweep.outcome_plan import OutcomePlan
from experiments.sweep.workers.outcomes import execute_plan
from sim.governance.params import NO_POLICY
from sim.governance.policy_files import PolicyError, PolicyFile, read_policy, shipped_policies
from sim.growth import FrozenLaw
from sim.scenario.model import Scenario
from sim.world import World

DECADES: Final = (1, 2, 3)
"""Default levels, as powers of ten."""
MAX_LEVELS: Final = 6
"""Largest number of levels."""
CURVE_POINTS: Final = 161
"""Number of days of a curve."""
PERCENTILES: Final = (0.1, 0.5, 0.9)
_TOLERANCE: Final = 1e-9
"""Rounding of a level [doublings]."""
PythonPolicies = Mapping[str, type[GovernancePolicy]]


class LevelEffect(NamedTuple):
    """What a policy changed at one level."""

    level: float
    """Level of discovered software of the first lab [doublings]."""
    reached: int
    """Number of seeds in which it is reached."""
    day: float
    """Median over seeds of the day on which it is reached; ``inf`` if most seeds do not reach it."""
    gained: MeanInterval | None
    """Mean delay of the level, relative to the run without a regulator of the same seed [days].

    A seed that does not reach the level counts with the last day of its run. None if no run without a regulator reaches
    the level."""
    pairs: int
    """Number of seeds in that mean: those in which the run without a regulator reaches the level."""
    not_reached: int
    """Number of these pairs in which the run with the policy does not reach it; if above 0, the mean is a lower
    bound."""
    warned: Share | None
    """Share of seeds with a warning before the level, of those that reach it.

    None without such seeds, or if the policy has no rule that warns."""
    lead_days: float
    """Median time from the first warning to the level, over the seeds that were warned [days]; ``nan`` if none was."""


class PolicySummary(NamedTuple):
    """A policy over seeds."""

    name: str
    description: str
    source: str
    has_warnings: bool
    """Whether a rule of the policy can warn."""
    levels: tuple[LevelEffect, ...]
    software: MeanInterval
    """Mean difference of software on the last day of the run without a regulator [doublings]; negative: a cost."""
    papers: MeanInterval
    """Mean difference of papers on that day."""
    below_pace: Share
    """Share of seeds in which software never grows at the pace limit."""
    days_restricted: MeanInterval
    """Mean time in which orders restrict a lab [days]."""
    first: dict[str, Share]
    """Share of seeds in which each lab alone is first to reach the highest level; empty for one lab."""
    undecided: int
    """Number of seeds in which no lab reaches the highest level."""


class GovernanceStudy(NamedTuple):
    """Governance policies over seeds."""

    scenario: str
    digest: str
    labs: tuple[str, ...]
    """Names of the labs; empty for one lab."""
    levels: tuple[float, ...]
    limit: PaceLimit
    horizon_days: float
    readings: str
    """How the regulator measures, as a sentence."""
    seeds: tuple[int, ...]
    """Seeds that are complete under all policies."""
    policies: tuple[PolicySummary, ...]
    """The policies; the first one is the run without a regulator."""
    outcomes: dict[str, tuple[GovernedOutcome, ...]]
    """Outcome of each seed, by policy."""


def default_levels(scenario: Scenario) -> tuple[float, ...]:
    """Return 10, 100 and 1,000 times the software of day 0 in doublings; the highest level replaces those above it."""
    lowest, highest = _lowest_level(scenario), highest_level(scenario)
    wanted = [power * math.log2(10) for power in DECADES]
    levels = [level for level in wanted if lowest + _TOLERANCE < level <= highest + _TOLERANCE]
    return tuple(levels) if len(levels) == len(DECADES) or not highest > lowest else (*levels, highest)


def highest_level(scenario: Scenario) -> float:
    """Return the highest level that all labs can reach before they end [doublings]."""
    labs = _lab_scenarios(scenario)
    return min(min(float(lab.run.max_doublings), lab.growth.limit) for lab in labs)


def _lowest_level(scenario: Scenario) -> float:
    return max(lab.entry.software_doublings for lab in _lab_scenarios(scenario))


def _lab_scenarios(scenario: Scenario) -> list[Scenario]:
    return [scenario.lab_scenario(name) for name in scenario.labs] if len(scenario.labs) > 1 else [scenario]


def check_levels(scenario: Scenario, levels: Sequence[float]) -> tuple[float, ...]:
    """Return the levels in order, by default :func:`default_levels`. Raises InputError if one is not allowed."""
    if all(isinstance(lab.growth, FrozenLaw) for lab in _lab_scenarios(scenario)):
        raise InputError(
            "growth__law = 'frozen' lets no lab reach a level; allowed: a law by which software grows. Choose "
            "growth__law = 'returns'."
        )
    lowest, highest = _lowest_level(scenario), highest_level(scenario)
    for level in levels:
        if not lowest < level <= highest + _TOLERANCE:
            raise InputError(
                f"--level = {level:g} doublings is out of bounds; allowed: above the {lowest:g} of day 0, up to "
                f"{highest:g}. Write --level {highest:g}, or raise run__max_doublings."
            )
    chosen = tuple(sorted(set(levels))) or default_levels(scenario)
    if not chosen or len(chosen) > MAX_LEVELS:
        raise InputError(f"--level is given {len(chosen)} times; allowed: 1 to {MAX_LEVELS} levels. Leave some out.")
    return chosen


def governed_cases(
    scenario: Scenario, policies: Sequence[str], python_policies: PythonPolicies | None = None
) -> tuple[tuple[GovernedCase, ...], dict[str, PolicyFile]]:
    """Return the cases to run, that without a regulator first, and the files of the policies by name.

    Raises InputError if a policy cannot be read or two have one name, and ScenarioError if one cannot be used.
    """
    base = scenario.replace(regulator__policy=NO_POLICY)
    cases, files = [GovernedCase(NO_POLICY, base)], dict[str, PolicyFile]()
    for each in policies:
        if each == NO_POLICY:
            continue
        try:
            found = read_policy(each)
        except PolicyError as error:
            raise InputError(f"--policy {each}: {error}") from None
        _check_new(found.name, [case.name for case in cases])
        governed = scenario.replace(regulator__policy=each)
        cases.append(GovernedCase(found.name, governed, None, rules_without_warnings(found)))
        files[found.name] = found
    for name, policy in (python_policies or {}).items():
        _check_new(name, [case.name for case in cases])
        cases.append(GovernedCase(name, base, policy))
    return tuple(cases), files


def _check_new(name: str, names: Sequence[str]) -> None:
    if name in names:
        raise InputError(f"--policy {name} is given twice; allowed: each name once. Rename a file, or leave one out.")


def study(
    scenario: Scenario,
    seeds: Sequence[int],
    policies: Sequence[str] = (),
    levels: Sequence[float] = (),
    limit: PaceLimit | None = None,
    workers: int = 1,
    on_progress: OnProgress = ignore_progress,
    should_stop: Callable[[World | None], bool] | None = None,
    python_policies: PythonPolicies | None = None,
) -> GovernanceStudy | None:
    """Run a scenario with each seed under each policy, and summarize the runs.

    Arguments
    ---------
    scenario
        Scenario with one lab or several. Its own `regulator__policy` is replaced.
    seeds
        Random seeds, the same for all policies.
    policies
        Names of shipped policies and paths of files; all shipped ones if none is given here or in Python. The run
        without a regulator is always included.
    levels
        Levels of discovered software [doublings], by default those of :func:`default_levels`.
    limit
        Pace below which runs are counted.
    workers
        Number of processes. With 1, all runs happen in this process.
    on_progress
        Callback for the number of finished runs.
    should_stop
        Function that returns whether to stop: called with the world of a run in this process, else with None.
    python_policies
        Classes of further policies, by name. With several workers each must be defined in a module.

    Returns None if it is stopped before one seed is complete; later, the completed seeds count. Raises ScenarioError
    if the scenario cannot be run with a policy, and InputError if an argument is not allowed.
    """
    if not seeds:
        raise InputError("seeds = [] is empty; allowed: at least one seed. Name one, such as range(20).")
    chosen = policies or ([] if python_policies else shipped_policies())
    cases, files = governed_cases(scenario, chosen, python_policies)
    levels = check_levels(scenario, levels)
    plan = GovernancePlan(cases[0].scenario, cases, tuple(seeds), levels, limit or PaceLimit())
    found: list[GovernedOutcome] = []
    on_progress(count_progress(0, len(plan), "runs"))
    runs: OutcomePlan[GovernedOutcome] = plan
    with execute_plan(runs, workers, should_stop) as outcomes:
        for each in outcomes:
            found.append(each)
            on_progress(count_progress(len(found), len(plan), "runs"))
    return summarize(plan, found, files)


# --- Summary of the completed seeds ----------------------------------------------------------------------------------


def summarize(
    plan: GovernancePlan, found: Sequence[GovernedOutcome], files: Mapping[str, PolicyFile]
) -> GovernanceStudy | None:
    """Return the summary of the seeds that are complete under all policies; None without any."""
    by_run = {(each.policy, each.seed): each for each in found}
    names = [case.name for case in plan.cases]
    seeds = tuple(seed for seed in plan.seeds if all((name, seed) in by_run for name in names))
    if not seeds:
        return None
    outcomes = {name: tuple(by_run[name, seed] for seed in seeds) for name in names}
    base = outcomes[names[0]]
    labs = plan.base.labs if len(plan.base.labs) > 1 else ()
    return GovernanceStudy(
        scenario=plan.base.name,
        digest=plan.base.digest(),
        labs=tuple(labs),
        levels=plan.levels,
        limit=plan.limit,
        horizon_days=plan.base.run.horizon_days,
        readings=_describe_readings(plan.base),
        seeds=seeds,
        policies=tuple(_summary(plan, case, outcomes[case.name], base, files.get(case.name)) for case in plan.cases),
        outcomes=outcomes,
    )


def _summary(
    plan: GovernancePlan,
    case: GovernedCase,
    outcomes: Sequence[GovernedOutcome],
    base: Sequence[GovernedOutcome],
    file: PolicyFile | None,
) -> PolicySummary:
    has_warnings = case.policy is not None
    if file is not None:
        has_warnings = any(rule.name not in case.not_warnings for rule in file.rules)
    firsts = [each.first_labs(-1) for each in outcomes]
    labs = plan.base.labs if len(plan.base.labs) > 1 else ()
    return PolicySummary(
        name=case.name,
        description=_describe(case, file),
        source="" if file is None else file.source,
        has_warnings=has_warnings,
        levels=tuple(_level_effect(at, level, outcomes, base, has_warnings) for at, level in enumerate(plan.levels)),
        software=mean_or_value([_at_end(one, two, "software") for one, two in zip(outcomes, base, strict=True)]),
        papers=mean_or_value([_at_end(one, two, "papers") for one, two in zip(outcomes, base, strict=True)]),
        below_pace=share_of([each.fastest < plan.limit.times * (1 - _TOLERANCE) for each in outcomes]),
        days_restricted=mean_or_value([each.days_restricted for each in outcomes]),
        first={lab: share_of([each == [lab] for each in firsts]) for lab in labs},
        undecided=sum(not each for each in firsts),
    )


def _describe(case: GovernedCase, file: PolicyFile | None) -> str:
    if file is not None:
        return file.description
    if case.policy is None:
        return "No regulator: nothing is measured or ordered."
    return (case.policy.__doc__ or "A policy in Python.").strip().splitlines()[0]


def _level_effect(
    at: int,
    level: float,
    outcomes: Sequence[GovernedOutcome],
    base: Sequence[GovernedOutcome],
    has_warnings: bool,
) -> LevelEffect:
    pairs = [(one, two) for one, two in zip(outcomes, base, strict=True) if two.first_day(at) < math.inf]
    gained = [days_gained(one.first_day(at), one.day, two.first_day(at)) for one, two in pairs]
    reached = [each for each in outcomes if each.first_day(at) < math.inf]
    leads = [each.first_day(at) - each.warnings[0][0] for each in reached if each.warnings]
    leads = [lead for lead in leads if lead > 0]
    return LevelEffect(
        level=level,
        reached=len(reached),
        day=median([each.first_day(at) for each in outcomes]),
        gained=mean_or_value(gained) if gained else None,
        pairs=len(pairs),
        not_reached=sum(one.first_day(at) == math.inf for one, _ in pairs),
        warned=share_from_counts(len(leads), len(reached)) if reached and has_warnings else None,
        lead_days=float(np.median(leads)) if leads else math.nan,
    )


def _at_end(outcome: GovernedOutcome, base: GovernedOutcome, curve: str) -> float:
    """Return the difference of a curve to the run without a regulator, on the last day of that run."""
    one, two = getattr(outcome, curve), getattr(base, curve)
    return change_at_base_end(outcome.days, one, base.days[-1], two[-1])


def mean_or_value(values: Sequence[float]) -> MeanInterval:
    """Return the mean of values with Student's 95% interval; its ends are ``nan`` for one value."""
    return mean_interval(values) if len(values) > 1 else MeanInterval(float(values[0]), math.nan, math.nan)


def _describe_readings(scenario: Scenario) -> str:
    regulator = scenario.regulator
    error = f" with an error of {regulator.noise_doublings:g} doublings" if regulator.noise_doublings else ""
    lag = f", {regulator.lag_days:g} days late" if regulator.lag_days else ""
    by = "reported by the labs" if regulator.reported_by == "labs" else "measured by a third party"
    what = f"a reading of {regulator.measured} software every {regulator.reading_days:g} days"
    return f"The regulator has {what}{error}{lag}, {by}."


# --- Curves over days ------------------------------------------------------------------------------------------------


class PolicyCurves(NamedTuple):
    """Software of the leading lab over days under each policy."""

    days: list[float]
    software: dict[str, list[list[float]]]
    """10%, 50% and 90% points over seeds [doublings], by policy."""


def policy_curves(found: GovernanceStudy) -> PolicyCurves:
    """Return the curves up to the end of the last run. A run that is over keeps its last value."""
    last = max(each.day for outcomes in found.outcomes.values() for each in outcomes)
    days: Floats = np.linspace(0, last, CURVE_POINTS)
    software = {}
    for name, outcomes in found.outcomes.items():
        each = [np.interp(days, one.days, one.software) for one in outcomes]
        software[name] = np.quantile(each, PERCENTILES, axis=0, method="inverted_cdf").tolist()
    return PolicyCurves(days.tolist(), software)
