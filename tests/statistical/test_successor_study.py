"""The successor study's table, out of a million worlds; which reading gives it, and what its code does otherwise."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from experiments.monte_carlo.priors import load_priors
from experiments.monte_carlo.runner import estimate_probability, run_study
from tests.oracles import successor as oracle

MILLION = 1_000_000
ORACLE_DRAWS = 60_000
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "monte-carlo.md"


def z_score(share, other, n, m):
    """How many standard errors two shares are apart, of n and of m draws."""
    return abs(share - other) / math.sqrt(other * (1 - other) * (1 / n + 1 / m))


@pytest.fixture(scope="module")
def found():
    """The shares of a million worlds, without and with retraining."""
    answers = {}
    for name in ("successor", "successor-retraining"):
        study = load_priors(name).study
        _, worlds = run_study(study, MILLION, seed=1)
        answers[name] = {
            (pair.doublings, pair.months): estimate_probability(
                worlds.shortest_months[pair.doublings] <= pair.months
            ).probability
            for pair in study.pairs
        } | {"explodes": estimate_probability(worlds.explodes).probability}
    return answers


@pytest.mark.parametrize(
    ("name", "rows"),
    [("successor", oracle.RECOMPUTED), ("successor-retraining", oracle.RECOMPUTED_WITH_RETRAINING)],
)
def test_successor_study_of_a_million_worlds_equals_the_recomputed_rows(found, name, rows):
    for asked, recomputed in rows.items():
        assert z_score(found[name][asked], recomputed, MILLION, oracle.RECOMPUTED_DRAWS) < 1.96, asked


def test_successor_study_explosion_share_equals_that_of_the_prior(found):
    exact = math.log(3.6) / math.log(9)
    for name in found:
        assert abs(found[name]["explodes"] - exact) < 3 * math.sqrt(exact * (1 - exact) / MILLION)


def test_successor_study_equals_the_oracle_on_other_draws(found):
    drawn = oracle.draws(ORACLE_DRAWS, seed=2)
    for name, rule in (("successor", oracle.plain), ("successor-retraining", oracle.by_its_text)):
        exact = oracle.shares(*drawn, oracle.RECOMPUTED, rule)
        assert all(z_score(found[name][asked], exact[asked], MILLION, ORACLE_DRAWS) < 3 for asked in exact), name


def test_oracle_of_other_readings_differs_from_the_recomputed_rows():
    drawn = oracle.draws(ORACLE_DRAWS, seed=3)
    rows = ((80, 12), (80, 4))
    late = oracle.shares(*drawn, rows, falls_first=False)
    assert all(z_score(late[row], oracle.RECOMPUTED[row], ORACLE_DRAWS, oracle.RECOMPUTED_DRAWS) > 2 for row in rows)
    start = oracle.shares(*drawn, oracle.RECOMPUTED, any_stretch=False)
    assert z_score(start[26, 4], oracle.RECOMPUTED[26, 4], ORACLE_DRAWS, oracle.RECOMPUTED_DRAWS) > 20
    assert z_score(start[24, 12], oracle.RECOMPUTED[24, 12], ORACLE_DRAWS, oracle.RECOMPUTED_DRAWS) > 5


def test_oracle_of_the_published_code_speeds_up_and_is_nearer_to_the_published_figures():
    """Retraining that takes time cannot make ten years in four months likelier; the published code has it so."""
    drawn, rows = oracle.draws(ORACLE_DRAWS, seed=4), ((80, 12), (80, 4))
    without, text, code = (
        oracle.shares(*drawn, rows, rule) for rule in (oracle.plain, oracle.by_its_text, oracle.by_its_code)
    )
    assert text[80, 4] < without[80, 4] < code[80, 4] - 0.02
    for row in rows:
        published = oracle.PUBLISHED_WITH_RETRAINING[row]
        assert abs(code[row] - published) < abs(text[row] - published)
    x = np.linspace(-0.6, -0.01, 60)
    assert (oracle.by_its_code(x) < x).all()
    assert (oracle.by_its_text(x) > x).all()


def test_monte_carlo_page_equals_the_oracle():
    """Compare each figure of the tables, up to the sampling error of fewer draws."""
    drawn = oracle.draws(ORACLE_DRAWS, seed=5)
    asked = ((24, 12), (24, 4), (26, 4), (80, 12), (80, 4))
    ways = {
        "without retraining": (oracle.plain, True),
        "retraining, by the text": (oracle.by_its_text, True),
        "retraining, by the code": (oracle.by_its_code, True),
        "r falls after the doubling": (oracle.plain, False),
    }
    for way, (rule, falls_first) in ways.items():
        (line,) = re.findall(rf"^\| {way} \|(.*)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
        figures = [float(cell.strip().rstrip("%")) / 100 for cell in line.split("|")]
        exact = oracle.shares(*drawn, asked, rule, falls_first)
        for row, figure in zip(asked, figures, strict=True):
            assert z_score(figure, exact[row], MILLION, ORACLE_DRAWS) < 3.3, (way, row)
