"""One clock for everything: a SimPy environment that can be saved, copied and branched.

A World made of callbacks (``Timeout(env, days).callbacks.append(self._finished)``) instead of generators
holds nothing that cannot be pickled, so the clock and all that is scheduled on it can be written down as
bytes, read back, and run on as if nothing had happened.
"""

import math
from heapq import heappop, heappush
from itertools import count
from typing import Any

from simpy import Environment, Timeout


class BackgroundTimeout(Timeout):
    """An alarm that keeps no run going: where nothing else is under way, nothing will ever happen."""


class Clock(Environment):
    """A SimPy environment that moves to an exact moment, can be halted there, and can be pickled.

    A subclass of ``Environment`` is picklable where ``Environment`` itself is not: SimPy binds its event
    classes to instances of the base class only (``BoundClass.bind_early``).
    """

    def __init__(self, initial_time: float = 0.0) -> None:
        super().__init__(initial_time)
        self.halted = False
        """Set by whoever finds that the run is over: no further event is processed."""
        self.last_event = self._now
        """When the latest event was processed."""

    def __getstate__(self) -> dict[str, Any]:
        """SimPy numbers its events by an ``itertools.count``, which Python 3.12 and later pickle with a warning."""
        next_number = next(self._eid)
        self._eid = count(next_number)
        return self.__dict__ | {"_eid": next_number}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._eid = count(state["_eid"])

    def advance(self, until: float) -> None:
        """Process every event up to and including ``until``, then stand at exactly ``until``.

        SimPy's own ``run(until=t)`` reaches ``now + (t - now)``, which rounding can put beside ``t``, and
        leaves the events of that instant undone. A halt leaves the clock at the event that called it. Where only
        background is scheduled none of it is processed.

        Raises ValueError if ``until`` lies in the past.
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
            # As SimPy's step() does, without the call: it is made for every event.
            self._now = self.last_event = now
            callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]  # SimPy: None once processed
            for callback in callbacks:
                callback(event)
            if not event._ok and not hasattr(event, "_defused"):
                raise event._value
        if not self.halted:
            self._now = until

    def advance_events(self, until: float, most: int = 1) -> int:
        """Process at most so many events up to and including ``until``; return how many there were.

        The clock stands at the latest of them. Followed by :meth:`advance` it is as if that alone had been called.
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
        """Stand at the latest event again, as if the rest of an idle advance had not been asked for."""
        self._now = self.last_event

    def background(self, days: float) -> BackgroundTimeout:
        """Return an alarm that goes off after so many days if anything but background is still scheduled then."""
        return BackgroundTimeout(self, days)

    @property
    def idle(self) -> bool:
        """True when nothing but background is scheduled, so that nothing will ever happen again."""
        return not any(day < math.inf and not isinstance(event, BackgroundTimeout) for day, _, _, event in self._queue)
