"""A part of the work on a paper, and those of a cohort who are at it, as counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from simpy import Event

from agents import work_model
from agents.ports import Lab

Part = Literal["thinking", "writing"]


class StageGroup(NamedTuple):
    """Researchers who will be through together."""

    size: int
    due: float
    """The day on which they are through; while they rest, how many days they need."""


class CohortStage:
    """The researchers of a cohort who think, or who write.

    One who comes alone, to few, gets a time of its own, exactly as an individual does. Others are *merged*:
    where times are memoryless, nobody can tell when each of them began, and all that counts is how many there are. Of
    n merged ones k = max(1, floor(ε n)) leave in one leap, when the k-th would have left if each of the others had
    stayed: after a time of Gamma(k) / n means (R-leaping, Auger, Chatelain and Koumoutsakos, J. Chem. Phys. 125,
    084103, 2006). That is exact for k = 1, and for any k where those who leave come back at once; else the rate is off
    by at most the share ε within a leap, and right on average in a steady state, by Little's law.

    ``who``: names the streams of chance. ``done``: called with how many are through. ``most``: at most so many leave
    at once.
    """

    def __init__(self, lab: Lab, part: Part, who: int, done: Callable[[int], None], most: Callable[[], float]) -> None:
        self._lab = lab
        self._part = part
        self._who = who
        self._done = done
        self._most = most
        self.merged = 0
        self._groups: dict[Event, StageGroup] = {}
        """By the alarm that tells that they are through."""
        self._resting: list[StageGroup] = []
        self._resting_merged = 0
        self._leap: tuple[Event, int, float] | None = None
        """Alarm, size and day of the next leap."""
        self._leaping = False

    @property
    def working(self) -> int:
        """Researchers who are at it."""
        return self.merged + sum(group.size for group in self._groups.values())

    @property
    def resting(self) -> int:
        """Researchers who were at it when they were put to rest."""
        return self._resting_merged + sum(group.size for group in self._resting)

    @property
    def due_days(self) -> list[float]:
        """Days on which researchers are through: groups in the order in which they came, then the next leap."""
        leap = [] if self._leap is None else [self._leap[2]]
        return [group.due for group in self._groups.values()] + leap

    def add_new(self, count: int) -> None:
        """Add researchers who begin now."""
        if (count > 1 or self._lab.leap_error * self.merged >= 1) and self._memoryless:
            self._merge(count)
        elif count > 0:
            self._set(count, self._days())

    def add_partial(self, days: float) -> None:
        """Add a researcher who was at it before, and needs so many days more."""
        if self._memoryless and self._lab.leap_error > 0:
            self._merge(1)
        else:
            self._set(1, days)

    def start_over(self) -> None:
        """Let all who are at it begin again together."""
        count = self.working
        self._groups.clear()
        self._set_merged(0)
        self.add_new(count)

    def rest(self, count: int) -> None:
        """Put so many to rest, those who came last by themselves first."""
        for alarm in reversed(list(self._groups)):
            if count == 0:
                return
            group = self._groups.pop(alarm)
            resting = min(count, group.size)
            if resting < group.size:
                self._groups[alarm] = StageGroup(group.size - resting, group.due)
            self._resting.append(StageGroup(resting, group.due - self._lab.now))
            count -= resting
        if count:
            self._resting_merged += count
            self._set_merged(self.merged - count)

    def wake(self, count: int) -> None:
        """Let so many go on where they stopped, those who were put to rest last first."""
        while count and self._resting:
            group = self._resting.pop()
            waking = min(count, group.size)
            if waking < group.size:
                self._resting.append(StageGroup(group.size - waking, group.due))
            self._set(waking, group.due)
            count -= waking
        if count:
            self._resting_merged -= count
            self._merge(count)

    def stretch(self, factor: float) -> None:
        """Let what is left of all work under way, and of what rests, take so many times as long."""
        now, groups = self._lab.now, list(self._groups.values())
        self._groups.clear()
        for group in groups:
            self._set(group.size, (group.due - now) * factor)
        self._resting = [StageGroup(group.size, group.due * factor) for group in self._resting]
        if self._leap is not None:
            _, size, due = self._leap
            days = (due - now) * factor
            self._leap = (self._lab.after(days, self._leapt), size, now + days)

    @property
    def _memoryless(self) -> bool:
        params = self._lab.researcher_params
        return params.timing == "poisson" and work_model.mean_days(params, self._part) > 0

    def _days(self) -> float:
        draw = work_model.thinking_days if self._part == "thinking" else work_model.writing_days
        return draw(self._lab.researcher_params, self._lab.rng_for(self._part, self._who)) / self._lab.research_pace

    def _set(self, count: int, days: float) -> None:
        self._groups[self._lab.after(days, self._through)] = StageGroup(count, self._lab.now + days)

    def _through(self, alarm: Event) -> None:
        group = self._groups.pop(alarm, None)
        if group is not None:  # else they have been put to rest, or started over
            self._done(group.size)

    def _merge(self, count: int) -> None:
        self._set_merged(self.merged + count)

    def _set_merged(self, count: int) -> None:
        """Change how many are merged: what is left of the leap goes faster the more there are.

        If they are so few now that it would be too large, it becomes smaller and sooner, at the same rate.
        """
        before, self.merged = self.merged, count
        if self._leaping:
            return
        if self._leap is None or not before or not count:
            self._plan()
            return
        _, planned, due = self._leap
        size = min(planned, self._share_of(count))
        days = (due - self._lab.now) * before / count * (size / planned)
        self._leap = (self._lab.after(days, self._leapt), size, self._lab.now + days)

    def _share_of(self, count: int) -> int:
        """How many of so many may leave in one leap."""
        return max(1, int(self._lab.leap_error * count))

    def _plan(self) -> None:
        """Set the next leap."""
        self._leap = None
        if self.merged:
            size = max(1, int(min(self._share_of(self.merged), self._most())))
            stream = self._lab.rng_for(self._part, self._who)
            mean = work_model.mean_days(self._lab.researcher_params, self._part) / self._lab.research_pace
            days = mean * stream.standard_gamma(size) / self.merged
            self._leap = (self._lab.after(days, self._leapt), size, self._lab.now + days)

    def _leapt(self, alarm: Event) -> None:
        if self._leap is None or alarm is not self._leap[0]:
            return
        size = min(self._leap[1], self.merged)
        self._leaping = True
        self.merged -= size
        self._done(size)
        self._leaping = False
        self._plan()
