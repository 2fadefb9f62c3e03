"""Test sample points of the unit cube: their distribution, and the independence of blocks."""

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

from experiments.design import sampling
from experiments.design.sampling import (
    SAMPLINGS,
    UncertaintySpace,
    neighbouring_powers_of_two,
    points,
    unit_cube_points,
)

SAMPLED = ("sobol", "latin-hypercube", "random")
NAMES = ("growth__r", "cluster__gpus", "run__horizon_days")


def drawn(way, n=256, names=NAMES, seed=1, levels=()):
    return unit_cube_points(way, UncertaintySpace(names, n, seed, levels), 0)


@pytest.mark.parametrize("way", SAMPLINGS)
def test_points_are_inside_the_cube_and_have_the_stated_number(way):
    space = UncertaintySpace(NAMES, 64, 3, (2, 3, 4))
    found = unit_cube_points(way, space, 0)
    assert found.shape == (points(way, space), 3)
    assert ((found > 0) & (found < 1)).all()


@pytest.mark.parametrize("way", SAMPLED)
def test_coordinates_are_uniform_and_uncorrelated(way):
    found = drawn(way, 4096)
    for column in found.T:
        assert stats.kstest(column, "uniform").pvalue > 0.01
    between = np.corrcoef(found.T)[np.triu_indices(3, 1)]
    assert (abs(between) < 4 / np.sqrt(4096)).all()


@pytest.mark.parametrize("way", ["sobol", "latin-hypercube"])
def test_points_have_one_in_each_stratum_of_each_coordinate(way):
    for column in drawn(way).T:
        assert sorted(np.floor(column * 256)) == list(range(256))


def test_sobol_points_cover_the_cube_better_than_others():
    gaps = {way: qmc.discrepancy(drawn(way)) for way in SAMPLED}
    assert gaps["sobol"] < gaps["latin-hypercube"] < gaps["random"]
    assert gaps["sobol"] < gaps["random"] / 5


@pytest.mark.parametrize("way", ["sobol", "random"])
def test_fewer_points_equal_the_first_of_more(way):
    np.testing.assert_array_equal(drawn(way, 64), drawn(way, 256)[:64])


@pytest.mark.parametrize("way", ["random", "latin-hypercube"])
def test_coordinate_does_not_depend_on_other_coordinates(way):
    np.testing.assert_array_equal(drawn(way)[:, 1], drawn(way, names=("cluster__gpus",))[:, 0])


@pytest.mark.parametrize("way", SAMPLED)
def test_points_with_another_seed_differ(way):
    assert not np.isin(drawn(way, seed=1), drawn(way, seed=2)).any()


@pytest.mark.parametrize("way", [way for way in SAMPLINGS if way != "random"])
def test_blocks_together_equal_all_points(way, monkeypatch):
    space = UncertaintySpace(NAMES, 64, 7, (3, 5, 2))
    whole = unit_cube_points(way, space, 0)
    monkeypatch.setattr(sampling, "BLOCK", 4)
    parts = [unit_cube_points(way, space, block) for block in range(-(-len(whole) // 4))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_blocks_of_random_points_differ(monkeypatch):
    monkeypatch.setattr(sampling, "BLOCK", 32)
    first, second = (unit_cube_points("random", UncertaintySpace(NAMES, 64, 7), block) for block in (0, 1))
    assert not np.isin(first, second).any()


def test_grid_combines_midpoints_and_varies_the_last_fastest():
    found = drawn("grid", names=("a", "b"), levels=(2, 3))
    shares = [1 / 6, 1 / 2, 5 / 6]
    expected = [[one, other] for one in (0.25, 0.75) for other in shares]
    np.testing.assert_allclose(found, expected, rtol=1e-15)
    assert drawn("grid", names=()).shape == (1, 0)


def test_one_at_a_time_changes_one_coordinate_from_the_middle():
    found = drawn("one-at-a-time", names=("a", "b"))
    assert found.tolist() == [[0.5, 0.5], [0.1, 0.5], [0.9, 0.5], [0.5, 0.1], [0.5, 0.9]]


def test_neighbouring_powers_of_two_brackets_n():
    assert [neighbouring_powers_of_two(n) for n in (1, 2, 3, 200, 256)] == [
        (1, 1),
        (2, 2),
        (2, 4),
        (128, 256),
        (256, 256),
    ]
