"""Test that each number of a report is for one combination of levers, and that constant outcomes have no effects."""

import math

import numpy as np
import pytest

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
from experiments.sweep.analysis.combinations import combinations, select_for_figure
from experiments.sweep.analysis.report import summary, summary_paragraph
from experiments.sweep.analysis.sweep_data import sweep_of
from tests.support.sweep_tables import manifest, row, small, table

ONE = {"researcher__initial": [64, 1024]}


@pytest.fixture(scope="module")
def one():
    return small(64, spread=0.2, levers=ONE)


@pytest.fixture(scope="module")
def coupled():
    """Two coupled parameters and a second lever: four combinations of 32 points."""
    rows = []
    for point in range(32):
        for place, (gpus, team) in enumerate(((1024, 64), (2048, 1024))):
            for needed in (False, True):
                values = {
                    "growth__r": 0.5 + point / 20,
                    "cluster__gpus": gpus,
                    "researcher__initial": team,
                    "training__required": needed,
                }
                rows.append(row(len(rows), point, values, -0.5 * needed, lever=2 * place + needed))
    zipped = {"zip": {"cluster__gpus": [1024, 2048], "researcher__initial": [64, 1024]}}
    said = manifest(
        len(rows),
        points=32,
        levers=["cluster__gpus", "researcher__initial", "training__required"],
        design={"levers": {"compute": zipped, "training__required": [False, True]}},
    )
    return sweep_of(table(rows), said)


def shares(sweep):
    """The share of explosions at each level of the lever, counted apart."""
    at = {}
    for initial, kind in zip(sweep.runs["researcher__initial"].to_pylist(), sweep.texts("long_run"), strict=True):
        at.setdefault(initial, []).append(kind == "singular")
    return {initial: sum(each) / len(each) for initial, each in at.items()}


def test_headline_has_a_number_for_each_combination_only(one):
    known = shares(one)
    assert known[64] > known[1024] + 0.05  # else an average would not be seen
    sentence = explosion_probability.sentence(one)
    for initial, text in ((64, "64"), (1024, "1,024")):
        assert f"{known[initial]:.0%} [" in sentence
        assert f"at researcher__initial = {text} (64 runs)" in sentence
    pooled = f"{np.mean(list(known.values())):.0%}"
    assert pooled not in sentence + explosion_probability.rest_sentence(one)
    assert sentence.startswith("Probability that doubling times shrink without limit (long_run = singular): ")
    found = summary(one)["combinations"]
    assert [each["explosion"]["share"] for each in found] == [known[64], known[1024]]


@pytest.mark.slow
def test_combination_tables_have_a_column_for_the_lever(one):
    made = [
        explosion_probability.probability_table(one),
        time_to_gain.time_table(one),
        fan_chart.fan_table(one),
        convergence.convergence_table(one),
        sensitivity.tornado_table(one, "doublings_a_year"),
        explosion_probability.plane_table(one, "growth__r", "growth__parallel_penalty"),
        limiting_resource.limits_table(one, "growth__r", "growth__parallel_penalty"),
    ]
    for each in made:
        assert each.column_names[0] == "researcher__initial"
        assert set(each["researcher__initial"].to_pylist()) == {"64", "1,024"}
    # On the axis of the lever itself, no combination is fixed and none are pooled.
    plane = explosion_probability.plane_table(one, "growth__r", "researcher__initial")
    assert plane.column_names[:2] == ["growth__r", "researcher__initial"]


def test_combination_median_uses_its_own_runs(one):
    for part in combinations(one):
        days = part.sweep.numbers("days_to_10x")
        expected = np.sort(np.where(np.isfinite(days), days, math.inf))[31]
        rows = [
            each
            for each in time_to_gain.time_table(one, "days_to_10x").to_pylist()
            if each["researcher__initial"] == part.values["researcher__initial"]
        ]
        assert rows[2]["days"] == pytest.approx(expected)


def test_headline_of_many_combinations_is_a_range():
    sweep = small(8, spread=0.2, levers={"researcher__initial": [64, 128, 256, 512, 1024, 4096]})
    parts = combinations(sweep)
    assert len(parts) == 6
    sentence = explosion_probability.sentence(sweep)
    assert "from " in sentence and "all 6 combinations of levers" in sentence
    assert [each.values for each in select_for_figure(parts, 3)] == [parts[at].values for at in (0, 2, 5)]
    assert explosion_probability.probability_table(sweep).num_rows > 6


def test_coupled_levers_count_as_one_lever(coupled):
    assert coupled.levers == ["compute", "training__required"]
    assert [each.text for each in combinations(coupled)] == [
        f"compute = {text}, training__required = {needed}"
        for text in ("1,024 / 64", "2,048 / 1,024")
        for needed in ("no", "yes")
    ]
    assert bin_parameter(coupled, "compute").labels == ("1,024 / 64", "2,048 / 1,024")
    assert bin_parameter(coupled, "compute").title == "compute (cluster__gpus / researcher__initial)"
    assert summary_paragraph(coupled).startswith("compute is cluster__gpus / researcher__initial.")


def test_paired_effects_keep_the_other_levers_fixed(coupled):
    effects = [each for each in lever_effects.lever_effects(coupled) if each.outcome == "doublings_a_year"]
    pace = sensitivity.outcome_of(coupled, "doublings_a_year")
    place, needed = coupled.numbers("compute"), coupled.numbers("training__required")
    found = {(each.lever, each.others): each for each in effects}
    assert len(found) == 4
    for flag, text in ((0, "no"), (1, "yes")):
        effect = found["compute", f"training__required = {text}"]
        apart = pace[(place == 1) & (needed == flag)].mean() - pace[(place == 0) & (needed == flag)].mean()
        assert effect.difference == pytest.approx(apart)
        assert (effect.level, effect.against, effect.pairs) == ("2,048 / 1,024", "1,024 / 64", 32)


