"""Test head starts, leaks and mergers: P23.6, P23.7, P23.11."""

import math

import numpy as np
import pytest

from sim.racing import leads
from tests.oracles.races import MONTH, leaking_software

DAYS = (2 * MONTH, 90, 150, 365)
LEAKS = (0, 0.1, 0.5, 1)


@pytest.mark.parametrize(
    ("r", "ratios"), [(0.7, (1.7052, 1.5487, 1.3760, 1.1761)), (1, (2, 2, 2, 2)), (1.4, (2.3755, 3.1154, 27.4445))]
)
def test_p23_6_head_start_of_a_month(r, ratios):
    found = [leads.software_ratio(day, MONTH, r) for day in DAYS[: len(ratios)]]
    assert found == pytest.approx(ratios, abs=6e-5)


def test_p23_6_ratio_a_month_before_the_explosion():
    assert leads.software_ratio_before_explosion(MONTH, MONTH, 1.4) == pytest.approx(11.3137, abs=5e-5)
    assert leads.software_ratio_before_explosion(MONTH, MONTH, 2) == pytest.approx(4)
    end = MONTH / (1 - 2 ** (1 / 1.4 - 1))
    for before, start in ((20.0, MONTH), (5.0, 70.0)):
        whole = leads.software_ratio(end - before, start, 1.4)
        assert leads.software_ratio_before_explosion(before, start, 1.4) == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize("r", [0.7, 1.0, 1.4])
def test_p23_6_head_start_in_software_equals_one_in_days_only_at_its_date(r):
    days = leads.days_of_software_lead(2.0, r)
    assert days == pytest.approx(MONTH)
    later = leads.days_of_software_lead(2.0, r, 3.0)
    assert later == pytest.approx(MONTH * 2 ** (3 * (1 / r - 1)))
    assert leads.software_ratio_after_software_lead(30.0, 2.0, r) == pytest.approx(
        leads.software_ratio(30.0 + MONTH, MONTH, r)
    )
    start = 3.0 ** (1 / r)
    oracle = leaking_software([start, 1.0], r, 0.0, 25.0)
    assert leads.software_ratio_after_software_lead(25.0, 3.0, r) == pytest.approx(oracle[0] / oracle[1], rel=1e-6)


@pytest.mark.parametrize(
    ("r", "days", "ratios"),
    [
        (0.7, 90, (1.1556, 1.1065, 1.0293, 1.008)),
        (1, 90, (1.5, 1.306, 1.0528, 1.0066)),
        (1.4, 55, (2.4049, 1.9557, 1.2223, 1.0252)),
    ],
)
def test_p23_7_leak_from_efforts_of_one_and_a_half_and_one(r, days, ratios):
    for leak, ratio in zip(LEAKS, ratios, strict=True):
        one, other = leaking_software([1.5, 1.0], r, leak, days)
        assert one / other == pytest.approx(ratio, abs=6e-5)
        if r == 1:
            found = leads.software_with_leaks_at_unit_returns([1.5, 1.0], leak, days)
            assert found == pytest.approx([one, other], rel=1e-7)


@pytest.mark.parametrize("r", [0.7, 1.0, 1.4])
def test_p23_7_equal_labs_double_sooner_by_the_leak(r):
    first = leads.first_doubling_with_leaks(4, 0.3)
    assert first == pytest.approx(MONTH / 1.9)
    assert leaking_software([1.0] * 4, r, 0.3, first) == pytest.approx([2.0] * 4, rel=1e-6)
    second = first * 2 ** (1 / r - 1)
    assert leaking_software([1.0] * 4, r, 0.3, first + second) == pytest.approx([4.0] * 4, rel=1e-6)


def test_p23_11_merger_of_equal_labs():
    assert leads.merger_speed([8, 8], 0.5) == pytest.approx(math.sqrt(0.5))
    assert leads.merger_speed([3] * 5, 0.3) == pytest.approx(5**-0.7)
    assert leads.merger_speed([9, 16], 0.5) == pytest.approx(5 / 7)
    assert leads.merger_speed([9, 16, 4], 1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: leads.software_ratio(170, MONTH, 1.4),
            "day = 170 is after the leader's explosion; allowed: below 169",
        ),
        (lambda: leads.software_ratio(10, MONTH, 1.4), "day = 10 is outside of its range; allowed: 30.4"),
        (lambda: leads.software_ratio_before_explosion(1, 1, 0.9), "r = 0.9 .* there is no explosion"),
        (lambda: leads.days_of_software_lead(0.5, 1), "ratio = 0.5 is outside of its range; allowed: 1 or more"),
        (lambda: leads.first_doubling_with_leaks(0, 0.5), "labs = 0"),
        (lambda: leads.software_with_leaks_at_unit_returns([1, 0], 0.5, 3), "software = 0 .* above 0"),
        (lambda: leads.merger_speed([], 0.5), r"len\(researchers\) = 0"),
        (lambda: leads.merger_speed([1.0], 1.5), "p = 1.5"),
    ],
)
def test_lead_out_of_range_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_leader_of_several_labs_keeps_the_order_of_software():
    levels = leads.software_with_leaks_at_unit_returns([4.0, 2.0, 1.0], 0.3, 60.0)
    assert np.all(np.diff(levels) < 0)
