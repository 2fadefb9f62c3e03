"""Test the estimates of a sweep against known values: intervals, times, indices, boxes, paired levers."""

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from experiments.errors import InputError
from experiments.sweep.analysis import (
    convergence,
    explosion_probability,
    fan_chart,
    lever_effects,
    limiting_resource,
    scenario_discovery,
    sensitivity,
    time_to_gain,
)
from experiments.sweep.analysis import estimators as st
from experiments.sweep.analysis.binning import bin_parameter
from experiments.sweep.analysis.sweep_data import Sweep, reported_gain, sweep_of
from experiments.uncertainty.distributions import Uniform
from tests.support import sweep_tables
from tests.support.sweep_tables import drawn, manifest, row, small, table

LEVER = {"researcher__initial": [64, 256, 1024]}


@pytest.fixture(scope="module")
def plain():
    """Return a Sobol' design without randomness."""
    return small(256, spread=0.0)


@pytest.fixture(scope="module")
def paired():
    """Return three levels of a lever with common random numbers, each point twice."""
    return small(128, replications=2, spread=0.3, levers=LEVER)


# --- statistics ---


def test_wilson_equals_the_interval_of_scipy():
    for hits, n in ((0, 10), (3, 10), (10, 10), (37, 200)):
        known = stats.binomtest(hits, n).proportion_ci(method="wilson")
        assert st.wilson(hits / n, n) == pytest.approx((known.low, known.high), abs=1e-12)


def test_clustered_share_counts_equal_runs_of_a_point_once():
    happened = np.arange(100) % 3 == 0
    once = st.clustered_share(happened, np.arange(100))
    tenfold = st.clustered_share(np.repeat(happened, 10), np.repeat(np.arange(100), 10))
    assert tenfold.share == once.share
    assert tenfold.runs == 1000
    # The same information, but for Student's quantile with 99 degrees of freedom.
    assert tenfold.high - tenfold.low == pytest.approx(once.high - once.low, rel=0.03)
    assert tenfold.high - tenfold.low >= once.high - once.low


def test_clustered_share_counts_independent_runs_of_a_point():
    happened = np.random.default_rng(1).random(2000) < 0.3
    apart = st.clustered_share(happened, np.arange(2000))
    grouped = st.clustered_share(happened, np.repeat(np.arange(1000), 2))
    assert grouped.high - grouped.low == pytest.approx(apart.high - apart.low, rel=0.1)


def test_clustered_interval_has_its_stated_coverage():
    """40 points of 8 runs, P of a point beta distributed with mean 0.3: 95% intervals, 600 times; 91 to 98% hold it."""
    rng, points = np.random.default_rng(3), np.repeat(np.arange(40), 8)
    held = naive = 0
    for _ in range(600):
        happened = rng.random(320) < np.repeat(rng.beta(0.6, 1.4, 40), 8)
        found = st.clustered_share(happened, points)
        held += found.low <= 0.3 <= found.high
        low, high = st.wilson(found.share, 320)
        naive += low <= 0.3 <= high
    assert 0.91 <= held / 600 <= 0.98
    assert naive / 600 < 0.85


def test_clustered_share_without_differences_counts_points():
    found = st.clustered_share(np.ones(80, dtype=bool), np.repeat(np.arange(8), 10))
    assert found.low == pytest.approx(st.wilson(1.0, 8)[0])


def test_kaplan_meier_equals_a_worked_example():
    days, shares = st.kaplan_meier(np.array([1.0, 2.0, 2.0, 3.0, 4.0]), np.array([True, True, False, False, True]))
    assert days.tolist() == [1, 2, 4]
    assert shares.tolist() == pytest.approx([0.2, 0.4, 1.0])


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_kaplan_meier_with_ties_equals_scipy_to_the_bit(share):
    rng = np.random.default_rng(5)
    for runs in range(1, 40):
        times, reached = rng.integers(1, 12, runs).astype(float), rng.random(runs) >= share
        expected = stats.ecdf(stats.CensoredData(uncensored=times[reached], right=times[~reached])).cdf
        events = np.isin(expected.quantiles, times[reached])
        days, shares = st.kaplan_meier(times, reached)
        assert days.tolist() == expected.quantiles[events].tolist()
        assert shares.tolist() == expected.probabilities[events].tolist()


