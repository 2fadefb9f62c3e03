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
    amount of work is done: the *attained work*.

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
        self._tasks: list[tuple[float, int, T]] = []
        """Tasks as a heap: attained work at which each is over, number, task."""
        self._number = 0
        self._attained = 0.0
        self._since = time.now
        self._busy_days = 0.0
        self._timer: Event | None = None

    @property
    def tasks(self) -> int:
        """Number of tasks under way."""
        return len(self._tasks)

    @property
    def under_way(self) -> Iterator[T]:
        """The tasks under way, in no particular order."""
        return (task for _, _, task in self._tasks)

    @property
    def busy(self) -> float:
        """Number of AIs that work on a task."""
        return min(self.ais, self.most_per_task * len(self._tasks)) if self._tasks else 0.0

    @property
    def busy_days(self) -> float:
        """Time that AIs have worked on tasks [AI-days]."""
        return self._busy_days + self.busy * (self._time.now - self._since)

    def add(self, task: T, ai_days: float) -> None:
        """Add a task that takes this much work of one AI [AI-days]."""
        self._accrue()
        self._number += 1
        heapq.heappush(self._tasks, (self._attained + ai_days, self._number, task))
        self._schedule()

    def set_ais(self, ais: float, most_per_task: float = math.inf) -> None:
        """Set the number of AIs, and how many of them can work on one task."""
        self._accrue()
        self.ais, self.most_per_task = float(ais), most_per_task
        self._schedule()

    def remove_all(self) -> list[T]:
        """Stop all tasks, and return them in the order of their ends."""
        self._accrue()
        tasks = [task for _, _, task in sorted(self._tasks, key=lambda entry: entry[:2])]
        self._tasks = []
        self._schedule()
        return tasks

    @property
    def _rate(self) -> float:
        """Number of AIs on each task."""
        return self.busy / len(self._tasks) if self._tasks else 0.0

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
            over.append(heapq.heappop(self._tasks)[2])
        self._schedule()
        for task in over:
            self._on_done(task)
