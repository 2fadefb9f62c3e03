"""Test changes of compute, team and policy: every way to set them gives the same result."""

import pytest

from sim.events import SoftwareDoubled
from sim.fluid.api import fluid
from sim.scenario.model import Scenario, ScenarioError
from sim.world import World

SHORT = {"run__max_doublings": 3, "run__sample_days": 30.0}


def day_of_the_last_doubling(world: World) -> float:
    while world.running:
        world.step()
    return [event.day for event in world.ledger if isinstance(event, SoftwareDoubled)][-1]


@pytest.mark.parametrize(
    ("gpus", "changes", "team"),
    [
        (1024, {}, 256),
        (2048, {}, 512),
        (1_000_000, {}, 250_000),
        (1024, {"researcher__gpus_each": 4.0}, 128),
        (1024, {"cluster__inference_share": 0.25}, 128),
        (1024, {"cluster__partitioning": "priority"}, 256),
        (1024, {"researcher__initial": 7}, 7),
        (8, {"cluster__inference_share": 0.0, "cluster__training_share": 0.0}, 1),
    ],
)
def test_initial_researchers_default_to_the_inference_gpus(gpus, changes, team):
    assert Scenario().replace(cluster__gpus=gpus, **changes).initial_researchers == team


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"cluster__gpus": 2048},
        {"training__gain": 1.1},
        {"cluster__inference_share": 0.6},
    ],
    ids=str,
)
def test_change_on_day_0_by_scenario_and_by_branch_gives_the_same_run(change):
    """The same researchers draw the same streams, so the two agree to the last bit."""
    stated = day_of_the_last_doubling(World(seed=1, **SHORT, **change))
    branched = day_of_the_last_doubling(World(seed=1, **SHORT).branch(**change))
    assert stated == branched
    assert stated != day_of_the_last_doubling(World(seed=1, **SHORT))


def test_small_gain_by_scenario_and_by_branch_gives_the_same_run():
    few = {"cluster__gpus": 256, "run__max_doublings": 6, "run__sample_days": 100.0, "growth__calibrated_for": 64}
    stated = day_of_the_last_doubling(World(seed=2, training__gain=1.1, **few, run__horizon_days=2000.0))
    branch = World(seed=2, **few, run__horizon_days=2000.0).branch(training__gain=1.1)
    assert stated == day_of_the_last_doubling(branch)


@pytest.mark.parametrize(
    "change",
    [
        {"cluster__gpus": 4096},
        {"researcher__initial": 1000},
        {"researcher__papers_per_month": 3.0},
        {"training__gain": 1.1},
        {"training__required": False},
        {"cluster__inference_share": 0.3},
    ],
    ids=str,
)
def test_initial_effort_is_that_of_the_reference_lab(change):
    assert Scenario().replace(**change).law() == Scenario().law()


def test_initial_effort_can_be_that_of_the_labs_own_team():
    own = Scenario().replace(growth__calibrated_for=0)
    assert own.law() == Scenario().law(), "the default lab is the reference lab"
    twice = own.replace(cluster__gpus=2048)
    assert twice.law().log2_initial_effort == pytest.approx(own.law().log2_initial_effort + 1)
    faster = own.replace(researcher__papers_per_month=2.0)
    assert faster.law().log2_initial_effort == pytest.approx(own.law().log2_initial_effort + 1)


def test_branch_keeps_the_team_of_day_0_as_reference():
    world = World(seed=1, growth__calibrated_for=0, cluster__gpus=64, run__horizon_days=200.0)
    before = world.lab.knowledge.software.law
    later = world.branch(researcher__papers_per_month=5.0).branch(cluster__gpus=128).branch(growth__r=2.0)
    expected = Scenario().replace(growth__calibrated_for=0, cluster__gpus=64, growth__r=2.0).law()
    assert later.lab.knowledge.software.law == expected
    assert later.branch(growth__r=1.4).lab.knowledge.software.law == before


def test_larger_cluster_without_training_is_faster_in_proportion():
    """r = 1 and no other hold-up: the days of every doubling go as 1/GPUs."""
    alone = {
        "growth__r": 1.0,
        "training__required": False,
        "kernels__measurements": "none",
        "researcher__experiment_gpu_days": 0.0,
        "researcher__writing_share": 0.0,
    }
    found = fluid([Scenario().replace(cluster__gpus=gpus, **alone) for gpus in (1024, 2048, 8192)])
    days = found.doubling_day[:, 8]
    assert days[0] / days == pytest.approx([1, 2, 8], rel=1e-9)
    assert days[0] == pytest.approx(9 * 365 / 12, rel=1e-9)


def test_branch_with_more_papers_per_month_has_the_law_of_a_fresh_world():
    """Papers under way go on at the rate at which they were begun, so only the law is compared."""
    branch = World(seed=1, **SHORT).branch(researcher__papers_per_month=2.0)
    assert (
        branch.lab.knowledge.software.law
        == World(seed=1, **SHORT, researcher__papers_per_month=2.0).lab.knowledge.software.law
    )


def test_world_with_too_many_researchers_is_refused_with_the_initial_number():
    with pytest.raises(ScenarioError, match="250,000"):
        World(cluster__gpus=1_000_000, run__max_doublings=300)
