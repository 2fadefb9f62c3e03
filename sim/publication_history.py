"""Keep the history of discovered software, and determine the part of it that is published."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right


class PublicationHistory:
    """Record discovered software over time, and publish it after a delay.

    Published software is the discovered software of ``delay`` days ago. It never falls: if the delay becomes longer,
    published software stays until discovered software of the longer delay ago exceeds it.
    """

    def __init__(self) -> None:
        self._days = array("d", [0.0])
        self._levels = array("d", [0.0])
        self._delay = 0.0
        self._published_before = 0.0
        """Software that was published when the delay last changed [doublings]."""

    def record(self, discovered: float, now: float) -> None:
        """Record discovered software [doublings] from day ``now`` on. Days and software never fall."""
        if discovered == self._levels[-1]:
            return
        if now == self._days[-1]:
            self._levels[-1] = discovered
        else:
            self._days.append(now)
            self._levels.append(discovered)

    def set_delay(self, days: float, now: float) -> None:
        """Publish what is discovered ``days`` later from day ``now`` on; ``math.inf`` publishes nothing more.

        Raises ValueError if ``days`` is negative or not a number.
        """
        if days == self._delay:
            return
        if math.isnan(days) or days < 0:
            raise ValueError(
                f"publication_delay_days = {days:g} is not a delay; allowed: 0 to math.inf. Correct the policy."
            )
        self._published_before = self.published(now)
        self._delay = days

    def published(self, now: float) -> float:
        """Return published software on day ``now``, at or after the last record [doublings]."""
        place = bisect_right(self._days, now - self._delay) - 1
        return max(self._published_before, self._levels[place]) if place >= 0 else self._published_before
