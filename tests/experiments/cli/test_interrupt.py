"""Ctrl-C, SIGTERM and SIGHUP: the first keeps the run so far, the second stops at once."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from experiments.progress import OnProgress, Progress
from experiments.run import actions
from experiments.storage import run_store

pytestmark = pytest.mark.usefixtures("interruptible")

SCENARIO = ["run", "toy-fizzle", "--seed", "1"]


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals of the keyboard, of a batch system, and of a closed terminal."""


def send(number: int) -> None:
    """Send a signal to this process, unless it would end it."""
    assert signal.getsignal(number) is not signal.SIG_DFL
    signal.raise_signal(number)


def signal_on_day(day: float, times: int, monkeypatch: pytest.MonkeyPatch, number: int = signal.SIGINT) -> None:
    @contextmanager
    def progress(log: str) -> Iterator[OnProgress]:
        def show(progress: Progress) -> None:
            if progress.what.startswith(f"day {day:,.0f} "):
                for _ in range(times):
                    send(number)

        yield show

    monkeypatch.setattr(actions, "show_progress", progress)


@pytest.mark.parametrize("number", SIGNALS)
def test_run_after_the_first_signal_keeps_the_run_so_far(asara, tmp_path, monkeypatch, number):
    signal_on_day(250, 1, monkeypatch, number)
    before = signal.getsignal(number)
    answer = asara(*SCENARIO, "--out", "kept")
    assert answer.code == 2
    assert answer.err == "asara: interrupted at day 250; the run so far is in kept\n"
    assert signal.getsignal(number) is before
    kept = run_store.read_run(tmp_path / "kept")
    assert (kept.summary["ending"], kept.summary["day"]) == ("interrupted", 250)
    assert kept.series.num_rows == 251
    assert 0 < max(kept.events.column("day").to_pylist()) <= 250


def test_run_interrupted_without_out_reports_that_nothing_was_written(asara, tmp_path, monkeypatch):
    signal_on_day(50, 1, monkeypatch)
    answer = asara(*SCENARIO, "--json")
    assert answer.code == 2
    assert answer.err == "asara: interrupted at day 50; nothing was written without --out\n"
    assert json.loads(answer.out)["ending"] == "interrupted"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", SIGNALS)
def test_run_after_the_second_signal_stops_at_once(asara, tmp_path, monkeypatch, number):
    signal_on_day(50, 2, monkeypatch, number)
    answer = asara(*SCENARIO, "--out", "kept")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "asara: stopped; nothing more was written\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    ("line", "place", "answer"),
    [
        (
            "mc successor --n 1000 --out new",
            "experiments.monte_carlo.actions.run_study",
            "stopped; nothing more was written",
        ),
        (
            "solve --until 10x=365 --for growth__r",
            "experiments.solve.actions.solve",
            "stopped; nothing more was written",
        ),
        ("analyse new", "experiments.sweep.analysis.actions.load", "stopped; nothing more was written"),
        ("reproduce --seeds 2", "experiments.reproduction.actions.rows", "stopped; nothing more was written"),
        ("sweep quick --out new", "experiments.sweep.actions.sweep", "interrupted; no run is stored in new"),
    ],
)
def test_long_command_after_a_signal_prints_its_answer(asara, monkeypatch, number, line, place, answer):
    monkeypatch.setattr(place, lambda *_, **__: send(number))
    found = asara(*line.split())
    assert found.code == 2
    assert found.err.splitlines()[-1].startswith(f"asara: {answer}")


def test_run_with_an_ignored_signal_continues(asara, tmp_path, monkeypatch):
    signal_on_day(50, 1, monkeypatch, signal.SIGHUP)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup leaves it
    try:
        answer = asara(*SCENARIO, "--until", 60, "--out", "kept")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (answer.code, answer.err) == (0, "")
    assert run_store.read_run(tmp_path / "kept").summary["day"] == 60


def test_run_on_a_terminal_shows_progress_and_can_be_interrupted(tmp_path):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "experiments.cli.app", *SCENARIO, "--set", "run__sample_days=0.001", "--json"]
    with subprocess.Popen(
        [*command, "--set", "run__max_doublings=14", "--until", "1e6", "--out", tmp_path / "kept"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=os.environ | {"COLUMNS": "120"},
    ) as process:
        os.close(theirs)
        shown = b""
        while b"researchers" not in shown:
            shown += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        shown += _rest_of(ours)
        printed, _ = process.communicate()
    assert process.returncode == 2
    assert b"GPUs busy" in shown
    assert b"asara: interrupted at day" in shown
    assert b"Traceback" not in shown
    assert json.loads(printed)["ending"] == "interrupted"
    assert run_store.read_run(tmp_path / "kept").summary == json.loads(printed) | {
        "parameters": run_store.read_run(tmp_path / "kept").summary["parameters"]
    }


def _rest_of(terminal: int) -> bytes:
    """Return everything that is written to a terminal until its other end is closed."""
    rest = b""
    try:
        while part := os.read(terminal, 4096):
            rest += part
    except OSError:  # Linux reports with this error that the other end was closed
        pass
    os.close(terminal)
    return rest
