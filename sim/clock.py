"""Extend SimPy's environment so that it can be saved, copied and branched.

A World uses callbacks (``Timeout(env, days).callbacks.append(self._finished)``) instead of generators, which cannot be
pickled. The clock and every scheduled event can therefore be written as bytes, read back and continued.

This is the only module of `sim` that touches private attributes of SimPy.
"""

import math
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any

from simpy import Environment, Event, Timeout
from simpy.events import EventPriority

_END_OF_INSTANT = EventPriority(3)
"""SimPy priority after the cluster's dispatch (2), which gives out the GPUs of an instant."""


class BackgroundTimeout(Timeout):
    """A timer that does not keep the run alive, like a daemon thread."""


class Clock(Environment):
    """A SimPy environment that advances to an exact time, can be halted and can be pickled.

    ``Environment`` itself cannot be pickled, because SimPy binds its event classes to its instances
    (``BoundClass.bind_early``). It does not do so for instances of a subclass.
    """

    def __init__(self, initial_time: float = 0.0) -> None:
        super().__init__(initial_time)
        self.halted = False
        """Whether the run is over, so that no further event is processed."""
        self.last_event = self._now
        """Time of the latest event that was processed [days]."""

    def __getstate__(self) -> dict[str, Any]:
        """Replace SimPy's event counter, an ``itertools.count``: Python 3.12 and later pickle it with a warning."""
        next_number = next(self._eid)
        self._eid = count(next_number)
        return self.__dict__ | {"_eid": next_number}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state, with a new event counter."""
        self.__dict__.update(state)
        self._eid = count(state["_eid"])

    def advance(self, until: float) -> None:
        """Process every event up to and including ``until``, then set the time to exactly ``until``.

        SimPy's own ``run(until=t)`` reaches ``now + (t - now)``, which rounding can make different from ``t``. It also
        leaves the events at ``t`` unprocessed. A halt leaves the clock at the event that caused it. If only background
        timers are scheduled, none of them is processed.

        Raises ValueError if ``until`` is in the past.
        """
        if until < self._now:
            raise ValueError(f"the clock stands at {self._now} and cannot go back to {until}")
        queue, background = self._queue, BackgroundTimeout
        while queue and not self.halted:
            entry = heappop(queue)
            now, _, _, event = entry
            if now > until or (event.__class__ is background and self.idle):
                heappush(queue, entry)
                break
            # The body of SimPy's step(), inlined because it runs for every event.
            self._now = self.last_event = now
            callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]  # SimPy: None once processed
            for callback in callbacks:
                callback(event)
            if not event._ok and not hasattr(event, "_defused"):
                raise event._value
        if not self.halted:
            self._now = until

    def advance_events(self, until: float, most: int = 1) -> int:
        """Process at most ``most`` events up to and including ``until``, and return their number.

        The clock then stands at the latest of them. A following :meth:`advance` gives the same result as
        :meth:`advance` alone.
        """
        queue = self._queue
        done = 0
        while done < most and queue and not self.halted:
            day, _, _, event = queue[0]
            if day > until or (event.__class__ is BackgroundTimeout and self.idle):
                break
            self.last_event = day
            self.step()
            done += 1
        return done

    def return_to_last_event(self) -> None:
        """Set the time back to the latest event, which undoes the idle rest of an advance."""
        self._now = self.last_event

    def at_end_of_instant(self, callback: Callable[[Event], None]) -> None:
        """Call ``callback`` after all other events of this instant, the cluster's dispatch included."""
        event = Event(self)
        event.callbacks.append(callback)
        event._ok = True
        event._value = None
        self.schedule(event, _END_OF_INSTANT)

    def background(self, days: float) -> BackgroundTimeout:
        """Return a timer that fires after ``days`` if any event that keeps the run alive is still scheduled then."""
        return BackgroundTimeout(self, days)

    @property
    def idle(self) -> bool:
        """Whether only background timers are scheduled, so that nothing more can happen."""
        return not any(day < math.inf and not isinstance(event, BackgroundTimeout) for day, _, _, event in self._queue)
