"""The World against theory: Poisson papers, whole papers, pooled work, and researchers who share GPUs.

Statistical tests run fixed seeds; their intervals are 99% or wider, so they pass always or never.
"""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from sim.events import Deployed, SoftwareDoubled, TrainingRequested
from sim.runner import run
from sim.scenario.model import Scenario
from sim.world import World
from tests.oracles import queueing, report

SEEDS = 500
Z = stats.norm.ppf(0.995)


def doubling_months(scenario: Scenario, seed: int = 0) -> list[float]:
    return [doubling.duration_days / report.MONTH for doubling in run(scenario, seed).doublings]


def toy(name: str, doublings: int, **changes) -> Scenario:
    longest = {"run__horizon_days": 1e6, "run__sample_days": 1e6, "run__max_doublings": doublings}
    return Scenario.load(name).replace(**(longest | changes))


@pytest.fixture(scope="module")
def histories() -> dict[str, np.ndarray]:
    """Months of each doubling, one row a seed."""
    return {
        name: np.array([doubling_months(toy(name, 4), seed) for seed in range(SEEDS)])
        for name in ("toy-fizzle", "toy-exponential")
    }


@pytest.mark.parametrize(("name", "growth"), [("toy-fizzle", 3), ("toy-exponential", 2)])
@pytest.mark.parametrize("i", range(4))
def test_poisson_doublings_are_gamma_distributed(histories, name, growth, i):
    papers, team = 2 * growth**i, 2**i
    mean, variance = report.poisson_months(papers, team)
    sample = histories[name][:, i]
    assert abs(sample.mean() - mean) < Z * math.sqrt(variance / SEEDS)
    kurtosis = 3 + 6 / papers
    assert abs(sample.var(ddof=1) - variance) < Z * variance * math.sqrt((kurtosis - 1) / SEEDS)
    assert stats.kstest(sample, stats.gamma(papers, scale=1 / team).cdf).pvalue > 0.005


def test_whole_papers_started_together_equal_the_report():
    months = doubling_months(toy("toy-fizzle", 6, researcher__timing="whole"))
    assert months == pytest.approx([report.whole_paper_months(2, 3, i) for i in range(6)], rel=1e-12)


@pytest.mark.parametrize(("name", "growth"), [("toy-fizzle", 3.0), ("toy-explosion", 1.5), ("toy-exponential", 2.0)])
def test_pooled_work_equals_the_report_exactly(name, growth):
    months = doubling_months(toy(name, 8, researcher__timing="pooled"))
    assert months == pytest.approx([report.toy_doubling_months(2, growth, i) for i in range(8)], rel=1e-9)


@pytest.mark.parametrize(("name", "r"), [("returns-0.7", 0.7), ("returns-0.9", 0.9), ("returns-3", 3.0)])
def test_pooled_doublings_with_returns_form_the_chain_exactly(name, r):
    days = [doubling.duration_days for doubling in run(Scenario.load(name), 0).doublings]
    assert len(days) >= 5
    assert days == pytest.approx([report.MONTH * report.ratio(r) ** i for i in range(len(days))], rel=1e-9)


def test_penalty_brings_the_doubling_ratio_nearer_to_1():
    days = [doubling.duration_days for doubling in run(Scenario.load("toes"), 0).doublings]
    ratios = [later / earlier for earlier, later in pairwise(days)]
    assert ratios == pytest.approx([report.ratio(3.0, 0.5)] * len(ratios), rel=1e-6)


def test_doublings_towards_a_limit_equal_falling_returns():
    law = Scenario.load("limits").growth
    result = run(Scenario.load("limits"), 0)
    efforts = [2.0 ** report.effort_to(n, law.r, law.limit_doublings, 20_000) for n in range(8)]
    expected = [(high - low) / 2**n for n, (low, high) in enumerate(pairwise(efforts))]
    found = [doubling.duration_days for doubling in result.doublings[:7]]
    assert [f / found[0] for f in found] == pytest.approx([e / expected[0] for e in expected], rel=1e-4)
    assert result.ending == "limit reached"
    assert (result.pace.name, result.long_run.kind) == ("undecided", "fizzle"), "no software lies beyond the limit"


def test_whole_papers_converge_to_the_closed_form_at_first_order():
    """Papers halved in size k times and written 2^k times as fast: the error of the end halves with them."""
    growth_of_papers, doublings, halvings = 2.7, 7, range(6)
    exact = sum(report.toy_doubling_months(2, growth_of_papers, i) for i in range(doublings))
    errors = []
    for k in halvings:
        size = {"growth__papers_first_doubling": 2.0 * 2**k, "researcher__papers_per_month": 1.0 * 2**k}
        law = {"growth__difficulty_growth": growth_of_papers, "researcher__timing": "whole"}
        errors.append(sum(doubling_months(toy("toy-fizzle", doublings, **size, **law))) / exact - 1)
    assert min(errors) > 0, "whole papers can only take longer"
    order = np.polyfit([-k * math.log(2) for k in halvings], np.log(errors), 1)[0]
    assert 0.8 < order < 1.2


