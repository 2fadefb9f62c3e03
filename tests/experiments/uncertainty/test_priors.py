"""Compare distributions with SciPy, intervals with their probabilities, and ranks with the requested ones."""

import math
import re

import numpy as np
import pytest
from scipy import special, stats

from experiments.uncertainty.distributions import DISTRIBUTIONS, PriorError
from experiments.uncertainty.parsing import GaussianCopula, RankCorrelation, distribution

U = np.linspace(0.001, 0.999, 999)
CASES = {
    "uniform": ({"low": -2.0, "high": 3.0}, stats.uniform(-2, 5)),
    "log-uniform": ({"low": 0.4, "high": 3.6}, stats.loguniform(0.4, 3.6)),
    "normal": ({"mean": 1.0, "sd": 2.0}, stats.norm(1, 2)),
    "lognormal": ({"median": 2.0, "sigma": 0.5}, stats.lognorm(0.5, scale=2)),
    "beta": ({"a": 2.0, "b": 5.0, "low": 1.0, "high": 4.0}, stats.beta(2, 5, 1, 3)),
    "triangular": ({"low": 1.0, "mode": 2.0, "high": 5.0}, stats.triang(0.25, 1, 4)),
}


def made(name, **parameters):
    return distribution({"distribution": name} | parameters, "[inputs.x]")


def test_scipy_cases_cover_every_distribution():
    assert set(CASES) | {"constant", "quantiles"} == set(DISTRIBUTIONS)


@pytest.mark.parametrize("name", CASES)
def test_distribution_equals_that_of_scipy(name):
    parameters, exact = CASES[name]
    found = made(name, **parameters)
    np.testing.assert_allclose(found.ppf(U), exact.ppf(U), rtol=1e-9)
    for x in (-3.0, 0.5, 1.5, 2.5, 6.0):
        assert found.cdf(x) == pytest.approx(exact.cdf(x), abs=1e-12)
    assert found.support == pytest.approx(exact.support())


@pytest.mark.parametrize("name", CASES)
def test_truncated_distribution_is_conditional_on_its_bounds(name):
    parameters, exact = CASES[name]
    found = made(name, **parameters, min=1.5, max=2.5)
    below, above = exact.cdf(1.5), exact.cdf(2.5)
    np.testing.assert_allclose(found.ppf(U), exact.ppf(below + U * (above - below)), rtol=1e-9)
    assert found.support == (1.5, 2.5)
    assert [found.cdf(x) for x in (1.0, 1.5, 2.5, 3.0)] == [0, 0, 1, 1]
    for u in (0.2, 0.7):
        assert found.cdf(float(found.ppf(np.array(u)))) == pytest.approx(u)


def test_quantile_distribution_interpolates_linearly_and_inverts():
    found = made("quantiles", shares=[0, 0.2, 0.7, 1], values=[-1, 0.5, 3, 10])
    assert found.ppf(np.array([0, 0.1, 0.2, 0.45, 0.7, 0.85, 1])) == pytest.approx([-1, -0.25, 0.5, 1.75, 3, 6.5, 10])
    assert [found.cdf(x) for x in (-2, 0.5, 1.75, 10, 11)] == pytest.approx([0, 0.2, 0.45, 1, 1])
    assert found.support == (-1, 10)
    cut = made("quantiles", shares=[0, 0.5, 1], values=[0, 1, 3], min=1)
    assert cut.ppf(np.array([0.25, 0.5])) == pytest.approx([1.5, 2])


@pytest.mark.parametrize(
    ("shares", "values", "says"),
    [
        ([0, 1], [1], "shares has 2 numbers and values has 1; allowed: equally many"),
        ([0, 0.6, 0.5, 1], [1, 2, 3, 4], "shares goes from 0.6 to 0.5; allowed: ascending"),
        ([0, 0.5, 1], [1, 1, 2], "values goes from 1 to 1; allowed: ascending"),
        ([0.1, 0.9], [1, 2], "shares goes from 0.1 to 0.9; allowed: from 0 to 1"),
        (0.5, [1, 2], "shares = 0.5 is not a list; allowed: finite numbers"),
        ([0, 1], [1, math.inf], "values"),
    ],
)
def test_quantile_distribution_with_invalid_values_raises_one_sentence(shares, values, says):
    with pytest.raises(PriorError, match=re.escape(says)):
        made("quantiles", shares=shares, values=values)


@pytest.mark.parametrize("name", [name for name, kind in DISTRIBUTIONS.items() if kind.ci80_allowed])
def test_ci80_has_10_percent_on_each_side(name):
    np.testing.assert_allclose(made(name, ci80=[0.5, 2]).ppf(np.array([0.1, 0.9])), [0.5, 2], rtol=1e-12)


def test_ci80_median_is_geometric_or_arithmetic():
    assert made("lognormal", ci80=[0.5, 2]).ppf(np.array(0.5)) == pytest.approx(1.0)
    assert made("normal", ci80=[0.5, 2]).ppf(np.array(0.5)) == pytest.approx(1.25)


def test_constant_returns_its_value_and_beta_defaults_to_0_to_1():
    assert (made("constant", value=3).ppf(U) == 3).all()
    assert made("constant", value=3).cdf(2.9) == 0
    assert made("beta", a=2, b=2).support == (0, 1)


