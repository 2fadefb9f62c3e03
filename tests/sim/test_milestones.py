"""Test the milestones: published values, days per seed, and the closed forms of multipliers and research taste."""

import csv
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from sim.milestones import (
    CODER_FORECASTS,
    MILESTONES,
    MULTIPLIER_MILESTONES,
    TASK_MILESTONES,
    first_days,
    mean_best_taste,
    milestone_named,
    milestone_table,
    percentile_with_unreached,
    progress_divisor,
    taste_deviation,
    time_between,
)
from tests.support.shared_data import shared_file

NAMES_IN_FILE = {
    "SC": "AI2027-SC",
    "SAR": "SAR-level-experiment-selection-skill",
    "SIAR": "SIAR-level-experiment-selection-skill",
}


def test_milestones_have_unique_names_and_ascend():
    assert [each.multiplier for each in MULTIPLIER_MILESTONES] == [5, 25, 250, 2000]
    assert len({each.name for each in MILESTONES}) == len(MILESTONES)
    assert {each.scenario_multiplier for each in TASK_MILESTONES} == {None, 5, 25, 250, 2000}
    assert [round(each.year, 1) for each in CODER_FORECASTS] == [2028.5, 2030.5, 2028.0, 2030.0]


def test_p17_published_medians_and_shares_are_those_of_the_file():
    rows = {}
    with shared_file("aifm_years_from_ac_to_milestones.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows[row["milestone"], int(row["ac_year"])] = row
    figures = [
        (rows[NAMES_IN_FILE.get(each.name, each.name), published.coder_year], published)
        for each in MILESTONES
        for published in each.published
    ]
    assert len(figures) == 27
    for row, published in figures:
        assert published.years == pytest.approx(float(row["p50_years"]), abs=0.00501)
        assert published.achieved == pytest.approx(int(row["achieved"]) / int(row["rollouts"]), abs=0.00501)
        if published.low is not None:
            assert published.low == pytest.approx(float(row["p10_years"]), abs=0.00501)
            assert published.high == pytest.approx(float(row["p90_years"]), abs=0.0501)


def test_milestone_named_finds_any_case_and_refuses_other_names():
    assert milestone_named("air-25X").multiplier == 25
    with pytest.raises(ValueError, match=r"milestone = 'AGI' is unknown; allowed: AIR-5x, AIR-25x.* Use one"):
        milestone_named("AGI")


def test_first_days_interpolates_in_the_logarithm():
    found = first_days([0, 10, 20, 30], [1, 4, 2, 16], [0.5, 1, 2, 4, 8, 16, 17])
    assert found == pytest.approx([0, 0, 5, 10, 20 + 10 * 2 / 3, 30, math.inf])


def test_first_days_of_exponential_growth_are_exact():
    days = np.linspace(0, 100, 7)
    assert first_days(days, np.exp(days / 9), [5, 25, 250, 2000]) == pytest.approx(9 * np.log([5, 25, 250, 2000]))


def test_table_counts_seeds_that_do_not_reach_a_milestone():
    rows = milestone_table({"SAR": [30.0, 10.0, math.inf, 20.0], "AIR-5x": [1, 2, 3, math.nan]})
    assert [row.milestone.name for row in rows] == ["AIR-5x", "SAR"]
    speed, taste = rows
    assert (speed.reached, speed.seeds, speed.share) == (3, 4, 0.75)
    assert (speed.p50, speed.p90, speed.p50_if_reached) == (2.5, math.inf, 2)
    assert taste.p10 == pytest.approx(13)
    assert taste.p50_if_reached == 20 < taste.p50
    assert (taste.published_days, taste.published_share) == (pytest.approx(0.78 * 365), 0.87)


def test_table_counts_days_from_the_automated_coder():
    rows = milestone_table({"ASI": [50.0, 5.0, 90.0]}, coder_days=[10.0, 20.0, math.inf], coder_year=2027)
    assert (rows[0].reached, rows[0].p50_if_reached) == (1, 40)
    assert rows[0].published_days == pytest.approx(1.71 * 365)
    assert percentile_with_unreached([1.0, math.inf, math.inf], 0.9) == math.inf
    never = milestone_table({"ASI": [math.inf]})[0]
    assert math.isnan(never.p50_if_reached)
    assert never.share == 0
    assert math.isnan(milestone_table({"AC": [3.0]})[0].published_days)


def test_table_refuses_bad_input():
    with pytest.raises(ValueError, match="coder_year = 2031 has no published median; allowed: 2027, 2030, 2035"):
        milestone_table({"AC": [1.0]}, coder_year=2031)
    with pytest.raises(ValueError, match="AC has the days of 0 seeds; allowed: 1 or more"):
        milestone_table({"AC": []})


def test_percentiles_equal_numpy_if_all_seeds_arrive():
    days = np.random.default_rng(2).exponential(100, 37)
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        assert percentile_with_unreached(days, share) == pytest.approx(np.quantile(days, share))


@pytest.mark.parametrize(("taken", "divisor"), [((5, 25), 10.059), ((25, 250), 63.961), ((250, 2000), 594.126)])
def test_p17_5_and_p17_6_divisor_between_two_multipliers(taken, divisor):
    assert progress_divisor(*taken) == pytest.approx(divisor, abs=5e-4)
    first, last = taken
    # A progress of 1 at a pace of v, with ln v linear in progress, takes the integral of 1/v.
    duration = quad(lambda part: first ** (part - 1) / last**part, 0, 1, epsabs=0, epsrel=1e-12)[0]
    assert time_between(1.0, *taken) == pytest.approx(duration, rel=1e-9)


def test_p17_6_constant_multiplier_makes_that_many_years_of_progress():
    assert progress_divisor(np.array([3.0, 3.0]), np.array([3.0, 3.0 + 1e-9])) == pytest.approx([3, 3])
    assert time_between(7.0, 7.0, 7.0) == pytest.approx(1)


def test_p17_3_lognormal_taste():
    deviation = taste_deviation(3.7)
    assert deviation == pytest.approx(0.42338, abs=5e-6)
    assert math.exp(deviation) == pytest.approx(1.5271, abs=5e-5)
    assert norm.ppf(0.999) * deviation == pytest.approx(math.log(3.7), rel=2e-5)
    siar_over_sar = math.exp(3 * 3.0902 * deviation) / math.exp(3.0902 * deviation)
    assert siar_over_sar == pytest.approx(13.69)


def test_p17_4_mean_of_the_better_taste():
    deviation = taste_deviation(3.7)
    found = mean_best_taste(np.array([0.0, 0.5, 1.0, 2.0]), deviation)
    assert found == pytest.approx([1, 1.006265, 1.16765, 2.012531], abs=2e-6)

    def integrand(z, ai_taste):
        return max(math.exp(deviation * z - deviation**2 / 2), ai_taste) * norm.pdf(z)

    for ai_taste in (0.5, 1.0, 2.0):
        exact = quad(integrand, -12, 12, args=(ai_taste,), points=[math.log(ai_taste) / deviation], limit=200)[0]
        assert mean_best_taste(ai_taste, deviation) == pytest.approx(exact, rel=1e-7)


def test_p17_4_published_values_of_the_truncated_taste_are_within_one_percent():
    found = mean_best_taste(np.array([0.5, 1.0, 2.0]), taste_deviation(3.7))
    assert found == pytest.approx([1.00918, 1.17708, 2.01427], rel=0.01)
