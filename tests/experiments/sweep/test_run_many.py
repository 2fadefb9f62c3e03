"""Test `run_many`: the same table for any number of workers, in scripts and notebooks."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import psutil
import pytest

from experiments.errors import InputError
from experiments.progress import Progress
from experiments.sweep import run_many as many
from experiments.sweep.records import run_schema
from experiments.sweep.run_many import RunFailedError, run_many
from experiments.sweep.workers import process
from sim.fluid.api import fluid
from sim.runner import run
from sim.scenario.model import Scenario, ScenarioError

TOY = Scenario.load("toy-explosion").replace(run__max_doublings=3)
OTHER = TOY.replace(growth__difficulty_growth=3.0)
IMPOSSIBLE = Scenario.load("lab").replace(cluster__gpus=8)
"""Scenario with experiments that need more GPUs than their share; the error is raised when a run is set up."""


def test_run_many_returns_the_columns_of_a_sweep_and_the_days_of_doublings():
    found = run_many(TOY, 2, workers=1)
    days = [f"doubling_{n}_day" for n in (1, 2, 3)]
    assert list(found.columns) == ["scenario", *run_schema().names, *days]
    assert found["seed"].tolist() == [0, 1]
    for row in found.itertuples():
        result = run(TOY, row.seed)
        assert (row.scenario, row.day, row.ending) == ("toy-explosion", result.day, result.ending)
        assert [getattr(row, name) for name in days] == [doubling.day for doubling in result.doublings]


def test_run_many_gives_the_same_bytes_for_any_number_of_workers(tmp_path):
    tables = [run_many([TOY, OTHER], [3, 1, 2], workers=workers) for workers in (1, 2)]
    for place, table in enumerate(tables):
        table.to_parquet(tmp_path / f"{place}.parquet")
    assert (tmp_path / "0.parquet").read_bytes() == (tmp_path / "1.parquet").read_bytes()
    assert tables[0]["seed"].tolist() == [3, 1, 2] * 2
    assert tables[0]["point"].tolist() == [0] * 3 + [1] * 3


def test_run_many_fluid_returns_one_row_per_scenario():
    found = run_many([TOY, OTHER, "toy-fizzle"], 5, engine="fluid")
    expected = fluid([TOY, OTHER, Scenario.load("toy-fizzle")])
    assert found["day"].tolist() == expected.day.tolist()
    assert found["seed"].tolist() == [0, 0, 0]
    assert found["doubling_4_day"].isna().tolist() == [True, True, False]


def test_run_many_accepts_names_and_any_iterable_of_seeds():
    short = Scenario.load("toy-fizzle")
    pd.testing.assert_frame_equal(run_many("toy-fizzle", iter([4]), workers=1), run_many([short], (4,), workers=1))


@pytest.mark.parametrize("workers", [1, 2])
def test_run_many_names_the_seed_of_a_run_that_fails(workers):
    with pytest.raises(
        RunFailedError, match=r"^scenario 'lab' \(number 1 of the list\), seed 7: .*experiment_gpus = 8"
    ):
        run_many([TOY, IMPOSSIBLE], [7], workers=workers)


def test_run_many_keeps_the_rows_of_failed_runs_on_request(monkeypatch):
    def fails_once(scenario: Scenario, seed: int) -> object:
        if seed == 1:
            raise ZeroDivisionError("a fault")
        return run(scenario, seed)

    monkeypatch.setattr(process, "run", fails_once)
    found = run_many(TOY, 3, workers=1, on_error="keep")
    assert found["status"].tolist() == ["ok", "failed", "ok"]
    assert found["message"][1] == "ZeroDivisionError: a fault"
    assert found["doubling_1_day"].isna().tolist() == [False, True, False]
    with pytest.raises(RunFailedError, match=r"seed 1: the run is failed: ZeroDivisionError: a fault"):
        run_many(TOY, 3, workers=1)


@pytest.mark.usefixtures("interruptible")
def test_run_many_interrupted_leaves_no_worker(monkeypatch):
    @contextmanager
    def interrupting_progress() -> Iterator[object]:
        def on_progress(progress: Progress) -> None:
            if progress.share:
                signal.raise_signal(signal.SIGINT)

        yield on_progress

    monkeypatch.setattr(many, "show_progress", interrupting_progress)
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(KeyboardInterrupt):
        run_many(TOY, 500, workers=2, progress=True)
    assert set(psutil.Process().children(recursive=True)) <= before


def test_run_many_works_in_a_script_without_a_main_guard(tmp_path):
    """Spawned workers of a process pool would run the script again, and break."""
    script = tmp_path / "script.py"
    script.write_text(
        "from experiments.sweep.run_many import run_many\n"
        "print(run_many('toy-explosion', seeds=4, workers=2, progress=True)['day'].round(3).tolist())\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    found = subprocess.run([sys.executable, script], env=environment, cwd=tmp_path, capture_output=True, text=True)  # noqa: PLW1510
    assert found.returncode == 0, found.stderr
    assert found.stdout == f"{[round(run(Scenario.load('toy-explosion'), seed).day, 3) for seed in range(4)]}\n"
    assert "4 of 4 runs" in found.stderr
    assert "\x1b" not in found.stderr


BAD = {
    "no seeds": ({"seeds": 0}, "seeds = 0 is too few; allowed: at least 1"),
    "an empty list of seeds": ({"seeds": []}, "seeds = [] is an empty list; allowed: at least one"),
    "a negative seed": ({"seeds": [-1]}, "seed = -1 is not a seed; allowed: whole numbers from 0"),
    "half a seed": ({"seeds": [0.5]}, "seed = 0.5 is not a seed; allowed: whole numbers"),
    "a seed that is text": ({"seeds": ["one"]}, "seed = 'one' is not a seed; allowed: whole numbers"),
    "a seed twice": ({"seeds": [1, 2, 1]}, "seeds = 1 is given twice"),
    "seeds that are none": ({"seeds": None}, "seeds = None is not a number of seeds; allowed: at least 1"),
    "no scenario": ({"scenario": []}, "scenario = [] is an empty list; allowed: one scenario or more"),
    "no kind of scenario": ({"scenario": [3]}, "scenario = 3 is not a scenario; allowed:"),
    "no workers": ({"workers": 0}, "workers = 0 is not a number of processes; allowed: at least 1"),
    "an unknown engine": ({"engine": "gas"}, "engine = 'gas' is not known; allowed: world or fluid"),
    "an unknown way with errors": ({"on_error": "hide"}, "on_error = 'hide' is not known; allowed: raise or keep"),
}


@pytest.mark.parametrize("case", BAD)
def test_run_many_refuses_bad_arguments_in_one_sentence(case):
    arguments, sentence = BAD[case]
    with pytest.raises(InputError) as caught:
        run_many(**{"scenario": TOY, "seeds": 1, "workers": 1} | arguments)
    assert sentence in str(caught.value)


def test_run_many_refuses_an_unknown_scenario():
    with pytest.raises(ScenarioError, match="did you mean 'toy-explosion'"):
        run_many("toy-explode")
