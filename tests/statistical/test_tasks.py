"""Compare labs of humans and AIs with the closed forms of rows P9.1 to P9.11, which tests/oracles restates.

A test compares the mean of independent runs with its closed form by a 99% interval of Student's t. The seeds are fixed.
With other seeds each of the comparisons would fail for 1% of them without a fault.
"""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import t as student

from sim.events import SoftwareDoubled
from sim.scenario.model import Scenario
from sim.world import World
from tests.oracles.production import HUMANS_STAY, RHOS, UNLIMITED_AIS, amdahl, fixed_share_output

DAYS_PER_MONTH = 365 / 12
PLAIN = {
    "humans__growth_per_year": 1.0,
    "researcher__experiment_gpu_days": 0.0,
    "researcher__writing_share": 0.0,
    "training__required": False,
    "kernels__measurements": "none",
    "literature__duplicate_weight": 1.0,
}
"""A lab whose papers need no GPUs, and whose new software is deployed at once."""

pytestmark = pytest.mark.statistical


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 99% interval of a mean."""
    half = student.ppf(0.995, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def check_mean(values: Sequence[float], expected: float, widest: float = 0.1) -> None:
    """Assert that a closed form is in the 99% interval of a mean, and that the interval is narrow."""
    low, high = interval(values)
    assert low <= expected <= high, f"{expected:g} is outside of {low:g} to {high:g}"
    assert high - low < 2 * widest * expected, f"{low:g} to {high:g} is too wide for a test"


def papers_per_month(seed: int, start: float, end: float, **changes) -> float:
    """Return the papers that a lab of frozen software publishes a month between two days."""
    values = PLAIN | {"growth__law": "frozen", "run__horizon_days": end, "run__sample_days": start}
    with World(Scenario().replace(**(values | changes)), seed) as world:
        world.step()
        before = world.lab.knowledge.papers
        while world.running:
            world.step()
        return (world.lab.knowledge.papers - before) / (end - start) * DAYS_PER_MONTH


def unlimited(share: float, kinds: int, **changes) -> dict:
    """Return a lab whose AIs do a share of the tasks in no time."""
    return {
        "automation__kinds": kinds,
        "automation__never_share": 1 - share,
        "automation__ai_productivity": 1e6,
    } | changes


@pytest.mark.parametrize(("share", "kinds"), [(0.5, 2), (0.9, 10), (0.95, 20)])
def test_p9_1_unlimited_ais_in_series_raise_output_by_the_squeeze(share, kinds):
    humans = 50 // kinds
    lab = unlimited(share, kinds, humans__initial=humans, humans__papers_in_progress=8.0)
    rates = [papers_per_month(seed, 100, 1000, **lab) / humans for seed in range(5)]
    check_mean(rates, UNLIMITED_AIS[share][RHOS.index(-math.inf)])


@pytest.mark.parametrize("rho", [-math.inf, -5.0, -2.0])
def test_p9_2_humans_stay_with_their_tasks(rho):
    lab = unlimited(0.95, 20, humans__initial=20, humans__papers_in_progress=8.0, automation__reallocation=False)
    lab["researcher__timing"] = "whole"
    if rho > -math.inf:
        lab |= {"automation__combination": "ces", "automation__rho": rho}
    rate = papers_per_month(0, 8 * DAYS_PER_MONTH, 16 * DAYS_PER_MONTH, **lab) / 20
    assert rate == pytest.approx(HUMANS_STAY[RHOS.index(rho)], rel=0.01)


@pytest.mark.parametrize(("humans", "ais", "share", "kinds"), [(40, 400, 0.5, 2), (100, 1900, 0.95, 20)])
def test_p9_3_limited_ais_and_humans_with_ces(humans, ais, share, kinds):
    """The closed form is reached as papers in progress increase: humans and AIs are then both always busy."""
    lab = {
        "humans__initial": humans,
        "humans__papers_in_progress": 800 / humans,
        "researcher__initial": ais,
        "automation__kinds": kinds,
        "automation__never_share": 1 - share,
        "automation__combination": "ces",
        "automation__rho": -2.0,
    }
    expected = fixed_share_output(humans, ais, share, -2.0)
    cycle = 800 / expected * DAYS_PER_MONTH
    check_mean([papers_per_month(seed, 3 * cycle, 9 * cycle, **lab) for seed in range(4)], expected)


@pytest.mark.parametrize("speed", [10.0, 30.0, 100.0])
def test_p9_4_one_paper_in_progress_follows_amdahl(speed):
    lab = unlimited(0.95, 20, humans__initial=1, humans__papers_in_progress=1.0, automation__ai_productivity=speed)
    rates = [papers_per_month(seed, 100, 2000, **lab) for seed in range(5)]
    check_mean(rates, amdahl(0.95, speed))


def test_p9_4_supervision_that_costs_19_percent_slows_research_down():
    lab = unlimited(0.95, 20, humans__initial=10, humans__papers_in_progress=1.0, humans__supervision=1.19)
    rates = [papers_per_month(seed, 100, 1500, **lab) / 10 for seed in range(5)]
    check_mean(rates, 1 / (0.05 + 0.95 * 1.19))
    assert interval(rates)[1] < 1


@pytest.mark.parametrize("hours", [{}, {"humans__hours_per_day": 8.0, "humans__days_per_week": 5}])
def test_p9_9_working_hours_leave_the_mean_output_alone(hours):
    lab = {"humans__initial": 20, "automation__never_share": 1.0, "humans__papers_per_month": 2.0}
    rates = [papers_per_month(seed, 70, 700, **lab, **hours) / 40 for seed in range(6)]
    check_mean(rates, 1.0)


def growing(seed: int, **changes) -> World:
    """Return a lab of improving software that has run to its end."""
    world = World(Scenario().replace(**(PLAIN | changes)), seed)
    while world.running:
        world.step()
    return world


def beside_ais(h: int, r: float) -> dict:
    """Return a lab of 200 AIs and h times as many humans, in which software is deployed in gains of 1%."""
    return {
        "humans__initial": 200 * h,
        "humans__papers_in_progress": 1.0,
        "researcher__initial": 200,
        "growth__calibrated_for": 200,
        "growth__r": r,
        "training__gain": 1.01,
        "run__max_doublings": 12,
        "run__max_individuals": 0,
    }


def unit_of_time(lab: dict) -> float:
    """Return the days of one unit of tau: E0/a, for 200 AIs that write a paper a month."""
    return 2 ** Scenario().replace(**(PLAIN | lab)).law().log2_initial_effort / 200 * DAYS_PER_MONTH


@pytest.mark.parametrize("h", [1, 9])
def test_p9_7_humans_and_ais_add_up(h):
    lab = beside_ais(h, 1.0)
    lab["run__horizon_days"] = unit_of_time(lab)
    expected = (1 + h) * math.e - h
    software = []
    for seed in range(6):
        with growing(seed, **lab) as world:
            software.append(2**world.lab.knowledge.software.discovered)
    check_mean(software, expected)


@pytest.mark.parametrize(("r", "tau"), [(1.0, math.log(1.8)), (1.4, 0.287524)])
def test_p9_11_ais_are_half_the_effort_when_software_equals_the_humans(r, tau):
    lab = beside_ais(9, r) | {"run__stop_at_researchers": 1800.0}
    times = []
    for seed in range(6):
        with growing(seed, **lab) as world:
            assert world.ending.ending == "researchers"
            times.append(world.now / unit_of_time(lab))
    check_mean(times, tau)


def test_p9_9_doublings_of_humans_alone_take_longer_by_a_constant_factor():
    lab = {
        "humans__initial": 100,
        "automation__never_share": 1.0,
        "growth__calibrated_for": 1500,
        "run__max_doublings": 3,
        "run__horizon_days": 20_000.0,
        "run__sample_days": 1000.0,
    }
    ratios = []
    for seed in range(4):
        with growing(seed, **lab) as world:
            days = [0.0, *(event.day for event in world.ledger if isinstance(event, SoftwareDoubled))]
            times = np.diff(days)
            ratios.append(float((times[2] / times[0]) ** (1 / 2)))
    check_mean(ratios, 2 ** (1 / 1.4))


def test_p9_9_software_of_growing_humans_grows_by_the_returns():
    lab = {
        "humans__initial": 300,
        "humans__growth_per_year": 1.8,
        "automation__never_share": 1.0,
        "growth__calibrated_for": 300,
        "run__horizon_days": 365.0,
    }
    per_day = 300 / DAYS_PER_MONTH
    steady = per_day / (math.log(1.8) / 365)  # with this effort before day 0, effort grows 1.8-fold from day 0 on
    unit = 2 ** Scenario().replace(**(PLAIN | lab)).law().log2_initial_effort
    lab["growth__first_doubling_days"] = DAYS_PER_MONTH * steady / unit
    software = []
    for seed in range(4):
        with growing(seed, **lab) as world:
            software.append(2**world.lab.knowledge.software.discovered)
    check_mean(software, 1.8**1.4)
