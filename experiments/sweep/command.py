"""What `asara sweep` does, and shows while it does it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from experiments.cli.arguments import check_folder, parse_settings
from experiments.cli.terminal import is_live, print_text
from experiments.design.design import Design, load_design
from experiments.errors import InputError
from experiments.gains import goal_changes, parse_goal
from experiments.sweep.runner import SweepProgress, rate, sweep, time_left
from experiments.sweep.workers.dask import DaskWorkers
from experiments.sweep.workers.local import LocalWorkerPool
from experiments.text.number_format import format_number
from sim.scenario.model import ScenarioError

MAX_COMPARED = 256
"""Runs of a design that are searched for parameters that re-calibrate the effort before day 0."""


def run_sweep(
    design_name: str,
    settings: list[str],
    folder: Path,
    workers: int | None,
    cluster: str | None,
    timeout: float | None,
    engine: str | None,
    fresh: bool,
    goal: str | None = None,
) -> None:
    """Run a design into a folder, and report the results. Raises InputError for what cannot be done."""
    if workers is not None and cluster is not None:
        raise InputError("--workers are those of this machine: leave them out with --cluster")
    if timeout is not None and not timeout > 0:
        raise InputError(f"--timeout {timeout:g}: must be above 0 seconds")
    design, multiple = _designed(design_name, parse_settings(settings), engine, goal)
    check_folder(folder)
    with _workers(design, workers, cluster, timeout) as crew, _shown() as watch:
        about = f" ({design.description.rstrip('.')})" * bool(design.description)
        print_text(f"{design.name}: {len(design):,} runs{about} into {folder}")
        if note := recalibration(design):
            print_text(note)
        done = sweep(design, folder, crew, fresh, watch, print_text)
    _conclude(design, folder, done, multiple)


def _designed(name: str, changes: dict[str, Any], engine: str | None, goal: str | None) -> tuple[Design, float | None]:
    """The design, and the multiple of the software of day 0 that its runs are to reach, if there is one."""
    design = load_design(name, changes=changes, engine=engine)
    if goal is None:
        return design, None
    multiple = parse_goal(goal)
    stated = {key: value for key, value in design.content["set"].items() if key == "run__horizon_days"}
    changes = changes | goal_changes(multiple, design.base, stated | changes)
    return load_design(name, changes=changes, engine=engine), multiple


def recalibration(design: Design) -> str:
    """Return a sentence on what differs between runs and changes the effort before day 0; empty if nothing does.

    The first MOST_COMPARED runs are compared with the base scenario; runs that cannot be built are left out.
    """
    names = dict[str, None]()
    for run in range(min(len(design), MAX_COMPARED)):
        try:
            scenario = design.scenario(design.planned(run))
        except ScenarioError:
            continue
        names |= dict.fromkeys(scenario.recalibrating(design.base))
    if not names:
        return ""
    verb = "differs between runs and re-calibrates" if len(names) == 1 else "differ between runs and re-calibrate"
    return f"{' and '.join(names)} {verb} the effort before day 0 of each run."


@contextmanager
def _workers(
    design: Design, workers: int | None, cluster: str | None, timeout: float | None
) -> Iterator[Callable[[], Any]]:
    """Those who will do the runs: a cluster is looked for now, processes are started when there is a run to do."""
    if cluster is None:
        yield partial(LocalWorkerPool, design, workers or _cores(), timeout)
    else:
        with DaskWorkers(design, cluster, timeout) as nodes:
            yield lambda: nullcontext(nodes)


def _cores() -> int:
    """Those that this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _conclude(design: Design, folder: Path, done: SweepProgress, goal: float | None) -> None:
    print_text(f"{done.done:,} of {done.runs:,} runs are there.")
    for sentence in _results(folder, goal):
        print_text(sentence)
    print_text(f"`asara analyse {folder}` draws and explains them, `asara results {folder}` shows the table.")
    if len(design) > done.done:
        raise InputError(f"{len(design) - done.done:,} runs are missing")


def _results(folder: Path, goal: float | None) -> list[str]:
    """The result for each combination of levers; only the count of each status if no run has a result."""
    from experiments.sweep.analysis import explosion_probability, time_to_gain  # noqa: PLC0415 - slow to load
    from experiments.sweep.analysis.sweep_data import load  # noqa: PLC0415

    try:
        found = load(folder)
    except InputError as error:
        return [str(error)]
    said = [explosion_probability.sentence(found), explosion_probability.rest_sentence(found)]
    failed = {status: runs for status, runs in found.statuses.items() if status != "ok"}
    said.append(f"Without a result: {_counts(failed)}." if failed else "")
    if goal is not None:
        said += time_to_gain.goal_sentences(found, goal)
    return [sentence for sentence in said if sentence]


def _counts(runs: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(runs.items(), key=lambda item: -item[1]))


@contextmanager
def _shown() -> Iterator[Callable[[SweepProgress], None]]:
    """Show how far a sweep is: a bar where somebody watches, else a line now and then; on stderr."""
    with _bar() if is_live(sys.stderr) else _lines() as show:
        began, first = time.monotonic(), -1

        def watch(standing: SweepProgress) -> None:
            nonlocal first
            first = standing.done if first < 0 else first
            per_second = rate(standing.done - first, time.monotonic() - began)
            show(standing, per_second)

        yield watch


@contextmanager
def _bar() -> Iterator[Callable[[SweepProgress, float], None]]:
    from rich.console import Console  # noqa: PLC0415 - slow to load
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

    columns = (BarColumn(bar_width=20), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def show(standing: SweepProgress, per_second: float) -> None:
            bar.update(task, completed=standing.done / standing.runs, description=_said(standing, per_second))

        yield show


@contextmanager
def _lines() -> Iterator[Callable[[SweepProgress, float], None]]:
    said_at = time.monotonic()

    def show(standing: SweepProgress, per_second: float) -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= 30.0:
            said_at = time.monotonic()
            print(_said(standing, per_second), file=sys.stderr, flush=True)

    yield show


def _said(standing: SweepProgress, per_second: float) -> str:
    left = time_left(standing.runs - standing.done, per_second)
    when = "" if left == float("inf") else f" · {_duration(left)} left"
    text = f"{standing.done:,} of {standing.runs:,} runs · {format_number(per_second)} a second{when}"
    return f"{text} · long run of these runs: {_counts(standing.outcomes)}" if standing.outcomes else text


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
