"""Worlds against the theory of races by chance: P23.1, P23.3 and P23.4.

Statistical tests run fixed seeds and state their false-alarm rates, so they pass always or never.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from agents.trainer import Trainer
from sim.events import LabEnded, PaperPublished
from sim.growth import DAYS_PER_MONTH
from sim.lab_factory import LabFactory
from sim.racing import birth_races
from sim.scenario.model import Scenario
from sim.world import World
from tests.support.several_labs import THINKERS, labs_of, run_to_end

TEAM = 100_000
"""Researchers of a lab per effort^r. They are many, so that their whole number does not change the rate of papers."""
UNIT_DAYS = 100.0
"""Days in which a lab with an effort of 1 writes one paper: the unit of time of the birth process."""
DOUBLINGS = 2
"""Doublings of software that Worlds simulate. They have 83% of the variance of a date at r = 1.4, and 88% at r = 2."""
NORMAL_99 = 2.576
"""Standard errors that an estimate exceeds in 1% of all samples."""


class EveryPaper(Trainer):
    """Deploy each paper at once, as in a birth process, instead of a gain of 1% or more."""

    def start_due_generations(self) -> None:
        waiting = self.deployment.discovered - self.consumed_doublings
        if waiting > 0:
            self.generation += 1
            self.consumed_doublings = self.deployment.discovered
            self.deployment.deploy(self.generation, waiting)


def test_p23_1_first_to_k_papers_is_the_lab_with_60_percent_of_them_as_often_as_computed() -> None:
    """Papers of frozen software are memoryless, so that each 2k - 1 papers in a row are a race to k papers.

    The two-sided false-alarm rate is 0.3% for each k.
    """
    papers, per_day = 14_000, 10 / DAYS_PER_MONTH
    frozen = {name: value for name, value in THINKERS.items() if not name.startswith("growth__")}
    frozen |= {"growth__law": "frozen", "researcher__papers_per_month": 1.0}
    frozen |= {"run__horizon_days": 1.05 * papers / per_day, "run__sample_days": 1e6}
    scenario = labs_of(frozen, {"a": {"researcher__initial": 6}, "b": {"researcher__initial": 4}})
    with World(scenario, 1) as world:
        ledger = run_to_end(world).ledger
    authors = [event.lab == "a" for event in ledger if isinstance(event, PaperPublished)]
    assert len(authors) >= papers
    for k, expected in {1: 0.6, 2: 0.648, 5: 0.7334, 10: 0.8139, 30: 0.9404, 100: 0.9978}.items():
        races = papers // (2 * k - 1)
        wins = np.array(authors[: races * (2 * k - 1)]).reshape(races, -1).sum(axis=1) >= k
        assert stats.beta(k, k).cdf(0.6) == pytest.approx(expected, abs=6e-5)
        assert stats.binomtest(int(wins.sum()), races, expected).pvalue > 0.003


def birth_lab(r: float, effort: int) -> dict[str, Any]:
    """Return the parameters of a lab that writes ``effort^r`` papers in `UNIT_DAYS`, with this effort on day 0."""
    per_day, team = effort**r / UNIT_DAYS, round(TEAM * effort**r)
    return {
        "researcher__initial": team,
        "researcher__papers_per_month": per_day * DAYS_PER_MONTH / team,
        "growth__first_doubling_days": effort * (2 ** (1 / r) - 1) / per_day,
    }


@cache
def explosion_dates(r: float, efforts: tuple[int, ...], seeds: int) -> NDArray[np.float64]:
    """Return the explosion date of each lab [`UNIT_DAYS`]: one row a seed, one column a lab.

    A World simulates each lab up to `DOUBLINGS`. The rest does not depend on the past. It is a birth process from
    the effort of that day, and is drawn as such.
    """
    common = THINKERS | {"cluster__gpus": 1, "growth__r": r, "run__max_individuals": 0, "run__leap_tolerance": 0.0}
    common |= {"run__horizon_days": 1e6, "run__sample_days": 1e6, "run__max_doublings": DOUBLINGS}
    scenario = labs_of(common, {f"lab{effort}": birth_lab(r, effort) for effort in efforts})
    if len(efforts) == 1:
        scenario = Scenario(name="lab").replace(**(common | birth_lab(r, efforts[0])))
    found = np.empty((seeds, len(efforts)))
    for seed in range(seeds):
        with World(scenario, seed, make=LabFactory(trainer=EveryPaper)) as world:
            run_to_end(world)
            ends = {event.lab: event.day for event in world.ledger if isinstance(event, LabEnded)}
            found[seed] = [ends.get(f"lab{effort}", world.now) / UNIT_DAYS for effort in efforts]
    generator = np.random.default_rng(2304)
    for column, effort in enumerate(efforts):
        later = math.ceil(effort * 2 ** (DOUBLINGS / r))
        found[:, column] += birth_races.simulate_explosion_dates(generator, r, later, seeds, 1.0, births=100)
    return found


def test_p23_3_date_of_the_explosion_has_its_mean_and_spread() -> None:
    """Over 2,000 seeds, mean and variance are each within the 99% interval."""
    seeds = 2000
    dates = explosion_dates(1.4, (10,), seeds)[:, 0]
    squares = (dates - 1.015637) ** 2
    assert abs(dates.mean() - 1.015637) < NORMAL_99 * dates.std() / math.sqrt(seeds)
    assert abs(squares.mean() - (0.0966 * 1.015637) ** 2) < NORMAL_99 * squares.std() / math.sqrt(seeds)
    assert dates.mean() - 0.995268 > NORMAL_99 * dates.std() / math.sqrt(seeds), (
        "the date without randomness is earlier"
    )


@pytest.mark.parametrize(("efforts", "expected"), [((11, 10), 0.65044), ((12, 10), 0.77477)])
def test_p23_4_lab_that_is_ahead_explodes_first_as_often_as_computed(efforts: tuple[int, int], expected: float) -> None:
    """Three labs of one World make both pairs; the two-sided false-alarm rate is 1% for each."""
    seeds = 600
    dates = dict(zip((12, 11, 10), explosion_dates(2.0, (12, 11, 10), seeds).T, strict=True))
    wins = int((dates[efforts[0]] < dates[efforts[1]]).sum())
    assert stats.binomtest(wins, seeds, expected).pvalue > 0.01
