"""A process that does runs of a design for somebody else, one after the other, until nobody listens any more.

    python -m experiments.sweep.workers.process DESCRIPTOR

DESCRIPTOR: the number of an inherited socket, over which come a design and then lists of runs to do, and go their
results, one by one. Nothing is shared with other workers, no lock and no channel, so that one that is killed, at any
moment, takes with it the run that it was at and nothing else.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from experiments.sweep.records import RunRecord, fluid_run, planned_row, world_run
from sim.fluid.api import fluid
from sim.margins import margins
from sim.runner import run
from sim.scenario.model import Scenario, ScenarioError

if TYPE_CHECKING:
    from experiments.design.design import PlannedRun
    from experiments.sweep.plan import Plan


def do_runs(design: Plan, runs: list[int]) -> list[RunRecord]:
    """Return what came of these runs of a design, in their order; what cannot be run is a row that says why."""
    if design.engine == "fluid":
        return _fluid_runs(design, [design.planned(each) for each in runs])
    return [_world_run(design, design.planned(each)) for each in runs]


def unfinished(design: Plan, number: int, status: str, message: str) -> RunRecord:
    """Return the row of a run that came to nothing."""
    planned = design.planned(number)
    values = design.base.flat() | planned.changes
    return RunRecord(planned_row(planned, values, design.engine, status, message), {}, 0.0)


def _world_run(design: Plan, planned: PlannedRun) -> RunRecord:
    began = time.perf_counter()
    try:
        scenario = design.scenario(planned)
        row, series = world_run(planned, scenario, run(scenario, planned.seed))
    except ScenarioError as error:
        return unfinished(design, planned.run, "invalid", str(error))
    except Exception as error:  # whatever one run does, the others go on
        return unfinished(design, planned.run, "failed", _described(error))
    return RunRecord(row, series, time.perf_counter() - began)


def _fluid_runs(design: Plan, plans: list[PlannedRun]) -> list[RunRecord]:
    """All of them at once; if that fails one by one, so that only those at fault are lost."""
    began = time.perf_counter()
    found: dict[int, RunRecord] = {}
    scenarios: list[tuple[PlannedRun, Scenario]] = []
    for planned in plans:
        try:
            scenarios.append((planned, design.scenario(planned)))
        except ScenarioError as error:
            found[planned.run] = unfinished(design, planned.run, "invalid", str(error))
    try:
        table = fluid([scenario for _, scenario in scenarios]) if scenarios else None
        binding = (
            margins([scenario for _, scenario in scenarios], [int(each) for each in table.doublings]) if table else []
        )
    except Exception as error:
        if len(scenarios) > 1:
            return [done for planned in plans for done in _fluid_runs(design, [planned])]
        status = "invalid" if isinstance(error, ScenarioError) else "failed"
        return [unfinished(design, scenarios[0][0].run, status, _described(error))]
    seconds = (time.perf_counter() - began) / len(plans)
    for at, (planned, scenario) in enumerate(scenarios):
        assert table is not None
        found[planned.run] = RunRecord(*fluid_run(planned, scenario, table, at, binding[at]), seconds)
    return [found[planned.run] for planned in plans]


def _described(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, ScenarioError) else f"{type(error).__name__}: {text}"


def serve(connection: Connection) -> None:
    """Do what comes over a connection until its other end is closed."""
    wanted: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, wanted), daemon=True).start()
    design: Plan = wanted.get()
    connection.send(None)  # ready
    while True:
        runs: list[int] = wanted.get()
        # A fluid does a list at once; of the World each run is told as soon as it is over.
        parts = [runs] if design.engine == "fluid" else [[each] for each in runs]
        for part in parts:
            for finished in do_runs(design, part):
                connection.send(finished)


def _listen(connection: Connection, wanted: queue.SimpleQueue[Any]) -> None:
    """Pass on what comes; a closed connection ends the process, in the middle of a run too: nobody waits for it."""
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
