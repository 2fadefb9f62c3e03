"""Test humans and tasks in the fluid engine against the closed forms of row 9 (P9.1 to P9.11).

The engine deploys software a gain at a time, as the World does. Its results equal the sums over these steps to 1e-9.
The closed forms let AIs grow with software at all times. Results at gains that halve are therefore extrapolated to a
gain of nothing; the tests state the error that is left.
"""

import math
from itertools import pairwise

import numpy as np
import pytest

from sim.fluid.api import fluid, run_fluid
from sim.long_run import long_run
from sim.margins import margins
from sim.scenario.model import Scenario
from tests.oracles import fluid as oracle
from tests.oracles import production, report

EXACT = 1e-9
MONTH = report.MONTH
NEVER = {"automation__never_share": 1.0}
"""AIs can do no task at all."""
ADDED = Scenario(name="added").replace(
    training__required=False,
    kernels__measurements="none",
    researcher__experiment_gpu_days=0.0,
    researcher__writing_share=0.0,
    researcher__initial=1,
    humans__growth_per_year=1.0,
    cluster__gpu_hours_between_failures=0.0,
    growth__first_doubling_days=0.1,
    run__horizon_days=1e6,
    run__max_doublings=6,
)
"""AIs that can do all tasks, and a constant number of humans: both write papers alone, at one a month."""
HELD = ADDED.replace(humans__initial=100, researcher__initial=100, humans__papers_in_progress=1000.0)
"""100 humans, and as many AIs, that write papers together if AIs can do some tasks only."""


def unit_of_time(scenario: Scenario) -> float:
    """E0 over the effort per day of one researcher [days]."""
    return 2 ** scenario.law().log2_initial_effort * MONTH


def paper_rate(scenario: Scenario) -> float:
    """Papers per day of the first days, relative to one human alone. Software does not change."""
    still = scenario.replace(
        growth__first_doubling_days=1e6, training__gain=1e6, run__max_doublings=1, run__horizon_days=10.0
    )
    return float(fluid([still]).papers[0]) / 10 * MONTH


# --- AIs can do all tasks: they and humans add up --------------------------------------------------------


@pytest.mark.parametrize("gain", [2.0, 2**0.25])
@pytest.mark.parametrize("r", [0.7, 1.0, 1.4])
@pytest.mark.parametrize("humans", [1, 9, 99])
def test_humans_and_ais_that_add_up_equal_the_sum_of_steps(humans, r, gain):
    scenario = ADDED.replace(humans__initial=humans, growth__r=r, training__gain=gain)
    expected = oracle.effort_time_with_humans(np.arange(1.0, 7.0), r, humans, math.log2(gain))
    found = fluid([scenario]).doubling_day[0]
    assert found == pytest.approx(expected * unit_of_time(scenario), rel=EXACT, abs=0)


