"""Test the time to discovery of covert work and what a pause gains: P15.9 and P15.10."""

import math

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from sim.governance import covert_work

MONTH = 365 / 12


@pytest.mark.parametrize(("workers", "found"), [(100, (0.045, 0.133, 0.436)), (1000, (0.2815, 0.4636, 0.7673))])
def test_p15_9_probability_of_discovery_by_year(workers, found):
    time = covert_work.time_to_discovery(workers)
    assert [time.probability_by(years) for years in (1, 2, 5)] == pytest.approx(found, abs=5e-4)
    assert time.mean_years == pytest.approx({100: 6.95, 1000: 3.42}[workers])


def test_p15_9_parameters_and_median():
    assert pytest.approx(1.7489, abs=5e-5) == covert_work.EXPONENT
    assert pytest.approx(23.358, abs=5e-4) == covert_work.SCALE_YEARS
    time = covert_work.time_to_discovery(1000)
    assert time.years_at(0.5) == pytest.approx(2.246, abs=5e-4)
    uniform = np.random.default_rng(159).random(4000)
    drawn = np.array([time.years_at(u) for u in uniform])
    assert drawn.mean() == pytest.approx(3.42, abs=2.576 * math.sqrt(3.42 * 3.88 / 4000))  # false-alarm rate 1%


@pytest.mark.parametrize("workers", [30, 100, 1000])
def test_hazard_accumulates_to_the_probability_of_discovery(workers):
    time = covert_work.time_to_discovery(workers)
    area, _ = quad(time.hazard, 1, 6)
    hidden = [1 - time.probability_by(years) for years in (1, 6)]
    assert math.exp(-area) == pytest.approx(hidden[1] / hidden[0], rel=1e-6)
    assert time.hazard(5000) == pytest.approx(1 / 3.88)


@pytest.mark.parametrize("p", [1.0, 0.5])
def test_p15_10_hidden_lab_explodes_at_the_end_divided_by_its_share(p):
    """The law restated: x doublings cost dx/dt = share^p 2^(a x)/first, here to 60/p doublings, near the end."""
    share, r, pause = 0.25, 1.4, 20.0
    a = p * (1 - 1 / r)
    pace = math.expm1(-a * math.log(2)) / (-a * math.log(2)) / MONTH  # at software 1

    def slope(day, x):
        return [pace * 2 ** (a * x[0]) * (share**p if day > pause else 1)]

    reached = lambda day, x: x[0] - 60 / p  # noqa: E731
    reached.terminal = True
    before = solve_ivp(slope, (0, pause), [0], rtol=1e-10, atol=1e-10)
    after = solve_ivp(slope, (pause, 1e5), before.y[:, -1], rtol=1e-10, atol=1e-10, events=reached)
    end = covert_work.explosion_day_of_hidden_lab(share, r, pause, p=p)
    assert end == pytest.approx(after.t[-1], rel=1e-4)


def test_p15_10_pause_gains_no_more_than_the_share():
    assert covert_work.explosion_day_of_hidden_lab(0.1, 1.4) == pytest.approx(1692.97, abs=5e-3)
    assert covert_work.days_gained_by_pause(0.1, 1.4) == pytest.approx(9 * 169.297, abs=5e-3)
    assert covert_work.days_gained_by_pause(1, 1.4, 100) == 0
    assert covert_work.probability_found_in_time(100, 0.1, 1.4) == pytest.approx(
        covert_work.time_to_discovery(100).probability_by(1692.97 / 365), abs=1e-5
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: covert_work.time_to_discovery(1), "workers = 1 .* allowed: 2 or more"),
        (lambda: covert_work.explosion_day_of_hidden_lab(0, 1.4), "share = 0 .* allowed: above 0, up to 1"),
        (lambda: covert_work.explosion_day_of_hidden_lab(0.1, 1), "r = 1 .* there is no explosion"),
        (lambda: covert_work.days_gained_by_pause(0.1, 1.4, 200), "pause_day = 200 .* up to 169.297"),
        (lambda: covert_work.time_to_discovery(100).years_at(1), "probability = 1"),
    ],
)
def test_argument_out_of_range_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
