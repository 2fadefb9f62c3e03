"""Aims out of reach are refused before a run, what could happen is not, and much work is announced."""

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


def test_an_aim_far_out_of_reach_is_refused_with_what_is_in_reach(asara, tmp_path):
    answer = asara("run", "lab", "--stop-at-researchers", "1e12", "--out", "new")
    assert (answer.code, answer.out) == (2, "")
    assert "run__stop_at_researchers = 1e+12 is out of reach: the equations give about" in answer.err
    assert "the run ends on day 3,650; allowed: a number that the run can reach" in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["toy-explosion", "toy-fizzle", "returns-3"])
def test_what_a_run_reaches_is_never_refused(monkeypatch, name, seed):
    monkeypatch.setattr(expected_length, "MANY_RESEARCHERS", 0.0)
    short = Scenario.load(name).replace(run__horizon_days=200.0, run__max_doublings=8)
    reached = run(short, seed).researchers
    if reached > short.initial_researchers:
        refuse_out_of_reach(short.replace(run__stop_at_researchers=float(reached)))


def test_a_small_team_is_not_refused_for_what_chance_may_bring(monkeypatch):
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


def test_papers_by_the_hundred_million_are_announced():
    many = load_scenario("lab", [*INSTANT, "researcher__experiment_gpu_days=0"])
    assert note_on_length(many).startswith("By the equations this run simulates about 6")
    assert "00,000 papers one by one" in note_on_length(many)


@pytest.mark.parametrize("settings", [[], INSTANT, [*INSTANT, "run__max_individuals=0"]])
def test_a_run_that_is_not_long_has_no_note(settings):
    assert note_on_length(load_scenario("lab", settings)) == ""


def test_a_long_run_without_a_terminal_shows_a_line_every_half_minute(capsys):
    world, passed = World(Scenario.load("toy-fizzle"), 0), [0.0]
    with show_progress("intervals", clock=lambda: passed[-1]) as on_progress:
        for seconds in (1.0, 29.0, 31.0, 40.0, 62.0):
            passed.append(seconds)
            world.step()
            on_progress(run_progress(world))
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" \u00b7 ")[0] for line in lines] == ["day 3", "day 5"]