@pytest.fixture(scope="module")
def continuous():
    """Times of doublings with r = 1 and r = 1.4 for h = 0, 1, 9, 99, extrapolated to AIs that grow at all times."""
    cases = [(r, humans) for r in (1.0, 1.4) for humans in (0, 1, 9, 99)]
    rows = [
        ADDED.replace(
            humans__initial=humans,
            growth__r=r,
            training__gain=2 ** (2.0**-k),
            run__max_doublings=120 if r > 1 else 20,
        )
        for k in range(6)
        for r, humans in cases
    ]
    days = fluid(rows).doubling_day
    units = np.array([unit_of_time(row) for row in rows])[:, np.newaxis]
    by_gain = list((days / units).reshape(6, len(cases), -1))
    return dict(zip(cases, oracle.extrapolate(by_gain), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("humans", [1, 9, 99])
def test_p9_7_humans_and_ais_at_r_1_follow_the_exponential(continuous, humans):
    """``S = (1 + h) e^t - h``. The extrapolation leaves an error of less than 1e-8."""
    doublings = np.arange(1, 21)
    software = (1 + humans) * np.exp(continuous[1.0, humans][:20]) - humans
    assert software == pytest.approx(2.0**doublings, rel=1e-7)
    assert {1: 4.436564, 9: 18.182818, 99: 172.828183}[humans] == pytest.approx(
        (1 + humans) * math.e - humans, abs=1e-6
    )


@pytest.mark.slow
@pytest.mark.parametrize(("humans", "expected"), [(0, 2.5), (1, 2.132368), (9, 1.425731), (99, 0.762137)])
def test_p9_8_humans_bring_the_singularity_forward(continuous, humans, expected):
    """After 120 doublings less than 1e-10 of the time is left."""
    assert production.explosion_time_with_humans(1.4, humans) == pytest.approx(expected, abs=1e-6)
    assert continuous[1.4, humans][-1] == pytest.approx(production.explosion_time_with_humans(1.4, humans), rel=1e-8)


@pytest.mark.parametrize(("r", "expected"), [(1.0, 0.587787), (1.4, 0.287524)])
def test_p9_11_ais_are_half_the_effort_when_software_equals_the_ratio(r, expected):
    """h = 9. Software reaches 9 at a deployment, because each gain is a root of 9."""
    times = []
    for k in range(2, 8):
        scenario = ADDED.replace(humans__initial=9, growth__r=r, training__gain=9 ** (2.0**-k), run__max_doublings=4)
        series = run_fluid(scenario).series
        at = int(np.argmin(np.abs(np.array(series["discovered"]) - math.log2(9))))
        assert series["deployed"][at] == pytest.approx(math.log2(9), rel=EXACT)
        assert series["researchers"][at] == pytest.approx(series["humans"][at], rel=EXACT)
        times.append(np.array(series["day"][at] / unit_of_time(scenario)))
    exact = production.time_to_effort(lambda effort: effort**r + 9, 9 ** (1 / r))
    assert exact == pytest.approx(expected, abs=1e-6)
    assert oracle.extrapolate(times) == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize("p", [0.5, 1.0])
def test_penalty_counts_humans_and_ais(p):
    scenario = ADDED.replace(humans__initial=30, researcher__initial=10, growth__parallel_penalty=p)
    alone = ADDED.replace(researcher__initial=40, growth__parallel_penalty=p)
    assert fluid([scenario]).doubling_day[0, 0] == pytest.approx(fluid([alone]).doubling_day[0, 0], rel=EXACT)


# --- humans alone ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("r", [0.7, 1.4])
def test_p9_9_constant_humans_take_longer_for_each_doubling(r):
    scenario = ADDED.replace(humans__initial=10, growth__r=r, run__max_doublings=12, **NEVER)
    days = [each.duration_days for each in run_fluid(scenario).doublings]
    assert [after / before for before, after in pairwise(days)] == pytest.approx([2 ** (1 / r)] * 11, rel=EXACT)
    assert long_run(scenario).ratio == pytest.approx(2 ** (1 / r), rel=EXACT)


@pytest.mark.slow
def test_p9_9_growing_humans_let_software_grow_exponentially():
    humans, r, growth, n, penalties = 20, 1.4, 1.8, np.arange(1.0, 31.0), (0.5, 1.0)
    labs = [
        ADDED.replace(
            humans__initial=humans,
            humans__growth_per_year=growth,
            growth__r=r,
            growth__first_doubling_days=30.0,
            growth__parallel_penalty=p,
            run__max_doublings=30,
            **NEVER,
        )
        for p in penalties
    ]
    for p, scenario, found in zip(penalties, labs, fluid(labs, 64).doubling_day, strict=True):
        effort = unit_of_time(scenario) / humans**p
        assert found == pytest.approx(oracle.days_of_growing_humans(n, r, p, growth, effort), rel=EXACT)
        yearly = 2 ** (365 / (found[-1] - found[-2]))
        assert yearly == pytest.approx(growth**r, rel=2e-3), "1.8^1.4 = 2.2771 a year"
        assert (long_run(scenario).kind, long_run(scenario).bound_by) == ("exponential", "humans")


def test_error_for_growing_humans_falls_with_the_fourth_power_of_the_steps():
    scenario = ADDED.replace(
        humans__initial=20, humans__growth_per_year=100.0, growth__parallel_penalty=0.5, run__max_doublings=1, **NEVER
    )
    scenario = scenario.replace(growth__first_doubling_days=5000.0)
    effort = unit_of_time(scenario) / 20**0.5
    expected = oracle.days_of_growing_humans(np.array([1.0]), scenario.growth.r, 0.5, 100.0, effort)
    errors = [abs(fluid([scenario], steps).doubling_day[0, 0] / expected[0] - 1) for steps in (1, 2, 4)]
    assert errors[0] < 1e-3
    assert np.polyfit(np.log([1, 2, 4]), np.log(errors), 1)[0] == pytest.approx(-4, abs=0.5)


# --- tasks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("humans", "ais", "kinds", "never", "expected"), [(1, 10, 2, 0.5, 2.814390), (100, 1900, 20, 0.05, 2000.0)]
)
def test_p9_3_papers_of_few_ais_equal_the_closed_form(humans, ais, kinds, never, expected):
    scenario = ADDED.replace(
        humans__initial=humans,
        researcher__initial=ais,
        automation__combination="ces",
        automation__rho=-2.0,
        automation__kinds=kinds,
        automation__never_share=never,
        humans__papers_in_progress=1000.0,
    )
    assert paper_rate(scenario) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("speed", "expected"), [(10, 6.8966), (30, 12.2449), (100, 16.8067)])
