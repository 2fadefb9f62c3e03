"""Execute runs of a design in a worker process, one after the other, until the connection is closed.

    python -m experiments.sweep.workers.process DESCRIPTOR

DESCRIPTOR is the number of an inherited socket. Over it the worker receives a design and then lists of runs. It sends
an `Executed` for each run of the World, and the records of several such runs together: what limits them is then
computed in one call. Workers share no lock and no channel. If one is killed, only its runs without a record are lost.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from experiments.sweep.plan import LevelPlan, RecordingPlan
from experiments.sweep.race_records import check_start, race_run, values_of_labs
from experiments.sweep.records import RunRecord, add_margins, fluid_run, planned_row, world_run
from experiments.sweep.workers.messages import Completing, Executed
from sim.fluid.api import fluid
from sim.margins import cached_margins, margins
from sim.race import run_race
from sim.runner import run
from sim.scenario.model import Scenario, ScenarioError

if TYPE_CHECKING:
    from experiments.design.planned_run import PlannedRun
    from experiments.sweep.plan import Plan


GROUP_SECONDS: Final = 1.5
"""Time of World runs whose records are completed together [s]; a worker that is killed loses at most one run more."""
NEXT_LIST_SECONDS: Final = 0.05
"""Maximum time that a worker waits for more runs before it completes the records of the last ones [s]."""


def do_runs(design: Plan, runs: Iterable[int]) -> list[RunRecord]:
    """Return the records of these runs of a design, in order; a run that fails has a record with the reason."""
    return list(finished_runs(design, runs))


def finished_runs(design: Plan, runs: Iterable[int]) -> Iterator[RunRecord]:
    """Yield the records of these runs of a design, in order, at least every `GROUP_SECONDS` and a run."""
    if design.engine == "fluid":
        yield from _do_fluid_runs(design, [design.planned(each) for each in runs])
        return
    for each in _world_steps(design, runs):
        if isinstance(each, RunRecord):
            yield each


def failed_record(design: Plan, number: int, status: str, message: str) -> RunRecord:
    """Return the record of a run without a result."""
    planned = design.planned(number)
    values = values_of_labs(design.base) | planned.changes
    return RunRecord(planned_row(planned, values, design.engine, status, message), {}, 0.0)


class _ExecutedRun(NamedTuple):
    """A run of the World without what limits it."""

    record: RunRecord
    limited: tuple[Scenario, int] | None
    """Scenario and number of doublings for which the limiting input is to be computed; None for a failed run."""


def _world_steps(design: Plan, runs: Iterable[int | None]) -> Iterator[Executed | Completing | RunRecord]:
    """Execute runs of the World and yield their records in groups, each after the notices about its runs.

    A group ends after `GROUP_SECONDS`, at a None among the runs and at their end.
    """
    group: list[_ExecutedRun] = []
    for number in runs:
        if number is not None:
            planned = design.planned(number)
            if isinstance(design, RecordingPlan):
                yield _record_run(design, planned)
                continue
            executed = _execute(design, planned)
            group.append(executed)
            yield Executed(number, executed.record.seconds)
        if number is None or sum(each.record.seconds for each in group) >= GROUP_SECONDS:
            yield from _complete_group(design, group)
            group = []
    yield from _complete_group(design, group)


def _record_run(design: Plan, planned: PlannedRun) -> RunRecord:
    """Return the record of a run that its plan executes itself."""
    assert isinstance(design, RecordingPlan)
    try:
        return design.record(planned)
    except Exception as error:  # an error in one run must not stop the others
        return _record_of_error(design, planned, error)


def _execute(design: Plan, planned: PlannedRun) -> _ExecutedRun:
    started = time.perf_counter()
    try:
        scenario = design.scenario(planned)
        if isinstance(design, LevelPlan) and design.level is not None:
            check_start(scenario, design.level)
            race = race_run(planned, scenario, run_race(scenario, planned.seed), design.level)
            return _ExecutedRun(RunRecord(*race[:2], time.perf_counter() - started, race[2]), None)
        result = run(scenario, planned.seed)
        row, series = world_run(planned, scenario, result)
    except Exception as error:  # an error in one run must not stop the others
        return _ExecutedRun(_record_of_error(design, planned, error), None)
    record = RunRecord(row, series, time.perf_counter() - started)
    return _ExecutedRun(record, (result.scenario, len(result.doublings)))


def _complete_group(design: Plan, group: list[_ExecutedRun]) -> Iterator[Completing | RunRecord]:
    """Yield a notice and the complete records of a group."""
    if group:
        yield Completing()
        yield from _complete_records(design, group)


def _complete_records(design: Plan, group: list[_ExecutedRun]) -> list[RunRecord]:
    """Add to each record what limits its run; if that fails for all together, then one by one."""
    started = time.perf_counter()
    limited = [each.limited for each in group if each.limited is not None]
    try:
        found = iter(cached_margins([scenario for scenario, _ in limited], [doublings for _, doublings in limited]))
    except Exception as error:  # an error in one run must not stop the others
        if len(group) > 1:
            return [record for each in group for record in _complete_records(design, [each])]
        return [_record_of_error(design, design.planned(group[0].record.row["run"]), error)]
    seconds = (time.perf_counter() - started) / max(1, len(limited))
    return [
        each.record
        if each.limited is None
        else each.record._replace(row=add_margins(each.record.row, next(found)), seconds=each.record.seconds + seconds)
        for each in group
    ]


def _record_of_error(design: Plan, planned: PlannedRun, error: Exception) -> RunRecord:
    if isinstance(error, ScenarioError):
        return failed_record(design, planned.run, "invalid", str(error))
    return failed_record(design, planned.run, "failed", _describe_error(error))


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
    if design.engine == "fluid":  # a list is computed at once
        while True:
            for finished in do_runs(design, wanted.get()):
                connection.send(finished)
    for each in _world_steps(design, _arriving_runs(wanted)):
        connection.send(each)


def _arriving_runs(wanted: queue.SimpleQueue[Any]) -> Iterator[int | None]:
    """Yield the runs of the lists that arrive, and None when no other list has arrived."""
    while True:
        yield from wanted.get()
        while (more := _next_list(wanted)) is not None:
            yield from more
        yield None


def _next_list(wanted: queue.SimpleQueue[Any]) -> list[int] | None:
    try:
        found: list[int] = wanted.get(timeout=NEXT_LIST_SECONDS)
    except queue.Empty:
        return None
    return found


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