def test_kaplan_meier_finds_the_median_behind_censoring():
    rng = np.random.default_rng(2)
    waits, seen = rng.exponential(100, 20_000), rng.exponential(150, 20_000)
    found = st.time_quantile(np.minimum(waits, seen), waits <= seen, 0.5)
    assert found == pytest.approx(100 * math.log(2), rel=0.03)


def test_kaplan_meier_keeps_runs_that_never_reach_the_gain():
    days = np.array([1.0, 2.0, math.inf, math.inf])
    assert st.time_quantile(days, np.isfinite(days), 0.5) == 2
    assert st.time_quantile(days, np.isfinite(days), 0.75) == math.inf


# --- probabilities, times, limits ---


def test_probability_increases_with_r(plain):
    found = explosion_probability.probability(plain)
    assert found.share == pytest.approx(2 / 3, abs=0.02)  # r uniform from 0.5 to 2, and above 1 is an explosion
    assert found.low < 2 / 3 < found.high
    assert explosion_probability.rank_parameters(plain)[0] == "growth__r"
    rows = explosion_probability.plane_table(plain, "growth__r", "growth__parallel_penalty").to_pylist()
    assert sum(each["runs"] for each in rows) == 256
    assert {
        each["p_long_run_singular"] for each in rows if each["growth__r"] == bin_parameter(plain, "growth__r").labels[0]
    } == {0.0}


def test_median_time_without_censoring_equals_that_of_the_runs(plain):
    times_seen, reached = time_to_gain.censored_times(plain)
    expected = np.sort(np.where(reached, times_seen, math.inf))[127]
    middle = time_to_gain.time_table(plain).to_pylist()[2]
    assert middle["days"] == pytest.approx(expected)
    assert middle["low"] < middle["days"] < middle["high"]


def test_threshold_with_stopped_runs_is_a_lower_gain():
    rows = [row(n, n, {"growth__r": 1.4 + n / 100, "run__max_doublings": 9}, 0.0) for n in range(8)]
    sweep = sweep_of(table(rows), manifest(8))
    assert reported_gain(sweep)[0] == "days_to_100x"
    assert "100-fold gain is shown" in time_to_gain.time_sentences(sweep)[-1]
    assert reported_gain(small(16))[1] == ""


def test_limits_table_counts_runs_in_each_cell(plain):
    rows = limiting_resource.limits_table(plain, "growth__r", "growth__parallel_penalty").to_pylist()
    assert {each["limited_by"] for each in rows[:1]} == {"researchers"}  # the generator's: where r is below 1
    assert sum(limiting_resource.limiting_shares(plain).values()) == pytest.approx(1)
    assert all(each["researchers"] + each["experiments"] == pytest.approx(1) for each in rows)


# --- fans ---


def test_fan_of_runs_by_the_law_equals_the_closed_form(plain):
    # Between two doublings the table of runs is interpolated linearly; the closed form is a curve.
    found, alone = (fan_chart.fan_table(plain, closed=closed).to_pandas() for closed in (False, True))
    for quantile in ("q25", "q50", "q75"):
        both = found[quantile].notna() & alone[quantile].notna()
        assert both.sum() > 20
        assert np.abs(found[quantile] - alone[quantile])[both].max() < 0.15


def test_fan_quantiles_undetermined_by_stopped_runs_are_null():
    rows = [row(n, n, {"growth__r": 0.6 + n / 10}, 0.0) for n in range(9)]
    found = fan_chart.fan_table(sweep_of(table(rows), manifest(9)), np.array([0.0, 100.0, 700.0]))
    assert found["q95"].to_pylist()[:2] == [0, pytest.approx(found["q95"][1].as_py())]
    assert found["q95"].to_pylist()[2] is None
    assert found["q5"].to_pylist()[2] is not None
    assert found["running"].to_pylist()[0] == 9


