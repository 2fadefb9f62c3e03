"""Compare cohorts of humans with closed forms and with individual humans.

N humans write N/m papers per day if nothing else limits them, with the variance N/m per day. Batches of b papers add
``N (b - 1/b)/6`` to the variance of a count, whatever its time: the counting variance of a renewal process of Gamma(b)
times in equilibrium. Intervals are of 99%, so each comparison would fail for 1% of other seeds without a fault.
"""

import math

import numpy as np
import pytest
from scipy import stats

from sim.runner import run
from sim.scenario.model import Scenario
from tests.support.small_human_team import SmallHumanTeam, by_ai, by_human

pytestmark = pytest.mark.statistical

HUMANS = 500
"""Number of humans, who write a paper a day each."""
TOLERANCE = 0.02
BATCH = HUMANS * TOLERANCE
"""Papers of a batch."""
LATE = 0.02
"""Share of the papers of a year that half a task of a fifth of a paper is, if humans grow fourfold."""


def papers(seed: int, warm_up: float, days: float, work, papers_each: int, **changes) -> float:
    """Return the papers of a cohort in some days."""
    team = SmallHumanTeam(work, HUMANS, seed=seed, timing="poisson", **changes)
    team.form_cohort(TOLERANCE)
    team.line.set_ais(1e6, 1.0)
    team.line.start(papers_each * HUMANS, HUMANS)
    team.advance(warm_up)
    before = team.papers
    team.advance(days)
    return team.papers - before


def check_mean(values, expected: float, bias: float = 0.0) -> None:
    """Assert that a closed form is in the 99% interval of a mean, widened by a relative bias."""
    half = stats.t.isf(0.005, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    assert half < 0.01 * expected
    assert abs(np.mean(values) - expected) < half + bias * expected, (np.mean(values) / expected, half / expected)


def test_papers_of_a_cohort_have_the_mean_and_variance_of_its_humans():
    days, seeds = 20.0, 200
    counts = [papers(seed, 0.0, days, [by_human(1.0)], 2) for seed in range(seeds)]
    check_mean(counts, HUMANS * days)
    expected = HUMANS * days + HUMANS * (BATCH - 1 / BATCH) / 6
    low, high = stats.chi2.ppf([0.005, 0.995], seeds - 1) / (seeds - 1)
    assert low < np.var(counts, ddof=1) / expected < high


def test_one_paper_in_progress_of_a_cohort_follows_amdahl():
    check_mean([papers(seed, 5.0, 30.0, [by_ai(0.6), by_human(0.4)], 1) for seed in range(6)], HUMANS * 30.0)


def test_papers_of_a_cohort_wait_for_their_own_experiments_on_average():
    """A paper waits for its experiment only: a batch may be late or early by half a batch."""
    experiment = {"experiment_gpu_days": 0.5, "experiment_variation": "exponential", "experiment_gpus": 1, "gpus": 2000}
    counts = [papers(seed, 5.0, 30.0, [by_human(0.2)] * 5, 1, **experiment) for seed in range(6)]
    check_mean(counts, HUMANS * 30.0 / 1.5, bias=TOLERANCE / 2)


def test_team_that_becomes_a_cohort_writes_the_papers_of_individuals():
    lab = {
        "humans__initial": 30,
        "humans__growth_per_year": 4.0,
        "automation__kinds": 5,
        "automation__never_share": 1.0,
        "growth__law": "frozen",
        "training__required": False,
        "kernels__measurements": "none",
        "run__horizon_days": 365.0,
        "run__sample_days": 365.0,
        "run__leap_tolerance": 0.1,
    }
    seeds = 12
    alone, together = (
        [run(Scenario().replace(**lab, run__max_individuals=most), seed).papers for seed in range(seeds)]
        for most in (1000, 45)
    )
    found = stats.ttest_ind(together, alone, equal_var=False).confidence_interval(0.99)
    allowed = LATE * np.mean(alone)
    assert found.low - allowed < 0 < found.high + allowed, (np.mean(together) / np.mean(alone), found)
    assert found.high - found.low < 0.06 * np.mean(alone)
