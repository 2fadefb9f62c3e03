"""Define the plan from which a worker builds its runs; a design is one plan, a list of scenarios another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from experiments.design.planned_run import PlannedRun
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
