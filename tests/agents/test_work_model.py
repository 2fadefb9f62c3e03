"""Tests of the total cost of many experiments, which is the sum of single draws."""

import math

import numpy as np
import pytest

from agents import work_model
from agents.params import ResearcherParams


def spread(variation: str, sigma: float) -> float:
    """Standard deviation of one experiment of mean 1."""
    return {"fixed": 0.0, "exponential": 1.0, "lognormal": math.sqrt(math.expm1(sigma**2))}[variation]


def sums(params: ResearcherParams, number: int, times: int, seed: int) -> np.ndarray:
    stream = np.random.default_rng(seed)
    return np.array([work_model.draw_total_gpu_days(params, 2.0, number, stream) for _ in range(times)])


@pytest.mark.parametrize("number", [1, 2, 64, 256, 257, 100_000, 10**9, 10**15])
@pytest.mark.parametrize("variation", ["fixed", "exponential", "lognormal"])
def test_total_gpu_days_of_many_equal_the_sum_of_single_draws(variation: str, number: int) -> None:
    """Mean within 5 standard errors; variance within 15%: of 4,000 normal sums its standard error is 2.2%."""
    sigma, times = 0.8, 4000
    params = ResearcherParams(experiment_variation=variation, experiment_sigma=sigma)
    drawn = sums(params, number, times, seed=number % 1000)
    sd = 2.0 * spread(variation, sigma) * math.sqrt(number)
    assert abs(drawn.mean() - 2.0 * number) <= 5 * sd / math.sqrt(times) + 1e-9 * number
    if number > 2:
        assert drawn.std() == pytest.approx(sd, rel=0.15, abs=1e-9)
    if variation != "fixed":
        assert len(set(drawn.tolist())) == times, "each is drawn"


@pytest.mark.parametrize("sigma", [0.0, 0.3, 1.0, 1.96, 3.0])
def test_lognormal_bins_keep_the_mean_and_most_of_the_variance(sigma: float) -> None:
    """The lost variance is that within quarters: (sigma / 4)^2 / 12 of a mean square, for a lognormal."""
    shares, means = work_model.lognormal_bins(sigma)
    assert shares.sum() == pytest.approx(1.0, abs=1e-12)
    assert shares @ means == pytest.approx(1.0, abs=1e-6)
    variance = shares @ (means - 1.0) ** 2
    if sigma:
        lost = (sigma / 4) ** 2 / 12 * math.exp(sigma**2) / math.expm1(sigma**2)
        assert 1 - variance / math.expm1(sigma**2) == pytest.approx(lost, rel=0.15, abs=1e-9)


def test_total_gpu_days_is_continuous_at_the_change_of_method() -> None:
    """256 are drawn one by one, 257 by quarters: the same quantiles within the error of 3,000 draws each."""
    params = ResearcherParams(experiment_variation="lognormal", experiment_sigma=1.96)
    one_by_one, quarters = sums(params, 256, 3000, seed=1), sums(params, 257, 3000, seed=2)
    sd = 2.0 * math.sqrt(256 * math.expm1(1.96**2))
    for quantile in (0.05, 0.25, 0.5, 0.75, 0.95):
        assert abs(np.quantile(one_by_one, quantile) - np.quantile(quarters, quantile)) < 0.15 * sd


def test_total_gpu_days_of_one_equals_a_single_draw() -> None:
    """A cohort of one draws the same number as the individual."""
    for variation in ("fixed", "exponential", "lognormal"):
        params = ResearcherParams(experiment_variation=variation)
        alone = work_model.experiment_gpu_days(params, 3.0, np.random.default_rng(4))
        assert work_model.draw_total_gpu_days(params, 3.0, 1, np.random.default_rng(4)) == alone


@pytest.mark.parametrize("share", [0.0, 0.2, 0.95])
def test_mean_days_of_activities_add_up_to_a_paper(share: float) -> None:
    params = ResearcherParams(writing_share=share, papers_per_month=0.5)
    parts = work_model.mean_days(params, "thinking"), work_model.mean_days(params, "writing")
    assert sum(parts) == pytest.approx(1 / params.papers_per_day)
    assert parts[1] == pytest.approx(share / params.papers_per_day)