@pytest.mark.parametrize("rank", [-0.9, -0.3, 0.5, 0.95])
def test_copula_draws_have_the_rank_correlation(rank):
    n, chance = 20_000, np.random.default_rng(5)
    drawn = {name: chance.random(n) for name in ("a", "b", "c")}
    linked = GaussianCopula([RankCorrelation("a", "b", rank)])(drawn)
    found = stats.spearmanr(linked["a"], linked["b"]).statistic
    assert found == pytest.approx(rank, abs=4 / math.sqrt(n))
    np.testing.assert_array_equal(linked["c"], drawn["c"], "an input without a correlation stays as it was")
    assert stats.kstest(linked["b"], "uniform").pvalue > 0.001
    assert abs(stats.spearmanr(linked["b"], linked["c"]).statistic) < 4 / math.sqrt(n)


def correlations_of(copula, names):
    """The correlation matrix M M' of the linear map M between normal scores, from its values at the unit vectors."""
    units = {name: special.ndtr(row) for name, row in zip(names, np.eye(len(names)), strict=True)}
    scores = np.array([special.ndtri(copula(units)[name]) for name in names])
    return scores @ scores.T


@pytest.mark.parametrize("rank", [-0.9, -0.3, 0.5, 0.95])
def test_copula_normal_scores_have_the_exact_correlation(rank):
    found = correlations_of(GaussianCopula([RankCorrelation("a", "b", rank)]), "ab")
    r = 2 * math.sin(math.pi * rank / 6)
    np.testing.assert_allclose(found, [[1, r], [r, 1]], atol=1e-12)


def test_copula_of_three_inputs_has_all_correlations():
    wanted = [RankCorrelation("a", "b", 0.6), RankCorrelation("b", "c", -0.4), RankCorrelation("a", "c", 0.1)]
    found = correlations_of(GaussianCopula(wanted), "abc")
    ab, bc, ac = (2 * math.sin(math.pi * each.rank / 6) for each in wanted)
    np.testing.assert_allclose(found, [[1, ab, ac], [ab, 1, bc], [ac, bc, 1]], atol=1e-12)


def test_copula_of_extreme_uniforms_stays_inside_the_unit_interval():
    linked = GaussianCopula([RankCorrelation("a", "b", 0.9)])({name: np.array([0.0, 1 - 2**-53]) for name in "ab"})
    for values in linked.values():
        assert ((values > 0) & (values < 1)).all()


def test_copula_of_contradictory_correlations_raises():
    wanted = [RankCorrelation("a", "b", 0.9), RankCorrelation("b", "c", 0.9), RankCorrelation("a", "c", -0.9)]
    with pytest.raises(PriorError, match="rank correlations of a, b, c contradict each other"):
        GaussianCopula(wanted)
    with pytest.raises(PriorError, match="not positive definite"):
        GaussianCopula([RankCorrelation("a", "b", 1.0)])


BROKEN = {
    "no distribution": ({}, ["'distribution' is missing"]),
    "unknown": ({"distribution": "log-normal"}, ["'log-normal'", "did you mean 'lognormal'?"]),
    "not a name": ({"distribution": 3}, ["no distribution 3"]),
    "missing parameter": ({"distribution": "beta", "a": 2}, ["beta needs a and b", "missing: b"]),
    "unknown parameter": ({"distribution": "normal", "mean": 1, "std": 2}, ["'std'", "did you mean 'sd'?"]),
    "order": ({"distribution": "uniform", "low": 2, "high": 2}, ["low = 2 is not below high = 2"]),
    "log of 0": ({"distribution": "log-uniform", "low": 0, "high": 2}, ["low = 0 is out of bounds; allowed: above 0"]),
    "no width": ({"distribution": "normal", "mean": 1, "sd": 0}, ["sd = 0 is out of bounds; allowed: above 0"]),
    "mode outside": (
        {"distribution": "triangular", "low": 0, "mode": 3, "high": 2},
        ["mode = 3 is out of bounds; allowed: from low = 0 to high = 2"],
    ),
    "text": ({"distribution": "constant", "value": "one"}, ["value = 'one'", "finite number"]),
    "truth": ({"distribution": "constant", "value": True}, ["value = True", "finite number"]),
    "infinite": ({"distribution": "constant", "value": math.inf}, ["finite number"]),
    "both": ({"distribution": "normal", "ci80": [1, 2], "sd": 2}, ["ci80 determines the distribution", "sd"]),
    "interval order": ({"distribution": "normal", "ci80": [2, 1]}, ["[2, 1] is not in order", "low below high"]),
    "interval of one": ({"distribution": "normal", "ci80": [2]}, ["Write it as [low, high]"]),
    "interval of a log": (
        {"distribution": "lognormal", "ci80": [0, 1]},
        ["ci80 = 0 is out of bounds; allowed: above 0"],
    ),
    "interval of a beta": ({"distribution": "beta", "ci80": [0.1, 0.9]}, ["beta", "cannot be stated by ci80"]),
    "cut order": ({"distribution": "normal", "mean": 0, "sd": 1, "min": 2, "max": 1}, ["min = 2 is not below max = 1"]),
    "nothing left": (
        {"distribution": "uniform", "low": 0, "high": 1, "min": 2},
        ["leave nothing of it", "from 0 to 1"],
    ),
    "cut constant": ({"distribution": "constant", "value": 1, "min": 0}, ["a constant cannot be truncated"]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_distribution_with_an_error_names_its_place(case):
    table, words = BROKEN[case]
    with pytest.raises(PriorError) as caught:
        distribution(table, "[inputs.r]")
    for word in ("[inputs.r]", *words):
        assert word in str(caught.value)
