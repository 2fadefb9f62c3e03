"""Execute runs of a design in a worker process, one after the other, until the connection is closed.

    python -m experiments.sweep.workers.process DESCRIPTOR

DESCRIPTOR is the number of an inherited socket. Over it the worker receives a design and then lists of runs, and sends
their results one by one. Workers share no lock and no channel. If one is killed, only its current run is lost.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from experiments.sweep.plan import LevelPlan, RecordingPlan
from experiments.sweep.race_records import check_start, race_run, values_of_labs
from experiments.sweep.records import RunRecord, fluid_run, planned_row, world_run
from sim.fluid.api import fluid
from sim.margins import margins
from sim.race import run_race
from sim.runner import run
from sim.scenario.model import Scenario, ScenarioError

if TYPE_CHECKING:
    from experiments.design.planned_run import PlannedRun
    from experiments.sweep.plan import Plan


def do_runs(design: Plan, runs: list[int]) -> list[RunRecord]:
    """Return the records of these runs of a design, in order; a run that fails has a record with the reason."""
    if design.engine == "fluid":
        return _do_fluid_runs(design, [design.planned(each) for each in runs])
    return [_do_world_run(design, design.planned(each)) for each in runs]


def failed_record(design: Plan, number: int, status: str, message: str) -> RunRecord:
    """Return the record of a run without a result."""
    planned = design.planned(number)
    values = values_of_labs(design.base) | planned.changes
    return RunRecord(planned_row(planned, values, design.engine, status, message), {}, 0.0)


def _do_world_run(design: Plan, planned: PlannedRun) -> RunRecord:
    started = time.perf_counter()
    try:
        if isinstance(design, RecordingPlan):
            return design.record(planned)
        scenario = design.scenario(planned)
        if isinstance(design, LevelPlan) and design.level is not None:
            check_start(scenario, design.level)
            race = race_run(planned, scenario, run_race(scenario, planned.seed), design.level)
            return RunRecord(*race[:2], time.perf_counter() - started, race[2])
        row, series = world_run(planned, scenario, run(scenario, planned.seed))
    except ScenarioError as error:
        return failed_record(design, planned.run, "invalid", str(error))
    except Exception as error:  # an error in one run must not stop the others
        return failed_record(design, planned.run, "failed", _describe_error(error))
    return RunRecord(row, series, time.perf_counter() - started)


def _do_fluid_runs(design: Plan, plans: list[PlannedRun]) -> list[RunRecord]:
    """Execute all runs together; if that fails, one by one, so that only the faulty ones fail."""
    started = time.perf_counter()
    found: dict[int, RunRecord] = {}
    scenarios: list[tuple[PlannedRun, Scenario]] = []
    for planned in plans:
        try:
            scenarios.append((planned, design.scenario(planned)))
        except ScenarioError as error:
            found[planned.run] = failed_record(design, planned.run, "invalid", str(error))
    try:
        table = fluid([scenario for _, scenario in scenarios]) if scenarios else None
        binding = (
            margins([scenario for _, scenario in scenarios], [int(each) for each in table.doublings]) if table else []
        )
    except Exception as error:
        if len(scenarios) > 1:
            return [done for planned in plans for done in _do_fluid_runs(design, [planned])]
        status = "invalid" if isinstance(error, ScenarioError) else "failed"
        return [failed_record(design, scenarios[0][0].run, status, _describe_error(error))]
    seconds = (time.perf_counter() - started) / len(plans)
    for at, (planned, scenario) in enumerate(scenarios):
        assert table is not None
        found[planned.run] = RunRecord(*fluid_run(planned, scenario, table, at, binding[at]), seconds)
    return [found[planned.run] for planned in plans]


def _describe_error(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, ScenarioError) else f"{type(error).__name__}: {text}"


def serve(connection: Connection) -> None:
    """Execute the runs that arrive over a connection until its other end is closed."""
    wanted: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, wanted), daemon=True).start()
    design: Plan = wanted.get()
    connection.send(None)  # ready
    while True:
        runs: list[int] = wanted.get()
        # The fluid engine computes a list at once. Each run of the World is sent as soon as it has finished.
        parts = [runs] if design.engine == "fluid" else [[each] for each in runs]
        for part in parts:
            for finished in do_runs(design, part):
                connection.send(finished)


def _listen(connection: Connection, wanted: queue.SimpleQueue[Any]) -> None:
    """Queue incoming messages; end the process, even during a run, when the connection is closed."""
    try:
        while True:
            wanted.put(connection.recv())
    except (EOFError, OSError):
        os._exit(0)


if __name__ == "__main__":
    try:
        serve(Connection(int(sys.argv[1])))
    except BrokenPipeError:
        sys.exit(0)
