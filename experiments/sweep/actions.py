"""Carry out `asara sweep`: start the workers, show progress on stderr, and print the results."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from experiments.cli.arguments import check_folder, parse_settings
from experiments.cli.progress import show_progress
from experiments.cli.terminal import print_text
from experiments.design.design import Design, load_design
from experiments.errors import InputError
from experiments.gains import goal_changes, parse_goal
from experiments.sweep.runner import SweepState, format_counts, sweep
from experiments.sweep.workers.dask import DaskWorkers
from experiments.sweep.workers.local import LocalWorkerPool
from sim.scenario.model import Scenario, ScenarioError

MAX_COMPARED = 256
"""Maximum number of runs that are searched for parameters that re-calibrate the effort before day 0."""


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
    """Run a design into a folder, and print the results.

    Raises InputError if an argument is not allowed, the folder cannot be used, or runs are missing at the end.
    """
    if workers is not None and cluster is not None:
        raise InputError("--workers and --cluster are both set; allowed: one of them. Leave --workers out.")
    if timeout is not None and not timeout > 0:
        raise InputError(f"--timeout = {timeout:g} is too small; allowed: above 0 seconds. Write --timeout 600.")
    design, multiple = _load_with_goal(design_name, parse_settings(settings), engine, goal)
    check_folder(folder)
    with (
        _open_workers(design, workers, cluster, timeout) as open_pool,
        show_progress("intervals", with_rate=True) as on_progress,
    ):
        description = f" ({design.description.rstrip('.')})" * bool(design.description)
        print_text(f"{design.name}: {len(design):,} runs{description} into {folder}")
        if note := describe_recalibration(design):
            print_text(note)
        state = sweep(design, folder, open_pool, fresh, on_progress, print_text)
    _print_results(design, folder, state, multiple)


def _load_with_goal(
    name: str, changes: dict[str, Any], engine: str | None, goal: str | None
) -> tuple[Design, float | None]:
    """Return the design, and the multiple of the software of day 0 that its runs must reach, if there is one."""
    design = load_design(name, changes=changes, engine=engine)
    if goal is None:
        return design, None
    if design.level is not None:
        raise InputError(
            f"--goal = {goal} is a goal of one lab, and '{design.base.name}' has {len(design.base.labs)}; allowed: the "
            "key level in the design. Leave --goal out."
        )
    multiple = parse_goal(goal)
    stated = {key: value for key, value in design.content["set"].items() if key == "run__horizon_days"}
    changes = changes | goal_changes(multiple, design.base, stated | changes)
    return load_design(name, changes=changes, engine=engine), multiple


def describe_recalibration(design: Design) -> str:
    """Return a sentence on the parameters that differ between runs and change the effort before day 0, else "".

    The first `MAX_COMPARED` runs are compared with the base scenario. Runs that cannot be built are left out.
    """
    names = dict[str, None]()
    for run in range(min(len(design), MAX_COMPARED)):
        try:
            scenario = design.scenario(design.planned(run))
        except ScenarioError:
            continue
        names |= dict.fromkeys(_recalibrating(scenario, design.base))
    if not names:
        return ""
    verb = "differs between runs and re-calibrates" if len(names) == 1 else "differ between runs and re-calibrate"
    return f"{' and '.join(names)} {verb} the effort before day 0 of each run."


def _recalibrating(scenario: Scenario, base: Scenario) -> list[str]:
    """Return the parameters that change the effort before day 0: of all labs, else those of a lab as ``LAB.name``."""
    common = scenario.recalibrating(base)
    if len(base.labs) < 2:
        return common
    labs = {lab: scenario.lab_scenario(lab).recalibrating(base.lab_scenario(lab)) for lab in base.labs}
    return common + [f"{lab}.{name}" for lab, names in labs.items() for name in names if name not in common]


@contextmanager
def _open_workers(
    design: Design, workers: int | None, cluster: str | None, timeout: float | None
) -> Iterator[Callable[[], Any]]:
    """Yield a function that opens the workers of a sweep.

    A cluster is connected to now; local processes start only if there is a run to do.
    """
    if cluster is None:
        yield partial(LocalWorkerPool, design, workers or count_cores(), timeout)
    else:
        with DaskWorkers(design, cluster, timeout) as dask_workers:
            yield lambda: nullcontext(dask_workers)


def count_cores() -> int:
    """Return the number of cores that this process may use; in a container it is lower than that of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _print_results(design: Design, folder: Path, state: SweepState, goal: float | None) -> None:
    print_text(f"{state.done:,} of {state.runs:,} runs are done.")
    for sentence in _result_sentences(folder, goal):
        print_text(sentence)
    print_text(f"For figures and a report: `asara analyse {folder}`. For the table: `asara results {folder}`.")
    if len(design) > state.done:
        raise InputError(f"{len(design) - state.done:,} runs are missing. Run the same command again.")


def _result_sentences(folder: Path, goal: float | None) -> list[str]:
    """Return the result for each combination of levers; only the count of each status if no run has a result."""
    from experiments.sweep.analysis import (  # noqa: PLC0415 - slow
        day_tornado,
        explosion_probability,
        policy_front,
        race_outcomes,
        time_to_gain,
    )
    from experiments.sweep.analysis.sweep_data import has_road, load  # noqa: PLC0415

    try:
        data = load(folder)
    except InputError as error:
        return [str(error)]
    if data.labs:
        sentences = race_outcomes.race_sentences(data)
    else:
        sentences = [explosion_probability.sentence(data), explosion_probability.rest_sentence(data)]
    failed = {status: runs for status, runs in data.statuses.items() if status != "ok"}
    sentences.append(f"Runs without a result: {format_counts(failed)}." if failed else "")
    if not data.labs and has_road(data):
        sentences += day_tornado.day_sentences(data)
    if policy_front.has_front(data):
        sentences += policy_front.front_sentences(data)
    if goal is not None:
        sentences += time_to_gain.goal_sentences(data, goal)
    return [sentence for sentence in sentences if sentence]