def test_p9_4_one_paper_in_progress_is_amdahls_law(speed, expected):
    scenario = HELD.replace(
        automation__kinds=20,
        automation__never_share=0.05,
        automation__ai_productivity=float(speed),
        humans__papers_in_progress=1.0,
    )
    assert paper_rate(scenario) / 100 == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("combination", [{}, {"automation__combination": "ces", "automation__rho": -1000.0}])
def test_supervision_lowers_the_capacity_of_humans(combination):
    """At 1.19 of the time of doing a task, as in METR's trial, AIs on half of the tasks slow humans down."""
    scenario = HELD.replace(
        researcher__initial=10**6,
        automation__kinds=2,
        automation__never_share=0.5,
        humans__supervision=1.19,
        **combination,
    )
    assert paper_rate(scenario) / 100 == pytest.approx(1 / (0.5 + 0.5 * 1.19), rel=1e-3)


CES = {"automation__kinds": 20, "automation__never_share": 0.05, "automation__combination": "ces"}
"""AIs can do 95% of the tasks."""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (CES | {"automation__rho": -2.0}, 89.4427191),
        (CES | {"automation__rho": -5.0}, 36.4112841),
        (CES | {"automation__rho": -2.0, "automation__reallocation": False}, 4.4721360),
        (CES | {"automation__rho": -5.0, "automation__reallocation": False}, 1.8205642),
        ({"automation__kinds": 20, "automation__never_share": 0.05}, 20.0),
    ],
)
def test_p9_10_pace_of_a_fixed_share_saturates(changes, expected):
    """``(1 - f)^(1/rho - 1)`` times the pace of humans alone, or ``(1 - f)^(1/rho)`` if they do not move (P9.2)."""
    scenario = HELD.replace(growth__r=1.4, run__max_doublings=25, **changes)
    alone = HELD.replace(growth__r=1.4, run__max_doublings=25, **NEVER)
    days = fluid([scenario, alone]).doubling_days
    assert days[1, -1] / days[0, -1] == pytest.approx(expected, rel=1e-7)
    assert days[0, -1] / days[0, -2] == pytest.approx(2 ** (1 / 1.4), rel=EXACT)
    found = long_run(scenario)
    assert (found.kind, found.bound_by) == ("fizzle", "humans")
    assert found.ratio == pytest.approx(days[0, -1] / days[0, -2], rel=EXACT)


