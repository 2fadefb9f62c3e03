"""Regulators in Worlds against theory: rows 14 and 15 of the models, pauses, precedence and reproducibility.

Labs with pooled work have no chance: their errors are those of deployment in steps of 1%, and of readings at intervals.
Statistical tests run fixed seeds and state their false-alarm rates, so they pass always or never.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from agents.governance_policy import GovernancePolicy, Order, OrderKind, Review, View
from sim import growth
from sim.events import Deployed, RestrictionsChanged
from sim.governance.covert_work import explosion_day_of_hidden_lab
from sim.governance.knife_edge import KnifeEdge
from sim.governance.pace_rules import window_rule_alarm
from sim.lab_factory import LabFactory
from sim.oversight import LabOversight
from sim.random_streams import RandomStreams
from sim.scenario.model import Scenario
from sim.world import World
from tests.statistical.test_several_labs_theory import CONTINUOUS, MONTH, STEP_ERROR, YEAR, doubling_days, law
from tests.support.properties import examples
from tests.support.several_labs import SMALL_LABS, labs_of, run_to_end

ROOT = Path(__file__).parents[2]
R = 1.4
EDGE = KnifeEdge(R, 1 / MONTH)
"""Brake of row 14: r = 1.4, and a target of one doubling a month."""
STEP = math.log2(1.01)
"""Doublings of a deployment."""
MEASURED: dict[str, Any] = {"regulator__measured": "discovered"}


def large_lab(r: float = R, **changes: Any) -> Scenario:
    """Return a large lab without a cluster limit and without chance, with one doubling in the first month."""
    return Scenario(name="large").replace(**(CONTINUOUS | law(r) | {"run__max_doublings": 60} | MEASURED | changes))


def policy(path: Path, **rules: dict[str, Any]) -> str:
    """Write a policy with these rules, and return its path."""
    lines = []
    for name, rule in rules.items():
        lines += [f"[rules.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in rule.items())]
    path.write_text("\n".join(lines))
    return str(path)


# --- P14: brakes ---------------------------------------------------------------------------------------------


class Braked:
    """Run a large lab under a brake, with its readings and barriers."""

    def __init__(self, path: Path, days: float, reading_days: float, gain: float, **brake: Any) -> None:
        """Run it for some days. ``gain`` is the reaction [1/day]; other parameters of the brake by name."""
        rule = {"when": "always", "order": "brake", "target_doubling_days": MONTH, "reaction_per_day": gain} | brake
        settings = {"regulator__policy": policy(path, brake=rule), "regulator__reading_days": reading_days}
        with World(large_lab(run__horizon_days=days, **settings)) as world:
            record = run_to_end(world).governance
        assert record is not None
        readings = record.readings[""]
        self.days: NDArray[np.float64] = np.array([one.day for one in readings])
        self.software: NDArray[np.float64] = np.array([one.doublings for one in readings])
        self._given = [(day, math.log2(orders[0].amount) if orders else 0.0) for day, orders in record.orders]

    def pace(self, start: float, end: float) -> float:
        """Return the mean pace between two days, as a factor of the target."""
        first, last = np.interp([start, end], self.days, self.software)
        return float(MONTH * (last - first) / (end - start))

    def barrier(self, days: Sequence[float]) -> NDArray[np.float64]:
        """Return the log2 of the barrier on some days."""
        given, levels = zip(*self._given, strict=True)
        return np.array(levels)[np.searchsorted(given, days, side="right") - 1]


@pytest.mark.parametrize(("share", "held"), [(1.2, 1.66707), (2.0, 1.26107), (4.0, 1.10719)])
def test_p14_3_smooth_brake_holds_the_pace_of_a_lab(tmp_path, share, held):
    gain = share * EDGE.smallest_gain
    assert EDGE.held_pace_factor(gain) == pytest.approx(held, abs=1e-5)
    run = Braked(tmp_path / "own.toml", 800, 4, gain)
    assert run.pace(500, 800) == pytest.approx(held, rel=0.01)


@pytest.mark.parametrize(("share", "is_held"), [(1.1, True), (0.9, False)])
def test_p14_4_lab_is_lost_below_the_smallest_gain_only(tmp_path, share, is_held):
    """Below the limit the pace passes e^8 times the target on day 654.3, by when 60 doublings are passed too."""
    gain = share * EDGE.smallest_gain
    run = Braked(tmp_path / "own.toml", 700, 3, gain)
    if is_held:
        assert run.days[-1] > 695
        assert run.pace(600, 690) == pytest.approx(EDGE.held_pace_factor(gain), rel=0.01)
    else:
        assert 620 < run.days[-1] < EDGE.days_to_pace_factor(gain, math.e**8) == pytest.approx(654.3, abs=0.05)


@pytest.mark.parametrize(("share", "is_stable"), [(0.9, True), (1.1, False)])
def test_p14_5_delayed_brake_of_a_lab_is_stable_below_the_longest_delay_only(tmp_path, share, is_stable):
    """A reading has a delay of its own: half of its interval on average, twice."""
    gain, interval = 2 * EDGE.smallest_gain, 2.0
    longest = EDGE.longest_delay_days(gain)
    assert (longest, EDGE.oscillation_period_days(gain)) == pytest.approx((38.82, 182.48), abs=5e-3)
    run = Braked(tmp_path / "own.toml", 650, interval, gain, reaction_delay_days=share * longest - interval)
    starts = np.arange(50, 640, 10)
    swings = np.log([run.pace(start, start + 10) for start in starts])
    early, late = (np.ptp(swings[(starts >= start) & (starts < start + 183)]) for start in (60, 450))
    assert bool(late < early) is is_stable
    if is_stable:
        middle = swings - math.log(EDGE.held_pace_factor(gain))
        falls = starts[:-1][(middle[:-1] > 0) & (middle[1:] <= 0)]
        assert np.diff(falls).mean() == pytest.approx(182.48, rel=0.1)


def test_p14_6_relay_of_a_lab_has_its_period_and_its_duty(tmp_path):
    """The pace since the last reading is late by half of the interval."""
    gain, band, interval = 3 * EDGE.drift, 0.6, 2.0
    run = Braked(tmp_path / "own.toml", 1000, interval, gain, control="relay", band=band)
    cycle = EDGE.relay_cycle(gain, band, interval / 2)
    days = np.arange(100.5, 999, interval)
    rises = np.diff(run.barrier(days)) > 0
    starts = np.flatnonzero(rises[1:] & ~rises[:-1]) + 1
    assert len(starts) >= 4
    assert interval * np.diff(starts).mean() == pytest.approx(cycle.period_days, rel=0.06)
    assert rises[starts[0] : starts[-1]].mean() == pytest.approx(cycle.duty, abs=0.02)


def test_p14_7_barrier_of_a_held_lab_doubles_in_its_time(tmp_path):
    gain = 2 * EDGE.smallest_gain
    assert EDGE.barrier_doubling_days(gain) == pytest.approx(84.42, abs=5e-3)
    run = Braked(tmp_path / "own.toml", 1000, 4, gain)
    barrier = run.barrier([300, 998])
    assert np.diff(barrier)[0] / 698 == pytest.approx(1 / 84.42, rel=0.01)
    software = np.interp([300, 998], run.days, run.software)
    assert np.diff(barrier)[0] == pytest.approx((1 - 1 / R) * np.diff(software)[0], rel=0.01)


# --- P15: alarms ---------------------------------------------------------------------------------------------


def first_alarm(path: Path, r: float, reading_days: float, days: float, lab: dict[str, Any], **rule: Any) -> float:
    """Return the day of the first alarm of a pace rule in a large lab."""
    settings = {
        "regulator__policy": policy(path, pace={"when": "pace"} | rule),
        "regulator__reading_days": reading_days,
        "run__horizon_days": days,
    }
    with World(large_lab(r, **(settings | lab))) as world:
        record = run_to_end(world).governance
    assert record is not None
    alarm = record.first_alarm("pace")
    return math.inf if alarm is None else alarm.day


@pytest.mark.parametrize(
    ("r", "times", "day", "level"),
    [(1.4, 2, 84.65, 11.31), (1.4, 3, 112.86, 46.77), (1.4, 5, 135.44, 279.5), (3.0, 5, 65.76, 11.18)],
)
def test_p15_1_pace_of_a_lab_is_k_fold_on_its_day(tmp_path, r, times, day, level):
    """The window is 30% of the time left. A step is 2% of its progress, and delays the pace by 2% of the time left."""
    ratio = float(growth.doubling_ratio(r))
    first_pace = (ratio - 1) / (MONTH * math.log(ratio))
    left = growth.explosion_time(MONTH, ratio) - day
    window = {"times": float(times), "window_days": 0.3 * left, "reference_doubling_days": 1 / first_pace}
    expected = window_rule_alarm(0.3 * left, times, first_pace, MONTH, ratio)
    assert day < expected < day + 0.3 * left
    alarm = first_alarm(tmp_path / "own.toml", r, 0.5, day + 20, {}, **window)
    assert alarm == pytest.approx(expected, abs=0.03 * left + 0.5)
    with World(large_lab(r, run__horizon_days=day)) as world:
        assert world.lab.knowledge.doublings == 0
        assert run_to_end(world).lab.knowledge.software.discovered == pytest.approx(math.log2(level), abs=0.05)


@pytest.mark.parametrize(("months", "times", "months_late"), [(18, 3, 9), (18, 5, 4.5), (18, 10, 2), (6, 5, 1.5)])
def test_p15_2_window_rule_sees_a_step_of_pace_in_its_time(tmp_path, months, times, months_late):
    """The lab grows exponentially from day 0 on, ``times`` as fast as before."""
    window = {"times": 2.0, "window_days": months * MONTH, "reference_doubling_days": 6 * MONTH}
    lab = law(1.0)
    lab["growth__first_doubling_days"] *= 6 / times
    expected = months_late * MONTH
    alarm = first_alarm(tmp_path / "own.toml", 1.0, 1.0, expected + 20, lab, **window)
    assert expected * (1 - STEP_ERROR) <= alarm <= expected * (1 + STEP_ERROR) + 2


@pytest.mark.parametrize(
    ("months", "r", "day"),
    [(6, 1.4, 35.69), (6, 3.0, 34.78), (6, 0.7, 37.96), (18, 1.4, 83.98), (18, 3.0, 64.76), (18, 0.7, 217.55)],
)
def test_p15_3_window_rule_of_a_lab_rings_on_its_day(tmp_path, months, r, day):
    window = {"times": 2.0, "window_days": months * MONTH, "reference_doubling_days": 6 * MONTH}
    alarm = first_alarm(tmp_path / "own.toml", r, 0.5, day + 10, {}, **window)
    ratio = float(growth.doubling_ratio(r))
    pace = growth.software_at(day + 0.5, MONTH, ratio) - growth.software_at(day - 0.5, MONTH, ratio)
    step_days = STEP / (pace - 1 / (6 * MONTH))
    assert day * (1 - STEP_ERROR) <= alarm <= day * (1 + STEP_ERROR) + step_days + 0.5


@pytest.mark.parametrize(("noise", "probability"), [(1.0, 0.0169), (2.0, 0.144)])
def test_p15_4_noise_raises_false_alarms_as_often_as_computed(tmp_path, noise, probability):
    """The lab doubles its software every six months, as before. Every second check is independent of the others.

    The false-alarm rate of this test is 0.5% for each noise.
    """
    seeds, checks, window = 30, 20, 18 * MONTH
    assert stats.norm.sf(3 / (noise * math.sqrt(2))) == pytest.approx(probability, rel=5e-3)
    rule = {"when": "pace", "times": 2.0, "window_days": window, "reference_doubling_days": 6 * MONTH}
    scenario = large_lab(
        1.0,
        regulator__policy=policy(tmp_path / "own.toml", pace=rule | {"lasts_days": 1.0}),
        regulator__reading_days=window,
        regulator__noise_doublings=noise,
        training__gain=2.0,
        growth__first_doubling_days=6 * MONTH - 0.1,  # each doubling comes a little before its reading
        run__horizon_days=(checks + 0.1) * window,
        run__max_doublings=100,
    )
    rung = 0
    for seed in range(seeds):
        with World(scenario, seed) as world:
            record = run_to_end(world).governance
            assert record is not None and len(record.readings[""]) == checks
            rung += sum(round(alarm.day / window) % 2 == 0 for alarm in record.alarms)
    assert stats.binomtest(rung, seeds * checks // 2, probability).pvalue > 0.005


# --- P15: covert work ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [100.0, 1000.0])
def test_p15_9_covert_labs_are_found_in_their_time(workers):
    """Kolmogorov-Smirnov test with a false-alarm rate of 1% for each number of workers."""
    mean = {100.0: 6.95, 1000.0: 3.42}[workers]
    own = {"disclosure__complies": False, "disclosure__covert_workers": workers}
    script = (Order(OrderKind.PAUSE_RESEARCH),)
    found = []
    with World(labs_of(CONTINUOUS, {"open": {}, "covert": own})) as world:
        for seed in range(1000):
            oversight = LabOversight(world.clock, world.labs, RandomStreams(seed), world.scenario.regulator)
            oversight.carry_out(script)
            found.append(oversight.found_on["covert"] / YEAR)
            assert "open" not in oversight.found_on
    assert stats.kstest(found, stats.gamma(mean / 3.88, scale=3.88).cdf).pvalue > 0.01


@pytest.mark.parametrize("share", [0.5, 0.125])
def test_p15_10_hidden_lab_follows_the_path_of_the_whole_at_its_share(tmp_path, share):
    """A pause for good stops the open lab. The other has a share of the compute, and is never found."""
    team, always = 65536, {"when": "always", "order": "pause-research"}
    own = {"researcher__initial": int(team * share), "disclosure__complies": False, "disclosure__covert_workers": 0.0}
    scenario = labs_of(
        CONTINUOUS | law(R) | MEASURED,
        {"open": {}, "covert": own},
        growth__calibrated_for=float(team),
        regulator__policy=policy(tmp_path / "own.toml", pause=always),
        regulator__reading_days=0.1,
        run__horizon_days=1.01 * explosion_day_of_hidden_lab(share, R),
        run__max_doublings=40,
    )
    with World(scenario) as world:
        run_to_end(world)
        assert world.labs["open"].knowledge.software.discovered < 2 * STEP
        ratio = float(growth.doubling_ratio(R))
        expected = [float(growth.time_of_doubling(n, MONTH, ratio)) / share for n in range(1, 41)]
        assert doubling_days(world, "covert") == pytest.approx(expected, rel=STEP_ERROR)
        assert expected[-1] == pytest.approx(explosion_day_of_hidden_lab(share, R), rel=1e-3)


# --- Pauses --------------------------------------------------------------------------------------------------


class Script(GovernancePolicy):
    """Give the orders of a script, each from its day on until its end."""

    script: ClassVar[tuple[tuple[float, Order], ...]] = ()

    def review(self, view: View) -> Review:
        return Review(tuple(order for day, order in self.script if day <= view.day < order.until))


def scripted(script: Sequence[tuple[float, Order]], **changes: Any) -> World:
    """Return the end of a run under these orders; readings are on each day."""
    Script.script = tuple(script)
    changes = {"run__max_doublings": 30} | changes
    return run_to_end(World(large_lab(**changes), 1, make=LabFactory(governance=Script), regulator__reading_days=1.0))


@cache
def free_path(timing: str) -> tuple[list[float], list[float]]:
    """Return the days of deployments without a regulator, and deployed software."""
    with World(large_lab(researcher__timing=timing, run__horizon_days=130.0, run__max_doublings=30), 1) as world:
        steps = [event for event in run_to_end(world).ledger if isinstance(event, Deployed)]
    return [0.0, *(event.day for event in steps)], [0.0, *(event.deployed for event in steps)]


RESTRICTING = st.sampled_from(
    [
        Order(OrderKind.PAUSE_RESEARCH),
        Order(OrderKind.BRAKE, 3.0),
        Order(OrderKind.CAP_COPIES, 70_000.0),
        Order(OrderKind.STAGED_RELEASE, 1000.0),
    ]
)
PAUSES = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 25), RESTRICTING), min_size=1, max_size=4)


@examples(25)
@given(PAUSES, st.sampled_from(["pooled", "poisson"]))
def test_released_pauses_gain_nothing_and_cost_at_most_their_days(gaps, timing):
    """Software lies between the free one of the paused days earlier and of today; full stops alone give the former.

    The tolerance is two steps, and 3% of the days for the chance of random papers.
    """
    day, paused, script = 0, 0, []
    for gap, days, order in gaps:
        script.append((float(day + gap), order._replace(until=float(day + gap + days))))
        day, paused = day + gap + days, paused + days
    end = min(float(day + 5), 130.0)
    script = [(start, order) for start, order in script if start < end]
    with scripted(script, researcher__timing=timing, run__horizon_days=end) as world:
        software = world.lab.knowledge.software.discovered
    paused = sum(min(order.until, end) - start for start, order in script)
    days, levels = free_path(timing)
    chance = 0.03 if timing == "poisson" else 0.0
    low, high = np.interp([max(0.0, end - paused), end], days, levels)
    if all(order.kind == OrderKind.PAUSE_RESEARCH for _, order in script):
        high = low
    assert low * (1 - chance) - 2 * STEP <= software <= high * (1 + chance) + 2 * STEP


# --- Precedence ----------------------------------------------------------------------------------------------


class Both(GovernancePolicy):
    """Follow two policies at once, in this order."""

    parts: ClassVar[tuple[tuple[tuple[float, Order], ...], ...]] = ()

    def review(self, view: View) -> Review:
        orders = [order for part in self.parts for day, order in part if day <= view.day < order.until]
        return Review(tuple(orders))


def under_both(*parts: tuple[tuple[float, Order], ...]) -> World:
    Both.parts = parts
    small = Scenario(name="small").replace(**SMALL_LABS)
    return run_to_end(World(small, 3, make=LabFactory(governance=Both), regulator__reading_days=1.0))


def effects(world: World) -> list[Any]:
    """Return the events and jobs of a run, without the restrictions themselves."""
    happened = [event for event in world.ledger if not isinstance(event, RestrictionsChanged)]
    return [*happened, *world.lab.compute.datacenter.records]


OPPOSITE = [
    (Order(OrderKind.PAUSE_RESEARCH), Order(OrderKind.BRAKE, 1.0)),
    (Order(OrderKind.BRAKE, 4.0), Order(OrderKind.BRAKE, 1.0)),
    (Order(OrderKind.CAP_COPIES, 3.0), Order(OrderKind.CAP_COPIES, 1e9)),
    (Order(OrderKind.CAP_EXPERIMENTS, 0.25), Order(OrderKind.CAP_EXPERIMENTS, 1.0)),
    (Order(OrderKind.STAGED_RELEASE, 5.0), Order(OrderKind.STAGED_RELEASE, 0.0)),
    (Order(OrderKind.LICENCE, 4.0, permit_days=5.0), Order(OrderKind.LICENCE, 100.0, permit_days=0.0)),
]


@pytest.mark.parametrize(("strict", "lax"), OPPOSITE, ids=lambda order: str(order.kind))
def test_of_two_opposite_orders_the_strict_one_counts_until_it_ends(strict, lax):
    """The lax order begins later, and ends later: it neither ends the strict one nor puts it off."""
    from_strict, from_lax = ((4.0, strict._replace(until=20.0)),), ((6.0, lax._replace(until=25.0)),)
    alone = under_both(from_strict)
    assert effects(alone) != effects(under_both())
    for parts in ((from_strict, from_lax), (from_lax, from_strict)):
        assert effects(under_both(*parts)) == effects(alone)


def test_order_that_ends_leaves_those_of_other_rules_in_force():
    parts = [((4.0, Order(OrderKind.CAP_COPIES, 2.0, until=12.0)),), ((4.0, Order(OrderKind.CAP_COPIES, 5.0)),)]
    for world in (under_both(*parts), under_both(*reversed(parts))):
        changes = [(e.day, e.most_copies) for e in world.ledger if isinstance(e, RestrictionsChanged)]
        assert changes == [(4.0, 2.0), (12.0, 5.0)]


@pytest.mark.parametrize(("permit_days", "start"), [(5.0, 12.0), (30.0, 20.0)])
def test_waiting_training_run_follows_the_licence_that_remains(permit_days, start):
    """The first run is requested in the first days, and an order without licences ends on day 12.

    The remaining order gives the licence after some days from the request on, or ends on day 20.
    """
    never = Order(OrderKind.LICENCE, 4.0, until=12.0)
    world = under_both(((1.0, never),), ((1.0, Order(OrderKind.LICENCE, 6.0, until=20.0, permit_days=permit_days)),))
    first = next(job for job in world.lab.compute.datacenter.records if job.use == "training")
    assert 1 < first.submitted < 12 - 5 and first.gpus > 6
    assert first.started == start


def test_order_of_the_rules_in_a_file_does_not_matter(tmp_path):
    rules = {
        "pause": {"when": "level", "doublings": 0.5, "order": "pause-research", "lasts_days": 5.0},
        "cap": {"when": "level", "doublings": 0.2, "order": "cap-copies", "copies_of_alarm": 0.5},
        "lax": {"when": "always", "order": "cap-copies", "copies": 1e9},
    }
    orders = [list(rules), list(reversed(rules))]
    names = [policy(tmp_path / f"{n}.toml", **{name: rules[name] for name in order}) for n, order in enumerate(orders)]
    small = Scenario(name="small").replace(**SMALL_LABS, regulator__reading_days=1.0)
    worlds = [run_to_end(World(small, 3, regulator__policy=name)) for name in names]
    assert len([event for event in worlds[0].ledger if isinstance(event, RestrictionsChanged)]) >= 3
    assert worlds[0].digest() == worlds[1].digest()


# --- Reproducibility -----------------------------------------------------------------------------------------


RULED: dict[str, Any] = SMALL_LABS | {
    "regulator__policy": "compute-cap",
    "regulator__reading_days": 1.3,
    "regulator__times": 1.5,
    "regulator__lag_days": 0.7,
    "regulator__order_days": 0.4,
    "regulator__noise_doublings": 0.3,
}
"""A regulator with noise, delays and orders."""
LABS: dict[str, Any] = {"a": {}, "b": {"disclosure__complies": False, "disclosure__covert_workers": 1e9}}
"""A lab that complies, and one that works on in secret."""


def ruled(**changes: Any) -> World:
    return World(labs_of(RULED, LABS, **changes), 3)


@pytest.fixture(scope="module")
def ruled_run() -> World:
    """Return the end of a run under orders."""
    world = run_to_end(ruled())
    assert any(isinstance(event, RestrictionsChanged) for event in world.ledger)
    return world


def test_run_under_orders_is_the_same_in_another_process(ruled_run):
    code = (
        "from sim.world import World\n"
        "from tests.support.several_labs import labs_of, run_to_end\n"
        f"print(run_to_end(World(labs_of({RULED}, {LABS}), 3)).digest())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=ROOT
    )
    assert done.stdout.strip() == ruled_run.digest()


@pytest.mark.parametrize("sample_days", [0.37, 7.0, 30.0])
def test_run_under_orders_is_the_same_with_any_frame(ruled_run, sample_days):
    other = run_to_end(ruled(run__sample_days=sample_days))
    assert other.digest() == ruled_run.digest()
    assert other.governance == ruled_run.governance


@examples(8)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=12))
def test_run_under_orders_is_the_same_in_any_portions_of_events(ruled_run, portions):
    other = ruled()
    while other.running:
        for most in portions:
            other.step_events(most)
    assert other.digest() == ruled_run.digest()
    assert other.governance == ruled_run.governance
