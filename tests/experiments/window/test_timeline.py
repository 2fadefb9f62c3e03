"""Worlds are released with their page: Mesa keeps each in a class attribute until then."""

import gc
from weakref import WeakSet

import pytest

from experiments.window.player import RunPlayer
from experiments.window.session import WindowSession
from sim.scenario.model import ScenarioError
from sim.world import World
from tests.support.window_runs import small_lab

LAB = small_lab()


@pytest.fixture(autouse=True, scope="module")
def no_older_objects() -> None:
    """Hide objects of earlier tests from the garbage collector: a search of a million objects takes seconds."""
    gc.collect()
    gc.freeze()


def worlds() -> WeakSet[World]:
    """Return the Worlds of this process."""
    gc.collect()
    return WeakSet(each for each in gc.get_objects() if issubclass(type(each), World))


def new_since(before: WeakSet[World]) -> int:
    """Return the number of Worlds that are not in ``before``; worlds of earlier tests may disappear meanwhile."""
    return len([each for each in worlds() if each not in before])


def test_closed_pages_leave_no_worlds() -> None:
    before = worlds()
    for _ in range(3):
        session = WindowSession(RunPlayer(LAB), lambda stamp: None)
        session.step()
        session.close()
        assert session.freed.wait(30)
        del session
    assert new_since(before) == 0


def test_player_keeps_one_world_after_rewinds_branches_and_resets() -> None:
    before = worlds()
    player = RunPlayer(LAB)
    player.seek(25)
    player.rewind(3)
    player.step_event()
    player.branch(3, {"cluster__gpus": 64})
    player.seek(25)
    player.choose(0)
    player.digest()
    player.reset(seed=1)
    player.seek(12)
    assert new_since(before) == 1
    player.close()
    del player
    assert new_since(before) == 0


def test_questions_within_a_frame_leave_one_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.window.player.EVENTS_PER_PIECE", 2)
    before = worlds()
    player = RunPlayer(LAB)
    answers = set[str]()

    def ask() -> bool:
        answers.add(player.digest())
        return False

    player.should_stop = ask
    player.step()
    assert len(answers) == 1
    assert new_since(before) == 1
    player.close()


@pytest.mark.parametrize("changes", [{"cluster__gpus": 8}, {"run__horizon_days": 2.0}])
def test_refused_branch_leaves_one_world(changes: dict[str, float]) -> None:
    before = worlds()
    player = RunPlayer(LAB)
    player.seek(10)
    with pytest.raises(ScenarioError):
        player.branch(10, changes)
    assert new_since(before) == 1
    player.close()


def test_closed_player_refuses_moves_and_queries() -> None:
    before = worlds()
    player = RunPlayer(LAB)
    player.step(5)
    player.close()
    for question in (RunPlayer.step, RunPlayer.digest, RunPlayer.result, RunPlayer.reset):
        with pytest.raises(ScenarioError, match="this page is closed: load it again"):
            question(player)
    assert player.current_frame.number == 5
    del player
    assert new_since(before) == 0
