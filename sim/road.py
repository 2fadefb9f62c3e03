"""Summarise the road of a run to full automation: the day of each task's automation, and the lab at the end."""

from __future__ import annotations

import math
from typing import NamedTuple

from sim.events import TaskAutomated
from sim.time_horizon import NoHorizon
from sim.world import World


class Road(NamedTuple):
    """Automation of the tasks of research in one run."""

    task_days: tuple[float, ...]
    """Day on which AIs can do each kind of task, the easiest first: 0 if on day 0, ``inf`` if not in this run."""
    asara_day: float | None
    """Day on which AIs can do all tasks (ASARA); None if not in this run."""
    day: float
    """Day of the end of the run."""
    humans: int
    """Humans at the end."""
    assistants: int
    """AIs that help humans at the end."""
    researchers: int
    """AIs that write papers on their own at the end."""
    horizon_minutes: float | None
    """Time horizon of AIs at the end [minutes]; ``inf`` from the infinite day on, None if it is not the clock."""
    horizon_reading: str
    """Sentence on the growth of the time horizon; empty if it is not the clock."""

    @property
    def share_automated(self) -> float:
        """Share of the kinds of tasks that AIs can do at the end."""
        return sum(day < math.inf for day in self.task_days) / len(self.task_days)

    @property
    def sentences(self) -> list[str]:
        """Sentences on the automation of tasks, on ASARA and on the lab at the end."""
        found = [self._tasks_sentence, self._asara_sentence, self._people_sentence]
        return [*found, self.horizon_reading] if self.horizon_reading else found

    @property
    def _tasks_sentence(self) -> str:
        reached = [day for day in self.task_days if day < math.inf]
        kinds = f"{len(reached)} of {len(self.task_days)} kinds"
        head = f"AIs can do {self.share_automated:.0%} of the tasks of a paper ({kinds})"
        if not reached:
            return f"{head}."
        days = ", ".join(f"{day:,.0f}" for day in reached)
        return f"{head}; automated on day{'s' if len(reached) > 1 else ''} {days}."

    @property
    def _asara_sentence(self) -> str:
        if self.asara_day is None:
            return f"AIs did not come to do all research by day {self.day:,.0f}."
        return f"ASARA: AIs do all research from day {self.asara_day:,.0f} on."

    @property
    def _people_sentence(self) -> str:
        helpers = f", {self.assistants:,} AIs that help them," if self.share_automated > 0 else ""
        return f"At the end: {self.humans:,} humans{helpers} and {self.researchers:,} AI researchers."


def road_of(world: World) -> Road | None:
    """Return the road of a run so far; None if AIs do all research from day 0 on, without humans."""
    lab, scenario = world.lab, world.scenario
    if scenario.is_automated:
        return None
    automation, horizon = lab.automation, scenario.horizon
    later = [event.day for event in world.ledger if isinstance(event, TaskAutomated)]
    at_start = automation.kinds_automated - len(later)
    days = [0.0] * at_start + later
    days += [math.inf] * (automation.kinds - len(days))
    clock = None if isinstance(horizon, NoHorizon) else horizon
    return Road(
        task_days=tuple(days),
        asara_day=days[-1] if automation.is_complete else None,
        day=world.now,
        humans=lab.humans.size,
        assistants=automation.ais,
        researchers=lab.workforce.active_researchers,
        horizon_minutes=None if clock is None else clock.minutes_on_day(world.now),
        horizon_reading="" if clock is None else clock.reading,
    )
