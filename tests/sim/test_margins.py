"""Test elasticities against labs with elasticities in closed form."""

import math

import pytest

from sim.fluid.api import fluid, run_fluid
from sim.margins import INPUTS, UNDEFINED, margins, margins_of
from sim.runner import run
from sim.scenario.model import Scenario

NO_TRAINING = {"training__required": False}


def binding(scenario: Scenario, doublings: int = 300):
    return margins([scenario], [doublings])[0]


def test_margins_without_experiments_give_researchers_elasticity_1():
    found = binding(Scenario.load("returns-0.7"))
    assert found.limited_by == "researchers"
    assert found.elasticities == pytest.approx({"researchers": 1.0, "experiments": 0.0, "training": 0.0}, abs=1e-6)
    assert found.day_without_training is None


def test_margins_with_a_penalty_have_a_smaller_elasticity():
    found = binding(Scenario.load("toes"))
    assert found.elasticities["researchers"] == pytest.approx(0.5, rel=1e-6)


def test_margins_at_full_gpus_name_experiments():
    full = Scenario().replace(
        **NO_TRAINING,
        cluster__gpus=1024,
        researcher__experiment_scaling=1.0,
        researcher__initial=20_000,
        run__horizon_days=5000.0,
        run__max_doublings=6,
    )
    found = binding(full)
    assert found.limited_by == "experiments"
    assert found.elasticities["experiments"] > 0.8
    assert found.elasticities["researchers"] < 0.2


@pytest.mark.slow
def test_margins_with_long_training_runs_name_training():
    slow = Scenario().replace(
        growth__r=0.7,
        growth__first_doubling_days=0.1,
        training__speedup_exponent=0.0,
        training__first_run_days=30.0,
        researcher__experiment_gpu_days=0.0,
        run__horizon_days=1e6,
    )
    found = binding(slow)
    assert found.limited_by == "training"
    assert found.elasticities["training"] > 0.7
    other = fluid([slow.replace(training__required=False)])
    assert found.day_without_training == pytest.approx(other.doubling_day[0, 8], rel=1e-9)
    assert "instead of" in found.training_sentence


@pytest.mark.slow
def test_margins_elasticity_equals_that_of_a_changed_scenario():
    """Faster runs by their own parameter, apart from the perturbed arrays."""
    lab = Scenario()
    found = binding(lab)
    faster = lab.replace(training__first_run_days=lab.training.first_run_days / 1.01)
    days = fluid([lab, faster]).doubling_day[:, found.doubling - 1]
    assert found.day == pytest.approx(days[0], rel=1e-12)
    assert found.elasticities["training"] == pytest.approx(-math.log(days[1] / days[0]) / math.log(1.01), rel=1e-9)


def test_margins_that_are_undefined_have_a_reason():
    none = binding(Scenario().replace(run__horizon_days=1.0))
    assert (none.limited_by, none.doubling, none.elasticities) == (UNDEFINED, 0, {})
    assert "no doubling of software was completed" in none.sentence
    whole = margins([Scenario().replace(researcher__timing="whole"), Scenario()], [3, 3])
    assert "no equations" in whole[0].sentence
    assert whole[1].limited_by in INPUTS


@pytest.mark.slow
def test_margins_do_not_depend_on_other_scenarios():
    labs = [Scenario(), Scenario().replace(growth__r=0.8), Scenario().replace(**NO_TRAINING, cluster__gpus=2048)]
    together = margins(labs, [4, 5, 6])
    assert together == [margins([lab], [n])[0] for lab, n in zip(labs, (4, 5, 6), strict=True)]
    assert margins_of(labs[1], 5) == together[1]


def test_results_of_both_engines_contain_margins_of_the_last_doubling():
    lab = Scenario().replace(run__max_doublings=2)
    world, equations = run(lab, 1), run_fluid(lab)
    assert world.margins == equations.margins == binding(lab, 2)
    assert world.limited_by == world.margins.limited_by
    assert sum(world.time_shares.values()) == pytest.approx(1)
    assert list(world.time_shares) == list(equations.time_shares) == ["researchers", "experiments", "paused"]
