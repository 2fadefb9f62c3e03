"""Simulate the researchers of a cohort that think, or that write, as counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from numpy.random import Generator
from simpy import Event

from agents import work_model
from agents.ports.bundles import ResearcherPorts

Activity = Literal["thinking", "writing"]


class StageGroup(NamedTuple):
    """Researchers that finish together."""

    size: int
    due: float
    """Day on which they finish; for paused ones, the days of work that are left."""


class CohortStage:
    """Count the researchers of a cohort that do one activity: thinking or writing.

    A single arrival at a small stage gets a time of its own, as an individual does. Other arrivals are *merged*: if
    times are memoryless, their start times do not matter and only their number counts. Of n merged researchers
    k = max(1, floor(ε n)) leave in one leap. The leap takes Gamma(k) / n mean times, which is when the k-th leaves if
    each earlier one is replaced at once (R-leaping: Auger, Chatelain and Koumoutsakos, J. Chem. Phys. 125, 084103,
    2006). That is exact for k = 1, and for any k if leaving researchers return at once. Otherwise the rate is off by
    at most the share ε within a leap. In a steady state it is right on average, by Little's law.

    ``stream_key`` names the random streams. ``on_done`` is called with the number of researchers that finished; call
    :meth:`schedule_next` when its effects are complete. ``max_leap`` returns the maximum number that may leave in one
    leap.
    """

    def __init__(
        self,
        ports: ResearcherPorts,
        activity: Activity,
        stream_key: int | str,
        on_done: Callable[[int], None],
        max_leap: Callable[[], float],
    ) -> None:
        self._time, self._randomness, self._team, self._settings = (
            ports.time,
            ports.randomness,
            ports.team,
            ports.settings,
        )
        self._activity = activity
        self._stream_key = stream_key
        self._on_done = on_done
        self._max_leap = max_leap
        self.merged = 0
        self._groups: dict[Event, StageGroup] = {}
        """Groups by the timer at which they finish."""
        self._paused: list[StageGroup] = []
        self._paused_merged = 0
        self._leap: tuple[Event, int, float] | None = None
        """Timer, size and day of the next leap."""

    @property
    def working(self) -> int:
        """Number of researchers that work on the activity."""
        return self.merged + sum(group.size for group in self._groups.values())

    @property
    def paused(self) -> int:
        """Number of researchers that paused during the activity."""
        return self._paused_merged + sum(group.size for group in self._paused)

    @property
    def due_days(self) -> list[float]:
        """Days on which researchers finish: groups in the order of arrival, then the next leap."""
        leap = [] if self._leap is None else [self._leap[2]]
        return [group.due for group in self._groups.values()] + leap

    def add_new(self, count: int) -> None:
        """Add researchers that begin now."""
        if (count > 1 or self._settings.run.leap_tolerance * self.merged >= 1) and self._memoryless:
            self._merge(count)
        elif count > 0:
            self._schedule_group(count, self._days())

    def add_partial(self, days: float) -> None:
        """Add a researcher with ``days`` of work left."""
        if self._memoryless and self._settings.run.leap_tolerance > 0:
            self._merge(1)
        else:
            self._schedule_group(1, days)

    def start_over(self) -> None:
        """Restart everyone that works, together."""
        count = self.working
        self._groups.clear()
        self._set_merged(0)
        self.add_new(count)

    def schedule_next(self) -> None:
        """Schedule the next leap if none is scheduled."""
        if self._leap is None:
            self._schedule_leap()

    def pause(self, count: int) -> None:
        """Pause researchers: first the latest groups, then merged researchers."""
        for timer in reversed(list(self._groups)):
            if count == 0:
                return
            group = self._groups.pop(timer)
            pausing = min(count, group.size)
            if pausing < group.size:
                self._groups[timer] = StageGroup(group.size - pausing, group.due)
            self._paused.append(StageGroup(pausing, group.due - self._time.now))
            count -= pausing
        if count:
            self._paused_merged += count
            self._set_merged(self.merged - count)

    def resume(self, count: int) -> None:
        """Resume paused researchers where they stopped: first the groups that paused last."""
        while count and self._paused:
            group = self._paused.pop()
            resuming = min(count, group.size)
            if resuming < group.size:
                self._paused.append(StageGroup(group.size - resuming, group.due))
            self._schedule_group(resuming, group.due)
            count -= resuming
        if count:
            self._paused_merged -= count
            self._merge(count)

    def stretch(self, factor: float) -> None:
        """Multiply the time left of all work by ``factor``, paused work included."""
        now, groups = self._time.now, list(self._groups.values())
        self._groups.clear()
        for group in groups:
            self._schedule_group(group.size, (group.due - now) * factor)
        self._paused = [StageGroup(group.size, group.due * factor) for group in self._paused]
        if self._leap is not None:
            _, size, due = self._leap
            days = (due - now) * factor
            self._leap = (self._time.after(days, self._on_leap), size, now + days)

    @property
    def _memoryless(self) -> bool:
        params = self._settings.researcher
        return params.timing == "poisson" and work_model.share_of(params, self._activity) > 0

    def _days(self) -> float:
        draw = work_model.thinking_days if self._activity == "thinking" else work_model.writing_days
        return draw(self._settings.researcher, self._stream()) / self._team.research_pace

    def _stream(self) -> Generator:
        return self._randomness.get(self._activity, self._stream_key)

    def _schedule_group(self, count: int, days: float) -> None:
        self._groups[self._time.after(days, self._on_group_done)] = StageGroup(count, self._time.now + days)

    def _on_group_done(self, timer: Event) -> None:
        group = self._groups.pop(timer, None)
        if group is not None:  # otherwise they have paused or started over
            self._on_done(group.size)

    def _merge(self, count: int) -> None:
        self._set_merged(self.merged + count)

    def _set_merged(self, count: int) -> None:
        """Set the number of merged researchers and rescale the next leap.

        The time left of the leap is inversely proportional to the number. If the leap is too large for the new number,
        it becomes smaller and comes sooner, at the same rate.
        """
        before, self.merged = self.merged, count
        if self._leap is None or not before or not count:
            self._schedule_leap()
            return
        _, planned, due = self._leap
        size, now = min(planned, self._leap_size(count)), self._time.now
        days = (due - now) * before / count * (size / planned)
        self._leap = (self._time.after(days, self._on_leap), size, now + days)

    def _leap_size(self, count: int) -> int:
        """Return how many of ``count`` merged researchers may leave in one leap."""
        return int(self._settings.run.leap_tolerance * count) or 1

    def _schedule_leap(self) -> None:
        """Schedule the next leap."""
        self._leap = None
        if self.merged:
            size = max(1, int(min(self._leap_size(self.merged), self._max_leap())))
            mean = work_model.mean_days(self._settings.researcher, self._activity) / self._team.research_pace
            days = mean * self._stream().standard_gamma(size) / self.merged
            self._leap = (self._time.after(days, self._on_leap), size, self._time.now + days)

    def _on_leap(self, timer: Event) -> None:
        if self._leap is None or timer is not self._leap[0]:
            return
        size, self._leap = min(self._leap[1], self.merged), None
        self.merged -= size
        self._on_done(size)
