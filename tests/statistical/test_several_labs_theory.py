"""Several labs against theory: races by chance, head starts, leaks, mergers, and hardware that grows.

Statistical tests run fixed seeds at a level of 99% or wider, so they pass always or never. The closed forms are those
of continuous deployment, ``dE/dt = lambda H S``, ``S = E^r``, E(0) = 1. A World deploys in steps of a gain of 1.01.
Steps make each date later by the same factor, which :func:`law` takes out.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from sim.events import PaperPublished, SoftwareDoubled
from sim.growth import DAYS_PER_MONTH
from sim.lab_params import PUBLICATION_STEP
from sim.scenario.model import Scenario
from sim.world import World
from tests.support.several_labs import THINKERS, labs_of, run_to_end

MONTH = 365 / 12
YEAR = 365.0
GAIN = 1.01
STEP_ERROR = 0.004
"""Relative error of dates with steps of a gain of 1.01."""
RATIO_ERROR = 0.012
"""Relative error of a ratio of software on a day: each lab publishes in steps of 1%."""
CONTINUOUS: dict[str, Any] = THINKERS | {
    "researcher__timing": "pooled",
    "training__gain": GAIN,
    "researcher__initial": 65536,
    "run__max_individuals": 0,
    "run__horizon_days": 1e4,
    "run__sample_days": 1e4,
    "run__max_doublings": 12,
}
"""A large team that deploys after each gain of 1.01."""


def growth_rate(r: float) -> float:
    """Return lambda [per day] such that the first doubling takes a month under continuous deployment."""
    return math.log(2) / MONTH if r == 1 else (2 ** ((1 - r) / r) - 1) / ((1 - r) * MONTH)


def law(r: float) -> dict[str, Any]:
    """Return the parameters of a law under which steps of `GAIN` take as long as under continuous deployment."""
    continuous = math.log(GAIN) if r == 1 else (GAIN ** ((1 - r) / r) - 1) / (1 - r)
    stepped = GAIN ** (1 / r) - 1
    days = (2 ** (1 / r) - 1) / growth_rate(r) * continuous / stepped
    return {"growth__r": r, "growth__first_doubling_days": days}


def software_after(days: float, r: float) -> float:
    """Return software after a time of the clock tau, from S(0) = 1."""
    if r == 1:
        return math.exp(growth_rate(r) * days)
    return float((1 + (1 - r) * growth_rate(r) * days) ** (r / (1 - r)))


def days_to(software: float, r: float) -> float:
    """Return the time of the clock tau at which software reaches a level."""
    if r == 1:
        return math.log(software) / growth_rate(r)
    return float((software ** ((1 - r) / r) - 1) / ((1 - r) * growth_rate(r)))


def doubling_days(world: World, lab: str = "") -> list[float]:
    return [event.day for event in world.ledger if isinstance(event, SoftwareDoubled) and event.lab == lab]


def software(world: World, lab: str) -> float:
    return float(2.0 ** world.labs[lab].knowledge.software.discovered)


# --- Races by chance -----------------------------------------------------------------------------------------


def probability_to_finish_first(teams: tuple[int, int], papers: list[int]) -> float:
    """Return the probability that the first lab writes the last of its papers first; a doubling doubles its team.

    The next paper of the race is one of a lab with a probability in proportion to its team. ``papers``: papers written
    at each doubling.
    """

    def team(lab: int, done: int) -> int:
        return int(teams[lab] * 2 ** sum(done >= each for each in papers))

    @cache
    def lead(own: int, theirs: int) -> float:
        if own == papers[-1]:
            return 1.0
        if theirs == papers[-1]:
            return 0.0
        rates = [
            team * 2 ** sum(done >= each for each in papers) for team, done in zip(teams, (own, theirs), strict=True)
        ]
        share = rates[0] / sum(rates)
        return share * lead(own + 1, theirs) + (1 - share) * lead(own, theirs + 1)

    return lead(0, 0)


def probability_with_parts_of_papers(teams: tuple[int, int], doublings: int) -> float:
    """Return the same probability if doubling n takes exactly 2 * 1.5^n papers, by the inversion of Gil-Pelaez."""

    def log_characteristic(t: float, team: int) -> complex:
        return sum(-2 * 1.5**n * np.log(1 - 1j * t / (team * 2**n)) for n in range(doublings))

    def integrand(t: float) -> float:
        difference = np.exp(log_characteristic(t, teams[0]) + log_characteristic(-t, teams[1]))
        return float(difference.imag / t)

    return 0.5 - float(integrate.quad(integrand, 1e-12, 50, limit=400)[0]) / math.pi


def test_two_researchers_are_ahead_of_one_as_often_as_computed() -> None:
    papers = [math.ceil(2 * (1.5**n - 1) / 0.5) for n in range(1, 7)]
    assert probability_with_parts_of_papers((2, 1), 6) == pytest.approx(0.9675, abs=5e-5)
    assert probability_to_finish_first((2, 1), papers) == pytest.approx(0.9696, abs=5e-5)
    toy = Scenario.load("toy-explosion").replace(run__horizon_days=1e5, run__sample_days=1e5, run__max_doublings=3)
    scenario = toy.replace(**{"a.researcher__initial": 2, "b.researcher__initial": 1})
    seeds, wins = 2000, np.zeros(3)
    for seed in range(seeds):
        with World(scenario, seed) as world:
            run_to_end(world)
            wins += np.array(doubling_days(world, "a")) < np.array(doubling_days(world, "b"))
    for level in range(3):
        expected = probability_to_finish_first((2, 1), papers[: level + 1])
        assert stats.binomtest(int(wins[level]), seeds, expected).pvalue > 0.003


def test_first_papers_of_a_birth_process_are_shared_as_from_an_urn() -> None:
    """The next paper is one of a lab with a probability in proportion to its effort, which each paper raises by 1.

    The share of the papers of a lab tends to a beta distribution; of a fixed number of papers it is beta-binomial. The
    Kolmogorov-Smirnov test has a level of 1%.
    """
    papers, seeds, effort, researchers = 60, 250, {"a": 12, "b": 10}, 8
    beta = stats.beta(effort["a"], effort["b"])
    assert (beta.mean(), beta.std(), beta.sf(0.5)) == pytest.approx((0.54545, 0.10383, 0.66819), abs=5e-6)
    scenario = labs_of(
        CONTINUOUS | {"researcher__timing": "poisson", "growth__r": 1.0, "growth__first_doubling_days": MONTH},
        {lab: {"researcher__initial": researchers * each} for lab, each in effort.items()},
        researcher__papers_per_month=DAYS_PER_MONTH / MONTH / researchers,  # the team writes its effort in a month
        run__leap_tolerance=0.0,
        run__sample_days=20.0,
        run__max_doublings=30,
    )
    first = []
    for seed in range(seeds):
        with World(scenario, seed) as world:
            authors: list[str] = []
            while len(authors) < papers:
                world.step()
                authors = [event.lab for event in world.ledger if isinstance(event, PaperPublished)]
            first.append(authors[:papers].count("a"))
    urn, draws = stats.betabinom(papers, effort["a"], effort["b"]), np.random.default_rng(1).random(seeds)
    ranks = urn.cdf(first) - draws * urn.pmf(first)  # uniform, because it is drawn within the steps of the distribution
    assert stats.kstest(ranks, "uniform").pvalue > 0.01


# --- Head starts, leaks and mergers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("r", "ratios"),
    [
        (0.7, {60.8333: 1.7052, 90: 1.5487, 150: 1.376, 365: 1.1761}),
        (1.0, {60.8333: 2.0, 150: 2.0}),
        (1.4, {60.8333: 2.3755, 90: 3.1154}),
    ],
)
@pytest.mark.parametrize("kind", ["software", "days"])
def test_head_start_of_a_month_leaves_the_ratio_in_theory(r: float, ratios: dict[float, float], kind: str) -> None:
    days = [day - MONTH if kind == "software" else day for day in ratios]
    own = {"entry__software_doublings": 1.0} if kind == "software" else {}
    late = {} if kind == "software" else {"entry__day": MONTH}
    with World(labs_of(CONTINUOUS | law(r), {"leader": own, "follower": late}, run__horizon_days=max(days))) as world:
        for day, expected in zip(days, ratios.values(), strict=True):
            world.clock.advance(day)
            assert software(world, "leader") / software(world, "follower") == pytest.approx(expected, rel=RATIO_ERROR)


@pytest.mark.parametrize(
    ("r", "day", "leak", "expected"),
    [
        (0.7, 90, 0.1, 1.1065),
        (0.7, 90, 0.5, 1.0293),
        (0.7, 90, 1.0, 1.008),
        (1.0, 90, 0.1, 1.306),
        (1.0, 90, 0.5, 1.0528),
        (1.4, 55, 0.1, 1.9557),
        (1.4, 55, 1.0, 1.0252),
    ],
)
def test_leak_closes_the_gap_of_unequal_starts(r: float, day: float, leak: float, expected: float) -> None:
    own = {"entry__software_doublings": r * math.log2(1.5)}  # 1.5 times the effort
    scenario = labs_of(CONTINUOUS | law(r), {"a": own, "b": {}}, commons__publication_share=leak)
    with World(scenario.replace(run__horizon_days=float(day))) as world:
        run_to_end(world)
        assert software(world, "a") / software(world, "b") == pytest.approx(expected, rel=RATIO_ERROR)


@pytest.mark.parametrize("r", [0.7, 1.4])
@pytest.mark.parametrize(("labs", "leak"), [(2, 0.5), (3, 1.0)])
def test_leak_among_equal_labs_shortens_every_doubling_alike(r: float, labs: int, leak: float) -> None:
    names = {f"lab{n}": dict[str, Any]() for n in range(labs)}
    scenario = labs_of(CONTINUOUS | law(r), names, commons__publication_share=leak, run__max_doublings=4)
    with World(scenario) as world:
        run_to_end(world)
        faster = 1 + leak * (labs - 1)
        expected = [days_to(2.0**n, r) / faster for n in range(1, 5)]
        assert doubling_days(world, "lab0") == pytest.approx(expected, rel=labs * PUBLICATION_STEP)
        assert doubling_days(world, "lab0") == pytest.approx(doubling_days(world, "lab1"), rel=1e-9)


@pytest.mark.parametrize("penalty", [0.5, 0.8])
def test_two_labs_that_merge_are_slower_than_two_that_share_all_by_the_penalty(penalty: float) -> None:
    base = CONTINUOUS | law(0.7) | {"growth__parallel_penalty": penalty, "run__max_doublings": 3}
    merger = {"exit__kind": "merges", "exit__into": "b"}
    with (
        World(labs_of(base, {"a": merger, "b": {}})) as merged,
        World(labs_of(base, {"a": {}, "b": {}}, commons__publication_share=1.0)) as shared,
    ):
        run_to_end(merged)
        run_to_end(shared)
        speeds = np.array(doubling_days(shared, "b")) / np.array(doubling_days(merged, "b"))
        assert speeds == pytest.approx([2 ** (penalty - 1)] * 3, rel=2 * PUBLICATION_STEP)
        assert merged.labs["b"].compute.datacenter.capacity == 2 * THINKERS["cluster__gpus"]


def test_diffusion_closes_the_published_part_of_a_gap() -> None:
    own, late = {"entry__software_doublings": 3.0}, {"commons__diffusion_per_year": 2.0}
    slow = CONTINUOUS | {"growth__r": 0.7, "growth__first_doubling_days": 1e5}
    with World(labs_of(slow, {"a": own, "b": late}, run__horizon_days=YEAR)) as world:
        run_to_end(world)
        gap = math.log2(software(world, "a") / software(world, "b"))
        assert gap == pytest.approx(3 * math.exp(-2), abs=0.01)


# --- Hardware that grows -------------------------------------------------------------------------------------


def grown(r: float, doubling_of_hardware: float, **changes: Any) -> Scenario:
    """Return one lab whose GPUs double in this time [days], in lots of half a day."""
    hardware = {"supply__growth_per_year": 2 ** (YEAR / doubling_of_hardware), "supply__lot_days": 0.5}
    return Scenario(name="grown").replace(**(CONTINUOUS | law(r) | {"cluster__gpus": 1024} | hardware | changes))


def clock(day: float, doubling_of_hardware: float) -> float:
    """Return the integral of H to a day, ``(2^(t/T) - 1) T/ln 2``."""
    return float((2 ** (day / doubling_of_hardware) - 1) * doubling_of_hardware / math.log(2))


@pytest.mark.parametrize(("r", "expected"), [(0.7, 6.822453), (1.0, 12.927968), (1.4, 45.195112)])
def test_hardware_that_grows_is_a_faster_clock(r: float, expected: float) -> None:
    assert clock(100, 304.17) == pytest.approx(112.31122, abs=1e-5)
    assert software_after(clock(100, 304.17), r) == pytest.approx(expected, rel=1e-6)
    with World(grown(r, 304.17, run__horizon_days=100.0)) as world:
        run_to_end(world)
        assert clock(100, 304.17) == pytest.approx(days_to(software(world, ""), r), rel=STEP_ERROR)


@pytest.mark.parametrize(("r", "expected"), [(1.4, 146.80), (3.0, 76.38)])
def test_hardware_brings_the_explosion_forward(r: float, expected: float) -> None:
    with World(grown(r, YEAR, run__max_doublings=40)) as world:
        run_to_end(world)
        assert doubling_days(world)[-1] == pytest.approx(expected, rel=STEP_ERROR)


def test_fizzle_with_hardware_that_grows_becomes_exponential() -> None:
    """The limit is a doubling in ``T (1 - r)/r``, which is 2.3333 doublings a year at r = .7 and T of a year."""
    ends = [4, 5, 9, 10]
    closed = [math.log2(software_after(clock(year * YEAR, YEAR), 0.7)) for year in ends]
    assert np.diff(closed)[::2] == pytest.approx([2.4245, 2.3361], abs=5e-5)
    scenario = grown(0.7, YEAR, cluster__gpus=64, supply__lot_days=5.0, run__horizon_days=5 * YEAR)
    with World(scenario, run__max_doublings=40) as world:
        levels = []
        for year in ends[:2]:
            world.clock.advance(year * YEAR)
            levels.append(math.log2(software(world, "")))
    assert np.diff(levels) == pytest.approx(np.diff(closed[:2]), rel=RATIO_ERROR)


def test_hardware_changes_the_dates_of_doublings_and_not_their_papers() -> None:
    runs = []
    for growth in (1.0, 2.3, 12.0):
        base = CONTINUOUS | law(0.7) | {"supply__growth_per_year": growth, "run__max_doublings": 5}
        with World(Scenario(name="grown").replace(**base)) as world:
            runs.append([event for event in run_to_end(world).ledger if isinstance(event, SoftwareDoubled)])
    for events in runs:
        assert [event.n for event in events] == [1, 2, 3, 4, 5]
        assert [event.papers for event in events] == pytest.approx([event.papers for event in runs[0]], rel=1e-9)
    assert runs[0][-1].day > 1.2 * runs[1][-1].day > 1.2 * runs[2][-1].day


def test_hardware_changes_no_order_of_the_doublings_of_two_labs() -> None:
    """Hardware of all labs that grows alike is one change of clock: it maps each date of each lab in the same way."""
    base, runs = CONTINUOUS | law(0.7) | {"run__max_doublings": 4, "supply__lot_days": 1.0}, {}
    own = {"a": {"entry__software_doublings": 1.0}, "b": {}}
    for doubling in (math.inf, 60.0):
        with World(labs_of(base, own, cluster__gpus=128, supply__growth_per_year=2 ** (YEAR / doubling))) as world:
            events = [event for event in run_to_end(world).ledger if isinstance(event, SoftwareDoubled)]
        runs[doubling] = events
    fixed = [event.day for event in runs[math.inf]]
    for doubling, events in runs.items():
        assert [(event.lab, event.n) for event in events] == [(event.lab, event.n) for event in runs[math.inf]]
        if doubling < math.inf:
            assert [clock(event.day, doubling) for event in events] == pytest.approx(fixed, rel=RATIO_ERROR)


def loop_days(r: float, growth_per_year: float, automated_share: float, doublings: int) -> list[float]:
    """Return the day of each doubling if AIs improve hardware: ``dH = A^(5 f) dG`` for G GPUs and ``A = H S``."""

    def slope(day: float, state: list[float]) -> list[float]:
        effort, hardware = state
        ais = hardware * effort**r
        added = math.log(growth_per_year) / YEAR * growth_per_year ** (day / YEAR)
        return [growth_rate(r) * ais, added * ais ** (5 * automated_share)]

    last = float(2 ** (doublings / r))

    def is_over(day: float, state: list[float]) -> float:
        return state[0] - last

    is_over.terminal = True  # type: ignore[attr-defined]  # as SciPy asks for it
    levels = 2.0 ** (np.arange(1, doublings + 1) / r)
    found = integrate.solve_ivp(slope, (0, 1e5), [1.0, 1.0], events=is_over, rtol=1e-8, atol=1e-10)
    return list(np.interp(np.log(levels), np.log(found.y[0]), found.t))


@pytest.mark.parametrize(("automated_share", "speeds_up"), [(0.03, False), (0.12, True)])
def test_research_on_hardware_by_ais_lets_a_fizzle_explode_above_the_threshold(
    automated_share: float, speeds_up: bool
) -> None:
    """The loop explodes if ``r + 5 f > 1``; the threshold at r = .7 is f = .06."""
    hardware = {"growth_per_year": 1.3, "lot_days": 2.0, "automated_share": automated_share, "fabrication_days": 0.0}
    base = CONTINUOUS | law(0.7) | {"cluster__gpus": 256, "run__max_doublings": 14}
    scenario = Scenario(name="loop").replace(**base, **{f"supply__{name}": value for name, value in hardware.items()})
    with World(scenario) as world:
        days = doubling_days(run_to_end(world))
    assert days == pytest.approx(loop_days(0.7, 1.3, automated_share, 14), rel=0.02)
    durations = np.diff(days)
    assert (durations[-1] < durations[0]) == speeds_up


def test_p27_2_software_and_hardware_explode_together_at_the_loop_gain_of_the_row() -> None:
    """With (f_S, f_H) = (1, .1) and r = 1 the loop gain is 1.5, as in P27.2.

    The exponents and the date of P27.2 are those of hardware as a stock of research. A World has no such stock: the
    speed of new nodes is ``A^(5 f_H)`` at once. `tests/sim/racing/test_feedbacks.py` holds P27.2 by its closed form and
    a direct integration. Here the exponents are (3, 1). ``dlnS = H dt`` and ``dH = (S H)^(1/2) dt`` give
    ``H ~ (t* - t)^-1`` and ``S ~ (t* - t)^-3``, so that late doublings take 2^(-1/3) of the one before.
    """
    hardware = {"growth_per_year": 1.3, "lot_days": 2.0, "automated_share": 0.1, "fabrication_days": 0.0}
    base = CONTINUOUS | law(1.0) | {"cluster__gpus": 256, "run__max_doublings": 20}
    scenario = Scenario(name="loop").replace(**base, **{f"supply__{name}": value for name, value in hardware.items()})
    with World(scenario) as world:
        days = doubling_days(run_to_end(world))
    integrated = loop_days(1.0, 1.3, 0.1, 20)
    assert days == pytest.approx(integrated, rel=0.02)
    before, last = np.diff(integrated)[-2:]
    assert last / before == pytest.approx(2 ** (-1 / 3), rel=0.01)
