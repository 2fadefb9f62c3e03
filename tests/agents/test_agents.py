"""Tests of phases, decisions and the literature with its duplicates."""

import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import work_model
from agents.literature import Literature
from agents.params import LiteratureParams, ResearcherParams, TrainingParams
from agents.phases import ALLOWED_TRANSITIONS, InvalidTransitionError, Phase, PhaseOccupancy

MONTH = 365 / 12


@given(st.sampled_from(Phase), st.sampled_from(Phase))
def test_phase_move_to_an_invalid_phase_raises(old, new):
    census = PhaseOccupancy()
    census.enter(old, 0.0)
    if new in ALLOWED_TRANSITIONS[old]:
        census.move(old, new, 1.0)
        assert (census.count[old], census.count[new]) == (0, 1)
    else:
        with pytest.raises(InvalidTransitionError, match=f"{new} cannot follow {old}"):
            census.move(old, new, 1.0)
        assert census.count[old] == 1


def test_phase_occupancy_counts_researcher_days():
    census = PhaseOccupancy()
    census.enter(Phase.THINK, 0.0, 3)
    census.move(Phase.THINK, Phase.QUEUE, 2.0)
    census.move(Phase.QUEUE, Phase.RUN, 5.0)
    assert census.days(Phase.THINK, 10.0) == 3 * 2 + 2 * 8
    assert census.days(Phase.QUEUE, 10.0) == 3
    assert census.days(Phase.RUN, 10.0) == 5


@pytest.mark.parametrize("timing", ["poisson", "whole"])
@pytest.mark.parametrize("share", [0.0, 0.25])
def test_thinking_and_writing_days_add_up_to_days_per_paper(timing, share):
    params = ResearcherParams(timing=timing, writing_share=share, papers_per_month=2.0)
    stream = np.random.default_rng(1)
    days = [work_model.thinking_days(params, stream) + work_model.writing_days(params, stream) for _ in range(20_000)]
    assert np.mean(days) == pytest.approx(MONTH / 2, rel=0.03 if timing == "poisson" else 1e-12)
    assert (np.std(days) > 1) == (timing == "poisson")


@pytest.mark.parametrize("variation", ["fixed", "exponential", "lognormal"])
def test_experiment_gpu_days_have_the_requested_mean(variation):
    params = ResearcherParams(experiment_variation=variation, experiment_sigma=1.0)
    stream = np.random.default_rng(2)
    costs = [work_model.experiment_gpu_days(params, 3.0, stream) for _ in range(100_000)]
    assert np.mean(costs) == pytest.approx(3.0, rel=0.02)
    spread = {"fixed": 0.0, "exponential": 3.0, "lognormal": 3.0 * math.sqrt(math.e - 1)}[variation]
    assert np.std(costs) == pytest.approx(spread, rel=0.05, abs=1e-12)


@given(st.floats(0, 80), st.integers(1, 64), st.integers(1, 64), st.sampled_from([0.25, 1.0, 4.0]))
def test_gang_size_is_the_least_power_of_two_within_experiment_days(gpus_needed, most, largest, days):
    params = ResearcherParams(experiment_gpus=most, experiment_days=days)
    cap = min(most, largest)
    powers = [1, 2, 4, 8, 16, 32, 64]
    in_time = [power for power in powers if power >= gpus_needed and power <= cap]
    assert work_model.gang_size(params, gpus_needed * days, largest) == min([*in_time, cap])


@pytest.mark.parametrize(
    ("gpu_days", "most", "gpus"),
    [
        (0.5, 8, 1),
        (1.0, 8, 1),
        (1.1, 8, 2),
        (2.0, 8, 2),
        (2.1, 8, 4),
        (4.0, 8, 4),
        (4.1, 8, 8),
        (4.1, 6, 6),
        (9.0, 8, 8),
    ],
)
def test_gang_size_for_one_day_experiments_equals_rounded_up_gpu_days(gpu_days, most, gpus):
    assert work_model.gang_size(ResearcherParams(experiment_gpus=most, experiment_days=1.0), gpu_days, 64) == gpus


