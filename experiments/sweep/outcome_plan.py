"""Define a plan whose runs give outcomes of its own instead of rows of a table."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from experiments.sweep.plan import Plan
from experiments.sweep.records import RunRecord

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
