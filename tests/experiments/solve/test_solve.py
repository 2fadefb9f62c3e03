"""`asara solve`: the value of a parameter that meets a goal, against closed forms, made-up laws and plain runs."""

import json
import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.errors import InputError
from experiments.solve import runs
from experiments.solve.goal import parse_goal
from experiments.solve.solver import solve
from sim.fluid.api import fluid
from sim.runner import run
from sim.scenario.model import Scenario, ScenarioError

TOY = Scenario.load("toy-explosion")
MONTH = 365 / 12


def day_of_doubling(n: int, papers_per_month: float) -> float:
    """Return the toy's mean day of a doubling: 2, 3, 4.5 ... papers, which 1, 2, 4 ... researchers write."""
    return sum(MONTH / papers_per_month * 2 * 1.5**k / 2**k for k in range(n))


def papers_per_month_for(n: int, day: float) -> float:
    return day_of_doubling(n, 1.0) / day


# --- the fluid ------------------------------------------------------------------------------------------------------


def test_solve_fluid_finds_the_value_of_the_closed_form():
    found = solve(TOY, "researcher__papers_per_month", "doublings=8@100")
    (answer,) = found.answers
    assert answer.exact == pytest.approx(papers_per_month_for(8, 100), rel=2e-4)
    assert answer.value == float(f"{answer.exact:.3g}")
    assert answer.gives.day == pytest.approx(day_of_doubling(8, answer.value), rel=1e-6)
    assert found.now.day == pytest.approx(day_of_doubling(8, TOY.researcher.papers_per_month), rel=1e-6)
    assert found.monotone
    assert (answer.low, answer.high, answer.jump) == (None, None, None)


def test_solve_interpolates_a_factor_between_doublings_in_log2():
    """1000x lies 0.966 of the way from doubling 9 to doubling 10."""
    found = solve(TOY, "papers_per_month", "1000x=100")
    ninth, tenth = day_of_doubling(9, 1.0), day_of_doubling(10, 1.0)
    expected = (ninth + (math.log2(1000) - 9) * (tenth - ninth)) / 100
    assert found.answers[0].exact == pytest.approx(expected, rel=2e-4)


def test_solve_does_not_depend_on_the_horizon_or_the_doublings_of_the_scenario():
    short = TOY.replace(run__horizon_days=5.0, run__max_doublings=1)
    assert (
        solve(short, "papers_per_month", "doublings=8@100").values
        == solve(TOY, "papers_per_month", "doublings=8@100").values
    )


def test_solve_lab_agrees_with_a_fluid_run_at_the_value():
    found = solve("lab", "growth__first_doubling_days", "doublings=9@365", low=20, high=40)
    (answer,) = found.answers
    lab = Scenario.load("lab").replace(growth__first_doubling_days=answer.exact, run__horizon_days=2000.0)
    assert fluid([lab]).doubling_day[0, 8] == pytest.approx(365, rel=1e-3)


# --- laws made up for the purpose -----------------------------------------------------------------------------------


