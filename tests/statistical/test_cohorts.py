"""Compare cohorts with individuals over many seeds: papers, waits, use of the GPUs and doubling times.

Seeds are fixed. Kolmogorov-Smirnov and Mann-Whitney tests compare two samples at a joint level of 1% (Bonferroni).
Their means must agree to within 1%. Experiments have one length and the GPUs are scarce. The standard errors of the
differences of means are therefore small, 0.06% to 0.6% without leaps; they are asserted.
"""

import math

import numpy as np
import pytest
from scipy import stats

from agents.params import DAYS_PER_MONTH
from sim import run_statistics
from sim.scenario.model import Scenario
from sim.world import World
from tests.oracles import report
from tests.support.cohorts import form_cohort

SEEDS = 250
LEVEL = 0.01
OBSERVED = ("papers", "mean wait", "utilisation", "first doubling")

DAILY = Scenario().replace(
    growth__law="papers",
    growth__difficulty_growth=1.5,
    training__required=False,
    kernels__measurements="none",
    researcher__papers_per_month=DAYS_PER_MONTH,
    researcher__experiment_variation="fixed",
    researcher__experiment_scaling=1.0,
    researcher__experiment_gpus=2,
    cluster__training_share=0.0,
    literature__open_questions=100,
    literature__references=1,
    run__max_doublings=20,
    run__sample_days=1e3,
    run__max_individuals=1_000_000,
)
"""A paper takes a day of thinking and writing; a team that doubles shares as many GPUs as before."""
FEW = DAILY.replace(
    researcher__initial=24,
    growth__papers_first_doubling=30.0,
    researcher__experiment_gpu_days=0.8,
    researcher__experiment_days=0.25,
    cluster__gpus=16,
    cluster__gpu_hours_between_failures=500.0,
    run__horizon_days=8.0,
    run__leap_tolerance=0.0,
)
"""Twice as many experiments as eight GPUs can run, on gangs of two that may fail."""
MANY = DAILY.replace(
    researcher__initial=150,
    growth__papers_first_doubling=100.0,
    researcher__experiment_gpu_days=0.016,
    researcher__experiment_days=0.001,
    cluster__gpus=4,
    cluster__gpus_per_node=2,
    cluster__gpu_hours_between_failures=0.0,
    cluster__queue="fcfs",
    run__horizon_days=1.3,
)
"""Three to six researchers leap together, and experiments are so small that two of them run as one job."""


def live(scenario: Scenario, seed: int, cohorts_of: int) -> tuple[float, ...]:
    """Return papers, mean wait, utilisation and first doubling; ``cohorts_of``: size of the cohorts, 0 for none."""
    world = World(scenario, seed)
    first = list(world.lab.workforce.researchers) if cohorts_of else []
    for place in range(0, len(first), cohorts_of or 1):
        form_cohort(world.lab.workforce, first[place : place + cohorts_of])
    while world.running:
        world.step()
    world.close()
    experiments = [job for job in world.lab.compute.datacenter.records if job.use == "experiment"]
    waited = sum(job.waited for job in experiments) / sum(job.tasks for job in experiments)
    possible = world.lab.compute.gpus_for["experiment"].total(world.now)
    held = world.lab.compute.datacenter.gpu_time("experiment")
    return world.lab.knowledge.papers, waited, held / possible, run_statistics.doublings(world)[0].duration_days


def sample(scenario: Scenario, cohorts_of: int = 0) -> np.ndarray:
    return np.array([live(scenario, seed, cohorts_of) for seed in range(SEEDS)])


def in_one_cohort(scenario: Scenario) -> Scenario:
    return scenario.replace(run__max_individuals=0)


@pytest.fixture(scope="module")
def few() -> np.ndarray:
    return sample(FEW)


@pytest.fixture(scope="module")
def leaps() -> tuple[np.ndarray, np.ndarray]:
    """Return samples of individuals, and of a cohort with leaps and jobs of two experiments."""
    return sample(MANY), sample(in_one_cohort(MANY))