def test_fan_run_at_the_hardware_limit_stays_level():
    rows = [row(n, n, {"growth__r": 1.8}, 0.0) | {"ending": "limit reached"} for n in range(4)]
    found = fan_chart.fan_table(sweep_of(table(rows), manifest(4)), np.array([0.0, 700.0]))
    assert found["q50"].to_pylist()[1] == sweep_tables.MAX_DOUBLINGS


def test_closed_form_with_retraining_is_absent(plain):
    assert fan_chart.has_closed_form(plain)
    rows = [row(0, 0, {"training__required": True}, 0.0)]
    assert not fan_chart.has_closed_form(sweep_of(table(rows), manifest(1)))


# --- sensitivity ---


def ishigami(x):
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


FIRST, TOTAL = (0.3139, 0.4424, 0.0), (0.5576, 0.4424, 0.2437)
THREE = {name: Uniform(-math.pi, math.pi) for name in ("a", "b", "c")}


def test_saltelli_indices_equal_those_of_ishigami():
    found = sensitivity.sobol_indices(ishigami, list(THREE), THREE, n=4096, seed=1)
    assert found["S1"].to_pylist() == pytest.approx(FIRST, abs=0.02)
    assert found["ST"].to_pylist() == pytest.approx(TOTAL, abs=0.02)
    again = sensitivity.sobol_indices(ishigami, list(THREE), THREE, n=4096, seed=1)
    assert found.equals(again)


def of_ishigami(points=2048, noise=0.0, replications=1, sampling="sobol"):
    """A sweep with Ishigami's function of three parameters as its ratio."""
    base = drawn(8)
    x = np.repeat(np.random.default_rng(5).uniform(-math.pi, math.pi, (points, 3)), replications, axis=0)
    y = ishigami(x) + noise * np.random.default_rng(6).standard_normal(len(x))
    big = base.take(np.zeros(len(x), dtype=int))
    new = {"run": np.arange(len(x)), "point": np.repeat(np.arange(points), replications), "ratio": y}
    new |= dict(zip(sweep_tables.RANGES, x.T, strict=True))
    for name, values in new.items():
        big = big.set_column(big.column_names.index(name), name, pa.array(values))
    return sweep_of(big, manifest(len(x), sampling=sampling))


def test_first_order_indices_from_random_points_equal_those_of_ishigami():
    found, why = sensitivity.sobol_first(of_ishigami(), "ratio")
    assert why == ""
    assert found.first == pytest.approx(FIRST, abs=0.05)
    assert all(
        abs(first - true) <= 1.6 * half for first, true, half in zip(found.first, FIRST, found.half, strict=True)
    )


def test_indices_with_noise_have_its_share_of_the_variance():
    """With noise of the function's variance, 13.845, indices halve and the replication share is one half."""
    found, _ = sensitivity.sobol_first(of_ishigami(noise=math.sqrt(13.845), replications=2), "ratio")
    assert found.first == pytest.approx([first / 2 for first in FIRST], abs=0.05)
    assert found.replication_share == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(
    ("sweep", "word"),
    [
        (of_ishigami(128, sampling="grid"), "a grid design"),
        (of_ishigami(128, sampling="one-at-a-time"), "a one-at-a-time design"),
        (of_ishigami(64), "64 points are too few"),
        (of_ishigami(512, noise=200.0, replications=2), "is random"),
        (small(16, levers={"run__horizon_days": [730.0]}), "too few"),
    ],
)
def test_sobol_first_for_an_unsuitable_design_returns_the_reason(sweep, word):
    found, why = sensitivity.sobol_first(sweep, "ratio")
    assert found is None
    assert word in why


def test_sobol_first_with_correlations_returns_the_reason():
    found = drawn(128)
    said = manifest(128, design={"correlations": [{"between": ["growth__r", "growth__parallel_penalty"], "rank": 0.5}]})
    assert "correlated" in sensitivity.sobol_first(sweep_of(found, said))[1]


