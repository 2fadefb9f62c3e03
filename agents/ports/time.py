"""Define how agents read the time and set timers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from simpy import Event


class Time(Protocol):
    """The clock of the run. Times are days."""

    @property
    def now(self) -> float:
        """Time since the start of the run [days]."""

    def after(self, days: float, callback: Callable[[Event], None]) -> Event:
        """Call ``callback`` after ``days``; the returned timer identifies the call."""

    def after_in_background(self, days: float, callback: Callable[[Event], None]) -> Event:
        """Call ``callback`` after ``days``, with a timer that does not keep the run alive."""

    def at_end_of_instant(self, callback: Callable[[Event], None]) -> None:
        """Call ``callback`` after all other events of this instant."""
