"""Test the fluid engine against closed forms, and its invariants for any scenario."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from agents import work_model
from hardware.cluster.reliability import fastest_gpus
from sim.fluid.api import fluid, observe, run_fluid
from sim.fluid.flow import experiments, job_days, share_not_duplicate
from sim.fluid.lab_arrays import lab_arrays, supports
from sim.fluid.stepper import run_labs
from sim.margins import margins
from sim.scenario.model import Scenario, ScenarioError, shipped_scenarios
from sim.testing.invariants import small_scenarios
from tests.oracles import fluid as oracle
from tests.oracles import report
from tests.support.properties import examples

EXACT = 1e-9
LONG = {"run__horizon_days": 1e6}
ALONE = {
    "training__required": False,
    "kernels__measurements": "none",
    "growth__first_doubling_days": 1e6,
    "training__gain": 1e6,
    "cluster__gpu_hours_between_failures": 0.0,
    "researcher__experiment_scaling": 1.0,
}
"""Changes to a lab so that its software hardly moves and only the flow of papers shows."""


def days_of(name: str, **changes) -> list[float]:
    return [each.duration_days for each in run_fluid(Scenario.load(name).replace(**(LONG | changes))).doublings]


@pytest.mark.parametrize(("name", "m"), [("toy-fizzle", 3.0), ("toy-explosion", 1.5), ("toy-exponential", 2.0)])
@pytest.mark.parametrize("timing", ["poisson", "pooled"])
def test_fluid_toy_models_equal_the_reports_arithmetic(name, m, timing):
    days = days_of(name, researcher__timing=timing)
    assert days == pytest.approx(
        [report.MONTH * report.toy_doubling_months(2, m, i) for i in range(len(days))], rel=EXACT, abs=0
    )


@pytest.mark.parametrize(
    ("name", "r", "p"), [("returns-0.7", 0.7, 1), ("returns-0.9", 0.9, 1), ("returns-3", 3.0, 1), ("toes", 3.0, 0.5)]
)
def test_fluid_doublings_with_returns_and_penalty_form_the_chain(name, r, p):
    days = days_of(name)
    assert len(days) >= 20
    assert days == pytest.approx([report.MONTH * report.ratio(r, p) ** i for i in range(len(days))], rel=EXACT, abs=0)


def test_fluid_doublings_towards_a_limit_equal_the_closed_form():
    days = days_of("limits")
    assert days == pytest.approx(oracle.limited_days(report.MONTH, 3.0, 16.0, 15), rel=EXACT, abs=0)
    assert run_fluid(Scenario.load("limits")).ending == "limit reached"


@pytest.mark.parametrize("gain", [1.05, 1.3, 2.0, 5.0])
@pytest.mark.parametrize("r", [0.7, 1.0, 3.0])
def test_fluid_doublings_of_a_stepwise_team_equal_the_sum_of_steps(gain, r):
    days = days_of("returns-3", growth__r=r, training__gain=gain, run__max_doublings=12)
    expected = oracle.stepwise_days(report.MONTH, r, np.log2(gain), len(days))
    assert days == pytest.approx(expected, rel=EXACT, abs=0)


@pytest.mark.parametrize("k", [0.75, 0.9])
def test_fluid_deployments_equal_the_series_of_training_runs(k):
    series = run_fluid(Scenario.load(f"retraining-{k:g}")).series
    steps = list(zip(series["day"], series["deployed"], strict=True))
    ends = [day for (_, before), (day, after) in pairwise(steps) if after != before]
    assert len(ends) >= 12
    assert ends == pytest.approx(oracle.deployment_days(2 * report.MONTH, k, 1.0, len(ends)), rel=EXACT, abs=0)


@pytest.mark.parametrize("r", [0.5, 1.0, 3.0])
def test_fluid_300_doublings_form_the_chain(r):
    first = 1e-60 if r < 1 else report.MONTH
    scenario = Scenario.load("returns-3").replace(
        growth__r=r, growth__first_doubling_days=max(first, 1e-3), run__max_doublings=300, **LONG
    )
    result = run_fluid(scenario)
    days = [each.duration_days for each in result.doublings]
    expected = [days[0] * report.ratio(r) ** i for i in range(len(days))]
    assert days == pytest.approx(expected, rel=EXACT, abs=0)
    if r >= 1:
        assert len(days) == 300
        assert result.researchers == 2.0**300
    if r > 1:
        assert result.day == pytest.approx(report.explosion_day(report.MONTH, r), rel=EXACT)


FAR = [
    Scenario.load(name).replace(growth__r=r, run__max_doublings=300, **LONG)
    for name in ("lab", "lab-fixed-experiments", "lab-frontier-experiments")
    for r in (0.5, 1.0, 3.0)
]


@pytest.fixture(scope="module")
def far():
    """Run the labs of 300 doublings in one call."""
    return fluid(FAR, steps_per_doubling=4)


@pytest.mark.parametrize("at", range(len(FAR)), ids=lambda at: f"{FAR[at].name}-{FAR[at].growth.r}")
def test_fluid_lab_of_300_doublings_stays_finite_and_ordered(far, at):
    done = int(far.doublings[at])
    days = far.doubling_day[at, :done]
    assert (far.ending[at] == "horizon") or done == 300
    assert np.all(np.isfinite(days))
    assert np.all(np.diff(days) >= 0)
    assert np.all(far.doubling_days[at, :done] > 0)
    assert 0 < far.deployed_doublings[at] <= far.software_doublings[at]
    assert sum(share[at] for share in far.time_shares.values()) == pytest.approx(1)


# --- the flow of papers ----------------------------------------------------------------------------------


def test_fluid_papers_of_a_new_team_converge_to_the_closed_form_at_second_order():
    days, halvings = 5.0, np.arange(4, 10)
    scenario = Scenario().replace(
        researcher__experiment_gpu_days=0.0, researcher__writing_share=0.5, run__horizon_days=days, **ALONE
    )
    expected = oracle.written_papers(256, report.MONTH / 2, report.MONTH / 2, days)
    errors = [abs(fluid([scenario], steps_per_doubling=2**k).papers[0] / expected - 1) for k in halvings]
    assert errors[1] < 3e-3, "of the first papers, as they begin to come"
    assert np.polyfit(-halvings * np.log(2), np.log(errors), 1)[0] > 1.7
    late = fluid([scenario.replace(run__horizon_days=200.0)]).papers[0]
    assert late == pytest.approx(oracle.written_papers(256, report.MONTH / 2, report.MONTH / 2, 200.0), rel=1e-5)


@pytest.mark.parametrize("gpus", [64, 4096])
def test_fluid_paper_rate_is_limited_by_researchers_or_gpus(gpus):
    scenario = Scenario().replace(
        cluster__gpus=gpus,
        researcher__initial=256,
        researcher__experiment_variation="fixed",
        researcher__experiment_gpu_days=12.0,
        run__horizon_days=1e5,
        **ALONE,
    )
    found = fluid([scenario])
    own, each = report.MONTH, 12.0 / 8
    expected = min(256 / (own + each), gpus / 4 / 12.0)
    assert found.papers[0] / 1e5 == pytest.approx(expected, rel=2e-3)
    used = 1.0 if gpus == 64 else expected * 12.0 / (gpus / 4)
    assert found.utilisation["experiment"][0] == pytest.approx(used, rel=2e-3)


@pytest.mark.parametrize("variation", ["fixed", "exponential", "lognormal"])
@pytest.mark.parametrize(("most", "discovered"), [(1, 0.0), (6, 1.5), (8, 0.0), (64, 4.0)])
def test_fluid_mean_experiment_equals_that_of_requested_jobs(variation, most, discovered):
    scenario = Scenario().replace(
        researcher__experiment_variation=variation,
        researcher__experiment_gpus=most,
        researcher__experiment_gpu_days=13.0,
        cluster__gpu_hours_between_failures=0.0,
    )
    params, mean = scenario.researcher, 13.0 * 2 ** (-0.5 * discovered)
    found = experiments(lab_arrays([scenario]), np.array([discovered]), np.array([2.0]))
    costs = [work_model.experiment_gpu_days(params, mean, _Ladder(z)) for z in _ladder(variation)]
    days = [cost / work_model.gang_size(params, cost, 256) for cost in costs]
    assert found.gpu_days[0] == pytest.approx(mean / 2)
    assert found.days[0] == pytest.approx(np.mean(days) / 2, rel=0.01)


class _Ladder:
    """A random stream whose draws are known."""

    def __init__(self, draw: float) -> None:
        self.draw = draw

    def standard_normal(self) -> float:
        return self.draw

    def standard_exponential(self) -> float:
        return self.draw


def _ladder(variation: str) -> np.ndarray:
    """Return equally likely draws in order."""
    from scipy import stats

    levels = (np.arange(20_000) + 0.5) / 20_000
    return stats.expon.ppf(levels) if variation == "exponential" else stats.norm.ppf(levels)


@pytest.mark.parametrize(("work", "failures"), [(5.0, 0.4), (0.7, 1.0), (3.0, 0.05)])
def test_fluid_job_days_with_failures_equal_simulated_jobs(work, failures):
    scenario = Scenario().replace(
        cluster__checkpoint_hours=24.0,
        cluster__restart_hours=6.0,
        cluster__checkpoint_seconds=0.0,
        cluster__gpu_hours_between_failures=24.0,
    )
    found = job_days(lab_arrays([scenario]), np.array([failures]), np.array([work]))[0]  # GPUs: one fails once a day
    draws = oracle.job_days(work, failures, 0.25, 1.0, 20_000)
    half = 3.3 * draws.std() / np.sqrt(len(draws))
    assert abs(found - draws.mean()) < half


def test_share_not_duplicate_falls_with_researchers_per_question():
    teams = np.array([0.0, 1e-3, 1.0, 100.0, 0.9999e6, 1.0001e6, 2.0**300])
    new = share_not_duplicate(teams, np.ones(7))
    assert new[0] == 1
    assert np.all(np.diff(new) <= 0) and np.all(new > 0)
    assert new[4] == pytest.approx(new[5], rel=1e-3)
    assert new[6] == pytest.approx(np.sqrt(2 / np.pi) * 2.0**-150)
    assert new[2] == pytest.approx(1 / (np.e - 1), rel=EXACT)  # its life is the integral of e^x e^-x over 0..1


def test_fluid_lab_with_measured_kernels_is_faster():
    with_them, without = (fluid([Scenario().replace(kernels__measurements=name)]) for name in ("xeon-amx", "none"))
    curve = Scenario().calibration().curve
    assert with_them.speedup[0] == pytest.approx(curve.largest)
    assert with_them.candidates[0] == pytest.approx(curve.tried)
    assert with_them.day[0] < without.day[0]
    assert without.work_rate[0] == 1


# --- many at once ----------------------------------------------------------------------------------------


def test_fluid_rows_of_many_labs_equal_single_runs_to_the_bit():
    chance = np.random.default_rng(3)
    shipped = [Scenario.load(name) for name in shipped_scenarios()]
    scenarios = [each for each in shipped if not supports(each)]
    scenarios += [
        Scenario().replace(
            growth__r=chance.uniform(0.4, 3),
            researcher__experiment_scaling=chance.uniform(),
            run__max_doublings=5,
            cluster__gpus=int(chance.integers(64, 4000)),
            training__gain=chance.uniform(1.2, 6),
            literature__duplicate_weight=chance.uniform(),
        )
        for _ in range(7)
    ]
    together, reversed_ = fluid(scenarios, 8), fluid(scenarios[::-1], 8)
    for row, scenario in enumerate(scenarios):
        alone = fluid([scenario], 8)
        for table, at in ((together, row), (reversed_, len(scenarios) - 1 - row)):
            assert table.doublings_of(at) == alone.doublings_of(0)
            assert (table.pace[at], table.long_run[at]) == (alone.pace[0], alone.long_run[0])
            for name in ("day", "researchers", "papers", "experiments", "mean_wait_days", "software_doublings"):
                assert getattr(table, name)[at] == getattr(alone, name)[0], name
            assert [share[at] for share in table.time_shares.values()] == [
                share[0] for share in alone.time_shares.values()
            ]


def random_labs(n: int, seed: int, doublings: int = 9) -> list[Scenario]:
    """Return labs that differ in training runs, kernels, failures, duplicates and active researchers."""
    chance, lab = np.random.default_rng(seed), Scenario()
    return [
        lab.replace(
            run__max_doublings=doublings,
            run__horizon_days=1e5,
            growth__r=chance.uniform(0.4, 3),
            researcher__experiment_scaling=chance.uniform(),
            cluster__gpus=int(2 ** chance.uniform(6, 13)),
            training__gain=chance.uniform(1.1, 6),
            literature__duplicate_weight=chance.uniform(),
            training__speedup_exponent=chance.uniform(),
            growth__parallel_penalty=chance.uniform(0.4, 1),
            training__required=bool(chance.integers(4)),
            cluster__partitioning=str(chance.choice(["priority", "static"])),
            cluster__gpu_hours_between_failures=float(10 ** chance.uniform(2.5, 6)),
            kernels__measurements=str(chance.choice(["none", "xeon-amx"])),
        )
        for _ in range(n)
    ]


def rows_of(table, n: int) -> list[list[object]]:
    """Return every number of a table by row, without nan beyond the last doubling."""
    rows: list[list[object]] = [[] for _ in range(n)]
    for values in table:
        for column in values.values() if isinstance(values, dict) else [values]:
            for row, at in zip(rows, range(n), strict=True):
                value = column[at]
                row.append(value[np.isfinite(value)].tolist() if isinstance(value, np.ndarray) else value)
    return rows


def test_fluid_rows_of_random_labs_are_equal_to_the_bit_for_any_partition():
    labs, chance = random_labs(110, seed=3), np.random.default_rng(0)
    together = rows_of(fluid(labs, 4), len(labs))
    order, cuts = chance.permutation(len(labs)), np.sort(chance.choice(len(labs), 6, replace=False))
    for part in (each for each in np.split(order, cuts) if len(each)):
        assert rows_of(fluid([labs[at] for at in part], 4), len(part)) == [together[at] for at in part]


def test_fluid_row_does_not_depend_on_a_faster_lab_in_the_table():
    lab = Scenario.load("lab").replace(
        growth__r=1.5,
        training__gain=3.84,
        cluster__gpus=256,
        researcher__experiment_scaling=0.5,
        run__max_doublings=6,
        run__horizon_days=1e4,
    )
    other = lab.replace(growth__r=2.51, training__gain=3.52)
    assert fluid([lab]).day[0] == fluid([lab, other]).day[0]


def test_margins_of_random_labs_are_equal_to_the_bit_for_any_partition():
    labs = random_labs(12, 2, doublings=2)
    together = margins(labs, [2] * 12)
    assert margins(labs[:1], [2]) + margins(labs[1:4], [2] * 3) + margins(labs[4:], [2] * 8) == together


def test_fastest_gpus_of_a_job_do_not_depend_on_other_jobs():
    most = np.array([100.0, 100.0])

    def days(gpus):  # the first job has a second minimum at all GPUs, which counts as long as one fewer is not faster
        first = np.where(gpus <= 50, np.abs(gpus - 3) - 5, 42 - 0.86 * (gpus - 50))
        return np.where([True, False], first, np.abs(gpus - 40))[: len(np.atleast_1d(gpus))]

    assert fastest_gpus(most, days).tolist() == [fastest_gpus(most[:1], days)[0], 40.0] == [100.0, 40.0]


def test_run_fluid_equals_its_row_of_the_table():
    scenario = Scenario().replace(run__max_doublings=4)
    result, found = run_fluid(scenario), fluid([Scenario.load("toy-fizzle"), scenario])
    assert result.doublings == found.doublings_of(1)
    assert (result.ending, result.sentence, result.day) == (found.ending[1], found.sentence[1], found.day[1])
    assert result.engine == "fluid"
    assert result.digest == run_fluid(scenario).digest


@examples(25, *HealthCheck)
@given(
    st.lists(
        small_scenarios(kernels__measurements="none", policy__name="fixed", humans__initial=0), min_size=1, max_size=3
    )
)
def test_fluid_quantities_stay_within_their_bounds(scenarios):
    flowing = [each.replace(researcher__timing="poisson") for each in scenarios if each.researcher.timing == "whole"]
    flowing += [each for each in scenarios if each.researcher.timing != "whole"]
    try:
        labs = lab_arrays(flowing)
    except ScenarioError:
        return
    run_labs(labs, 8, check)


def check(labs, state):
    for field in ("thinking", "experimenting", "writing", "day", "since", "left", "papers", "tried", "paused_days"):
        assert np.all(getattr(state, field) >= 0), field
    assert np.all(state.deployed <= state.discovered + 1e-9)
    assert np.all(state.active_researchers <= state.researchers * (1 + 1e-12))
    everywhere = state.thinking + state.experimenting + state.writing
    assert everywhere == pytest.approx(state.researchers, rel=1e-9)
    seen = observe(labs, state)
    used = seen["gpus_inference"] + seen["gpus_experiment"] + seen["gpus_training"]
    assert np.all(used <= labs.gpus * (1 + 1e-12)), "more GPUs in use than there are"
    assert all(np.all(column >= -1e-9) for column in seen.values())


# --- endings and refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "changes", "ending"),
    [
        ("toy-explosion", {}, "doublings"),
        ("toy-exponential", {}, "doublings"),
        ("toy-explosion", {"run__stop_at_researchers": 100.0}, "researchers"),
        ("limits", {}, "limit reached"),
        ("returns-0.7", {}, "horizon"),
        ("toy-fizzle", {"run__max_doublings": 2}, "doublings"),
    ],
)
def test_fluid_ending_equals_that_of_the_world(name, changes, ending):
    from sim.runner import run

    scenario = Scenario.load(name).replace(**changes, researcher__timing="pooled")
    world, result = run(scenario), run_fluid(scenario)
    assert result.ending == world.ending == ending
    assert result.sentence == world.sentence
    assert (result.pace.name, result.long_run) == (world.pace.name, world.long_run)
    assert result.day == pytest.approx(world.day, rel=EXACT)


def test_fluid_lab_whose_experiments_never_end_is_refused():
    never = Scenario().replace(
        cluster__gpu_hours_between_failures=1e-6,
        training__required=False,
        researcher__experiment_gpus=1,
        kernels__measurements="none",
    )
    with pytest.raises(ScenarioError, match=r"gpu_hours_between_failures = 1e-06 .*experiment.*rarer"):
        run_fluid(never)


def test_fluid_refuses_whole_papers_impossible_gangs_and_empty_lists():
    with pytest.raises(ScenarioError, match=r"whole.*poisson.*pooled"):
        fluid([Scenario().replace(researcher__timing="whole")])
    with pytest.raises(ScenarioError, match=r"scenario 2 \(lab\): training__gpus = 5000"):
        fluid([Scenario(), Scenario().replace(training__gpus=5000)])
    with pytest.raises(ValueError, match="no scenarios"):
        fluid([])


def test_fluid_stops_at_the_target_number_of_researchers():
    result = run_fluid(Scenario.load("toy-explosion").replace(run__stop_at_researchers=1e6, run__max_doublings=300))
    assert (result.researchers, result.ending) == (2**20, "researchers")
    assert "1,000,000 researchers were active" in result.sentence
    with pytest.raises(ScenarioError, match="run__stop_at_researchers = 1"):
        run_fluid(Scenario.load("toy-explosion").replace(run__stop_at_researchers=1.0))
