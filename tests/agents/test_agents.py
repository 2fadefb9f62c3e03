"""Agents: lawful lives, decisions as pure functions, a literature that knows duplicates."""

import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import decisions
from agents.literature import Literature, LiteratureParams
from agents.phases import SUCCESSORS, Census, Phase, UnlawfulPhaseError
from agents.researcher import ResearcherParams
from agents.trainer import TrainingParams

MONTH = 365 / 12


@given(st.sampled_from(Phase), st.sampled_from(Phase))
def test_a_phase_that_cannot_follow_is_refused(old, new):
    census = Census()
    census.enter(old, 0.0)
    if new in SUCCESSORS[old]:
        census.move(old, new, 1.0)
        assert (census.count[old], census.count[new]) == (0, 1)
    else:
        with pytest.raises(UnlawfulPhaseError, match=f"{new} cannot follow {old}"):
            census.move(old, new, 1.0)
        assert census.count[old] == 1


def test_the_census_counts_researcher_days():
    census = Census()
    census.enter(Phase.THINK, 0.0, 3)
    census.move(Phase.THINK, Phase.QUEUE, 2.0)
    census.move(Phase.QUEUE, Phase.RUN, 5.0)
    assert census.days(Phase.THINK, 10.0) == 3 * 2 + 2 * 8
    assert census.days(Phase.QUEUE, 10.0) == 3
    assert census.days(Phase.RUN, 10.0) == 5


@pytest.mark.parametrize("timing", ["poisson", "whole"])
@pytest.mark.parametrize("share", [0.0, 0.25])
def test_thinking_and_writing_add_up_to_a_paper(timing, share):
    params = ResearcherParams(timing=timing, writing_share=share, papers_per_month=2.0)
    stream = np.random.default_rng(1)
    days = [decisions.thinking_days(params, stream) + decisions.writing_days(params, stream) for _ in range(20_000)]
    assert np.mean(days) == pytest.approx(MONTH / 2, rel=0.03 if timing == "poisson" else 1e-12)
    assert (np.std(days) > 1) == (timing == "poisson")


@pytest.mark.parametrize("variation", ["fixed", "exponential", "lognormal"])
def test_experiment_costs_have_the_mean_they_are_asked_for(variation):
    params = ResearcherParams(experiment_variation=variation, experiment_sigma=1.0)
    stream = np.random.default_rng(2)
    costs = [decisions.experiment_gpu_days(params, 3.0, stream) for _ in range(100_000)]
    assert np.mean(costs) == pytest.approx(3.0, rel=0.02)
    spread = {"fixed": 0.0, "exponential": 3.0, "lognormal": 3.0 * math.sqrt(math.e - 1)}[variation]
    assert np.std(costs) == pytest.approx(spread, rel=0.05, abs=1e-12)


@given(st.floats(0, 1e9), st.integers(1, 64), st.integers(1, 64), st.floats(0.01, 100))
def test_a_gang_is_the_least_power_of_two_that_ends_in_time(gpu_days, most, largest, days):
    params = ResearcherParams(experiment_gpus=most, experiment_days=days)
    gpus = decisions.gpus_to_ask(params, gpu_days, largest)
    cap = min(most, largest)
    assert 1 <= gpus <= cap
    if gpus < cap:
        assert gpu_days / gpus <= days * (1 + 1e-9)
        assert gpus.bit_count() == 1
        assert gpus == 1 or gpu_days / (gpus / 2) > days


def test_a_finding_published_meanwhile_from_the_same_ground_is_a_duplicate():
    literature = Literature(LiteratureParams(open_questions=5, references=1))
    assert literature.add((3,)) == (6, False)
    assert literature.add((3,)) == (7, True), "somebody else answered it first"
    assert literature.add((6,)) == (8, False), "the answer opened the next question"
    assert literature.add((4,)) == (9, False), "another question"
    assert literature.add((7,)) == (10, True), "a duplicate opened nothing"
    assert (literature.published, literature.duplicates) == (5, 2)
    assert literature.grounds == [1, 2, 8, 9, 5]


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=40), st.integers(1, 30), st.integers(1, 5))
def test_the_literature_is_a_graph_from_papers_to_earlier_ones(seeds, questions, references):
    literature = Literature(LiteratureParams(open_questions=questions, references=references))
    under_way = []
    for seed in seeds:
        chosen = literature.choose_references(np.random.default_rng(seed))
        assert set(chosen) <= set(literature.grounds)
        under_way.append(chosen)
        if seed % 2:
            first = under_way.pop(0)
            number, _ = literature.add(first)
            assert sorted(literature.graph.successors(number)) == sorted(first)
    assert len(literature.grounds) == len(set(literature.grounds)) == questions
    assert nx.is_directed_acyclic_graph(literature.graph)
    assert all(earlier < later for later, earlier in literature.graph.edges)


def test_training_keeps_the_gain_in_doublings():
    assert TrainingParams(gain=30.0).gain_doublings == pytest.approx(math.log2(30))
