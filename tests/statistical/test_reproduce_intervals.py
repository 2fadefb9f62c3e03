"""Intervals of `asara reproduce`: their coverage, the family's rate of false alarms, and what they refute.

Doubling times are drawn from NumPy's Gamma law, so that thousands of sets of seeds cost a second. Where figures are
counted, a right program fails with a probability below 1e-4 for other seeds; those here are fixed.
"""

import numpy as np
import pytest
from scipy import stats

from experiments.reproduction.comparison import Comparison
from experiments.reproduction.intervals import (
    MISSES,
    clopper_pearson,
    gamma_mean,
    mean_of_batches,
    poisson_papers,
    seeds_needed,
)
from experiments.reproduction.report_claims import poisson_row, run_poisson_row

FIZZLE = [(2, 1), (6, 2), (18, 4), (54, 8)]
NEEDED = seeds_needed((2, 6, 18, 54))


def drawn(seeds, seed, scale=1.0, shape=1.0):
    """Months of the fizzle's doublings: Gamma(n, rate N), times a scale; or with another shape and the same mean."""
    chance = np.random.default_rng(seed)
    columns = [chance.gamma(n * shape, scale / (team * shape), seeds) for n, team in FIZZLE]
    return np.array(columns).T


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (7, 20), (20, 20), (410, 800)])
def test_clopper_pearson_equals_the_interval_of_scipy(hits, n):
    exact = stats.binomtest(hits, n).proportion_ci(1 - MISSES, method="exact")
    assert clopper_pearson(hits, n) == pytest.approx((exact.low, exact.high), rel=1e-9)


@pytest.mark.parametrize("shape", [40, 378, 10_206])
def test_gamma_mean_has_its_stated_error_rate(shape):
    """The interval of a mean of 1 misses it where the sum lies beyond the chi-square's own quantiles."""
    for tail in (stats.chi2(2 * shape).ppf(MISSES / 2), stats.chi2(2 * shape).isf(MISSES / 2)):
        ends = gamma_mean(tail / (2 * shape), shape)
        assert min(abs(ends.low - 1), abs(ends.high - 1)) < 1e-9


def test_mean_of_batches_equals_students_interval():
    means = np.random.default_rng(1).normal(3, 1, 20)
    exact = stats.ttest_1samp(means, 3).confidence_interval(1 - MISSES)
    assert mean_of_batches(means) == pytest.approx((exact.low, exact.high), rel=1e-9)


def test_correct_simulator_is_refuted_at_most_at_the_stated_rate():
    """4,000 sets of just enough seeds: five of 16 parts of 1% are 12.5 sets, with a probability of 1e-4 over 28."""
    sets = 4000
    outcomes = [poisson_papers(drawn(NEEDED, seed), FIZZLE).outcome for seed in range(sets)]
    assert set(outcomes) == {"holds", "refuted"}
    expected = sets * 5 * 0.01 / 16
    assert 1 <= outcomes.count("refuted") <= stats.binom(sets, expected / sets).ppf(1 - 1e-4)


def test_comparison_of_too_few_seeds_is_undecided():
    outcomes = {poisson_papers(drawn(20, seed), FIZZLE).outcome for seed in range(500)}
    assert outcomes == {"cannot tell"}
    row = poisson_row("F1", "toy-fizzle", FIZZLE, drawn(20, 3, scale=0.3))
    assert (row.outcome, row.note) == ("cannot tell", f"20 seeds are too few; allowed: at least {NEEDED}")


def test_comparison_of_20_worlds_is_undecided():
    rows: list[Comparison] = [run_poisson_row("F1", "toy-fizzle", FIZZLE, 20)]
    rows.append(run_poisson_row("F4", "toy-exponential", [(2 * 2**i, 2**i) for i in range(4)], 20))
    assert [row.outcome for row in rows] == ["cannot tell"] * 2


def test_seeds_needed_give_intervals_within_20_percent():
    ends = [gamma_mean(1.0, 2 * seeds) for seeds in (NEEDED - 1, NEEDED)]
    halves = [clopper_pearson(2 * seeds, 4 * seeds) for seeds in (NEEDED - 1, NEEDED)]
    reach = [max(a.high - 1, 1 - a.low, 2 * b.high - 1, 1 - 2 * b.low) for a, b in zip(ends, halves, strict=True)]
    assert reach[1] <= 0.2 < reach[0]


@pytest.mark.parametrize("wrong", [{"scale": 1.1}, {"scale": 1 / 1.1}, {"shape": 2.0}, {"shape": 0.5}])
def test_wrong_figure_with_enough_seeds_is_refuted(wrong):
    """Means that are a tenth off; the right means with half or twice the variance."""
    outcomes = [poisson_papers(drawn(1000, seed, **wrong), FIZZLE).outcome for seed in range(20)]
    assert outcomes == ["refuted"] * 20


def test_worlds_of_another_law_are_refuted():
    """The exponential's Worlds against the fizzle's papers: doubling 2 takes 2 months for 3."""
    row = run_poisson_row("F1", "toy-exponential", FIZZLE, NEEDED)
    assert row.outcome == "refuted"
