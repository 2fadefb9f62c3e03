"""Test feedbacks between sectors: P27.1, P27.2, P27.5, P27.6 (false-alarm rate of each draw 1e-5)."""

import math

import numpy as np
import pytest

from sim.racing import birth_races, feedbacks
from tests.oracles.races import FALSE_ALARM, two_sector_date

ALL = ("production", "software", "hardware", "technology")
SHARES, RETURNS = (1.0, 0.1), (1.0, 5.0)


@pytest.mark.parametrize(
    ("sectors", "share"), [(ALL, 0.13267), (("software", "hardware"), 1 / 6), (("software",), 1), (("hardware",), 0.2)]
)
def test_p27_1_equal_shares_at_the_threshold(sectors, share):
    assert feedbacks.equal_share_at_threshold(sectors) == pytest.approx(share, abs=6e-6)
    shares = {sector: share if sector in sectors else 0.0 for sector in ALL}
    assert feedbacks.loop_gain(**shares) == pytest.approx(1, abs=5e-5)


def test_p27_1_loop_gain_of_full_software_and_little_else():
    assert feedbacks.loop_gain(0.05, 1, 0.05, 0.05) == pytest.approx(1.32688, abs=6e-6)
    assert feedbacks.PUBLISHED_RETURNS.weights()["technology"] == pytest.approx(0.5376, abs=5e-5)


def test_p27_2_perron_root_exponents_and_date():
    assert feedbacks.perron_root(feedbacks.loop_matrix(SHARES, RETURNS)) == pytest.approx(1.5)
    matrix = feedbacks.exponent_matrix(SHARES, RETURNS)
    assert matrix == pytest.approx(np.array([[0, 1], [0.1, -0.1]]))
    assert feedbacks.explosion_exponents(matrix) == pytest.approx([11, 1])
    assert feedbacks.explosion_date(matrix, (1, 1)) == pytest.approx(2.834628, abs=6e-7)
    assert two_sector_date(SHARES, (1, 1), 1) == pytest.approx(2.834628, rel=1e-6), "direct integration"


def test_p27_2_slow_link_delays_the_date_at_the_same_loop_gain():
    """The loop gain is the same, 1.5; hardware that reacts a hundred times as slowly explodes much later."""
    matrix = feedbacks.exponent_matrix(SHARES, RETURNS)
    slow = feedbacks.explosion_date(matrix, (1, 0.01))
    assert slow == pytest.approx(two_sector_date(SHARES, (1, 0.01), 1), rel=1e-6)
    assert slow > 5 * feedbacks.explosion_date(matrix, (1, 1))


def test_software_stays_finite_if_hardware_explodes_without_it():
    """With half of software and all of hardware automated, hardware alone has the exponent ``1/(1 - 1/5)``."""
    matrix = feedbacks.exponent_matrix((0.5, 1.0), RETURNS)
    assert feedbacks.explosion_exponents(matrix) == pytest.approx([0, 1.25])
    exact = two_sector_date((0.5, 1.0), (1, 1), 1.25)
    assert feedbacks.explosion_date(matrix, (1, 1)) == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("r", [1.4, 2.0, 3.0])
def test_explosion_date_of_one_sector_equals_the_growth_law(r):
    """``dlnS/dt = c S^(1 - 1/r)`` ends at ``r/((r - 1) c)``."""
    matrix = feedbacks.exponent_matrix((1.0,), (r,))
    assert feedbacks.explosion_date(matrix, (0.5,)) == pytest.approx(2 * r / (r - 1), rel=1e-8)


def test_perron_root_above_one_is_a_positive_eigenvalue_of_the_exponents():
    generator = np.random.default_rng(27)
    above = []
    for _ in range(50):
        shares, returns = generator.uniform(0.05, 0.6, 3), generator.uniform(0.2, 3, 3)
        root = feedbacks.perron_root(feedbacks.loop_matrix(shares, returns))
        largest = np.linalg.eigvals(feedbacks.exponent_matrix(shares, returns)).real.max()
        assert (root > 1) == (largest > 0)
        above.append(root > 1)
    assert 0 < sum(above) < 50


def test_drawn_date_of_one_sector_has_the_moments_of_the_birth_process():
    runs, r, effort = 1500, 2.0, 10.0
    dates = feedbacks.simulate_sector_dates(np.random.default_rng(272), (1.0,), (r,), effort, (r,), 400, runs)
    exact = birth_races.explosion_date(r, effort, effort ** (1 - r))
    error = math.sqrt(exact.variance / runs)
    assert dates.mean() == pytest.approx(exact.mean, abs=FALSE_ALARM * error)
    assert dates.std() == pytest.approx(math.sqrt(exact.variance), rel=0.2)


def test_p27_2_drawn_date_of_two_sectors_tends_to_that_without_randomness():
    dates = feedbacks.simulate_sector_dates(np.random.default_rng(273), SHARES, RETURNS, 300.0, (1.0, 1.0), 3000, 100)
    assert dates.mean() == pytest.approx(2.834628, rel=0.02)


def test_p27_5_loop_gain_of_a_capability_index():
    assert feedbacks.gain_per_point_at_threshold() == pytest.approx(0.1663, abs=5e-5)
    assert feedbacks.capability_loop_gain(4 ** (1 / 16) - 1) == pytest.approx(0.563, abs=5e-4)
    assert [feedbacks.capability_loop_gain(gain) for gain in (0.02, 0.03)] == pytest.approx((0.129, 0.192), abs=5e-4)
    assert feedbacks.capability_loop_gain(feedbacks.gain_per_point_at_threshold(4.0), 4.0) == pytest.approx(1)


def test_p27_6_fixed_generation_time():
    assert feedbacks.efforts_by_generation(5) == [1, 2, 6, 42, 1806, 3_263_442]
    assert feedbacks.efforts_by_generation(15)[-1].bit_length() == int(1024 * math.log2(3_263_442.5)) + 1
    assert feedbacks.shortest_doubling(90, 8) == pytest.approx(30)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: feedbacks.loop_gain(0, 1.2, 0, 0),
            "software = 1.2 is outside of its range; allowed: 0 or more, up to",
        ),
        (lambda: feedbacks.equal_share_at_threshold(["chips"]), "sectors = chips is not a choice"),
        (lambda: feedbacks.equal_share_at_threshold(["software"] * 2), "Name each sector at most once"),
        (lambda: feedbacks.loop_matrix((1, 0.1), (1,)), "returns has 1 elements; allowed: 2"),
        (lambda: feedbacks.perron_root([[1, 2]]), "is not square"),
        (lambda: feedbacks.perron_root([[-1.0]]), "Use the loop matrix"),
        (lambda: feedbacks.explosion_exponents([[-0.5]]), "largest eigenvalue -0.5, so that nothing explodes"),
        (lambda: feedbacks.explosion_exponents([[1, 1], [1, 1]]), "has no unique exponents"),
        (lambda: feedbacks.explosion_date([[0.5]], (1, 1)), "rates has 2 elements; allowed: 1"),
        (lambda: feedbacks.capability_loop_gain(-0.1), "gain_per_point = -0.1"),
        (lambda: feedbacks.efforts_by_generation(16), "generations = 16"),
        (lambda: feedbacks.shortest_doubling(90, 1), "largest_gain = 1 .* above 1"),
    ],
)
def test_feedback_out_of_range_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
