"""`asara run --engine fluid`: the same table, sentence and files as a World's, without randomness."""

import json

import pytest

from experiments.storage.run_store import read_run
from sim.reporters import REPORTERS


def test_run_fluid_prints_its_engine_and_no_seed(asara):
    answer = asara("run", "toy-explosion", "--engine", "fluid", "--seed", 7)
    assert answer.code == 0
    assert answer.out.startswith("toy-explosion (engine: fluid, no randomness and so no seed)")
    assert "What this run did: speeding up: each doubling took 0.750 times" in answer.out
    assert asara("run", "toy-explosion", "--engine", "fluid").out == answer.out


def test_run_world_prints_its_seed(asara):
    assert "(seed 7)" in asara("run", "toy-fizzle", "--engine", "world", "--seed", 7).out


def test_run_fluid_json_contains_the_engine(asara):
    found = json.loads(asara("run", "lab", "--engine", "fluid", "--until", "100", "--json").out)
    assert (found["engine"], found["seed"], found["ending"]) == ("fluid", None, "horizon")
    assert found["day"] == 100
    assert found["kernels"]["calibrated"]


@pytest.mark.parametrize("name", ["lab", "returns-3", "retraining-0.9"])
def test_run_fluid_twice_writes_equal_files(asara, tmp_path, name):
    for folder in ("one", "two"):
        assert asara("run", name, "--engine", "fluid", "--out", folder).code == 0
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["events.parquet", "jobs.parquet", "run.json", "run.png", "series.parquet"]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file
    stored = read_run(tmp_path / "one")
    assert (stored.events.num_rows, stored.jobs.num_rows) == (0, 0)
    assert stored.series.column_names == list(REPORTERS)
    days = stored.series["day"].to_pylist()
    assert days == sorted(days)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--engine", "fluids"], "'fluids' is not one of 'world', 'fluid'"),
        (
            ["--engine", "fluid", "--set", "researcher__timing=whole"],
            "whole papers have no mean flow; allowed: 'poisson'",
        ),
        (["--engine", "fluid", "--set", "training__gpus=5000"], "training__gpus = 5000 GPUs"),
    ],
)
def test_run_fluid_of_an_unsupported_option_prints_one_sentence(asara, tmp_path, arguments, sentence):
    answer = asara("run", "lab", *arguments, "--out", "folder")
    assert answer.code == 2
    assert sentence in answer.err
    assert len(answer.err.splitlines()) == 1
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "lab", "--engine", "fluid", "--set", "researcher__timing=whole"],
        ["sweep", "quick", "--engine", "fluid", "--set", "researcher__timing=whole", "--out", "folder"],
        ["solve", "lab", "--for", "cluster__gpus", "--until", "10x=200", "--set", "researcher__timing=whole"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_command_refuses_what_the_fluid_engine_does_not_support(asara, arguments):
    answer = asara(*arguments)
    assert answer.code == 2
    assert "whole papers have no mean flow; allowed: 'poisson' or 'pooled'" in answer.err
    assert len(answer.err.splitlines()) == 1


def test_frozen_software_is_named_in_the_answer(asara):
    for engine in ("fluid", "world"):
        answer = asara("run", "lab", "--engine", engine, "--until", 50, "--set", "growth__law=frozen", "--out", engine)
        assert answer.code == 0
        text = " ".join(answer.out.split())
        assert "fizzle: software is frozen (growth__law = 'frozen'), so that it never doubles." in text
        assert "What limits progress at the margin is undefined: software is frozen" in text
