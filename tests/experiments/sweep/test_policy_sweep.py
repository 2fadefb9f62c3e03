"""Test sweeps with a regulator: columns of each run, paired delays and costs, the Pareto front, and policy files."""

import pyarrow as pa
import pytest

from experiments.design.design import load_design
from experiments.errors import InputError
from experiments.governance.orders_in_force import restricted_spans
from experiments.governance.study import study
from experiments.sweep.analysis.figure_frame import png
from experiments.sweep.analysis.lever_effects import lever_effects
from experiments.sweep.analysis.policy_front import front_sentences, front_states, policy_fronts
from experiments.sweep.analysis.report import html, parts, summary
from experiments.sweep.analysis.sweep_data import load
from experiments.sweep.query import labs, read
from sim.race import run_race
from sim.runner import run
from sim.scenario.model import Scenario
from tests.support.sweep_runs import run_here

POLICIES = ("compute-cap", "five-times-pause", "none", "unilateral-pause")
DESIGN = """
base = "toy-explosion"
sampling = "grid"
replications = 4

[levers]
regulator__policy = [{policies}]
"""


def design_of(folder, policies=POLICIES, more=""):
    path = folder / "governed.toml"
    path.write_text(DESIGN.format(policies=", ".join(f'"{each}"' for each in policies)) + more)
    return load_design(str(path))


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Return a design of 4 seeds and 4 policies, and the folder of its sweep."""
    place = tmp_path_factory.mktemp("governed")
    design = design_of(place)
    run_here(design, place / "out")
    return design, place / "out"


def test_columns_equal_the_record_of_the_regulator(swept):
    design, folder = swept
    restricted = 0.0
    for row in read(folder).to_pylist()[:4]:
        planned = design.planned(row["run"])
        result = run(design.scenario(planned), row["seed"])
        found = [row[name] for name in ("first_warning_day", "warnings", "days_under_orders")]
        if row["regulator__policy"] == "none":
            assert found == [None, None, None]
            assert "first_warning_day, warnings, days_under_orders: no regulator" in row["why_empty"]
            continue
        alarms, spans = result.governance.alarms, restricted_spans(result)
        assert found[:2] == [alarms[0].day if alarms else None, len(alarms)]
        assert ("first_warning_day: no warning" in row["why_empty"]) == (not alarms)
        assert found[2] == pytest.approx(sum(end - start for start, end in spans))
        restricted += found[2]
    assert restricted > 100


def test_delays_and_costs_equal_the_comparison_of_policies(swept):
    """Delays are those of `asara policies` at 10 doublings. Costs differ by the samples of the curves at most."""
    design, folder = swept
    seeds = [design.planned(run).seed for run in range(4)]
    found = study(Scenario.load("toy-explosion"), seeds, [each for each in POLICIES if each != "none"], [10.0])
    (front,) = policy_fronts(load(folder).with_column("days_to_1000x", _tenth_doubling(folder)))
    effects = {each.policy: each for each in front.effects}
    assert front.effects[0].policy == "none"
    assert (effects["none"].delay_days, effects["none"].software_lost) == (0, 0)
    bounds = 0
    for policy in found.policies[1:]:
        row, effect = policy.levels[0], effects[policy.name]
        assert effect.delay_days == pytest.approx(row.gained.mean)
        assert (effect.pairs, effect.delay_pairs, effect.not_reached) == (4, row.pairs, row.not_reached)
        if row.not_reached:
            bounds += 1
            assert (effect.at_least, effect.delay_low, effect.delay_high) == (True, None, None)
        else:
            assert (effect.delay_low, effect.delay_high) == pytest.approx(row.gained[1:])
        assert effect.software_lost == pytest.approx(-policy.software.mean, abs=0.15)
        assert effect.days_under_orders == pytest.approx(policy.days_restricted.mean)
    assert bounds == 1, "a long pause is censored"


def _tenth_doubling(folder):
    """Return the day of doubling 10, which `days_to_1000x` interpolates up to 9.97 doublings."""
    return pa.array([days[9] if len(days) > 9 else None for days in read(folder)["doubling_days"].to_pylist()])


def test_front_keeps_policies_that_no_other_one_dominates():
    delays, costs = [0.0, 50.0, 40.0, 90.0, 90.0], [0.0, 2.0, 3.0, 5.0, 6.0]
    assert front_states(delays, costs, [False] * 5) == ["yes", "yes", "no", "yes", "no"]
    assert front_states([0.0, 0.0], [0.0, 0.0], [False] * 2) == ["yes", "yes"], "equal policies are both on the front"
    # The true delay of a lower bound is open: the policy may be on the front, and may dominate more expensive ones.
    assert front_states(delays, costs, [False, False, True, False, False]) == ["yes", "yes", "open", "open", "no"]


def test_analysis_has_the_front_and_reports_lower_bounds(swept):
    _, folder = swept
    sweep = load(folder)
    text = " ".join(front_sentences(sweep))
    assert "The front of delay of 1,000-fold against cost, from the lowest cost: " in text
    assert "raise run__horizon_days" in text
    assert "≥ " in text
    section = next(parts(sweep))
    assert (section.name, section.table.num_rows) == ("policies", 4)
    page = html(sweep, [section])
    assert "What does each policy delay, and what does it cost?" in page
    assert "<svg" in page
    assert png(section.slide).startswith(b"\x89PNG")
    assert {each.against for each in lever_effects(sweep)} == {"none"}
    assert [each["policy"] for each in summary(sweep)["policies"]] == section.table["policy"].to_pylist()
    without = sweep.only(sweep.numbers("warnings") >= 0)
    assert next(parts(without)).name != "policies", "no run is without a regulator"


def test_one_at_a_time_design_compares_policies_at_the_middle(tmp_path):
    path = tmp_path / "single.toml"
    path.write_text(
        'base = "toy-explosion"\nsampling = "one-at-a-time"\nreplications = 2\n[set]\nrun__max_doublings = 10\n'
        '[levers]\nregulator__lag_days = [0.0, 9.0]\nregulator__policy = ["none", "compute-cap"]\n'
        '[uncertainties.growth__difficulty_growth]\ndistribution = "uniform"\nlow = 1.4\nhigh = 1.6\n'
    )
    run_here(load_design(str(path)), tmp_path / "out")
    (front,) = policy_fronts(load(tmp_path / "out"))
    assert [(each.policy, each.pairs) for each in front.effects] == [("none", 2), ("compute-cap", 2)]
    assert front.effects[1].delay_days > 0
    assert front.effects[1].p_on_front is None, "one point has no resamples"


def test_race_has_the_columns_for_the_run_and_for_each_lab(tmp_path):
    path = tmp_path / "race.toml"
    path.write_text(
        'base = "covert-rival"\nsampling = "grid"\nlevel = 5\n[set]\nrun__max_doublings = 8\n[levers]\n'
        'regulator__policy = ["none", "five-times-pause"]\n'
    )
    design = load_design(str(path))
    run_here(design, tmp_path / "out")
    free, governed = read(tmp_path / "out").to_pylist()
    assert "first_warning_day, warnings, days_under_orders: no regulator" in free["why_empty"]
    result = run_race(design.scenario(design.planned(1)), governed["seed"])
    of_labs = {row["lab"]: row for row in labs(tmp_path / "out").to_pylist() if row["run"] == 1}
    assert governed["warnings"] == len(result.governance.alarms) > 0
    assert governed["first_warning_day"] == result.governance.alarms[0].day
    for lab, row in of_labs.items():
        assert row["warnings"] == sum(alarm.lab == lab for alarm in result.governance.alarms)
    assert max(row["days_under_orders"] for row in of_labs.values()) <= governed["days_under_orders"]
    assert governed["days_under_orders"] > 0


def test_digest_of_a_design_changes_with_the_file_of_a_policy(tmp_path):
    policy = tmp_path / "own.toml"
    policy.write_text('[rules.warn]\nwhen = "level"\ndoublings = 1.0\n')
    before = design_of(tmp_path, ("none", str(policy))).digest
    assert design_of(tmp_path, ("none", str(policy))).digest == before
    policy.write_text('[rules.warn]\nwhen = "level"\ndoublings = 2.0\n')
    assert design_of(tmp_path, ("none", str(policy))).digest != before
    policy.unlink()
    with pytest.raises(InputError, match=r"own\.toml: cannot be read"):
        design_of(tmp_path, ("none", str(policy)))
