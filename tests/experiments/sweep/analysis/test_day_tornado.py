"""Test the tornado of days against tables whose means are known."""

import math

import numpy as np
import pyarrow as pa
import pytest

from experiments.sweep.analysis.day_tornado import day_sentences, day_slide, day_table, day_tornado
from experiments.sweep.analysis.estimators import restricted_mean
from experiments.sweep.analysis.sensitivity import tornado_outcomes
from experiments.sweep.analysis.sweep_data import sweep_of
from tests.support.sweep_tables import HORIZON, RANGES, UNIFORM, drawn, manifest, row, table

NEVER = math.nan


def with_days(found, days, ending=("horizon", HORIZON), **changes):
    """Return a sweep whose runs reach full automation on these days, or not before their ending (NaN)."""
    days = np.array(days, dtype=float)
    found = found.append_column("asara_day", pa.array(days, from_pandas=True))
    found = found.append_column("share_automated", pa.array(np.where(np.isnan(days), 0.5, 1.0)))
    for name, value in zip(("ending", "day"), ending, strict=True):
        found = found.set_column(found.column_names.index(name), name, pa.array([value] * found.num_rows))
    return sweep_of(found, manifest(found.num_rows, points=found.num_rows, **changes))


def hand_made(days, **changes):
    """Return six runs with r = 1, 2, ..., 6, and a first doubling whose thirds have equal means."""
    firsts = (30.0, 50.0, 40.0, 41.0, 51.0, 31.0)
    values = [{"growth__r": r, "growth__first_doubling_days": first} for r, first in enumerate(firsts, 1)]
    rows = [row(at, at, {name: float(each) for name, each in value.items()}, 0.0) for at, value in enumerate(values)]
    return with_days(table(rows), days, uncertainties={name: UNIFORM[name] for name in list(RANGES)[:2]}, **changes)


def test_sentence_of_six_runs_states_the_means_of_the_thirds():
    sweep = hand_made([100, 200, 300, 400, 500, 600])
    assert day_sentences(sweep) == [
        "What moves ASARA's day most: “Returns to software R&D” (growth__r), from day 150 in its lowest third to "
        "day 550 in its highest third. Next: “Time that the first doubling of software takes the lab of "
        "calibrated_for” (growth__first_doubling_days), from day 350 in its lowest third to day 350 in its "
        "highest third. 0 of 6 runs do not reach it by the horizon."
    ]


def test_sentence_with_a_run_that_does_not_reach_it_counts_the_horizon():
    first, means = day_sentences(hand_made([100, 200, 300, 400, 500, NEVER]))
    assert f"to day {(500 + HORIZON) / 2:,.0f} in its highest third" in first
    assert first.endswith("1 of 6 runs does not reach it by the horizon.")
    assert means == "Days are means up to day 730; a run that does not reach it by then counts as day 730."


def test_means_are_up_to_the_day_on_which_a_run_was_stopped():
    sweep = hand_made([100, 200, 300, 600, 500, NEVER], ending=("doublings", 550.0))
    first, means = day_sentences(sweep)
    assert "to day 525 in its highest third" in first
    assert first.endswith("1 of 6 runs does not reach it by their end.")
    assert "up to day 550" in means


def test_sentence_without_any_day_states_it():
    assert day_sentences(hand_made([NEVER] * 6)) == ["6 of 6 runs do not reach it by the horizon."]


def test_restricted_mean_is_the_area_above_the_kaplan_meier_curve():
    times, reached = np.array([2.0, 3.0, 4.0]), np.array([True, False, True])
    assert restricted_mean(times, np.ones(3, dtype=bool), 9.0) == pytest.approx(3.0)
    # All are left until day 2, two thirds until day 4, and none afterwards.
    assert restricted_mean(times, reached, 5.0) == pytest.approx(2 + 2 / 3 * 2)
    assert restricted_mean(times, reached, 3.0) == pytest.approx(2 + 2 / 3)
    assert restricted_mean(np.array([math.inf, 1.0]), np.array([False, True]), 5.0) == pytest.approx(3.0)


def test_tornado_finds_a_planted_parameter():
    found = drawn(64)
    r, first = (found[name].to_numpy() for name in ("growth__r", "growth__first_doubling_days"))
    days = 600 - 200 * r + 2 * first
    tornado = day_tornado(with_days(found, days))
    assert [each.parameter for each in tornado.swings] == [*RANGES]
    strong, weak, none = tornado.swings
    order = np.argsort(r)
    third = len(days) // 3
    assert strong.day_at_low == pytest.approx(days[order[: third + 1]].mean())
    assert strong.day_at_high == pytest.approx(days[order[-third - 1 :]].mean())
    assert strong.swing_to < 0 < weak.swing_from
    assert none.swing_from < 0 < none.swing_to
    assert strong.is_largest == 1.0
    assert tornado.mean == pytest.approx(days.mean())


def test_tornado_of_each_lever_is_separate_and_other_targets_are_possible():
    found = drawn(16, levers={"researcher__initial": [64, 1024]})
    days = 100.0 + 100 * found["growth__r"].to_numpy() * (found["researcher__initial"].to_numpy() == 64)
    sweep = with_days(found, days, levers=["researcher__initial"])
    rows = [each for each in day_table(sweep).to_pylist() if each["parameter"] == "growth__r"]
    swings = {each["researcher__initial"]: each["swing"] for each in rows}
    # The means of the outer thirds of a uniform r are two thirds of its range, 1.5, apart.
    assert swings == {"64": pytest.approx(100, abs=15), "1,024": 0}
    assert len(day_slide(sweep).axes) == 2
    gains = day_table(sweep, "days_to_10x").to_pylist()
    assert len(gains) == 6
    assert max(gains, key=lambda each: abs(each["swing"]))["parameter"] == "growth__first_doubling_days"


def test_design_that_changes_one_parameter_at_a_time_has_the_plain_tornado():
    sweep = with_days(drawn(4), [1, 2, 3, 4], sampling="one-at-a-time")
    assert day_tornado(sweep).swings == []
    assert tornado_outcomes(sweep)[-1] == "asara_day"


def test_sentence_of_many_levers_names_the_earliest_and_the_latest():
    levers = {"researcher__initial": [1, 2, 4, 8, 16]}
    found = drawn(2, levers=levers)
    sweep = with_days(found, [100.0, 200.0, 300.0, 400.0, NEVER] * 2, levers=[*levers])
    assert day_sentences(sweep) == [
        "ASARA's day is earliest, 100 on average, at researcher__initial = 1; and latest, 400, at "
        "researcher__initial = 8. At 1 of 5 combinations no run reaches it."
    ]
