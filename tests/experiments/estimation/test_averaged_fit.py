"""r averaged over noise models, compared with generalised least squares by dense covariance matrices."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from experiments.estimation.averaged_fit import NOISE_MODELS, NoiseModel, average, periods, recommend
from experiments.estimation.growth_fit import Series


def made(seed: int, rows: int = 14, noise: float = 0.15) -> Series:
    rng = np.random.default_rng(seed)
    effort = rng.uniform(0.3, 3, rows)
    return Series(effort, (2 + np.cumsum(effort)) ** 0.9 * 2.0 ** rng.normal(0, noise, rows))


def covariance(model: NoiseModel, series: Series, before: float) -> Any:
    """Covariance of log2 performance up to a factor, from the definition of each model."""
    rows = len(series.effort)
    if model.kind == "ar1":
        apart = np.abs(np.subtract.outer(np.arange(rows), np.arange(rows)))
        return model.correlation**apart + 1e-6 * np.eye(rows)
    x = np.log2(before + np.cumsum(series.effort))
    steps = np.ones(rows - 1) if model.kind == "walk" else np.diff(x) ** 2 / series.effort[1:]
    walk = np.concatenate([[0.0], np.cumsum(steps / steps.mean())])
    return np.eye(rows) + model.ratio * np.minimum.outer(walk, walk)


def dense(series: Series, before: float) -> list[tuple[float, float, float]]:
    """For each model: r, its standard error, and the log marginal likelihood by numbers, not by formula."""
    x = np.log2(before + np.cumsum(series.effort))
    design = np.column_stack([np.ones_like(x), (x - x.mean()) / x.std()])
    y = np.log2(series.performance)
    found = []
    for model in NOISE_MODELS:
        matrix = covariance(model, series, before)
        root = np.linalg.cholesky(np.linalg.inv(matrix)).T
        beta, rest, *_ = np.linalg.lstsq(root @ design, root @ y, rcond=None)
        inverse = np.linalg.inv(design.T @ np.linalg.inv(matrix) @ design)
        degrees = len(y) - 2
        error = math.sqrt(rest[0] / degrees * inverse[1, 1]) / x.std()
        marginal = (
            -0.5 * np.linalg.slogdet(matrix)[1] + 0.5 * np.linalg.slogdet(inverse)[1] - degrees / 2 * np.log(rest[0])
        )
        found.append((beta[1] / x.std(), error, marginal + math.log(model.weight)))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_averaged_fit_with_known_initial_effort_equals_dense_least_squares(seed: int) -> None:
    series = made(seed)
    fit = average(series, 2.0)
    parts = dense(series, 2.0)
    weights = np.exp([each[2] for each in parts] - max(each[2] for each in parts))
    weights /= weights.sum()

    def cdf(r: float) -> float:
        return float(sum(w * stats.t.cdf(r, 12, at, error) for w, (at, error, _) in zip(weights, parts, strict=True)))

    for r in (0.5, 0.9, 1.3):
        assert fit.cdf(r) == pytest.approx(cdf(r), abs=1e-7)
    low = optimize.brentq(lambda r: cdf(r) - 0.025, -9, 9)
    high = optimize.brentq(lambda r: cdf(r) - 0.975, -9, 9)
    assert fit.interval(0.95) == pytest.approx((low, high), abs=1e-6)


def test_averaged_fit_with_unknown_initial_effort_weights_by_likelihood() -> None:
    series = made(5)
    found = average(series, None)
    one, other = np.unique(found.befores)[[40, 100]]
    ratio = found.weights[found.befores == one].sum() / found.weights[found.befores == other].sum()
    exact = [np.logaddexp.reduce([each[2] for each in dense(series, float(before))]) for before in (one, other)]
    assert math.log(ratio) == pytest.approx(exact[0] - exact[1], abs=1e-6)
    assert found.weights.sum() == pytest.approx(1.0)


def test_noise_model_prior_weights_sum_to_1_and_favour_lasting_noise() -> None:
    assert sum(model.weight for model in NOISE_MODELS) == pytest.approx(1.0)
    assert sum(model.weight for model in NOISE_MODELS if model.kind == "lasting") == pytest.approx(0.5)


def test_averaged_fit_without_noise_recovers_r_and_initial_effort() -> None:
    total = np.arange(1.0, 31)
    series = Series(np.ones(30), (7.5 + total) ** 1.3)
    assert average(series, 7.5).interval(0.95) == pytest.approx((1.3, 1.3), abs=1e-5)
    found = average(series, None)
    assert (found.r, found.before) == (pytest.approx(1.3, abs=1e-3), pytest.approx(7.5, rel=0.01))


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_averaged_fit_does_not_depend_on_units(factor: float) -> None:
    series = made(3)
    other = Series(series.effort * factor, series.performance / factor)
    for before in (2.0, None):
        one, same = average(series, before), average(other, None if before is None else before * factor)
        assert same.interval(0.9) == pytest.approx(one.interval(0.9), rel=1e-6)
        assert same.before == pytest.approx(one.before * factor, rel=1e-6)


@pytest.mark.slow
def test_averaged_fit_draws_have_the_posterior_quantiles() -> None:
    """Kolmogorov-Smirnov at a fixed seed; false-alarm rate 0.1%."""
    fit = average(made(1), None)
    r, before = fit.draw(4000, 11)
    assert stats.kstest(r, np.vectorize(fit.cdf)).pvalue > 0.001
    assert set(before) <= set(fit.befores)
    assert np.array_equal(r, fit.draw(4000, 11)[0])


def test_recommended_fit_drops_only_a_contradicted_initial_effort() -> None:
    rng = np.random.default_rng(8)
    effort = np.linspace(10, 28, 12)
    series = Series(effort, (83.3 + np.cumsum(effort)) ** 1.55 * np.exp(rng.normal(0, 0.015, 12)))
    kept, dropped = recommend(series, 83.3), recommend(series, 0.0)
    assert not kept.rejected and kept.fit is kept.stated
    assert dropped.rejected and dropped.fit.before_found and dropped.stated is not None
    assert dropped.stated.p_before_given < 0.001
    assert dropped.fit.interval(0.95)[0] < 1.55 < dropped.fit.interval(0.95)[1]


def test_averaged_fit_of_a_straight_series_has_no_upper_bound() -> None:
    rng = np.random.default_rng(2)
    straight = Series(np.ones(12), 2.0 ** (0.1 * np.arange(12) + rng.normal(0, 0.01, 12)))
    assert average(straight, None).unbounded > 0.05
    assert average(straight, 3.0).unbounded == 0


def test_averaged_fit_accepts_rows_without_effort() -> None:
    series = made(4)
    effort = series.effort.copy()
    effort[5] = 0.0
    assert np.isfinite(average(Series(effort, series.performance), None).interval(0.95)).all()


def test_period_fits_have_their_own_r_and_cover_the_rows() -> None:
    x = np.log2(np.arange(1.0, 61))
    series = Series(np.ones(60), 2.0 ** np.where(x < x[29], x, x[29] + 0.5 * (x - x[29])))
    found = periods(series, 0.0, 2)
    assert [(each.first, each.last) for each in found] == [(0, 29), (30, 59)]
    assert [each.fit.r for each in found] == pytest.approx([1.0, 0.5], abs=1e-6)
    assert len(periods(series, 0.0, 100)) == 12


def test_averaged_fit_of_an_invalid_series_raises() -> None:
    with pytest.raises(ValueError, match="no effort"):
        average(Series(np.array([0.0, 1, 1, 1, 1, 1]), np.arange(1.0, 7)), 0.0)
    with pytest.raises(ValueError, match="rows with effort"):
        average(Series(np.ones(4), np.arange(1.0, 5)), 0.0)
