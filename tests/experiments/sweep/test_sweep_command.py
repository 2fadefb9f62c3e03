"""Test the commands `asara sweep` and `asara results`: their output, and their errors for bad input."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.cli.app import main
from experiments.design.design import load_design
from experiments.sweep.query import read
from experiments.sweep.runner import manifest_of
from experiments.sweep.storage import write_manifest, write_part
from experiments.sweep.workers.process import do_runs
from tests.support.sweep_runs import command_for, interrupted, interrupted_while_loading, toy


@pytest.fixture
def design_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    toy(tmp_path, 4, engine="fluid")
    return tmp_path / "toy.toml"


def refused(capsys, *words: object) -> str:
    """Return the error message of a command that fails."""
    assert main([str(word) for word in words]) == 2
    caught = capsys.readouterr()
    assert caught.out == ""
    assert "Traceback" not in caught.err
    return caught.err


def test_sweep_repeated_prints_results_and_adds_no_runs(design_file, capsys):
    assert main(["sweep", str(design_file), "--workers", "1"]) == 0
    first = capsys.readouterr().out
    assert "toy: 8 runs" in first
    assert "8 of 8 runs are done." in first
    said = " ".join(first.split())
    assert "Probability that doubling times shrink without limit (long_run = singular): 25% [" in said
    assert "at researcher__initial = 1 (4 runs), 25% [" in said and "at researcher__initial = 2 (4 runs)" in said
    table = read(Path("out/sweeps/toy"))
    assert main(["sweep", str(design_file), "--workers", "2"]) == 0
    assert read(Path("out/sweeps/toy")).equals(table)
    assert main(["sweep", str(design_file), "--fresh", "--set", "run__max_doublings=2", "--workers", "1"]) == 0
    assert {len(days) for days in read(Path("out/sweeps/toy"))["doubling_days"].to_pylist()} == {2}


def test_sweep_whose_uncertainty_recalibrates_effort_names_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = 'base = "lab"\nsampling = "sobol"\nn = 2\nengine = "fluid"\n[set]\nrun__max_doublings = 1\n'
    prior = '{ distribution = "uniform", low = 20.0, high = 40.0 }\n'
    levers = "[levers]\nresearcher__papers_per_month = [1.0, 2.0]\n"
    for name, said in (
        (
            "growth__first_doubling_days",
            "growth__first_doubling_days differs between runs and re-calibrates the effort",
        ),
        ("training__first_run_days", ""),
    ):
        Path("mine.toml").write_text(f"{text}[uncertainties]\n{name} = {prior}{levers}")
        assert main(["sweep", "mine.toml", "--workers", "1", "--out", name]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert said in shown
        assert said or "re-calibrate" not in shown


def test_sweep_with_goal_sets_doublings_and_prints_days(design_file, capsys):
    line = ["sweep", str(design_file), "--workers", "1", "--out", "goal", "--goal", "30x"]
    assert main(line) == 0
    said = " ".join(capsys.readouterr().out.split())
    table = read(Path("goal"))
    assert set(table["run__max_doublings"].to_pylist()) == {5}
    assert set(table["run__horizon_days"].to_pylist()) == {3650.0}
    for initial in (1, 2):
        assert f"With researcher__initial = {initial}, 100% of 4 runs gained 30-fold, half of all by day" in said
    assert main([*line[:-1], "30y"]) == 2
    assert "--goal = '30y' is not a multiple" in capsys.readouterr().err


def test_sweep_interrupted_keeps_finished_runs_and_continues(tmp_path):
    design, folder = toy(tmp_path, 100), tmp_path / "out"
    command = command_for(interrupted, tmp_path / "toy.toml", folder, 50)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert ended.returncode == 2
    kept = read(folder)
    said = " ".join(ended.stderr.split())
    assert (
        f"interrupted; {len(kept)} finished runs are stored in {folder}. Run the same command again to continue."
        in said
    )
    assert "Traceback" not in ended.stderr
    assert 50 <= len(kept) < 200
    assert main(["sweep", str(tmp_path / "toy.toml"), "--out", str(folder), "--workers", "2"]) == 0
    whole = read(folder)
    assert whole["run"].to_pylist() == list(range(200))
    assert [row for row in whole.to_pylist() if row["run"] in set(kept["run"].to_pylist())] == kept.to_pylist()
    assert len(design) == 200


@pytest.mark.parametrize(
    "module", ["experiments.sweep.actions", "experiments.sweep.workers.local", "experiments.sweep.records"]
)
def test_sweep_interrupted_while_loading_prints_number_of_stored_runs(swept, design_file, module):
    command = command_for(interrupted_while_loading, design_file, swept, module)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    said = " ".join(ended.stderr.split())
    assert said == f"asara: interrupted; 6 finished runs are stored in {swept}. Run the same command again to continue."
    assert ended.returncode == 2
    assert len(read(swept)) == 6


def test_sweep_whose_output_cannot_be_written_does_not_blame_its_workers(design_file):
    command = [sys.executable, "-c", "import sys; from experiments.cli.app import main; sys.exit(main(sys.argv[1:]))"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*command, "sweep", str(design_file), "--workers", "1"],
            env=environment,
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert ended.returncode != 0
    assert "No space left" in ended.stderr and "worker" not in ended.stderr and "Traceback" not in ended.stderr


@pytest.fixture
def swept(design_file):
    design = load_design(str(design_file))
    folder = design_file.parent / "swept"
    folder.mkdir()
    write_manifest(folder, manifest_of(design))
    write_part(folder, do_runs(design, list(range(6))))
    return folder


def test_results_prints_table_csv_json_and_query(swept, capsys):
    assert main(["results", str(swept)]) == 0
    shown = capsys.readouterr().out
    assert "toy: 6 of 8 runs, 2 are missing." in shown
    assert "growth__difficulty_growth" in shown
    assert main(["results", str(swept), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    table = read(swept).to_pylist()
    assert [float(row["growth__difficulty_growth"]) for row in rows] == [
        row["growth__difficulty_growth"] for row in table
    ]
    assert [[float(day) for day in row["doubling_days"].split()] for row in rows] == [
        row["doubling_days"] for row in table
    ]
    assert main(["results", str(swept), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == table
    assert main(["results", str(swept), "--sql", "select lever, count(*) as n from runs group by 1", "--json"]) == 0
    assert sorted(row["n"] for row in json.loads(capsys.readouterr().out)) == [3, 3]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sweep", "quik"], "quick"),
        (["sweep", "DESIGN", "--workers", "0"], "workers"),
        (["sweep", "DESIGN", "--timeout", "0"], "--timeout = 0 is too small; allowed: above 0 seconds"),
        (["sweep", "DESIGN", "--timeout", "nan"], "'nan' is not a valid number"),
        (["sweep", "DESIGN", "--set", "growth__rr=1"], "growth__r"),
        (["sweep", "DESIGN", "--set", "growth__difficulty_growth=2"], "growth__difficulty_growth"),
        (
            ["sweep", "DESIGN", "--workers", "2", "--cluster", "tcp://127.0.0.1:1"],
            "--workers and --cluster are both set",
        ),
        (["sweep", "DESIGN", "--cluster", "nowhere"], "--cluster = nowhere is not the address of a Dask scheduler"),
        (["sweep", "DESIGN", "--out", ""], "the name is empty"),
        (["sweep", "DESIGN", "--out", "toy.toml"], "toy.toml"),
        (["sweep", "DESIGN", "--out", "/proc/asara"], "/proc/asara"),
        (["sweep", "DESIGN", "--engine", "steam"], "steam"),
        (["results", "nowhere"], "nowhere is not an existing folder"),
        (["results", "."], "is not a sweep folder"),
        (["results", "SWEPT", "--csv", "--json"], "--csv and --json are both set"),
        (["results", "SWEPT", "--sql", "select"], "--sql: Parser Error"),
        (["results", "SWEPT", "--sql", "drop table runs"], "--sql: "),
        (["analyse", "nowhere"], "nowhere is not an existing folder"),
        (["analyse", "."], "is not a sweep folder"),
        (["analyse", "SWEPT", "--out", "toy.toml"], "toy.toml"),
    ],
)
def test_command_with_bad_input_prints_one_error_and_writes_nothing(swept, design_file, capsys, words, sentence):
    before = sorted(Path().rglob("*"))
    known = {"DESIGN": design_file, "SWEPT": swept}
    said = refused(capsys, *(known.get(word, word) for word in words))
    assert sentence in said
    assert sorted(Path().rglob("*")) == before
