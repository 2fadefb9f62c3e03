"""Test `--new FILE`, which writes a commented file that can be run without changes."""

import json

import pytest

from experiments.design.design import load_design
from experiments.monte_carlo.priors import load_priors
from sim.scenario.model import Scenario


@pytest.mark.parametrize("command", ["mc", "sweep", "run"])
def test_new_writes_a_commented_file_and_overwrites_none(asara, tmp_path, command):
    written = asara(command, "--new", "mine.toml")
    assert (written.code, written.err) == (0, "")
    assert f"asara {command} mine.toml" in written.out
    text = (tmp_path / "mine.toml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    (tmp_path / "mine.toml").write_text("mine", encoding="utf-8")
    again = asara(command, "--new", "mine.toml")
    assert again.code == 2
    assert "mine.toml exists already; allowed: a new file" in again.err
    assert (tmp_path / "mine.toml").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ("--new mine.txt", "ends in .toml"),
        ("--new no/mine.toml", "cannot be written"),
        ("other.toml --new mine.toml", "without 'other.toml'"),
    ],
)
def test_new_with_a_bad_name_prints_one_error(asara, tmp_path, arguments, word):
    answer = asara("mc", *arguments.split())
    assert answer.code == 2
    assert word in answer.err
    assert list(tmp_path.iterdir()) == []


def test_template_of_mc_runs_without_changes(asara):
    asara("mc", "--new", "mine.toml")
    answer = asara("mc", "mine.toml", "--n", 1000, "--json")
    assert answer.code == 0
    assert 0.4 < json.loads(answer.out)["explosion"]["probability"] < 0.7


def test_template_of_a_run_is_a_scenario_that_runs(asara, tmp_path):
    asara("run", "--new", "mine.toml")
    assert Scenario.load(tmp_path / "mine.toml").cluster.gpus == 1024
    answer = asara("run", "mine.toml", "--engine", "fluid", "--until", 20, "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["scenario"] == "mine"


@pytest.mark.slow
def test_template_of_a_sweep_runs_without_changes(asara, tmp_path):
    asara("sweep", "--new", "mine.toml")
    design = load_design(str(tmp_path / "mine.toml"))
    assert (len(design), design.engine) == (32, "fluid")
    answer = asara("sweep", "mine.toml", "--set", "run__max_doublings=1", "--workers", 1, "--out", "sweep")
    assert answer.code == 0, answer.err
    assert "32" in asara("results", "sweep", "--sql", "select count(*) from runs where status = 'ok'").out


def test_commented_correlations_of_the_templates_can_be_uncommented(asara, tmp_path):
    for command, load in (("mc", load_priors), ("sweep", load_design)):
        path = tmp_path / f"{command}.toml"
        asara(command, "--new", path)
        lines = path.read_text(encoding="utf-8").splitlines()
        at = lines.index("# [[correlations]]")
        lines[at : at + 3] = [line.removeprefix("# ") for line in lines[at : at + 3]]
        path.write_text("\n".join(lines), encoding="utf-8")
        load(str(path))


def test_mc_without_priors_names_the_next_step(asara):
    answer = asara("mc")
    assert answer.code == 2
    assert "asara mc --new my.toml" in answer.err
