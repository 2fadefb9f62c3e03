"""Run scenarios with many seeds from Python and return a table: ``from experiments.sweep.run_many import run_many``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa

from experiments.cli.progress import show_progress
from experiments.design.design import SEEDS
from experiments.design.planned_run import PlannedRun
from experiments.errors import InputError
from experiments.progress import count_progress, ignore_progress
from experiments.sweep.records import RunRecord, run_schema
from experiments.sweep.workers.local import LocalWorkerPool
from experiments.sweep.workers.process import finished_runs
from sim.engines import Engine
from sim.scenario.model import Scenario

DEFAULT_SEEDS: Final = 10


class RunFailedError(RuntimeError):
    """A run of a table failed; the message names its scenario and its seed."""


@dataclass(frozen=True)
class _ScenarioPlan:
    """Every scenario of a list with every seed: a plan for the workers of a sweep."""

    scenarios: tuple[Scenario, ...]
    seeds: tuple[int, ...]
    engine: Engine

    def __len__(self) -> int:
        return len(self.scenarios) * len(self.seeds)

    @property
    def base(self) -> Scenario:
        return self.scenarios[0]

    def planned(self, run: int) -> PlannedRun:
        point, replication = divmod(run, len(self.seeds))
        base, values = self.base.flat(), self.scenarios[point].flat()
        changes = {name: value for name, value in values.items() if value != base[name]}
        return PlannedRun(run, point, 0, replication, self.seeds[replication], changes)

    def scenario(self, planned: PlannedRun) -> Scenario:
        return self.scenarios[planned.point]

    def describe(self, run: int) -> str:
        planned = self.planned(run)
        seed = "" if self.engine == "fluid" else f", seed {planned.seed}"
        number = f" (number {planned.point} of the list)" if len(self.scenarios) > 1 else ""
        return f"scenario '{self.scenarios[planned.point].name}'{number}{seed}"


def run_many(
    scenario: Scenario | str | Path | Iterable[Scenario | str | Path] = "lab",
    seeds: int | Iterable[int] = DEFAULT_SEEDS,
    *,
    engine: Engine = "world",
    workers: int | None = None,
    progress: bool = False,
    on_error: Literal["raise", "keep"] = "raise",
) -> pd.DataFrame:
    """Run each scenario with each seed and return a table with one row a run.

    It works in notebooks and in scripts without a ``__main__`` guard: workers are processes that load asara alone. The
    table is the same, value by value, for every number of workers.

    Args:
        scenario: A scenario, its name or its TOML file, or several of them.
        seeds: Number of seeds (0, 1, ...), or the seeds themselves. The engine "fluid" has no randomness: it gives one
            row for each scenario, with seed 0, for any seeds.
        engine: "world" for agents and randomness, "fluid" for the same law as equations.
        workers: Number of processes; by default one for each core. With 1, all runs happen in this process.
        progress: Whether to show the number of finished runs on stderr.
        on_error: What to do when a run fails: raise RunFailedError, which names its seed, or keep its row, with the
            columns ``status`` and ``message``.

    Returns:
        ``scenario`` (its name), then the columns of a sweep's table of runs, then ``doubling_1_day``,
        ``doubling_2_day`` and so on: the day of each doubling [days], missing where a run had fewer. Rows are in the
        order of the scenarios, then of the seeds. ``point`` and ``replication`` are their positions.

    Raises:
        InputError: An argument is not allowed.
        ScenarioError: A scenario cannot be loaded.
        RunFailedError: A run failed, and ``on_error`` is "raise".
        KeyboardInterrupt: Ctrl-C was pressed; all workers have ended.
    """
    plan = _ScenarioPlan(_parse_scenarios(scenario), _parse_seeds(seeds) if engine != "fluid" else (0,), engine)
    _check_choices(engine, on_error)
    use = min(_parse_workers(workers), len(plan))
    found: dict[int, RunRecord] = {}
    with (
        show_progress() if progress else nullcontext(ignore_progress) as on_progress,
        _start_runs(plan, 1 if engine == "fluid" else use) as runs,
    ):
        on_progress(count_progress(0, len(plan), "runs"))
        for finished in runs:
            if finished is None:
                continue
            row = finished.row
            if row["status"] != "ok" and on_error == "raise":
                raise RunFailedError(f"{plan.describe(row['run'])}: the run is {row['status']}: {row['message']}")
            found[row["run"]] = finished
            on_progress(count_progress(len(found), len(plan), "runs"))
    return _to_data_frame(plan, [found[run].row for run in range(len(plan))])


@contextmanager
def _start_runs(plan: _ScenarioPlan, workers: int) -> Iterator[Iterable[RunRecord | None]]:
    """Start the runs in this process or in workers; all workers end with this context."""
    if workers == 1:
        yield finished_runs(plan, range(len(plan)))
    else:
        with LocalWorkerPool(plan, workers) as pool:
            yield pool.run(range(len(plan)))


def _to_data_frame(plan: _ScenarioPlan, rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return the rows as a data frame; the list of doubling days also becomes columns, one a doubling."""
    table = pa.Table.from_pylist(list(rows), schema=run_schema()).to_pandas()
    names = [plan.scenarios[row["point"]].name for row in rows]
    days = [row["doubling_days"] or [] for row in rows]
    most = max(len(each) for each in days)
    padded = np.full((len(rows), most), np.nan)
    for row, each in zip(padded, days, strict=True):
        row[: len(each)] = each
    doublings = pd.DataFrame(padded, columns=[f"doubling_{n + 1}_day" for n in range(most)])
    return pd.concat([pd.DataFrame({"scenario": names}), table, doublings], axis=1)


