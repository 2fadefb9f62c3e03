"""Test the race to k papers and the toy model with two labs: P23.1, P23.2 (false-alarm rate of each draw 1e-5)."""

import math

import numpy as np
import pytest

from sim.racing import paper_races
from tests.oracles.races import FALSE_ALARM

FIRST_TO = {1: 0.6, 2: 0.648, 5: 0.7334, 10: 0.8139, 30: 0.9404, 100: 0.9978}


@pytest.mark.parametrize(("papers", "probability"), FIRST_TO.items())
def test_p23_1_probability_of_the_first_k_papers(papers, probability):
    found = paper_races.probability_first_to(papers, 0.6)
    assert found == pytest.approx(probability, abs=5e-5)
    by_hand = sum(
        math.comb(2 * papers - 1, k) * 0.6**k * 0.4 ** (2 * papers - 1 - k) for k in range(papers, 2 * papers)
    )
    assert found == pytest.approx(by_hand, rel=1e-10)
    assert paper_races.probability_first_to_finish([0.6] * papers, [0.4] * papers) == pytest.approx(found, rel=1e-10)


def test_p23_1_race_drawn_many_times_has_that_probability():
    for papers, other, share in ((10, None, 0.6), (3, 5, 0.4)):
        drawn = paper_races.simulate_first_to(np.random.default_rng(231), papers, share, 20_000, other)
        p = paper_races.probability_first_to(papers, share, other)
        assert drawn.mean() == pytest.approx(p, abs=FALSE_ALARM * math.sqrt(p * (1 - p) / 20_000))


def test_p23_2_toy_explosion_of_two_researchers_against_one():
    p = paper_races.probability_first_in_toy(2, 1, 6)
    assert p == pytest.approx(0.9678, abs=4e-4)  # the row is from a simulation; the exact value is 0.96751
    assert p == pytest.approx(0.967507, abs=6e-7)
    generator = np.random.default_rng(232)
    own, other = (paper_races.simulate_toy_dates(generator, n, 6, 40_000) for n in (2, 1))
    assert (own < other).mean() == pytest.approx(p, abs=FALSE_ALARM * math.sqrt(p * (1 - p) / 40_000))


def test_p23_2_with_whole_papers_both_methods_agree():
    """Papers of 2, 4, 8: Gamma times have whole shapes, so that the recursion is exact for them."""
    rates = [paper_races.rates_of_papers(n, 2, 2, 3) for n in (3, 2)]
    assert [len(each) for each in rates] == [14, 14]
    exact = paper_races.probability_first_to_finish(*rates)
    assert paper_races.probability_first_in_toy(3, 2, 3, 2, 2) == pytest.approx(exact, abs=1e-9)
    rounded = [paper_races.rates_of_papers(n, 2, 1.5, 6) for n in (2, 1)]
    assert rounded[1][:6] == [1, 1, 2, 2, 2, 4]
    assert paper_races.probability_first_to_finish(*rounded) == pytest.approx(0.96956, abs=5e-6)


def test_equal_labs_are_first_with_probability_one_half():
    assert paper_races.probability_first_in_toy(7, 7, 13, 2, 3) == pytest.approx(0.5, abs=1e-12)
    assert paper_races.probability_first_in_toy(1000, 1, 13) == pytest.approx(1, abs=1e-9)
    assert paper_races.probability_first_in_toy(1, 1000, 13) < 1e-6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paper_races.probability_first_to(0, 0.5), "papers = 0 is outside of its range; allowed: 1 or more"),
        (lambda: paper_races.probability_first_to(2, 1.5), "share = 1.5 is outside of its range; allowed: 0 or more"),
        (lambda: paper_races.probability_first_to_finish([1.0], []), r"len\(rates_of_other\) = 0"),
        (lambda: paper_races.probability_first_to_finish([0.0], [1.0]), "rates = 0 .* above 0"),
        (lambda: paper_races.probability_first_in_toy(1, 0, 3), "researchers_of_other = 0"),
        (lambda: paper_races.rates_of_papers(1, 2, 3, 20), "papers = .* Use fewer doublings"),
    ],
)
def test_race_out_of_range_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
