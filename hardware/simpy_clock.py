"""Extend SimPy's environment by what its public interface lacks.

No other module uses private attributes of SimPy's environment. Decision 29 gives the reasons and the measurements:

- The exact time is set (``_now``). An event at that time is no substitute: SimPy adds a difference to the present time,
  which rounding can change.
- Scheduled events are inspected and removed (``_queue``). ``peek()`` returns only the time of the next one.
- The loop over events is SimPy's ``step()``, inlined (``_queue``, ``_now`` and ``_ok``, ``_value`` of events).
- The counter of events is pickled, and numbers timers (``_eid``).
- A call is scheduled at a low priority (``_ok`` and ``_value`` of an event). ``succeed()`` has a fixed priority.
- A timer is created in half the time of a ``Timeout`` (``_ok`` and ``_value`` of its class).
- ``now`` is read without a call: it is a second name of ``_now``, which is a slot.
"""

import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any, ClassVar

from simpy import Environment, Event, Timeout
from simpy.events import NORMAL, EventPriority


def discard_events(env: Environment, is_unwanted: Callable[[Event], bool]) -> None:
    """Remove the scheduled events for which ``is_unwanted`` returns True."""
    queue = env._queue
    kept = [entry for entry in queue if not is_unwanted(entry[3])]
    if len(kept) < len(queue):
        queue[:] = kept  # in place: the clock may hold the list
        heapify(queue)


class Timer(Event):
    """A timer that calls one function: it costs half as much as a ``Timeout``."""

    __slots__ = ("callbacks", "env")
    _ok: ClassVar[bool] = True  # type: ignore[misc]  # always a success
    _value: ClassVar[None] = None  # type: ignore[misc]  # no callback reads it

    def __init__(self, env: Environment, delay: float, callback: Callable[[Event], None]) -> None:
        if delay < 0:
            raise ValueError(f"delay = {delay} is negative; allowed: 0 or more. Call the function at a later time")
        self.env = env
        self.callbacks = [callback]
        # The body of SimPy's schedule(), inlined because each change of a cohort creates a timer.
        heappush(env._queue, (env._now + delay, NORMAL, next(env._eid), self))


class BackgroundTimeout(Timeout):
    """A timer that does not keep the run alive, like a daemon thread."""


class ExactClock(Environment):
    """A SimPy environment that can be set to an exact time, can be halted and can be pickled.

    ``Environment`` itself cannot be pickled, because SimPy binds its event classes to its instances
    (``BoundClass.bind_early``). It does not do so for instances of a subclass.
    """

    __slots__ = ("_now",)  # so that `now` is an attribute, see below

    def __init__(self, initial_time: float = 0.0) -> None:
        super().__init__(initial_time)
        self.halted = False
        """Whether the run is over, so that no further event is processed."""
        self.last_event = self.now
        """Time of the latest event that was processed [days]."""
        self.is_unsettled = False
        """Whether ``on_instant_end`` is called when no event of this instant is left."""
        self.on_instant_end: Callable[[], None] | None = None
        """Function that settles the effects of an instant. It may schedule further events at the same time."""

    def __getstate__(self) -> dict[str, Any]:
        """Replace SimPy's event counter, an ``itertools.count``: Python 3.12 and later pickle it with a warning."""
        next_number = next(self._eid)
        self._eid = count(next_number)
        return self.__dict__ | {"_eid": next_number, "_now": self._now}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state, with a new event counter."""
        now, next_number = state["_now"], state["_eid"]
        self.__dict__.update((name, value) for name, value in state.items() if name != "_now")
        self._now = now
        self._eid = count(next_number)

    @property
    def idle(self) -> bool:
        """Whether only background timers are scheduled, so that nothing more can happen."""
        return not any(day < math.inf and not isinstance(event, BackgroundTimeout) for day, _, _, event in self._queue)

    @property
    def next_event(self) -> Event | None:
        """The scheduled event that is processed next; None if there is none."""
        return self._queue[0][3] if self._queue else None

    def settle_if_due(self) -> None:
        """Call ``on_instant_end`` if something is unsettled and no event of this instant is left."""
        if self.is_unsettled and not self.halted and (not self._queue or self._queue[0][0] > self._now):
            self.is_unsettled = False
            if self.on_instant_end is not None:
                self.on_instant_end()

    def move_to(self, time: float) -> None:
        """Set the clock to ``time``, which must not be later than the next event."""
        self._now = time

    def process_until(self, until: float) -> None:
        """Process every event up to and including ``until``, or up to a halt.

        If only background timers are scheduled, none of them is processed.
        """
        queue, background, latest = self._queue, BackgroundTimeout, self.last_event
        try:
            while queue and not self.halted:
                entry = heappop(queue)
                time, _, _, event = entry
                if time > until or (event.__class__ is background and self.idle):
                    heappush(queue, entry)
                    break
                # The body of SimPy's step(), inlined because it runs for every event.
                self._now = latest = time
                callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]  # SimPy: None when processed
                for callback in callbacks:
                    callback(event)
                if not event._ok and not hasattr(event, "_defused"):
                    raise event._value
                if self.is_unsettled:
                    self.settle_if_due()
        finally:
            self.last_event = latest

    def call_in_this_instant(self, callback: Callable[[Event], None], priority: EventPriority) -> None:
        """Call ``callback`` after all events of this instant with a smaller ``priority`` number."""
        event = Event(self)
        event.callbacks.append(callback)
        event._ok = True
        event._value = None
        self.schedule(event, priority)


# SimPy's `now` is a property that returns `_now`. A second name of the slot returns the same value without a call.
ExactClock.now = ExactClock._now  # type: ignore[misc, method-assign, assignment]
