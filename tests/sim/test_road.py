"""Test the road of a run to full automation, and the shipped scenarios of it."""

import math

import pytest

from sim.road import Road, road_of
from sim.runner import RunResult, run
from sim.scenario.model import Scenario
from sim.world import World

SMALL = Scenario().replace(
    humans__initial=3,
    growth__calibrated_for=3,
    growth__first_doubling_days=20.0,
    automation__kinds=4,
    automation__first_threshold=0.0,
    automation__last_threshold=3.0,
    training__required=False,
    researcher__experiment_gpu_days=0.0,
    kernels__measurements="none",
    run__max_doublings=5,
)


@pytest.fixture(scope="module")
def result() -> RunResult:
    return run(SMALL, 1)


def test_road_states_the_day_of_each_task_and_of_asara(result):
    road = result.road
    assert road.task_days[0] == 0.0
    assert sorted(road.task_days) == list(road.task_days)
    assert road.asara_day == road.task_days[-1] < result.day == road.day
    assert (road.share_automated, road.assistants) == (1.0, 0)
    assert road.researchers == result.researchers > 256
    assert f"ASARA: AIs do all research from day {road.asara_day:,.0f} on." in road.sentences


def test_road_of_an_unfinished_run_states_that_asara_is_not_reached():
    road = run(SMALL.replace(run__max_doublings=2)).road
    assert road.task_days[-1] == math.inf
    assert road.asara_day is None
    assert road.share_automated == 0.75
    assert road.sentences[1] == f"AIs did not come to do all research by day {road.day:,.0f}."


def test_lab_that_is_automated_on_day_0_has_no_road():
    with World(Scenario()) as world:
        assert road_of(world) is None


def test_road_states_the_infinite_day_of_a_superexponential_horizon():
    changes = {"horizon__law": "superexponential", "horizon__doubling_days": 40.0}
    road = run(SMALL.replace(**changes)).road
    assert road.sentences[-1].startswith("The time horizon is infinite on day 500 by construction")
    assert road.horizon_minutes > 26


def test_road_of_one_task_states_one_day():
    road = Road((12.0, math.inf), None, 20.0, 3, 4, 0, None, "")
    assert road.sentences[0] == "AIs can do 50% of the tasks of a paper (1 of 2 kinds); automated on day 12."


@pytest.mark.parametrize("name", ["road-to-asara", "ai-2027", "humans-only"])
def test_shipped_scenario_of_the_road_states_its_sources(name):
    scenario = Scenario.load(name)
    assert "AI Futures Model, December 2025" in scenario.source
    assert scenario.humans.initial == 15
    assert not scenario.is_automated


@pytest.mark.slow
def test_road_to_asara_goes_beyond_asara_and_is_faster_then():
    result = run(Scenario.load("road-to-asara"))
    after = [each for each in result.doublings if each.day > result.road.asara_day]
    before = [each for each in result.doublings if each.day < result.road.asara_day]
    assert len(after) >= 3
    assert min(each.duration_days for each in before) > 2 * max(each.duration_days for each in after)
    assert 100 < before[0].duration_days < 250  # the report: doublings of six months before ASARA
    assert 15 < after[0].duration_days < 45  # and of one month at ASARA


@pytest.mark.slow
def test_ai_2027_reaches_the_automated_coder_on_the_day_of_the_published_horizon():
    result = run(Scenario.load("ai-2027").replace(run__horizon_days=1660.0))
    assert result.road.asara_day / 365 == pytest.approx(4.5326, rel=0.001)


@pytest.mark.slow
def test_p9_9_humans_alone_never_reach_asara_and_grow_by_their_number():
    result = run(Scenario.load("humans-only"))
    assert result.road.share_automated == 0.0
    assert result.researchers == 0
    # Cumulative effort by t years is H0 papers of 12 a year (g^t - 1)/ln g, with the scenario's E0 and r.
    law, years = result.scenario.law(), result.day / 365
    papers = 15 * 12 * (1.8**years - 1) / math.log(1.8)
    expected = 1.4 * math.log2(1 + papers / 2**law.log2_initial_effort)
    assert result.software_doublings == pytest.approx(expected, abs=0.3)
