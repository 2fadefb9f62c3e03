"""Test gains: parsing of goals, the day on which a run reaches one, and the reason if it does not."""

import json
import math

import pytest

from experiments.errors import InputError
from experiments.gains import RunEnding, day_of_gain, doublings_to, explain_unreached_gain, parse_goal
from experiments.sweep.records import fluid_run
from sim.fluid.api import fluid
from sim.margins import margins
from sim.scenario.model import Scenario
from tests.support.sweep_runs import toy

MET = RunEnding("doublings", 400.0, 9, 9, 5000.0, 0.0)


@pytest.mark.parametrize(
    ("text", "multiple", "doublings"),
    [("1000x", 1000, 10), ("30x", 30, 5), ("1e6x", 1e6, 20), ("8", 8, 3), ("1.5x", 1.5, 1), ("1024 x", 1024, 10)],
)
def test_goal_is_parsed_and_takes_whole_doublings(text, multiple, doublings):
    assert parse_goal(text) == multiple
    assert doublings_to(multiple) == doublings
    assert 2 ** (doublings - 1) < multiple <= 2**doublings


@pytest.mark.parametrize("text", ["", "soon", "1x", "0.5x", "-3x", "1e99x", "infx", "1..2x", "1000y"])
def test_bad_goal_is_refused(text):
    with pytest.raises(InputError, match=r"--goal = .* allowed: above 1x.* Write --goal 1000x"):
        parse_goal(text)


def test_day_of_gain_lies_on_the_line_between_doublings():
    days = [10.0, 30.0, 70.0]
    assert day_of_gain(8, days) == 70
    assert day_of_gain(4, days) == 30
    assert day_of_gain(3, days) == pytest.approx(10 + 20 * (math.log2(3) - 1))
    assert day_of_gain(9, days) is None
    assert day_of_gain(2, []) is None


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (MET, "stopped after 9 doublings: raise run__max_doublings to 10"),
        (MET._replace(ending="explosion"), "stopped after 9 doublings: raise run__max_doublings to 10"),
        (MET._replace(ending="horizon", day=730.0), "not reached by the horizon (day 730)"),
        (MET._replace(ending="limit reached"), "limit reached: the hardware allows no such gain"),
        (MET._replace(ending="stalled"), "stalled on day 400"),
        (
            MET._replace(ending="researchers", doublings=4, stop_at_researchers=5000.0),
            "stopped at 5,000 researchers: raise run__stop_at_researchers",
        ),
    ],
)
def test_missing_gain_has_its_reason(ended, reason):
    assert explain_unreached_gain(1000, ended) == reason


@pytest.mark.slow
def test_row_explains_its_empty_columns(tmp_path):
    planned = toy(tmp_path, 1).planned(0)
    lab = Scenario.load("lab")
    late = lab.replace(run__horizon_days=60.0)
    far = lab.replace(run__max_doublings=20, run__horizon_days=3650.0)
    labs = [lab, late, far]
    table = fluid(labs)
    binding = margins(labs, table.doublings.tolist())
    rows = [fluid_run(planned, each, table, at, binding[at])[0] for at, each in enumerate(labs)]
    for row in rows:
        empty = [name for name, value in row.items() if value is None and name != "why_empty"]
        assert all(name in (row["why_empty"] or "") for name in empty)
        assert empty or row["why_empty"] is None
    assert "days_to_1000x: stopped after 9 doublings: raise run__max_doublings to 10" in rows[0]["why_empty"]
    assert (
        "days_to_10x, days_to_100x, days_to_1000x, days_to_1000000x: not reached by the horizon (day 60)"
        in (rows[1]["why_empty"])
    )
    assert rows[2]["days_to_1000x"] == day_of_gain(1000, rows[2]["doubling_days"])


# --- the commands ---


@pytest.mark.slow
def test_run_to_a_goal_reaches_it_or_prints_the_reason(asara):
    reached = json.loads(asara("run", "lab", "--engine", "fluid", "--goal", "1000x", "--json").out)
    assert reached["goal"]["multiple"] == 1000
    assert len(reached["doublings"]) == 10
    ninth, tenth = reached["doublings"][-2]["day"], reached["doublings"][-1]["day"]
    assert reached["goal"]["day"] == pytest.approx(ninth + (tenth - ninth) * (math.log2(1000) - 9))
    short = " ".join(asara("run", "lab", "--engine", "fluid", "--goal", "1000x", "--until", "100").out.split())
    assert "did not reach 1,000 times that of day 0: not reached by the horizon (day 100)." in short
    for line in (["--goal", "soon"], ["--goal", "10x", "--set", "run__max_doublings=9"]):
        answer = asara("run", "lab", *line)
        assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)


@pytest.mark.slow
def test_stored_run_is_replaced_only_if_asked(asara, tmp_path):
    line = ["run", "toy-fizzle", "--engine", "fluid", "--set", "run__max_doublings=4", "--out", "here"]
    assert asara(*line, "--csv").code == 0
    first = {path.name: path.read_bytes() for path in (tmp_path / "here").iterdir()}
    assert {"run.png", "events.csv", "jobs.csv", "series.csv", "doublings.csv"} <= set(first)
    assert first["doublings.csv"].decode().splitlines()[0] == "n,day,duration_days,papers,researchers"
    assert len(first["doublings.csv"].decode().splitlines()) == 5
    refused = asara(*line)
    assert refused.code == 2
    assert "already contains a run (toy-fizzle, engine fluid)" in refused.err and "--fresh" in refused.err
    assert {path.name: path.read_bytes() for path in (tmp_path / "here").iterdir()} == first
    assert asara(*line, "--fresh", "--format", "svg").code == 0
    names = {path.name for path in (tmp_path / "here").iterdir()}
    assert names == {"events.parquet", "jobs.parquet", "series.parquet", "run.json", "run.svg"}
    assert asara("run", "toy-fizzle", "--csv").code == 2