@pytest.mark.parametrize("k", [0.75, 0.9])
def test_training_runs_form_the_geometric_series(k):
    runs = [e for e in run(Scenario.load(f"retraining-{k:g}"), 0).events if isinstance(e, TrainingRequested)]
    assert [event.run_days for event in runs] == pytest.approx([2 * report.MONTH * k**n for n in range(len(runs))])
    back_to_back = runs[15].day + runs[15].run_days - runs[0].day
    assert back_to_back == pytest.approx(2 * report.MONTH * (1 - k**16) / (1 - k), rel=1e-9)


def test_training_runs_of_gain_30_are_3_times_shorter_and_10_times_better():
    changes = {
        "training__gain": 30.0,
        "training__speedup_exponent": math.log(3) / math.log(30),
        "run__max_doublings": 16,
    }
    result = run(Scenario.load("retraining-0.75").replace(**changes), 0)
    runs = [event.run_days for event in result.events if isinstance(event, TrainingRequested)]
    deployed = [event.deployed for event in result.events if isinstance(event, Deployed)]
    assert runs[0] / runs[1] == pytest.approx(3)
    assert 2 ** deployed[0] == pytest.approx(10)


@pytest.mark.parametrize("team", [2, 6, 12])
def test_world_throughput_equals_the_machine_repairman(team):
    """N researchers, exponential thinking and experiments on c GPUs: the birth-death chain's throughput."""
    gpus, days, papers_per_day = 4, 2.0, 0.25
    scenario = Scenario().replace(
        growth__first_doubling_days=1e6,
        training__required=False,
        training__gain=1e6,
        kernels__measurements="none",
        cluster__gpus=8,
        cluster__gpus_per_node=1,
        cluster__inference_share=0.5,
        cluster__training_share=0.0,
        cluster__queue="fcfs",
        cluster__gpu_hours_between_failures=0.0,
        researcher__initial=team,
        researcher__writing_share=0.0,
        researcher__papers_per_month=papers_per_day * report.MONTH,
        researcher__experiment_gpu_days=days,
        researcher__experiment_variation="exponential",
        researcher__experiment_gpus=1,
        run__horizon_days=2000.0,
        run__sample_days=2000.0,
    )
    throughput = [run(scenario, seed).papers / 2000 for seed in range(12)]
    expected, _ = queueing.repairman(team, gpus, think=1 / papers_per_day, service=days)
    half = stats.t.ppf(0.995, 11) * np.std(throughput, ddof=1) / math.sqrt(12)
    assert abs(np.mean(throughput) - expected) < half + 0.003 * expected


def test_duplicates_with_few_open_questions_imply_a_penalty():
    crowded = toy("toy-exponential", 8, literature__open_questions=5)
    roomy = toy("toy-exponential", 8, literature__open_questions=100_000)
    assert run(crowded, 1).duplicate_share > 0.7
    assert run(crowded, 1).toes_exponent < 0.7
    assert run(roomy, 1).duplicate_share < 0.02
    assert run(roomy, 1).toes_exponent == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_doubling_needs_the_papers_and_weighted_duplicates_of_the_law(weight):
    """Doubling n needs 2 (2^n - 1) papers; of d duplicates (1 - weight) d are written on top, to a paper."""
    marks = [
        event
        for event in run(
            toy("toy-exponential", 6, literature__open_questions=10, literature__duplicate_weight=weight), 1
        ).events
        if isinstance(event, SoftwareDoubled)
    ]
    assert [mark.papers - (1 - weight) * mark.duplicates for mark in marks] == [2 * (2**n - 1) for n in range(1, 7)]
    assert marks[-1].duplicates > 20


def test_frontier_experiments_fill_the_cluster_and_delay_doublings():
    """Near-frontier experiments fill the cluster, experiments of fixed size leave it as it was; the seeds are paired.

    The delay of doubling 8 is above 0 by a one-sided t test on 4 pairs: false-alarm rate 0.1%.
    """
    changes = {
        "run__max_doublings": 8,
        "training__required": False,
        "researcher__initial": 32,
        "growth__calibrated_for": 32,
        "cluster__gpus": 64,
    }
    fixed, frontier = (
        [run(Scenario.load(f"lab-{camp}-experiments").replace(**changes), seed) for seed in range(4)]
        for camp in ("fixed", "frontier")
    )
    delays = [slow.doublings[-1].day - fast.doublings[-1].day for slow, fast in zip(frontier, fixed, strict=True)]
    assert np.mean(delays) > stats.t.ppf(0.999, 3) * np.std(delays, ddof=1) / 2
    for slow, fast in zip(frontier, fixed, strict=True):
        assert slow.time_shares["experiments"] > 5 * fast.time_shares["experiments"]
        assert fast.limited_by == "researchers"


def test_priority_partitioning_gives_gpus_of_research_to_training():
    scenario = Scenario().replace(
        cluster__partitioning="priority",
        cluster__training_share=0.5,
        cluster__gpus=64,
        researcher__initial=8,
        growth__calibrated_for=8,
        training__gpus=48,
        run__max_doublings=3,
        cluster__gpu_hours_between_failures=0.0,
    )
    world = World(scenario, 0)
    while world.running:
        world.step()
    series = world.datacollector.model_vars
    training = np.array(series["gpus_training"]) > 0
    inference = np.array(series["gpus_inference"])
    assert inference[training].max() <= 64 - 48
    assert inference[~training].max() == 32
    assert np.array(series["researchers_paused"])[training].max() > 0
