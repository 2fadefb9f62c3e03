"""Test that unreachable targets are refused, that reachable ones are not, and that long runs are announced."""

import pytest

from experiments.cli.arguments import load_scenario
from experiments.cli.progress import run_progress, show_progress
from experiments.errors import InputError
from experiments.run import expected_length
from experiments.run.expected_length import note_on_length, refuse_out_of_reach
from sim.runner import run
from sim.scenario.model import Scenario
from sim.world import World

INSTANT = ["researcher__papers_per_month=1e6", "growth__calibrated_for=0"]


def test_run_with_an_unreachable_target_is_refused_with_a_reachable_one(asara, tmp_path):
    answer = asara("run", "lab", "--stop-at-researchers", "1e12", "--out", "new")
    assert (answer.code, answer.out) == (2, "")
    assert "run__stop_at_researchers = 1e+12 is out of reach: the equations give about" in answer.err
    assert "the run ends on day 3,650; allowed: a number that the run can reach" in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["toy-explosion", "toy-fizzle", "returns-3"])
def test_refuse_out_of_reach_accepts_every_reached_target(monkeypatch, name, seed):
    monkeypatch.setattr(expected_length, "MANY_RESEARCHERS", 0.0)
    short = Scenario.load(name).replace(run__horizon_days=200.0, run__max_doublings=8)
    reached = run(short, seed).researchers
    if reached > short.initial_researchers:
        refuse_out_of_reach(short.replace(run__stop_at_researchers=float(reached)))


def test_refuse_out_of_reach_allows_for_randomness_of_a_small_team(monkeypatch):
    monkeypatch.setattr(expected_length, "MANY_RESEARCHERS", 0.0)
    alone = {
        "run__max_doublings": 30,
        "run__horizon_days": 100.0,
        "growth__calibrated_for": 0,
        "researcher__experiment_gpu_days": 0.0,
        "training__required": False,
    }
    scenario = Scenario.load("lab").replace(researcher__initial=1, run__stop_at_researchers=1e5, **alone)
    refuse_out_of_reach(scenario)
    with pytest.raises(InputError, match="out of reach"):
        refuse_out_of_reach(scenario.replace(researcher__initial=1000, run__stop_at_researchers=1e12))


def test_note_on_length_reports_a_large_number_of_papers():
    many = load_scenario("lab", [*INSTANT, "researcher__experiment_gpu_days=0"])
    assert note_on_length(many).startswith("By the equations this run simulates about 6")
    assert "00,000 papers one by one" in note_on_length(many)


@pytest.mark.parametrize("settings", [[], INSTANT, [*INSTANT, "run__max_individuals=0"]])
def test_note_on_length_of_a_short_run_is_empty(settings):
    assert note_on_length(load_scenario("lab", settings)) == ""


def test_run_progress_without_a_terminal_prints_a_line_every_30_seconds(capsys):
    world, passed = World(Scenario.load("toy-fizzle"), 0), [0.0]
    with show_progress("intervals", clock=lambda: passed[-1]) as on_progress:
        for seconds in (1.0, 29.0, 31.0, 40.0, 62.0):
            passed.append(seconds)
            world.step()
            on_progress(run_progress(world))
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" \u00b7 ")[0] for line in lines] == ["day 3", "day 5"]