# --- an outcome that never changes, and too few runs ---


def test_constant_outcome_has_no_causes():
    rows = [
        row(n, n // 2, {"growth__r": 3.0 + n / 10, "training__required": bool(n % 2)}, 0.0, lever=n % 2)
        for n in range(8)
    ]
    sweep = sweep_of(table(rows), manifest(8, sampling="grid", levers=["training__required"]))
    assert sweep.explosive.all()
    assert explosion_probability.strongest_parameter(sweep) == (
        "All runs agree on whether doubling times shrink without limit (long_run = singular), "
        "so no parameter has an effect on it."
    )
    assert "depends most" not in summary_paragraph(sweep)
    assert sensitivity.tornado_table(sweep, "explosion").num_rows == 0
    assert "is the same in all runs" in sensitivity.constant_outcome_sentence(sweep, "explosion")
    assert lever_effects.lever_sentences(lever_effects.lever_effects(sweep))[0].startswith("No lever changes")


@pytest.mark.parametrize(
    ("points", "share", "holds"), [(5, 0.5, False), (6, 0.5, True), (58, 0.05, False), (59, 0.05, True)]
)
def test_quantile_needs_points_for_an_interval(points, share, holds):
    assert st.can_bracket_quantile(points, share) is holds


@pytest.mark.parametrize(("runs", "interval"), [(1, False), (5, False), (6, True)])
def test_median_of_few_runs_has_no_interval(runs, interval):
    sweep = sweep_of(table([row(n, n, {"growth__r": 1.5 + n / 50}, 0.0) for n in range(runs)]), manifest(runs))
    middle = time_to_gain.time_table(sweep).to_pylist()[2]
    assert math.isfinite(middle["days"])
    assert (middle["low"] is not None) is interval
    said = " ".join(time_to_gain.time_sentences(sweep))
    assert ("95% interval" in said) is interval
    last = convergence.convergence_table(sweep)["median_low"].to_pylist()[-1]
    assert (last is not None) is interval


# --- gains that were not reached ---


def alone(changes):
    rows = [row(n, n, changed, 0.0) for n, changed in enumerate(changes)]
    return sweep_of(table(rows), manifest(len(rows), sampling="one-at-a-time"))


def test_tornado_of_days_reports_runs_without_the_goal():
    sweep = alone(
        [
            {},
            {"growth__r": 0.5},
            {"growth__r": 2.0},
            {"growth__first_doubling_days": 30.0},
            {"growth__first_doubling_days": 60.0},
        ]
    )
    middle, bars = sensitivity.tornado(sweep, "days_to_1000x")
    days = sweep.numbers("days_to_1000x")
    assert middle == pytest.approx(days[0])
    assert bars[0].parameter == "growth__r"  # what was not reached is the longest bar, and not the shortest
    assert (bars[0].at_low, bars[0].not_reached_low, bars[0].runs_low) == (math.inf, 1, 1)
    assert bars[0].at_high == pytest.approx(days[2])
    assert bars[1].at_low == pytest.approx(days[3])
    assert sensitivity.not_reached_sentence(sweep, "days_to_1000x") == (
        "Runs that did not gain 1,000-fold: at growth__r = 0.5 (1 of 1). The most frequent reason: "
        "not reached by the horizon (day 730)."
    )
    figure = sensitivity.tornado_figure(sweep, "days_to_1000x")
    texts = [each.get_text() for each in figure.axes[0].texts]
    assert texts[:2] == ["0.5: never", f"2: {days[2]:,.0f}"]
    assert "1,000 times that of day 0" in " ".join(figure.axes[0].get_xlabel().split())


def test_tornado_bars_have_both_ends_and_an_axis_label():
    sweep = alone([{}, {"growth__r": 0.8}, {"growth__r": 2.0}])
    for outcome in ("explosion", "speeding_up", "doublings_a_year", "days_to_10x", "software_doublings", "ratio"):
        figure = sensitivity.tornado_figure(sweep, outcome)
        assert figure.axes[0].get_xlabel()
        assert [each.get_text().split(":")[0] for each in figure.axes[0].texts] == ["0.8", "2"]


def test_time_table_reports_why_days_are_missing():
    rows = [row(n, n, {"growth__r": 1.5, "run__max_doublings": 9}, 0.0) for n in range(3)]
    rows += [row(n, n, {"growth__r": 0.5}, 0.0) for n in range(3, 5)]
    said = time_to_gain.goal_sentences(sweep_of(table(rows), manifest(5)), 1000)
    assert said[-1] == (
        "5 runs have no day for 1,000x: 3 stopped after 9 doublings: raise run__max_doublings to 10; "
        "2 not reached by the horizon (day 730)."
    )


def test_box_combinations_have_one_lever_value_each():
    sweep = small(64, spread=0.2, levers=ONE)
    parts = scenario_discovery.box_combinations(sweep)
    assert [each.values for each in parts] == [{"researcher__initial": "64"}, {"researcher__initial": "1,024"}]
    boxes = [scenario_discovery.find_explosion_box(each.sweep) for each in parts]
    assert all(box is not None and "researcher__initial" not in box.bounds for box in boxes)
    grid = small(1, levers={"researcher__initial": [16, 64, 256, 1024]})
    assert len(scenario_discovery.box_combinations(grid)) == 1


def test_sobol_indices_are_refused_for_levers(one):
    assert "its levers are choices" in sensitivity.sobol_first(one)[1]
