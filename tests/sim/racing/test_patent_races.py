"""Test patent races and the step-by-step race: P23.9, P23.10 (false-alarm rate of each draw 1e-5)."""

import math

import numpy as np
import pytest

from sim.racing import patent_races
from sim.racing.patent_races import PatentRace
from tests.oracles.races import FALSE_ALARM

FIRMS = (1, 2, 4, 8)
TERMS = {"prize": 10.0, "interest": 0.1, "productivity": 0.5}
ROWS = {
    "once": ((0.75918, 1.24152, 0.90552, 0.53124), (2.2954, 0.8975, 0.5254, 0.3430)),
    "per year": ((0.67208, 2.98050, 4.63151, 5.45323), (2.4396, 0.5792, 0.2323, 0.1071)),
}


@pytest.mark.parametrize("payment", ROWS)
def test_p23_9_equilibrium_spending_and_dates(payment):
    solve = patent_races.loury if payment == "once" else patent_races.lee_wilde
    found = [solve(n, **TERMS) for n in FIRMS]
    assert [each.spending for each in found] == pytest.approx(ROWS[payment][0], abs=6e-6)
    assert [each.mean_date for each in found] == pytest.approx(ROWS[payment][1], abs=6e-5)


def test_p23_9_spending_per_firm_falls_with_rivals_if_paid_once_and_rises_if_paid_per_year():
    once = [patent_races.loury(n, **TERMS).spending for n in range(2, 12)]
    yearly = [patent_races.lee_wilde(n, **TERMS).spending for n in range(1, 12)]
    assert np.all(np.diff(once) < 0)
    assert np.all(np.diff(yearly) > 0)


@pytest.mark.parametrize("payment", ROWS)
def test_p23_9_no_firm_gains_by_other_spending(payment):
    race = PatentRace(payment, **TERMS)
    for firms in FIRMS:
        balance = race.equilibrium(firms)
        others = (firms - 1) * balance.hazard
        for factor in (0.3, 0.9, 1.1, 3.0):
            assert race.expected_profit(factor * balance.spending, others) < balance.profit


@pytest.mark.parametrize("payment", ROWS)
def test_p23_9_drawn_races_have_the_dates_and_profits(payment):
    runs = 10_000
    race = PatentRace(payment, **TERMS)
    balance = race.equilibrium(3)
    drawn = race.simulate(np.random.default_rng(239), [balance.spending] * 3, runs)
    assert drawn.date.mean() == pytest.approx(balance.mean_date, abs=FALSE_ALARM * balance.mean_date / math.sqrt(runs))
    for firm in range(3):
        profit = drawn.profit[:, firm]
        assert profit.mean() == pytest.approx(balance.profit, abs=FALSE_ALARM * profit.std() / math.sqrt(runs))
        assert (drawn.winner == firm).mean() == pytest.approx(1 / 3, abs=FALSE_ALARM * math.sqrt(2 / 9 / runs))


def test_p23_10_share_of_time_level():
    assert patent_races.time_level(1, 0.5, 0.5) == pytest.approx(1 / 3)
    assert patent_races.time_level(0.2, 1.0, 0.4) == pytest.approx(1.4 / 1.8)
    rounds = 20_000
    found = patent_races.simulate_time_level(np.random.default_rng(2310), 1, 0.5, 0.5, rounds)
    # Ratio of sums of exponentials: the standard error is share (1 - share) sqrt(2/rounds).
    assert found == pytest.approx(1 / 3, abs=FALSE_ALARM * 2 / 9 * math.sqrt(2 / rounds))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PatentRace("monthly", 1, 0.1, 1), "payment = 'monthly' is unknown; allowed: once, per year"),
        (lambda: PatentRace("once", 0, 0.1, 1), "prize = 0"),
        (lambda: patent_races.loury(0, **TERMS), "firms = 0 is outside of its range; allowed: 1 or more"),
        (lambda: patent_races.lee_wilde(2, 10, 0, 0.5), "interest = 0"),
        (lambda: PatentRace("once", 1, 0.1, 1).simulate(np.random.default_rng(0), [0.0], 1), "spending = 0"),
        (lambda: patent_races.time_level(0, 1, 1), "level_rate = 0"),
        (lambda: patent_races.time_level(1, 0, 0), "Let the follower move"),
    ],
)
def test_patent_race_out_of_range_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
