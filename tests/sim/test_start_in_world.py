"""Test the start in a run: training compute sets the number of AI researchers on the day of full automation."""

import math

import pytest

from sim.events import Deployed, PaperPublished, ResearchAutomated
from sim.fluid import run_fluid
from sim.runner import run
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

COPIES = {2.1e25: 2.421e5, 1e26: 5.283e5, 1e27: 1.671e6, 1e28: 5.283e6, 1e29: 1.671e7, 1e30: 5.283e7}
"""Copies on the compute that trained for 90 days, at 13.33 tokens per second and 20 tokens a parameter: 3 D/(t v)."""
COMPUTE = Scenario().replace(start__given_by="training compute", kernels__measurements="none")
ROAD = COMPUTE.replace(
    humans__initial=20,
    growth__calibrated_for=20,
    automation__kinds=2,
    automation__first_threshold=1.0,
    automation__last_threshold=3.0,
    training__required=False,
    training__gain=1.1,
    researcher__experiment_gpu_days=0.0,
    run__max_doublings=4,
)


def researchers_at_start(scenario: Scenario) -> int:
    with World(scenario) as world:
        return world.lab.workforce.active_researchers


@pytest.mark.parametrize(("flop", "copies"), COPIES.items())
def test_p10_1_world_has_the_copies_of_the_training_compute(flop, copies):
    ratio = COMPUTE.replace(start__size_rule="ratio", start__training_flop=flop)
    assert researchers_at_start(ratio) == pytest.approx(copies / 1000, rel=0.005)


@pytest.mark.parametrize(("rule", "factor"), [("ratio", 10.0), ("size", 100.0), ("tokens", 1.0)])
def test_p10_3_hundred_times_the_compute_runs_ten_times_the_copies_at_a_fixed_ratio(rule, factor):
    one, more = (
        researchers_at_start(COMPUTE.replace(start__size_rule=rule, start__training_flop=flop)) for flop in (1e26, 1e28)
    )
    assert more / one == pytest.approx(factor, rel=0.01)


def test_p10_1_report_and_davidson_hold_in_the_world():
    ratio = COMPUTE.replace(start__size_rule="ratio")
    copies = [1000 * researchers_at_start(ratio.replace(start__training_flop=flop)) for flop in (2.1e25, 1e26, 1e27)]
    assert copies[0] == pytest.approx(300_000, rel=0.25)  # Davidson's arithmetic for GPT-4
    assert 1e5 < copies[1] < 1e6  # the report's "hundreds of thousands"
    assert 1e6 < copies[2] < 1e7  # the report's "millions"


@pytest.mark.parametrize("penalty", [0.3, 1.0])
def test_p10_6_faster_and_fewer_copies_are_worth_the_power_one_minus_the_penalty(penalty):
    """n copies of speed u with n u constant have the effort u n^p, so that 16 times the speed is worth 16^(1 - p)."""
    slow = COMPUTE.replace(
        growth__law="frozen",
        growth__parallel_penalty=penalty,
        start__copies_per_researcher=100.0,
        researcher__timing="pooled",
        researcher__experiment_gpu_days=0.0,
        training__required=False,
        run__horizon_days=20.0,
    )
    paces = []
    for speed in (1.0, 16.0):
        with World(slow.replace(start__serial_speed=speed)) as world:
            while world.running:
                world.step()
            published = [event for event in world.ledger if isinstance(event, PaperPublished)]
            paces.append(sum(event.effective_papers for event in published))
    assert paces[1] / paces[0] == pytest.approx(16 ** (1 - penalty), rel=0.01)


def test_copies_at_a_speed_do_the_tasks_of_humans_at_that_speed():
    fast = ROAD.replace(start__serial_speed=4.0, automation__ai_productivity=0.5)
    with World(fast) as world, World(ROAD) as usual:
        assert world.lab.automation.ais == pytest.approx(usual.lab.automation.ais / 4, abs=1)
        assert world.lab.settings.automation.ai_productivity == 2.0
        assert world.scenario.automation.ai_productivity == 0.5


def test_p10_4_thinking_divides_the_researchers():
    thinking = COMPUTE.replace(start__thinking_seconds=300.0, start__copies_per_researcher=1.0)
    assert researchers_at_start(thinking) == math.floor(1000 * COMPUTE.start.researchers / 300)


def test_start_holds_on_the_day_of_full_automation():
    with World(ROAD, 1) as world:
        while world.running and not world.lab.automation.is_complete:
            world.step_events()
        level = next(event for event in reversed(world.ledger) if isinstance(event, Deployed)).deployed
        assert 3 <= level < 3 + math.log2(1.1)
        assert world.lab.workforce.active_researchers == math.floor(
            ROAD.start.researchers * 2 ** (level - 3) * (1 + 1e-9)
        )
    assert any(isinstance(event, ResearchAutomated) for event in world.ledger)


def test_ais_before_full_automation_are_fewer_by_the_deployed_software():
    assert ROAD.hosted_at_start == pytest.approx(ROAD.start.researchers / 8)
    with World(ROAD) as world:
        assert world.lab.automation.ais == math.floor(ROAD.start.researchers / 8)


def test_equations_start_with_the_same_researchers():
    found = run_fluid(COMPUTE.replace(growth__law="frozen", run__horizon_days=10.0))
    assert found.researchers == pytest.approx(COMPUTE.start.researchers)


def test_start_by_researchers_leaves_the_digest():
    assert Scenario().replace(start__given_by="researchers").digest() == Scenario().digest()
    assert COMPUTE.digest() != Scenario().replace(kernels__measurements="none").digest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"start__tokens_per_parameter": 30.0},
            "start__tokens_per_parameter = 30 is not read under start__size_rule = 'chinchilla'; allowed: its "
            "default. Set start__size_rule = 'ratio' to use it",
        ),
        ({"start__fixed_tokens": 1e13}, "Set start__size_rule = 'tokens' to use it"),
        ({"start__gpu_memory_gb": 141.0}, "start__gpu_memory_gb = 141 has no effect with start__context_tokens = 0"),
        ({"start__training_flop": 0.0}, "start__training_flop = 0.0 FLOP is out of bounds"),
        ({"start__given_by": "flop"}, "allowed: one of researchers, training compute"),
        ({"start__given_by": "researchers", "start__training_days": 9.0}, "start__training_days is not read under"),
    ],
)
def test_start_refuses_bad_input_in_one_sentence(changes, message):
    with pytest.raises(ScenarioError, match=message):
        COMPUTE.replace(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"researcher__initial": 50},
            "researcher__initial = 50 is not read under start__given_by = 'training compute'",
        ),
        ({"researcher__gpus_each": 4.0}, "researcher__gpus_each = 4 is not read under"),
        ({"start__copies_per_researcher": 1e9}, "start__copies_per_researcher = 1e\\+09 leaves 0.00146 AI researchers"),
    ],
)
def test_world_refuses_a_start_that_it_cannot_run(changes, message):
    with pytest.raises(ScenarioError, match=message):
        World(COMPUTE.replace(**changes))


def test_branch_cannot_change_the_start():
    with World(COMPUTE) as world, pytest.raises(ScenarioError, match="start__training_flop cannot change within a run"):
        world.branch(start__training_flop=1e28)


def test_run_on_training_compute_equals_one_with_that_many_researchers():
    whole = COMPUTE.replace(start__copies_per_researcher=COMPUTE.start.researchers * 1000 / 256, run__max_doublings=3)
    named = Scenario().replace(kernels__measurements="none", researcher__initial=256, run__max_doublings=3)
    assert run(whole, 3).digest == run(named, 3).digest