@pytest.fixture
def law(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that replaces the fluid: the day of the only doubling is a function of the GPUs or hours."""

    def use(day: Callable[[float], float], name: str = "cluster__restart_hours") -> None:
        def stand_in(scenarios: Sequence[Scenario]) -> SimpleNamespace:
            values = [float(each.flat()[name]) for each in scenarios]
            if any(not day(value) > 0 for value in values):
                raise ScenarioError("there is no such lab")
            days = np.array([[day(value)] for value in values])
            done = days[:, 0] <= scenarios[0].run.horizon_days
            return SimpleNamespace(doubling_day=days, doublings=done.astype(int), software_doublings=done.astype(float))

        monkeypatch.setattr(runs, "fluid", stand_in)

    return use


def hours(until: str = "doublings=1@100", low: float = 1.0, high: float = 11.0):
    return solve("lab", "cluster__restart_hours", until, low=low, high=high)


def test_solve_finds_every_value_and_reports_that_it_is_not_monotone(law):
    law(lambda x: 100 + (x - 3) * (x - 7) * (x - 9))
    found = hours()
    assert found.values == [3, 7, 9]
    assert not found.monotone


def test_solve_finds_two_values_between_grid_points(law):
    """A dip that is narrower than the distance of the values that are tried first."""
    law(lambda x: 100 + 5000 * ((x - 6.1) ** 2 - 0.01))
    assert hours(low=1.0, high=3.9 * 3).values == pytest.approx([6.0, 6.2], rel=1e-3)


def test_solve_without_a_value_names_the_nearest(law):
    law(lambda x: 120 + (x - 6.3) ** 2)
    found = hours()
    assert found.answers == []
    assert found.nearest.value == pytest.approx(6.3, abs=0.05)
    assert found.nearest.day == pytest.approx(120, abs=0.01)


def test_solve_finds_where_the_day_jumps_over_the_goal(law):
    law(lambda x: 80.0 if x < math.pi else 150.0)
    (answer,) = hours().answers
    assert answer.jump is not None
    before, after = answer.jump
    assert (before.day, after.day) == (80.0, 150.0)
    assert before.value < math.pi <= after.value < before.value * 1.001


def test_solve_treats_a_run_without_the_goal_as_late(law):
    law(lambda x: 100 * (x / 5) ** 8)
    (answer,) = hours().answers
    assert answer.value == 5


def test_solve_whole_numbers_finds_two_in_a_row(law):
    law(lambda x: 100 * 300.4 / x, "cluster__gpus")
    found = solve("lab", "cluster__gpus", "doublings=1@100", low=8, high=4096)
    (answer,) = found.answers
    assert (answer.value, answer.jump) == (300, None)
    assert all(each.value == round(each.value) for each in found.tried)


def test_solve_omits_values_that_cannot_be_run(law):
    law(lambda x: 100 * x / 8 if x > 4 else -1.0)
    found = hours()
    assert found.values == [8]
    assert found.refused > 0
    assert min(each.value for each in found.tried) > 4


def test_solve_refuses_if_no_value_can_be_run(law):
    law(lambda x: -1.0)
    with pytest.raises(InputError, match="there is no such lab"):
        hours()


# --- the World ------------------------------------------------------------------------------------------------------


def test_solve_world_returns_the_mean_day_and_an_interval():
    team = TOY.replace(researcher__initial=16, growth__papers_first_doubling=32.0)  # the same mean days, less spread
    found = solve(team, "papers_per_month", "doublings=5@100", engine="world", seeds=8, workers=1)
    (answer,) = found.answers
    scenario = team.replace(run__max_doublings=5, researcher__papers_per_month=answer.value)
    days = np.array([run(scenario, seed).day for seed in range(8)])
    assert answer.gives.day == pytest.approx(float(np.mean(days)), rel=1e-9)
    assert answer.gives.day == pytest.approx(100, rel=5e-3)
    assert answer.low is not None
    assert answer.high is not None
    # In the toy time is inverse to papers per month, so that each seed has a value of its own: day/100 of ours.
    own = np.log(answer.value * days / 100)
    half = 2.364624 * own.std(ddof=1) / math.sqrt(8)  # Student's t, 7 degrees of freedom
    assert math.log(answer.high / answer.low) / 2 == pytest.approx(half, rel=0.1)
    assert answer.low < answer.exact < answer.high
    assert answer.low < papers_per_month_for(5, 100) < answer.high  # fixed seeds; a false alarm in 5% of them


def test_solve_world_works_without_the_fluid_engine():
    whole = TOY.replace(researcher__timing="whole", run__max_doublings=3)
    found = solve(whole, "papers_per_month", "doublings=3@100", low=0.5, high=4, engine="world", seeds=3, workers=1)
    assert len(found.answers) == 1
    assert found.answers[0].gives.day == pytest.approx(100, rel=0.02)


# --- the command ----------------------------------------------------------------------------------------------------

LINE = "solve toy-explosion --for papers_per_month --until"


def test_solve_command_prints_the_value_and_its_check(asara):
    answer = asara(*LINE.split(), "doublings=8@100")
    assert (answer.code, answer.err) == (0, "")
    value = f"{papers_per_month_for(8, 100):.3g}"
    words = " ".join(answer.out.split())
    assert (
        f"researcher__papers_per_month = {value}. Checked by a run with {value}: software reaches doubling 8" in words
    )
    assert "As the scenario stands" in words


def test_solve_command_prints_json(asara):
    found = json.loads(asara(*LINE.split(), "100x=100", "--json").out)
    assert found["parameter"] == "researcher__papers_per_month"
    assert found["goal"] == {"text": "100x=100", "doublings": math.log2(100), "day": 100.0}
    assert found["answers"][0]["gives"]["day"] == pytest.approx(100, rel=0.01)


def test_solve_command_without_a_value_names_the_nearest_and_exits_with_1(asara):
    answer = asara(*LINE.split(), "doublings=8@100", "--low", 0.01, "--high", 0.02)
    assert (answer.code, answer.err) == (1, "")
    assert "No value meets the goal. Nearest is researcher__papers_per_month = 0.02: " in " ".join(answer.out.split())


BAD = {
    "no day": ("lab --for r --until 1000x", ["until = '1000x' is not a goal; allowed: FACTORx=DAY or doublings=N@DAY"]),
    "no number": ("lab --for r --until manyx=365", ["until = 'manyx=365' is not a goal"]),
    "nothing to reach": ("lab --for r --until 1x=365", ["out of bounds (0 doublings); allowed: above 0, up to 300"]),
    "a negative day": ("lab --for r --until 10x=-5", ["out of bounds (day -5); allowed: above 0"]),
    "not a number": ("lab --for queue --until 10x=50", ["parameter = cluster__queue is not a number; allowed:"]),
    "set by the goal": ("lab --for horizon_days --until 10x=50", ["run__horizon_days is set by the goal; allowed:"]),
    "several": ("lab --for days --until 10x=50", ["'days' is ambiguous; allowed: ", "run__horizon_days"]),
    "unknown": ("lab --for gpuz --until 10x=50", ["no parameter 'gpuz'", "did you mean"]),
    "no goal": ("lab --for r", ["--until"]),
    "no parameter": ("lab --until 10x=50", ["--for"]),
    "an empty range": ("lab --for r --until 10x=50 --low 2 --high 1", ["low = 2 is not below high = 1; allowed:"]),
    "below its bounds": ("lab --for r --until 10x=50 --low 0", ["low = 0 is out of bounds; allowed: from 0.01 to 100"]),
    "above its bounds": ("lab --for r --until 10x=50 --high 101", ["high = 101 is out of bounds; allowed:"]),
    "no range": ("toy-fizzle --for limit_doublings --until 10x=50", ["growth__limit_doublings"]),
    "not read": ("toy-fizzle --for growth__r --until 10x=50", ["growth__r is not read under growth__law = 'papers'"]),
    "one seed": ("lab --for r --until 10x=50 --engine world --seeds 1", ["--seeds"]),
    "an unknown scenario": ("lap --for r --until 10x=50", ["no scenario 'lap'", "did you mean 'lab'"]),
}


@pytest.mark.parametrize("case", BAD)
def test_solve_command_refuses_bad_input_in_one_sentence(asara, case):
    line, fragments = BAD[case]
    answer = asara("solve", *line.split())
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("asara: ")
    assert answer.err.count("\n") == 1
    for fragment in fragments:
        assert fragment in answer.err


@pytest.mark.parametrize(
    ("text", "doublings", "day"),
    [("1000x=365", math.log2(1000), 365), ("1e6x=730.5", math.log2(1e6), 730.5), ("doublings=9@400", 9, 400)],
)
def test_parse_goal_reads_factors_and_doublings(text, doublings, day):
    assert parse_goal(text)[1:] == (doublings, day)