def check_means(one: np.ndarray, other: np.ndarray, columns: dict[str, float], within: float = 0.01) -> None:
    """Compare means; ``columns``: the largest relative standard error of each difference."""
    for name, error in columns.items():
        a, b = one[:, OBSERVED.index(name)], other[:, OBSERVED.index(name)]
        assert math.hypot(stats.sem(a), stats.sem(b)) < error * a.mean(), name
        assert b.mean() == pytest.approx(a.mean(), rel=within), name


def check_laws(one: np.ndarray, other: np.ndarray, tests: int, columns: tuple[str, ...] = OBSERVED) -> None:
    """Test that two samples have one distribution; ``tests``: number of tests that share the level."""
    for name in columns:
        a, b = one[:, OBSERVED.index(name)], other[:, OBSERVED.index(name)]
        assert stats.ks_2samp(a, b, method="asymp").pvalue > LEVEL / tests, name
        assert stats.mannwhitneyu(a, b).pvalue > LEVEL / tests, name


@pytest.mark.parametrize("cohorts_of", [6, 24])
def test_cohorts_have_the_distribution_of_individuals(few, cohorts_of):
    other = sample(FEW, cohorts_of) if cohorts_of < 24 else sample(in_one_cohort(FEW))
    check_laws(few, other, tests=16)
    check_means(few, other, {"papers": 0.0015, "mean wait": 0.0065, "utilisation": 0.0007, "first doubling": 0.0036})


def test_cohorts_with_leaps_keep_the_means_of_individuals(leaps):
    """Leaps and jobs of two experiments start work later, so that papers are fewer by a small part of the leap.

    Waits vary most, by a quarter of their mean, and are compared to within 6%, which is 2.5 standard errors.
    """
    check_means(*leaps, {"papers": 0.0029, "utilisation": 0.001, "first doubling": 0.0036})
    check_means(*leaps, {"mean wait": 0.024}, within=0.06)


def test_cohorts_with_leaps_keep_the_variance_of_individuals(leaps):
    """Waits and doubling times have one distribution around their means; papers, which come in pairs, vary as much.

    Utilisation differs: the GPUs idle only until the first leap, which is later than the first single idea.
    """
    alone, cohort = (each / each.mean(axis=0) for each in leaps)
    check_laws(alone, cohort, tests=4, columns=("mean wait", "first doubling"))
    papers, spread_error = OBSERVED.index("papers"), 1 / math.sqrt(SEEDS)
    ratio = cohort[:, papers].std(ddof=1) / alone[:, papers].std(ddof=1)
    assert abs(math.log(ratio)) < stats.norm.ppf(1 - LEVEL / 2) * spread_error


@pytest.mark.parametrize("leap_tolerance", [0.02, 0.2])
def test_cohort_doublings_without_experiments_are_gamma_distributed(leap_tolerance):
    """The closed form of individuals: 120 papers of 200 researchers, then 180 of 400."""
    scenario = in_one_cohort(DAILY).replace(
        researcher__initial=200,
        researcher__writing_share=0.0,
        researcher__experiment_gpu_days=0.0,
        growth__papers_first_doubling=120.0,
        run__max_doublings=2,
        run__leap_tolerance=leap_tolerance,
    )
    found = []
    for seed in range(SEEDS):
        world = World(scenario, seed)
        while world.running:
            world.step()
        world.close()
        found.append([doubling.duration_days for doubling in run_statistics.doublings(world)])
    for doubling, (papers, team) in enumerate([(120, 200), (180, 400)]):
        times = np.array(found)[:, doubling]
        mean, _ = report.poisson_months(papers, team)  # days here: a paper takes one
        assert times.mean() == pytest.approx(mean, rel=0.01)
        assert stats.kstest(times, stats.gamma(papers, scale=1 / team).cdf).pvalue > LEVEL / 4
