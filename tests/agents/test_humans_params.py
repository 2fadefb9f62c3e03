"""Test the staff and the working time of human researchers."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from agents.params import DAYS_PER_MONTH, HumansParams


def test_staff_grows_by_its_factor_each_year():
    params = HumansParams(initial=1488)
    assert params.staff(0) == 1488
    assert params.staff(365) == pytest.approx(1488 * 1.8)
    assert params.day_without_staff == math.inf
    assert HumansParams().staff(1000) == 0
    assert HumansParams().day_without_staff == 0


def test_shrinking_staff_has_a_day_without_staff():
    params = HumansParams(initial=8, growth_per_year=0.5)
    assert params.day_without_staff == pytest.approx(3 * 365)
    assert params.staff(params.day_without_staff) == pytest.approx(1)


def test_working_time_is_the_share_of_all_moments():
    params = HumansParams(hours_per_day=8.0, days_per_week=5)
    moments = (np.arange(14 * 24) + 0.5) / 24
    assert np.mean([params.is_working(moment) for moment in moments]) == pytest.approx(params.working_share)
    assert params.working_share == pytest.approx(40 / 168)
    assert all(HumansParams().is_working(moment) for moment in moments)


def test_working_time_does_not_change_papers_per_month():
    for params in (HumansParams(), HumansParams(hours_per_day=8.0, days_per_week=5)):
        assert params.papers_per_working_day() * params.working_share * DAYS_PER_MONTH == pytest.approx(1)


def test_supervision_that_costs_19_percent_lowers_papers():
    params = HumansParams(supervision_time_change=0.19)
    assert params.papers_per_working_day(supervises=True) == pytest.approx(params.papers_per_working_day() / 1.19)


@pytest.mark.parametrize(
    ("name", "value"),
    [("hours_per_day", -1.0), ("hours_per_day", 25.0), ("days_per_week", 0), ("growth_per_year", 0.0)],
)
def test_humans_params_refuse_bad_input(name, value):
    with pytest.raises(ValidationError, match=name):
        HumansParams(**{name: value})