def test_tornado_one_at_a_time_is_exact():
    changes = [
        {},
        {"growth__r": 0.8},
        {"growth__r": 2.0},
        {"growth__first_doubling_days": 20.0},
        {"growth__first_doubling_days": 60.0},
    ]
    rows = [row(n, n, changed, 0.0) for n, changed in enumerate(changes)]
    rows.append(row(5, 0, {"growth__parallel_penalty": 0.5}, 0.0, lever=1))
    said = manifest(6, sampling="one-at-a-time", levers=["growth__parallel_penalty"])
    middle, bars = sensitivity.tornado(sweep_of(table(rows), said), "ratio")
    found = {bar.parameter: (bar.low_value, bar.at_low, bar.high_value, bar.at_high) for bar in bars}
    assert middle == pytest.approx(2 ** (1 / 1.4 - 1))
    assert found["growth__r"] == pytest.approx((0.8, 2**0.25, 2.0, 2**-0.5))
    assert found["growth__first_doubling_days"] == pytest.approx((20, middle, 60, middle))
    assert found["growth__parallel_penalty"] == pytest.approx((0.5, math.sqrt(middle), 1.0, middle))
    assert all(bar.error_low == bar.error_high == 0 for bar in bars)


def test_tornado_of_other_designs_has_conditional_means(plain):
    _, bars = sensitivity.tornado(plain)
    assert bars[0].parameter == "growth__r"
    assert (bars[0].at_low, bars[0].at_high) == (0, 1)
    r = plain.numbers("growth__r")
    assert bars[0].low_value == pytest.approx(r[r <= np.quantile(r, 0.1)].mean())


# --- regions ---


def test_find_box_finds_a_known_box():
    rng = np.random.default_rng(4)
    inputs = {name: rng.uniform(0, 1, 3000) for name in ("a", "b", "idle")}
    box = (inputs["a"] > 0.6) & (inputs["b"] < 0.5)
    happened = np.where(box, rng.random(3000) < 0.95, rng.random(3000) < 0.02)
    bounds = scenario_discovery.find_box(inputs, happened)
    assert set(bounds) == {"a", "b"}
    assert bounds["a"] == (pytest.approx(0.6, abs=0.03), math.inf)
    assert bounds["b"] == (-math.inf, pytest.approx(0.5, abs=0.03))


def test_find_box_bounds_both_sides_and_keeps_levels():
    rng = np.random.default_rng(7)
    inputs = {"a": rng.uniform(0, 1, 2000), "level": rng.integers(0, 4, 2000).astype(float)}
    happened = (np.abs(inputs["a"] - 0.5) < 0.2) & (inputs["level"] >= 2)
    bounds = scenario_discovery.find_box(inputs, happened)
    assert bounds["a"] == (pytest.approx(0.3, abs=0.03), pytest.approx(0.7, abs=0.03))
    assert bounds["level"] == (2, math.inf)


def test_find_box_without_a_difference_finds_none():
    inputs = {"a": np.linspace(0, 1, 50)}
    assert scenario_discovery.find_box(inputs, np.ones(50, dtype=bool)) == {}
    assert scenario_discovery.find_box(inputs, np.zeros(50, dtype=bool)) == {}


