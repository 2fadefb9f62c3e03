"""No World outlives the page that made it: Mesa keeps each in a class attribute until it is let go of."""

import gc
from weakref import WeakSet

import pytest

from experiments.window.player import RunPlayer
from experiments.window.session import WindowSession
from sim.scenario.model import ScenarioError
from sim.world import World
from tests.support.window_runs import small_lab

LAB = small_lab()


def worlds() -> WeakSet[World]:
    """The Worlds that there are in this process."""
    gc.collect()
    return WeakSet(each for each in gc.get_objects() if issubclass(type(each), World))


def new_since(before: WeakSet[World]) -> int:
    """How many Worlds there are that were not there before; earlier tests may let go of theirs meanwhile."""
    return len([each for each in worlds() if each not in before])


def test_worlds_after_pages_are_closed_are_none() -> None:
    before = worlds()
    for _ in range(3):
        session = WindowSession(RunPlayer(LAB), lambda stamp: None)
        session.step()
        session.close()
        assert session.freed.wait(30)
        del session
    assert new_since(before) == 0


def test_worlds_of_a_journey_that_rewinds_branches_and_resets_are_one() -> None:
    before = worlds()
    journey = RunPlayer(LAB)
    journey.go_to(25)
    journey.rewind(3)
    journey.step_event()
    journey.branch(3, {"cluster__gpus": 64})
    journey.go_to(25)
    journey.choose(0)
    journey.digest()
    journey.reset(seed=1)
    journey.go_to(12)
    assert new_since(before) == 1
    journey.close()
    del journey
    assert new_since(before) == 0


@pytest.mark.parametrize("changes", [{"cluster__gpus": 8}, {"run__horizon_days": 2.0}])
def test_worlds_after_a_refused_branch_are_one(changes: dict[str, float]) -> None:
    before = worlds()
    journey = RunPlayer(LAB)
    journey.go_to(10)
    with pytest.raises(ScenarioError):
        journey.branch(10, changes)
    assert new_since(before) == 1
    journey.close()


def test_journey_after_close_refuses_moves_and_questions() -> None:
    before = worlds()
    journey = RunPlayer(LAB)
    journey.step(5)
    journey.close()
    for question in (RunPlayer.step, RunPlayer.digest, RunPlayer.result, RunPlayer.reset):
        with pytest.raises(ScenarioError, match="this page is closed: load it again"):
            question(journey)
    assert journey.current.number == 5
    del journey
    assert new_since(before) == 0
