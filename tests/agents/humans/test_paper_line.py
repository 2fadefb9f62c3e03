"""Test how papers in progress pass from task to task: drafts are conserved, and each human has one at a time."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.ports.automation import TaskWork
from tests.support.properties import examples
from tests.support.small_human_team import SmallHumanTeam, by_ai, by_human


def test_one_human_writes_one_paper_a_day():
    team = SmallHumanTeam([by_human(0.25)] * 4)
    team.line.set_size(3)
    team.advance(5.5)
    assert team.papers == 5
    assert team.line.drafts == 3


def test_first_papers_come_at_the_usual_pace():
    team = SmallHumanTeam([by_human(0.25)] * 4, humans=4)
    team.line.start(8, 4)
    team.check_drafts()
    assert sorted(human.draft.kind for human in team.humans) == [0, 1, 2, 3]
    team.advance(0.25)
    assert team.papers == 1
    team.advance(2.0)
    assert (team.papers, team.line.drafts) == (9, 8)


def test_human_finishes_a_paper_before_the_next_one_is_begun():
    team = SmallHumanTeam([by_human(0.5), by_human(0.5)], writing_share=0.5, experiment_gpu_days=0.0)
    team.line.set_size(2)
    team.advance(0.75)
    assert team.humans[0].draft is not None
    assert team.humans[0].draft.kind == 1
    team.advance(0.5)
    assert (team.papers, team.humans[0].draft.kind) == (1, 0)


def test_amdahl_with_one_paper_in_progress():
    team = SmallHumanTeam([by_ai(0.075), by_human(0.25)])
    team.line.set_ais(1, 1.0)
    team.line.set_size(1)
    team.advance(0.325 * 10 + 1e-6)
    assert team.papers == 10


def test_human_works_on_other_papers_while_ais_work_on_one():
    team = SmallHumanTeam([by_ai(0.75), by_human(0.25)])
    team.line.set_ais(4, 1.0)
    team.line.set_size(4)
    team.advance(1.75 + 20 * 0.25)
    assert team.papers == pytest.approx(20, abs=4)
    assert team.papers > 16


def test_review_is_the_work_of_a_human():
    team = SmallHumanTeam([by_ai(0.1, review=0.6), by_human(0.4)])
    team.line.set_ais(1, 1.0)
    team.line.set_size(1)
    team.advance(1.1 * 3 + 1e-6)
    assert team.papers == 3
    assert team.humans[0].tasks == 6


def test_consecutive_tasks_of_the_same_workers_are_done_in_one_go():
    team = SmallHumanTeam([by_ai(0.2), by_ai(0.2), by_human(0.3), by_human(0.3)], writing_share=0.5)
    team.line.set_ais(1, 1.0)
    team.line.set_size(1)
    assert team.line.ais.tasks == 1
    team.advance(0.5)
    draft = team.humans[0].draft
    assert draft is not None
    assert (draft.tasks, draft.human_work) == (2, [0.3, 0.3])


def test_ais_stop_before_a_task_that_a_human_finishes():
    team = SmallHumanTeam([TaskWork(0.1, 0.2, 0.0), by_ai(0.2), by_human(0.5)])
    team.line.set_ais(1, 1.0)
    team.line.set_size(1)
    team.advance(0.25)
    draft = team.humans[0].draft
    assert draft is not None
    assert (draft.kind, draft.tasks, draft.human_work) == (0, 1, [0.1])


def test_without_ais_humans_do_the_tasks_again_from_their_start():
    team = SmallHumanTeam([by_ai(0.5), by_human(0.5)])
    team.line.set_ais(1, 1.0)
    team.line.set_size(1)
    team.advance(0.4)
    team.division.work = [by_human(0.5), by_human(0.5)]
    team.line.set_ais(0, 1.0)
    assert team.humans[0].draft is not None
    team.advance(0.99)
    assert team.papers == 0
    team.advance(0.02)
    assert team.papers == 1
    team.check_drafts()


def test_division_anew_keeps_the_work_that_ais_have_done():
    team = SmallHumanTeam([by_ai(0.1, review=0.5), by_human(0.4)], humans=1)
    team.line.set_ais(3, 1.0)
    team.line.set_size(3)
    team.advance(0.2)
    assert (team.line.drafts_waiting, team.line.ais.tasks) == (2, 0)
    busy = team.line.ais.busy_days
    team.line.redivide()
    team.advance(0.1)
    assert (team.line.drafts_waiting, team.line.ais.busy_days) == (2, busy)
    team.check_drafts()


def test_division_anew_gives_waiting_tasks_to_ais_that_have_learnt_them():
    team = SmallHumanTeam([by_human(1.0)])
    team.line.set_ais(2, 1.0)
    team.line.set_size(3)
    assert team.line.drafts_waiting == 2
    team.division.work = [by_ai(1.0)]
    team.line.redivide()
    assert (team.line.drafts_waiting, team.line.ais.tasks) == (0, 2)
    team.check_drafts()


def test_without_reallocation_a_human_does_one_kind_of_task():
    team = SmallHumanTeam([by_human(0.5), by_human(0.5)], humans=2, reallocation=False)
    team.line.set_size(4)
    team.advance(10.01)
    assert team.papers == 19
    team.advance(0.2)
    kinds = {human.number % 2: human.draft.kind for human in team.humans if human.draft is not None}
    assert kinds == {0: 0, 1: 1}


def test_smaller_size_finishes_drafts_without_replacing_them():
    team = SmallHumanTeam([by_human(1.0)], humans=2)
    team.line.set_size(4)
    team.advance(0.5)
    team.line.set_size(1)
    team.advance(1.0)
    assert (team.papers, team.line.drafts) == (2, 2)
    team.advance(5.0)
    assert team.line.drafts == 1
    team.check_drafts()


def test_experiment_comes_before_the_writing_share():
    team = SmallHumanTeam([by_human(0.25)] * 4, writing_share=0.25, experiment_gpu_days=2.0, experiment_gpus=1)
    team.line.set_size(1)
    team.advance(0.74)
    assert team.line.experiments == 0
    team.advance(0.02)
    assert team.line.experiments == 1
    team.check_drafts()
    team.advance(2.25)
    assert team.papers == 1


def test_experiment_of_a_paper_is_owned_by_the_line():
    team = SmallHumanTeam([by_human(0.5)] * 2, writing_share=0.5, experiment_gpu_days=1.0)
    team.line.set_size(1)
    team.advance(0.6)
    assert [job.owner for job in team.lab.compute.cluster.jobs()] == [-3]


works = st.lists(
    st.one_of(
        st.builds(by_human, st.floats(0.01, 0.5)),
        st.builds(by_ai, st.floats(0.01, 0.5), st.sampled_from([0.0, 0.2])),
        st.builds(TaskWork, st.floats(0.01, 0.5), st.floats(0.01, 0.5), st.sampled_from([0.0, 0.2])),
    ),
    min_size=3,
    max_size=3,
)
moves = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.floats(0, 3)),
        st.tuples(st.just("ais"), st.integers(1, 6)),
        st.tuples(st.just("lose"), st.just(0)),
        st.tuples(st.just("size"), st.integers(0, 12)),
        st.tuples(st.just("hire"), st.just(0)),
        st.tuples(st.just("divide"), works),
        st.tuples(st.just("pickle"), st.just(0)),
    ),
    max_size=25,
)


@examples(60)
@given(works, moves, st.booleans(), st.sampled_from(["whole", "poisson"]), st.sampled_from([0.0, 0.7]))
def test_any_history_conserves_drafts(work, history, reallocation, timing, gpu_days):
    team = SmallHumanTeam(work, 3, reallocation, timing=timing, experiment_gpu_days=gpu_days, experiment_gpus=1)
    team.line.set_ais(2, 1.0)
    team.line.set_size(5)
    largest = 5
    for move, value in history:
        if move == "advance":
            team.advance(value)
        elif move == "ais":
            team.line.set_ais(value, 1.0)
            team.line.redivide()
        elif move == "lose":
            team.division.work = [by_human(0.3)] * 3
            team.line.set_ais(0, 1.0)
            team.line.redivide()
        elif move == "size":
            team.line.set_size(value)
            largest = max(largest, value)
        elif move == "hire":
            team.humans.append(team.hire(len(team.humans) + 1))
        elif move == "divide" and team.line.ais.ais:
            team.division.work = value
            team.line.redivide()
        elif move == "pickle":
            team = pickle.loads(pickle.dumps(team))
        team.check_drafts()
        assert team.line.size <= team.line.drafts <= largest
    if team.line.ais.ais == 0:
        team.division.work = [by_human(0.3)] * 3
        team.line.redivide()
    team.line.set_size(1)
    before = team.papers
    team.advance(100.0)
    assert team.papers > before, "papers no longer get done"
    assert team.line.drafts == 1
    team.check_drafts()
