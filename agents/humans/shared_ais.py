"""Let a number of AIs share the tasks that wait for them: processor sharing, with a limit for each task."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from simpy import Event

from agents.ports.time import Time

T = TypeVar("T")
_ROUNDING = 1e-12


class SharedAis(Generic[T]):
    """Divide the AIs equally between the tasks that they work on.

    Each task gets at most ``most_per_task`` AIs. All tasks progress at the same rate, so each is over when a common
    amount of work is done: the *attained work*. A batch of w equal tasks has weight w: it gets the AIs of w tasks and
    ends as a whole.

    Arguments
    ---------
    time
        Clock of the lab.
    on_done
        Function that is called with a task when it is over.
    """

    def __init__(self, time: Time, on_done: Callable[[T], None]) -> None:
        self._time = time
        self._on_done = on_done
        self.ais = 0.0
        """Number of AIs."""
        self.most_per_task = math.inf
        """Largest number of AIs that work on one task together."""
        self._tasks: list[tuple[float, int, T, int]] = []
        """Tasks as a heap: attained work at which each is over, number, task, weight."""
        self.tasks = 0
        """Number of tasks under way; a batch counts as its weight."""
        self._number = 0
        self._attained = 0.0
        self._since = time.now
        self._busy_days = 0.0
        self._timer: Event | None = None

    @property
    def under_way(self) -> Iterator[T]:
        """The tasks under way, in no particular order."""
        return (task for _, _, task, _ in self._tasks)

    @property
    def busy(self) -> float:
        """Number of AIs that work on a task."""
        return min(self.ais, self.most_per_task * self.tasks) if self.tasks else 0.0

    @property
    def busy_days(self) -> float:
        """Time that AIs have worked on tasks [AI-days]."""
        return self._busy_days + self.busy * (self._time.now - self._since)

    def add(self, task: T, ai_days: float, weight: int = 1) -> None:
        """Add a task that takes this much work of one AI [AI-days per unit of weight]."""
        self._accrue()
        self._number += 1
        self.tasks += weight
        heapq.heappush(self._tasks, (self._attained + ai_days, self._number, task, weight))
        self._schedule()

    def set_ais(self, ais: float, most_per_task: float = math.inf) -> None:
        """Set the number of AIs, and how many of them can work on one task."""
        self._accrue()
        self.ais, self.most_per_task = float(ais), most_per_task
        self._schedule()

    def remove_all(self) -> list[T]:
        """Stop all tasks, and return them in the order of their ends."""
        self._accrue()
        tasks = [task for _, _, task, _ in sorted(self._tasks, key=lambda entry: entry[:2])]
        self._tasks, self.tasks = [], 0
        self._schedule()
        return tasks

    @property
    def _rate(self) -> float:
        """Number of AIs on each task."""
        return self.busy / self.tasks if self.tasks else 0.0

    def _accrue(self) -> None:
        days = self._time.now - self._since
        self._attained += self._rate * days
        self._busy_days += self.busy * days
        self._since = self._time.now

    def _schedule(self) -> None:
        self._timer = None
        rate = self._rate
        if rate > 0:
            days = max(0.0, (self._tasks[0][0] - self._attained) / rate)
            self._timer = self._time.after(days, self._on_timer)

    def _on_timer(self, timer: Event) -> None:
        if timer is not self._timer:
            return  # the number of AIs or of tasks has changed since
        self._accrue()
        first = self._tasks[0][0]
        self._attained = max(self._attained, first)
        over = []
        while self._tasks and self._tasks[0][0] <= self._attained * (1 + _ROUNDING):
            _, _, task, weight = heapq.heappop(self._tasks)
            self.tasks -= weight
            over.append(task)
        self._schedule()
        for task in over:
            self._on_done(task)