class Places:
    """A random stream that returns these places in order."""

    def __init__(self, *places):
        self.places = list(places)

    def integers(self, low, high, size):
        return np.array([self.places.pop(0) for _ in range(size)])


def test_literature_paper_on_an_answered_question_is_a_duplicate():
    literature = Literature(LiteratureParams(open_questions=5, references=1))
    places = Places(2, 2, 2, 3, 2)
    assert literature.add(5, places) == (6, False)
    assert literature.add(5, places) == (7, True), "paper 6 answered it first"
    assert literature.add(7, places) == (8, False), "the answer opened the next question"
    assert literature.add(5, places) == (9, False), "another question"
    assert literature.add(7, places) == (10, True), "a duplicate opened nothing"
    assert (literature.published, literature.duplicates) == (5, 2)
    assert literature.open_question_papers == [1, 2, 8, 9, 5]
    assert list(literature.graph.successors(7)) == [3], "it builds on a paper of its start"


def test_literature_question_after_the_latest_known_paper_is_open():
    literature = Literature(LiteratureParams(open_questions=5, references=1))
    places = Places(4, 4, 4)
    assert literature.add(5, places) == (6, False), "it builds on paper 5, the latest when it began"
    assert literature.add(6, places) == (7, False), "it builds on paper 6, the latest when it began"
    assert literature.add(6, places) == (8, True), "paper 7 answered that question meanwhile"


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=40), st.integers(1, 30), st.integers(1, 5))
def test_literature_citations_point_to_earlier_papers(seeds, questions, references):
    literature = Literature(LiteratureParams(open_questions=questions, references=references))
    under_way = []
    for seed in seeds:
        under_way.append((literature.latest, literature.open_question_papers))
        if seed % 2:
            known_at_start, grounds = under_way.pop(0)
            number, _ = literature.add(known_at_start, np.random.default_rng(seed))
            assert 1 <= len(list(literature.graph.successors(number))) <= references
            assert set(literature.graph.successors(number)) <= set(grounds)
    assert len(literature.open_question_papers) == len(set(literature.open_question_papers)) == questions
    assert nx.is_directed_acyclic_graph(literature.graph)
    assert all(earlier < later for later, earlier in literature.graph.edges)


@given(st.integers(2, 500), st.integers(1, 60), st.integers(0, 10**6))
def test_literature_batch_answers_each_question_once(papers, questions, seed):
    literature = Literature(LiteratureParams(open_questions=questions))
    stream = np.random.default_rng(seed)
    duplicates = literature.add_many(papers, literature.latest, stream)
    answered = sum(ground > questions for ground in literature.open_question_papers)
    assert papers - duplicates == answered >= 1
    assert (literature.latest, literature.published) == (questions + papers, papers)
    assert literature.add_many(papers, questions, stream) >= papers - (questions - answered), "some are answered"


def test_literature_batch_has_as_many_new_papers_as_single_papers():
    """100 papers on 200 questions, all begun before: the number of answered questions is that of balls in urns."""
    new = {"one": [], "many": []}
    for seed in range(400):
        for way, found in new.items():
            literature = Literature(LiteratureParams(open_questions=200, references=1))
            stream = np.random.default_rng((seed, way == "one"))
            if way == "many":
                duplicates = literature.add_many(100, 200, stream)
            else:
                duplicates = sum(literature.add(200, stream)[1] for _ in range(100))
            found.append(100 - duplicates)
    expected = 200 * (1 - (1 - 1 / 200) ** 100)
    for found in new.values():
        assert abs(np.mean(found) - expected) < 4 * np.std(found) / 20


@pytest.mark.parametrize(("gain", "doublings"), [(2.0, 1.0), (8.0, 3.0), (1024.0, 10.0)])
def test_training_gain_of_a_power_of_two_is_whole_doublings(gain, doublings):
    assert TrainingParams(gain=gain).gain_doublings == doublings
