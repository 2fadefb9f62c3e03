"""Test the AIs in use over a run, and the multiplier of its days, against closed forms of tasks in series."""

import math

import pytest

from sim.ai_path import AiPath, day_of_productivity, multiplier_sentence, multipliers_on_path
from sim.multiplier import AiLevel
from sim.runner import run
from sim.scenario.model import Scenario

SMALL = Scenario().replace(
    humans__initial=4,
    humans__growth_per_year=1.0,
    growth__calibrated_for=4,
    growth__first_doubling_days=20.0,
    automation__kinds=2,
    automation__first_threshold=1.0,
    automation__last_threshold=2.0,
    researcher__initial=40,
    researcher__experiment_gpu_days=0.0,
    training__required=False,
    kernels__measurements="none",
    run__max_doublings=4,
)


def path_to(*software: float, shares: tuple[float, ...]) -> AiPath:
    levels = tuple(AiLevel.of_software(each) for each in software)
    return AiPath(0, tuple(10.0 * n for n in range(len(levels))), levels, shares, math.inf, 0.0)


def test_path_of_a_run_has_its_deployments_and_tasks():
    result = run(SMALL, 1)
    path = result.ai_path
    assert path.days[0] == 0 and path.days[-1] == result.day
    assert list(path.days) == sorted(set(path.days))
    assert path.levels[-1] == AiLevel.of_software(result.deployed_doublings)
    assert path.shares[-1] == 1.0
    assert path.asara_day == result.road.asara_day


def test_path_of_an_automated_lab_is_complete_from_day_0():
    path = run(Scenario().replace(cluster__gpus=64, run__max_doublings=1, training__first_run_gpus=16)).ai_path
    assert path.asara_day == 0.0
    assert set(path.shares) == {1.0}


def test_multipliers_on_a_path_are_the_squeeze_and_then_the_ais_over_the_humans():
    path = path_to(0.0, 1.0, 1.5, 2.0, 3.0, shares=(0.0, 0.5, 0.5, 1.0, 1.0))
    found = multipliers_on_path(SMALL, path)
    assert [each.day for each in found] == [10.0, 30.0, 40.0]
    assert [each.multiplier.value for each in found] == pytest.approx([2.0, 40 * 4 / 4 + 1, 40 * 8 / 4 + 1], rel=1e-3)


def test_sentence_on_the_multiplier_names_the_days_and_what_limits_it():
    path = path_to(0.0, 1.0, shares=(0.0, 0.5))
    assert multiplier_sentence(SMALL, path) == (
        "AI research multiplier (AIs of the day in the lab of day 0, by the equations): 2 on day 10. What keeps it "
        "lower, in doublings: tasks of humans 3.4 (100%)."
    )
    hours = SMALL.replace(humans__hours_per_day=8.0)
    assert multiplier_sentence(hours, path).startswith("AI research multiplier: the equations do not give it (")


@pytest.mark.parametrize(("productivity", "slope", "day"), [(3.7, 0.0, 10.0), (1.0, 0.0, math.inf), (1.0, 2.0, 20.0)])
def test_best_researcher_is_dated_by_the_productivity_on_the_hardest_task(productivity, slope, day):
    """At an exponent of 2, 3.7 humans take log2(3.7)/2 = 0.94 doublings above the threshold of 2."""
    scenario = SMALL.replace(automation__ai_productivity=productivity, automation__productivity_slope=slope)
    path = path_to(0.0, 2.5, 3.0, shares=(0.0, 1.0, 1.0))
    assert day_of_productivity(scenario, path, 3.7) == day


def test_best_researcher_under_a_time_horizon_comes_between_deployments():
    clock = SMALL.replace(horizon__law="exponential", horizon__doubling_days=15.0, automation__productivity_slope=1.0)
    path = path_to(0.0, 0.0, shares=(0.0, 0.0))._replace(days=(0.0, 100.0))
    assert day_of_productivity(clock, path, 4.0) == pytest.approx(15 * (2 + 2))
    assert day_of_productivity(clock, path, 2.0**6) == math.inf
