"""Compare run-to-run variability of Worlds with the Gamma law, and check the page that shows both."""

import math

import numpy as np
import pytest
from scipy import stats

from experiments.docs_build import variability_page
from tests.oracles import fluid as oracle

PAGE = "before\n<!-- paces -->\nold\n<!-- end -->\nbetween\n<!-- spread -->\n<!-- end -->\nafter\n"


@pytest.mark.parametrize(("team", "doublings"), [(1, 6), (16, 6), (64, 13)])
def test_coefficient_of_variation_equals_the_sum_of_gamma_variances(team, doublings):
    expected = oracle.end_day_variation(2.0 * team, 1.5, team, doublings)
    assert variability_page.coefficient_of_variation(team, doublings=doublings) == pytest.approx(expected, rel=1e-12)


def test_coefficient_of_variation_of_infinite_doublings_equals_its_limit():
    """Expect (1 - m/2)/sqrt(P (1 - m/4)) for a team of one: 22% of the eight months of the report's explosion."""
    assert variability_page.coefficient_of_variation(1, doublings=math.inf) == pytest.approx(
        0.25 / math.sqrt(2 * 0.625)
    )
    assert variability_page.coefficient_of_variation(1, doublings=200) == pytest.approx(
        variability_page.coefficient_of_variation(1, doublings=math.inf)
    )


@pytest.mark.parametrize("team", [1, 2])
def test_world_end_days_have_the_gamma_mean_and_spread(team):
    """Compare mean and spread of 60 Worlds with 99.8% intervals; a paper of the last doubling may begin it."""
    worlds = variability_page.simulated_cell(variability_page.EXPLOSION, team, 60)
    papers, teams = (
        variability_page.papers_of(variability_page.EXPLOSION, team),
        team * 2.0 ** np.arange(variability_page.DOUBLINGS),
    )
    mean = float(np.sum(papers / teams)) * variability_page.DAYS_PER_MONTH
    spread = math.sqrt(float(np.sum(papers / teams**2))) / mean * variability_page.DAYS_PER_MONTH
    assert abs(np.mean(worlds.ends) / mean - 1) < 3.1 * spread / math.sqrt(60)
    low, high = (math.sqrt(stats.chi2.ppf(level, 59) / 59) for level in (0.001, 0.999))
    assert 0.9 * low < worlds.spread / spread < 1.1 * high
    assert spread == pytest.approx(variability_page.coefficient_of_variation(team), rel=0.15)


@pytest.mark.parametrize(("r", "team"), [(0.9, 1), (1.1, 1)])
def test_world_paces_have_the_shares_of_the_gamma_law(r, team):
    worlds, theory = (
        variability_page.simulated_cell(r, team, 50),
        variability_page.theoretical_cell(r, team, 400),
    )
    for found, expected in ((worlds.speeding_up, theory.speeding_up), (worlds.slowing_down, theory.slowing_down)):
        low, high = stats.binom.ppf([0.0005, 0.9995], 50, np.clip([expected - 0.03, expected + 0.03], 0, 1)) / 50
        assert low <= found <= high


def test_variability_page_is_renewed_between_its_markers_reproducibly(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_text(PAGE)
        variability_page.main(tmp_path / name, tmp_path / "pictures" / f"{name}.png", {1: 3, 4: 2}, draws=20)
    page = (tmp_path / "one").read_text()
    assert page == (tmp_path / "two").read_text()
    assert (tmp_path / "pictures" / "one.png").read_bytes() == (tmp_path / "pictures" / "two.png").read_bytes()
    assert page.startswith("before\n<!-- paces -->\n| r | ") and page.endswith("<!-- end -->\nafter\n")
    assert "old" not in page
    assert page.count("| 1.71 | singular | 4 | 2 |") == 1
    assert variability_page.update_tables(page, []) != page


def test_variability_page_without_markers_is_refused_before_any_run(tmp_path):
    (tmp_path / "page").write_text("nothing")
    with pytest.raises(ValueError, match="lacks the markers of a table"):
        variability_page.main(tmp_path / "page", tmp_path / "image.png", variability_page.TEAMS)
    assert (tmp_path / "page").read_text() == "nothing"