def random_shares(number: int) -> list[Scenario]:
    """Labs in which AIs never do some tasks, and these are not replaced by others.

    Labs with one number of kinds are computed together, so there are few such numbers.
    """
    chance = np.random.default_rng(9)
    found = []
    for _ in range(number):
        kinds = int(chance.choice([2, 3, 7, 12, 29]))
        changes = {
            "humans__initial": int(chance.integers(kinds, 200)),
            "humans__supervision": float(chance.choice([0.0, 0.3])),
            "humans__papers_in_progress": float(chance.choice([1.0, 4.0, 50.0])),
            "growth__r": float(chance.uniform(0.5, 4)),
            "growth__parallel_penalty": float(chance.choice([1.0, 0.7, 0.4])),
            "automation__kinds": kinds,
            "automation__never_share": float(chance.uniform(1 / kinds, 0.9)),
            "automation__first_threshold": float(chance.uniform(-2, 2)),
            "automation__last_threshold": float(chance.uniform(2, 6)),
            "automation__combination": str(chance.choice(["series", "ces"])),
            "automation__reallocation": bool(chance.integers(2)),
            "automation__productivity_slope": float(chance.choice([0.0, 0.5, 2.0])),
            "researcher__experiment_scaling": float(chance.choice([0.0, 0.5])),
            "training__required": bool(chance.integers(2)),
        }
        if changes["automation__combination"] == "ces":
            changes["automation__rho"] = -float(chance.uniform(0.5, 6))
        found.append(
            Scenario().replace(
                growth__first_doubling_days=0.1,
                training__first_run_days=0.01,
                run__max_doublings=40,
                run__horizon_days=1e6,
                humans__growth_per_year=1.0,
                **changes,
            )
        )
    return found


