"""No World outlives the page that made it: Mesa keeps each in a class attribute until it is let go of."""

import gc

import pytest

from experiments.window.journey import Journey
from experiments.window.session import Session
from sim.model import World
from sim.scenario import ScenarioError
from tests.experiments.window_kit import small_lab

LAB = small_lab()


def alive() -> int:
    """How many Worlds there are in this process."""
    gc.collect()
    return sum(isinstance(each, World) for each in gc.get_objects())


def test_worlds_after_pages_are_closed_are_none() -> None:
    before = alive()
    for _ in range(3):
        session = Session(Journey(LAB), lambda stamp: None)
        session.step()
        session.close()
        assert session.freed.wait(30)
        del session
    assert alive() == before


def test_worlds_of_a_journey_that_rewinds_branches_and_resets_are_one() -> None:
    before = alive()
    journey = Journey(LAB)
    journey.go_to(25)
    journey.rewind(3)
    journey.step_event()
    journey.branch(3, {"cluster__gpus": 64})
    journey.go_to(25)
    journey.choose(0)
    journey.digest()
    journey.reset(seed=1)
    journey.go_to(12)
    assert alive() == before + 1
    journey.close()
    del journey
    assert alive() == before


@pytest.mark.parametrize("changes", [{"cluster__gpus": 8}, {"run__horizon_days": 2.0}])
def test_worlds_after_a_refused_branch_are_one(changes: dict[str, float]) -> None:
    before = alive()
    journey = Journey(LAB)
    journey.go_to(10)
    with pytest.raises(ScenarioError):
        journey.branch(10, changes)
    assert alive() == before + 1
    journey.close()


def test_journey_after_close_refuses_moves_and_questions() -> None:
    before = alive()
    journey = Journey(LAB)
    journey.step(5)
    journey.close()
    for question in (Journey.step, Journey.digest, Journey.result, Journey.reset):
        with pytest.raises(ScenarioError, match="this page is closed: load it again"):
            question(journey)
    assert journey.current.number == 5
    del journey
    assert alive() == before
