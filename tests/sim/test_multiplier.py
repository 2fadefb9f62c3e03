"""Test the AI research multiplier against S^p and closed forms of tasks in series."""

import math

import pytest

from sim.multiplier import AiLevel, Multiplier, frozen_lab, measurement_window, multipliers
from sim.scenario.model import Scenario, ScenarioError

LAW = Scenario().replace(
    researcher__timing="pooled", researcher__writing_share=0.0, researcher__experiment_gpu_days=0.0
)
HUMANS = Scenario().replace(
    humans__initial=40,
    humans__growth_per_year=1.8,
    growth__calibrated_for=40,
    automation__kinds=4,
    automation__first_threshold=1.0,
    automation__last_threshold=4.0,
    researcher__experiment_gpu_days=0.0,
    researcher__initial=4000,
)


def levels(*software: float) -> list[AiLevel]:
    return [AiLevel.of_software(each) for each in software]


@pytest.mark.parametrize("penalty", [0.3, 0.5, 1.0])
def test_p17_multiplier_by_the_equations_is_s_to_the_p_to_rounding(penalty):
    found = multipliers(LAW.replace(growth__parallel_penalty=penalty), levels(1.0, 3.0, 7.5), engine="fluid")
    assert [each.value for each in found] == pytest.approx([2 ** (penalty * n) for n in (1.0, 3.0, 7.5)], rel=1e-12)
    assert found[0].low is None


def test_p17_multiplier_in_the_world_is_s_to_the_p_without_a_cluster():
    found = multipliers(LAW.replace(growth__parallel_penalty=0.5), levels(2.0, 6.0), (0,))
    assert [each.value for each in found] == pytest.approx([2.0, 8.0], rel=1e-9)


def test_p17_multiplier_with_a_cluster_is_less_and_the_gpus_of_experiments_are_the_gap():
    (found,) = multipliers(Scenario(), levels(6.0), engine="fluid", bottlenecks=True)
    assert found.value < 0.2 * 64
    assert found.unlimited == pytest.approx(64)
    parts = found.bottlenecks(waiting=0.5)
    assert parts["GPUs for experiments"] == pytest.approx(math.log2(64 / found.value))
    assert parts["tasks of humans"] == pytest.approx(0, abs=1e-9)
    assert parts["training runs"] == 0.5


def test_parts_of_the_gap_add_up():
    found = Multiplier(AiLevel(5.0, 5.0), 2.0, None, None, without_experiments=6.0, unlimited=24.0)
    assert sum(found.bottlenecks(1.0, 0.5).values()) == pytest.approx(math.log2(24 * 2**0.5 / 2))
    with pytest.raises(ValueError, match="the bottlenecks were not measured"):
        found._replace(unlimited=None).bottlenecks()


@pytest.mark.slow
def test_p9_1_multiplier_with_part_of_the_tasks_automated_is_the_squeeze():
    found = multipliers(HUMANS, levels(1.0, 3.0), range(4), papers=1500, bottlenecks=True, engine="mixed")
    for each, share in zip(found, (0.25, 0.75), strict=True):
        assert each.value == pytest.approx(1 / (1 - share), rel=0.06)  # a human waits sometimes
        assert each.bottlenecks()["tasks of humans"] > 1


def test_p9_1_multiplier_by_the_equations_is_the_squeeze():
    found = multipliers(HUMANS, levels(1.0, 2.0, 3.0), engine="fluid")
    assert [each.value for each in found] == pytest.approx([4 / 3, 2, 4], rel=1e-9)


def test_multiplier_of_full_automation_is_the_number_of_ais_over_that_of_humans():
    (found,) = multipliers(HUMANS, levels(5.0), (0, 1), engine="mixed")
    assert found.value == pytest.approx(4000 * 32 / 40, rel=0.15)


def test_frozen_lab_keeps_the_staff_and_the_number_of_ais_of_day_0():
    start = HUMANS.replace(researcher__initial=0, start__given_by="training compute")
    lab = frozen_lab(start, AiLevel(1.0, 3.0), measurement_window(start))
    assert lab.humans.staff(1000.0) == 40
    assert lab.hosted_at_start == pytest.approx(start.hosted_at_start)
    assert lab.capability_at_start == 1.0
    # Shifted thresholds: the AIs can do the same three of four kinds as with a capability of 3.
    assert [float(each) for each in lab.automation.thresholds()] == pytest.approx([-1.0, 0.0, 1.0, 2.0])


def test_time_horizon_sets_the_tasks_and_software_the_number():
    clock = HUMANS.replace(horizon__law="exponential")
    by_clock, by_software = (
        multipliers(each, [level], (0,), papers=200)[0].value
        for each, level in ((clock, AiLevel(3.0, 3.0)), (HUMANS, AiLevel(3.0, 3.0)))
    )
    assert by_clock == by_software


def test_stopped_measurement_has_no_results():
    assert multipliers(LAW, levels(1.0), (0,), should_stop=lambda world: True) == []


def test_every_run_is_announced():
    runs = []
    multipliers(LAW, levels(1.0, 2.0), (0, 1), on_run=lambda number, total: runs.append((number, total)))
    assert runs == [(number, 6) for number in range(6)]


@pytest.mark.parametrize(
    ("scenario", "options", "message"),
    [
        (HUMANS.replace(researcher__timing="whole"), {"engine": "fluid"}, "whole"),
        (HUMANS.replace(humans__initial=0), {}, "humans__initial = 0 leaves the tasks undone"),
    ],
)
def test_lab_that_cannot_be_measured_is_refused_in_one_sentence(scenario, options, message):
    with pytest.raises(ScenarioError, match=message):
        multipliers(scenario, levels(1.0), (0,), **options)


def test_no_seeds_are_refused():
    with pytest.raises(ValueError, match="there are no seeds; allowed: one or more"):
        multipliers(LAW, levels(1.0), ())
