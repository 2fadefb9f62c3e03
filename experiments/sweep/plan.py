"""Define the plan from which a worker builds its runs; a design is one plan, a list of scenarios another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from experiments.design.planned_run import PlannedRun
    from experiments.sweep.records import RunRecord
    from sim.engines import Engine
    from sim.scenario.model import Scenario


class Plan(Protocol):
    """Numbered runs of one engine. It is pickled once for each worker."""

    @property
    def base(self) -> Scenario:
        """Scenario from which the runs differ by their changes."""

    @property
    def engine(self) -> Engine:
        """Engine of every run."""

    def planned(self, run: int) -> PlannedRun:
        """Return a run by its number, from 0."""

    def scenario(self, planned: PlannedRun) -> Scenario:
        """Return the scenario of a run. Raises ScenarioError if its values cannot go together."""


@runtime_checkable
class LevelPlan(Protocol):
    """A plan whose runs may be races of several labs to a level."""

    @property
    def level(self) -> float | None:
        """Level that decides a race [doublings]; None for runs of one lab."""


@runtime_checkable
class RecordingPlan(Protocol):
    """A plan that executes its runs itself, because their records differ from those of a sweep."""

    def record(self, planned: PlannedRun) -> RunRecord:
        """Execute a run and return its record. Raises ScenarioError if its values cannot go together."""