@pytest.mark.parametrize(("levels", "classes"), [(8, 8), (17, 17), (40, 40)])
def test_figure_of_levers_has_a_class_for_each_level(levels, classes):
    """As in a grid of levers, in which all runs are of one point."""
    sweep = small(1, levers={"researcher__initial": [16 * at for at in range(1, levels + 1)]})
    axis = bin_parameter(sweep, "researcher__initial")
    assert len(axis.labels) == classes
    assert set(axis.place.tolist()) == set(range(classes))
    assert max(np.bincount(axis.place)) <= -(-levels // classes)
    for figure in (explosion_probability.plane_figure, limiting_resource.limits_figure):
        assert figure(sweep, "researcher__initial", "growth__r").axes


@pytest.mark.slow
def test_sentences_on_random_outcomes_report_no_effect():
    """Explosions that nothing decides, over eight sweeps: what each statement claims at 95%, seldom is claimed."""
    matters, boxes = 0, 0
    for seed in range(8):
        sweep = small(256)
        verdicts = np.where(np.random.default_rng(seed).random(sweep.n) < 0.5, "singular", "fizzle")
        at = sweep.runs.column_names.index("long_run")
        chance = Sweep(sweep.manifest, sweep.runs.set_column(at, "long_run", pa.array(verdicts)), sweep.statuses, [])
        matters += "depends most" in explosion_probability.strongest_parameter(chance)
        boxes += "Explosions are most frequent where" in scenario_discovery.box_sentence(
            chance, scenario_discovery.find_explosion_box(chance)
        )
    assert matters <= 1
    assert boxes <= 1


def test_box_sentence_describes_a_box_measured_on_other_points(plain):
    box = scenario_discovery.find_explosion_box(plain)
    assert box.held_out
    assert box.bounds["growth__r"] == (pytest.approx(1.0, abs=0.03), math.inf)
    assert box.density.share > 0.95
    assert box.coverage.share > 0.95
    assert box.density.runs < 128
    assert "Explosions are most frequent where growth__r ≥ " in scenario_discovery.box_sentence(plain, box)


@pytest.mark.parametrize(("bounds", "word"), [((-math.inf, 0.0), "no"), ((1.0, math.inf), "yes")])
def test_box_sentence_formats_truth_values(bounds, word):
    sweep = small(256, levers={"training__required": [False, True]})
    share = st.ClusteredProbability(0.9, 0.8, 0.95, runs=100, points=100)
    box = scenario_discovery.Box({"training__required": bounds}, density=share, coverage=share, held_out=False)
    assert f"Explosions are most frequent where training__required = {word}: 90% " in scenario_discovery.box_sentence(
        sweep, box
    )


# --- convergence, levers ---


def test_convergence_intervals_shrink_with_points(plain):
    by_points = convergence.convergence_table(plain)
    found = by_points.to_pandas()
    width = (found["high"] - found["low"]).to_numpy()
    assert found["points"].iloc[-1] == found["runs"].iloc[-1] == 256
    assert width[-1] < width[0] / 4
    assert found["probability"].iloc[-1] == explosion_probability.probability(plain).share
    assert "four times the points" in convergence.convergence_sentence(plain, by_points)


def test_lever_effects_paired_have_less_variance(paired):
    effects = [effect for effect in lever_effects.lever_effects(paired) if effect.outcome == "doublings_a_year"]
    pace, initial = sensitivity.outcome_of(paired, "doublings_a_year"), paired.numbers("researcher__initial")
    for effect, level in zip(effects, (256, 1024), strict=True):
        assert effect.difference == pytest.approx(pace[initial == level].mean() - pace[initial == 64].mean())
        assert effect.high < 0  # a larger team has lower returns in these tables
        assert (effect.pairs, effect.points) == (256, 128)
        assert effect.times_less_variance > 10


def test_lever_effects_leave_out_pairs_with_a_missing_run(paired):
    rows = [n for n in range(paired.n) if n != 4]
    sweep = sweep_of(paired.runs.take(rows), paired.manifest)
    assert {effect.pairs for effect in lever_effects.lever_effects(sweep)} == {255, 256}


def test_bin_parameter_has_equal_bins_and_keeps_levels(paired):
    axis = bin_parameter(paired, "growth__r")
    assert np.bincount(axis.place).tolist() == [192] * 4
    assert bin_parameter(paired, "researcher__initial").labels == ("64", "256", "1,024")
    assert bin_parameter(paired, "cluster__queue").labels == ("easy",)
    with pytest.raises(InputError, match="did you mean 'growth__r'"):
        bin_parameter(paired, "growth_r")
