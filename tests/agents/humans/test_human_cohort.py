"""Test a cohort of humans: papers in progress are conserved, and no human is idle for long while papers wait."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.properties import examples
from tests.support.small_human_team import SmallHumanTeam, by_ai, by_human


def cohort_of(humans: int, papers: int, leap_tolerance: float, **changes) -> SmallHumanTeam:
    team = SmallHumanTeam([by_human(0.25)] * 4, humans=humans, **changes)
    team.form_cohort(leap_tolerance)
    team.line.start(papers, humans)
    return team


def test_papers_begin_as_batches_of_the_share_of_humans():
    team = cohort_of(100, 250, 0.1)
    assert [draft.papers for draft in team.cohort.drafts] == [10] * 10
    assert (team.cohort.at_work, team.line.drafts, team.line.drafts_waiting) == (100, 250, 150)
    team.check_drafts()


def test_whole_tasks_of_a_cohort_end_when_those_of_individuals_end():
    alone = SmallHumanTeam([by_human(0.25)] * 4, humans=40)
    alone.line.start(80, 40)
    team = cohort_of(40, 80, 0.1)
    for each in (alone, team):
        each.advance(20.01)
    assert team.papers == pytest.approx(alone.papers, abs=4)
    assert {batch.papers for batch in team.lab.knowledge.batches} == {4}


def test_humans_that_are_hired_join_a_batch():
    team = cohort_of(40, 80, 0.1)
    team.cohort.grow(1)
    assert team.cohort.at_work == 40
    team.advance(0.5)
    assert team.cohort.at_work == 41


def test_a_cohort_keeps_drafts_that_are_under_way_and_then_begins_batches():
    team = SmallHumanTeam([by_human(1.0)], humans=20)
    team.line.start(20, 20)
    team.advance(0.4)
    team.form_cohort(0.2)
    assert (team.cohort.at_work, team.line.drafts, team.papers) == (20, 20, 0)
    team.advance(0.59)
    assert team.papers == 0
    team.advance(0.02)
    assert [batch.papers for batch in team.lab.knowledge.batches] == [1] * 20
    assert sum(draft.papers for draft in team.cohort.drafts) > 16
    team.advance(1.0)
    assert max(batch.papers for batch in team.lab.knowledge.batches) > 1
    team.check_drafts()


def test_humans_stay_with_their_kind_of_task():
    team = SmallHumanTeam([by_human(0.5)] * 2, humans=40, reallocation=False)
    team.form_cohort(0.2)
    team.line.start(80, 40)
    team.advance(10.01)
    assert team.papers == pytest.approx(400, abs=40)
    team.check_drafts()


def test_a_batch_is_at_most_the_papers_to_the_next_step_of_software():
    team = cohort_of(100, 100, 0.1)
    team.lab.knowledge.next_step = 3.0
    team.advance(5.0)
    assert team.line.max_batch() == 3
    assert {draft.papers for draft in team.cohort.drafts} <= {2, 3, 4}


moves = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.floats(0, 2)),
        st.tuples(st.just("ais"), st.integers(0, 40)),
        st.tuples(st.just("size"), st.integers(0, 90)),
        st.tuples(st.just("grow"), st.integers(1, 9)),
        st.tuples(st.just("form"), st.just(0)),
        st.tuples(st.just("pickle"), st.just(0)),
    ),
    max_size=20,
)


@examples(50)
@given(moves, st.booleans(), st.sampled_from(["whole", "poisson"]), st.sampled_from([0.0, 0.7]), st.floats(0.05, 0.5))
def test_any_history_conserves_papers(history, reallocation, timing, gpu_days, leap_tolerance):
    work = [by_ai(0.2, 0.1), by_human(0.3), by_human(0.3)]
    team = SmallHumanTeam(
        work, 20, reallocation, timing=timing, experiment_gpu_days=gpu_days, experiment_gpus=1, gpus=16
    )
    team.line.set_ais(10, 1.0)
    team.line.set_size(30)
    for move, value in [*history, ("form", 0)]:
        if move == "advance":
            team.advance(value)
        elif move == "ais":
            team.division.work = work if value else [by_human(0.3)] * 3
            team.line.set_ais(value, 1.0)
            team.line.redivide()
        elif move == "size":
            team.line.set_size(value)
        elif move == "grow" and team.cohort is not None:
            team.cohort.grow(value)
        elif move == "form" and team.cohort is None:
            team.form_cohort(leap_tolerance)
        elif move == "pickle":
            team = pickle.loads(pickle.dumps(team))
        team.check_drafts()
    team.line.set_size(20)
    before = team.papers
    team.advance(100.0)
    assert team.papers > before, "papers no longer get done"
    assert team.line.drafts <= 20
    team.check_drafts()
