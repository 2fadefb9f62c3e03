"""Test the time horizon as the clock of automation."""

import math

import pytest

from sim.events import ResearchAutomated, TaskAutomated
from sim.scenario.model import Scenario, ScenarioError
from sim.time_horizon import METR_DOUBLING_DAYS, fit_exponential, read_observations
from sim.world import World
from tests.support.shared_data import shared_file

LAB = Scenario().replace(
    humans__initial=5,
    growth__law="frozen",
    automation__kinds=4,
    automation__first_threshold=1.0,
    automation__last_threshold=4.0,
    horizon__law="superexponential",
    horizon__doubling_days=50.0,
    researcher__experiment_gpu_days=0.0,
    kernels__measurements="none",
    run__horizon_days=400.0,
)


def run_until_the_end(world: World) -> list[float]:
    """Run a world to its end, and return the days on which AIs learnt a kind of task."""
    while world.running:
        world.step()
    return [event.day for event in world.ledger if isinstance(event, TaskAutomated)]


def test_p9_6_tasks_are_automated_when_the_horizon_reaches_their_thresholds():
    with World(LAB) as world:
        days = run_until_the_end(world)
    assert days == pytest.approx([50 * (1 - 0.92**n) / 0.08 for n in (1, 2, 3, 4)])
    assert [event.day for event in world.ledger if isinstance(event, ResearchAutomated)] == pytest.approx([days[-1]])


def test_exponential_horizon_has_equal_doublings_and_is_finite():
    with World(LAB.replace(horizon__law="exponential")) as world:
        assert run_until_the_end(world) == pytest.approx([50, 100, 150, 200])
        horizon = world.scenario.horizon
    assert horizon.infinite_day == math.inf
    assert horizon.reading == "The time horizon doubles every 50 days and is finite on every day."
    assert horizon.minutes_on_day(100) == pytest.approx(4 * 26)


def test_p9_6_superexponential_horizon_states_the_day_on_which_it_is_infinite():
    params = LAB.replace(horizon__doubling_days=0.458 * 365).horizon
    assert params.infinite_day / 365 == pytest.approx(5.725)
    assert params.minutes_on_day(3 * 365) == pytest.approx(12_449.25, rel=1e-6)
    assert params.minutes_on_day(params.infinite_day) == math.inf
    assert params.reading.startswith("The time horizon is infinite on day 2,090 by construction")
    assert params.day_of(18.816) / 365 == pytest.approx(4.5326, rel=1e-4)


def test_horizon_of_the_first_day_does_not_change_the_infinite_day():
    assert LAB.replace(horizon__minutes=1e6).horizon.infinite_day == LAB.horizon.infinite_day


def test_tasks_near_the_infinite_day_are_automated():
    far = LAB.replace(automation__last_threshold=1000.0, run__horizon_days=1000.0)
    with World(far) as world:
        days = run_until_the_end(world)
    assert len(days) == 4
    assert days[-1] == pytest.approx(625, abs=0.01)


def test_tasks_that_ais_never_can_do_stay_with_humans():
    never = LAB.replace(automation__never_share=0.5, run__horizon_days=1000.0)
    with World(never) as world:
        assert len(run_until_the_end(world)) == 2
        assert world.lab.automation.share_automated == 0.5


def test_software_of_the_lab_does_not_move_the_clock():
    fast = LAB.replace(growth__law="returns", growth__calibrated_for=5, growth__first_doubling_days=20.0)
    with World(LAB, 1) as still, World(fast, 1) as moving:
        assert run_until_the_end(moving) == run_until_the_end(still)
        assert moving.lab.knowledge.software.deployed > 1


def test_training_compute_sets_the_researchers_of_the_day_that_the_clock_sets():
    start = LAB.replace(start__given_by="training compute", growth__law="returns", growth__calibrated_for=5)
    with World(start) as world:
        number = math.floor(start.start.researchers)
        assert world.lab.automation.ais == number
        while not world.lab.automation.is_complete:
            world.step_events()
        assert world.lab.workforce.active_researchers == number


def test_snapshot_and_branch_keep_the_clock():
    with World(LAB) as world:
        while world.now < 60:
            world.step()
        copy = World.restore(world.snapshot())
        slower = world.branch(horizon__doubling_days=80.0)
        assert run_until_the_end(copy) == run_until_the_end(world)
        assert run_until_the_end(slower) == pytest.approx([50, *(80 * (1 - 0.92**n) / 0.08 for n in (2, 3, 4))])


def test_branch_to_another_law_stops_the_clock():
    with World(LAB) as world:
        while world.now < 60:
            world.step()
        stopped = world.branch(horizon__law="none")
        assert len(run_until_the_end(stopped)) == 1


def test_default_doubling_time_is_metrs_fit():
    fitted = fit_exponential(read_observations(shared_file("metr_time_horizons_1_1.csv")))
    assert fitted.doubling_days == pytest.approx(METR_DOUBLING_DAYS, abs=0.001)
    assert Scenario().replace(horizon__law="exponential").horizon.doubling_days == METR_DOUBLING_DAYS


def test_no_horizon_leaves_the_digest():
    assert Scenario().replace(horizon__law="none").digest() == Scenario().digest()
    assert LAB.digest() != LAB.replace(horizon__law="none").digest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon__doubling_ratio": 1.0}, "horizon__doubling_ratio = 1.0 ratio is out of bounds: from 0.1 to 0.999"),
        ({"horizon__law": "exponential", "horizon__doubling_ratio": 0.5}, "horizon__doubling_ratio is not read under"),
        ({"horizon__law": "none", "horizon__minutes": 30.0}, "horizon__minutes is not read under"),
        ({"horizon__doubling_days": -1.0}, "horizon__doubling_days = -1.0 days is out of bounds"),
    ],
)
def test_horizon_refuses_bad_input_in_one_sentence(changes, message):
    with pytest.raises(ScenarioError, match=message):
        LAB.replace(**changes)
