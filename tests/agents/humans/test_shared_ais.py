"""Test AIs that share tasks: work is conserved and tasks end in order."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.humans.shared_ais import SharedAis
from sim.clock import Clock
from tests.support.properties import examples


class Ends:
    """Record the days on which tasks end."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.days: dict[str, float] = {}

    def add(self, task: str) -> None:
        """Record the end of a task."""
        assert task not in self.days, "a task ended twice"
        self.days[task] = self.clock.now


def shared(ais: float = 1.0, most_per_task: float = 1.0) -> tuple[Clock, SharedAis[str], Ends]:
    clock = Clock()
    ends = Ends(clock)
    group: SharedAis[str] = SharedAis(clock, ends.add)
    group.set_ais(ais, most_per_task)
    return clock, group, ends


def test_tasks_on_one_ai_share_it_equally():
    clock, group, ends = shared(1)
    group.add("long", 2.0)
    group.add("short", 1.0)
    clock.advance(10.0)
    assert ends.days == {"short": pytest.approx(2.0), "long": pytest.approx(3.0)}


def test_most_per_task_limits_the_ais_of_a_task():
    clock, group, ends = shared(5, 1.0)
    group.add("alone", 3.0)
    assert group.busy == 1
    clock.advance(10.0)
    assert ends.days == {"alone": pytest.approx(3.0)}
    group.set_ais(5)
    group.add("together", 3.0)
    assert group.busy == 5
    clock.advance(20.0)
    assert ends.days["together"] == pytest.approx(10.6)


def test_a_change_of_the_number_in_between_changes_the_rest_only():
    clock, group, ends = shared(4, 4.0)
    group.add("task", 8.0)
    clock.advance(1.0)
    group.set_ais(1)
    clock.advance(2.0)
    group.set_ais(0)
    clock.advance(12.0)
    assert ends.days == {}
    group.set_ais(3)
    clock.advance(20.0)
    assert ends.days == {"task": pytest.approx(13.0)}
    assert group.busy_days == pytest.approx(8.0)


def test_tasks_of_equal_work_end_in_the_order_in_which_they_came():
    clock, group, ends = shared(2)
    for task in "abc":
        group.add(task, 1.0)
    clock.advance(5.0)
    assert list(ends.days) == ["a", "b", "c"]
    assert list(ends.days.values()) == [pytest.approx(1.5)] * 3


def test_remove_all_returns_tasks_in_the_order_of_their_ends_and_ends_none():
    clock, group, ends = shared()
    for task, work in (("second", 2.0), ("third", 3.0), ("first", 1.0)):
        group.add(task, work)
    clock.advance(0.5)
    assert group.remove_all() == ["first", "second", "third"]
    clock.advance(10.0)
    assert (ends.days, group.tasks, group.busy) == ({}, 0, 0)
    assert group.busy_days == pytest.approx(0.5)


def test_pickled_group_goes_on_as_before():
    clock, group, ends = shared(3)
    group.add("a", 2.0)
    group.add("b", 5.0)
    clock.advance(1.0)
    other_clock, other_group, other_ends = pickle.loads(pickle.dumps((clock, group, ends)))
    for each in (clock, other_clock):
        each.advance(9.0)
    assert other_ends.days == ends.days == {"a": pytest.approx(2.0), "b": pytest.approx(5.0)}
    assert other_group.busy_days == group.busy_days


actions = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.floats(0, 10)),
        st.tuples(st.just("ais"), st.floats(0, 20)),
        st.tuples(st.just("wait"), st.floats(0, 5)),
        st.tuples(st.just("remove"), st.just(0.0)),
    ),
    max_size=40,
)


@examples(100)
@given(actions, st.sampled_from([0.5, 1.0, 3.0, float("inf")]))
def test_any_history_conserves_work_and_the_order_of_ends(history, most):
    clock, group, ends = shared(1, most)
    given_work, removed, begun = 0.0, 0, 0
    due: dict[str, float] = {}
    for number, (action, value) in enumerate(history):
        if action == "add":
            group.add(f"{number}", value)
            due[f"{number}"] = value
            begun += 1
        elif action == "ais":
            group.set_ais(value, most)
        elif action == "wait":
            clock.advance(clock.now + value)
        else:
            removed += len(group.remove_all())
        assert group.busy <= min(group.ais, most * group.tasks if group.tasks else 0.0) + 1e-12
        assert begun == group.tasks + removed + len(ends.days)
    if removed == 0:
        group.set_ais(1, most)
        clock.advance(clock.now + 10_000)
        given_work = sum(due.values())
        assert len(ends.days) == begun
        assert group.busy_days == pytest.approx(given_work, rel=1e-9, abs=1e-9)
    assert list(ends.days.values()) == sorted(ends.days.values())
