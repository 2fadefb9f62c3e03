"""Test the staff and the working time of human researchers."""

import pytest
from pydantic import ValidationError

from agents.params import DAYS_PER_MONTH, HumansParams


def test_staff_grows_by_its_factor_each_year():
    params = HumansParams(initial=1488)
    assert params.staff(0) == 1488
    assert params.staff(365) == pytest.approx(1488 * 1.8)
    assert HumansParams().staff(1000) == 0


def test_working_share_is_the_share_of_working_hours_in_a_week():
    assert HumansParams(hours_per_day=8.0, days_per_week=5).working_share == pytest.approx(40 / 168)
    assert HumansParams().working_share == 1


def test_papers_per_day_do_not_depend_on_working_hours():
    for params in (HumansParams(), HumansParams(hours_per_day=8.0, days_per_week=5)):
        assert params.papers_per_day * DAYS_PER_MONTH == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hours_per_day", -1.0),
        ("hours_per_day", 25.0),
        ("days_per_week", 0),
        ("growth_per_year", 0.5),
        ("papers_in_progress", 0.5),
        ("supervision", -0.1),
        ("initial", -1),
    ],
)
def test_humans_params_refuse_bad_input(name, value):
    with pytest.raises(ValidationError, match=name):
        HumansParams(**{name: value})