# --- arguments ------------------------------------------------------------------------------------------------------


def _parse_scenarios(given: Scenario | str | Path | Iterable[Scenario | str | Path]) -> tuple[Scenario, ...]:
    several = [given] if isinstance(given, Scenario | str | Path) else list(given)
    if not several:
        raise InputError("scenario = [] is an empty list; allowed: one scenario or more. Name one, such as 'lab'.")
    for each in several:
        if not isinstance(each, Scenario | str | Path):
            raise InputError(
                f"scenario = {each!r} is not a scenario; allowed: a Scenario, a name or a TOML file. "
                "Scenario.load(NAME) returns one."
            )
    return tuple(each if isinstance(each, Scenario) else Scenario.load(each) for each in several)


def _parse_seeds(given: int | Iterable[int]) -> tuple[int, ...]:
    if isinstance(given, bool) or not isinstance(given, int | Iterable):
        raise InputError(f"seeds = {given!r} is not a number of seeds; allowed: at least 1, or a list. Write seeds=10.")
    if isinstance(given, int) and given < 1:
        raise InputError(f"seeds = {given} is too few; allowed: at least 1, or a list. Write seeds=10.")
    found = tuple(_parse_seed(each) for each in (range(given) if isinstance(given, int) else given))
    if not found:
        raise InputError("seeds = [] is an empty list; allowed: at least one seed. Write seeds=10.")
    twice = [seed for place, seed in enumerate(found) if seed in found[:place]] if len(set(found)) < len(found) else []
    if twice:
        raise InputError(
            f"seeds = {twice[0]} is given twice, and equal runs are not independent; allowed: different seeds. "
            "Leave the second out."
        )
    return found


def _parse_seed(given: Any) -> int:
    try:
        number = int(given)
    except (TypeError, ValueError):
        number = -1
    if isinstance(given, bool) or number != given or not 0 <= number < SEEDS:
        raise InputError(
            f"seed = {given!r} is not a seed; allowed: whole numbers from 0 to below 2^53. Use range(10), for example."
        )
    return number


def _parse_workers(given: int | None) -> int:
    if given is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise InputError(
            f"workers = {given!r} is not a number of processes; allowed: at least 1. Leave it out to use all cores."
        )
    return given


def _check_choices(engine: str, on_error: str) -> None:
    for name, value, allowed in (("engine", engine, get_args(Engine)), ("on_error", on_error, ("raise", "keep"))):
        if value not in allowed:
            raise InputError(f"{name} = {value!r} is not known; allowed: {' or '.join(allowed)}. Choose one of them.")
