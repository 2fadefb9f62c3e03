"""Test the extrapolation of time horizons, against METR's doubling time and the closed form."""

import csv
import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.time_horizon import (
    METR_DOUBLING_DAYS,
    METR_DOUBLING_INTERVAL,
    HorizonLaw,
    HorizonObservation,
    decimal_year,
    fit_exponential,
    read_observations,
)
from tests.support.properties import examples
from tests.support.shared_data import shared_file

AIFM = HorizonLaw(date(2025, 8, 7), 26.0, 0.458 * 365.25, 0.92)
"""Values of the AI Futures Model; the date is the one that gives its 2030.13."""
HEADER = "model,release_date,p50_min,p50_low,p50_high,p80_min,is_sota\n"


def exponential(doubling: float, first: float, days: list[int]) -> list[HorizonObservation]:
    return [
        HorizonObservation(
            f"model {day}", date(2023, 1, 1) + timedelta(day), first * 2 ** (day / doubling), 1.0, 2.0, 0.5, True
        )
        for day in days
    ]


def test_doubling_time_of_metrs_series_is_the_published_one():
    observations = read_observations(shared_file("metr_time_horizons_1_1.csv"))
    fit = fit_exponential(observations)
    assert fit.doubling_days == pytest.approx(METR_DOUBLING_DAYS, abs=5e-4)
    assert fit.models == 14
    assert METR_DOUBLING_INTERVAL[0] < fit.doubling_days < METR_DOUBLING_INTERVAL[1]
    kept = [
        each for each in observations if each.is_best and each.released >= date(2023, 1, 1) and each.p50_minutes <= 960
    ]
    slope, _ = np.polyfit([each.released.toordinal() for each in kept], np.log2([each.p50_minutes for each in kept]), 1)
    assert fit.doubling_days == pytest.approx(1 / slope, rel=1e-6)


def test_series_has_all_models_in_order_and_typed():
    path = shared_file("metr_time_horizons_1_1.csv")
    observations = read_observations(path)
    with path.open(encoding="utf-8", newline="") as file:
        assert len(observations) == len(list(csv.DictReader(file)))
    assert [each.released for each in observations] == sorted(each.released for each in observations)
    assert math.isnan(observations[-1].p50_low)
    assert all(each.p80_minutes < each.p50_minutes for each in observations)


def test_fit_leaves_out_horizons_above_16_hours_models_that_are_not_best_and_early_ones():
    observations = exponential(100.0, 8.0, [0, 100, 250, 300])
    ignored = [
        observations[0]._replace(released=date(2024, 6, 1), p50_minutes=961.0),
        observations[0]._replace(released=date(2024, 6, 1), is_best=False),
        observations[0]._replace(released=date(2022, 12, 31)),
    ]
    fit = fit_exponential(observations + ignored)
    assert (fit.models, fit.first) == (4, date(2023, 1, 1))
    assert fit.doubling_days == pytest.approx(100)
    assert fit.first_minutes == pytest.approx(8)
    assert fit.scatter == pytest.approx(0, abs=1e-9)
    assert fit_exponential(observations + ignored, best_only=False).models == 5
    assert fit.law().date_of(16.0) == date(2023, 4, 11)


def test_fit_refuses_too_few_models_and_a_horizon_that_does_not_grow():
    with pytest.raises(ValueError, match=r"2 models since 2023-01-01 .* too few for a fit; allowed: 3 or more"):
        fit_exponential(exponential(100.0, 8.0, [0, 50]))
    with pytest.raises(ValueError, match="allowed: 3 or more, of different dates"):
        fit_exponential(exponential(100.0, 8.0, [5, 5, 5]))
    with pytest.raises(ValueError, match=r"the horizon grows by -0.01 doublings per day; allowed: above 0"):
        fit_exponential(exponential(-100.0, 800.0, [0, 50, 100]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,p50_min\n", "horizons.csv has no column release_date, p50_low, p50_high, p80_min, is_sota; allowed"),
        (HEADER + "a,2023-13-01,1,1,1,1,1\n", "line 2: release_date = '2023-13-01' is not a date; allowed: YYYY"),
        (HEADER + "a,2023-01-01,,1,1,1,1\n", "line 2: p50_min = '' is not a time; allowed: above 0"),
        (HEADER + "a,2023-01-01,1,1,1,1,1\nb,2023-01-01,1,-3,1,1,1\n", "line 3: p50_low = '-3' is not a time"),
        (HEADER + "a,2023-01-01,one,1,1,1,1\n", "p50_min = 'one' is not a time"),
    ],
)
def test_reader_refuses_bad_tables(tmp_path: Path, text, message):
    path = tmp_path / "horizons.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_observations(path)


def test_p9_6_superexponential_horizon_in_closed_form():
    assert AIFM.doublings_to(1.2e7) == pytest.approx(18.816, abs=5e-4)
    assert AIFM.days_to(1.2e7) / 365.25 == pytest.approx(4.5326, abs=1e-4)
    assert decimal_year(AIFM.start, AIFM.days_to(1.2e7)) == pytest.approx(2030.13, abs=5e-3)
    assert AIFM.infinite_days / 365.25 == pytest.approx(5.725, abs=1e-9)
    assert AIFM.minutes_after(3 * 365.25) == pytest.approx(12_449.25, abs=5e-3)
    assert 26 * (1 - 0.08 * 3 / 0.458) ** (math.log(2) / math.log(0.92)) == pytest.approx(12_449.25, abs=5e-3)


def test_p9_6_infinite_date_is_stated_and_does_not_depend_on_the_first_horizon():
    day = AIFM.infinite_date
    assert day == date(2025, 8, 7) + timedelta(days=5.725 * 365.25)
    assert f"infinite on {day} by construction" in AIFM.reading
    assert HorizonLaw(AIFM.start, 0.001, AIFM.doubling_days, 0.92).infinite_date == day
    assert AIFM.minutes_on(day + timedelta(days=1)) == math.inf
    assert AIFM.minutes_on(day - timedelta(days=1)) < math.inf


def test_exponential_horizon_is_finite_on_every_date():
    law = HorizonLaw(date(2025, 1, 1), 60.0, 128.744)
    assert law.infinite_days == math.inf
    assert law.infinite_date is None
    assert "finite on every date" in law.reading
    assert law.minutes_after(1287.44) == pytest.approx(60 * 1024)
    assert law.date_of(120.0) == date(2025, 5, 9)
    assert HorizonLaw(date(2025, 1, 1), 60.0, 1e6).date_of(1e15) is None


@given(st.floats(0.5, 1.5), st.floats(-3, 20))
@examples(100)
def test_days_to_and_minutes_after_are_inverse(ratio, doublings):
    law = HorizonLaw(date(2025, 1, 1), 10.0, 100.0, ratio)
    minutes = 10 * 2.0**doublings
    assert math.log2(law.minutes_after(law.days_to(minutes)) / 10) == pytest.approx(doublings, abs=1e-4)


def test_ratio_just_below_1_is_nearly_exponential():
    near, exact = (HorizonLaw(date(2025, 1, 1), 10.0, 100.0, ratio).minutes_after(500) for ratio in (1 - 1e-8, 1.0))
    assert near == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize(("name", "value"), [("minutes", 0.0), ("doubling_days", -1.0), ("ratio", 11.0)])
def test_law_refuses_bad_input(name, value):
    with pytest.raises(ValueError, match=f"{name} = {value:g} is out of range; allowed: above 0, up to"):
        HorizonLaw(**{"start": date(2025, 1, 1), "minutes": 1.0, "doubling_days": 1.0, "ratio": 1.0} | {name: value})
