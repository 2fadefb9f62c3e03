"""Execute a plan whose runs give outcomes of its own, in this process or in workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from experiments.errors import InputError
from experiments.sweep.plan import Plan
from experiments.sweep.records import RunRecord
from experiments.sweep.workers.local import LocalWorkerPool
from sim.scenario.messages import ScenarioError

if TYPE_CHECKING:
    from experiments.design.planned_run import PlannedRun
    from sim.world import World

OUTCOME: Final = "outcome"
"""Column of a record that contains the outcome of a run."""
Watch = Callable[["World"], bool]
Outcome_co = TypeVar("Outcome_co", covariant=True)


class OutcomePlan(Plan, Protocol[Outcome_co]):
    """A plan whose runs give outcomes instead of rows of a table."""

    def __len__(self) -> int:
        """Return the number of runs."""

    def outcome(self, planned: PlannedRun, watch: Watch | None = None) -> Outcome_co | None:
        """Execute a run; None if it was interrupted. Raises ScenarioError if it cannot be run."""

    def describe(self, run: int) -> str:
        """Describe a run in a message."""


def outcome_record(plan: OutcomePlan[Outcome_co], planned: PlannedRun) -> RunRecord:
    """Execute a run in a worker and return the record that contains its outcome."""
    started = time.perf_counter()
    row = {"run": planned.run, "status": "ok", "message": "", OUTCOME: plan.outcome(planned)}
    return RunRecord(row, {}, time.perf_counter() - started)


@contextmanager
def execute_plan(
    plan: OutcomePlan[Outcome_co], workers: int, should_stop: Callable[[World | None], bool] | None
) -> Iterator[Iterator[Outcome_co]]:
    """Execute the runs of a plan in this process or in workers; all workers end with this context.

    ``should_stop`` is called with the world of a run in this process, else with None. The outcomes of workers arrive in
    any order. Raises ScenarioError if a scenario cannot be run, and InputError if a run fails in a worker.
    """
    if min(workers, len(plan)) == 1:
        yield _run_here(plan, should_stop)
        return
    with LocalWorkerPool(plan, min(workers, len(plan))) as pool:
        yield _run_in_workers(plan, pool, should_stop)


def _run_here(
    plan: OutcomePlan[Outcome_co], should_stop: Callable[[World | None], bool] | None
) -> Iterator[Outcome_co]:
    for number in range(len(plan)):
        found = plan.outcome(plan.planned(number), should_stop)
        if found is None:
            return
        yield found


def _run_in_workers(
    plan: OutcomePlan[Outcome_co], pool: LocalWorkerPool, should_stop: Callable[[World | None], bool] | None
) -> Iterator[Outcome_co]:
    for finished in pool.run(range(len(plan))):
        if finished is not None:
            row = finished.row
            if row["status"] == "invalid":
                raise ScenarioError(row["message"])
            if row["status"] != "ok":
                raise InputError(f"{plan.describe(row['run'])}: the run is {row['status']}: {row['message']}.")
            yield row[OUTCOME]
        if should_stop is not None and should_stop(None):
            return