@pytest.mark.slow
def test_p9_10_a_share_below_1_is_never_singular():
    """200 random labs: doublings lengthen by the derived ratio, within 5% over the last fifth of the run."""
    scenarios = random_shares(200)
    table = fluid(scenarios, 2)
    for row, scenario in enumerate(scenarios):
        derived, days = long_run(scenario), table.doubling_days[row, : int(table.doublings[row])]
        assert derived.kind == "fizzle", scenario.flat()
        assert long_run(scenario.replace(humans__growth_per_year=1.8)).kind in ("exponential", "fizzle")
        last = max(4, len(days) // 5)
        ratio = 2 ** ((np.log2(days[-1]) - np.log2(days[-1 - last])) / last)
        assert ratio == pytest.approx(derived.ratio, rel=0.05), scenario.flat()


ROAD = Scenario().replace(
    humans__initial=100,
    humans__growth_per_year=1.0,
    automation__kinds=5,
    automation__first_threshold=1.0,
    automation__last_threshold=4.0,
    run__max_doublings=7,
    run__horizon_days=1e5,
)
"""AIs learn five kinds of tasks on the way to four doublings of deployed software."""


@pytest.mark.slow
def test_tasks_are_automated_when_deployed_software_crosses_their_thresholds():
    series = run_fluid(ROAD.replace(humans__growth_per_year=1.5)).series
    deployed, thresholds = np.array(series["deployed"]), ROAD.automation.thresholds()
    automated = (thresholds <= deployed[:, np.newaxis] + 1e-9).sum(axis=1)
    assert series["share_automated"] == (automated / 5).tolist()
    assert set(automated) >= {0, 5}
    ais = np.where(automated == 5, 0, series["assistants"]) + series["researchers"]
    assert ais == pytest.approx(256 * 2**deployed * np.array(series["work_rate"]), rel=EXACT)
    assert (np.array(series["researchers"]) > 0).tolist() == (automated == 5).tolist()
    assert series["humans"] == pytest.approx(100 * 1.5 ** (np.array(series["day"]) / 365), rel=EXACT)
    assert set(series["drafts_waiting"]) == {0.0}


@pytest.mark.slow
def test_humans_alone_equal_the_lab_without_ais_to_the_bit_before_the_first_threshold():
    with_ais, without = run_fluid(ROAD), run_fluid(ROAD.replace(**NEVER))
    assert with_ais.doublings[0] == without.doublings[0]
    assert with_ais.doublings[2].duration_days < without.doublings[2].duration_days


@pytest.mark.parametrize("name", ["lab", "returns-3", "toy-explosion"])
def test_lab_without_humans_does_not_depend_on_tasks_and_humans(name):
    lab = Scenario.load(name).replace(run__max_doublings=4)
    changed = lab.replace(
        humans__growth_per_year=5.0,
        humans__supervision=2.0,
        automation__kinds=7,
        automation__first_threshold=-3.0,
        automation__ai_productivity=0.1,
        automation__productivity_slope=1.0,
    )
    assert run_fluid(changed).digest == run_fluid(lab).digest
    assert run_fluid(changed).series == run_fluid(lab).series


@pytest.mark.slow
def test_row_with_humans_does_not_depend_on_the_others_in_the_table():
    labs = [ROAD, Scenario(), ROAD.replace(**CES), ROAD.replace(humans__growth_per_year=2.0, automation__kinds=3)]
    together = fluid(labs)
    for row, lab in enumerate(labs):
        alone = fluid([lab])
        assert alone.doublings_of(0) == together.doublings_of(row)
        assert alone.duplicate_share[0] == together.duplicate_share[row]


# --- GPUs of experiments ---------------------------------------------------------------------------------

FULL = {
    "researcher__experiment_gpu_days": 20.0,
    "researcher__experiment_scaling": 1.0,
    "researcher__experiment_variation": "fixed",
    "cluster__gpu_hours_between_failures": 0.0,
    "kernels__measurements": "none",
    "training__required": False,
}


def test_papers_of_humans_are_limited_by_the_gpus_of_their_experiments():
    scenario = Scenario().replace(humans__initial=10_000, humans__growth_per_year=1.0, **FULL, **NEVER)
    still = scenario.replace(growth__first_doubling_days=1e6, run__horizon_days=10.0)
    found = fluid([still])
    gpus = found.gpu_days["experiment"][0] / 10
    assert found.utilisation["experiment"][0] == pytest.approx(1.0, rel=1e-9)
    assert found.papers[0] == pytest.approx(gpus * 10 / 20, rel=1e-9)
    waiting = 40_000 - found.papers[0] / 10 * (MONTH + 20 / 8)
    assert found.mean_wait_days[0] == pytest.approx(waiting / (found.papers[0] / 10), rel=1e-6)


def test_humans_and_ais_share_full_gpus_by_their_papers_in_progress():
    """40,000 drafts of humans and 40,000 AIs with the same times write as many papers each."""
    scenario = Scenario().replace(
        humans__initial=10_000, humans__growth_per_year=1.0, researcher__initial=40_000, **FULL
    )
    still = scenario.replace(growth__first_doubling_days=1e6, run__horizon_days=2000.0)
    series = run_fluid(still).series
    waiting = series["researchers_queue"][-1]
    assert waiting > 30_000
    assert series["experiments_waiting"][-1] == pytest.approx(2 * waiting, rel=0.01)
    papers, days = np.diff(series["papers"][-9:]).sum(), np.diff(series["day"][-9:]).sum()
    assert papers / days == pytest.approx(series["gpus_experiment"][-1] / 20, rel=1e-3)


def test_margins_of_a_lab_with_humans_name_what_limits_it():
    """Twice the constant humans alone take half the time, and neither AIs nor GPUs limit them; AIs limit a road."""
    alone, road = margins([ROAD.replace(**NEVER), ROAD], [7, 7])
    assert alone.elasticities == pytest.approx(
        {"researchers": 0, "experiments": 0, "training": 0, "humans": 1}, abs=1e-6
    )
    assert alone.limited_by == "humans"
    assert road.elasticities["researchers"] > 0.01
    assert 0.01 < road.elasticities["humans"] < 1
    assert road.day_without_training < road.day
